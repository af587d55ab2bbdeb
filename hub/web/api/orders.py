"""/api/v1/orders, /api/v1/stages"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.engine import Connection

from hub.access.model import May
from hub.db.tables import orders as table
from hub.db.tx import Tx
from hub.kernel.errors import FieldProblem, InputRejected
from hub.orders import service, store
from hub.orders.model import LineKind, NewLine, NewOrder, OrderRow, Payment, missing
from hub.orders.stages import PARCEL
from hub.shipments import store as shipments
from hub.web.api import schemas as s
from hub.web.api import views
from hub.web.api.paging import list_of, page
from hub.web.api.registry import Call, Operation
from hub.web.api.requests import ContactIn, person_of


class OrderQuery(s.Changes):
    """Which orders."""

    stage: s.Name | None = None
    contact_id: s.Id | None = None
    responsible_id: s.Id | None = None
    number: s.Name | None = None


class LineIn(s.In):
    """A line: goods or a service. Sums in the order's currency."""

    name: s.Name = Field(min_length=1)
    kind: LineKind = LineKind.GOODS
    sku: s.Name | None = None
    quantity: s.Quantity = 1000
    unit: s.Name = "pcs"
    price: s.MoneyValue = s.MoneyValue(amount_minor=0)
    plan_cost: s.MoneyValue | None = None
    fact_cost: s.MoneyValue | None = None
    wanted_at: s.TimeIn | None = None


class OrderBody(s.ActingBody):
    """An order, by hand or from a request. One of contact, contact_id, request_id."""

    contact: ContactIn | None = None
    contact_id: s.Id | None = None
    request_id: s.Id | None = None
    responsible_id: s.Id | None = Field(None, description="who answers for it; by default who acts")
    lines: list[LineIn] = Field(default_factory=list, max_length=500)
    payment: Payment = Payment.OTHER
    currency: s.Currency | None = None
    note: s.LongText = ""
    wanted_at: s.TimeIn | None = None
    next_contact_at: s.TimeIn | None = None


class LinesBody(s.ActingBody):
    """Further lines."""

    lines: list[LineIn] = Field(min_length=1, max_length=500)


class StageBody(s.ReasonBody):
    """Where to. Backwards, cancelled and returned need a reason."""

    stage: s.Name


class StageOut(s.Out):
    """One stage of a route."""

    key: str
    title: dict[str, str]
    kind: str
    moves: list[str]


class RouteOut(s.Out):
    """Stages of the newest version of a route."""

    route: str
    route_version: int
    items: list[StageOut]


def new_lines(lines: list[LineIn], currency: str) -> list[NewLine]:
    """Lines as the service takes them. Raises InputRejected where a currency differs from the order's."""
    problems: list[FieldProblem] = []
    found = []
    for at, line in enumerate(lines):
        for name in ("price", "plan_cost", "fact_cost"):
            value: s.MoneyValue | None = getattr(line, name)
            if value is not None and value.currency != currency and name in line.model_fields_set:
                problems.append(FieldProblem(f"lines.{at}.{name}.currency", f"the order is in {currency}"))
        found.append(
            NewLine(
                name=line.name,
                kind=line.kind,
                sku=line.sku,
                quantity_milli=line.quantity,
                unit=line.unit or "pcs",
                price_minor=line.price.amount_minor,
                plan_cost_minor=line.plan_cost.amount_minor if line.plan_cost is not None else None,
                fact_cost_minor=line.fact_cost.amount_minor if line.fact_cost is not None else None,
                wanted_at=line.wanted_at,
            )
        )
    if problems:
        raise InputRejected("one order has one currency", problems)
    return found


def detail(conn: Connection, row: OrderRow) -> s.OrderDetail:
    """An order with lines and parcels."""
    return views.order_detail(row, store.lines(conn, row.id), shipments.of_order(conn, row.id))


def list_orders(conn: Connection, call: Call) -> BaseModel:
    """Newest first."""
    asked: OrderQuery = call.query
    query = select(table)
    if asked.stage is not None:
        query = query.where(table.c.stage == asked.stage)
    if asked.contact_id is not None:
        query = query.where(table.c.contact_id == int(asked.contact_id))
    if asked.responsible_id is not None:
        query = query.where(table.c.responsible_id == int(asked.responsible_id))
    if asked.number is not None:
        query = query.where(table.c.number == asked.number)
    if asked.updated_since is not None:
        query = query.where(table.c.updated_at >= asked.updated_since)
    return page(
        conn, query, table, asked, s.OrderOut, lambda rows: [views.order(OrderRow._make(row)) for row in rows]
    )


