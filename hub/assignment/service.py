"""What people do with tasks. Each verb locks the task's team first, then looks at anything.

A task's holder is a membership. What a verb does to the credits stands in `policy`; here it is written:
the entry, the task, the head row, the journal, a notice to who has it now. Whatever frees a place deals
the queue in the same transaction (`Bench.close`).
"""

from __future__ import annotations

from sqlalchemy import delete, insert

from hub.access.model import Actor, May
from hub.assignment.bench import Bench
from hub.assignment.policy import (
    EligibleSet,
    Member,
    Needs,
    deal_to,
    eligible_set,
    finish,
    give_back,
    keep_with,
    move,
    needs_text,
    resume,
    take_again,
)
from hub.assignment.policy import undo_void as charge_again
from hub.db import tables as t
from hub.db.rows import TaskRow
from hub.db.tx import Tx
from hub.kernel.clock import DAY, MINUTE, Instant
from hub.kernel.errors import (
    AccessDenied,
    AlreadyClaimed,
    FieldProblem,
    InputRejected,
    RuleSaysNo,
    TransitionRefused,
)
from hub.requests import store as requests
from hub.requests.model import UNCHARGED, Closing, Outcome
from hub.requests.service import close as close_request
from hub.requests.service import move_to_team, note, put_off
from hub.requests.service import reopen as reopen_request
from hub.tasks import store
from hub.tasks.model import HELD, OPEN, TaskState, Verb, after

MAX_SNOOZE = 366 * DAY


def _open_bench(tx: Tx, actor: Actor, task_id: int, expected_version: int | None) -> tuple[Bench, TaskRow]:
    """Lock the task's team and read the task; whoever opens it acts, and so is back if he was silent."""
    bench = Bench(tx, actor, store.get(tx.conn, task_id).team_id)
    bench.acted()
    return bench, bench.task(task_id, expected_version)


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
    if row.membership_id == me.id and state in OPEN:
        changed = row if state is TaskState.ACCEPTED else _accept(bench, row)
        bench.close()
        return changed
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
    changed = row if row.state == TaskState.ACCEPTED else _accept(bench, row)
    bench.close()
    return changed


