"""Read models of the pages: SQL apart from the code that changes things."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select, update
from sqlalchemy.engine import Connection

from hub.assignment.ledger import peek
from hub.contacts import store as contacts
from hub.contacts.store import ContactRecord
from hub.db.rows import JournalRow, LedgerRow, TaskRow
from hub.db.tables import (
    delivery,
    delivery_body,
    journal,
    ledger,
    membership,
    orders,
    request,
    shipment,
    staff,
    task,
)
from hub.db.tx import Tx
from hub.orders.model import OrderRow
from hub.staff import store as people
from hub.tasks.model import OPEN, TaskState

PAGE = 50
BOARD_SHOWN = 100
BOARD_OPEN = (TaskState.WAITING, TaskState.ASSIGNED, TaskState.ACCEPTED, TaskState.SNOOZED)
QUEUE_SHOWN = 50
_DEALING = ("deal", "deal_again", "hand_over", "returning", "follow_up", "pass_on")


@dataclass(frozen=True, slots=True)
class TaskItem:
    """A task as a list shows it."""

    task: TaskRow
    contact: ContactRecord | None
    account: str | None
    sent_again: int
    next_contact_at: int | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of a list; `older` is the cursor of the next one."""

    items: Sequence[Any]
    older: int | None


@dataclass(frozen=True, slots=True)
class Team:
    """A team as pages need it."""

    id: int
    title: str
    reaction_ms: int
    intercept: bool


def names(conn: Connection) -> dict[int, str]:
    """Everybody's name by id, closed people too."""
    return {row.id: row.name for row in conn.execute(select(staff.c.id, staff.c.name))}


def teams(conn: Connection) -> dict[int, Team]:
    """All teams by id."""
    return {
        t.id: Team(
            t.id,
            t.title or t.name,
            int(t.settings.get("reaction_minutes") or 30) * 60_000,
            bool(t.settings.get("intercept", True)),
        )
        for t in people.teams(conn)
    }


def team_ids(conn: Connection, staff_id: int) -> set[int]:
    """Teams in which a person is an open member."""
    query = select(membership.c.team_id).where(
        membership.c.staff_id == staff_id, membership.c.closed_at.is_(None)
    )
    return {row.team_id for row in conn.execute(query)}


def colleagues(conn: Connection, team_id: int) -> list[tuple[int, str]]:
    """Open members of a team by name."""
    query = (
        select(staff.c.id, staff.c.name)
        .join(membership, membership.c.staff_id == staff.c.id)
        .where(membership.c.team_id == team_id, membership.c.closed_at.is_(None))
        .order_by(staff.c.name)
    )
    return [(row.id, row.name) for row in conn.execute(query)]


def active_people(conn: Connection) -> list[tuple[int, str]]:
    """Everybody who works here, by name."""
    query = select(staff.c.id, staff.c.name).where(staff.c.state == "active").order_by(staff.c.name)
    return [(row.id, row.name) for row in conn.execute(query)]


# --- tasks -----------------------------------------------------------------------------------------------

_TASKS = (
    select(*task.c, request.c.contact_id, request.c.account, request.c.sent_again, request.c.next_contact_at)
    .select_from(task)
    .join(request, request.c.id == task.c.request_id, isouter=True)
)
_WIDTH = len(TaskRow._fields)


def _items(conn: Connection, query: Select[Any]) -> list[TaskItem]:
    rows = conn.execute(query).all()
    known = contacts.many(conn, [r.contact_id for r in rows if r.contact_id is not None])
    return [
        TaskItem(
            TaskRow(*row[:_WIDTH]), known.get(row.contact_id), row.account, row.sent_again or 0,
            row.next_contact_at,
        )
        for row in rows
    ]  # fmt: skip


def away(conn: Connection, staff_id: int) -> str:
    """Why a person is dealt nothing right now, "" if he is; "nowhere" for who is in no team."""
    reasons = []
    for team_id in sorted(team_ids(conn, staff_id)):
        member = peek(conn, team_id).by_staff(staff_id)
        if member is not None:
            reasons.append(member.away)
    return min(reasons) if reasons else "nowhere"


def board(
    conn: Connection, *, assignee_id: int | None, team_id: int | None, done_since: int
) -> dict[str, list[TaskItem]]:
    """Columns of the board: open tasks by state, oldest first, and what was done since a moment."""
    columns: dict[str, list[TaskItem]] = {}
    for state in (*BOARD_OPEN, TaskState.DONE):
        query = _TASKS.where(task.c.state == state).limit(BOARD_SHOWN)
        if state is TaskState.DONE:
            query = query.where(task.c.done_at >= done_since).order_by(task.c.id.desc())
        else:
            query = query.order_by(task.c.id)
        if assignee_id is not None:
            query = query.where(task.c.assignee_id == assignee_id)
        if team_id is not None:
            query = query.where(task.c.team_id == team_id)
        columns[state] = _items(conn, query)
    return columns


def tasks_of(conn: Connection, staff_id: int) -> list[TaskItem]:
    """A person's open tasks, oldest first."""
    query = _TASKS.where(task.c.assignee_id == staff_id, task.c.state.in_(OPEN)).order_by(task.c.id)
    return _items(conn, query.limit(200))


