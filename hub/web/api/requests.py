"""/api/v1/requests"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.engine import Connection

from hub.access.model import May
from hub.assignment import service as assignment
from hub.contacts import store as contacts
from hub.db.locks import lock_teams
from hub.db.lookup import any_of
from hub.db.rows import MessageRow, RequestRow
from hub.db.tables import message, request
from hub.db.tx import Tx
from hub.intake.byhand import ByHand, open_by_hand
from hub.kernel.errors import FieldProblem, InputRejected, RuleSaysNo
from hub.orders import store as orders
from hub.requests import replies, store
from hub.requests.conversation import said
from hub.requests.replies import Letter
from hub.requests.service import close as close_request
from hub.requests.service import put_off
from hub.staff import store as staff
from hub.tasks import store as tasks
from hub.web.api import schemas as s
from hub.web.api import views
from hub.web.api.contacts import ContactIn, person_of
from hub.web.api.paging import list_of, page
from hub.web.api.registry import Call, Operation
from hub.web.api.tasks import CompleteBody, closing_of

Channel = Literal["phone", "visit", "event", "other"]


class RequestQuery(s.Changes):
    """Which requests."""

    state: Literal["open", "closed"] | None = None
    contact_id: s.Id | None = None
    persons: bool = Field(False, description="with contact_id: also of the persons of this organisation")
    channel: s.Name | None = None
    outcome: s.Name | None = None


class RequestBody(s.ActingBody):
    """A request taken by hand: a call, a visit, an event."""

    contact: ContactIn | None = None
    contact_id: s.Id | None = None
    text: s.LongText = ""
    subject: s.Name = ""
    source: Channel = "phone"
    team: s.Name | None = Field(None, description="name of the team; by default the only one")
    priority: int = Field(0, ge=0, le=3, strict=True)
    next_contact_at: s.TimeIn | None = None
    assignee_id: s.Id | None = Field(
        None, description="who takes it, himself or named by the head; else it is dealt"
    )
    language: s.Name = ""
    skill: s.Name = ""


class NextContactBody(s.ActingBody):
    """When the customer is to be contacted next."""

    at: s.TimeIn


class MessageBody(s.ActingBody):
    """What is written to the customer."""

    text: s.LongText
    channel: s.Name = Field("", description="channel account; by default the one he wrote from")
    subject: s.Name = Field("", description="for mail; by default that of the request")


class DecideBody(s.ActingBody):
    """What became of a message that is uncertain or failed."""

    arrived: bool = Field(description="true: it has arrived; false: send it again")


def list_requests(conn: Connection, call: Call) -> BaseModel:
    """Newest first."""
    asked: RequestQuery = call.query
    query = select(request)
    if asked.state is not None:
        query = query.where(request.c.state == asked.state)
    if asked.contact_id is not None:
        contact_id = int(asked.contact_id)
        whose = contacts.belonging(conn, contact_id) if asked.persons else [contact_id]
        query = query.where(any_of(conn, request.c.contact_id, whose))
    if asked.channel is not None:
        query = query.where(request.c.account == asked.channel)
    if asked.outcome is not None:
        query = query.where(request.c.outcome == asked.outcome)
    if asked.updated_since is not None:
        query = query.where(request.c.updated_at >= asked.updated_since)
    return page(
        conn,
        query,
        request,
        asked,
        s.RequestOut,
        lambda rows: [views.request(RequestRow._make(row)) for row in rows],
    )


def get_request(conn: Connection, call: Call) -> s.RequestDetail:
    """With its conversation."""
    return detail(conn, call.id())


def detail(conn: Connection, request_id: int) -> s.RequestDetail:
    """A request with conversation, open task, orders and doubts."""
    row = store.get(conn, request_id)
    task = tasks.open_of_request(conn, request_id)
    return views.request_detail(
        row,
        said(conn, store.messages(conn, request_id)),
        task.id if task is not None else None,
        [o.id for o in orders.of_request(conn, request_id)],
        contacts.doubts_of(conn, request_id),
    )


def add_request(tx: Tx, call: Call) -> s.RequestDetail:
    """A call taken by hand, dealt like any other."""
    body: RequestBody = call.body
    actor = call.acting(required=False)
    if body.contact is None and body.contact_id is None:
        raise InputRejected("who asks?", [FieldProblem("contact", "give contact or contact_id")])
    region = call.services.loaded.settings.hub.region
    team_id = _team(tx.conn, body.team)
    lock_teams(tx, [team_id])  # before identities, as everywhere: the intake takes them in this order
    if body.contact_id is not None:
        contact_id = contacts.present(tx, int(body.contact_id))
    else:
        assert body.contact is not None
        contact_id = contacts.find_or_add(tx, person_of(body.contact, region))
    row = open_by_hand(
        tx,
        actor,
        ByHand(
            contact_id,
            team_id,
            body.text,
            body.subject,
            body.source,
            body.priority,
            body.next_contact_at,
            body.language,
            body.skill,
            int(body.assignee_id) if body.assignee_id is not None else None,
        ),
    )
    return detail(tx.conn, row.id)


def _team(conn: Connection, name: str | None) -> int:
    if name is not None:
        return staff.team_by_name(conn, name).id
    known = staff.teams(conn)
    if len(known) != 1:
        names = ", ".join(team.name for team in known)
        raise InputRejected("which team?", [FieldProblem("team", f"name one of {names}")])
    return known[0].id


def close(tx: Tx, call: Call) -> s.RequestDetail:
    """Close it with its outcome; its open task is done by it."""
    actor = call.acting(required=True)
    row = store.get(tx.conn, call.id())
    if row.state == "closed":
        raise RuleSaysNo("this request is closed already", outcome=row.outcome or "")
    task = tasks.open_of_request(tx.conn, row.id)
    if task is not None:
        assignment.complete(tx, actor, task.id, closing_of(call.body))
    else:
        close_request(tx, actor, row.id, closing_of(call.body))
    return detail(tx.conn, row.id)


def next_contact(tx: Tx, call: Call) -> s.RequestDetail:
    """Set when the customer is to be contacted next."""
    put_off(tx, call.acting(required=True), call.id(), call.body.at)
    return detail(tx.conn, call.id())


def list_messages(conn: Connection, call: Call) -> BaseModel:
    """Newest first."""
    row = store.get(conn, call.id())
    query = select(message).where(message.c.request_id == row.id)
    return page(
        conn, query, message, call.query, s.MessageOut,
        lambda rows: [views.message(one) for one in said(conn, [MessageRow._make(r) for r in rows])],
    )  # fmt: skip


def write_message(tx: Tx, call: Call) -> s.MessageOut:
    """Answer the customer through the channel he wrote from, or another that leads to him."""
    body: MessageBody = call.body
    letter = Letter(text=body.text, account=body.channel, subject=body.subject)
    row = replies.reply(tx, call.acting(required=True), call.id(), letter, call.services.writers)
    return views.message(said(tx.conn, [row])[0])


def decide_message(tx: Tx, call: Call) -> s.MessageOut:
    """Say what became of it."""
    body: DecideBody = call.body
    row = replies.decide(tx, call.acting(required=True), call.id(), arrived=body.arrived)
    return views.message(said(tx.conn, [row])[0])


OPERATIONS = (
    Operation(
        method="GET", path="/requests", summary="List requests", tag="requests", may=May.SEE, query=RequestQuery,
        result=list_of(s.RequestOut), reads=list_requests,
    ),
    Operation(
        method="POST", path="/requests", summary="A request taken by hand", tag="requests", may=May.WORK,
        body=RequestBody, result=s.RequestDetail, writes=add_request, status=201, errors=(404, 409),
    ),
    Operation(
        method="GET", path="/requests/{id}", summary="One request with its conversation", tag="requests",
        may=May.SEE, result=s.RequestDetail, reads=get_request, errors=(404,),
    ),
    Operation(
        method="POST", path="/requests/{id}/close", summary="Close a request with its outcome", tag="requests",
        may=May.WORK, body=CompleteBody, result=s.RequestDetail, writes=close, errors=(404, 409),
    ),
    Operation(
        method="POST", path="/requests/{id}/next-contact", summary="Set when the customer is contacted next",
        tag="requests", may=May.WORK, body=NextContactBody, result=s.RequestDetail, writes=next_contact,
        errors=(404, 409),
    ),
    Operation(
        method="GET", path="/requests/{id}/messages", summary="The conversation", tag="requests", may=May.SEE,
        query=s.Page, result=list_of(s.MessageOut), reads=list_messages, errors=(404,),
    ),
    Operation(
        method="POST", path="/requests/{id}/messages", summary="Answer the customer", tag="requests",
        may=May.WORK, body=MessageBody, result=s.MessageOut, writes=write_message, status=201, errors=(404, 409),
    ),
    Operation(
        method="POST", path="/messages/{id}/decide", summary="Say what became of a doubtful message",
        tag="requests", may=May.WORK, body=DecideBody, result=s.MessageOut, writes=decide_message,
        errors=(404, 409),
    ),
)  # fmt: skip
