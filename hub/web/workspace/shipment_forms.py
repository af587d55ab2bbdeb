"""What the forms about parcels do: found waybills, a parcel's order, the customer's tracking page."""

from __future__ import annotations

from aiohttp import web

from hub.db.tx import Tx
from hub.kernel.errors import HubError, InputRejected, RuleSaysNo, VersionConflict
from hub.shipments import found, joining, links
from hub.web.workspace.shipments import show_shipment
from hub.web.workspace.visit import Visit

_REFUSALS = (InputRejected, RuleSaysNo, VersionConflict)


async def adopt(visit: Visit) -> web.Response:
    """POST /shipments/<id>/order: the parcel belongs to this order."""
    form, shipment_id = visit.form, visit.id()
    form.name = "adopt"

    def write(tx: Tx) -> int:
        order_id = found.find_order(tx.conn, form.line("order", 40))
        joining.join(tx, visit.actor, shipment_id, order_id)
        return order_id

    try:
        order_id = await visit.write(write)
    except _REFUSALS as error:
        form.message = visit.words.error(error, {})
        return await show_shipment(visit, shipment_id, _status(error))
    return visit.redirect(f"/orders/{order_id}#parcels", "attached")


async def detach(visit: Visit) -> web.Response:
    """POST /shipments/<id>/detach: the parcel is none of this order's."""
    visit.form.name = "detach"
    try:
        await visit.write(lambda tx: joining.detach(tx, visit.actor, visit.id()))
    except _REFUSALS as error:
        visit.form.message = visit.words.error(error, {})
        return await show_shipment(visit, visit.id(), _status(error))
    return visit.redirect(f"/shipments/{visit.id()}", "detached")


async def attach_waybill(visit: Visit) -> web.Response:
    """POST /waybills/<id>/attach: to the order it is proposed for, or to the one that was typed."""
    waybill_id, services = visit.id(), visit.services

    def write(tx: Tx) -> int:
        row = found.get(tx.conn, waybill_id)
        plugin = services.account_plugins.get(row.account, "")
        made = joining.attach_found(tx, visit.actor, row, plugin, visit.form.line("order", 40))
        assert made.order_id is not None
        return made.order_id

    order_id = await visit.write(write)
    return visit.redirect(f"/orders/{order_id}#parcels", "attached")


async def dismiss_waybill(visit: Visit) -> web.Response:
    """POST /waybills/<id>/dismiss"""
    waybill_id = visit.id()
    row = await visit.write(lambda tx: found.dismiss(tx, visit.actor, waybill_id))
    where = f"/orders/{row.order_id}#parcels" if row.order_id is not None else "/shipments"
    return visit.redirect(where, "dismissed")


async def make_link(visit: Visit) -> web.Response:
    """POST /orders/<id>/track-link: a page for the customer, or a new address for it."""
    order_id = visit.id()
    had = await visit.read(lambda conn: links.link_of(conn, order_id))
    await visit.write(lambda tx: links.renew(tx, visit.actor, order_id))
    return visit.redirect(f"/orders/{order_id}#track-link", "link_renewed" if had else "link_made")


async def end_link(visit: Visit) -> web.Response:
    """POST /orders/<id>/track-link/end"""
    order_id = visit.id()
    await visit.write(lambda tx: links.revoke(tx, visit.actor, order_id))
    return visit.redirect(f"/orders/{order_id}#track-link", "link_ended")


def _status(error: HubError) -> int:
    return 422 if isinstance(error, InputRejected) else 409
