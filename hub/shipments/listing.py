"""The list of parcels: what a person looks for, the counters on its filters, one page after another.

Read model only. A concern is a question that a seller has about many parcels at once. Each has an index of
its own that holds just the parcels concerned (`INDEXED` says which condition), so that a page of it is one short
range of an index among a million parcels. Pages are keyed: the cursor names the last row, no row is counted
off. Counters stop at `COUNTED`: that there is much is all that a chip has to say.

    waiting   can be collected for longer than so many days, the longest first
    storage   paid storage begins within so many days, or has begun; the soonest first
    money     delivered, and the cash on delivery has not come to us
    returning refused, or on its way back
    silent    the carrier tells nothing new, while the parcel is under way
    unknown   its newest code stands in no table
    loose     belongs to no order yet
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, and_, exists, func, literal_column, or_, select, true
from sqlalchemy.engine import Connection

from hub.contacts import store as contacts
from hub.contacts.store import ContactRecord
from hub.db.tables import observation, orders, shipment
from hub.kernel.clock import DAY, Instant
from hub.kernel.errors import FieldProblem, InputRejected
from hub.kernel.ids import MAX_ID
from hub.sdk.tracking import Status
from hub.shipments.store import ShipmentRow

COUNTED = 1_000
WAITING_DAYS, STORAGE_DAYS = 3, 2
MAX_DAYS = 365
_CURSOR = re.compile(r"(?:(-?\d{1,19})\.)?(\d{1,19})", re.ASCII)


class Concern(StrEnum):
    """What may be the matter with a parcel."""

    WAITING = "waiting"
    STORAGE = "storage"
    MONEY = "money"
    RETURNING = "returning"
    SILENT = "silent"
    UNKNOWN = "unknown"
    LOOSE = "loose"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is looked for. None and "" leave a filter out. `days` belongs to WAITING and STORAGE."""

    concern: Concern | None = None
    days: int | None = None
    text: str = ""
    status: str = ""
    money: str = ""
    account: str = ""
    number: str = ""
    order_id: int | None = None
    responsible_id: int | None = None
    updated_since: Instant | None = None
    legs: bool = False  # return, redirect and money waybills too, not only parcels to customers
    cursor: str = ""
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Item:
    """A parcel as the list shows it."""

    row: ShipmentRow
    order_number: str | None
    responsible_id: int | None
    contact: ContactRecord | None


@dataclass(frozen=True, slots=True)
class Found:
    """One page; `further` is the cursor of the next one."""

    items: Sequence[ShipmentRow] = field(default_factory=list)
    further: str | None = None


# --- what a concern is -----------------------------------------------------------------------------------
# The conditions of partial indexes are written as in the migration, with nothing bound: SQLite uses such an
# index only where the question holds the same words.

IS_WAITING = literal_column("shipment.status = 'arrived'")
HAS_STORAGE = literal_column("shipment.paid_storage_at IS NOT NULL AND NOT shipment.final")
MONEY_DUE = literal_column(
    "shipment.status = 'delivered' AND shipment.money_status IN ('collected', 'expected', 'unknown')"
)
IS_LOOSE = literal_column("shipment.order_id IS NULL AND shipment.parent_id IS NULL")
IS_UNKNOWN = literal_column("observation.status = 'unknown'")
OUTBOUND = "outbound"
_BACK = (Status.REFUSED, Status.RETURNING)
_SILENT = ("quiet", "silent", "given_up")


def condition(concern: Concern, days: int | None, now: Instant) -> Any:
    """The parcels of a concern, as SQL."""
    c = shipment.c
    if concern is Concern.WAITING:
        return and_(IS_WAITING, c.happened_at <= now - (WAITING_DAYS if days is None else days) * DAY)
    if concern is Concern.STORAGE:
        return and_(HAS_STORAGE, c.paid_storage_at <= now + (STORAGE_DAYS if days is None else days) * DAY)
    if concern is Concern.MONEY:
        return MONEY_DUE
    if concern is Concern.RETURNING:
        return c.status.in_(_BACK)
    if concern is Concern.SILENT:
        return c.phase.in_(_SILENT)
    if concern is Concern.LOOSE:
        return IS_LOOSE
    odd = select(observation.c.shipment_id).where(IS_UNKNOWN)
    newest = exists().where(
        observation.c.shipment_id == c.id, observation.c.raw_code == c.raw_code, IS_UNKNOWN
    )
    return and_(c.id.in_(odd), newest)


