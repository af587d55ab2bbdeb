"""Durable and dealt intake over HTTP against a bare aiohttp handler, side by side, interleaved.

Every post is a new contact; all hot rows are written (contact, identities, request, delivery key and
body, message, task, ledger with its hash chain, outbox, journal, team head, account counters) through
the real plugin into SQLite with synchronous=FULL, in a real `hub serve`.
"""

from __future__ import annotations

import sqlite3
import statistics
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks import load, servers

GOAL, MUST = 0.50, 0.33


def measure(rounds: int = 5, seconds: int = 4, connections: int = 64) -> dict[str, Any]:
    """Ratios within each round; afterwards what was answered is counted in the database."""
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as name:
        folder = Path(name)
        servers.settings(folder)
        servers.seed(folder)
        hub_port, bare_port = servers.free_port(), servers.free_port()
        with servers.serving(folder, hub_port) as hub, servers.bare(bare_port) as bare:
            hub_url, bare_url = (f"http://127.0.0.1:{port}/in/form" for port in (hub_port, bare_port))
            accepted = load.run(hub_url, folder, connections=connections, seconds=1).requests
            load.run(bare_url, folder, connections=connections, seconds=1)
            found = []
            for _ in range(rounds):
                bare_cpu = servers.cpu_seconds(bare)
                limit = load.run(bare_url, folder, connections=connections, seconds=seconds)
                bare_cpu = servers.cpu_seconds(bare) - bare_cpu
                hub_cpu = servers.cpu_seconds(hub)
                ours = load.run(hub_url, folder, connections=connections, seconds=seconds)
                hub_cpu = servers.cpu_seconds(hub) - hub_cpu
                accepted += ours.requests
                found.append((limit, ours, bare_cpu / limit.requests, hub_cpu / ours.requests))
            memory = servers.resident_mib(hub)
        stored = count(folder / "var" / "hub.db")
    ratios = [ours.per_second / limit.per_second for limit, ours, _, _ in found]
    return {
        "connections": connections,
        "bare_per_s": round(statistics.median(f[0].per_second for f in found)),
        "hub_per_s": round(statistics.median(f[1].per_second for f in found)),
        "ratio": round(statistics.median(ratios), 3),
        "spread": [round(min(ratios), 3), round(max(ratios), 3)],
        "p50_ms": round(statistics.median(f[1].p50_ms for f in found), 1),
        "p99_ms": round(statistics.median(f[1].p99_ms for f in found), 1),
        "cpu_us_bare": round(statistics.median(f[2] for f in found) * 1e6),
        "cpu_us_hub": round(statistics.median(f[3] for f in found) * 1e6),
        "failed": sum(f[1].failed for f in found),
        "answered": accepted,
        "stored": stored,
        "memory_after_mib": round(memory),
        "goal": GOAL,
        "must": MUST,
    }


def count(database: Path) -> dict[str, int]:
    """What is in the database: requests, tasks with a holder, ledger entries, and the sum of all credits."""
    with sqlite3.connect(database) as connection:
        one = lambda query: int(connection.execute(query).fetchone()[0])  # noqa: E731 - four times below
        return {
            "requests": one("SELECT count(*) FROM request"),
            "dealt_tasks": one("SELECT count(*) FROM task WHERE assignee_id IS NOT NULL"),
            "ledger": one("SELECT count(*) FROM ledger"),
            "contacts": one("SELECT count(*) FROM contact"),
        }
