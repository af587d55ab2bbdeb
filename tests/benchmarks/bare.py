"""The bare limit: an aiohttp handler that parses the same JSON and answers the same 201, without storage."""

from __future__ import annotations

import itertools
import sys

from aiohttp import web

_numbers = itertools.count(250385277481123844)


async def receive(request: web.Request) -> web.Response:
    """Parse, answer."""
    await request.json()
    return web.json_response({"request_id": str(next(_numbers))}, status=201)


def main() -> None:
    """Serve on the port given."""
    app = web.Application()
    app.add_routes([web.post("/in/{account}", receive)])
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)


if __name__ == "__main__":
    main()
