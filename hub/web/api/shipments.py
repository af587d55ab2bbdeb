"""/api/v1/shipments, /api/v1/orders/{id}/shipments"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, Field
from sqlalchemy.engine import Connection

from hub.access.model import May
from hub.contacts import store as contacts
from hub.db.tx import Tx
from hub.kernel.clock import Instant
from hub.kernel.errors import FieldProblem, InputRejected
from hub.orders import store as orders
from hub.sdk.carrier import Carrier
from hub.sdk.tracking import Likeness
from hub.shipments import joining, listing, service, store
from hub.shipments.listing import MAX_DAYS, Concern, Wanted
from hub.web.api import schemas as s
from hub.web.api import views
from hub.web.api.paging import list_of
from hub.web.api.registry import Call, Operation


class ShipmentQuery(s.In):
    """Which parcels. With a `concern` only parcels to customers, in its own order; else the newest first."""

    limit: int = Field(50, ge=1, le=200)
    cursor: s.Name | None = Field(None, description="next_cursor of the page before")
    updated_since: s.TimeIn | None = Field(None, description="only what changed at or after this moment")
    concern: Concern | None = Field(
        None,
        description="waiting: can be collected for longer than `days`; storage: paid storage begins within `days`; "
        "money: delivered, and the money has not come; returning; silent: no news; unknown: its newest code stands "
        "in no table; loose: of no order",
    )
    days: int | None = Field(None, ge=0, le=MAX_DAYS, description="of waiting (3) and storage (2)")
    status: s.Name | None = None
    money_status: s.Name | None = None
    carrier: s.Name | None = None
    number: s.Name | None = None
    order_id: s.Id | None = None
    responsible_id: s.Id | None = Field(None, description="who answers for the order")


class ShipmentBody(s.ActingBody):
    """A waybill number. Without `carrier` the number must look like exactly one account's."""

    carrier: s.Name | None = Field(None, description="account, as in [carriers.<account>]")
    number: s.Name = Field(min_length=1)


def list_shipments(conn: Connection, call: Call) -> BaseModel:
    """One page."""
    asked: ShipmentQuery = call.query
    wanted = Wanted(
        concern=asked.concern,
        days=asked.days,
        status=asked.status or "",
        money=asked.money_status or "",
        account=asked.carrier or "",
        number=asked.number or "",
        order_id=_id(asked.order_id),
        responsible_id=_id(asked.responsible_id),
        updated_since=Instant(asked.updated_since) if asked.updated_since is not None else None,
        legs=asked.concern is None,
        cursor=asked.cursor or "",
        limit=asked.limit,
    )
    found = listing.find(conn, wanted, call.services.clock.now())
    shown = [views.shipment(row) for row in found.items]
    return list_of(s.ShipmentOut)(items=shown, next_cursor=found.further)


def _id(text: str | None) -> int | None:
    return int(text) if text is not None else None


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
    actor = call.acting(required=False)
    order = orders.get(tx.conn, call.id())
    account, number = call.said()
    plugin = call.services.account_plugins[account]
    phone = contacts.get(tx.conn, order.contact_id).first("phone") or None
    row = joining.attach(tx, actor, order.id, account, plugin, number, phone)
    return detail(tx.conn, row.id)


def whose(call: Call) -> tuple[str, str]:
    """Asked before the transaction."""
    body: ShipmentBody = call.body
    return choose(call.services.carriers, body.carrier, body.number)


def choose(carriers: Mapping[str, Carrier], account: str | None, typed: str) -> tuple[str, str]:
    """(account, number as the carrier writes it). Raises InputRejected with what to do.

    Calls plugins: never in a transaction, and off the loop.
    """
    number = service.check_number(typed)
    if account is not None:
        if account not in carriers:
            names = ", ".join(sorted(carriers)) or "none is configured"
            raise InputRejected("no such carrier account", [FieldProblem("carrier", f"accounts: {names}")])
        return account, written(carriers[account], number)
    told = {name: carrier.looks_like(number).likeness for name, carrier in carriers.items()}
    likely = [name for name, likeness in told.items() if likeness is not Likeness.NO]
    sure = [name for name in likely if told[name] is Likeness.SURE] or likely
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
        may=May.WORK, body=ShipmentBody, result=s.ShipmentDetail, asks=whose, writes=attach, status=201,
        errors=(404, 409),
    ),
)  # fmt: skip
