"""/api/v1/shipments/bulk, /api/v1/waybills, /api/v1/orders/{id}/track-link, /api/v1/shipments/{id}/order"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field
from sqlalchemy.engine import Connection

from hub.access.model import May
from hub.db.tx import Tx
from hub.kernel.errors import FieldProblem, InputRejected, NotFound
from hub.orders import store as orders
from hub.shipments import bulk, codes, found, joining, links, notices
from hub.shipments.bulk import Heard, Line, Shelf, Verdict
from hub.shipments.found import Proposal
from hub.staff import store as staff
from hub.web.api import schemas as s
from hub.web.api.paging import list_of
from hub.web.api.registry import Call, Operation
from hub.web.api.shipments import detail


class WaybillOut(s.Out):
    """A waybill that an account made and no order has yet; `order_id`: the order that it is proposed for."""

    id: str
    number: str
    carrier: str
    order_reference: str
    order_id: str | None
    order_number: str | None
    why: str
    made_at: s.Time | None
    cod: s.MoneyValue | None
    created_at: s.Time


class WaybillAttach(s.ActingBody):
    """To which order; without one to the order that is proposed."""

    order_number: s.Name | None = None


class OrderOfShipment(s.ActingBody):
    """The order that a parcel without one joins."""

    order_id: s.Id


class BulkLine(s.In):
    """One number. Without `carrier` the number tells whose it is; without `order_number` it is followed alone."""

    number: s.Name
    order_number: s.Name = ""
    carrier: s.Name = Field("", description="account, plugin or title")


class BulkBody(s.ActingBody):
    """Many numbers at once: all that can be added is added in one transaction, or nothing."""

    lines: list[BulkLine] = Field(min_length=1, max_length=bulk.MAX_LINES)
    carrier: s.Name = Field("", description="account of the numbers that do not tell whose they are")
    dry_run: bool = Field(False, description="only say what would happen to each line")
    skip_problems: bool = Field(
        False, description="leave out lines with a problem; else one refuses all (422)"
    )


class BulkLineOut(s.Out):
    """What happens to a line; `line` counts from 1."""

    line: int
    number: str
    carrier: str
    order_id: str | None
    order_number: str
    verdict: Verdict
    message: str


class BulkOut(s.Out):
    """What happened to all lines, or would happen."""

    added: int
    lines: list[BulkLineOut]


def hear_bulk(call: Call) -> Heard:
    """What the carriers say about the numbers; asked before the transaction."""
    services = call.services
    return Shelf(services.carriers, services.account_plugins).hear(_lines(call.body))


def _lines(body: BulkBody) -> list[Line]:
    return [Line(at, one.number, one.order_number, one.carrier) for at, one in enumerate(body.lines, 1)]


def add_bulk(tx: Tx, call: Call) -> BulkOut:
    """Many numbers at once."""
    body: BulkBody = call.body
    services = call.services
    heard: Heard = call.said()
    lines = _lines(body)
    default = body.carrier
    if default and default not in services.carriers:
        names = ", ".join(sorted(services.carriers)) or "none is configured"
        raise InputRejected("no such carrier account", [FieldProblem("carrier", f"accounts: {names}")])
    if body.dry_run:
        looked = bulk.look(tx.conn, lines, heard, tx.now, default)
    else:
        actor = call.acting(required=False)
        looked = bulk.add(tx, actor, lines, heard, default=default, skip_problems=body.skip_problems)
    shown = [
        BulkLineOut(
            line=one.line.at,
            number=one.number,
            carrier=one.account,
            order_id=s.id_of(one.order_id),
            order_number=one.order_number,
            verdict=one.verdict,
            message=one.message,
        )
        for one in looked
    ]
    return BulkOut(added=0 if body.dry_run else sum(one.is_added for one in looked), lines=shown)


class UnknownCodeOut(s.Out):
    """A code of a carrier that no table lists. `table_line` is ready for the plugin's table; its status is yours."""

    plugin: str
    code: str
    text: str = Field(description="the carrier's words, cut")
    told: int = Field(description="how often it was told")
    parcels: int = Field(description="parcels that told it")
    first_seen_at: s.Time
    last_seen_at: s.Time | None
    table_line: str


class ListedCode(s.In):
    """A code that stands in the plugin's table now."""

    plugin: s.Name
    code: s.Name


class ListedOut(s.Out):
    """It left the list; should it come again, it is announced anew."""

    plugin: str
    code: str


