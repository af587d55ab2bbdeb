"""A carrier in a process of its own: ready answers, joined from ready documents.

    python -m tests.benchmarks.parcel_server      prints its port

POST /prepare {"count", "round", "every"} makes the documents: every `every`-th parcel has moved since the last
round. Everything else is a tracking call. It costs as little as it can, so that what is measured is who asks.
"""

from __future__ import annotations

import asyncio
import sys

import orjson
from aiohttp import web

from tests.benchmarks import answers

documents: dict[str, bytes] = {}
moved: dict[str, int] = {}


async def prepare(request: web.Request) -> web.Response:
    """Make the documents of one round."""
    told = orjson.loads(await request.read())
    for n, number in enumerate(answers.numbers(told["count"])):
        if number not in documents or n % told["every"] == told["round"] % told["every"]:
            at = answers.NOW_MS + told["round"] * 7_200_000 + n
            documents[number] = orjson.dumps(answers.item(number, n, moved_ms=at))
    return web.Response(text="ready")


async def track(request: web.Request) -> web.Response:
    """One tracking call."""
    asked = orjson.loads(await request.read())["methodProperties"]["Documents"]
    body = answers.envelope([documents[one["DocumentNumber"]] for one in asked])
    return web.Response(body=body, content_type="application/json")


async def main() -> None:
    """Serve until the standard input ends."""
    app = web.Application()
    app.router.add_post("/prepare", prepare)
    app.router.add_post("/", track)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