def _key(concern: Concern | None) -> Any:
    """By what the list is ordered besides the id: the most urgent first; None: the newest first."""
    if concern is Concern.WAITING:
        return shipment.c.happened_at
    return shipment.c.paid_storage_at if concern is Concern.STORAGE else None


def filtered(wanted: Wanted, now: Instant) -> Select[Any]:
    """The question without order and page."""
    c = shipment.c
    query = select(shipment)
    if wanted.concern is not None:
        query = query.where(condition(wanted.concern, wanted.days, now))
    if not wanted.legs:
        query = query.where(c.relation == OUTBOUND)
    for column, value in (
        (c.status, wanted.status),
        (c.money_status, wanted.money),
        (c.account, wanted.account),
        (c.number, wanted.number),
        (c.order_id, wanted.order_id),
    ):
        if value not in {None, ""}:
            query = query.where(column == value)
    if wanted.updated_since is not None:
        query = query.where(c.updated_at >= wanted.updated_since)
    if wanted.responsible_id is not None:
        own = select(orders.c.id).where(orders.c.responsible_id == wanted.responsible_id)
        query = query.where(c.order_id.in_(own))
    if wanted.text:
        number = re.sub(r"[\s-]", "", wanted.text).upper()
        of_order = select(orders.c.id).where(orders.c.number == wanted.text.lstrip("#№ "))
        query = query.where(or_(c.number == number, c.order_id.in_(of_order)))
    return query


def find(conn: Connection, wanted: Wanted, now: Instant) -> Found:
    """One page. Raises InputRejected for a cursor that is none."""
    query, key = filtered(wanted, now), _key(wanted.concern)
    value, last_id = _read_cursor(wanted.cursor, keyed=key is not None)
    if key is None:
        query = query.order_by(shipment.c.id.desc())
        if last_id is not None:
            query = query.where(shipment.c.id < last_id)
    else:
        query = query.order_by(key, shipment.c.id)
        if value is not None:
            query = query.where(key >= value, or_(key > value, shipment.c.id > last_id))
    rows = [ShipmentRow._make(row) for row in conn.execute(query.limit(wanted.limit + 1))]
    if len(rows) <= wanted.limit:
        return Found(rows)
    last = rows[wanted.limit - 1]
    told = f"{getattr(last, key.name)}.{last.id}" if key is not None else str(last.id)
    return Found(rows[: wanted.limit], told)


def _read_cursor(cursor: str, *, keyed: bool) -> tuple[int | None, int | None]:
    if not cursor:
        return None, None
    found = _CURSOR.fullmatch(cursor)
    if found is None or int(found.group(2)) > MAX_ID or keyed != (found.group(1) is not None):
        raise InputRejected(
            "this is no cursor", [FieldProblem("cursor", "take next_cursor of the page before, or leave it out")]
        )
    value = int(found.group(1)) if found.group(1) is not None else None
    return (max(-MAX_ID, min(MAX_ID, value)) if value is not None else None), int(found.group(2))


def counters(conn: Connection, now: Instant, days: int | None = None) -> dict[Concern, int]:
    """How many parcels each concern has; `COUNTED` stands for that many and more."""
    found = {}
    for concern in Concern:
        of_legs = true() if concern is Concern.LOOSE else shipment.c.relation == OUTBOUND
        some = select(shipment.c.id).where(condition(concern, days, now), of_legs).limit(COUNTED)
        found[concern] = conn.execute(select(func.count()).select_from(some.subquery())).scalar_one()
    return found


def items(conn: Connection, rows: Sequence[ShipmentRow]) -> list[Item]:
    """Parcels with their orders and customers."""
    ids = {row.order_id for row in rows if row.order_id is not None}
    query = select(orders.c.id, orders.c.number, orders.c.responsible_id, orders.c.contact_id)
    known = {row.id: row for row in conn.execute(query.where(orders.c.id.in_(ids)))}
    people = contacts.many(conn, sorted({row.contact_id for row in known.values()}))
    found = []
    for row in rows:
        order = known.get(row.order_id) if row.order_id is not None else None
        if order is None:
            found.append(Item(row, None, None, None))
        else:
            found.append(Item(row, order.number, order.responsible_id, people.get(order.contact_id)))
    return found
