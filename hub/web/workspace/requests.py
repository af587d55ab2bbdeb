"""The page of a request, and the page of a task that has none; both show the task's forms."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from sqlalchemy.engine import Connection

from hub.access.model import Actor
from hub.contacts import store as contacts
from hub.contacts.store import ContactRecord
from hub.db.rows import RequestRow, TaskRow
from hub.kernel.text import clean
from hub.orders import store as orders
from hub.orders.model import OrderRow
from hub.orders.offered import offered
from hub.orders.stages import Route
from hub.requests import conversation, replies, store
from hub.requests.model import UNCHARGED
from hub.requests.replies import Way, Writer
from hub.tasks import store as tasks
from hub.tasks.model import MOVES, TaskState, Verb
from hub.web.workspace import labels, queries
from hub.web.workspace.queries import Happened, Team
from hub.web.workspace.visit import Visit

BODY_SHOWN = 20_000


@dataclass(frozen=True, slots=True)
class TaskDesk:
    """A task and what the reader may do with it."""

    task: TaskRow
    team: Team
    mine: bool
    verbs: frozenset[str]
    colleagues: Sequence[tuple[int, str]]
    other_teams: Sequence[tuple[int, str]]
    late: bool


@dataclass(frozen=True, slots=True)
class RequestView:
    """Everything on the page of a request."""

    request: RequestRow
    contact: ContactRecord
    source: dict[str, str]
    doubts: Sequence[ContactRecord]
    desk: TaskDesk | None
    closed_desk: TaskDesk | None
    last_task: TaskRow | None
    orders: Sequence[tuple[OrderRow, Route]]
    history: Sequence[Happened]
    people: dict[int, str]


def desk_of(conn: Connection, task: TaskRow, actor: Actor, now: int, *, leads: bool) -> TaskDesk:
    """What the reader may do: as the use cases will decide, so that no button is refused."""
    teams = queries.teams(conn)
    team = teams[task.team_id]
    member = actor.staff_id is not None and task.team_id in queries.team_ids(conn, actor.staff_id)
    mine = task.assignee_id is not None and task.assignee_id == actor.staff_id
    state = TaskState(task.state)
    possible = {verb for verb in Verb if state in MOVES[verb]}
    if not (mine or leads):
        possible &= {Verb.CLAIM}
    if mine or not member or (task.assignee_id is not None and not (leads or team.intercept)):
        possible -= {Verb.CLAIM}
    if state is TaskState.ACCEPTED or (not mine and not leads) or task.assignee_id is None:
        possible -= {Verb.ACCEPT}
    if not mine:
        possible -= {Verb.ACCEPT}
    if not leads or task.outcome not in UNCHARGED:
        possible -= {Verb.UNDO_VOID}
    limit = task.reaction_ms if task.reaction_ms is not None else team.reaction_ms
    waited = state is TaskState.ASSIGNED and now - (task.assigned_at or task.created_at) > limit
    late = waited or (state is TaskState.WAITING and now - task.created_at > limit)
    others = [c for c in queries.colleagues(conn, task.team_id) if c[0] != task.assignee_id]
    elsewhere = [(one.id, one.title) for one in teams.values() if one.id != task.team_id]
    return TaskDesk(task, team, mine, frozenset(str(v) for v in possible), others, elsewhere, late)


def view_of(conn: Connection, request_id: int, visit: Visit) -> RequestView:
    """Read the page of a request. Raises NotFound."""
    row = store.get(conn, request_id)
    found = queries.tasks_of_request(conn, row.id)
    task = tasks.open_of_request(conn, row.id)
    others = contacts.doubts_of(conn, row.id)
    known = contacts.many(conn, [row.contact_id, *others])
    last = found[0] if found else None
    shown = task or last
    desk = (
        desk_of(conn, shown, visit.actor, visit.words.now, leads=visit.leads) if shown is not None else None
    )
    made = [(o, orders.load_route(conn, o.route, o.route_version)) for o in orders.of_request(conn, row.id)]
    return RequestView(
        row,
        known[row.contact_id],
        json.loads(row.source),
        [known[i] for i in dict.fromkeys(others) if i in known],
        desk if task is not None else None,
        desk if task is None else None,
        last,
        made,
        queries.history(conn, row.id, [t.id for t in found]),
        queries.names(conn),
    )


def talk_of(
    conn: Connection, request_id: int, writers: Mapping[str, Writer], staff_id: int | None
) -> dict[str, Any]:
    """What the conversation's part of a page needs."""
    row = store.get(conn, request_id)
    found = conversation.said(conn, store.messages(conn, request_id))
    possible: list[Way] = replies.ways(conn, contacts.get(conn, row.contact_id), writers, store.home_of(row))
    return {
        "talk": conversation.albums(found), "ways": possible, "pictures": conversation.PICTURES,
        "offered": offered(conn, request_id, staff_id),
    }  # fmt: skip


