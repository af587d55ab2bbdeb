"""Making and changing cards; persons of an organisation.

A telephone or an e-mail belongs to one card: who gives one that another card has is told which, nothing is taken away.
A person is attached to an organisation that has a card of its own; his requests and orders are then shown there too. A
card into which a person of another organisation was merged is shown on both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from hub.access.model import Actor, May
from hub.contacts import store as contacts
from hub.contacts.model import Person
from hub.contacts.store import ContactRecord
from hub.db.locks import cards_stay
from hub.db.rows import ContactRow
from hub.db.tables import contact
from hub.db.tx import Tx
from hub.kernel import text
from hub.kernel.errors import FieldProblem, InputRejected, RuleSaysNo
from hub.orders.service import index_contact
from hub.requests.service import note

PERSON, ORGANISATION = "person", "organisation"


@dataclass(frozen=True, slots=True, kw_only=True)
class CardChange:
    """What is changed; None leaves a thing as it is. `detached`: the person belongs to no organisation any more."""

    name: str | None = None
    organisation: str | None = None
    note: str | None = None
    position: str | None = None
    kind: str | None = None
    organisation_id: int | None = None
    detached: bool = False
    further: Person = field(default_factory=lambda: Person("", "", None, ()))  # telephones, e-mails


def make(tx: Tx, actor: Actor, person: Person, given: CardChange) -> ContactRecord:
    """A new card. Raises RuleSaysNo, with its id, where a card has that telephone or e-mail already."""
    actor.require(May.WORK)
    cards_stay(tx)
    _require_free(tx, person, None)
    kind = given.kind or person.kind
    organisation_id = _organisation(tx, given.organisation_id, kind)
    contact_id = tx.new_id()
    row = ContactRow(
        contact_id, kind, person.name, person.organisation, person.language, text.clean(given.note or "", text.BODY),
        tx.now, tx.now, organisation_id=organisation_id, position=text.one_line(given.position or "", text.NAME),
    )  # fmt: skip
    tx.insert({contact: [row]})
    for key in person.identities:
        contacts.add_identity(tx, contact_id, key)
    note(tx, actor, "contact", contact_id, "made")
    return contacts.get(tx.conn, contact_id)


def change(
    tx: Tx, actor: Actor, contact_id: int, given: CardChange, expected_version: int | None = None
) -> ContactRecord:
    """Change a card. Raises NotFound, InputRejected, RuleSaysNo, VersionConflict."""
    actor.require(May.WORK)
    cards_stay(tx)
    record = contacts.get(tx.conn, contact_id)
    contacts.require_whole(record.own)
    if record.own.erased_at is not None:
        raise RuleSaysNo("this card was erased: whoever writes again gets a new one")
    _require_free(tx, given.further, contact_id)
    values = _values(tx, record, given)
    if values or expected_version is not None or given.further.identities:
        contacts.save(tx, contact_id, expected_version, **values)
    for key in given.further.identities:
        if key not in record.identities:
            contacts.add_identity(tx, contact_id, key)
    if values.keys() & {"kind", "organisation_id"}:
        told = {"organisation_id": str(values.get("organisation_id") or "")}
        event = (
            "changed"
            if "organisation_id" not in values
            else "attached"
            if values["organisation_id"]
            else "detached"
        )
        note(tx, actor, "contact", contact_id, event, body={k: v for k, v in told.items() if v})
    index_contact(tx, contact_id)
    return contacts.get(tx.conn, contact_id)


def _values(tx: Tx, record: ContactRecord, given: CardChange) -> dict[str, Any]:
    """Only what differs from what the card shows: words read from a merged card are not copied by a form."""
    kind = given.kind or record.row.kind
    told: dict[str, Any] = {
        "name": given.name, "organisation": given.organisation, "note": given.note, "position": given.position,
        "kind": given.kind,
    }  # fmt: skip
    if given.detached or (given.kind == ORGANISATION and record.row.organisation_id is not None):
        told |= {"organisation_id": 0, "position": ""}
    elif given.organisation_id is not None:
        told["organisation_id"] = _organisation(tx, given.organisation_id, kind, record)
    values = {k: v for k, v in told.items() if v is not None and v != (getattr(record.row, k) or type(v)())}
    if kind != record.row.kind:
        _require_convertible(tx, record)
    if values.get("organisation_id") == 0:
        values["organisation_id"] = None
    return values


def _organisation(
    tx: Tx, organisation_id: int | None, kind: str, record: ContactRecord | None = None
) -> int | None:
    """The card of an organisation that a person may be attached to."""
    if organisation_id is None:
        return None
    found = contacts.get(tx.conn, contacts.present_of(tx.conn, organisation_id))
    if kind != PERSON or (record is not None and found.own.id == record.own.id):
        raise RuleSaysNo("only a person can be attached to an organisation")
    if found.own.kind != ORGANISATION or found.own.erased_at is not None:
        problem = FieldProblem("organisation_id", "this is no card of an organisation")
        raise InputRejected("the contact is not valid", [problem])
    return found.own.id


def _require_convertible(tx: Tx, record: ContactRecord) -> None:
    if record.merged:
        raise RuleSaysNo("cards were merged into this one: undo that first, then change what it is")
    if tx.execute(select(contact.c.id).where(contact.c.organisation_id == record.own.id).limit(1)).first():
        raise RuleSaysNo("persons are attached to this organisation: detach them first")


def _require_free(tx: Tx, person: Person, contact_id: int | None) -> None:
    for key, owner in contacts.owners(tx.conn, person.identities).items():
        if owner != contact_id:
            raise RuleSaysNo(f"another contact has this {key.kind}", contact_id=str(owner))


# --- reading ---------------------------------------------------------------------------------------------


def organisation_of(conn: Connection, record: ContactRecord) -> ContactRecord | None:
    """The organisation of a person, as its card stands now."""
    if record.row.organisation_id is None:
        return None
    return contacts.get(conn, contacts.present_of(conn, record.row.organisation_id))


def persons_of(
    conn: Connection, record: ContactRecord, limit: int, before: int | None = None
) -> list[ContactRecord]:
    """The persons of an organisation, newest first."""
    person_id = func.coalesce(contact.c.merged_into_id, contact.c.id)
    query = (
        select(person_id.label("id"))
        .where(contact.c.organisation_id.in_(record.ids))
        .distinct()
        .order_by(person_id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(person_id < before)
    ids = list(conn.execute(query).scalars())
    known = contacts.many(conn, ids)
    return [known[one] for one in ids]


def organisations(conn: Connection, limit: int = 300) -> Sequence[tuple[int, str]]:
    """Organisations to choose from, by name."""
    query = (
        select(contact.c.id, contact.c.organisation, contact.c.name)
        .where(
            contact.c.kind == ORGANISATION, contact.c.merged_into_id.is_(None), contact.c.erased_at.is_(None)
        )
        .order_by(contact.c.id.desc())
        .limit(limit)
    )
    found = [(row.id, row.organisation or row.name or f"#{row.id}") for row in conn.execute(query)]
    return sorted(found, key=lambda one: one[1].casefold())
