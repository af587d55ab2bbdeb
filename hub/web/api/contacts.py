"""/api/v1/contacts: who asks, what is probably the same, merging and its undoing."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.engine import Connection

from hub.access.model import May
from hub.contacts import store as contacts
from hub.contacts.model import Person, identities
from hub.customers import cards, doubles, finding, merging, moves
from hub.customers.cards import CardChange
from hub.db.tables import contact, identity
from hub.db.tx import Tx
from hub.kernel import text
from hub.kernel.email import parse_email
from hub.kernel.errors import FieldProblem, InputRejected
from hub.kernel.phone import parse_phone
from hub.web.api import schemas as s
from hub.web.api import views
from hub.web.api.paging import list_of, page
from hub.web.api.registry import Call, Operation

Kind = Literal["person", "organisation"]


class ContactIn(s.In):
    """Who asks: at least a name, a telephone or an e-mail."""

    name: s.Name = ""
    phone: s.Name = ""
    email: s.Name = ""
    organisation: s.Name = ""


class ContactQuery(s.Changes):
    """Which contacts: by telephone in any spelling, by e-mail, by a part of the name."""

    q: s.Name | None = Field(None, description="part of a name or an e-mail, end of a telephone")
    phone: s.Name | None = None
    email: s.Name | None = None
    name: s.Name | None = None
    kind: Kind | None = None
    merged: Literal["no", "yes", "all"] = Field(
        "no", description="cards merged into another; by default left out, unless updated_since is given"
    )


class NewContactBody(s.ActingBody):
    """A new card: a call from an unknown number, a firm, a person of a firm."""

    kind: Kind | None = Field(None, description="by default an organisation where only its name is given")
    name: s.Name = ""
    phone: s.Name = ""
    email: s.Name = ""
    organisation: s.Name = ""
    position: s.Name = ""
    organisation_id: s.Id | None = Field(None, description="the card of the person's organisation")
    note: s.LongText = ""


class ContactBody(s.ActingBody):
    """What is changed."""

    name: s.Name | None = None
    organisation: s.Name | None = None
    note: s.LongText | None = None
    position: s.Name | None = None
    kind: Kind | None = None
    organisation_id: s.Id | None = Field(None, description="attach to an organisation; null: detach")
    phone: s.Name | None = Field(None, description="a further telephone")
    email: s.Name | None = Field(None, description="a further e-mail")


class OtherBody(s.ReasonBody):
    """The other card."""

    other_id: s.Id


def person_of(given: ContactIn, region: str, at: str = "contact.") -> Person:
    """A contact of an input; `at`: its place in the body. Raises InputRejected for what is no telephone or e-mail."""
    problems = []
    if given.phone and parse_phone(given.phone, region) is None:
        problems.append(FieldProblem(f"{at}phone", "this is no telephone number, such as +380671234567"))
    if given.email and parse_email(given.email) is None:
        problems.append(FieldProblem(f"{at}email", "this is no e-mail address"))
    if not (given.name or given.phone or given.email or given.organisation):
        problems.append(FieldProblem(at.rstrip(".") or "name", "give a name, a telephone or an e-mail"))
    if problems:
        raise InputRejected("the contact is not valid", problems)
    return Person(
        text.one_line(given.name, text.NAME),
        text.one_line(given.organisation, text.NAME),
        None,
        identities(given.phone, given.email, "", "", region),
    )


def _region(call: Call) -> str:
    return call.services.loaded.settings.hub.region


def list_contacts(conn: Connection, call: Call) -> BaseModel:
    """Newest first."""
    asked: ContactQuery = call.query
    query = select(contact.c.id)
    for kind, value in (
        ("phone", parse_phone(asked.phone, _region(call)) or "?" if asked.phone else None),
        ("email", parse_email(asked.email) or "?" if asked.email else None),
    ):
        if value is not None:
            owner = select(identity.c.contact_id).where(identity.c.kind == kind, identity.c.value == value)
            query = query.where(contact.c.id.in_(owner))
    if asked.name:
        query = query.where(finding.named(asked.name))
    if asked.q:
        query = query.where(finding.matching(asked.q))
    if asked.kind is not None:
        query = query.where(contact.c.kind == asked.kind)
    if asked.updated_since is not None:
        query = query.where(contact.c.updated_at >= asked.updated_since)
    merged = asked.merged
    if "merged" not in asked.model_fields_set and asked.updated_since is not None:
        merged = "all"
    if merged != "all":
        into = contact.c.merged_into_id
        query = query.where(into.is_(None) if merged == "no" else into.is_not(None))

    def show(rows: Any) -> list[s.ContactOut]:
        found = contacts.many(conn, [row.id for row in rows])
        return [views.contact(found[row.id]) for row in rows]

    return page(conn, query, contact, asked, s.ContactOut, show)


def detail(conn: Connection, contact_id: int) -> s.ContactDetail:
    """A contact with what was merged into it and what is probably the same."""
    record = contacts.get(conn, contact_id)
    return views.contact_detail(record, moves.merges_of(conn, record.ids), doubles.of_card(conn, contact_id))


def get_contact(conn: Connection, call: Call) -> s.ContactDetail:
    """One contact."""
    return detail(conn, call.id())


def add_contact(tx: Tx, call: Call) -> s.ContactDetail:
    """A new card."""
    body: NewContactBody = call.body
    given = ContactIn(name=body.name, phone=body.phone, email=body.email, organisation=body.organisation)
    change = CardChange(
        kind=body.kind, note=body.note, position=body.position, organisation_id=_id(body.organisation_id)
    )
    record = cards.make(tx, call.acting(required=False), person_of(given, _region(call), at=""), change)
    return detail(tx.conn, record.own.id)


def _id(given: str | None) -> int | None:
    return int(given) if given is not None else None


def change_contact(tx: Tx, call: Call) -> s.ContactOut:
    """Change a contact; an identity of somebody else stays his."""
    body: ContactBody = call.body
    given = ContactIn(name="-", phone=body.phone or "", email=body.email or "")
    change = CardChange(
        name=body.name, organisation=body.organisation, note=body.note, position=body.position, kind=body.kind,
        organisation_id=_id(body.organisation_id), further=person_of(given, _region(call), at=""),
        detached="organisation_id" in body.model_fields_set and body.organisation_id is None,
    )  # fmt: skip
    return views.contact(cards.change(tx, call.acting(required=False), call.id(), change, call.if_match))


def list_persons(conn: Connection, call: Call) -> BaseModel:
    """Newest first."""
    asked: s.Page = call.query
    record = contacts.get(conn, call.id())
    before = int(asked.cursor) if asked.cursor is not None else None
    found = cards.persons_of(conn, record, asked.limit + 1, before)
    shown = found[: asked.limit]
    more = len(found) > asked.limit
    return list_of(s.ContactOut)(
        items=[views.contact(one) for one in shown], next_cursor=str(shown[-1].own.id) if more else None
    )


def list_doubles(conn: Connection, call: Call) -> BaseModel:
    """Newest first."""
    asked: s.Page = call.query
    found, further = doubles.listed(
        conn, asked.limit, int(asked.cursor) if asked.cursor is not None else None
    )
    return list_of(s.DoubleOut)(
        items=[views.double(one) for one in found], next_cursor=str(further) if further is not None else None
    )


def merge(tx: Tx, call: Call) -> s.ContactDetail:
    """Merge the other card into this one."""
    body: OtherBody = call.body
    actor = call.acting(required=False)
    merging.merge(tx, actor, call.id(), int(body.other_id), body.reason, call.if_match)
    return detail(tx.conn, call.id())


def unmerge(tx: Tx, call: Call) -> s.ContactDetail:
    """Take this card out of the one it was merged into."""
    merging.unmerge(tx, call.acting(required=False), call.id(), call.body.reason)
    return detail(tx.conn, call.id())


def different(tx: Tx, call: Call) -> s.ContactDetail:
    """Two different people."""
    body: OtherBody = call.body
    doubles.are_different(tx, call.acting(required=False), call.id(), int(body.other_id), body.reason)
    return detail(tx.conn, call.id())


OPERATIONS = (
    Operation(
        method="GET", path="/contacts", summary="List or find contacts", tag="contacts", may=May.SEE,
        query=ContactQuery, result=list_of(s.ContactOut), reads=list_contacts,
    ),
    Operation(
        method="POST", path="/contacts", summary="Make a card: 409 names the contact that has the number already",
        tag="contacts", may=May.WORK, body=NewContactBody, result=s.ContactDetail, writes=add_contact, status=201,
        errors=(404, 409),
    ),
    Operation(
        method="GET", path="/contacts/doubles", summary="Cards that are probably one", tag="contacts",
        may=May.LEAD, query=s.Page, result=list_of(s.DoubleOut), reads=list_doubles,
    ),
    Operation(
        method="GET", path="/contacts/{id}", summary="One contact", tag="contacts", may=May.SEE,
        result=s.ContactDetail, reads=get_contact, errors=(404,),
    ),
    Operation(
        method="PATCH", path="/contacts/{id}", summary="Change a contact", tag="contacts", may=May.WORK,
        body=ContactBody, result=s.ContactOut, writes=change_contact, versioned=True, errors=(404, 409, 412),
    ),
    Operation(
        method="GET", path="/contacts/{id}/persons", summary="The persons of an organisation", tag="contacts",
        may=May.SEE, query=s.Page, result=list_of(s.ContactOut), reads=list_persons, errors=(404,),
    ),
    Operation(
        method="POST", path="/contacts/{id}/merge", summary="Merge another card into this one", tag="contacts",
        may=May.LEAD, body=OtherBody, result=s.ContactDetail, writes=merge, versioned=True, errors=(404, 409, 412),
    ),
    Operation(
        method="POST", path="/contacts/{id}/unmerge", summary="Undo the merge of this card into another",
        tag="contacts", may=May.LEAD, body=s.ReasonBody, result=s.ContactDetail, writes=unmerge, errors=(404, 409),
    ),
    Operation(
        method="POST", path="/contacts/{id}/different", summary="Say that two cards are two different people",
        tag="contacts", may=May.LEAD, body=OtherBody, result=s.ContactDetail, writes=different, errors=(404, 409),
    ),
)  # fmt: skip
