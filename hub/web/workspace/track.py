"""GET /t/<secret>: where his parcels are, for a customer who has the address. No session, no cookie.

It tells what the customer knows already, and no search engine may keep it. Somebody who tries addresses meets
43 random characters and a limit of calls.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web
from sqlalchemy.engine import Connection

from hub.intake.limits import RateLimit
from hub.kernel.clock import DAY
from hub.kernel.errors import NotFound
from hub.orders import store as orders
from hub.orders.model import OrderRow
from hub.shipments import links, store
from hub.web.i18n import LANGUAGES
from hub.web.problems import problem
from hub.web.workspace import render
from hub.web.workspace.orders import carrier_titles
from hub.web.workspace.parcels import Parcel, parcels_of
from hub.web.workspace.visit import Visit
from hub.web.workspace.words import Words

PER_MINUTE = 60
ENDS_AFTER = 180 * DAY
"""So long after the order was closed its page is there."""
LIMIT = web.AppKey("track_limit", RateLimit)
HEADERS = {"X-Robots-Tag": "noindex, nofollow, noarchive", "Referrer-Policy": "no-referrer"}


@dataclass(frozen=True, slots=True)
class Tracked:
    """What the page shows."""

    order: OrderRow
    parcels: list[Parcel]


async def page(visit: Visit) -> web.Response:
    """GET /t/<secret>"""
    wait = visit.request.app[LIMIT].wait_s(visit.address, visit.words.now / 1000)
    if wait:
        return problem(429, "too many questions: wait a little", headers={"Retry-After": str(wait)})
    secret, titles, now = visit.request.match_info["secret"], carrier_titles(visit), visit.words.now
    shown = await visit.read(lambda conn: _read(conn, secret, titles, now))
    if shown is None:
        raise NotFound
    asked = visit.query("lang", 5)
    language = asked if asked in LANGUAGES else visit.language
    words = Words(language, visit.zone, now)
    context = {
        "w": words,
        "language": language,
        "shop": visit.services.loaded.settings.hub.shop_name,
        "order": shown.order,
        "parcels": shown.parcels,
        "path": f"/t/{secret}",
        "demo": visit.services.demo,
    }
    answer = render.page(render.html(language, "track.html", context))
    answer.headers.update(HEADERS)
    return answer


def _read(conn: Connection, secret: str, titles: dict[str, str], now: int) -> Tracked | None:
    order_id = links.order_of(conn, secret)
    if order_id is None:
        return None
    order = orders.get(conn, order_id)
    if order.closed_at is not None and now - order.closed_at > ENDS_AFTER:
        return None
    rows = store.of_order(conn, order_id)
    return Tracked(
        order, [one for one in parcels_of(conn, rows, titles, now) if one.row.relation == "outbound"]
    )
