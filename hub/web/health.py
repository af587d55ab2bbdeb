"""/healthz: the process lives. /readyz: 200 only when intake works."""

from __future__ import annotations

from aiohttp import web

from hub.web.context import SERVICES
from hub.web.problems import problem


def routes() -> list[web.RouteDef]:
    """Open to everybody, and tell nothing."""
    return [web.get("/healthz", healthz), web.get("/readyz", readyz)]


async def healthz(_request: web.Request) -> web.Response:
    """Always 200 while the event loop turns."""
    return web.json_response({"status": "alive"})


async def readyz(request: web.Request) -> web.Response:
    """200 when a delivery would be stored; else 503 with the reason."""
    services = request.app[SERVICES]
    if services.life.stopping:
        return problem(503, "the hub is stopping", headers={"Retry-After": "5"})
    if services.db.writer.down is not None:
        return problem(503, "the database is not available", headers={"Retry-After": "5"})
    return web.json_response({"status": "ready"})
