"""kill -9 at random moments under load: what was acknowledged is there once, what was not can be repeated.

HUB_LONG=1 kills a hundred times. The judge is `ledger_audit`, which shares no code with the hub.
"""

import asyncio
import random
import time

import aiohttp
import pytest

from tests.integration import ledger_audit
from tests.integration.hubs import LONG, Served, phone, until

CLIENTS = 24


class Load:
    """Clients that post forms with keys of their own, and keep what got no answer for later."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.acknowledged: dict[str, str] = {}
        self.unanswered: list[str] = []
        self.repeated = 0
        self.number = 0
        self.stop = asyncio.Event()
        self.up = asyncio.Event()
        self.up.set()

    async def client(self, session: aiohttp.ClientSession) -> None:
        while not self.stop.is_set():
            await self.up.wait()
            if self.unanswered:
                key = self.unanswered.pop()
                self.repeated += 1
            else:
                self.number += 1
                key = f"{self.number}"
            await self.post(session, key)

    async def post(self, session: aiohttp.ClientSession, key: str) -> None:
        fields = {"name": f"N{key}", "phone": phone(int(key)), "message": f"order {key}"}
        try:
            async with session.post(
                f"{self.served.base}/in/form", json=fields, headers={"Idempotency-Key": key}
            ) as answer:
                body = await answer.json(content_type=None)
                if answer.status == 201:
                    before = self.acknowledged.setdefault(key, body["request_id"])
                    assert before == body["request_id"]
                    return
                assert answer.status == 503, (answer.status, body)
        except (TimeoutError, aiohttp.ClientError, ConnectionError):
            pass
        self.unanswered.append(key)
        await asyncio.sleep(0.02)

    async def settle(self, session: aiohttp.ClientSession) -> None:
        """Repeat what got no answer until everything has one."""
        deadline = time.monotonic() + 30
        while self.unanswered and time.monotonic() < deadline:
            await self.post(session, self.unanswered.pop())
        assert self.unanswered == []


@pytest.mark.slow
@pytest.mark.timeout(1_800 if LONG else 150)
async def test_kill_loses_nothing_and_doubles_nothing(hub_url, serve, record_property):
    kills = 100 if LONG else 5 if hub_url.startswith("sqlite") else 3
    chance = random.Random(20261122)
    served = serve(hub_url)
    for name in ("Ann", "Bob", "Eve"):
        assert (await asyncio.to_thread(served.command, "staff", "add", name)).returncode == 0
    load = Load(served)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(10)) as session:
        clients = [asyncio.create_task(load.client(session)) for _ in range(CLIENTS)]
        for _ in range(kills):
            answered = len(load.acknowledged)
            while len(load.acknowledged) < answered + 30:  # in the middle of the stream, not before it
                await asyncio.sleep(0.01)
                for one in clients:
                    assert not one.done(), one.exception()
            await asyncio.sleep(chance.uniform(0, 0.25))
            await asyncio.to_thread(served.kill)
            load.up.clear()
            await asyncio.to_thread(served.start)
            load.up.set()
        answered = len(load.acknowledged)
        await until(lambda: len(load.acknowledged) >= answered + 30, 40)
        load.stop.set()
        await asyncio.gather(*clients)
        await load.settle(session)
    assert await asyncio.to_thread(served.stop) == 0

    assert len(load.acknowledged) == load.number
    assert ledger_audit.delivery_problems(hub_url, load.acknowledged) == []
    assert ledger_audit.problems(hub_url) == []
    checked = await asyncio.to_thread(served.command, "db", "check")
    assert (checked.returncode, checked.stdout) == (0, "all is well\n")
    shares = [n for (n,) in ledger_audit.query(hub_url, "SELECT count(*) FROM task GROUP BY assignee_id")]
    assert max(shares) - min(shares) <= 1
    assert sum(shares) == load.number
    # what was counted is what happened, whatever was killed in between
    [(stored,)] = ledger_audit.query(hub_url, "SELECT stored FROM account WHERE name = 'form'")
    assert stored == load.number
    record_property("kills", kills)
    record_property("acknowledged", load.number)
    record_property("repeated", load.repeated)
    print(f"\n{kills} kills, {load.number} acknowledged, {load.repeated} repeated, 0 lost, 0 doubled")