def queue(conn: Connection, within: Collection[int] | None) -> tuple[list[TaskItem], int]:
    """What waits for these teams (None: all), oldest first, and how many there are."""
    where = [task.c.state == TaskState.WAITING]
    if within is not None:
        where.append(task.c.team_id.in_(within))
    total = conn.execute(select(func.count()).select_from(task).where(*where)).scalar_one()
    return _items(conn, _TASKS.where(*where).order_by(task.c.id).limit(QUEUE_SHOWN)), total


def all_tasks(
    conn: Connection, *, state: str, assignee_id: int | None, team_id: int | None, before: int | None
) -> Listed:
    """Tasks, newest first."""
    query = _TASKS.order_by(task.c.id.desc()).limit(PAGE + 1)
    if state == "open":
        query = query.where(task.c.state.in_(OPEN))
    elif state:
        query = query.where(task.c.state == state)
    if assignee_id is not None:
        query = query.where(task.c.assignee_id == assignee_id)
    if team_id is not None:
        query = query.where(task.c.team_id == team_id)
    if before is not None:
        query = query.where(task.c.id < before)
    found = _items(conn, query)
    return Listed(found[:PAGE], found[PAGE - 1].task.id if len(found) > PAGE else None)


def tasks_of_request(conn: Connection, request_id: int) -> list[TaskRow]:
    """All tasks of a request, newest first."""
    query = select(task).where(task.c.request_id == request_id).order_by(task.c.id.desc())
    return [TaskRow(*row) for row in conn.execute(query)]


def delivery_of(conn: Connection, delivery_id: int) -> tuple[Any, Any]:
    """A raw delivery and its body, where they are still kept."""
    key = conn.execute(select(delivery).where(delivery.c.id == delivery_id)).one_or_none()
    body = conn.execute(select(delivery_body).where(delivery_body.c.delivery_id == delivery_id)).one_or_none()
    return key, body


def shipment_of(conn: Connection, shipment_id: int) -> Any:
    """Number and order of a parcel."""
    query = select(shipment.c.number, shipment.c.order_id, orders.c.number.label("order_number"))
    query = query.join(orders, orders.c.id == shipment.c.order_id, isouter=True)
    return conn.execute(query.where(shipment.c.id == shipment_id)).one_or_none()


# --- what happened ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Happened:
    """One line of a history."""

    at: int
    entity: str
    event: str
    actor: str
    reason: str
    taker_id: int | None = None
    outcome: str = ""
    assignee: str = ""


def history(conn: Connection, request_id: int | None, task_ids: Collection[int]) -> list[Happened]:
    """What happened to a request and its tasks, oldest first."""
    ids = [*task_ids, *([request_id] if request_id is not None else [])]
    rows = conn.execute(select(journal).where(journal.c.entity_id.in_(ids)).order_by(journal.c.id))
    found = [_noted(JournalRow(*row)) for row in rows]
    dealt = (
        select(*ledger.c, membership.c.staff_id)
        .join(membership, membership.c.id == ledger.c.taker_id, isouter=True)
        .where(ledger.c.task_id.in_(task_ids), ledger.c.event.in_(_DEALING))
    )
    for row in conn.execute(dealt):
        entry = LedgerRow(*row[: len(LedgerRow._fields)])
        found.append(Happened(entry.at, "ledger", entry.event, entry.actor, entry.reason or "", row.staff_id))
    return sorted(found, key=lambda one: one.at)


def _noted(row: JournalRow) -> Happened:
    body = json.loads(row.body)
    return Happened(
        row.at,
        row.entity,
        row.event,
        row.actor,
        row.reason or "",
        outcome=str(body.get("outcome", "")),
        assignee=str(body.get("assignee_id", "")),
    )


# --- orders ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OrderItem:
    """An order as the registry shows it; the statuses of its parcels to the customer."""

    order: OrderRow
    contact: ContactRecord | None
    parcels: Sequence[Any]


def order_items(conn: Connection, rows: Sequence[OrderRow]) -> list[OrderItem]:
    """Orders with their contacts and parcels."""
    known = contacts.many(conn, [row.contact_id for row in rows])
    parcels: dict[int, list[Any]] = {}
    sent = select(shipment.c.order_id, shipment.c.status, shipment.c.problem).where(
        shipment.c.order_id.in_([row.id for row in rows]), shipment.c.relation == "outbound"
    )
    for parcel in conn.execute(sent.order_by(shipment.c.id)):
        parcels.setdefault(parcel.order_id, []).append(parcel)
    return [OrderItem(row, known.get(row.contact_id), parcels.get(row.id, ())) for row in rows]


def holders(conn: Connection, task_ids: Sequence[int]) -> dict[int, int | None]:
    """Who has these tasks."""
    query = select(task.c.id, task.c.assignee_id).where(task.c.id.in_(task_ids))
    return {row.id: row.assignee_id for row in conn.execute(query)}


def order_number(conn: Connection, order_id: int) -> str | None:
    """The human number of an order."""
    return conn.execute(select(orders.c.number).where(orders.c.id == order_id)).scalar_one_or_none()


# --- people ----------------------------------------------------------------------------------------------


def choose_language(tx: Tx, staff_id: int, language: str) -> None:
    """A person's own language, from now on."""
    tx.execute(update(staff).where(staff.c.id == staff_id).values(language=language))
