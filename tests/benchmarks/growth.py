"""What grows with what a hub has: posts, and pages, at 10,000, 100,000 and 1,000,000 requests.

    intake   64 connections against the bare handler, in the same round; cost is the handler's rate over ours
    board    `GET /tasks?view=board`, median
    pages    every page that people open often, with as many orders as three in ten requests: p95 at the largest size

The times of pages are those of a client on the same machine, one call after another. What polling costs as it grows
is `parcels`' part.
"""

from __future__ import annotations

import statistics
import time
import urllib.parse
import urllib.request
from collections.abc import Sequence
from typing import Any

from tests.benchmarks import crowd, load, servers
from tests.benchmarks.boards import BOARD, COOKIE, sessions
from tests.benchmarks.freed import quantile

SIZES = (10_000, 100_000, 1_000_000)
FLAT_GOAL, FLAT_MUST = 1.3, 1.6
PAGE_GOAL_MS, PAGE_MUST_MS = 100, 200


def measure(
    database: str = "sqlite", sizes: Sequence[int] = SIZES, *, rounds: int = 5, fetches: int = 40
) -> dict[str, Any]:
    """Costs at each size over those at the first, and the pages at the last."""
    intake: list[float] = []
    board: list[float] = []
    pages: dict[str, list[float]] = {}
    with servers.place(database) as place:
        token, port = crowd.token_of(place), servers.free_port()
        base = f"http://127.0.0.1:{port}"
        with servers.serving(place.folder, port):
            last = crowd.originals(place, base, token)
        have = place.query("SELECT count(*) FROM request")
        copied = 1
        for size in sizes:
            copies = -(-size // have)
            crowd.multiply(place, last, copied, copies)
            copied = max(copied, copies)
            with servers.serving(place.folder, port):
                headers = signed_in(place)
                addresses = pages_of(place)
                board.append(statistics.median(times(base + BOARD, headers, fetches)))
                if size == sizes[-1]:
                    pages = {name: times(base + path, headers, fetches) for name, path in addresses.items()}
                intake.append(cost_of_posts(place, base, rounds))
        used = bytes_of(place)
        stored = {name: place.query(f"SELECT count(*) FROM {name}") for name in ("request", "orders", "task")}
    p95 = {name: round(quantile(found, 0.95) * 1e3, 1) for name, found in pages.items()}
    return {
        "database": database,
        "requests": list(sizes),
        "stored": stored,
        "bytes_a_request": round(used / stored["request"]),
        "intake_cost": [round(one, 2) for one in intake],
        "intake_growth": round(intake[-1] / intake[0], 2),
        "board_ms": [round(one * 1e3, 1) for one in board],
        "board_growth": round(board[-1] / board[0], 2),
        "pages_p95_ms": p95,
        "slowest_page_ms": max(p95.values()),
        "goal": [FLAT_GOAL, PAGE_GOAL_MS],
        "must": [FLAT_MUST, PAGE_MUST_MS],
    }


def bytes_of(place: servers.Place) -> int:
    """What the database takes on disk, indexes included."""
    if place.server is None:
        return (place.folder / "var" / "hub.db").stat().st_size
    used: int = place.query("SELECT pg_database_size(current_database())")
    return used


def cost_of_posts(place: servers.Place, base: str, rounds: int) -> float:
    """What one post costs in posts of the bare handler."""
    port = servers.free_port()
    ratios = []
    with servers.bare(port):
        load.run(f"{base}/in/form", place.folder, connections=64, seconds=1)
        for _ in range(rounds):
            limit = load.run(f"http://127.0.0.1:{port}/", place.folder, connections=64, seconds=2)
            ours = load.run(f"{base}/in/form", place.folder, connections=64, seconds=3)
            assert ours.failed == 0, ours
            ratios.append(limit.per_second / ours.per_second)
    return statistics.median(ratios)


def signed_in(place: servers.Place) -> dict[str, str]:
    """Headers of a head's session."""
    someone = str(place.query("SELECT id FROM staff WHERE state = 'active' ORDER BY id LIMIT 1"))
    [secret] = sessions(place.folder / "config" / "hub.toml", [someone], 1)
    return {"Cookie": f"{COOKIE}={secret}"}


def pages_of(place: servers.Place) -> dict[str, str]:
    """What people open, with one of each kind from the middle of the heap."""

    def middle(table: str) -> int:
        found: int = place.query(
            f"SELECT id FROM {table} WHERE id >= (SELECT (min(id) + max(id)) / 2 FROM {table}) ORDER BY id LIMIT 1"
        )
        return found

    number = place.query(f"SELECT number FROM orders WHERE id = {middle('orders')}")
    return {
        "my day": "/",
        "tasks": "/tasks",
        "board": BOARD,
        "request": f"/requests/{middle('request')}",
        "task, why": f"/tasks/{place.query('SELECT max(id) FROM task')}/why",
        "orders": "/orders",
        "orders by total": "/orders?sort=-total",
        "orders, number": f"/orders?q={urllib.parse.quote(str(number))}",
        "orders, name": f"/orders?q={urllib.parse.quote('Покупець')}",
        "order": f"/orders/{middle('orders')}",
        "new order": "/orders/new",
        "shipments": "/shipments",
        "evenness": "/evenness",
        "people": "/people",
        "notices": "/notices",
    }


def times(url: str, headers: dict[str, str], fetches: int) -> list[float]:
    """Seconds of each fetch, after three that warm up."""
    found = []
    for _ in range(fetches + 3):
        begun = time.perf_counter()
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
            answer.read()
            assert answer.status == 200, (url, answer.status)
        found.append(time.perf_counter() - begun)
    return found[3:]
