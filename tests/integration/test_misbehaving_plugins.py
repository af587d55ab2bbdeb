"""A plugin that raises, hangs, spins or returns nonsense harms its own delivery only, and nothing is lost by it."""

import asyncio
import time

import pytest
from sqlalchemy import text

from hub.accounts import guard, loopwatch
from hub.kernel.clock import SECOND, ManualClock, SystemClock
from hub.sdk import Likeness, TemporaryFailure, TrackingNumber
from tests.integration import ledger_audit, odd_plugins
from tests.integration.hubs import FORM, phone, until

CHANNELS = {
    "odd": {"plugin": "odd", "team": "sales"},
    "forms": {"plugin": "odd_form", "team": "sales"},
    "form": dict(FORM),
}


# What contains a plugin knows no database; what is stored of it is tried on both.
ON_A_FILE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def _plugins_begin_anew():
    odd_plugins.mended.clear()
    odd_plugins.let_go.clear()
    yield
    odd_plugins.let_go.set()  # threads that were left behind come back


@pytest.fixture
def clock():
    return ManualClock(SystemClock().now())


@pytest.fixture
async def hub(hub_url, start, clock):
    return await start(
        hub_url,
        channels=CHANNELS,
        extra=odd_plugins.EXTRA,
        clock=clock,
        ticks=False,
        people_named=["Ann", "Bob"],
    )


def state_of(hub):
    return hub.rows("SELECT state, attempts, request_id IS NOT NULL FROM delivery")


async def replay(hub, clock, after_s=10):
    clock.move(after_s * SECOND)
    return await hub.process.door.replay_due()


KEPT = ["raise", "exit", "unreadable", "recursion", *odd_plugins.NONSENSE]


@pytest.mark.parametrize("how", KEPT)
async def test_what_cannot_be_understood_is_kept_and_acknowledged(hub, clock, how):
    status, body = await hub.form({"how": how, "id": "d1"}, account="odd")
    assert status in {200, 202}, body
    [(state, _, _)] = state_of(hub)
    if how in {"no events", "number id", "odd id", "odd language"}:
        return  # sense can be made of these
    assert (status, state) in {(202, "unreadable"), (202, "failed")}
    assert hub.one("SELECT count(*) FROM task") == 0
    reason = hub.one("SELECT reason FROM delivery")
    assert "secret" not in reason
    odd_plugins.mended.add("odd")
    assert await replay(hub, clock) == 1
    assert state_of(hub) == [("stored", 2, True)]
    assert hub.one("SELECT count(*) FROM task WHERE request_id IS NOT NULL") == 1
    status, body = await hub.form({"how": how, "id": "d1"}, account="odd")
    assert (status, body["kind"]) == (200, "accepted")
    assert hub.one("SELECT count(*) FROM delivery") == 1


@pytest.mark.parametrize("how", ["raise", "hang"])
async def test_third_try_becomes_a_task_to_read_by_hand(hub_url, hub, clock, how):
    began = clock.now()
    assert (await hub.form({"how": how, "id": "d1"}, account="odd"))[0] == 202
    assert await replay(hub, clock, 7) == 0  # not yet
    assert await replay(hub, clock, 2) == 1
    assert hub.one("SELECT count(*) FROM task") == 0
    assert await replay(hub, clock, 9) == 1
    assert clock.now() - began <= 30 * SECOND
    [(kind, state, subject)] = hub.rows("SELECT kind, state, subject_id FROM task")
    assert (kind, state) == ("read_by_hand", "assigned")
    assert hub.rows("SELECT id, task_id IS NOT NULL, next_try_at FROM delivery") == [(subject, True, None)]
    assert await replay(hub, clock, 60) == 0
    assert ledger_audit.problems(hub_url) == []


@ON_A_FILE
async def test_hanging_plugin_is_given_up_and_tried_again(hub, clock):
    began = time.monotonic()
    status, body = await hub.form({"how": "hang", "id": "d1", "text": "later"}, account="odd")
    assert (status, body["kind"]) == (202, "pending")
    assert time.monotonic() - began < 2
    assert state_of(hub) == [("pending", 1, False)]
    odd_plugins.mended.add("odd")
    assert await replay(hub, clock) == 1
    assert state_of(hub) == [("stored", 2, True)]
    assert hub.rows("SELECT body FROM message") == [("later",)]


