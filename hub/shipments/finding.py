"""Waybills that an account made and the hub does not know yet: found in its list, proposed for an order.

A waybill is proposed for the order whose number it carries as its reference; else for the only order without
a parcel of the contact with the consignee's telephone. It is a proposal: people attach it or put it aside.
What is followed already, and what was decided about, is not found again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import select, update
from sqlalchemy.engine import Connection

from hub.contacts import store as contacts
from hub.contacts.model import PHONE, IdentityKey
from hub.db.lookup import Lookup
from hub.db.tables import found_waybill, orders, shipment
from hub.db.tx import Tx
from hub.kernel import text
from hub.kernel.clock import instant
from hub.kernel.phone import parse_phone
from hub.sdk.tracking import Document
from hub.shipments import store

OPEN, DISMISSED = "open", "dismissed"
BY_REFERENCE, BY_PHONE = "reference", "phone"


class FoundRow(NamedTuple):
    """The columns of `found_waybill`, in order."""

    id: int
    number: str
    account: str
    order_reference: str
    order_id: int | None
    why: str
    made_at: int | None
    cod_minor: int | None
    currency: str
    state: str
    created_at: int


_KNOWN = Lookup(tuple(found_waybill.c), found_waybill.c.number)
_ORDERS = Lookup((orders.c.id, orders.c.number), orders.c.number)
_FOLLOWED = Lookup((shipment.c.order_id,), shipment.c.order_id)


def take_in(tx: Tx, account: str, documents: Sequence[Document]) -> list[FoundRow]:
    """One page of the account's waybills; returns the rows that are new."""
    told = {number: one for one in documents if (number := text.one_line(one.number, text.SHORT))}
    known = {row.number: row for row in _known(tx.conn, told, account)}
    followed = {row.number for row in store.newest_with_numbers(tx.conn, list(told), account)}
    gone = [row.id for row in known.values() if row.state == OPEN and told[row.number].deleted]
    if gone:
        tx.execute(update(found_waybill).where(found_waybill.c.id.in_(gone)).values(state=DISMISSED))
    fresh = [
        one
        for number, one in told.items()
        if number not in known and number not in followed and not one.deleted
    ]
    proposals = _proposals(tx.conn, fresh)
    rows = [_row(tx, account, one, *proposal) for one, proposal in zip(fresh, proposals, strict=True)]
    tx.insert({found_waybill: rows})
    return rows


# --- for which order ---------------------------------------------------------------------------------------


def _known(conn: Connection, numbers: Collection[str], account: str) -> list[FoundRow]:
    rows = [FoundRow._make(row) for row in _KNOWN.run(conn, list(numbers))]
    return [row for row in rows if row.account == account]


def _proposals(conn: Connection, documents: Sequence[Document]) -> list[tuple[int | None, str]]:
    """(order, why) of each."""
    references = {reference for one in documents if (reference := _reference(one))}
    by_number = {row[1]: row[0] for row in _ORDERS.run(conn, list(references))}
    phones = {one.phone: phone for one in documents if one.phone and (phone := parse_phone(one.phone))}
    keys = [IdentityKey(PHONE, phone) for phone in set(phones.values())]
    people = {key.value: contact_id for key, contact_id in contacts.owners(conn, keys).items()}
    waiting = _without_parcel(conn, list(people.values()))
    proposals: list[tuple[int | None, str]] = []
    for one in documents:
        order_id = by_number.get(_reference(one))
        if order_id is not None:
            proposals.append((order_id, BY_REFERENCE))
            continue
        of_person = waiting.get(people.get(phones.get(one.phone, ""), 0), [])
        proposals.append((of_person[0], BY_PHONE) if len(of_person) == 1 else (None, ""))
    return proposals


def _without_parcel(conn: Connection, contact_ids: Collection[int]) -> dict[int, list[int]]:
    """Running orders of these contacts that have no parcel yet."""
    if not contact_ids:
        return {}
    query = select(orders.c.id, orders.c.contact_id).where(
        orders.c.contact_id.in_(list(contact_ids)),
        orders.c.closed_at.is_(None),
        orders.c.archived_at.is_(None),
    )
    rows = list(conn.execute(query))
    followed = {row[0] for row in _FOLLOWED.run(conn, [row.id for row in rows])}
    found: dict[int, list[int]] = {}
    for row in rows:
        if row.id not in followed:
            found.setdefault(row.contact_id, []).append(row.id)
    return found


def _reference(one: Document) -> str:
    return text.one_line(one.order_reference, text.SHORT).lstrip("#№ ")


def _row(tx: Tx, account: str, one: Document, order_id: int | None, why: str) -> FoundRow:
    made_at: Any = instant(one.created_at) if one.created_at is not None else None
    return FoundRow(
        tx.new_id(), text.one_line(one.number, text.SHORT), account, _reference(one), order_id, why, made_at,
        one.cod_expected, text.one_line(one.currency, 3), OPEN, tx.now,
    )  # fmt: skip
