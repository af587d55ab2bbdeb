"""Durable and dealt intake over HTTP against a bare aiohttp handler, side by side, interleaved.

Every post is a new contact; all hot rows are written (contact, identities, request, delivery key and
body, message, task, ledger with its hash chain, outbox, journal, team head, account counters) through
the real plugin into SQLite with synchronous=FULL or into PostgreSQL, in a real `hub serve`.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks import load, servers

GOAL = {"sqlite": 0.50, "postgresql": 0.40}
MUST = {"sqlite": 0.33, "postgresql": 0.28}


@dataclass(frozen=True)
class Round:
    """One measurement of each; CPU in microseconds a request."""

    bare: load.Load
    hub: load.Load
    bare_cpu: float
    hub_cpu: float
    server_cpu: float

    @property
    def ratio(self) -> float:
        """Within the round, so that a slow moment of the machine slows both."""
        return self.hub.per_second / self.bare.per_second


def measure(
    rounds: int = 5, seconds: int = 4, connections: int = 64, database: str = "sqlite"
) -> dict[str, Any]:
    """The form against the bare handler."""
    found = compare(rounds, seconds, connections, database)
    return {**found, "goal": GOAL[database], "must": MUST[database]}


def compare(
    rounds: int,
    seconds: int,
    connections: int,
    database: str,
    *,
    channels: str = servers.FORM,
    account: str = "form",
    script: Callable[[Path, int], str] = lambda folder, seconds: load.FORM,
) -> dict[str, Any]:
    """Ratios within each round; afterwards what was answered is counted in the database.

    channels, account  what stands in the settings, and the account that is posted to
    script             makes the script of wrk for a run of so many seconds; it may put files into the folder
    """

    def run(url: str, seconds: int) -> load.Load:
        made = script(place.folder, seconds)
        return load.run(url, place.folder, connections=connections, seconds=seconds, script=made)

    with servers.place(database, channels=channels) as place:
        hub_port, bare_port = servers.free_port(), servers.free_port()
        with servers.serving(place.folder, hub_port) as hub, servers.bare(bare_port) as bare:
            hub_url, bare_url = (f"http://127.0.0.1:{port}/in/{account}" for port in (hub_port, bare_port))
            warm = run(hub_url, 1)
            accepted = warm.requests - warm.failed
            run(bare_url, 1)
            found = []
            for _ in range(rounds):
                bare_cpu = servers.cpu_seconds(bare.pid)
                limit = run(bare_url, seconds)
                bare_cpu = servers.cpu_seconds(bare.pid) - bare_cpu
                hub_cpu, server_cpu = servers.cpu_seconds(hub.pid), place.server_cpu()
                ours = run(hub_url, seconds)
                hub_cpu = servers.cpu_seconds(hub.pid) - hub_cpu
                server_cpu = place.server_cpu() - server_cpu
                accepted += ours.requests - ours.failed
                each = 1e6 / ours.requests
                found.append(
                    Round(limit, ours, bare_cpu / limit.requests * 1e6, hub_cpu * each, server_cpu * each)
                )
            memory = servers.resident_mib(hub)
        stored = count(place)
    if min(stored.values()) < accepted:
        raise AssertionError(f"{accepted} were answered with 2xx, stored are {stored}")
    ratios = [one.ratio for one in found]
    return {
        "database": database,
        "connections": connections,
        "bare_per_s": round(statistics.median(one.bare.per_second for one in found)),
        "hub_per_s": round(statistics.median(one.hub.per_second for one in found)),
        "ratio": round(statistics.median(ratios), 3),
        "spread": [round(min(ratios), 3), round(max(ratios), 3)],
        "p50_ms": round(statistics.median(one.hub.p50_ms for one in found), 1),
        "p99_ms": round(statistics.median(one.hub.p99_ms for one in found), 1),
        "cpu_us_bare": round(statistics.median(one.bare_cpu for one in found)),
        "cpu_us_hub": round(statistics.median(one.hub_cpu for one in found)),
        "cpu_us_database_server": round(statistics.median(one.server_cpu for one in found)),
        "failed": sum(one.hub.failed for one in found),
        "answered": accepted,
        "stored": stored,
        "memory_after_mib": round(memory),
    }


def count(place: servers.Place) -> dict[str, int]:
    """What is in the database: deliveries, requests, tasks with a holder, ledger entries, contacts."""
    return {
        "deliveries": place.query("SELECT count(*) FROM delivery"),
        "requests": place.query("SELECT count(*) FROM request"),
        "dealt_tasks": place.query("SELECT count(*) FROM task WHERE assignee_id IS NOT NULL"),
        "ledger": place.query("SELECT count(*) FROM ledger"),
        "contacts": place.query("SELECT count(*) FROM contact"),
    }
