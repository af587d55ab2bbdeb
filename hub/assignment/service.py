"""Use cases that touch load, eligibility or credit. Each locks its team first, then looks at anything.

A task's holder is a membership. What a verb does to the credits stands in `policy`; here it is written:
the entry, the task, the head row, the journal, a notice to who has it now. Whatever frees a place deals
the queue in the same transaction.
"""

from __future__ import annotations

import json

from sqlalchemy import insert, select, update

from hub.access.model import Actor, May
from hub.assignment import ledger
from hub.assignment.ledger import Entries
from hub.assignment.policy import (
    EligibleSet,
    Member,
    Roster,
    deal,
    deal_again,
    deal_to,
    eligible_set,
    finish,
    give_back,
    move,
    take_again,
)
from hub.db import tables as t
from hub.db.rows import TaskRow
from hub.db.tx import Tx
from hub.kernel.errors import (
    AccessDenied,
    AlreadyClaimed,
    FieldProblem,
    InputRejected,
    NotFound,
    RuleSaysNo,
    TransitionRefused,
    VersionConflict,
)
from hub.outbox.put import put_notice
from hub.requests.model import UNCHARGED, Closing, Outcome
from hub.requests.service import close as close_request
from hub.requests.service import note
from hub.tasks import store
from hub.tasks.model import HELD, TaskState, Verb, after

QUEUE_AT_ONCE = 200


class Bench:
    """One locked team inside one transaction: its roster, its new entries; `close` writes both."""

    def __init__(self, tx: Tx, actor: Actor, team_id: int) -> None:
        self.tx = tx
        self.actor = actor
        self.roster: Roster = ledger.load_roster(tx, team_id)
        self.entries = Entries(tx, actor.label)

    def task(self, task_id: int, expected_version: int | None) -> TaskRow:
        """The task as it is now that the team is locked. Raises VersionConflict, NotFound."""
        row = store.get(self.tx.conn, task_id)
        if expected_version is not None and row.version != expected_version:
            raise VersionConflict(
                f"task {task_id} was changed by somebody else",
                version=row.version,
                assignee_id=row.assignee_id,
            )
        return row

    def give(self, row: TaskRow, member: Member, seq: int, paid: int, state: TaskState) -> TaskRow:
        """Write who has a task now, and tell him unless he did it himself."""
        tx = self.tx
        changed = store.save(
            tx,
            row,
            state=state,
            membership_id=member.id,
            assignee_id=member.staff_id,
            entry_seq=seq,
            paid_units=paid,
            assigned_at=tx.now,
            accepted_at=tx.now if state is TaskState.ACCEPTED else None,
            actor=self.actor.label,
        )
        if member.staff_id != self.actor.staff_id:
            put_notice(tx, "task_assigned", member.staff_id, row.id)
        return changed

    def close(self) -> None:
        """Deal what waits, then write entries, facts and the head row."""
        deal_queue(self)
        self.tx.insert(
            {
                t.eligible_set: self.entries.sets,
                t.ledger: self.entries.rows,
                t.eligibility_fact: self.entries.facts,
            }
        )
        ledger.save_roster(self.tx, self.roster)


def _open_bench(tx: Tx, actor: Actor, task_id: int, expected_version: int | None) -> tuple[Bench, TaskRow]:
    bench = Bench(tx, actor, store.get(tx.conn, task_id).team_id)
    return bench, bench.task(task_id, expected_version)


def deal_queue(bench: Bench) -> int:
    """Deal waiting tasks, oldest first, for as long as somebody can take one. Returns how many."""
    dealt = 0
    if not eligible_set(bench.roster).ids:
        return dealt
    for row in store.waiting(bench.tx.conn, bench.roster.team_id, QUEUE_AT_ONCE):
        chosen_from = eligible_set(bench.roster, json.loads(row.held_by))
        if chosen_from.ids:
            _deal_waiting(bench, row, chosen_from)
            dealt += 1
    return dealt


def _deal_waiting(bench: Bench, row: TaskRow, chosen_from: EligibleSet) -> None:
    again = row.paid_units > 0
    choice = (
        deal_again(bench.roster, chosen_from, row.paid_units) if again else deal(bench.roster, chosen_from)
    )
    event = "deal_again" if again else "deal"
    entry = bench.entries.dealt(bench.roster, event, row.id, chosen_from, choice, row.correlation_id)
    bench.give(row, bench.roster.members[choice.taker], entry.seq, choice.price, TaskState.ASSIGNED)


# --- verbs -------------------------------------------------------------------------------------------


