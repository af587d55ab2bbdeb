"""SQL of orders, their lines, their journal, and routes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.engine import Connection

from hub.access.model import Role
from hub.db.locks import lock_read_order
from hub.db.lookup import Lookup, any_of
from hub.db.tables import (
    approval,
    counter,
    membership,
    order_journal,
    order_line,
    order_term,
    orders,
    payment,
    request,
    route,
    shipment,
    staff,
    staff_role,
    team,
    template,
)
from hub.db.tx import Tx
from hub.kernel.errors import NotFound, VersionConflict
from hub.orders.approval import ApprovalRow
from hub.orders.model import EntryRow, LineRow, OrderRow
from hub.orders.money import PaymentRow
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


def number_taken(tx: Tx, number: str) -> None:
    """A number came from elsewhere: the next of ours is above it."""
    if not (number.isascii() and number.isdigit() and len(number) <= 12):
        return
    if int(number) < FIRST_NUMBER:
        return
    known = counter.c.name == "order"
    if tx.execute(select(counter.c.value).where(known)).first() is None:
        tx.execute(insert(counter).values(name="order", value=int(number)))
    tx.execute(update(counter).where(known, counter.c.value < int(number)).values(value=int(number)))


def add(tx: Tx, row: OrderRow, line_rows: Sequence[LineRow]) -> None:
    """Write a new order with its lines."""
    tx.execute(insert(orders).values(**row._asdict()))
    tx.insert({order_line: list(line_rows)})


def add_lines(tx: Tx, line_rows: Sequence[LineRow]) -> None:
    """Write further lines."""
    tx.insert({order_line: list(line_rows)})


def save(tx: Tx, row: OrderRow, entry: EntryRow, **values: Any) -> OrderRow:
    """Change an order together with the journal entry that says so; its version rises.

    The row is locked before the entry is written: whoever has it locked may be about to write that very entry, and
    each would wait for the other. Who comes second does all of it again, from the order as it is then.
    """
    lock_read_order(tx, row.id, row.version)
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
    return _parsed(name, version, body)


_parsed = lru_cache(maxsize=64)(parse)  # a version never changes, and the text is a part of the key


def with_route(conn: Connection, order_id: int) -> tuple[OrderRow, Route]:
    """One order and the version of the route that it goes. Raises NotFound."""
    same = (route.c.name == orders.c.route) & (route.c.version == orders.c.route_version)
    found = conn.execute(select(*orders.c, route.c.body).join(route, same).where(orders.c.id == order_id))
    told = found.one_or_none()
    if told is None:
        raise NotFound(f"no order {order_id}")
    row = OrderRow._make(told[:-1])
    return row, _parsed(row.route, row.route_version, told[-1])


_TOTALS = Lookup((orders.c.id, orders.c.total_minor, orders.c.currency), orders.c.id)


def totals(conn: Connection, order_ids: Collection[int]) -> dict[int, tuple[int, str]]:
    """What orders come to, with their currency."""
    return {row[0]: (row[1], row[2]) for row in _TOTALS.run(conn, order_ids)}


def newest_version(conn: Connection, name: str) -> int | None:
    """The version that new orders begin with."""
    query = select(route.c.version).where(route.c.name == name).order_by(route.c.version.desc()).limit(1)
    return conn.execute(query).scalar_one_or_none()


def add_route(tx: Tx, name: str, version: int, body: str) -> None:
    """A new version of a route."""
    tx.execute(insert(route).values(name=name, version=version, body=body, created_at=tx.now))


def route_names(conn: Connection) -> list[str]:
    """All routes by name."""
    return list(conn.execute(select(route.c.name).distinct().order_by(route.c.name)).scalars())


def newest_route(conn: Connection, name: str) -> Route:
    """What new orders of a route begin with. Raises NotFound."""
    return load_route(conn, name, newest_version(conn, name) or 0)


# --- the search ------------------------------------------------------------------------------------------


def set_terms(tx: Tx, order_ids: Sequence[int], terms: Sequence[str]) -> None:
    """Under which words these orders of one contact are found."""
    if order_ids:
        tx.execute(delete(order_term).where(any_of(tx.conn, order_term.c.order_id, order_ids)))
        tx.insert({order_term: [(term, order_id) for order_id in order_ids for term in terms]})


def of_contact(conn: Connection, contact_id: int) -> list[int]:
    """Orders of a contact."""
    return list(conn.execute(select(orders.c.id).where(orders.c.contact_id == contact_id)).scalars())


# --- payments --------------------------------------------------------------------------------------------


def add_payment(tx: Tx, row: PaymentRow) -> None:
    """Write a payment."""
    tx.execute(insert(payment).values(**row._asdict()))


def get_payment(conn: Connection, payment_id: int) -> PaymentRow:
    """One payment. Raises NotFound."""
    row = conn.execute(select(payment).where(payment.c.id == payment_id)).one_or_none()
    if row is None:
        raise NotFound(f"no payment {payment_id}")
    return PaymentRow._make(row)


def payments(conn: Connection, order_id: int) -> list[PaymentRow]:
    """All payments of an order, oldest first, reversals too."""
    query = select(payment).where(payment.c.order_id == order_id).order_by(payment.c.id)
    return [PaymentRow._make(row) for row in conn.execute(query)]


def is_reversed(conn: Connection, payment_id: int) -> bool:
    """Is there an opposite row already?"""
    return conn.execute(select(payment.c.id).where(payment.c.reverses_id == payment_id)).first() is not None


# --- approvals -------------------------------------------------------------------------------------------


def add_approval(tx: Tx, row: ApprovalRow) -> None:
    """Ask a role."""
    tx.execute(insert(approval).values(**row._asdict()))


def get_approval(conn: Connection, approval_id: int) -> ApprovalRow:
    """One approval. Raises NotFound."""
    row = conn.execute(select(approval).where(approval.c.id == approval_id)).one_or_none()
    if row is None:
        raise NotFound(f"no approval {approval_id}")
    return ApprovalRow._make(row)


def approvals(conn: Connection, order_id: int) -> list[ApprovalRow]:
    """All that were ever asked for, oldest first."""
    query = select(approval).where(approval.c.order_id == order_id).order_by(approval.c.id)
    return [ApprovalRow._make(row) for row in conn.execute(query)]


def approval_of_task(conn: Connection, task_id: int) -> ApprovalRow | None:
    """What a task asks for."""
    row = conn.execute(select(approval).where(approval.c.task_id == task_id)).one_or_none()
    return ApprovalRow._make(row) if row is not None else None


def change_approval(tx: Tx, row: ApprovalRow, **values: Any) -> ApprovalRow:
    """Change an approval that is open still. Raises VersionConflict where somebody was faster."""
    where = (approval.c.id == row.id, approval.c.state == row.state)
    if tx.changed(update(approval).where(*where).values(**values)) != 1:
        raise VersionConflict(f"approval {row.id} was decided by somebody else")
    return row._replace(**values)


# --- what decisions look at ------------------------------------------------------------------------------


def team_of(conn: Connection, row: OrderRow) -> int:
    """Whose work an order is: the team of its request, else of the responsible person, else the first one."""
    if row.request_id is not None:
        return int(conn.execute(select(request.c.team_id).where(request.c.id == row.request_id)).scalar_one())
    own = select(func.min(membership.c.team_id)).where(
        membership.c.staff_id == row.responsible_id, membership.c.closed_at.is_(None)
    )
    found = conn.execute(own).scalar_one_or_none()
    return int(found if found is not None else conn.execute(select(func.min(team.c.id))).scalar_one())


def heads(conn: Connection) -> list[int]:
    """Everybody who leads."""
    query = (
        select(staff_role.c.staff_id)
        .join(staff, staff.c.id == staff_role.c.staff_id)
        .where(staff_role.c.role == Role.HEAD, staff.c.state == "active")
    )
    return sorted(conn.execute(query).scalars())


def count_lines(conn: Connection, order_id: int) -> int:
    """How many lines."""
    return conn.execute(
        select(func.count()).select_from(order_line).where(order_line.c.order_id == order_id)
    ).scalar_one()


def parcels(conn: Connection, order_id: int) -> list[Any]:
    """Number and account of the parcels to the customer, newest first."""
    query = (
        select(shipment.c.number, shipment.c.account)
        .where(shipment.c.order_id == order_id, shipment.c.relation == "outbound")
        .order_by(shipment.c.id.desc())
    )
    return list(conn.execute(query))


def name_of(conn: Connection, staff_id: int) -> str:
    """A person's name."""
    return str(conn.execute(select(staff.c.name).where(staff.c.id == staff_id)).scalar_one_or_none() or "")


# --- templates -------------------------------------------------------------------------------------------


def templates(conn: Connection) -> list[Any]:
    """All templates by name and language."""
    return list(conn.execute(select(template).order_by(template.c.name, template.c.language)))


def get_template(conn: Connection, template_id: int) -> Any:
    """One template. Raises NotFound."""
    row = conn.execute(select(template).where(template.c.id == template_id)).one_or_none()
    if row is None:
        raise NotFound(f"no template {template_id}")
    return row


def template_named(conn: Connection, name: str, languages: Sequence[str]) -> str | None:
    """A template's text in the first of these languages that it has, else in any."""
    rows = conn.execute(select(template.c.language, template.c.body).where(template.c.name == name)).all()
    known = {row.language: row.body for row in rows}
    return next((known[one] for one in (*languages, *known) if one in known), None)
