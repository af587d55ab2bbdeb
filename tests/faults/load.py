"""The outside world: customers that post forms and repeat what got no answer, and a receiver of web hooks."""

import asyncio
import random
import time
from collections import Counter

import aiohttp
from aiohttp import web

from tests.integration.hubs import phone

AGAIN = 0.05
"""How often a customer sends again what was acknowledged already."""


class Customers:
    """They know every hub; who gets no answer sends the same again, to any of them."""

    def __init__(self, bases: "list[str]", chance: random.Random) -> None:
        self.bases = bases
        self.chance = chance
        self.acknowledged: dict[str, str] = {}
        self.unanswered: list[str] = []
        self.answers: Counter[str] = Counter()
        self.number = 0
        self.stopping = asyncio.Event()

    async def run(self, count: int) -> None:
        """Post until `stopping` is set; then everything that was sent gets its answer."""
        timeout = aiohttp.ClientTimeout(total=12)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            await asyncio.gather(*(self._one(session) for _ in range(count)))
            deadline = time.monotonic() + 90
            while self.unanswered and time.monotonic() < deadline:
                await self._post(session, self.unanswered.pop())

    async def _one(self, session: aiohttp.ClientSession) -> None:
        while not self.stopping.is_set():
            if self.unanswered:
                await self._post(session, self.unanswered.pop())
            elif self.acknowledged and self.chance.random() < AGAIN:
                await self._post(session, str(self.chance.randint(1, self.number)), first=False)
            else:
                self.number += 1
                await self._post(session, str(self.number))
            await asyncio.sleep(0.01)

    async def _post(self, session: aiohttp.ClientSession, key: str, *, first: bool = True) -> None:
        fields = {"name": f"N{key}", "phone": phone(int(key)), "message": f"order {key}"}
        base = self.chance.choice(self.bases)
        try:
            async with session.post(
                f"{base}/in/form", json=fields, headers={"Idempotency-Key": key}
            ) as answer:
                body = await answer.json(content_type=None)
                if answer.status == 201:
                    told = self.acknowledged.setdefault(key, body["request_id"])
                    self.answers["acknowledged" if told == body["request_id"] else "told differently"] += 1
                    return
                self.answers["put off" if answer.status == 503 else f"status {answer.status}"] += 1
        except (TimeoutError, aiohttp.ClientError, ConnectionError, ValueError):
            self.answers["no answer"] += 1
        if first or key not in self.acknowledged:
            self.unanswered.append(key)
        await asyncio.sleep(0.05)


class Receiver:
    """Somebody else's program that web hooks are sent to; it fails now and then."""

    def __init__(self, chance: random.Random, fails: float) -> None:
        self.chance = chance
        self.fails = fails
        self.heard: Counter[str] = Counter()
        self.address = ""
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen on loopback."""
        app = web.Application()
        app.router.add_post("/hook", self._hook)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        self.address = f"http://127.0.0.1:{port}/hook"

    async def stop(self) -> None:
        """Go away."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _hook(self, request: web.Request) -> web.Response:
        told = await request.json()
        if self.chance.random() < self.fails:
            return web.Response(status=500)
        self.heard[told["event_id"]] += 1
        return web.Response()