@ON_A_FILE
async def test_hanging_check_of_the_signature_is_kept_too(hub, clock):
    assert (await hub.form({"how": "verify hangs", "id": "d1"}, account="odd"))[0] == 202
    odd_plugins.mended.add("odd")
    assert await replay(hub, clock) == 1
    assert state_of(hub) == [("stored", 2, True)]
    assert hub.rows("SELECT external_id FROM delivery") == [("d1",)]
    assert (await hub.form({"id": "d1"}, account="odd"))[1]["kind"] == "accepted"
    assert hub.one("SELECT count(*) FROM delivery") == 1


async def test_repeats_of_a_delivery_nobody_checked_are_one_request_in_the_end(hub, clock):
    """While `verify` hangs nobody knows the delivery's id: each try is kept, replay finds them to be one."""
    for _ in range(3):
        assert (await hub.form({"how": "verify hangs", "id": "d1"}, account="odd"))[0] == 202
    odd_plugins.mended.add("odd")
    hub.process.door.accounts["odd"].pending_only = None
    await replay(hub, clock)
    await replay(hub, clock)
    assert hub.one("SELECT count(*) FROM request") == 1
    assert hub.one("SELECT count(*) FROM task") == 1
    assert sorted(row[0] for row in state_of(hub)) == ["noted", "noted", "stored"]


@ON_A_FILE
async def test_three_hung_calls_switch_the_account_to_pending_only(hub, clock):
    for n in range(3):
        assert (await hub.form({"how": "hang", "id": f"h{n}"}, account="odd"))[0] == 202
    assert hub.process.door.accounts["odd"].pending_only
    began = time.monotonic()
    answers = await asyncio.gather(
        *(hub.form({"how": "hang", "id": f"p{n}"}, account="odd") for n in range(20))
    )
    assert {status for status, _ in answers} == {202}
    assert time.monotonic() - began < 2
    assert hub.process.door.accounts["form"].pending_only is None
    assert (await hub.form({"name": "A", "phone": phone(1)}))[0] == 201
    assert (await hub.form({"id": "x"}, account="forms"))[0] == 200
    assert hub.one("SELECT count(*) FROM delivery WHERE account = 'odd' AND state = 'pending'") == 23


@ON_A_FILE
@pytest.mark.parametrize("how", ["hang", "spin"])
async def test_other_accounts_go_on_while_one_hangs(hub, how):
    others = [hub.form({"name": "A", "phone": phone(n)}) for n in range(40)]
    bad = [hub.form({"how": how, "id": f"b{n}"}, account="odd") for n in range(2)]
    began = time.monotonic()
    answers = await asyncio.gather(*bad, *others)
    assert time.monotonic() - began < 8
    assert [status for status, _ in answers[:2]] == [202, 202]
    assert {status for status, _ in answers[2:]} == {201}
    assert hub.one("SELECT count(*) FROM request") == 40


@ON_A_FILE
async def test_late_result_of_a_hung_call_changes_nothing(hub, clock):
    assert (await hub.form({"how": "hang", "id": "d1"}, account="odd"))[0] == 202
    odd_plugins.let_go.set()  # the thread that was given up comes back with a result
    await asyncio.sleep(0.2)
    assert state_of(hub) == [("pending", 1, False)]
    assert (await hub.form({"id": "d2"}, account="odd"))[0] == 200
    assert await replay(hub, clock) == 1
    assert hub.one("SELECT count(*) FROM request") == 1  # one person, a chat: both texts in one request
    assert hub.one("SELECT count(*) FROM message") == 2


@ON_A_FILE
@pytest.mark.parametrize(
    "how", ["answer raises", "answer is nonsense", "answer has no status", "answer splits headers"]
)
async def test_stored_is_stored_whatever_the_plugin_answers(hub, how):
    status, _ = await hub.form({"how": how, "id": "d1"}, account="odd")
    assert status == 200
    assert state_of(hub) == [("stored", 1, True)]


