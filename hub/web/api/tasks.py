"""/api/v1/tasks"""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.engine import Connection

from hub.access.model import May
from hub.assignment import service
from hub.assignment.policy import UNIT
from hub.db.rows import LedgerRow, TaskRow
from hub.db.tables import eligible_set, ledger, membership, staff, task
from hub.db.tx import Tx
from hub.kernel.clock import rfc3339
from hub.requests.model import Closing, Outcome
from hub.staff import store as staff_store
from hub.tasks import store
from hub.web.api import schemas as s
from hub.web.api import views
from hub.web.api.paging import list_of, page
from hub.web.api.registry import Call, Operation


class TaskQuery(s.Changes):
    """Which tasks."""

    state: Literal["waiting", "assigned", "accepted", "snoozed", "done", "cancelled"] | None = None
    assignee_id: s.Id | None = None
    team_id: s.Id | None = None
    request_id: s.Id | None = None


class ClaimBody(s.ActingBody):
    """Take a task."""

    intercept: bool = Field(False, strict=True, description="take it even though its person has accepted it")


class AskedIn(s.In):
    """What was asked for."""

    product: s.Name = ""
    quantity: s.Quantity | None = None
    value: s.MoneyValue | None = None


class CompleteBody(s.ReasonBody):
    """How it ended. Where nothing was sold (dead, unreachable): `reason` and `asked.product` too."""

    outcome: Outcome
    asked: AskedIn = AskedIn()


class ReassignBody(s.ReasonBody):
    """Who gets it."""

    assignee_id: s.Id


class SnoozeBody(s.ActingBody):
    """Until when."""

    until: s.TimeIn


class ToTeamBody(s.ReasonBody):
    """Which team gets it."""

    team: s.Name


class VoidBody(s.ReasonBody):
    """Spam or doubled."""

    outcome: Literal[Outcome.SPAM, Outcome.DUPLICATE] = Outcome.SPAM


def closing_of(body: CompleteBody) -> Closing:
    """The values of a closing."""
    value = body.asked.value
    return Closing(
        outcome=body.outcome,
        reason=body.reason,
        product=body.asked.product,
        quantity_milli=body.asked.quantity,
        value_minor=value.amount_minor if value is not None else None,
        currency=value.currency if value is not None else "UAH",
    )


def list_tasks(conn: Connection, call: Call) -> BaseModel:
    """Newest first."""
    asked: TaskQuery = call.query
    query = select(task)
    for column, value in (
        (task.c.assignee_id, asked.assignee_id),
        (task.c.team_id, asked.team_id),
        (task.c.request_id, asked.request_id),
    ):
        if value is not None:
            query = query.where(column == int(value))
    if asked.state is not None:
        query = query.where(task.c.state == asked.state)
    if asked.updated_since is not None:
        query = query.where(task.c.updated_at >= asked.updated_since)
    return page(
        conn, query, task, asked, s.TaskOut, lambda rows: [views.task(TaskRow._make(row)) for row in rows]
    )


def get_task(conn: Connection, call: Call) -> s.TaskOut:
    """One task."""
    return views.task(store.get(conn, call.id()))


def claim(tx: Tx, call: Call) -> s.TaskOut:
    """Take it."""
    actor = call.acting(required=True)
    row = service.claim(tx, actor, call.id(), intercept=call.body.intercept, expected_version=call.if_match)
    return views.task(row)


def accept(tx: Tx, call: Call) -> s.TaskOut:
    """Its person works on it."""
    return views.task(
        service.accept(tx, call.acting(required=True), call.id(), expected_version=call.if_match)
    )


def complete(tx: Tx, call: Call) -> s.TaskOut:
    """It is done."""
    actor = call.acting(required=True)
    return views.task(
        service.complete(tx, actor, call.id(), closing_of(call.body), expected_version=call.if_match)
    )


def reassign(tx: Tx, call: Call) -> s.TaskOut:
    """To a colleague."""
    actor, body = call.acting(required=True), call.body
    row = service.reassign(
        tx, actor, call.id(), int(body.assignee_id), body.reason, expected_version=call.if_match
    )
    return views.task(row)


