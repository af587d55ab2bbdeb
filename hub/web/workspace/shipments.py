"""The list of parcels with its filters, and the page of one parcel that belongs to no order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web
from sqlalchemy.engine import Connection

from hub.kernel.errors import InputRejected
from hub.shipments import codes, found, listing, store
from hub.shipments.listing import Concern, Wanted
from hub.shipments.pages import pages
from hub.web.workspace import labels, queries
from hub.web.workspace.orders import carrier_titles
from hub.web.workspace.parcels import parcels_of
from hub.web.workspace.visit import Visit

KEPT = ("concern", "days", "q", "status", "money", "carrier", "responsible")


def wanted_of(visit: Visit) -> Wanted:
    """What the list is asked for, out of its address; what makes no sense is left out."""
    concern, status, money = visit.query("concern"), visit.query("status"), visit.query("money")
    days = visit.query("days", 4)
    return Wanted(
        concern=Concern(concern) if concern in set(Concern) else None,
        days=min(int(days), listing.MAX_DAYS) if days.isascii() and days.isdigit() else None,
        text=visit.query("q"),
        status=status if status in labels.STATUS else "",
        money=money if money in labels.MONEY else "",
        account=visit.query("carrier"),
        responsible_id=visit.query_id("responsible"),
        cursor=visit.query("cursor"),
        limit=queries.PAGE,
    )


async def shipment_list(visit: Visit) -> web.Response:
    """GET /shipments"""
    wanted, now = wanted_of(visit), visit.services.clock.now()
    titles = carrier_titles(visit)

    def find(conn: Connection) -> dict[str, Any]:
        rows = listing.find(conn, wanted, now)
        return {
            "items": listing.items(conn, rows.items),
            "further": rows.further,
            "counters": listing.counters(conn, now),
            "people": queries.names(conn),
            "choices": queries.active_people(conn),
            "waybills": found.open_waybills(conn, found.SHOWN) if not wanted.cursor else [],
        }

    kept = {k: v for k in KEPT if (v := visit.query(k))}
    try:
        shown = await visit.read(find)
    except InputRejected:  # an address that somebody shortened: the first page
        return visit.redirect("/shipments")
    return visit.render(
        "shipments.html", wanted=wanted, kept=kept, carriers=titles, counted=listing.COUNTED,
        days=_days_of(wanted), statuses=list(labels.STATUS), moneys=list(labels.MONEY), **shown,
    )  # fmt: skip


def _days_of(wanted: Wanted) -> int | None:
    """The days that the chosen concern counts by."""
    defaults: Mapping[Concern | None, int] = {
        Concern.WAITING: listing.WAITING_DAYS,
        Concern.STORAGE: listing.STORAGE_DAYS,
    }
    return wanted.days if wanted.days is not None else defaults.get(wanted.concern)


async def shipment_page(visit: Visit) -> web.Response:
    """GET /shipments/<id>"""
    return await show_shipment(visit, visit.id())


async def show_shipment(visit: Visit, shipment_id: int, status: int = 200) -> web.Response:
    """The page of a parcel, after a refused form too."""
    titles, addresses = carrier_titles(visit), pages(visit.services.carriers)

    def find(conn: Connection) -> dict[str, Any]:
        row = store.get(conn, shipment_id)
        rows = [row, *store.children(conn, [row.id])]
        number = queries.order_number(conn, row.order_id) if row.order_id is not None else None
        parcel = parcels_of(conn, rows, titles, visit.words.now, addresses)[0]
        parents = store.many(conn, [row.parent_id]) if row.parent_id is not None else []
        parent = parents[0] if parents else None
        return {"parcel": parcel, "order_number": number, "parent": parent}

    return visit.render("shipment.html", status, **await visit.read(find))


# --- codes that no table lists -----------------------------------------------------------------------------


async def code_list(visit: Visit) -> web.Response:
    """GET /unknown-codes"""
    cursor = visit.query("cursor")
    try:
        rows, further = await visit.read(lambda conn: codes.unknown_codes(conn, queries.PAGE, cursor))
    except InputRejected:
        return visit.redirect("/unknown-codes")
    plugins = visit.services.carrier_plugins
    titles = {
        name: plugin.title.get(visit.language) or plugin.title.get("en") or name
        for name, plugin in plugins.items()
    }
    return visit.render("unknown_codes.html", codes=rows, further=further, first=not cursor, plugins=titles)


async def code_listed(visit: Visit) -> web.Response:
    """POST /unknown-codes/listed: it stands in the plugin's table now."""
    plugin, code = visit.form.line("plugin", 100), visit.form.line("code", 100)
    await visit.write(lambda tx: codes.listed(tx, visit.actor, plugin, code))
    return visit.redirect("/unknown-codes", "code_listed")
