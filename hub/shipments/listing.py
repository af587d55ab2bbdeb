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

from sqlalchemy import Select, and_, exists, func, literal_column, select, tuple_, union_all
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

IS_WAITING: Any = literal_column("shipment.status = 'arrived'")
HAS_STORAGE: Any = literal_column("shipment.paid_storage_at IS NOT NULL AND NOT shipment.final")
MONEY_DUE: Any = literal_column(
    "shipment.status = 'delivered' AND shipment.money_status IN ('collected', 'expected', 'unknown')"
)
IS_LOOSE: Any = literal_column("shipment.order_id IS NULL AND shipment.parent_id IS NULL")
IS_UNKNOWN: Any = literal_column("observation.status = 'unknown'")
OUTBOUND = "outbound"
RECENT = 2 * DAY
_INDEX = {
    Concern.WAITING: "ix_shipment_waiting",
    Concern.STORAGE: "ix_shipment_storage",
    Concern.MONEY: "ix_shipment_money_due",
    Concern.LOOSE: "ix_shipment_loose",
}
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


def _key(wanted: Wanted) -> tuple[Any, bool]:
    """By what the list is ordered before the id, and whether it ascends: the most urgent first, else the newest."""
    if wanted.concern is Concern.WAITING:
        return shipment.c.happened_at, True
    if wanted.concern is Concern.STORAGE:
        return shipment.c.paid_storage_at, True
    if wanted.concern is None and wanted.responsible_id is not None:
        return shipment.c.order_id, False  # along the index of a person's orders
    return None, False


def _index(wanted: Wanted, now: Instant) -> str | None:
    """The index that SQLite has to walk along, where its planner would rather sort."""
    if wanted.concern is not None:
        return _INDEX.get(wanted.concern)
    recent = wanted.updated_since is not None and now - wanted.updated_since <= RECENT
    return "ix_shipment_updated" if recent and wanted.responsible_id is None else None


def filtered(wanted: Wanted, now: Instant) -> Select[Any]:
    """The question without order and page."""
    c, other = shipment.c, orders.alias()
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
        query = query.join(orders, orders.c.id == c.order_id)
        query = query.where(orders.c.responsible_id == wanted.responsible_id)
    if wanted.text:
        number = re.sub(r"[\s-]", "", wanted.text).upper()
        same, of_order = shipment.alias(), shipment.alias()
        named = select(other.c.id).where(other.c.number == wanted.text.lstrip("#№ "))
        either = union_all(
            select(same.c.id).where(same.c.number == number),
            select(of_order.c.id).where(of_order.c.order_id.in_(named)),
        )
        query = query.where(c.id.in_(either))  # a union, not an "or", which would read the whole table
    index = _index(wanted, now)
    return query if index is None else query.with_hint(shipment, f"INDEXED BY {index}", "sqlite")


def find(conn: Connection, wanted: Wanted, now: Instant) -> Found:
    """One page. Raises InputRejected for a cursor that is none."""
    query = filtered(wanted, now)
    key, ascends = _key(wanted)
    value, last_id = _read_cursor(wanted.cursor, keyed=key is not None)
    last = shipment.c.id
    if key is None:
        query = query.order_by(last.desc())
        if last_id is not None:
            query = query.where(last < last_id)
    elif ascends:
        query = query.order_by(key, last)
        if value is not None:
            query = query.where(tuple_(key, last) > (value, last_id))
    else:
        query = query.order_by(orders.c.id.desc(), last.desc())
        if value is not None:
            query = query.where(tuple_(orders.c.id, last) < (value, last_id))
    rows = [ShipmentRow._make(row) for row in conn.execute(query.limit(wanted.limit + 1))]
    if len(rows) <= wanted.limit:
        return Found(rows)
    end = rows[wanted.limit - 1]
    return Found(
        rows[: wanted.limit], f"{getattr(end, key.name)}.{end.id}" if key is not None else str(end.id)
    )


def _read_cursor(cursor: str, *, keyed: bool) -> tuple[int | None, int | None]:
    if not cursor:
        return None, None
    found = _CURSOR.fullmatch(cursor)
    if found is None or int(found.group(2)) > MAX_ID or keyed != (found.group(1) is not None):
        raise InputRejected(
            "this is no cursor",
            [FieldProblem("cursor", "take next_cursor of the page before, or leave it out")],
        )
    value = int(found.group(1)) if found.group(1) is not None else None
    return (max(-MAX_ID, min(MAX_ID, value)) if value is not None else None), int(found.group(2))


def counters(conn: Connection, now: Instant) -> dict[Concern, int]:
    """How many parcels each concern has; `COUNTED` stands for that many and more."""
    found = {}
    for concern in Concern:
        some = filtered(Wanted(concern=concern), now).with_only_columns(shipment.c.id).limit(COUNTED)
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