def release(tx: Tx, call: Call) -> s.TaskOut:
    """Back to the queue."""
    actor = call.acting(required=True)
    return views.task(service.release(tx, actor, call.id(), call.body.reason, expected_version=call.if_match))


def void(tx: Tx, call: Call) -> s.TaskOut:
    """Spam or doubled."""
    actor, body = call.acting(required=True), call.body
    row = service.void(tx, actor, call.id(), body.reason, body.outcome, expected_version=call.if_match)
    return views.task(row)


def snooze(tx: Tx, call: Call) -> s.TaskOut:
    """Put it off."""
    actor, body = call.acting(required=True), call.body
    return views.task(service.snooze(tx, actor, call.id(), body.until, expected_version=call.if_match))


def reopen(tx: Tx, call: Call) -> s.TaskOut:
    """It was not done after all."""
    return views.task(
        service.reopen(tx, call.acting(required=True), call.id(), expected_version=call.if_match)
    )


def undo_void(tx: Tx, call: Call) -> s.TaskOut:
    """It was no spam after all."""
    return views.task(
        service.undo_void(tx, call.acting(required=True), call.id(), expected_version=call.if_match)
    )


def to_team(tx: Tx, call: Call) -> s.TaskOut:
    """To another team; the answer is the task there."""
    actor, body = call.acting(required=True), call.body
    team_id = staff_store.team_by_name(tx.conn, body.team).id
    row = service.to_team(tx, actor, call.id(), team_id, body.reason, expected_version=call.if_match)
    return views.task(row)


# --- why -------------------------------------------------------------------------------------------------


def why(conn: Connection, call: Call) -> s.WhyOut:
    """Why the task is where it is: each ledger entry about it, with who was in, who was out and why."""
    row = store.get(conn, call.id())
    return explain(conn, row)


def explain(conn: Connection, row: TaskRow) -> s.WhyOut:
    """As `why`, for a task that is at hand."""
    query = select(ledger).where(ledger.c.task_id == row.id).order_by(ledger.c.seq)
    entries = [LedgerRow._make(found) for found in conn.execute(query)]
    sets = {e.set_id for e in entries if e.set_id is not None}
    bodies = {
        found.id: json.loads(found.body)
        for found in conn.execute(select(eligible_set).where(eligible_set.c.id.in_(sets)))
    }
    people = _people(conn, row.team_id)
    shown = [_entry(entry, bodies.get(entry.set_id or 0), people) for entry in entries]
    return s.WhyOut(task_id=str(row.id), explanation=_sentence(row, shown), entries=shown)


def _people(conn: Connection, team_id: int) -> dict[str, tuple[str, str]]:
    query = (
        select(membership.c.id, staff.c.id.label("staff_id"), staff.c.name)
        .join(staff, staff.c.id == membership.c.staff_id)
        .where(membership.c.team_id == team_id)
    )
    return {str(row.id): (str(row.staff_id), row.name) for row in conn.execute(query)}


def _entry(
    row: LedgerRow, body: dict[str, list[list[str]]] | None, people: dict[str, tuple[str, str]]
) -> s.EntryOut:
    nobody = ("", "?")
    before = [int(c) for c in row.credits.split(",")] if row.credits else []
    eligible, excluded = [], []
    if body is not None:
        for at, (member, share) in enumerate(body["eligible"]):
            staff_id, name = people.get(member, nobody)
            eligible.append(
                s.EligibleOut(
                    membership_id=member,
                    staff_id=staff_id,
                    name=name,
                    share=int(share),
                    credit_thousandths=before[at] if at < len(before) else 0,
                    taker=member == str(row.taker_id),
                )
            )
        for member, reason in body["excluded"]:
            staff_id, name = people.get(member, nobody)
            excluded.append(s.ExcludedOut(membership_id=member, staff_id=staff_id, name=name, reason=reason))
    return s.EntryOut(
        seq=row.seq,
        event=row.event,
        at=rfc3339(row.at),
        actor=row.actor,
        reason=row.reason,
        rule_version=int(str(body["rule"])) if body is not None else None,
        taker_id=people.get(str(row.taker_id), (None, ""))[0],
        giver_id=people.get(str(row.giver_id), (None, ""))[0],
        tasks=round(row.units / UNIT, 6),
        eligible=eligible,
        excluded=excluded,
        hash=row.hash,
    )


