"""SQL of contacts and their identities.

A card that was merged into another keeps its own row; what belonged to it (identities, requests, orders) carries the
survivor's id meanwhile, and its `home_id` says where it came from (`hub.customers.merging`). What the surviving card
does not say itself (a name, an organisation, a language) is read from the cards merged into it and written nowhere:
taking them apart again has nothing to take back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, case, func, insert, or_, select, update
from sqlalchemy.engine import Connection

from hub.contacts.model import IdentityKey, Person
from hub.db.locks import cards_stay
from hub.db.lookup import any_of
from hub.db.rows import ContactRow, IdentityRow
from hub.db.tables import contact, contact_doubt, identity
from hub.db.tx import Tx
from hub.kernel.errors import NotFound, RuleSaysNo, VersionConflict

DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class ContactRecord:
    """A contact as it is shown, with its identities, oldest first.

    own     its own row, without what is read from cards merged into it
    merged  those cards, oldest first
    homes   to which card an identity goes back when a merge is undone
    """

    row: ContactRow
    identities: tuple[IdentityKey, ...]
    own: ContactRow
    merged: tuple[ContactRow, ...] = ()
    homes: Mapping[IdentityKey, int] = field(default_factory=dict)

    @property
    def ids(self) -> tuple[int, ...]:
        """The card and all that were merged into it."""
        return (self.own.id, *(one.id for one in self.merged))

    def all(self, kind: str, home: int | None = None) -> list[IdentityKey]:
        """The identities of a kind; first those that belong to this card among the merged ones."""
        found = [one for one in self.identities if one.kind == kind]
        return sorted(found, key=lambda one: self.homes.get(one) != home) if home is not None else found

    def first(self, kind: str, home: int | None = None) -> str:
        """The first identity of a kind, or ""."""
        return next((one.value for one in self.all(kind, home)), "")


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
    known: dict[int, dict[IdentityKey, int]] = {}
    query = (
        select(identity)
        .where(identity.c.contact_id.in_(contact_ids))
        .order_by(identity.c.created_at, identity.c.kind.desc(), identity.c.value)
    )
    for row in conn.execute(query):
        key = IdentityKey(row.kind, row.value)
        known.setdefault(row.contact_id, {})[key] = row.contact_id if row.home_id is None else row.home_id
    of_them = or_(contact.c.id.in_(contact_ids), contact.c.merged_into_id.in_(contact_ids))
    rows = {row.id: ContactRow._make(row) for row in conn.execute(select(contact).where(of_them))}
    merged: dict[int, list[ContactRow]] = {}
    for one in sorted(rows.values()):
        if one.merged_into_id is not None:
            merged.setdefault(one.merged_into_id, []).append(one)
    found = {}
    for contact_id in contact_ids:
        own = rows.get(contact_id)
        if own is not None:
            others, homes = tuple(merged.get(contact_id, ())), known.get(contact_id, {})
            found[contact_id] = ContactRecord(face(own, others), tuple(homes), own, others, homes)
    return found


def face(own: ContactRow, merged: Sequence[ContactRow]) -> ContactRow:
    """What a card shows: its own words; where it has none, those of the oldest card merged into it."""
    if not merged:
        return own
    told: dict[str, Any] = {}
    for name in ("name", "organisation", "language", "note", "organisation_id"):
        told[name] = next(
            (v for v in (getattr(row, name) for row in (own, *merged)) if v), getattr(own, name)
        )
    placed = [r for r in (own, *merged) if r.organisation_id == told["organisation_id"] and r.position]
    return own._replace(**told, position=placed[0].position if placed else "")


def present(tx: Tx, contact_id: int) -> int:
    """The card that stands for a contact, until the transaction ends. Raises NotFound."""
    cards_stay(tx)
    return present_of(tx.conn, contact_id)


def present_of(conn: Connection, contact_id: int) -> int:
    """The card that stands for a contact now. Raises NotFound."""
    row = conn.execute(
        select(contact.c.id, contact.c.merged_into_id).where(contact.c.id == contact_id)
    ).one_or_none()
    if row is None:
        raise NotFound(f"no contact {contact_id}")
    return int(row.id if row.merged_into_id is None else row.merged_into_id)


def belonging(conn: Connection, contact_id: int) -> list[int]:
    """Ids of a card and of the persons of the organisation that it is."""
    merged = select(contact.c.id).where(contact.c.merged_into_id == contact_id)
    its = [contact_id, *conn.execute(merged).scalars()]
    persons = select(func.coalesce(contact.c.merged_into_id, contact.c.id)).where(
        any_of(conn, contact.c.organisation_id, its)
    )
    return sorted({contact_id, *conn.execute(persons).scalars()})


def owners(conn: Connection, keys: Sequence[IdentityKey]) -> dict[IdentityKey, int]:
    """Which contacts have these identities."""
    query = select(identity.c.kind, identity.c.value, identity.c.contact_id).where(
        identity.c.value.in_([key.value for key in keys])
    )
    found = {IdentityKey(row.kind, row.value): row.contact_id for row in conn.execute(query)}
    return {key: found[key] for key in keys if key in found}


def home_of(conn: Connection, key: IdentityKey) -> int | None:
    """The card that an identity belongs to without any merge."""
    query = select(func.coalesce(identity.c.home_id, identity.c.contact_id)).where(
        identity.c.value == key.value, identity.c.kind == key.kind
    )
    return conn.execute(query).scalar_one_or_none()


def find_or_add(tx: Tx, person: Person) -> int:
    """The contact of the strongest identity that is known, else a new one.

    Identities nobody has are added; those of somebody else stay where they are (nothing is merged).
    """
    cards_stay(tx)
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
    """Change a contact; its version rises. Raises NotFound, VersionConflict; RuleSaysNo for a merged card."""
    cards_stay(tx)
    own = get(tx.conn, contact_id).own
    require_whole(own)
    met = 0
    if expected_version is None or expected_version == own.version:
        changed = update(contact).where(contact.c.id == contact_id, contact.c.version == own.version)
        met = tx.changed(changed.values(updated_at=tx.now, version=own.version + 1, **values))
    if met != 1:
        raise VersionConflict(f"contact {contact_id} was changed by somebody else", version=own.version)
    return get(tx.conn, contact_id)


def require_whole(row: ContactRow) -> None:
    """Raise RuleSaysNo for a card that was merged into another."""
    if row.merged_into_id is not None:
        raise RuleSaysNo(
            "this card was merged into another: work with that one, or undo the merge first",
            contact_id=str(row.merged_into_id),
        )


_ONE, _OTHER = contact.alias("one"), contact.alias("other")
first_card = func.coalesce(_ONE.c.merged_into_id, _ONE.c.id)
second_card = func.coalesce(_OTHER.c.merged_into_id, _OTHER.c.id)
lower_card = case((first_card < second_card, first_card), else_=second_card)
higher_card = case((first_card < second_card, second_card), else_=first_card)
DOUBTS = (
    contact_doubt.join(_ONE, _ONE.c.id == contact_doubt.c.contact_id)
    .join(_OTHER, _OTHER.c.id == contact_doubt.c.other_contact_id)
)  # fmt: skip
"""Doubts with the cards that stand for both contacts now: a merged pair is no doubt, and one again when taken apart."""


def doubts_of(conn: Connection, request_id: int) -> list[int]:
    """Other contacts that the messages of a request named, unsettled."""
    query = (
        select(lower_card.label("lower"), higher_card.label("higher"), first_card.label("card"))
        .select_from(DOUBTS)
        .where(contact_doubt.c.request_id == request_id, contact_doubt.c.settled_at.is_(None))
        .order_by(contact_doubt.c.id)
    )
    found: dict[int, None] = {}
    for row in conn.execute(query):
        if row.lower != row.higher and not decided(conn, row.lower, row.higher):
            found[row.lower if row.card == row.higher else row.higher] = None
    return list(found)


def decided(conn: Connection, one: int, other: int) -> bool:
    """Did somebody say that these two cards are two different people?"""
    pair = sorted((one, other))
    query = select(contact_doubt.c.id).select_from(DOUBTS).where(
        contact_doubt.c.decision == DIFFERENT, lower_card == pair[0], higher_card == pair[1],
        or_(_in_circle(contact_doubt.c.contact_id, one), _in_circle(contact_doubt.c.other_contact_id, one)),
    )  # fmt: skip
    return conn.execute(query.limit(1)).first() is not None


def _in_circle(column: Any, card_id: int) -> ColumnElement[bool]:
    """By index: the column names this card or one merged into it."""
    circle = select(contact.c.id).where(or_(contact.c.id == card_id, contact.c.merged_into_id == card_id))
    return or_(column == card_id, column.in_(circle))


def add_identity(tx: Tx, contact_id: int, key: IdentityKey) -> None:
    """A further identity; somebody else's is a unique violation."""
    tx.execute(
        insert(identity).values(kind=key.kind, value=key.value, contact_id=contact_id, created_at=tx.now)
    )