@ON_A_FILE
@pytest.mark.parametrize("how", ["answer spins", "answer sleeps"])
async def test_an_answer_that_holds_up_the_hub_is_thrown_out_and_not_asked_again(hub, how):
    began = time.monotonic()
    for n in range(3):
        assert (await hub.form({"how": how, "id": f"d{n}"}, account="odd"))[0] == 200
    assert time.monotonic() - began < 6
    assert hub.one("SELECT count(*) FROM delivery WHERE account = 'odd' AND state = 'stored'") == 3
    assert hub.process.door.accounts["odd"].pending_only
    assert (await hub.form({"how": how, "id": "d9"}, account="odd")) == (200, {})
    assert (await hub.form({"name": "A", "phone": phone(1)}))[0] == 201


async def test_check_that_raises_stores_nothing_and_asks_for_a_repeat(hub):
    """Nobody knows whether it is authentic: no row, no 2xx."""
    for how in ("verify raises", "verify is nonsense", "verify names nonsense"):
        status, _ = await hub.form({"how": how}, account="odd")
        assert status == 503
    assert state_of(hub) == []
    assert (await hub.form({"id": "d1"}, account="odd"))[0] == 200


@ON_A_FILE
async def test_refused_signature_is_counted_and_stores_nothing(hub):
    status, body = await hub.form({"how": "reject"}, account="odd")
    assert (status, body["reason"]) == (401, "signature")
    assert state_of(hub) == []
    await hub.process.door.flush_rejections()
    assert hub.rows("SELECT account, reason, count FROM rejection") == [("odd", "signature", 1)]


@pytest.mark.parametrize("how", ["odd external id", "verify names nonsense"])
async def test_odd_external_id_harms_nobody_else(hub, how):
    work = [hub.form({"name": "A", "phone": phone(n)}) for n in range(10)]
    (status, _), *others = await asyncio.gather(hub.form({"how": how}, account="odd"), *work)
    assert status in {200, 202, 503}
    assert {status for status, _ in others} == {201}
    if how == "odd external id":
        assert status == 200
        assert (await hub.form({"how": how}, account="odd"))[0] == 200
        assert hub.one("SELECT count(*) FROM delivery WHERE account = 'odd'") == 1


async def test_form_that_raises_is_kept_without_its_check(hub, clock):
    for how in ("raise", "verify raises"):
        assert (await hub.form({"how": how}, account="forms"))[0] == 202
    odd_plugins.mended.add("forms")
    assert await replay(hub, clock) == 2
    assert {row[0] for row in state_of(hub)} == {"stored"}


async def test_background_replay_makes_the_task_within_half_a_minute(sqlite_url, start):
    """The same with the real clock and the real ticks."""
    hub = await start(sqlite_url, channels=CHANNELS, extra=odd_plugins.EXTRA, people_named=["Ann"])
    began = time.monotonic()
    assert (await hub.form({"how": "raise", "id": "d1"}, account="odd"))[0] == 202
    odd_plugins.mended.add("odd")
    while not hub.one("SELECT count(*) FROM task"):
        assert time.monotonic() - began < 30
        await asyncio.sleep(0.2)


async def page_of(hub, how):
    async with hub.http.get(f"{hub.base}/in/odd/form?how={how}") as answer:
        return answer.status, await answer.text()


@ON_A_FILE
@pytest.mark.parametrize("how", ["raise", "nonsense", "header"])
async def test_a_page_that_fails_is_recorded_on_its_account(hub, how):
    status, body = await page_of(hub, how)
    assert status == 500
    assert "secret" not in body
    assert hub.one("SELECT last_error FROM account WHERE name = 'odd'").startswith("page: ")
    assert "secret" not in hub.one("SELECT last_error FROM account WHERE name = 'odd'")
    assert await page_of(hub, "") == (200, "page")


@ON_A_FILE
@pytest.mark.parametrize("how", ["hang", "spin"])
async def test_a_page_that_hangs_holds_nobody_and_one_click_brings_the_account_back(hub, how, monkeypatch):
    monkeypatch.setitem(guard.LIMIT_S, "page", 0.3)
    answers = await asyncio.gather(*(page_of(hub, how) for _ in range(3)))
    assert {status for status, _ in answers} == {500}
    assert (await page_of(hub, ""))[0] == 503
    assert (await hub.form({"name": "A", "phone": phone(1)}))[0] == 201
    status, _ = await hub.api("POST", "/channels/odd/resume", hub.token("seller"), {})
    assert status == 403
    status, said = await hub.api("POST", "/channels/odd/resume", hub.token("admin"), {})
    assert (status, said["state"]) == (200, "active"), said
    assert await page_of(hub, "") == (200, "page")
    assert hub.one("SELECT count(*) FROM audit WHERE action = 'account_resumed'") == 1


