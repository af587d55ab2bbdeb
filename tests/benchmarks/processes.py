"""What a second `hub serve` on one PostgreSQL costs: CPU a request, and the time spent waiting for the team.

The same 64 connections, once all on one process, once half on each of two. All posts go to one team, so
every batch of both takes the same lock: the worst case.
"""

from __future__ import annotations

import statistics
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg

from tests.benchmarks import load, servers

GOAL, MUST = 1.15, 1.3
LOCKED = """
SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hub' AND wait_event_type = 'Lock'
"""


def measure(rounds: int = 4, seconds: int = 4, connections: int = 64) -> dict[str, Any]:
    """CPU of hub and server together, two processes against one, within each round."""
    with servers.place("postgresql") as place:
        ports = [servers.free_port(), servers.free_port()]
        with (
            servers.serving(place.folder, ports[0]) as first,
            servers.serving(place.folder, ports[1]) as second,
        ):
            pids = [first.pid, second.pid]
            _run(place, ports, connections, 1)
            ones, twos, waits = [], [], []
            for _ in range(rounds):
                ones.append(_costs(place, pids, ports[:1], connections, seconds))
                with Locked(place.url) as locked:
                    twos.append(_costs(place, pids, ports, connections, seconds))
                waits.append(locked.share(len(pids)))
    ratios = [two[0] / one[0] for one, two in zip(ones, twos, strict=True)]
    return {
        "cpu_us_one": round(statistics.median(one[0] for one in ones)),
        "cpu_us_two": round(statistics.median(two[0] for two in twos)),
        "cpu_ratio": round(statistics.median(ratios), 2),
        "cpu_spread": [round(min(ratios), 2), round(max(ratios), 2)],
        "per_s_one": round(statistics.median(one[1] for one in ones)),
        "per_s_two": round(statistics.median(two[1] for two in twos)),
        "waits_for_team_lock": round(statistics.median(waits), 3),
        "failed": sum(one[2] for one in ones + twos),
        "goal": GOAL,
        "must": MUST,
    }


def _costs(
    place: servers.Place, pids: list[int], ports: list[int], connections: int, seconds: int
) -> tuple[float, float, int]:
    """CPU in microseconds a request, requests a second, failed ones."""
    before = sum(map(servers.cpu_seconds, pids)) + place.server_cpu()
    found = _run(place, ports, connections, seconds)
    spent = sum(map(servers.cpu_seconds, pids)) + place.server_cpu() - before
    requests = sum(one.requests for one in found)
    return spent / requests * 1e6, sum(one.per_second for one in found), sum(one.failed for one in found)


def _run(place: servers.Place, ports: list[int], connections: int, seconds: int) -> list[load.Load]:
    each = connections // len(ports)
    with ThreadPoolExecutor(len(ports)) as pool:
        return list(
            pool.map(
                lambda port: load.run(
                    f"http://127.0.0.1:{port}/in/form", place.folder, connections=each, seconds=seconds
                ),
                ports,
            )
        )


class Locked:
    """Looks every few milliseconds how many of the hub's transactions wait for a lock."""

    EVERY_S = 0.01

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)
        self._ended = threading.Event()
        self._waiting = 0
        self._looks = 0
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Locked:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._connection.close()

    def _look(self) -> None:
        while not self._ended.wait(self.EVERY_S):
            row = self._connection.execute(LOCKED).fetchone()
            assert row is not None
            self._waiting += row[0]
            self._looks += 1

    def share(self, writers: int) -> float:
        """Of the time of so many writers, the part in which one waited for another."""
        return self._waiting / self._looks / writers if self._looks else 0.0