def list_codes(conn: Connection, call: Call) -> BaseModel:
    """Newest first."""
    asked: s.Page = call.query
    rows, further = codes.unknown_codes(conn, asked.limit, asked.cursor or "")
    shown = [
        UnknownCodeOut(
            plugin=row.plugin,
            code=row.code,
            text=row.words,
            told=row.told,
            parcels=row.parcels,
            first_seen_at=s.time_of(row.first_seen_at) or "",
            last_seen_at=s.time_of(row.last_seen_at),
            table_line=row.line,
        )
        for row in rows
    ]
    return list_of(UnknownCodeOut)(items=shown, next_cursor=further)


def settle_code(tx: Tx, call: Call) -> ListedOut:
    """Off the list."""
    body: ListedCode = call.body
    codes.listed(tx, call.actor, body.plugin, body.code)
    return ListedOut(plugin=body.plugin, code=body.code)


class NoticesBody(s.In):
    """What a team's customers are told about their parcels by themselves; all of it is replaced."""

    steps: list[Literal["shipped", "arrived", "courier", "missed", "delivered", "returning"]]
    quiet_from: s.Name = Field("21:00", description="wall clock of the hub, HH:MM")
    quiet_to: s.Name = Field("09:00", description="the same as quiet_from: no quiet hours")


class NoticesOut(s.Out):
    """What a team's customers are told. Texts: templates named parcel-<step>, else the built-in ones."""

    team: str
    steps: list[str]
    quiet_from: str
    quiet_to: str


def get_notices(conn: Connection, call: Call) -> NoticesOut:
    """What a team's customers are told."""
    team = staff.team_by_name(conn, call.params["name"])
    return _notices(team.name, notices.choice_of(team.settings))


def set_notices(tx: Tx, call: Call) -> NoticesOut:
    """Change it."""
    body: NoticesBody = call.body
    team = staff.team_by_name(tx.conn, call.params["name"])
    kept = notices.choose(tx, call.actor, team.id, body.steps, body.quiet_from, body.quiet_to)
    return _notices(team.name, kept)


def _notices(team: str, choice: notices.Choice) -> NoticesOut:
    steps = [step for step in notices.STEPS if step in choice.steps]
    return NoticesOut(team=team, steps=steps, quiet_from=choice.quiet_from, quiet_to=choice.quiet_to)


class TrackLinkOut(s.Out):
    """The customer's tracking page. `path` belongs behind the address of this hub."""

    order_id: str
    secret: str
    path: str


class TrackLinkEnded(s.Out):
    """Was there a page?"""

    ended: bool


def list_waybills(conn: Connection, call: Call) -> BaseModel:
    """What waits for a decision, newest first."""
    asked: s.Page = call.query
    before = int(asked.cursor) if asked.cursor is not None else None
    rows = found.open_waybills(conn, asked.limit + 1, before)
    shown = [_waybill(one) for one in rows[: asked.limit]]
    return list_of(WaybillOut)(items=shown, next_cursor=shown[-1].id if len(rows) > asked.limit else None)


def _waybill(one: Proposal) -> WaybillOut:
    row = one.waybill
    created_at = s.time_of(row.created_at)
    assert created_at is not None
    return WaybillOut(
        id=str(row.id),
        number=row.number,
        carrier=row.account,
        order_reference=row.order_reference,
        order_id=s.id_of(row.order_id),
        order_number=one.order_number,
        why=row.why,
        made_at=s.time_of(row.made_at),
        cod=s.money(row.cod_minor, row.currency),
        created_at=created_at,
    )


def attach_waybill(tx: Tx, call: Call) -> s.ShipmentDetail:
    """The waybill joins an order."""
    body: WaybillAttach = call.body
    row = found.get(tx.conn, call.id())
    plugin = call.services.account_plugins.get(row.account, "")
    made = joining.attach_found(tx, call.acting(required=False), row, plugin, body.order_number or "")
    return detail(tx.conn, made.id)


def dismiss_waybill(tx: Tx, call: Call) -> WaybillOut:
    """The waybill is not proposed again."""
    row = found.dismiss(tx, call.acting(required=False), call.id())
    return _waybill(Proposal(row, None))


def join_order(tx: Tx, call: Call) -> s.ShipmentDetail:
    """A parcel without an order joins one."""
    body: OrderOfShipment = call.body
    row = joining.join(tx, call.acting(required=False), call.id(), int(body.order_id))
    return detail(tx.conn, row.id)