def claim(
    tx: Tx, actor: Actor, task_id: int, *, intercept: bool = False, expected_version: int | None = None
) -> TaskRow:
    """Take a task: a waiting one, one that its person has not accepted yet, or (intercept) any open one.

    Of several who claim at once one wins; the others get AlreadyClaimed with `assignee_id`.
    """
    actor.require(May.WORK)
    bench, row = _open_bench(tx, actor, task_id, expected_version)
    me = _membership(bench, actor)
    state = TaskState(row.state)
    if state in HELD and row.membership_id == me.id:
        return row if state is TaskState.ACCEPTED else _accept(bench, row)
    if state is TaskState.ACCEPTED and not intercept:
        raise AlreadyClaimed(f"task {task_id} is taken", assignee_id=str(row.assignee_id))
    after(Verb.CLAIM, state)
    if state is TaskState.WAITING:
        changed = _take_waiting(bench, row, me, "claim", TaskState.ACCEPTED)
    else:
        _require_intercept(bench, actor)
        changed = _move(bench, row, me, "intercept", TaskState.ACCEPTED, None)
    note(tx, actor, "task", task_id, "claimed")
    bench.close()
    return changed


def accept(tx: Tx, actor: Actor, task_id: int, *, expected_version: int | None = None) -> TaskRow:
    """Its person says: I work on it. Accepting twice changes nothing."""
    actor.require(May.WORK)
    bench, row = _open_bench(tx, actor, task_id, expected_version)
    after(Verb.ACCEPT, TaskState(row.state))
    _require_holder(bench, row, actor)
    if row.state == TaskState.ACCEPTED:
        return row
    return _accept(bench, row)


def complete(
    tx: Tx, actor: Actor, task_id: int, closing: Closing, *, expected_version: int | None = None
) -> TaskRow:
    """Finish a task and close its request with the outcome. Spam and doubles cost their holder nothing."""
    actor.require(May.WORK)
    if closing.outcome in UNCHARGED:
        return void(tx, actor, task_id, closing.reason, closing.outcome, expected_version=expected_version)
    bench, row = _open_bench(tx, actor, task_id, expected_version)
    state = TaskState(row.state)
    target = after(Verb.COMPLETE, state)
    _require_holder(bench, row, actor)
    if row.request_id is not None:
        close_request(tx, actor, row.request_id, closing)
    if state in HELD and row.membership_id is not None:
        finish(bench.roster, row.membership_id)
        bench.entries.fact(bench.roster, row.membership_id, "load", {"task": str(task_id), "by": -1}, tx.now)
    changed = store.save(
        tx,
        row,
        state=target,
        done_at=tx.now,
        outcome=closing.outcome,
        reason=closing.reason or None,
        actor=actor.label,
    )
    note(tx, actor, "task", task_id, "completed", reason=closing.reason, body={"outcome": closing.outcome})
    bench.close()
    return changed


def reassign(
    tx: Tx, actor: Actor, task_id: int, assignee_id: int, reason: str, *, expected_version: int | None = None
) -> TaskRow:
    """Hand a task to a colleague; by its holder or the head."""
    actor.require(May.WORK)
    bench, row = _open_bench(tx, actor, task_id, expected_version)
    target = after(Verb.REASSIGN, TaskState(row.state))
    _require_holder(bench, row, actor)
    member = bench.roster.by_staff(assignee_id)
    if member is None:
        raise InputRejected(
            "this person is not in the task's team",
            [FieldProblem("assignee_id", "name an open member of the task's team")],
        )
    if member.id == row.membership_id:
        raise RuleSaysNo("this person has the task already", assignee_id=str(assignee_id))
    if row.state == TaskState.WAITING:
        changed = _take_waiting(bench, row, member, "by_hand", target, reason)
    else:
        changed = _move(bench, row, member, "reassign", target, reason)
    note(tx, actor, "task", task_id, "reassigned", reason=reason, body={"assignee_id": str(assignee_id)})
    bench.close()
    return changed


def release(
    tx: Tx, actor: Actor, task_id: int, reason: str, *, expected_version: int | None = None
) -> TaskRow:
    """Give a task back to the queue; it is dealt at once to somebody who has not had it yet."""
    actor.require(May.WORK)
    bench, row = _open_bench(tx, actor, task_id, expected_version)
    after(Verb.RELEASE, TaskState(row.state))
    _require_holder(bench, row, actor)
    _back_to_queue(bench, row, "release", reason)
    note(tx, actor, "task", task_id, "released", reason=reason)
    bench.close()
    return store.get(tx.conn, task_id)


