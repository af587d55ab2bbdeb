"""SQL of contacts and their identities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection

from hub.contacts.model import IdentityKey, Person
from hub.db.rows import ContactRow, IdentityRow
from hub.db.tables import contact, contact_doubt, identity
from hub.db.tx import Tx
from hub.kernel.errors import NotFound, VersionConflict


@dataclass(frozen=True, slots=True)
class ContactRecord:
    """A contact with its identities, oldest first."""

    row: ContactRow
    identities: tuple[IdentityKey, ...]

    def first(self, kind: str) -> str:
        """The first identity of a kind, or ""."""
        return next((i.value for i in self.identities if i.kind == kind), "")


def get(conn: Connection, contact_id: int) -> ContactRecord:
    """One contact. Raises NotFound."""
    found = many(conn, [contact_id])
    if not found:
        raise NotFound(f"no contact {contact_id}")
    return found[contact_id]


def many(conn: Connection, contact_ids: Sequence[int]) -> dict[int, ContactRecord]:
    """Several contacts by id."""
    if not contact_ids:
        return {}
    known: dict[int, list[IdentityKey]] = {}
    query = (
        select(identity)
        .where(identity.c.contact_id.in_(contact_ids))
        .order_by(identity.c.created_at, identity.c.kind.desc(), identity.c.value)
    )
    for row in conn.execute(query):
        known.setdefault(row.contact_id, []).append(IdentityKey(row.kind, row.value))
    rows = conn.execute(select(contact).where(contact.c.id.in_(contact_ids)))
    return {row.id: ContactRecord(ContactRow._make(row), tuple(known.get(row.id, ()))) for row in rows}


def owners(conn: Connection, keys: Sequence[IdentityKey]) -> dict[IdentityKey, int]:
    """Which contacts have these identities."""
    query = select(identity.c.kind, identity.c.value, identity.c.contact_id).where(
        identity.c.value.in_([key.value for key in keys])
    )
    found = {IdentityKey(row.kind, row.value): row.contact_id for row in conn.execute(query)}
    return {key: found[key] for key in keys if key in found}


def find_or_add(tx: Tx, person: Person) -> int:
    """The contact of the strongest identity that is known, else a new one.

    Identities nobody has are added; those of somebody else stay where they are (nothing is merged).
    """
    known = owners(tx.conn, person.identities)
    contact_id = next((known[key] for key in person.identities if key in known), None)
    if contact_id is None:
        contact_id = tx.new_id()
        row = ContactRow(
            contact_id, person.kind, person.name, person.organisation, person.language, "", tx.now, tx.now
        )
        tx.insert({contact: [row]})
    new = [key for key in person.identities if key not in known]
    tx.insert({identity: sorted(IdentityRow(k.value, k.kind, contact_id, tx.now) for k in new)})
    return contact_id


def save(tx: Tx, contact_id: int, expected_version: int | None, **values: Any) -> ContactRecord:
    """Change a contact; its version rises. Raises NotFound, VersionConflict."""
    record = get(tx.conn, contact_id)
    if expected_version is not None and expected_version != record.row.version:
        raise VersionConflict(
            f"contact {contact_id} was changed by somebody else", version=record.row.version
        )
    tx.execute(
        update(contact)
        .where(contact.c.id == contact_id)
        .values(updated_at=tx.now, version=record.row.version + 1, **values)
    )
    return get(tx.conn, contact_id)


def doubts_of(conn: Connection, request_id: int) -> list[int]:
    """Other contacts that the messages of a request named, unsettled."""
    query = select(contact_doubt.c.other_contact_id).where(
        contact_doubt.c.request_id == request_id, contact_doubt.c.settled_at.is_(None)
    )
    return [row.other_contact_id for row in conn.execute(query)]


def add_identity(tx: Tx, contact_id: int, key: IdentityKey) -> None:
    """A further identity; somebody else's is a unique violation."""
    tx.execute(
        insert(identity).values(kind=key.kind, value=key.value, contact_id=contact_id, created_at=tx.now)
    )
