"""Latency at half of the full load, with arrivals that do not wait for answers (an open loop).

The full load is measured first, closed loop. Then posts leave at fixed moments, over as many connections
as are needed, and each latency counts from the moment at which its post was due: what a slow second makes
wait behind it is counted too.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from tests.benchmarks import load, servers

GOAL_MS, MUST_MS = 50, 100


def measure(seconds: int = 6, rounds: int = 3, database: str = "sqlite") -> dict[str, Any]:
    """p50 and p99 at half of what 64 connections reach."""
    with servers.place(database) as place:
        port = servers.free_port()
        with servers.serving(place.folder, port):
            url = f"http://127.0.0.1:{port}/in/form"
            load.run(url, place.folder, connections=64, seconds=1)
            full, found = [], []
            for _ in range(rounds):
                full.append(load.run(url, place.folder, connections=64, seconds=3).per_second)
                found.append(asyncio.run(_post(port, full[-1] / 2, seconds)))
    p99 = [_quantile(one.latencies, 0.99) for one in found]
    return {
        "database": database,
        "full_per_s": round(statistics.median(full)),
        "offered_per_s": round(statistics.median(full) / 2),
        "p50_ms": round(statistics.median(_quantile(one.latencies, 0.5) for one in found), 1),
        "p99_ms": round(statistics.median(p99), 1),
        "p99_spread_ms": [round(min(p99), 1), round(max(p99), 1)],
        "connections": max(one.connections for one in found),
        "failed": sum(one.failed for one in found),
        "goal": f"{GOAL_MS} ms",
        "must": f"{MUST_MS} ms",
    }


def _quantile(values: list[float], part: float) -> float:
    return sorted(values)[int(len(values) * part)] * 1000


@dataclass
class Told:
    """What a run saw. Latencies in seconds."""

    latencies: list[float] = field(default_factory=list)
    failed: int = 0
    connections: int = 0


class _Connection(asyncio.Protocol):
    """One keep-alive connection; the hub's short answers come in one piece."""

    def __init__(self, idle: deque[_Connection], told: Told) -> None:
        self._idle = idle
        self._told = told
        self._due = 0.0
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def post(self, body: bytes, due: float) -> None:
        self._due = due
        self.transport.write(
            b"POST /in/form HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )

    def data_received(self, data: bytes) -> None:
        self._told.latencies.append(time.perf_counter() - self._due)
        self._told.failed += not data.startswith(b"HTTP/1.1 201")
        self._idle.append(self)


async def _post(port: int, per_second: float, seconds: int) -> Told:
    told, idle = Told(), deque[_Connection]()
    loop = asyncio.get_running_loop()
    prefix = random.randrange(10**6)
    begun = time.perf_counter()
    sent = int(per_second * seconds)
    for number in range(sent):
        due = begun + number / per_second
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        if not idle:
            told.connections += 1
            _, one = await loop.create_connection(lambda: _Connection(idle, told), "127.0.0.1", port)
        else:
            one = idle.popleft()
        one.post(_body(prefix, number), due)
    for _ in range(300):
        if len(told.latencies) >= sent:
            break
        await asyncio.sleep(0.1)
    told.failed += sent - len(told.latencies)
    for one in idle:
        one.transport.close()
    return told


def _body(prefix: int, number: int) -> bytes:
    fields = {
        "name": f"Олена Тест {prefix}-{number}",
        "phone": f"+38067{(prefix * 997 + number) % 10**7:07d}",
        "email": f"o{prefix}.{number}@example.com",
        "message": f"Скільки коштує доставка до Львова, і чи є розмір 42? Номер {number}",
        "utm_source": "google",
        "utm_medium": "cpc",
    }
    return json.dumps(fields, ensure_ascii=False).encode()