def void(
    tx: Tx,
    actor: Actor,
    task_id: int,
    reason: str,
    outcome: Outcome = Outcome.SPAM,
    *,
    expected_version: int | None = None,
) -> TaskRow:
    """Spam or doubled: the holder gets his task back, the request is closed with that outcome."""
    actor.require(May.WORK)
    bench, row = _open_bench(tx, actor, task_id, expected_version)
    target = after(Verb.VOID, TaskState(row.state))
    _require_holder(bench, row, actor)
    if row.membership_id is not None:
        credit = give_back(bench.roster, row.membership_id, row.paid_units)
        bench.entries.add(
            bench.roster,
            "void",
            task_id=task_id,
            units=row.paid_units,
            correlation_id=tx.correlation_id,
            giver=row.membership_id,
            credit_after=credit,
            reason=reason or None,
        )
    if row.request_id is not None:
        close_request(tx, actor, row.request_id, Closing(outcome=outcome, reason=reason))
    changed = store.save(
        tx, row, state=target, done_at=tx.now, outcome=outcome, reason=reason or None, actor=actor.label
    )
    note(tx, actor, "task", task_id, "voided", reason=reason, body={"outcome": outcome})
    bench.close()
    return changed


def open_task(
    tx: Tx,
    actor: Actor,
    team_id: int,
    *,
    kind: str,
    title: str,
    request_id: int | None = None,
    subject_id: int | None = None,
) -> TaskRow:
    """A task that no delivery brought: a call taken by hand, a question of the tracking. Dealt at once."""
    bench = Bench(tx, actor, team_id)
    row = TaskRow(
        tx.new_id(), team_id, request_id, kind, TaskState.WAITING, None, None, title, None, 0, "[]", tx.now,
        None, None, None, None, None, None, None, subject_id, actor.label, tx.correlation_id, tx.now,
    )  # fmt: skip
    tx.insert({t.task: [row]})
    bench.close()
    return store.get(tx.conn, row.id)


def _accept(bench: Bench, row: TaskRow) -> TaskRow:
    changed = store.save(
        bench.tx, row, state=TaskState.ACCEPTED, accepted_at=bench.tx.now, actor=bench.actor.label
    )
    note(bench.tx, bench.actor, "task", row.id, "accepted")
    return changed


def _take_waiting(
    bench: Bench, row: TaskRow, member: Member, event: str, state: TaskState, reason: str | None = None
) -> TaskRow:
    """A person takes a waiting task, or is given it. Came it back to the queue, the house was paid for it."""
    chosen_from: EligibleSet | None = None
    if row.paid_units > 0:
        choice = take_again(bench.roster, member.id, row.paid_units)
    else:
        chosen_from = eligible_set(bench.roster)
        choice = deal_to(bench.roster, chosen_from, member.id)
    entry = bench.entries.add(
        bench.roster,
        event,
        task_id=row.id,
        units=choice.price,
        correlation_id=row.correlation_id,
        taker=member.id,
        credit_after=choice.credit_after,
        chosen_from=chosen_from,
        before=choice.before,
        reason=reason,
    )
    return bench.give(row, member, entry.seq, choice.price, state)


def _move(
    bench: Bench, row: TaskRow, member: Member, event: str, state: TaskState, reason: str | None
) -> TaskRow:
    assert row.membership_id is not None
    choice = move(bench.roster, row.membership_id, member.id, row.paid_units)
    entry = bench.entries.add(
        bench.roster,
        event,
        task_id=row.id,
        units=choice.price,
        correlation_id=row.correlation_id,
        taker=member.id,
        giver=row.membership_id,
        credit_after=choice.credit_after,
        reason=reason,
    )
    return bench.give(row, member, entry.seq, choice.price, state)


def _back_to_queue(bench: Bench, row: TaskRow, event: str, reason: str) -> None:
    assert row.membership_id is not None
    credit = give_back(bench.roster, row.membership_id, row.paid_units)
    bench.entries.add(
        bench.roster,
        event,
        task_id=row.id,
        units=row.paid_units,
        correlation_id=row.correlation_id,
        giver=row.membership_id,
        credit_after=credit,
        reason=reason or None,
    )
    store.save(
        bench.tx,
        row,
        state=TaskState.WAITING,
        membership_id=None,
        assignee_id=None,
        assigned_at=None,
        accepted_at=None,
        held_by=json.dumps(sorted({*json.loads(row.held_by), row.membership_id})),
        actor=bench.actor.label,
    )


def _membership(bench: Bench, actor: Actor) -> Member:
    """The actor's own open membership in the team."""
    if actor.staff_id is None:
        raise InputRejected(
            "say who acts", [FieldProblem("staff_id", "this token acts for nobody: name the person")]
        )
    member = bench.roster.by_staff(actor.staff_id)
    if member is None:
        raise AccessDenied("only members of the task's team can take it")
    return member