def snooze(
    tx: Tx, actor: Actor, task_id: int, until: Instant, *, expected_version: int | None = None
) -> TaskRow:
    """Put a task off: it stays its person's, frees his place, and wakes by itself."""
    actor.require(May.WORK)
    if not tx.now + MINUTE <= until <= tx.now + MAX_SNOOZE:
        raise InputRejected(
            "a task is put off to a moment to come",
            [FieldProblem("until", "name a time between a minute and a year from now")],
        )
    bench, row = _open_bench(tx, actor, task_id, expected_version)
    target = after(Verb.SNOOZE, TaskState(row.state))
    _require_holder(bench, row, actor)
    if row.state in HELD:
        assert row.membership_id is not None
        finish(bench.roster, row.membership_id)
        bench.load_fact(row, -1)
    if row.request_id is not None:
        put_off(tx, actor, row.request_id, until)
    changed = store.save(tx, row, state=target, snoozed_until_at=until, react_by_at=None, actor=actor.label)
    note(tx, actor, "task", task_id, "snoozed", body={"until": until})
    bench.close()
    return changed


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
        bench.load_fact(row, -1)
    _remember_owner(tx, row)
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
    bench.back_to_queue(row, "release", reason, let_go=True)
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
        bench.count_again(row)
        credit = give_back(bench.roster, row.membership_id, row.paid_units)
        bench.entries.add(
            bench.roster,
            "void",
            task_id=task_id,
            needs=row.needs,
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


def undo_void(tx: Tx, actor: Actor, task_id: int, *, expected_version: int | None = None) -> TaskRow:
    """It was no spam after all: the task is its person's again, and paid for again. By the head."""
    actor.require(May.LEAD)
    bench, row = _open_bench(tx, actor, task_id, expected_version)
    after(Verb.UNDO_VOID, TaskState(row.state))
    if row.outcome not in UNCHARGED:
        raise TransitionRefused("this task was not called spam or doubled", state=row.state)
    _require_no_other(tx, row)
    if row.membership_id is not None:
        credit = charge_again(bench.roster, row.membership_id, row.paid_units)
        bench.entries.add(
            bench.roster,
            "undo_void",
            task_id=task_id,
            needs=row.needs,
            units=row.paid_units,
            correlation_id=tx.correlation_id,
            taker=row.membership_id,
            credit_after=credit,
        )
    changed = _again(bench, row)
    note(tx, actor, "task", task_id, "void_undone")
    bench.close()
    return store.get(tx.conn, changed.id)


def reopen(tx: Tx, actor: Actor, task_id: int, *, expected_version: int | None = None) -> TaskRow:
    """A finished task is open again, with its person; no credit moves."""
    actor.require(May.WORK)
    bench, row = _open_bench(tx, actor, task_id, expected_version)
    after(Verb.REOPEN, TaskState(row.state))
    if not actor.may(May.LEAD) and row.assignee_id != actor.staff_id:
        raise AccessDenied("its person or the head can reopen a task")
    _require_no_other(tx, row)
    if row.membership_id is not None:
        resume(bench.roster, row.membership_id)
        bench.load_fact(row, 1)
    changed = _again(bench, row)
    note(tx, actor, "task", task_id, "reopened")
    bench.close()
    return store.get(tx.conn, changed.id)


def to_team(
    tx: Tx, actor: Actor, task_id: int, team_id: int, reason: str, *, expected_version: int | None = None
) -> TaskRow:
    """Give a request to another team: its person is given his task back, a new one is dealt there."""
    actor.require(May.WORK)
    own = store.get(tx.conn, task_id).team_id
    if team_id == own:
        raise RuleSaysNo("the task is in this team already")
    benches = {i: Bench(tx, actor, i) for i in sorted((own, team_id))}  # one lock order: ascending
    bench = benches[own]
    bench.acted()
    row = bench.task(task_id, expected_version)
    target = after(Verb.TO_TEAM, TaskState(row.state))
    _require_holder(bench, row, actor)
    if row.membership_id is not None:
        row = bench.back_to_queue(row, "other_team", reason, let_go=False)
    store.save(tx, row, state=target, done_at=tx.now, outcome="other_team", reason=reason, actor=actor.label)
    if row.request_id is not None:
        move_to_team(tx, actor, row.request_id, team_id, reason)
    moved = _new_task(
        tx, actor, team_id, row.kind, row.title, row.request_id, row.subject_id, Needs.of(row.needs)
    )
    note(tx, actor, "task", task_id, "to_team", reason=reason, body={"task": str(moved.id)})
    for one in benches.values():
        one.close()
    return store.get(tx.conn, moved.id)


def open_task(
    tx: Tx,
    actor: Actor,
    team_id: int,
    *,
    kind: str,
    title: str,
    request_id: int | None = None,
    subject_id: int | None = None,
    needs: Needs = Needs(),  # noqa: B008 - a NamedTuple cannot be changed
    to_staff_id: int | None = None,
) -> TaskRow:
    """A task that no delivery brought: a call taken by hand, a question of the tracking.

    Dealt at once; or given to a person (`to_staff_id`), which is charged like a first assignment by hand.
    """
    bench = Bench(tx, actor, team_id)
    row = _new_task(tx, actor, team_id, kind, title, request_id, subject_id, needs)
    if to_staff_id is not None:
        member = bench.roster.by_staff(to_staff_id)
        if member is None:
            raise InputRejected(
                "this person is not in the team", [FieldProblem("assignee_id", "name an open member")]
            )
        own = to_staff_id == actor.staff_id
        _take_waiting(bench, row, member, "by_hand", TaskState.ACCEPTED if own else TaskState.ASSIGNED)
    bench.close()
    return store.get(tx.conn, row.id)


def wake(bench: Bench, row: TaskRow) -> TaskRow:
    """A snoozed task's time has come, or its customer wrote: its person is asked again."""
    bench.count_again(row)
    changed = store.save(
        bench.tx,
        row,
        state=TaskState.ASSIGNED,
        snoozed_until_at=None,
        assigned_at=bench.tx.now,
        react_by_at=bench.react_by(row),
        actor=bench.actor.label,
    )
    note(bench.tx, bench.actor, "task", row.id, "woken")
    member = bench.roster.members[_holder(changed)]
    if member.closed or member.off == "absent":
        return bench.back_to_queue(changed, "hand_over", member.off or "left the team", let_go=False)
    return changed


def follow_up(bench: Bench, row: TaskRow, member: Member) -> TaskRow:
    """A new task about what somebody has just finished stays with him: no grants, no charge."""
    keep_with(bench.roster, member.id)
    entry = bench.entries.add(
        bench.roster,
        "follow_up",
        task_id=row.id,
        needs=row.needs,
        units=0,
        correlation_id=row.correlation_id,
        taker=member.id,
        credit_after=member.credit,
    )
    return bench.give(row, member, entry.seq, 0, TaskState.ASSIGNED)


def _new_task(
    tx: Tx,
    actor: Actor,
    team_id: int,
    kind: str,
    title: str,
    request_id: int | None,
    subject_id: int | None,
    needs: Needs,
) -> TaskRow:
    row = TaskRow(
        tx.new_id(), team_id, request_id, kind, TaskState.WAITING, None, None, title, None, 0, "[]", tx.now,
        None, None, None, None, None, None, None, subject_id, actor.label, tx.correlation_id, tx.now,
        needs=needs_text(needs),
    )  # fmt: skip
    tx.insert({t.task: [row]})
    return row


def _again(bench: Bench, row: TaskRow) -> TaskRow:
    """Done or void, and open again: with its person, in the queue where it has none or he has left."""
    tx = bench.tx
    if row.request_id is not None:
        reopen_request(tx, bench.actor, row.request_id)
    changed = store.save(
        tx,
        row,
        state=TaskState.WAITING if row.membership_id is None else TaskState.ASSIGNED,
        done_at=None,
        outcome=None,
        reason=None,
        assigned_at=None if row.membership_id is None else tx.now,
        accepted_at=None,
        react_by_at=None if row.membership_id is None else bench.react_by(row),
        actor=bench.actor.label,
    )
    if row.membership_id is not None and bench.roster.members[row.membership_id].closed:
        return bench.back_to_queue(changed, "hand_over", "left the team", let_go=False)
    return changed


def _require_no_other(tx: Tx, row: TaskRow) -> None:
    other = store.open_of_request(tx.conn, row.request_id) if row.request_id is not None else None
    if other is not None:
        raise RuleSaysNo("the request has another open task", task_id=str(other.id))


def _remember_owner(tx: Tx, row: TaskRow) -> None:
    """Whose customer it is: asked when the contact writes again. The team's lock keeps it single."""
    if row.request_id is None or row.membership_id is None:
        return
    owner = t.contact_owner
    asked = requests.get(tx.conn, row.request_id)
    contact_id = requests.home_of(asked)
    tx.execute(delete(owner).where(owner.c.contact_id == contact_id, owner.c.team_id == row.team_id))
    tx.execute(
        insert(owner).values(
            contact_id=contact_id,
            team_id=row.team_id,
            membership_id=row.membership_id,
            request_id=row.request_id,
            closed_at=tx.now,
            card_id=asked.contact_id,
        )
    )


def _holder(row: TaskRow) -> int:
    assert row.membership_id is not None
    return row.membership_id


def _accept(bench: Bench, row: TaskRow) -> TaskRow:
    bench.count_again(row)
    changed = store.save(
        bench.tx,
        row,
        state=TaskState.ACCEPTED,
        accepted_at=bench.tx.now,
        snoozed_until_at=None,
        react_by_at=None,
        actor=bench.actor.label,
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
        chosen_from = eligible_set(bench.roster, needs=Needs.of(row.needs))
        choice = deal_to(bench.roster, chosen_from, member.id)
    entry = bench.entries.add(
        bench.roster,
        event,
        task_id=row.id,
        needs=row.needs,
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
    bench.count_again(row)
    choice = move(bench.roster, row.membership_id, member.id, row.paid_units)
    entry = bench.entries.add(
        bench.roster,
        event,
        task_id=row.id,
        needs=row.needs,
        units=choice.price,
        correlation_id=row.correlation_id,
        taker=member.id,
        giver=row.membership_id,
        credit_after=choice.credit_after,
        reason=reason,
    )
    return bench.give(row, member, entry.seq, choice.price, state)


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
    if not bench.roster.rules.intercept:
        raise AccessDenied("in this team only the head takes over tasks of others")
