"""What time itself does to tasks: shifts begin and end, snoozed tasks wake, reactions are overdue.

One piece of work looks every quarter of a second for teams that have something due, and gives each its
own transaction under the team's lock; looking twice changes nothing, so a second process does no harm.

A reaction (accept, snooze, complete) is due within the team's `reaction_minutes` of working time (or the
limit that the task brought with it), which runs while anybody's shift is on. `react_by_at` is the
earliest such moment: here it is looked at exactly, and set to the next earliest where the night came
between. Who lets a task pass is given back what it cost; the colleague with the most credit of those who
could take it pays instead, and whoever let it pass is dealt nothing until he acts (`not_reacting`), and
the head is told. Where nobody else could take it, it stays, and the head is told once.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, bindparam, select, text, union
from sqlalchemy.engine import Connection

from hub.assignment import service
from hub.assignment.bench import CALENDAR, Bench, held_by
from hub.assignment.policy import Member, Needs, eligible_set, first_claim, move
from hub.db.prepared import Prepared
from hub.db.rows import TaskRow
from hub.db.tables import ledger_head, task
from hub.db.tx import Tx
from hub.kernel.clock import Instant
from hub.requests.service import note
from hub.tasks import store
from hub.tasks.model import TaskState

AT_ONCE = 200

# As texts: a bound state would hide the partial indexes.
_SNOOZED = text("task.state = 'snoozed'") & (task.c.snoozed_until_at <= bindparam("now"))
_OVERDUE = text("task.state = 'assigned' AND task.react_by_at IS NOT NULL") & (
    task.c.react_by_at <= bindparam("now")
)
# Left to itself, SQLite takes the index of states and looks at every task that anybody holds.
_BY_WAKING = "INDEXED BY ix_task_snoozed"
_BY_REACTION = "INDEXED BY ix_task_react"
_DUE = Prepared(
    union(
        select(ledger_head.c.team_id).where(ledger_head.c.due_at <= bindparam("now")),
        select(task.c.team_id).where(_SNOOZED).with_hint(task, _BY_WAKING, "sqlite"),
        select(task.c.team_id).where(_OVERDUE).with_hint(task, _BY_REACTION, "sqlite"),
    )
)


def due_teams(conn: Connection, now: Instant) -> Sequence[int]:
    """Teams that have something to do now, ascending."""
    return sorted({row[0] for row in _DUE.run(conn, now=now)})


def run_team(tx: Tx, team_id: int) -> int:
    """Do what is due in a team; returns how many tasks were touched."""
    bench = Bench(tx, CALENDAR, team_id)
    touched = 0
    for row in _tasks(tx, team_id, _SNOOZED, _BY_WAKING):
        service.wake(bench, row)
        touched += 1
    for row in _tasks(tx, team_id, _OVERDUE, _BY_REACTION):
        _overdue(bench, row)
        touched += 1
    bench.close()
    return touched


def _tasks(tx: Tx, team_id: int, due: ColumnElement[bool], index: str) -> list[TaskRow]:
    query = select(task).where(task.c.team_id == team_id, due).order_by(task.c.id).limit(AT_ONCE)
    query = query.with_hint(task, index, "sqlite")
    return [TaskRow._make(row) for row in tx.execute(query, {"now": tx.now})]


def _overdue(bench: Bench, row: TaskRow) -> None:
    limit = bench.reaction(row)
    since = Instant(row.assigned_at or bench.tx.now)
    left = None if limit is None else limit - bench.worked(since, bench.tx.now)
    if left is not None and left > 0:
        store.save(bench.tx, row, react_by_at=bench.tx.now + left, actor=bench.actor.label)
        return
    taker = _next(bench, row) if limit is not None and bench.roster.rules.pass_on else None
    if taker is None:
        store.save(bench.tx, row, react_by_at=None, actor=bench.actor.label)
        bench.tell_the_heads("task_unanswered", row.id)
        return
    pass_on(bench, row, taker)


def _next(bench: Bench, row: TaskRow) -> Member | None:
    assert row.membership_id is not None
    found = eligible_set(bench.roster, held_by(row, row.membership_id), Needs.of(row.needs))
    return first_claim([bench.roster.members[i] for i in found.ids]) if found.ids else None


def pass_on(bench: Bench, row: TaskRow, taker: Member) -> TaskRow:
    """Nobody reacted: the task goes on, and who let it pass is out until he acts."""
    assert row.membership_id is not None
    old = bench.roster.members[row.membership_id]
    chosen_from = eligible_set(bench.roster, held_by(row, old.id), Needs.of(row.needs))
    before = tuple(bench.roster.members[i].credit for i in chosen_from.ids)
    choice = move(bench.roster, old.id, taker.id, row.paid_units)
    entry = bench.entries.add(
        bench.roster,
        "pass_on",
        task_id=row.id,
        needs=row.needs,
        units=choice.price,
        correlation_id=row.correlation_id,
        taker=taker.id,
        giver=old.id,
        credit_after=choice.credit_after,
        chosen_from=chosen_from,
        before=before,
    )
    bench.set_away(old, old.off, silent=True)
    kept = store.save(bench.tx, row, held_by="[" + ", ".join(map(str, held_by(row, old.id))) + "]")
    changed = bench.give(kept, taker, entry.seq, choice.price, TaskState.ASSIGNED)
    note(bench.tx, bench.actor, "task", row.id, "passed_on", body={"from": str(old.staff_id)})
    bench.tell_the_heads("task_passed_on", row.id)
    return changed
