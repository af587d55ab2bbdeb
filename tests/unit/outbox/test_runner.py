"""What must leave the hub leaves it: in order, once, and after a crash as its lane says."""

import asyncio

import pytest
import structlog
from sqlalchemy import select, update

from hub.db.rows import OutboxRow
from hub.db.tables import outbox
from hub.kernel.clock import HOUR, MINUTE, SECOND
from hub.kernel.errors import Unavailable
from hub.outbox import runner
from hub.outbox.model import LEASE, MAX_ATTEMPTS
from hub.outbox.put import COALESCE, put_notice
from hub.outbox.runner import OutboxRunner, by_key, claim, payload, settle
from hub.sdk.messages import Later, Refused, Sent, Uncertain


def put(tx, lane="reply", key="contact:1", kind="text"):
    row = OutboxRow(
        tx.new_id(), lane, kind, key, "{}", "ready", 0, tx.now, tx.now, None, None, None, None, None, 1
    )
    tx.insert({outbox: [row]})
    return row.id


def stored(world, row_id):
    return OutboxRow(*world.read(lambda c: c.execute(select(outbox).where(outbox.c.id == row_id)).one()))


class Scripted:
    """A sink that notes what it is handed and answers from a script, then with Sent."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.handed = []

    async def send(self, rows):
        self.handed.append([row.id for row in rows])
        answer = self.answers.pop(0) if self.answers else Sent("p1")
        if isinstance(answer, Exception):
            raise answer
        return answer


def drain(world, sink, owner="me"):
    world.clock.move(1)
    runner = OutboxRunner(world.db, {"reply": sink, "notice": sink, "webhook": sink}, owner)
    return asyncio.run(runner.drain())


def test_what_is_sent_is_done_with_the_providers_id(world):
    row = world.write(put)
    sink = Scripted()
    assert drain(world, sink) == 1
    done = stored(world, row)
    assert (done.state, done.provider_id, done.attempts, done.next_try_at) == ("done", "p1", 1, None)
    assert sink.handed == [[row]]
    assert drain(world, sink) == 0


def test_notices_of_one_person_within_two_seconds_are_one_call(world):
    for task_id in (1, 2):
        world.write(put_notice, "task_assigned", 7, task_id=task_id)
    world.write(put_notice, "task_assigned", 8, task_id=3)
    sink = Scripted()
    assert drain(world, sink) in {0, 1}, "the first one is hardly old enough"
    world.clock.move(COALESCE)
    drain(world, sink)
    assert sum(len(ids) for ids in sink.handed) == 3


def test_notices_wait_a_moment_so_that_several_become_one(world):
    for _ in range(3):
        world.db.write_now(lambda tx: put_notice(tx, "task_assigned", 7, task_id=1))
    assert drain(world, Scripted()) == 0
    world.clock.move(COALESCE)
    sink = Scripted()
    assert drain(world, sink) == 3
    assert [len(ids) for ids in sink.handed] == [3]


def test_a_notice_names_ids_only(world):
    world.write(put_notice, "task_assigned", 7, task_id=5)
    (row,) = (OutboxRow(*r) for r in world.rows(outbox))
    assert payload(row)["staff_id"] == "7"
    assert "5" in row.payload
    assert row.order_key == "staff:7"


def test_a_refused_effect_is_a_dead_letter_with_its_reason(world):
    row = world.write(put)
    drain(world, Scripted(Refused("blocked by the customer")))
    dead = stored(world, row)
    assert (dead.state, dead.last_error, dead.next_try_at) == ("dead", "blocked by the customer", None)


def test_a_put_off_effect_goes_again_and_not_before_its_time(world):
    row = world.write(put)
    drain(world, sink := Scripted(Later(120)))
    waiting = stored(world, row)
    assert waiting.state == "ready"
    assert waiting.next_try_at == world.clock.now() + 120 * SECOND
    world.clock.move(119 * SECOND)
    assert drain(world, sink) == 0
    world.clock.move(SECOND)
    assert drain(world, sink) == 1
    assert stored(world, row).state == "done"


def test_a_sink_that_raises_counts_as_put_off(world):
    row, other = world.write(put), world.write(put, key="contact:2")
    drain(world, Scripted(RuntimeError("x")))
    assert stored(world, row).state == "ready"
    assert stored(world, other).state == "done"


def test_after_the_last_try_it_is_a_dead_letter(world):
    row = world.write(put)
    for tried in range(1, MAX_ATTEMPTS + 1):
        assert drain(world, Scripted(Later())) == 1
        assert stored(world, row).attempts == tried
        world.clock.move(2 * HOUR)
    assert (stored(world, row).state, stored(world, row).last_error) == ("dead", "tried too often")
    assert drain(world, Scripted()) == 0


def test_a_reply_whose_fate_is_unknown_waits_for_a_person(world):
    row = world.write(put)
    drain(world, Scripted(Uncertain()))
    unsure = stored(world, row)
    assert (unsure.state, unsure.next_try_at) == ("uncertain", None)
    assert unsure.last_error != "tried too often"


@pytest.mark.parametrize("lane", ["notice", "webhook"])
def test_a_notice_or_web_hook_whose_fate_is_unknown_goes_again(world, lane):
    row = world.write(put, lane)
    drain(world, Scripted(Uncertain()))
    assert stored(world, row).state == "ready"


@pytest.mark.parametrize(("lane", "state"), [("reply", "uncertain"), ("notice", "done"), ("webhook", "done")])
def test_what_a_crash_left_behind_is_settled_by_its_lane(world, lane, state):
    row = world.write(put, lane)
    world.write(claim, "a process that died")
    assert stored(world, row).state == "sending"
    world.clock.move(LEASE - 10 * SECOND)
    drain(world, sink := Scripted())
    assert sink.handed == [], "its lease still runs"
    world.clock.move(MINUTE)
    drain(world, sink)
    assert stored(world, row).state == state
    assert sink.handed == ([] if state == "uncertain" else [[row]])


def test_two_runners_never_claim_the_same_row(world):
    row = world.write(put)
    assert [r.id for r in world.write(claim, "one")] == [row]
    assert world.write(claim, "two") == []


def test_replies_of_one_customer_leave_in_order_one_by_one(world):
    rows = [world.write(put) for _ in range(3)]
    drain(world, sink := Scripted())
    assert sink.handed == [[row] for row in rows]


def test_a_waiting_retry_holds_back_its_own_key_and_no_other(world):
    first = world.write(put)
    later = world.write(put)
    other = world.write(put, key="contact:2")
    drain(world, sink := Scripted(Later(60)))
    assert sink.handed == [[first], [other]]
    third = world.write(put)
    drain(world, sink)
    assert [stored(world, row).state for row in (first, later, third)] == ["ready"] * 3
    assert stored(world, later).attempts == 0, "what was held back has not been tried"
    world.clock.move(MINUTE)
    drain(world, sink)
    assert sink.handed[2:] == [[first], [later], [third]]


def test_what_another_process_is_sending_holds_back_its_key(world):
    world.write(put)
    world.write(claim, "another")
    later = world.write(put)
    drain(world, sink := Scripted())
    assert sink.handed == []
    assert stored(world, later).state == "ready"


def test_a_dead_letter_holds_nobody_back(world):
    world.write(put)
    later = world.write(put)
    drain(world, Scripted(Refused("no")))
    assert stored(world, later).state == "done"


def test_rows_are_grouped_by_key_oldest_first():
    def row(identifier, lane, key):
        return OutboxRow(identifier, lane, "k", key, "{}", "ready", 0, 0, 0, None, None, None, None, None, 1)

    rows = [row(4, "notice", "a"), row(1, "notice", "a"), row(2, "reply", "a"), row(3, "reply", "a")]
    assert [[r.id for r in group] for group in by_key(rows)] == [[1, 4], [2], [3]]


def test_what_fails_is_logged_with_the_correlation_id_of_its_cause(world, monkeypatch):
    """The line of a plugin or sink, too: whoever reads it finds the delivery that it comes from."""
    heard, logs = [], []

    class Log:
        def error(self, event, **told):
            logs.append((event, {**structlog.contextvars.get_contextvars(), **told}["correlation_ids"]))

        warning = error

    class Loud(Scripted):
        async def send(self, rows):
            heard.append(structlog.contextvars.get_contextvars())
            return await super().send(rows)

    world.write(put)
    monkeypatch.setattr(runner, "log", Log())
    drain(world, Loud(OSError("x")))
    world.clock.move(HOUR)
    drain(world, Loud(Refused("no")))
    assert heard == [{"correlation_ids": ["1"]}] * 2
    assert logs == [
        ("sink_raised", ["1"]), ("effect_not_sent", ["1"]),
    ]  # fmt: skip
    assert structlog.contextvars.get_contextvars() == {}


def test_a_lane_that_nobody_serves_is_a_dead_letter(world):
    row = world.write(put, "pigeon")
    drain(world, Scripted())
    assert stored(world, row).state == "dead"


def test_the_outbox_behaves_alike_on_both_databases(both_worlds):
    world = both_worlds
    rows = [world.write(put) for _ in range(2)]
    world.write(put, key="contact:2")
    drain(world, Scripted(Later(60)))
    assert [stored(world, row).state for row in rows] == ["ready", "ready"]
    world.clock.move(MINUTE)
    drain(world, sink := Scripted())
    assert sink.handed == [[row] for row in rows]
    world.write(settle, [stored(world, rows[0])], Refused("late"))
    assert stored(world, rows[0]).state == "dead"


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize("answer", [Sent("p1"), Later(30), Refused("no")])
def test_how_a_call_ended_is_written_when_the_disk_has_room_again(world, monkeypatch, answer, written):
    """`written`: only the answer of the first try was lost."""
    monkeypatch.setattr("hub.outbox.runner.SETTLE_PAUSE_S", 0.0)
    row, held = world.write(put), world.write(put)
    if isinstance(answer, Later):
        sink, order = Scripted(answer), [[row]]
    else:
        sink, order = Scripted(answer), [[row], [held]]
    write, tries = world.db.write, []

    async def full(run):
        tries.append(run)
        if len(tries) in (2, 3):  # the first is the claim
            if written and len(tries) == 2:
                await write(run)
            raise Unavailable
        return await write(run)

    monkeypatch.setattr(world.db, "write", full)
    drain(world, sink)
    found = stored(world, row)
    states = {Sent: "done", Later: "ready", Refused: "dead"}
    assert (found.state, found.attempts) == (states[type(answer)], 1)
    assert sink.handed == order
    assert stored(world, held).attempts == (0 if isinstance(answer, Later) else 1), "put back once"


def test_what_another_has_claimed_meanwhile_is_not_touched(world, monkeypatch):
    monkeypatch.setattr("hub.outbox.runner.SETTLE_PAUSE_S", 0.0)
    row = world.write(put)
    write, tries = world.db.write, []

    async def stolen(run):
        tries.append(run)
        if len(tries) == 2:
            other = update(outbox).where(outbox.c.id == row).values(lease_owner="other")
            await write(lambda tx: tx.execute(other) and None)
            raise Unavailable
        return await write(run)

    monkeypatch.setattr(world.db, "write", stolen)
    drain(world, Scripted())
    assert stored(world, row).state == "sending"
