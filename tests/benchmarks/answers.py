"""From the bytes of a carrier's answer to typed events, against `json.loads` of the same bytes alone.

100 documents of Nova Poshta in the shape of the carrier's documentation (about 100 fields each), parcels at
every step of their way; the two are measured in turn, so that the machine's mood hits both.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from hub.sdk.tracking import TrackingNumber
from hub.testing.emulators.nova_poshta_parcels import KYIV, ROUTES, Parcel, cities, render
from plugins.nova_poshta.tracking import ask, read_answer

NOW_MS = 1_772_445_600_000
GOAL, MUST = 1.0, 2.0


def item(number: str, n: int, *, now_ms: int = NOW_MS, moved_ms: int | None = None) -> dict[str, Any]:
    """The document of one parcel; `moved_ms`: its newest step was then, between two cities."""
    routes = list(ROUTES.values()) if moved_ms is None else [ROUTES["delivered"]]
    city_from, city_to = cities(number)
    parcel = Parcel(
        number=number, route=routes[n % len(routes)], begun_ms=now_ms - 3_600_000 * (1 + n % 9) - 997 * n,
        step_ms=3_600_000, cod_minor=125_000 * (n % 3), city_from=city_from, city_to=city_to,
    )  # fmt: skip
    found = render(parcel, now_ms)
    if moved_ms is not None:
        moved = f"{moment_of(moved_ms).astimezone(KYIV):%Y-%m-%d %H:%M:%S}"
        found |= {
            "StatusCode": "5",
            "Status": f"Відправлення прямує до м. {city_to}",
            "TrackingUpdateDate": moved,
        }
    return found


def moment_of(at_ms: int) -> datetime:
    """Aware UTC of milliseconds since 1970."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def envelope(items: Sequence[bytes]) -> bytes:
    """A whole answer of ready documents."""
    return b'{"success":true,"data":[' + b",".join(items) + b'],"errors":[],"warnings":[],"errorCodes":[]}'


def answer(numbers: Sequence[str], *, now_ms: int = NOW_MS) -> bytes:
    """What the carrier says about these numbers."""
    return envelope([orjson.dumps(item(number, n, now_ms=now_ms)) for n, number in enumerate(numbers)])


def numbers(count: int = 100) -> list[str]:
    """Waybill numbers."""
    return [f"2045{n:010d}" for n in range(count)]


def measure(rounds: int = 30) -> dict[str, Any]:
    """The ratio of medians, and the quartiles of the ratio of each round."""
    asked = numbers()
    question = ask([TrackingNumber(number=number) for number in asked])
    # Another day in every round: nothing that was read before helps.
    bodies = [answer(asked, now_ms=NOW_MS + n * 86_400_000 + n * 1_009) for n in range(rounds)]

    def ours(body: bytes) -> None:
        found = read_answer(body, question, now_ms=NOW_MS)
        assert len(found.tracked) == 100

    ours(bodies[0])
    own, bare = in_turn(ours, json.loads, bodies)
    ratios = sorted(a / b for a, b in zip(own, bare, strict=True))
    return {
        "documents": len(asked),
        "bytes": len(bodies[0]),
        "fields": len(orjson.loads(bodies[0])["data"][0]),
        "us_typed_events": round(statistics.median(own) * 1e6),
        "us_json_loads": round(statistics.median(bare) * 1e6),
        "ratio": round(statistics.median(own) / statistics.median(bare), 2),
        "quartiles": [round(ratios[len(ratios) // 4], 2), round(ratios[3 * len(ratios) // 4], 2)],
        "goal": GOAL,
        "must": MUST,
    }


def in_turn(
    first: Callable[[bytes], Any], second: Callable[[bytes], Any], bodies: Sequence[bytes]
) -> tuple[list[float], list[float]]:
    """Processor seconds of each, one after the other on the same bytes."""
    spent: tuple[list[float], list[float]] = ([], [])
    for body in bodies:
        for work, seconds in zip((first, second), spent, strict=True):
            begun = time.process_time()
            work(body)
            seconds.append(time.process_time() - begun)
    return spent
