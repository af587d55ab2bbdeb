"""How soon a place that becomes free is filled from the queue, after each of the seven events.

A running `hub serve` with many teams of one seller. Each sample: nobody can take the team's waiting task, then
the event happens, then the API is asked until it says that somebody has the task. Counted from the moment of
sending the call, or (shift start, end of absence) from the moment that was planned, at which all teams are due
at once: the last of them is counted too.
"""

from __future__ import annotations

import asyncio
import json
import math
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.benchmarks import servers
from tests.benchmarks.claims import Api, client

GOAL_S, MUST_S = 0.5, 1.0
KYIV = ZoneInfo("Europe/Kyiv")
WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
AHEAD_S = 2.0  # what is planned is planned so far ahead
ASK_EVERY_S = 0.01
GIVE_UP_S = 20.0


@dataclass
class Team:
    """One team with its one seller."""

    api: Api
    name: str
    seller: str
    number: int
    held: str = ""

    async def request(self) -> str:
        """A new request; its task."""
        self.number += 1
        contact = {"name": self.name, "phone": f"+38050{self.number:07d}"}
        body = {"contact": contact, "text": "a call", "team": self.name}
        return str((await self.api.must("POST", "/requests", body))["task_id"])

    async def member(self, **changes: Any) -> None:
        await self.api.must("POST", f"/staff/{self.seller}/membership", {"team": self.name, **changes})

    async def verb(self, task: str, verb: str, **body: Any) -> None:
        await self.api.must("POST", f"/tasks/{task}/{verb}", {"staff_id": self.seller, **body})

    async def done(self, task: str) -> None:
        """Finish a task, whoever has it."""
        holder = (await self.api.must("GET", f"/tasks/{task}"))["assignee_id"]
        body = {"staff_id": holder, "outcome": "answered"}
        await self.api.must("POST", f"/tasks/{task}/complete", body)

    async def filled(self, task: str, since: float) -> float:
        """Seconds from a moment of the wall clock until somebody has the task."""
        while time.time() - since < GIVE_UP_S:
            if (await self.api.must("GET", f"/tasks/{task}"))["assignee_id"] is not None:
                return time.time() - since
            await asyncio.sleep(ASK_EVERY_S)
        return GIVE_UP_S


# --- the seven: each blocks the team, files a request, lets the event happen, and tidies up --------------------


async def _full(team: Team) -> str:
    """His one place is taken; the task that waits."""
    await team.member(limit=1)
    team.held = await team.request()
    await team.verb(team.held, "accept")
    return await team.request()


async def resolve(team: Team) -> float:
    """His task is finished."""
    task, since = await _full(team), time.time()
    await team.verb(team.held, "complete", outcome="answered")
    took = await team.filled(task, since)
    await team.done(task)
    return took


async def snooze(team: Team) -> float:
    """His task is put off."""
    task, since = await _full(team), time.time()
    until = datetime.fromtimestamp(since, UTC) + timedelta(hours=1)
    await team.verb(team.held, "snooze", until=until.isoformat())
    took = await team.filled(task, since)
    await team.done(task)
    await team.done(team.held)
    return took


async def own_return(team: Team) -> float:
    """He ends his pause."""
    await team.api.must("POST", f"/staff/{team.seller}/pause", {})
    task, since = await team.request(), time.time()
    await team.api.must("POST", f"/staff/{team.seller}/resume", {})
    took = await team.filled(task, since)
    await team.done(task)
    return took


async def raised_limit(team: Team) -> float:
    """His limit is raised."""
    await team.member(limit=0)
    task, since = await team.request(), time.time()
    await team.member(limit=1)
    took = await team.filled(task, since)
    await team.done(task)
    return took


async def new_member(team: Team) -> float:
    """Somebody joins."""
    await team.member(limit=0)
    task, since = await team.request(), time.time()
    joined = await team.api.must("POST", "/staff", {"name": "New", "team": team.name})
    took = await team.filled(task, since)
    await team.done(task)
    await team.api.must("POST", f"/staff/{joined['id']}/close", {})
    await team.member(limit=1)
    return took


async def end_of_absence(teams: list[Team]) -> list[float]:
    """All of them come back at the same moment."""
    now = time.time()
    end = now + AHEAD_S + len(teams) * 0.4
    body = {"start": _rfc3339(now - 60), "end": _rfc3339(end), "reason": "sick"}
    tasks = []
    for team in teams:
        await team.api.must("POST", f"/staff/{team.seller}/absences", body)
        tasks.append(await team.request())
    assert time.time() < end, "prepared too slowly"
    return await _at(end, teams, tasks)