def _sentence(row: TaskRow, entries: list[s.EntryOut]) -> str:
    if not entries:
        return "nobody could be dealt this task yet: it waits in the queue"
    last = entries[-1]
    taker = next((e.name for e in last.eligible if e.taker), None)
    if last.event in _BY_CREDIT and taker is not None:
        return f"{taker} had the most credit of the {len(last.eligible)} who could take it"
    return _WORDS.get(last.event, "it came back to the queue")


_BY_CREDIT = frozenset({"deal", "deal_again", "pass_on"})
_WORDS = {
    "returning": "the customer has come back to the person who knows him",
    "follow_up": "the customer wrote again soon: it stays with the same person",
    "undo_void": "it was no spam after all: its person has it again",
    "claim": "somebody took it himself",
    "intercept": "somebody took it himself",
    "by_hand": "somebody gave it to a colleague",
    "reassign": "somebody gave it to a colleague",
    "void": "it was spam or doubled: its holder got it back",
    "other_team": "it was given to another team",
}


_TASK: dict[str, Any] = {
    "may": May.WORK,
    "tag": "tasks",
    "result": s.TaskOut,
    "versioned": True,
    "errors": (404, 409, 412),
}
OPERATIONS = (
    Operation(
        method="GET", path="/tasks", summary="List tasks", tag="tasks", may=May.SEE, query=TaskQuery,
        result=list_of(s.TaskOut), reads=list_tasks,
    ),
    Operation(
        method="GET", path="/tasks/{id}", summary="One task", tag="tasks", may=May.SEE, result=s.TaskOut,
        reads=get_task, errors=(404,),
    ),
    Operation(
        method="GET", path="/tasks/{id}/why", summary="Why the task is where it is", tag="tasks", may=May.SEE,
        result=s.WhyOut, reads=why, errors=(404,),
    ),
    Operation(method="POST", path="/tasks/{id}/claim", summary="Take a task", body=ClaimBody, writes=claim, **_TASK),
    Operation(
        method="POST", path="/tasks/{id}/accept", summary="Work on it", body=s.ActingBody, writes=accept, **_TASK
    ),
    Operation(
        method="POST", path="/tasks/{id}/complete", summary="Finish a task and close its request",
        body=CompleteBody, writes=complete, **_TASK,
    ),
    Operation(
        method="POST", path="/tasks/{id}/reassign", summary="Hand a task to a colleague", body=ReassignBody,
        writes=reassign, **_TASK,
    ),
    Operation(
        method="POST", path="/tasks/{id}/release", summary="Give a task back to the queue", body=s.ReasonBody,
        writes=release, **_TASK,
    ),
    Operation(
        method="POST", path="/tasks/{id}/snooze", summary="Put a task off", body=SnoozeBody, writes=snooze, **_TASK
    ),
    Operation(
        method="POST", path="/tasks/{id}/reopen", summary="Open a finished task again", body=s.ActingBody,
        writes=reopen, **_TASK,
    ),
    Operation(
        method="POST", path="/tasks/{id}/undo-void", summary="It was no spam: give it back to its person",
        body=s.ActingBody, writes=undo_void, **{**_TASK, "may": May.LEAD},
    ),
    Operation(
        method="POST", path="/tasks/{id}/to-team", summary="Give a request to another team", body=ToTeamBody,
        writes=to_team, **_TASK,
    ),
    Operation(
        method="POST", path="/tasks/{id}/void", summary="Spam or doubled", body=VoidBody, writes=void, **_TASK
    ),
)  # fmt: skip
