"""How far from due anybody gets, over random histories of the pure rule; and how fast one dealing is.

A history: 2 to 50 sellers with shares 1 to 5, each with a shift of his own (some at night), days off,
absences, limits of open work; 300 to 900 tasks that come by day and by night; what waits is dealt at the
first shift. The distance of a member is what he received less what was due to him, in tasks.
"""

from __future__ import annotations

import multiprocessing
import random
import statistics
import sys
import time
from collections.abc import Iterable, Iterator
from math import ceil
from typing import Any

from hub.assignment.policy import UNIT, Member, Roster, deal, eligible_set, finish, thousandths

DAY_MINUTES = 24 * 60
GOAL_DISTANCE, MUST_DISTANCE = 1.25, 2.0
GOAL_PER_S, MUST_PER_S = 20_000, 5_000


def history(seed: int) -> float:
    """The largest distance that anybody reaches in one history."""
    chance = random.Random(seed)
    count = chance.choice([2, 3, 5, 8, 12, 20, 35, 50])
    roster = Roster(1, 0, "", 0, {})
    shifts: dict[int, tuple[int, int]] = {}
    mixed, limits = chance.random() < 0.6, chance.random() < 0.3
    for number in range(1, count + 1):
        limit = chance.randint(3, 20) if limits else None
        roster.members[number] = Member(number, number, chance.randint(1, 5) if mixed else 1, limit)
        start = chance.choice([0, 8, 8, 9, 9, 9, 10, 12, 16, 20]) * 60
        shifts[number] = (start, start + chance.choice([4, 8, 9, 12]) * 60)
    absent: dict[int, int] = {}
    open_tasks: list[int] = []
    worst, waiting, minute = 0.0, 0, 0
    for _ in range(chance.randint(300, 900)):
        minute += chance.choice([1, 3, 10, 30, 90])
        _who_is_there(roster, shifts, absent, minute, chance)
        waiting += 1
        while waiting and (chosen_from := eligible_set(roster)).ids:
            open_tasks.append(deal(roster, chosen_from).taker)
            waiting -= 1
            worst = max(worst, *(abs(m.credit) for m in roster.members.values()))
        while open_tasks and chance.random() < 0.5:
            finish(roster, open_tasks.pop(chance.randrange(len(open_tasks))))
    assert roster.total() == 0
    return worst / UNIT


def _who_is_there(
    roster: Roster,
    shifts: dict[int, tuple[int, int]],
    absent: dict[int, int],
    minute: int,
    chance: random.Random,
) -> None:
    if chance.random() < 0.02:
        absent[chance.randrange(1, len(shifts) + 1)] = minute + chance.randint(1, 14) * DAY_MINUTES
    of_day = minute % DAY_MINUTES
    for number, (start, end) in shifts.items():
        on_shift = start <= of_day < end or of_day < end - DAY_MINUTES
        away = absent.get(number, 0) > minute
        roster.members[number].off = "absent" if away else "" if on_shift else "off_shift"


def _told(distances: Iterable[float], histories: int) -> Iterator[float]:
    """The same, and on a long way how far it has come."""
    largest = 0.0
    for number, distance in enumerate(distances, 1):
        largest = max(largest, distance)
        if number % 5_000 == 0:
            print(f"{number} of {histories}: largest {largest:.3f}", file=sys.stderr, flush=True)
        yield distance


def measure_distance(histories: int = 1_000) -> dict[str, Any]:
    """Over many histories, on all cores."""
    with multiprocessing.get_context("spawn").Pool() as pool:
        found = sorted(_told(pool.imap_unordered(history, range(histories), chunksize=20), histories))
    return {
        "histories": histories,
        "largest": round(found[-1], 3),
        "at_99.9_percent": round(found[ceil(len(found) * 0.999) - 1], 3),
        "median": round(statistics.median(found), 3),
        "goal_at_99.9_percent": GOAL_DISTANCE,
        "must_largest": MUST_DISTANCE,
    }


def measure_speed(sellers: int = 50, tasks: int = 5_000, rounds: int = 5) -> dict[str, Any]:
    """One dealing among 50, its text for the ledger included, beside a bare loop over 50 numbers."""
    rates, ratios = [], []
    for _ in range(rounds):
        roster = Roster(1, 0, "", 0, {n: Member(n, n, 1 + n % 3, None) for n in range(1, sellers + 1)})
        chosen_from = eligible_set(roster)
        started = time.perf_counter()
        for _ in range(tasks):
            thousandths(deal(roster, chosen_from).before)
        ours = time.perf_counter() - started
        credits_now = [0] * sellers
        started = time.perf_counter()
        for _ in range(tasks):
            credits_now = [c + 1 for c in credits_now]
            best = max(range(sellers), key=credits_now.__getitem__)
            credits_now[best] -= sellers
        bare = time.perf_counter() - started
        rates.append(tasks / ours)
        ratios.append(ours / bare)
    return {
        "dealings_per_s_among_50": round(statistics.median(rates)),
        "spread": [round(min(rates)), round(max(rates))],
        "cost_x_bare_loop": round(statistics.median(ratios), 2),
        "goal_per_s": GOAL_PER_S,
        "must_per_s": MUST_PER_S,
    }


def measure(histories: int = 1_000) -> dict[str, Any]:
    """Both."""
    return {**measure_distance(histories), **measure_speed()}
