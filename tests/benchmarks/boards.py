"""How soon 200 open boards are told of a change that somebody else made, and how soon they show it.

200 streams of server-sent events of 20 people; one more person changes a task over the API, now and then.
`told`: from sending the change until the stream says so. `shown`: until the board of that stream was fetched
anew, which all 200 do at once, as their browsers would.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from tests.benchmarks import servers
from tests.benchmarks.claims import Api, client
from tests.benchmarks.freed import quantile

COOKIE = "hub_session"
BOARDS, A_PERSON = 200, 10
GOAL_S, MUST_S = 0.3, 1.0
BOARD = "/tasks?view=board"
QUIET_S = 0.4  # between two changes, after everybody was told
GIVE_UP_S = 20.0


@dataclass
class Told:
    """Seconds from each change: until each stream said it, until each board was fetched."""

    told: list[float] = field(default_factory=list)
    shown: list[float] = field(default_factory=list)
    missed: int = 0


class Stream:
    """One open board."""

    def __init__(self, http: aiohttp.ClientSession, base: str, secret: str) -> None:
        self._http = http
        self._base = base
        self._headers = {"Cookie": f"{COOKIE}={secret}", "HX-Request": "true"}
        self.open = asyncio.Event()
        self.heard: asyncio.Queue[tuple[float, str]] = asyncio.Queue()

    async def listen(self) -> None:
        """Until it is cancelled."""
        async with self._http.get(f"{self._base}/live", headers=self._headers) as answer:
            assert answer.status == 200, answer.status
            async for line in answer.content:
                self.open.set()
                if line.startswith(b"data:"):
                    self.heard.put_nowait((time.perf_counter(), line.decode()))

    async def told(self, what: str) -> float | None:
        """When it was told of this; None if not in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GIVE_UP_S):
                while True:
                    at, line = await self.heard.get()
                    if what in line.split():
                        return at
        return None

    async def fetch(self) -> float:
        """When the board was here anew."""
        async with self._http.get(self._base + BOARD, headers=self._headers) as answer:
            assert answer.status == 200, answer.status
            await answer.read()
        return time.perf_counter()


async def run(
    base: str, token: str, sellers: list[str], secrets: list[str], *, changes: int, fetch: bool
) -> Told:
    """So many changes; each is heard by every stream before the next."""
    found = Told()
    async with client() as http:
        api = Api(http, base, token)
        body = {"contact": {"name": "Ivan", "phone": "+380671234501"}, "text": "a call", "team": "sales"}
        task = str((await api.must("POST", "/requests", body))["task_id"])
        holder = (await api.must("GET", f"/tasks/{task}"))["assignee_id"]
        assert holder in sellers
        streams = [Stream(http, base, secret) for secret in secrets]
        listening = [asyncio.create_task(stream.listen()) for stream in streams]
        await asyncio.wait_for(asyncio.gather(*(stream.open.wait() for stream in streams)), 60)
        for number in range(changes):
            await asyncio.sleep(QUIET_S)
            for stream in streams:
                while not stream.heard.empty():
                    stream.heard.get_nowait()
            since = time.perf_counter()
            change = asyncio.create_task(_change(api, task, holder, number))
            await asyncio.gather(*(_hear(stream, task, since, found, fetch=fetch) for stream in streams))
            await change
        for one in listening:
            one.cancel()
        await asyncio.gather(*listening, return_exceptions=True)
    return found


async def _change(api: Api, task: str, holder: str, number: int) -> None:
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    verb, more = ("accept", {}) if number % 2 else ("snooze", {"until": until})
    await api.must("POST", f"/tasks/{task}/{verb}", {"staff_id": holder, **more})


async def _hear(stream: Stream, task: str, since: float, found: Told, *, fetch: bool) -> None:
    at = await stream.told(f"task:{task}")
    if at is None:
        found.missed += 1
        return
    found.told.append(at - since)
    if fetch:
        found.shown.append(await stream.fetch() - since)


def sessions(settings: Path, sellers: list[str], boards: int) -> list[str]:
    """Secrets of so many sessions, spread over the sellers; made beside the hub as `hub staff` would."""
    from hub.access.store import open_session
    from hub.app import opened
    from hub.cli.frame import load_settings

    def make(staff_id: int) -> Callable[[Any], str]:
        return lambda tx: open_session(tx, staff_id, "bench")

    with opened(load_settings(str(settings))) as hub:
        each = [int(sellers[number % len(sellers)]) for number in range(boards)]
        return [hub.db.write_now(make(staff_id)) for staff_id in each]


def measure(
    database: str = "sqlite", *, boards: int = BOARDS, changes: int = 50, waiting: int = 60
) -> dict[str, Any]:
    """Told and shown, in two runs of their own: the fetching of the second weighs on nobody's telling."""
    with servers.place(database, sellers=0) as place:
        said = servers.hub_command(place.folder, "token", "add", "bench", "--role", "head", "--json")
        token, port = json.loads(said)["token"], servers.free_port()
        base = f"http://127.0.0.1:{port}"
        with servers.serving(place.folder, port):
            sellers = asyncio.run(_fill(base, token, boards // A_PERSON, waiting))
            secrets = sessions(place.folder / "config" / "hub.toml", sellers, boards)
            told = asyncio.run(run(base, token, sellers, secrets, changes=changes, fetch=False))
            shown = asyncio.run(run(base, token, sellers, secrets, changes=max(2, changes // 5), fetch=True))
    return {
        "database": database,
        "boards": boards,
        "changes": changes,
        "told_s": _three(told.told),
        "missed": told.missed + shown.missed,
        "told_p99_s": round(quantile(told.told, 0.99), 3),
        "shown_when_all_fetch_s": _three(shown.shown),
        "goal_s": GOAL_S,
        "must_s": MUST_S,
    }


def _three(values: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 3),
        "p99": round(quantile(values, 0.99), 3),
        "largest": round(max(values), 3),
    }


async def _fill(base: str, token: str, people: int, requests: int) -> list[str]:
    """Sellers and open tasks for them."""
    async with client(8) as http:
        api = Api(http, base, token)
        sellers = [
            str((await api.must("POST", "/staff", {"name": f"Seller {n}", "team": "sales"}))["id"])
            for n in range(people)
        ]
        for number in range(requests):
            contact = {"name": f"N{number}", "phone": f"+38093{number:07d}"}
            await api.must("POST", "/requests", {"contact": contact, "text": "a call", "team": "sales"})
        return sellers
