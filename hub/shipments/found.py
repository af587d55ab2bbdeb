"""Waybills that a carrier's account made and no order has yet: proposed to people, who attach or dismiss them.

The list of the carrier fills the table (`finding`); here is what people decide. A decision is
one conditional update: whoever is second gets told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.engine import Connection

from hub.access.model import Actor, May
from hub.db.tables import found_waybill, orders
from hub.db.tx import Tx
from hub.kernel.errors import InputRejected, NotFound, RuleSaysNo
from hub.shipments.finding import DISMISSED, OPEN, FoundRow

ATTACHED = "attached"
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Proposal:
    """A found waybill, with the number of the order that it is proposed for."""

    waybill: FoundRow
    order_number: str | None


def open_waybills(conn: Connection, limit: int, before: int | None = None) -> list[Proposal]:
    """What waits for a decision, newest first."""
    query = _PROPOSED.where(found_waybill.c.state == OPEN).order_by(found_waybill.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(found_waybill.c.id < before)
    return [_proposal(row) for row in conn.execute(query)]


def of_order(conn: Connection, order_id: int) -> list[Proposal]:
    """What waits for a decision about one order, oldest first."""
    query = _PROPOSED.where(found_waybill.c.order_id == order_id, found_waybill.c.state == OPEN)
    return [_proposal(row) for row in conn.execute(query.order_by(found_waybill.c.id))]


_PROPOSED = select(*found_waybill.c, orders.c.number.label("order_number")).join(
    orders, orders.c.id == found_waybill.c.order_id, isouter=True
)


def _proposal(row: Any) -> Proposal:
    return Proposal(FoundRow._make(row[:-1]), row.order_number)


def get(conn: Connection, waybill_id: int) -> FoundRow:
    """One found waybill. Raises NotFound."""
    row = conn.execute(select(found_waybill).where(found_waybill.c.id == waybill_id)).one_or_none()
    if row is None:
        raise NotFound(f"no waybill {waybill_id}")
    return FoundRow._make(row)


def proposed(conn: Connection, numbers: Sequence[str]) -> dict[tuple[str, str], FoundRow]:
    """Found waybills that wait, by number and account."""
    query = select(found_waybill).where(found_waybill.c.number.in_(numbers), found_waybill.c.state == OPEN)
    rows = [FoundRow._make(row) for row in conn.execute(query)]
    return {(row.number, row.account): row for row in rows}


def take(tx: Tx, row: FoundRow, order_number: str = "") -> int:
    """A person attaches the waybill, to the order that it is proposed for or to the one that is named: its id."""
    order_id = find_order(tx.conn, order_number) if order_number else row.order_id
    if order_id is None:
        raise InputRejected("say to which order this waybill belongs: type its number")
    _decide(tx, row, ATTACHED, order_id)
    return order_id


def dismiss(tx: Tx, actor: Actor, waybill_id: int) -> FoundRow:
    """The waybill belongs to no order of ours: it is not proposed again."""
    actor.require(May.WORK)
    row = get(tx.conn, waybill_id)
    _decide(tx, row, DISMISSED, row.order_id)
    return row


def _decide(tx: Tx, row: FoundRow, state: str, order_id: int | None) -> None:
    waits = (found_waybill.c.id == row.id, found_waybill.c.state == OPEN)
    if tx.changed(update(found_waybill).where(*waits).values(state=state, order_id=order_id)) != 1:
        raise RuleSaysNo("somebody has decided about this waybill already")


def settle(tx: Tx, number: str, account: str, order_id: int) -> None:
    """A number was attached by another way: the proposal is done with."""
    same = (
        found_waybill.c.number == number,
        found_waybill.c.account == account,
        found_waybill.c.state == OPEN,
    )
    tx.execute(update(found_waybill).where(*same).values(state=ATTACHED, order_id=order_id))


def find_order(conn: Connection, number: str) -> int:
    """The order with this human number. Raises InputRejected."""
    query = select(orders.c.id).where(orders.c.number == number.strip().lstrip("#№ "))
    order_id = conn.execute(query).scalar_one_or_none()
    if order_id is None:
        raise InputRejected(f"there is no order {number}")
    return int(order_id)