def get_order(conn: Connection, call: Call) -> s.OrderDetail:
    """One order."""
    return detail(conn, store.get(conn, call.id()))


def add_order(tx: Tx, call: Call) -> s.OrderDetail:
    """Make an order; refused without contact and responsible person, both named at once."""
    body: OrderBody = call.body
    actor = call.acting(required=False)
    currency = body.currency or call.services.loaded.settings.hub.currency
    responsible = int(body.responsible_id) if body.responsible_id is not None else actor.staff_id
    order = NewOrder(
        contact_id=int(body.contact_id) if body.contact_id is not None else None,
        request_id=int(body.request_id) if body.request_id is not None else None,
        responsible_id=responsible,
        lines=new_lines(body.lines, currency),
        payment=body.payment,
        currency=currency,
        note=body.note,
        wanted_at=body.wanted_at,
        next_contact_at=body.next_contact_at,
    )
    problems = missing(order, has_contact=body.contact is not None)
    if problems:
        raise InputRejected("the order is not complete", problems)
    person = None
    if body.contact is not None:
        person = person_of(body.contact, call.services.loaded.settings.hub.region)
    return detail(tx.conn, service.create(tx, actor, order, person))


def add_lines(tx: Tx, call: Call) -> s.OrderDetail:
    """Further lines."""
    row = store.get(tx.conn, call.id())
    lines = new_lines(call.body.lines, row.currency)
    return detail(tx.conn, service.add_lines(tx, call.acting(required=False), row.id, lines, call.if_match))


def move_stage(tx: Tx, call: Call) -> s.OrderDetail:
    """Along its route."""
    body: StageBody = call.body
    actor = call.acting(required=False)
    row = service.move_stage(tx, actor, call.id(), body.stage, body.reason, call.if_match)
    return detail(tx.conn, row)


def list_journal(conn: Connection, call: Call) -> BaseModel:
    """All entries, oldest first."""
    row = store.get(conn, call.id())
    return list_of(s.JournalOut)(items=[views.journal(entry) for entry in store.journal(conn, row.id)])


def list_stages(conn: Connection, _call: Call) -> RouteOut:
    """The stages that new orders go through."""
    version = store.newest_version(conn, PARCEL) or 1
    route = store.load_route(conn, PARCEL, version)
    items = [
        StageOut(key=st.key, title=dict(st.title), kind=st.kind, moves=list(route.moves.get(st.key, ())))
        for st in route.stages.values()
    ]
    return RouteOut(route=PARCEL, route_version=version, items=items)


_WRITE: dict[str, Any] = {
    "tag": "orders", "may": May.WORK, "result": s.OrderDetail, "versioned": True, "errors": (404, 409, 412),
}  # fmt: skip
OPERATIONS = (
    Operation(
        method="GET", path="/orders", summary="List orders", tag="orders", may=May.SEE, query=OrderQuery,
        result=list_of(s.OrderOut), reads=list_orders,
    ),
    Operation(
        method="POST", path="/orders", summary="Make an order, from a request or by hand", tag="orders",
        may=May.WORK, body=OrderBody, result=s.OrderDetail, writes=add_order, status=201, errors=(404, 409),
    ),
    Operation(
        method="GET", path="/orders/{id}", summary="One order with lines and parcels", tag="orders", may=May.SEE,
        result=s.OrderDetail, reads=get_order, errors=(404,),
    ),
    Operation(
        method="POST", path="/orders/{id}/lines", summary="Add lines", body=LinesBody, writes=add_lines,
        status=201, **_WRITE,
    ),
    Operation(
        method="POST", path="/orders/{id}/stage", summary="Move along the route", body=StageBody,
        writes=move_stage, **_WRITE,
    ),
    Operation(
        method="GET", path="/orders/{id}/journal", summary="What happened, by whom and why", tag="orders",
        may=May.SEE, result=list_of(s.JournalOut), reads=list_journal, errors=(404,),
    ),
    Operation(
        method="GET", path="/stages", summary="Stages of the default route", tag="orders", may=May.SEE,
        result=RouteOut, reads=list_stages,
    ),
)  # fmt: skip
