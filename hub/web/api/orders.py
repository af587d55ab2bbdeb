"""/api/v1/orders, payments, approvals, routes, stages"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy.engine import Connection

from hub.access.model import May
from hub.contacts import store as contacts
from hub.db.tx import Tx
from hub.kernel.errors import FieldProblem, InputRejected, NotFound
from hub.orders import moves, registry, service, store
from hub.orders.approval import Verdict
from hub.orders.model import LineKind, NewLine, NewOrder, OrderRow, Payment, missing
from hub.orders.money import Method, NewPayment, PaymentKind
from hub.orders.routes import body_of
from hub.orders.rules import MAX_RULES
from hub.orders.service import Change
from hub.orders.settings import edit_route
from hub.orders.stages import PARCEL, Route
from hub.shipments import store as shipments
from hub.web.api import schemas as s
from hub.web.api import views
from hub.web.api.contacts import ContactIn, person_of
from hub.web.api.paging import list_of
from hub.web.api.registry import Call, Operation


class OrderQuery(s.Changes):
    """Which orders, in which order."""

    # A sorted list goes on from a value and an id.
    cursor: Annotated[str, StringConstraints(pattern=r"^([0-9none-]{1,20}\.)?[0-9]{1,19}$")] | None = Field(
        None, description="next_cursor of the page before"
    )
    q: s.Name | None = Field(
        None, description="number of the order or a waybill, beginning of a name, end of a telephone"
    )
    number: s.Name | None = None
    route: s.Name | None = None
    stage: s.Name | None = None
    contact_id: s.Id | None = None
    persons: bool = Field(False, description="with contact_id: also of the persons of this organisation")
    responsible_id: s.Id | None = None
    unpaid: bool = Field(False, description="only where money is due")
    next_contact_before: s.TimeIn | None = None
    archived: Literal["no", "yes", "all"] = Field("no", description="cancelled orders lie in the archive")
    sort: registry.Sort = registry.Sort.NUMBER
    direction: Literal["asc", "desc"] = "desc"


Fields = Annotated[dict[str, s.LongText], Field(max_length=30)]


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
    route: s.Name = Field(PARCEL, description="which way it goes: see routes")
    fields: Fields = Field(
        default_factory=dict, description="what the route asks for, such as contract_number"
    )


class OrderChange(s.ActingBody):
    """What changes; what is left out stays, null takes a date away."""

    note: s.LongText | None = None
    payment: Payment | None = None
    responsible_id: s.Id | None = None
    next_contact_at: s.TimeIn | None = None
    wanted_at: s.TimeIn | None = None
    fields: Fields | None = None


class PaymentBody(s.ActingBody):
    """Money that came, or that is expected on a day."""

    kind: PaymentKind = PaymentKind.RECEIVED
    amount: s.MoneyValue
    method: Method = Method.OTHER
    at: s.TimeIn | None = Field(None, description="the day of the money; by default now")
    note: s.Name = ""


class VerdictBody(s.ActingBody):
    """What who is asked says; all but agree need a comment."""

    verdict: Verdict
    comment: s.Name = ""


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
    follows: list[RuleOfRoute] = Field(description="rules that bring an order here by itself")


class StagesOut(s.Out):
    """Stages of the newest version of a route."""

    route: str
    route_version: int
    items: list[StageOut]


class StagesQuery(s.In):
    """Of which route."""

    route: s.Name = PARCEL


Titles = Annotated[dict[str, s.Name], Field(max_length=2)]


class FieldOfRoute(s.In):
    """What a route asks for beyond what every order has."""

    key: s.Name
    title: Titles


class ActionOfStage(s.In):
    """What happens by itself: notify (responsible, heads), task (a title), send (a template), next_contact (days)."""

    do: Literal["notify", "task", "send", "next_contact"]
    what: s.Name


class StageOfRoute(s.In):
    """One stage, with what an order needs to enter it and what happens when it does."""

    key: s.Name
    title: Titles
    kind: Literal["open", "done", "lost", "back"]
    requires: list[s.Name] = Field(default_factory=list, max_length=20)
    checks: list[s.Name] = Field(default_factory=list, max_length=20)
    approvals: list[s.Name] = Field(default_factory=list, max_length=10)
    asks_for: s.Name = ""
    actions: list[ActionOfStage] = Field(default_factory=list, max_length=20)


class RuleOfRoute(s.In):
    """When an order moves to a stage by itself, forward only: by its least advanced parcel and that one's money.

    Read from the top, the first rule that holds decides; at least one of `parcel` and `money` is named.
    """

    parcel: list[s.Name] = Field(default_factory=list, max_length=20, description="statuses of parcels")
    money: list[s.Name] = Field(default_factory=list, max_length=10, description="statuses of money")
    payment: list[Literal["prepaid", "cod", "other"]] = Field(default_factory=list, max_length=3)
    stage: s.Name


class RouteBody(s.ActingBody):
    """A whole route; kept as a new version, running orders stay with theirs."""

    title: Titles = Field(default_factory=dict)
    fields: list[FieldOfRoute] = Field(default_factory=list, max_length=30)
    stages: list[StageOfRoute] = Field(max_length=40)
    moves: dict[str, list[s.Name]] = Field(max_length=40)
    rules: list[RuleOfRoute] | None = Field(
        None, max_length=MAX_RULES, description="left out: those of the version before stay; []: none"
    )


class RouteOut(s.Out):
    """A route in its newest version."""

    name: str
    version: int
    title: dict[str, str]
    fields: list[FieldOfRoute]
    stages: list[StageOfRoute]
    moves: dict[str, list[str]]
    rules: list[RuleOfRoute]


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
    """An order with everything that belongs to it."""
    route = store.load_route(conn, row.route, row.route_version)
    asked = store.approvals(conn, row.id)
    return views.order_detail(
        row,
        store.lines(conn, row.id),
        shipments.of_order(conn, row.id),
        store.payments(conn, row.id),
        asked,
        moves.steps(route, row, moves.facts_of(conn, row), asked),
        row.updated_at,
    )


def list_orders(conn: Connection, call: Call) -> BaseModel:
    """Newest first, or as asked."""
    asked: OrderQuery = call.query
    rows, further = registry.find(
        conn,
        registry.Asked(
            text=asked.q or "",
            number=asked.number or "",
            route=asked.route or "",
            stage=asked.stage or "",
            contact_id=int(asked.contact_id) if asked.contact_id is not None and not asked.persons else None,
            contact_ids=_with_persons(conn, asked),
            responsible_id=int(asked.responsible_id) if asked.responsible_id is not None else None,
            unpaid=asked.unpaid,
            due_before=asked.next_contact_before,
            updated_since=asked.updated_since,
            # What changed includes what was cancelled: whoever copies the registry has to hear of it.
            archived=_archived(asked),
            sort=asked.sort,
            descending=asked.direction == "desc",
            cursor=asked.cursor or "",
            limit=asked.limit,
        ),
    )
    return list_of(s.OrderOut)(items=[views.order(row) for row in rows], next_cursor=further)


def _with_persons(conn: Connection, asked: OrderQuery) -> list[int] | None:
    if asked.contact_id is None or not asked.persons:
        return None
    return contacts.belonging(conn, int(asked.contact_id))


def _archived(asked: OrderQuery) -> bool | None:
    if "archived" in asked.model_fields_set:
        return {"no": False, "yes": True, "all": None}[asked.archived]
    exact = (asked.number, asked.stage, asked.contact_id, asked.updated_since)
    return None if any(value is not None for value in exact) else False


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
        route=body.route,
        fields=body.fields,
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


def change_order(tx: Tx, call: Call) -> s.OrderDetail:
    """What is written down about it."""
    body: OrderChange = call.body
    dates = ("next_contact_at", "wanted_at")
    new = Change(
        note=body.note,
        payment=body.payment,
        responsible_id=int(body.responsible_id) if body.responsible_id is not None else None,
        next_contact_at=body.next_contact_at,
        wanted_at=body.wanted_at,
        fields=body.fields,
        clear=frozenset(d for d in dates if d in body.model_fields_set and getattr(body, d) is None),
    )
    row = service.change(tx, call.acting(required=False), call.id(), new, call.if_match)
    return detail(tx.conn, row)


def add_payment(tx: Tx, call: Call) -> s.OrderDetail:
    """Money that came, or is expected."""
    body: PaymentBody = call.body
    row = store.get(tx.conn, call.id())
    if body.amount.currency != row.currency:
        raise InputRejected(
            "one order has one currency", [FieldProblem("amount.currency", f"the order is in {row.currency}")]
        )
    new = NewPayment(
        kind=body.kind,
        amount_minor=body.amount.amount_minor,
        method=body.method,
        paid_at=body.at if body.at is not None else tx.now,
        note=body.note,
    )
    actor = call.acting(required=False)
    return detail(tx.conn, service.record_payment(tx, actor, row.id, new, call.if_match))


def list_payments(conn: Connection, call: Call) -> BaseModel:
    """Oldest first, reversals too."""
    row = store.get(conn, call.id())
    return list_of(s.PaymentOut)(items=views.payment_list(store.payments(conn, row.id), row.currency))


def reverse_payment(tx: Tx, call: Call) -> s.OrderDetail:
    """By an opposite one."""
    row = service.reverse_payment(tx, call.acting(required=False), call.id(), call.body.reason)
    return detail(tx.conn, row)


def decide(tx: Tx, call: Call) -> s.OrderDetail:
    """Agree, return, refuse, comment."""
    body: VerdictBody = call.body
    row = service.decide(tx, call.acting(required=False), call.id(), body.verdict, body.comment)
    return detail(tx.conn, row)


def list_stages(conn: Connection, call: Call) -> StagesOut:
    """The stages that new orders of a route go through."""
    name = call.query.route
    if store.newest_version(conn, name) is None:
        raise NotFound(f"no route {name}")
    route = store.newest_route(conn, name)
    items = [
        StageOut(
            key=st.key,
            title=dict(st.title),
            kind=st.kind,
            moves=list(route.moves.get(st.key, ())),
            follows=[RuleOfRoute(**rule.body()) for rule in route.rules if rule.stage == st.key],
        )
        for st in route.stages.values()
    ]
    return StagesOut(route=name, route_version=route.version, items=items)


def _route(route: Route) -> RouteOut:
    return RouteOut(name=route.name, version=route.version, **body_of(route))


def list_routes(conn: Connection, _call: Call) -> BaseModel:
    """All routes in their newest versions."""
    names = store.route_names(conn)
    return list_of(RouteOut)(items=[_route(store.newest_route(conn, name)) for name in names])


def get_route(conn: Connection, call: Call) -> RouteOut:
    """One route in its newest version."""
    return _route(store.newest_route(conn, call.params["name"]))


def put_route(tx: Tx, call: Call) -> RouteOut:
    """A new version; checked, every fault named."""
    body: RouteBody = call.body
    wanted = body.model_dump(mode="json", exclude={"staff_id"})
    actor = call.acting(required=False)
    return _route(edit_route(tx, actor, call.params["name"], wanted, call.if_match))


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
        method="PATCH", path="/orders/{id}", summary="Change what is written down about an order", body=OrderChange,
        writes=change_order, **_WRITE,
    ),
    Operation(
        method="GET", path="/orders/{id}/payments", summary="Payments, come and expected", tag="orders",
        may=May.SEE, result=list_of(s.PaymentOut), reads=list_payments, errors=(404,),
    ),
    Operation(
        method="POST", path="/orders/{id}/payments", summary="Write down a payment, come or expected",
        body=PaymentBody, writes=add_payment, status=201, **_WRITE,
    ),
    Operation(
        method="POST", path="/payments/{id}/reverse", summary="Take a payment back by an opposite one",
        tag="orders", may=May.WORK, body=s.ReasonBody, result=s.OrderDetail, writes=reverse_payment,
        errors=(404, 409),
    ),
    Operation(
        method="POST", path="/approvals/{id}/decide", summary="Agree, return, refuse or comment", tag="orders",
        may=May.WORK, body=VerdictBody, result=s.OrderDetail, writes=decide, errors=(404, 409, 412),
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
        method="GET", path="/stages", summary="Stages of a route, by default of the parcel route", tag="orders",
        may=May.SEE, query=StagesQuery, result=StagesOut, reads=list_stages, errors=(404,),
    ),
    Operation(
        method="GET", path="/routes", summary="Routes of orders", tag="orders", may=May.SEE,
        result=list_of(RouteOut), reads=list_routes,
    ),
    Operation(
        method="GET", path="/routes/{name}", summary="One route", tag="orders", may=May.SEE, result=RouteOut,
        reads=get_route, errors=(404,),
    ),
    Operation(
        method="PUT", path="/routes/{name}", summary="Keep a new version of a route", tag="orders", may=May.LEAD,
        body=RouteBody, result=RouteOut, writes=put_route, versioned=True,
    ),
)  # fmt: skip