async def shift_start(teams: list[Team]) -> list[float]:
    """All shifts begin at the same full minute."""
    start = math.ceil((time.time() + AHEAD_S + len(teams) * 0.4) / 60) * 60
    hours = [[_wall(start), _wall(start + 2 * 3600)]]
    body = {"days": dict.fromkeys(WEEK, hours), "since": "2026-01-01"}
    tasks = []
    for team in teams:
        await team.api.must("POST", f"/staff/{team.seller}/shifts", body)
        tasks.append(await team.request())
    assert time.time() < start, "prepared too slowly"
    found = await _at(start, teams, tasks)
    for team in teams:
        await team.api.must("POST", f"/staff/{team.seller}/shifts/clear", {})
    return found


async def _at(moment: float, teams: list[Team], tasks: list[str]) -> list[float]:
    await asyncio.sleep(max(0.0, moment - time.time()))
    found = await _all_filled(teams[0].api, tasks, moment)
    for team, task in zip(teams, tasks, strict=True):
        await team.done(task)
    return found


async def _all_filled(api: Api, tasks: list[str], since: float) -> list[float]:
    """As `Team.filled` for all of them, with one question at a time: many would keep the hub from its work."""
    took = dict.fromkeys(tasks, GIVE_UP_S)
    missing = set(tasks)
    while missing and time.time() - since < GIVE_UP_S:
        answer = await api.must("GET", "/tasks?state=waiting&limit=200")
        now, waiting = time.time() - since, {one["id"] for one in answer["items"]}
        took |= dict.fromkeys(missing - waiting, now)
        missing &= waiting
        await asyncio.sleep(ASK_EVERY_S)
    return list(took.values())


def _wall(at: float) -> str:
    return datetime.fromtimestamp(at, KYIV).strftime("%H:%M")


def _rfc3339(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


ONE_BY_ONE: dict[str, Callable[[Team], Awaitable[float]]] = {
    "resolve": resolve,
    "snooze": snooze,
    "own_return": own_return,
    "raised_limit": raised_limit,
    "new_member": new_member,
}
TOGETHER: dict[str, Callable[[list[Team]], Awaitable[list[float]]]] = {
    "end_of_absence": end_of_absence,
    "shift_start": shift_start,
}


async def run(base: str, token: str, names: list[str], rounds: int) -> dict[str, list[float]]:
    """Seconds by event."""
    found: dict[str, list[float]] = {name: [] for name in (*ONE_BY_ONE, *TOGETHER)}
    async with client() as http:
        api = Api(http, base, token)
        teams = []
        for number, name in enumerate(names):
            person = await api.must("POST", "/staff", {"name": f"Seller of {name}", "team": name, "limit": 1})
            teams.append(Team(api, name, person["id"], number * 10_000))
        for _ in range(rounds):
            for name, event in ONE_BY_ONE.items():
                found[name] += [await event(team) for team in teams]
            for name, of_all in TOGETHER.items():
                found[name] += await of_all(teams)
    return found


def measure(database: str = "sqlite", teams: int = 25, rounds: int = 4) -> dict[str, Any]:
    """p99 of each event."""
    with servers.place(database, sellers=0) as place:
        names = [f"team{number:02d}" for number in range(teams)]
        more = "".join(f"[teams.{name}]\n" for name in names)
        file = place.folder / "config" / "hub.toml"
        file.write_text(file.read_text(encoding="utf-8") + more, encoding="utf-8")
        said = servers.hub_command(place.folder, "token", "add", "bench", "--role", "head", "--json")
        port = servers.free_port()
        with servers.serving(place.folder, port):
            token = json.loads(said)["token"]
            found = asyncio.run(run(f"http://127.0.0.1:{port}", token, names, rounds))
    p99 = {name: quantile(values, 0.99) for name, values in found.items()}
    return {
        "database": database,
        "samples_an_event": teams * rounds,
        **{
            f"{name}_s": {
                "median": round(statistics.median(values), 3),
                "p99": round(p99[name], 3),
                "largest": round(max(values), 3),
            }
            for name, values in found.items()
        },
        "worst_p99_s": round(max(p99.values()), 3),
        "goal_s": GOAL_S,
        "must_s": MUST_S,
    }


def quantile(values: list[float], part: float) -> float:
    """The value below or at which this part of them lies."""
    return sorted(values)[max(0, math.ceil(len(values) * part) - 1)]
