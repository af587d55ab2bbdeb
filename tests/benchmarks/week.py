"""A simulated week of asking: the planner and the budgets themselves, on a simulated clock.

`hub.shipments.planner` decides when each parcel is asked for again and `hub.shipments.budget` whether a call may be
made; both are the real ones, called as the poller calls them. What is simulated is around them: the clock, a heap in
the place of the index of due parcels, and a carrier that answers at once. Every parcel stands for one of its kind:
when a quiet one would become silent, another one has just become quiet, so that the mix stays as it is.

    age     of the newest status, at every moment of the week, by phase and by day and night: its 95th percentile
            must stay within the phase's target
    budget  calls of one account in any 60 seconds, counted here a second time
    timer   a timer that asks for everything equally often, with the same 95th percentile for moving parcels by day
"""

from __future__ import annotations

import heapq
import random
import time
from bisect import insort
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from hub.kernel.clock import DAY, HOUR, MINUTE, SECOND, Instant, moment, parse_rfc3339
from hub.sdk.tracking import MoneyStatus, Status
from hub.shipments import budget
from hub.shipments.budget import Budget, Limits
from hub.shipments.lists import RHYTHM, Kind, wait_of
from hub.shipments.planner import Hours, Phase, Watched, day_start, is_night, next_of, phase_of, target_of
from hub.shipments.poller import FILLS_UP_BY

KYIV = ZoneInfo("Europe/Kyiv")
BEGIN = parse_rfc3339("2026-03-02T00:00:00+02:00")
TICK = 5 * SECOND
GOAL, MUST = 5.0, 3.0
P95 = 0.95


@dataclass(frozen=True, slots=True)
class Kindred:
    """Accounts of one carrier: how it is asked, and how many parcels one account follows."""

    name: str
    accounts: int
    parcels: int
    batch: int
    limits: Limits
    listed: bool = False