def detach_order(tx: Tx, call: Call) -> s.ShipmentDetail:
    """A parcel leaves an order that it does not belong to; it is followed on."""
    row = joining.detach(tx, call.acting(required=False), call.id())
    return detail(tx.conn, row.id)


def get_link(conn: Connection, call: Call) -> TrackLinkOut:
    """The page's address. 404 where the order has none."""
    order = orders.get(conn, call.id())
    secret = links.link_of(conn, order.id)
    if secret is None:
        raise NotFound(f"order {order.id} has no tracking page")
    return _link(order.id, secret)


def make_link(tx: Tx, call: Call) -> TrackLinkOut:
    """A page with a new address; the one before leads nowhere."""
    return _link(call.id(), links.renew(tx, call.acting(required=False), call.id()))


def end_link(tx: Tx, call: Call) -> TrackLinkEnded:
    """No page any more."""
    return TrackLinkEnded(ended=links.revoke(tx, call.actor, call.id()))


def _link(order_id: int, secret: str) -> TrackLinkOut:
    return TrackLinkOut(order_id=str(order_id), secret=secret, path=f"{links.PATH}{secret}")


OPERATIONS = (
    Operation(
        method="POST", path="/shipments/bulk", summary="Add many waybill numbers, or see what would happen",
        tag="shipments", may=May.WORK, body=BulkBody, result=BulkOut, asks=hear_bulk, writes=add_bulk, errors=(409,),
    ),
    Operation(
        method="GET", path="/teams/{name}/customer-notices", summary="What customers are told about their parcels",
        tag="shipments", may=May.SEE, result=NoticesOut, reads=get_notices, errors=(404,),
    ),
    Operation(
        method="PUT", path="/teams/{name}/customer-notices", summary="Choose what customers are told",
        tag="shipments", may=May.LEAD, body=NoticesBody, result=NoticesOut, writes=set_notices, errors=(404,),
    ),
    Operation(
        method="GET", path="/unknown-codes", summary="Codes of carriers that no table lists", tag="shipments",
        may=May.OPERATE, query=s.Page, result=list_of(UnknownCodeOut), reads=list_codes,
    ),
    Operation(
        method="POST", path="/unknown-codes/listed", summary="A code stands in the plugin's table now",
        tag="shipments", may=May.OPERATE, body=ListedCode, result=ListedOut, writes=settle_code, errors=(404,),
    ),
    Operation(
        method="GET", path="/waybills", summary="Waybills found at the carriers, without an order",
        tag="shipments", may=May.SEE, query=s.Page, result=list_of(WaybillOut), reads=list_waybills,
    ),
    Operation(
        method="POST", path="/waybills/{id}/attach", summary="A found waybill joins an order", tag="shipments",
        may=May.WORK, body=WaybillAttach, result=s.ShipmentDetail, writes=attach_waybill, errors=(404, 409),
    ),
    Operation(
        method="POST", path="/waybills/{id}/dismiss", summary="A found waybill is not ours", tag="shipments",
        may=May.WORK, body=s.ActingBody, result=WaybillOut, writes=dismiss_waybill, errors=(404, 409),
    ),
    Operation(
        method="POST", path="/shipments/{id}/order", summary="A parcel without an order joins one",
        tag="shipments", may=May.WORK, body=OrderOfShipment, result=s.ShipmentDetail, writes=join_order,
        errors=(404, 409),
    ),
    Operation(
        method="POST", path="/shipments/{id}/detach", summary="A parcel leaves its order", tag="shipments",
        may=May.WORK, body=s.ActingBody, result=s.ShipmentDetail, writes=detach_order, errors=(404, 409),
    ),
    Operation(
        method="GET", path="/orders/{id}/track-link", summary="The customer's tracking page", tag="shipments",
        may=May.SEE, result=TrackLinkOut, reads=get_link, errors=(404,),
    ),
    Operation(
        method="POST", path="/orders/{id}/track-link", summary="Make the tracking page, or renew its address",
        tag="shipments", may=May.WORK, body=s.ActingBody, result=TrackLinkOut, writes=make_link, status=201,
        errors=(404,),
    ),
    Operation(
        method="DELETE", path="/orders/{id}/track-link", summary="Close the tracking page", tag="shipments",
        may=May.WORK, result=TrackLinkEnded, writes=end_link, errors=(404,),
    ),
)  # fmt: skip