@ON_A_FILE
async def test_only_an_account_that_is_there_is_switched_on(hub):
    admin = hub.token("admin")
    assert (await hub.api("POST", "/channels/nobody/resume", admin, {}))[0] == 404
    hub.hub.db.write_now(
        lambda tx: tx.execute(text("UPDATE account SET state = 'off' WHERE name = 'odd'")) and None
    )
    status, said = await hub.api("POST", "/channels/odd/resume", admin, {})
    assert status == 409, said
    hub.hub.db.write_now(
        lambda tx: (
            tx.execute(text("UPDATE account SET state = 'stopped', reason = 'x' WHERE name = 'odd'")) and None
        )
    )
    assert (await hub.api("POST", "/channels/odd/resume", admin, {}))[0] == 200
    assert hub.rows("SELECT state, reason FROM account WHERE name = 'odd'") == [("active", None)]


@pytest.fixture
async def carriers_hub(sqlite_url, start, monkeypatch):
    monkeypatch.setitem(guard.LIMIT_S, "track", 0.2)
    monkeypatch.setitem(guard.LIMIT_S, "looks_like", 0.2)
    monkeypatch.setattr(loopwatch, "HELD_S", 0.2)
    ways = {"hang": "hang", "spin": "spin", "dumb": "nonsense", "blind": "looks hang"}
    carriers = {name: {"plugin": "odd_carrier", "how": how} for name, how in ways.items()}
    return await start(sqlite_url, carriers=carriers, extra=odd_plugins.EXTRA, ticks=False)


@pytest.mark.parametrize("account", ["hang", "spin"])
async def test_a_carrier_that_does_not_come_back_is_stopped_with_a_reason_and_one_call_brings_it_back(
    carriers_hub, account
):
    hub, admin = carriers_hub, carriers_hub.token("admin")
    carrier = hub.hub.accounts.carriers[account]
    for _ in range(3):
        with pytest.raises(TemporaryFailure):
            await carrier.track([TrackingNumber(number="1")])
    [(state, reason)] = hub.rows("SELECT state, reason FROM account WHERE name = :a", a=account)
    assert state == "stopped"
    assert "3 times in a row" in reason
    others = [name for name in hub.hub.accounts.carriers if name != account]
    assert {hub.one("SELECT state FROM account WHERE name = :a", a=name) for name in others} == {"active"}
    odd_plugins.mended.add(account)
    with pytest.raises(TemporaryFailure, match="3 times in a row"):
        await carrier.track([TrackingNumber(number="1")])
    assert (await hub.api("POST", f"/carriers/{account}/resume", admin, {}))[0] == 200
    carrier.conduct._looked_at = float("-inf")  # three seconds later
    assert (await carrier.track([TrackingNumber(number="1")])).tracked


async def test_nonsense_of_a_carrier_is_recorded_and_reaches_no_table(carriers_hub):
    with pytest.raises(TemporaryFailure, match=r"nonsense from track \(int in TrackAnswer.tracked\)"):
        await carriers_hub.hub.accounts.carriers["dumb"].track([TrackingNumber(number="1")])
    [(state, error)] = carriers_hub.rows("SELECT state, last_error FROM account WHERE name = 'dumb'")
    assert state == "active"
    assert "nonsense from track" in error


async def test_a_carrier_that_hangs_over_a_typed_number_is_left_out_and_recorded(carriers_hub):
    carriers = carriers_hub.hub.accounts.carriers
    began = time.monotonic()
    assert carriers["blind"].looks_like("123").likeness is Likeness.NO
    assert carriers["dumb"].looks_like("123").likeness is Likeness.PERHAPS
    assert time.monotonic() - began < 3
    await until(lambda: carriers_hub.one("SELECT last_error FROM account WHERE name = 'blind'"))
