"""/api/v1/shipments, /api/v1/orders/{id}/shipments"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.engine import Connection

from hub.access.model import May
from hub.contacts import store as contacts
from hub.db.tables import shipment as table
from hub.db.tx import Tx
from hub.kernel.errors import FieldProblem, InputRejected
from hub.orders import store as orders
from hub.sdk.carrier import Carrier
from hub.sdk.tracking import Likeness
from hub.shipments import joining, service, store
from hub.shipments.store import ShipmentRow
from hub.web.api import schemas as s
from hub.web.api import views
from hub.web.api.paging import list_of, page
from hub.web.api.registry import Call, Operation


class ShipmentQuery(s.Changes):
    """Which parcels."""

    status: s.Name | None = None
    money_status: s.Name | None = None
    carrier: s.Name | None = None
    number: s.Name | None = None
    order_id: s.Id | None = None


class ShipmentBody(s.ActingBody):
    """A waybill number. Without `carrier` the number must look like exactly one account's."""

    carrier: s.Name | None = Field(None, description="account, as in [carriers.<account>]")
    number: s.Name = Field(min_length=1)


def list_shipments(conn: Connection, call: Call) -> BaseModel:
    """Newest first."""
    asked: ShipmentQuery = call.query
    query = select(table)
    for column, value in (
        (table.c.status, asked.status),
        (table.c.money_status, asked.money_status),
        (table.c.account, asked.carrier),
        (table.c.number, asked.number),
        (table.c.order_id, int(asked.order_id) if asked.order_id is not None else None),
    ):
        if value is not None:
            query = query.where(column == value)
    if asked.updated_since is not None:
        query = query.where(table.c.updated_at >= asked.updated_since)
    return page(
        conn,
        query,
        table,
        asked,
        s.ShipmentOut,
        lambda rows: [views.shipment(ShipmentRow._make(row)) for row in rows],
    )


def get_shipment(conn: Connection, call: Call) -> s.ShipmentDetail:
    """One parcel with its timeline."""
    return detail(conn, call.id())


def detail(conn: Connection, shipment_id: int) -> s.ShipmentDetail:
    """A parcel with its timeline and further legs."""
    row = store.get(conn, shipment_id)
    related = store.children(conn, [row.id])
    if row.parent_id is not None:
        related = [*store.many(conn, [row.parent_id]), *related]
    return views.shipment_detail(row, store.observations(conn, [row.id])[row.id], related)


def list_of_order(conn: Connection, call: Call) -> BaseModel:
    """All parcels of an order, oldest first."""
    row = orders.get(conn, call.id())
    found = [views.shipment(one) for one in store.of_order(conn, row.id)]
    return list_of(s.ShipmentOut)(items=found)


def attach(tx: Tx, call: Call) -> s.ShipmentDetail:
    """A waybill number joins the order; it is asked for at once."""
    body: ShipmentBody = call.body
    actor = call.acting(required=False)
    order = orders.get(tx.conn, call.id())
    account, number = choose(call.services.carriers, body.carrier, body.number)
    plugin = call.services.account_plugins[account]
    phone = contacts.get(tx.conn, order.contact_id).first("phone") or None
    row = joining.attach(tx, actor, order.id, account, plugin, number, phone)
    return detail(tx.conn, row.id)


def choose(carriers: Any, account: str | None, typed: str) -> tuple[str, str]:
    """(account, number as the carrier writes it). Raises InputRejected with what to do."""
    number = service.check_number(typed)
    if account is not None:
        if account not in carriers:
            names = ", ".join(sorted(carriers)) or "none is configured"
            raise InputRejected("no such carrier account", [FieldProblem("carrier", f"accounts: {names}")])
        return account, written(carriers[account], number)
    likely = [
        (name, carrier.looks_like(number).likeness)
        for name, carrier in carriers.items()
        if carrier.looks_like(number).likeness is not Likeness.NO
    ]
    sure = [name for name, likeness in likely if likeness is Likeness.SURE] or [name for name, _ in likely]
    if len(sure) != 1:
        hint = f"it could be {', '.join(sorted(sure))}" if sure else "it looks like none of the carriers"
        raise InputRejected("whose number is this?", [FieldProblem("carrier", f"name the account: {hint}")])
    return sure[0], written(carriers[sure[0]], number)


def written(carrier: Carrier, number: str) -> str:
    """A number as its carrier writes it."""
    found = carrier.looks_like(number)
    return found.number if found.likeness is not Likeness.NO and found.number else number


def nothing(conn: Connection, call: Call) -> s.ShipmentDetail:
    """The parcel as it is, before it is asked for."""
    return detail(conn, call.id())


async def refresh(call: Call, _before: BaseModel) -> s.ShipmentDetail:
    """Ask the carrier now, within the account's budget."""
    await call.services.poller.refresh(call.id())
    return await call.services.db.read(lambda conn: detail(conn, call.id()))


OPERATIONS = (
    Operation(
        method="GET", path="/shipments", summary="List parcels", tag="shipments", may=May.SEE,
        query=ShipmentQuery, result=list_of(s.ShipmentOut), reads=list_shipments,
    ),
    Operation(
        method="GET", path="/shipments/{id}", summary="One parcel with its timeline", tag="shipments",
        may=May.SEE, result=s.ShipmentDetail, reads=get_shipment, errors=(404,),
    ),
    Operation(
        method="POST", path="/shipments/{id}/refresh", summary="Ask the carrier now", tag="shipments",
        may=May.WORK, body=s.ActingBody, result=s.ShipmentDetail, reads=nothing, afterwards=refresh, errors=(404,),
    ),
    Operation(
        method="GET", path="/orders/{id}/shipments", summary="Parcels of an order", tag="shipments", may=May.SEE,
        result=list_of(s.ShipmentOut), reads=list_of_order, errors=(404,),
    ),
    Operation(
        method="POST", path="/orders/{id}/shipments", summary="Attach a waybill number", tag="shipments",
        may=May.WORK, body=ShipmentBody, result=s.ShipmentDetail, writes=attach, status=201, errors=(404, 409),
    ),
)  # fmt: skip