async def request_page(visit: Visit) -> web.Response:
    """GET /requests/<id>"""
    return await show_request(visit, visit.id())


async def show_request(visit: Visit, request_id: int, status: int = 200) -> web.Response:
    """The page of a request, after a refused form too."""
    view = await visit.read(lambda conn: view_of(conn, request_id, visit))
    currency = visit.services.loaded.settings.hub.currency
    writers = visit.services.writers
    talk = await visit.read(lambda conn: talk_of(conn, request_id, writers, visit.staff_id))
    chosen = visit.query("template")
    text = next((one.text for one in talk["offered"] if f"{one.name}:{one.language}" == chosen), "")
    return visit.render(
        "request.html", status, v=view, desk=view.desk, closed_desk=view.closed_desk, people=view.people,
        currency=currency, priorities={key: visit.words.t(title) for key, title in labels.PRIORITY.items()}, **talk,
        chosen=chosen, chosen_text=text,
    )  # fmt: skip


async def task_page(visit: Visit) -> web.Response:
    """GET /tasks/<id>: the page of its request, or its own where it has none."""
    task = await visit.read(lambda conn: tasks.get(conn, visit.id()))
    if task.request_id is not None:
        return visit.redirect(f"/requests/{task.request_id}")
    return await show_task(visit, task.id)


async def show_task(visit: Visit, task_id: int, status: int = 200) -> web.Response:
    """The page of a task without a request: a delivery to read by hand, a question about a parcel."""

    def find(conn: Connection) -> dict[str, Any]:
        task = tasks.get(conn, task_id)
        found: dict[str, Any] = {"task": task, "delivery": None, "body": None, "parcel": None}
        found |= {"order_number": None, "approval": None}
        if task.subject_id is not None and task.kind == "read_by_hand":
            found["delivery"], body = queries.delivery_of(conn, task.subject_id)
            found["body"] = _readable(body)
        elif task.subject_id is not None and task.kind in {"approval", "order"}:
            found["order_number"] = queries.order_number(conn, task.subject_id)
            found["approval"] = orders.approval_of_task(conn, task.id)
        elif task.subject_id is not None:
            found["parcel"] = queries.shipment_of(conn, task.subject_id)
        found["desk"] = desk_of(conn, task, visit.actor, visit.words.now, leads=visit.leads)
        found["history"] = queries.history(conn, None, [task.id])
        found["people"] = queries.names(conn)
        return found

    currency = visit.services.loaded.settings.hub.currency
    return visit.render("task.html", status, currency=currency, **await visit.read(find))


def _readable(body: Any) -> str | None:
    """Raw bytes as far as a person can read them; None where they are not in the database any more."""
    if body is None or body.body is None:
        return None
    return clean(bytes(body.body)[: 4 * BODY_SHOWN].decode("utf-8", "replace"), BODY_SHOWN)


async def show_task_or_request(visit: Visit, task: TaskRow, status: int) -> web.Response:
    """Where a task's forms stand."""
    if task.request_id is not None:
        return await show_request(visit, task.request_id, status)
    return await show_task(visit, task.id, status)
