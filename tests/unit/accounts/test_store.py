"""What switches an account off stays; what the hub itself stopped is tried again at the next start."""

import pytest

from hub.accounts import store
from hub.accounts.store import AccountOff, Configured, State

SHOP = Configured("shop", "channel", "telegram", "sales")
OFF = Configured("shop", "channel", "telegram", "sales", "its plugin cannot be imported")


@pytest.fixture
def tx(world):
    world.write(store.sync, [SHOP])
    return world


def state(world):
    return world.read(lambda conn: store.get(conn, "channel", "shop"))


@pytest.mark.parametrize("switch_off", [
    lambda tx: store.pause(tx, "channel", "shop", "on leave"),
    lambda tx: store.note_error(tx, "shop", "the token is not taken", stop=True),
])  # fmt: skip
def test_an_answer_that_was_under_way_switches_nothing_on(tx, switch_off):
    tx.write(switch_off)
    before = state(tx)
    tx.write(store.note_ok, "shop")
    after = state(tx)
    assert (after.state, after.reason) == (before.state, before.reason)
    assert before.state != State.ACTIVE
    assert after.last_ok_at is not None


def test_a_failure_does_not_take_over_what_a_person_switched_off(tx):
    tx.write(store.pause, "channel", "shop", "on leave")
    tx.write(store.note_error, "shop", "the token is not taken", stop=True)
    assert (state(tx).state, state(tx).reason) == (State.PAUSED, "on leave")
    assert state(tx).last_error == "the token is not taken"


def test_the_next_start_tries_what_the_hub_stopped_and_leaves_what_a_person_switched_off(tx):
    tx.write(store.note_error, "shop", "the token is not taken", stop=True)
    tx.write(lambda tx: store.sync(tx, [SHOP]))
    assert state(tx).state == State.STOPPED  # a command beside the hub changes nothing
    tx.write(lambda tx: store.sync(tx, [SHOP], restart=True))
    assert state(tx).state == State.ACTIVE
    tx.write(store.pause, "channel", "shop", "on leave")
    for configured in ([SHOP], [OFF], [SHOP]):
        tx.write(lambda tx, found=configured: store.sync(tx, found, restart=True))
        assert state(tx).state == State.PAUSED
    tx.write(store.resume, "channel", "shop")
    assert (state(tx).state, state(tx).reason) == (State.ACTIVE, None)


def test_new_settings_are_tried_whatever_a_call_with_the_old_ones_brings(tx):
    tx.write(store.note_error, "shop", "the old token is not taken", stop=True)
    tx.write(store.try_again, "shop", 2)
    assert state(tx).state == State.STOPPED  # settings of another version
    tx.write(store.try_again, "shop", 1)
    assert state(tx).state == State.ACTIVE
    tx.write(store.pause, "channel", "shop", "on leave")
    tx.write(store.try_again, "shop", 1)
    assert state(tx).state == State.PAUSED


def test_what_is_gone_from_the_file_cannot_be_resumed(tx):
    tx.write(store.sync, [])
    assert state(tx).state == State.RETIRED
    with pytest.raises(AccountOff):
        tx.write(store.resume, "channel", "shop")
    with pytest.raises(AccountOff):
        tx.write(store.pause, "channel", "shop", "")
    tx.write(store.sync, [SHOP])
    assert state(tx).state == State.ACTIVE