def carriers(parcels: int) -> list[Kindred]:
    """50 accounts with the batches and budgets of the bundled carriers, `parcels` in all.

    Where a carrier is asked number by number an account can follow some hundreds at these targets.
    """
    single = max(20, min(600, parcels // 200))
    rest = parcels - 10 * single
    return [
        Kindred("nova_poshta", 30, rest * 3 // 4 // 30, 100, Limits(60)),
        Kindred("ukrposhta", 10, rest // 4 // 10, 50, Limits(60)),
        Kindred("meest", 5, single, 1, Limits(30), listed=True),
        Kindred("delivery", 3, single, 1, Limits(30)),
        Kindred("rozetka_delivery", 2, single, 1, Limits(30)),
    ]


MIX = (
    # share, status, silence from, silence to: one that would leave its kind gives its place to a fresh one
    (0.10, Status.IN_TRANSIT, 0, 20 * HOUR),
    (0.20, Status.CREATED, 0, 46 * HOUR),
    (0.40, Status.IN_TRANSIT, 49 * HOUR, 160 * HOUR),
    (0.30, Status.CREATED, 8 * DAY, 29 * DAY),
)


@dataclass(slots=True)
class Ages:
    """How old statuses were: parcels by age in steps of 15 s, counted through time."""

    steps: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    STEP = 15 * SECOND

    def add(self, young: int, old: int, parcels: int) -> None:
        """So many parcels grew from one age to the other."""
        self.steps[young // self.STEP] += parcels
        self.steps[old // self.STEP + 1] -= parcels

    def p95(self) -> float:
        """Minutes."""
        density: list[tuple[int, int]] = []
        height = 0
        for step in range(max(self.steps, default=0) + 1):
            height += self.steps.get(step, 0)
            density.append((step, height))
        whole = sum(height for _, height in density)
        below = 0
        for step, height in density:
            below += height
            if below >= P95 * whole:
                return (step + 1) * self.STEP / MINUTE
        return 0.0


class Account:
    """One account with its parcels: kind of each, when it last had news, when it was last asked for."""

    def __init__(self, kind: Kindred, random_: random.Random) -> None:
        self.kind = kind
        self.budget = Budget()
        self.calls = 0
        self.largest_minute = 0
        self.recent: deque[int] = deque()
        self.of = random_.choices(range(len(MIX)), [m[0] for m in MIX], k=kind.parcels)
        self.news = [BEGIN - random_.randrange(MIX[m][2], MIX[m][3]) for m in self.of]
        self.asked = [0] * kind.parcels
        self.due: list[tuple[int, int]] = []
        self.list_at = int(BEGIN)
        self.listed_at = int(BEGIN)
        hours = Hours.at(BEGIN, KYIV)
        for n in range(kind.parcels):  # as a hub that has run for long
            parcel, phase = self.watched(n, BEGIN)
            at = next_of(parcel, phase, BEGIN, hours, random_.random(), 1.0, listed=kind.listed) or BEGIN
            self.asked[n] = BEGIN
            self.due.append((BEGIN + round((at - BEGIN) * random_.random()), n))
        heapq.heapify(self.due)

    def watched(self, n: int, now: Instant) -> tuple[Watched, Phase]:
        """A parcel as the planner sees it; one that would leave its kind gives its place to a fresh one."""
        _, status, least, most = MIX[self.of[n]]
        if now - self.news[n] > most:
            self.news[n] = now - least
        parcel = Watched(status, MoneyStatus.NONE, self.news[n], self.news[n], None)
        return parcel, phase_of(parcel, now)

    def count(self, now: Instant) -> None:
        """One call, counted apart from the budget."""
        self.calls += 1
        self.recent.append(now)
        while self.recent[0] <= now - MINUTE:
            self.recent.popleft()
        self.largest_minute = max(self.largest_minute, len(self.recent))


class Week:
    """The simulation."""

    def __init__(self, parcels: int, seed: int = 20261125, sampled: int = 1) -> None:
        self._random = random.Random(seed)
        self.accounts = [
            Account(kind, self._random) for kind in carriers(parcels) for _ in range(kind.accounts)
        ]
        self.ages: dict[tuple[str, str, bool], Ages] = defaultdict(Ages)
        self.polls = 0
        self._sampled = sampled
        self._turns = [int(BEGIN)]  # when day and night began

    def run(self, span: int) -> None:
        """Let the time pass."""
        now, night = BEGIN, is_night(BEGIN, KYIV)
        while now < BEGIN + span:
            if is_night(now, KYIV) is not night:
                night = not night
                insort(self._turns, int(now))
            hours = Hours.at(now, KYIV)
            day_at = day_start(now, KYIV)
            for account in self.accounts:
                if account.kind.listed:
                    self._list(account, now, day_at, hours)
                if account.due[0][0] <= now:
                    self._ask(account, now, hours, day_at)
            now = Instant(now + TICK)

    def _may_call(self, account: Account, now: Instant, day_at: int) -> bool:
        taken = budget.take(account.budget, account.kind.limits, now, day_at, 1, now + MINUTE)
        if taken is None:
            return False
        account.budget = budget.done(taken, now, 1, well=True)
        account.count(now)
        return True

    def _ask(self, account: Account, now: Instant, hours: Hours, day_at: int) -> None:
        """As the poller: what is due, filled up with what falls due soon, call by call."""
        due, listed = account.due, account.kind.listed
        while due[0][0] <= now and self._may_call(account, now, day_at):
            batch: list[int] = []
            while due and len(batch) < account.kind.batch and due[0][0] <= now + FILLS_UP_BY:
                batch.append(heapq.heappop(due)[1])
            for n in batch:
                parcel, phase = account.watched(n, now)
                at = next_of(parcel, phase, now, hours, self._random.random(), 1.0, listed=listed)
                heapq.heappush(due, (at or now + DAY, n))
                if n % self._sampled == 0 and not listed:
                    self._aged(account.kind.name, phase, account.asked[n], now, 1)
                account.asked[n] = now
            self.polls += len(batch)

    def _list(self, account: Account, now: Instant, day_at: int, hours: Hours) -> None:
        """A carrier that lists what changed: one call keeps all statuses of the account fresh."""
        if account.list_at > now or not self._may_call(account, now, day_at):
            return
        account.list_at = now + wait_of(RHYTHM[Kind.CHANGES], now, hours)
        moving = int(MIX[0][0] * len(account.of))
        self._aged(account.kind.name, Phase.MOVING, account.listed_at, now, moving)
        account.listed_at = now

    def _aged(self, carrier: str, phase: Phase, since: int, now: Instant, parcels: int) -> None:
        """A status grew old between two answers; cut where day and night change."""
        start = since
        for turn in [t for t in self._turns[-2:] if since < t < now] + [now]:
            night = is_night(Instant(start), KYIV)
            self.ages[carrier, phase, night].add(start - since, turn - since, parcels)
            start = turn

    # --- what came out ---------------------------------------------------------------------------------

    def late(self) -> list[str]:
        """Carriers and phases whose 95th percentile misses the target."""
        found = []
        for (carrier, phase, night), ages in sorted(self.ages.items()):
            target = target_of(phase, night=night)
            if target is not None and ages.p95() > target / MINUTE:
                found.append(f"{carrier} {phase} {'night' if night else 'day'}: {ages.p95():.1f} min")
        return found

    def over_budget(self) -> int:
        """Accounts that made more calls in some minute than they may."""
        return sum(a.largest_minute > a.kind.limits.per_minute for a in self.accounts)

    def fewer_calls(self, span: int) -> dict[str, float]:
        """By carrier and for all: calls of a timer that asks for everything equally often, and keeps moving
        parcels as fresh by day, for one call of ours."""
        timer: dict[str, float] = defaultdict(float)
        ours: dict[str, int] = defaultdict(int)
        for account in self.accounts:
            kind = account.kind
            every = self.ages[kind.name, Phase.MOVING, False].p95() * MINUTE / P95
            for name in (kind.name, "all"):
                timer[name] += span / every * -(-kind.parcels // kind.batch)
                ours[name] += account.calls
        return {name: round(timer[name] / calls, 2) for name, calls in ours.items()}


def measure(parcels: int = 100_000, days: float = 7, sampled: int = 1) -> dict[str, Any]:
    """One simulated span."""
    begun = time.perf_counter()
    week = Week(parcels, sampled=sampled)
    span = round(days * DAY)
    week.run(span)
    calls = sum(account.calls for account in week.accounts)
    fewer = week.fewer_calls(span)
    p95 = {
        f"{phase} {'night' if night else 'day'}": round(ages.p95(), 1)
        for (carrier, phase, night), ages in sorted(week.ages.items())
        if carrier == "nova_poshta"
    }
    return {
        "parcels": sum(a.kind.parcels for a in week.accounts),
        "accounts": len(week.accounts),
        "days": days,
        "until": f"{moment(BEGIN + span):%Y-%m-%d %H:%M}",
        "questions": week.polls,
        "calls": calls,
        "late": week.late(),
        "over_budget": week.over_budget(),
        "p95_min_nova_poshta": p95,
        "fewer_calls": fewer["all"],
        "fewer_calls_by_carrier": fewer,
        "seconds": round(time.perf_counter() - begun, 1),
        "goal": GOAL,
        "must": MUST,
    }