def _require_holder(bench: Bench, row: TaskRow, actor: Actor) -> None:
    """The holder may; so may who leads."""
    if actor.may(May.LEAD):
        return
    if row.state == TaskState.WAITING:
        raise TransitionRefused("the task waits in the queue: claim it first", state=row.state)
    if actor.staff_id is None or row.assignee_id != actor.staff_id:
        raise AlreadyClaimed("somebody else has this task", assignee_id=str(row.assignee_id))


def _require_intercept(bench: Bench, actor: Actor) -> None:
    if actor.may(May.LEAD):
        return
    settings = bench.tx.execute(
        select(t.team.c.settings).where(t.team.c.id == bench.roster.team_id)
    ).scalar_one()
    if not json.loads(settings).get("intercept", True):
        raise AccessDenied("in this team only the head takes over tasks of others")


# --- members -----------------------------------------------------------------------------------------


def join_team(
    tx: Tx, actor: Actor, team_id: int, staff_id: int, share: int = 1, limit: int | None = None
) -> int:
    """A person joins a team at credit 0 and is dealt what waits. Returns the membership's id."""
    actor.require(May.LEAD)
    check_share(share, limit)
    bench = Bench(tx, actor, team_id)
    if bench.roster.by_staff(staff_id) is not None:
        raise RuleSaysNo("this person is in the team already")
    works = tx.execute(select(t.staff.c.state).where(t.staff.c.id == staff_id)).scalar_one_or_none()
    if works != "active":
        raise RuleSaysNo("this person works here no more")
    membership_id = tx.new_id()
    tx.execute(
        insert(t.membership).values(
            id=membership_id,
            team_id=team_id,
            staff_id=staff_id,
            share=share,
            open_limit=limit,
            opened_at=tx.now,
        )
    )
    bench.roster.members[membership_id] = Member(membership_id, staff_id, share, limit)
    bench.entries.fact(
        bench.roster,
        membership_id,
        "member",
        {"staff": str(staff_id), "share": share, "limit": limit},
        tx.now,
    )
    bench.close()
    return membership_id


def change_member(
    tx: Tx,
    actor: Actor,
    team_id: int,
    staff_id: int,
    *,
    share: int | None,
    limit: int | None,
    unlimited: bool = False,
) -> None:
    """Change a share or a limit from now on; a raised limit is filled from the queue at once."""
    actor.require(May.LEAD)
    check_share(1 if share is None else share, limit)
    bench = Bench(tx, actor, team_id)
    member = _require_member(bench, staff_id)
    if share is not None and share != member.share:
        member.share = share
        bench.entries.fact(bench.roster, member.id, "share", share, tx.now)
    new_limit = None if unlimited else member.limit if limit is None else limit
    if new_limit != member.limit:
        member.limit = new_limit
        bench.entries.fact(bench.roster, member.id, "limit", new_limit, tx.now)
    tx.execute(
        update(t.membership)
        .where(t.membership.c.id == member.id)
        .values(share=member.share, open_limit=member.limit)
    )
    bench.close()


def leave_team(tx: Tx, actor: Actor, team_id: int, staff_id: int) -> None:
    """The membership closes and keeps its balance; everything open is handed over."""
    actor.require(May.LEAD)
    bench = Bench(tx, actor, team_id)
    member = _require_member(bench, staff_id)
    for row in store.held(tx.conn, member.id):
        if row.state == TaskState.SNOOZED:
            member.load += 1  # a snoozed task is no load; handing it over takes one off
        _back_to_queue(bench, row, "hand_over", "left the team")
    member.closed = True
    tx.execute(update(t.membership).where(t.membership.c.id == member.id).values(closed_at=tx.now))
    bench.entries.fact(bench.roster, member.id, "member", None, tx.now)
    bench.close()


def _require_member(bench: Bench, staff_id: int) -> Member:
    member = bench.roster.by_staff(staff_id)
    if member is None:
        raise NotFound("this person is not in the team")
    return member


def check_share(share: int, limit: int | None) -> None:
    """Raises InputRejected naming what is out of bounds."""
    problems: list[FieldProblem] = []
    if not 1 <= share <= 1000:
        problems.append(FieldProblem("share", "a share is a whole number from 1 to 1000"))
    if limit is not None and not 0 <= limit <= 100_000:
        problems.append(FieldProblem("limit", "a limit is a whole number from 0 to 100000"))
    if problems:
        raise InputRejected("the share or the limit is out of bounds", problems)
