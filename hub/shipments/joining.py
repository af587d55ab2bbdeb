"""Parcels and orders come together: a number is followed before anybody knows its order, and joins it later."""

from __future__ import annotations

from hub.access.model import Actor, May
from hub.contacts import store as contacts
from hub.db.locks import lock_orders
from hub.db.tx import Tx
from hub.kernel.errors import RuleSaysNo, VersionConflict
from hub.orders import service as orders
from hub.orders import store as order_store
from hub.orders.model import Payment
from hub.sdk.tracking import MoneyStatus
from hub.shipments import found, service, store, telling
from hub.shipments.finding import FoundRow
from hub.shipments.model import merge
from hub.shipments.store import ShipmentRow


def follow_loose(tx: Tx, actor: Actor, account: str, plugin: str, number: str) -> ShipmentRow:
    """Follow a number that belongs to no order yet. The same again gives the same parcel."""
    actor.require(May.WORK)
    known = store.with_number(tx.conn, number, account)
    if known:
        return known[-1]
    row = service.new_row(tx, actor, number, account, plugin, order_id=None)
    store.add(tx, row)
    return row


def join(tx: Tx, actor: Actor, shipment_id: int, order_id: int) -> ShipmentRow:
    """A parcel without an order gets one, its further legs with it; it is asked for again at once."""
    actor.require(May.WORK)
    lock_orders(tx, [order_id])
    row, *legs = _locked(tx, shipment_id)
    if row.order_id == order_id:
        return row
    if row.order_id is not None:
        number = order_store.get(tx.conn, row.order_id).number
        raise RuleSaysNo(
            f"order {number} has this number already: check it, one waybill belongs to one order",
            order_number=number,
        )
    order = order_store.get(tx.conn, order_id)
    phone = contacts.get(tx.conn, order.contact_id).first("phone") or None
    cod = order.payment == Payment.COD
    unsure = cod and row.money_status == MoneyStatus.NONE
    body: dict[str, object] = {"carrier": row.account, "number": row.number}
    orders.remark(tx, actor, order_id, "shipment_attached", body)
    for one in (row, *legs):
        own = {"cod": cod, "money_status": MoneyStatus.UNKNOWN if unsure else row.money_status}
        after = store.save(
            tx, one, order_id=order_id, phone=phone, next_poll_at=tx.now, **(own if one is row else {})
        )
        telling.tell_one(tx, telling.ATTACHED, after)
    found.settle(tx, row.number, row.account, order_id)
    _order_follows(tx, order_id)
    return store.get(tx.conn, row.id)


def detach(tx: Tx, actor: Actor, shipment_id: int) -> ShipmentRow:
    """A parcel was attached to the wrong order: it leaves it, its further legs with it, and is followed on.

    The order does not go back; what is left of its parcels may call for a later stage.
    """
    actor.require(May.WORK)
    known = store.get(tx.conn, shipment_id)
    if known.parent_id is not None:
        number = store.get(tx.conn, known.parent_id).number
        raise RuleSaysNo(f"this waybill goes with {number}: take that one off the order", number=number)
    if known.order_id is None:
        raise RuleSaysNo("this parcel belongs to no order")
    lock_orders(tx, [known.order_id])
    row, *legs = _locked(tx, shipment_id)
    if row.order_id != known.order_id:
        raise VersionConflict(f"parcel {row.number} was moved by somebody else")
    body: dict[str, object] = {"carrier": row.account, "number": row.number}
    orders.remark(tx, actor, known.order_id, "shipment_detached", body)
    for one in (row, *legs):
        own = {"cod": False, "money_status": _money_alone(tx, one)}
        after = store.save(tx, one, order_id=None, phone=None, **own)
        telling.tell_one(tx, telling.DETACHED, after, left=known.order_id)
    _order_follows(tx, known.order_id)
    return store.get(tx.conn, row.id)


def _locked(tx: Tx, shipment_id: int) -> list[ShipmentRow]:
    """A parcel and its further legs, locked after its order. Raises NotFound."""
    store.get(tx.conn, shipment_id)
    legs = [one.id for one in store.children(tx.conn, [shipment_id])]
    rows = store.lock(tx, [shipment_id, *legs])
    return [rows[shipment_id], *(rows[one] for one in legs)]


def _money_alone(tx: Tx, row: ShipmentRow) -> MoneyStatus:
    """The money line without an order that says cash on delivery: only what the carrier tells."""
    if row.money_status != MoneyStatus.UNKNOWN:
        return MoneyStatus(row.money_status)
    return merge(store.observations(tx.conn, [row.id])[row.id], cod=False).money


def _order_follows(tx: Tx, order_id: int) -> None:
    """A parcel that joins may have come further already than its order."""
    parcels = [one for one in store.of_order(tx.conn, order_id) if one.relation == service.OUTBOUND]
    told = [(one.number, one.status, one.money_status) for one in parcels]
    orders.follow_parcels(tx, service.TRACKING, order_id, told)


def attach(
    tx: Tx, actor: Actor, order_id: int, account: str, plugin: str, number: str, phone: str | None
) -> ShipmentRow:
    """A number joins an order, whether it is followed already or new here; its proposal is done with."""
    for one in store.with_number(tx.conn, number, account):
        if one.order_id is None and one.parent_id is None:
            return join(tx, actor, one.id, order_id)
    row = service.attach(tx, actor, order_id, account, plugin, number, phone)
    found.settle(tx, number, account, order_id)
    return row


def attach_found(tx: Tx, actor: Actor, waybill: FoundRow, plugin: str, order_number: str = "") -> ShipmentRow:
    """A found waybill joins the order that it is proposed for, or the one that is named."""
    actor.require(May.WORK)
    order_id = found.take(tx, waybill, order_number)
    phone = contacts.get(tx.conn, order_store.get(tx.conn, order_id).contact_id).first("phone") or None
    return attach(tx, actor, order_id, waybill.account, plugin, waybill.number, phone)
