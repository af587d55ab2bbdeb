"""Ten sellers claim a thousand waiting tasks, all at once: each task has one winner, the others are told who.

Three `hub serve` on one PostgreSQL, or one on SQLite. Every claim is a call of the API of its own, spread over
the processes; they are all under way from the beginning, over as many connections as each process gets.
The count is what matters; the rate is only told.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.benchmarks import servers

SELLERS, TASKS, PROCESSES = 10, 1_000, 3
CONNECTIONS = 250  # to each process


@dataclass
class Told:
    """What came back: (task, seller, status, who has it by the answer)."""

    answers: list[tuple[str, str, int, str | None]] = field(default_factory=list)
    seconds: float = 0.0

    def counts(self, stored: dict[str, str | None]) -> dict[str, int]:
        """Winners, doubles, losers, and losers who were not told the name that is stored."""
        winners = Counter(task for task, _, status, _ in self.answers if status == 200)
        losers = [one for one in self.answers if one[2] == 409]
        wrong = sum(stored[task] != seller for task, seller, status, _ in self.answers if status == 200)
        return {
            "claims": len(self.answers),
            "winners": len(winners),
            "doubles": sum(count - 1 for count in winners.values()) + wrong,
            "losers": len(losers),
            "losers_told_wrong": sum(stored[task] != named for task, _, _, named in losers),
            "failed": sum(status not in {200, 409} for _, _, status, _ in self.answers),
        }


class Api:
    """One hub's API with a token of a head."""

    def __init__(self, http: aiohttp.ClientSession, base: str, token: str) -> None:
        self._http = http
        self._base = f"{base}/api/v1"
        self._headers = {"Authorization": f"Bearer {token}"}

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and parsed answer."""
        async with self._http.request(method, self._base + path, json=body, headers=self._headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def must(self, method: str, path: str, body: Any = None) -> Any:
        """The answer of a call that succeeds."""
        status, answer = await self.call(method, path, body)
        assert status < 300, (method, path, status, answer)
        return answer


@contextlib.asynccontextmanager
async def client(connections: int = 0) -> Any:
    """A session that waits as long as it takes."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=60)
    connector = aiohttp.TCPConnector(limit=0, limit_per_host=connections)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as http:
        yield http


async def seeded(api: Api, sellers: int, tasks: int) -> tuple[list[str], list[str]]:
    """Sellers who are dealt nothing (limit 0), and waiting tasks: their ids."""
    people = [
        (await api.must("POST", "/staff", {"name": f"Claimant {n}", "team": "sales", "limit": 0}))["id"]
        for n in range(sellers)
    ]

    async def call_in(number: int) -> str:
        contact = {"name": f"N{number}", "phone": f"+38067{number:07d}"}
        made = await api.must("POST", "/requests", {"contact": contact, "text": "a call", "team": "sales"})
        return str(made["task_id"])

    return people, await asyncio.gather(*(call_in(n) for n in range(tasks)))


async def race(apis: Sequence[Api], people: Sequence[str], tasks: Sequence[str]) -> Told:
    """Everybody claims everything, in random order."""
    told = Told()
    pairs = [(task, person) for task in tasks for person in people]
    random.Random(7).shuffle(pairs)

    async def claim(number: int, task: str, person: str) -> None:
        api = apis[number % len(apis)]
        status, answer = await api.call("POST", f"/tasks/{task}/claim", {"staff_id": person})
        told.answers.append((task, person, status, answer.get("assignee_id")))

    begun = time.perf_counter()
    await asyncio.gather(*(claim(number, *pair) for number, pair in enumerate(pairs)))
    told.seconds = time.perf_counter() - begun
    return told


async def holders(api: Api, tasks: Sequence[str]) -> dict[str, str | None]:
    """Who has each task as it is stored."""
    found = await asyncio.gather(*(api.must("GET", f"/tasks/{task}") for task in tasks))
    return {one["id"]: one["assignee_id"] for one in found}


async def run(bases: Sequence[str], token: str, sellers: int, tasks: int) -> tuple[dict[str, int], float]:
    """The counts of one race, and its seconds."""
    async with client(CONNECTIONS) as http:
        apis = [Api(http, base, token) for base in bases]
        people, ids = await seeded(apis[0], sellers, tasks)
        told = await race(apis, people, ids)
        return told.counts(await holders(apis[0], ids)), told.seconds


def is_right(counts: dict[str, int], sellers: int, tasks: int) -> bool:
    """One winner a task, everybody else a loser who was told who."""
    return counts == {
        "claims": sellers * tasks, "winners": tasks, "doubles": 0, "losers": (sellers - 1) * tasks,
        "losers_told_wrong": 0, "failed": 0,
    }  # fmt: skip


def measure(database: str, *, tasks: int = TASKS) -> dict[str, Any]:
    """One race; the ledger is looked over in the end."""
    processes = PROCESSES if database == "postgresql" else 1
    with servers.place(database, sellers=0) as place, contextlib.ExitStack() as stack:
        said = servers.hub_command(place.folder, "token", "add", "bench", "--role", "head", "--json")
        ports = [servers.free_port() for _ in range(processes)]
        for port in ports:
            stack.enter_context(servers.serving(place.folder, port))
        bases = [f"http://127.0.0.1:{port}" for port in ports]
        counts, seconds = asyncio.run(run(bases, json.loads(said)["token"], SELLERS, tasks))
        findings = json.loads(servers.hub_command(place.folder, "db", "check", "--json"))
    return {
        "database": database,
        "processes": processes,
        **counts,
        "right": is_right(counts, SELLERS, tasks) and findings == [],
        "claims_per_s": round(counts["claims"] / seconds),
        "seconds": round(seconds, 1),
        "findings": len(findings),
        "must": f"{tasks} winners, 0 doubles",
    }
