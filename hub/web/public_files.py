"""GET /files/<secret>/<name>: a file of ours that a provider fetches itself (Viber). The secret is the right.

The address of the workspace serves it, so what it serves can do nothing there: pictures of kinds that browsers only
draw are shown, everything else is a download, in a sandbox without scripts, and no search engine keeps it.
"""

from __future__ import annotations

import asyncio
from urllib.parse import quote

from aiohttp import web

from hub.kernel.errors import NotFound
from hub.requests import filelinks
from hub.requests.conversation import PICTURES
from hub.web.context import SERVICES

PATH = "/files/{secret}/{name}"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, max-age=3600",
}


def routes() -> list[web.RouteDef]:
    """GET and HEAD."""
    return [web.get(PATH, serve)]


async def serve(request: web.Request) -> web.Response:
    """The bytes; whatever does not open anything looks alike."""
    services = request.app[SERVICES]
    secret, now = request.match_info["secret"], services.clock.now()
    gone = NotFound("there is nothing at this address")
    if not 20 <= len(secret) <= 100:
        raise gone
    row = await services.db.read(lambda conn: filelinks.find(conn, secret, now))
    if row is None or row.blob is None:
        raise gone
    body = await asyncio.to_thread(services.door.blobs.get, row.blob)
    if body is None:
        raise gone
    shown = row.media_type in PICTURES
    kind = "inline" if shown else "attachment"
    headers = {**_HEADERS, "Content-Disposition": f"{kind}; filename*=UTF-8''{quote(row.name, safe='')}"}
    media_type = row.media_type if shown else "application/octet-stream"
    return web.Response(body=body, content_type=media_type, headers=headers)
