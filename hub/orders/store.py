"""SQL of orders, their lines, their journal, and routes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection

from hub.db.tables import counter, order_journal, order_line, orders, route, staff
from hub.db.tx import Tx
from hub.kernel.errors import NotFound, VersionConflict
from hub.orders.model import EntryRow, LineRow, OrderRow
from hub.orders.stages import Route, parse

FIRST_NUMBER = 1001


def get(conn: Connection, order_id: int) -> OrderRow:
    """One order. Raises NotFound."""
    row = conn.execute(select(orders).where(orders.c.id == order_id)).one_or_none()
    if row is None:
        raise NotFound(f"no order {order_id}")
    return OrderRow._make(row)


def of_request(conn: Connection, request_id: int) -> list[OrderRow]:
    """Orders that a request became."""
    query = select(orders).where(orders.c.request_id == request_id).order_by(orders.c.id)
    return [OrderRow._make(row) for row in conn.execute(query)]


def lines(conn: Connection, order_id: int) -> list[LineRow]:
    """Lines by position."""
    query = select(order_line).where(order_line.c.order_id == order_id).order_by(order_line.c.position)
    return [LineRow._make(row) for row in conn.execute(query)]


def journal(conn: Connection, order_id: int) -> list[EntryRow]:
    """Entries, oldest first."""
    query = select(order_journal).where(order_journal.c.order_id == order_id).order_by(order_journal.c.seq)
    return [EntryRow._make(row) for row in conn.execute(query)]


def next_number(tx: Tx) -> str:
    """The next human number: no gaps but those of refused transactions."""
    met = tx.changed(update(counter).where(counter.c.name == "order").values(value=counter.c.value + 1))
    if met != 1:
        tx.execute(insert(counter).values(name="order", value=FIRST_NUMBER))
    return str(tx.execute(select(counter.c.value).where(counter.c.name == "order")).scalar_one())


def add(tx: Tx, row: OrderRow, line_rows: Sequence[LineRow]) -> None:
    """Write a new order with its lines."""
    tx.execute(insert(orders).values(**row._asdict()))
    tx.insert({order_line: list(line_rows)})


def add_lines(tx: Tx, line_rows: Sequence[LineRow]) -> None:
    """Write further lines."""
    tx.insert({order_line: list(line_rows)})


def save(tx: Tx, row: OrderRow, entry: EntryRow, **values: Any) -> OrderRow:
    """Change an order together with the journal entry that says so; its version rises."""
    tx.insert({order_journal: [entry]})
    changed = row._replace(
        updated_at=tx.now,
        version=row.version + 1,
        journal_seq=entry.seq,
        journal_hash=entry.hash,
        actor=entry.actor,
        **values,
    )
    written = {name: value for name, value in changed._asdict().items() if value != getattr(row, name)}
    met = tx.changed(
        update(orders).where(orders.c.id == row.id, orders.c.version == row.version).values(**written)
    )
    if met != 1:
        raise VersionConflict(f"order {row.id} was changed by somebody else")
    return changed


def add_entry(tx: Tx, entry: EntryRow) -> None:
    """The first entry of an order."""
    tx.insert({order_journal: [entry]})


def person_is_active(conn: Connection, staff_id: int) -> bool:
    """May this person be responsible for an order?"""
    query = select(staff.c.id).where(staff.c.id == staff_id, staff.c.state == "active")
    return conn.execute(query).first() is not None


def load_route(conn: Connection, name: str, version: int) -> Route:
    """A route's version. Raises NotFound."""
    query = select(route.c.body).where(route.c.name == name, route.c.version == version)
    body = conn.execute(query).scalar_one_or_none()
    if body is None:
        raise NotFound(f"no route {name} version {version}")
    return parse(name, version, body)


def newest_version(conn: Connection, name: str) -> int | None:
    """The version that new orders begin with."""
    query = select(route.c.version).where(route.c.name == name).order_by(route.c.version.desc()).limit(1)
    return conn.execute(query).scalar_one_or_none()


def add_route(tx: Tx, name: str, version: int, body: str) -> None:
    """A new version of a route."""
    tx.execute(insert(route).values(name=name, version=version, body=body, created_at=tx.now))
