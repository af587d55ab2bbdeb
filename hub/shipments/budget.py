"""What an account may ask: calls a minute and a day, calls at the same time, and less after "too many".

The value stands in one row of the database and is read, decided on and written under that row's lock, so
all processes share it. Calls of the last minute are counted by second: whichever 60 seconds one looks at,
there are never more in them than the budget allows. "Too many requests" pauses the account and halves its
pace; each minute that goes well gives a tenth back. Calls that fail one after the other, with none that goes
well in between, make the account wait too: a carrier that is down is probed, its parcels stay due, and they are
asked for as soon as it is back. A process that died with a call under way gives its place back when the call
would have timed out.

Pure: no SQL, no clock of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hub.kernel.clock import MINUTE, SECOND, Instant
from hub.sdk.carrier import CarrierCapabilities

FULL_PACE = 1000
LEAST_PACE = 63
RECOVERS_BY = 100
MOST_PAUSE = 15 * MINUTE
PROBE_AFTER = 3
FIRST_PROBE, LAST_PROBE = 15 * SECOND, 2 * MINUTE


@dataclass(frozen=True, slots=True)
class Limits:
    """What one account may do. 0 calls a day: no limit is known."""

    per_minute: int
    per_day: int = 0
    parallel: int = 1

    @classmethod
    def of(cls, capabilities: CarrierCapabilities) -> Limits:
        """The limits that a carrier names, at least one of each."""
        return cls(
            max(1, capabilities.calls_per_minute),
            max(0, capabilities.calls_per_day),
            max(1, capabilities.parallel_calls),
        )


@dataclass(frozen=True, slots=True)
class Budget:
    """Where an account stands. Instants; `recent` holds (second since 1970, calls), `flights` (token, until)."""

    day_at: int = 0
    used_today: int = 0
    recent: tuple[tuple[int, int], ...] = ()
    flights: tuple[tuple[int, int], ...] = ()
    pace: int = FULL_PACE
    paced_at: int = 0
    paused_until_at: int | None = None
    slowdowns: int = 0


def per_minute(budget: Budget, limits: Limits) -> int:
    """Calls of any 60 seconds at the present pace."""
    return max(1, limits.per_minute * budget.pace // FULL_PACE)


def refusal(budget: Budget, limits: Limits, now: Instant, day_at: int) -> str | None:
    """Why no call may be made now: paused, day, minute, parallel; None: one may."""
    if budget.paused_until_at is not None and budget.paused_until_at > now:
        return "paused"
    if limits.per_day and budget.day_at == day_at and budget.used_today >= limits.per_day:
        return "day"
    if _of_last_minute(budget, now) >= per_minute(budget, limits):
        return "minute"
    if sum(1 for _, until in budget.flights if until > now) >= limits.parallel:
        return "parallel"
    return None


def take(budget: Budget, limits: Limits, now: Instant, day_at: int, token: int, until: int) -> Budget | None:
    """Count one call that begins now and is over at `until` at the latest; None: it must wait."""
    if refusal(budget, limits, now, day_at) is not None:
        return None
    second = now // SECOND
    recent = dict(_kept(budget, now))
    recent[second] = recent.get(second, 0) + 1
    flights = (*((t, u) for t, u in budget.flights if u > now), (token, until))
    today = budget.used_today if budget.day_at == day_at else 0
    return replace(
        budget, day_at=day_at, used_today=today + 1, recent=tuple(recent.items()), flights=flights,
        paused_until_at=None,
    )  # fmt: skip


def done(budget: Budget, now: Instant, token: int, *, well: bool) -> Budget:
    """A call is over. `well`: the carrier answered; after a slow time the pace comes back step by step."""
    kept = tuple((t, u) for t, u in budget.flights if t != token and u > now)
    if not well:
        return replace(budget, flights=kept)
    if budget.pace == FULL_PACE:
        return replace(budget, flights=kept, slowdowns=0)
    if now - budget.paced_at < MINUTE:
        return replace(budget, flights=kept)
    pace = min(FULL_PACE, budget.pace + RECOVERS_BY)
    slowdowns = 0 if pace == FULL_PACE else max(0, budget.slowdowns - 1)
    return replace(budget, flights=kept, pace=pace, paced_at=now, slowdowns=slowdowns)


def slow_down(budget: Budget, now: Instant, told_s: float | None) -> Budget:
    """The carrier said "too many requests": a pause, and half the pace afterwards.

    Calls that were under way at the same time say the same once more: one pause, one step.
    """
    pause = now + throttle_pause(budget.slowdowns, told_s)
    if budget.paused_until_at is not None and budget.paused_until_at > now:
        return replace(budget, paused_until_at=max(pause, budget.paused_until_at))
    return replace(
        budget, paused_until_at=pause, slowdowns=budget.slowdowns + 1,
        pace=max(LEAST_PACE, budget.pace // 2), paced_at=pause,
    )  # fmt: skip


def stumble(budget: Budget, now: Instant, token: int) -> Budget:
    """A call failed for a passing reason. From the third in a row on the account waits, 15 s doubling to 2 min."""
    kept = done(budget, now, token, well=False)
    if kept.paused_until_at is not None and kept.paused_until_at > now:
        return kept  # calls that were under way together fail together
    failures = kept.slowdowns + 1
    beyond = failures - PROBE_AFTER
    until = None if beyond < 0 else now + min(LAST_PROBE, FIRST_PROBE << min(beyond, 10))
    return replace(kept, slowdowns=failures, paused_until_at=until)


def throttle_pause(slowdowns: int, told_s: float | None) -> int:
    """Milliseconds an account is left alone after "too many requests": told, or 60 s doubling to 15 min."""
    own = min(MOST_PAUSE, MINUTE << min(slowdowns, 6))
    return max(own, int((told_s or 0) * 1000))


def _kept(budget: Budget, now: Instant) -> tuple[tuple[int, int], ...]:
    """Seconds that some window of 60 s ending now or later in this second still touches."""
    first = now // SECOND - 60
    return tuple((second, calls) for second, calls in budget.recent if second >= first)


def _of_last_minute(budget: Budget, now: Instant) -> int:
    return sum(calls for _, calls in _kept(budget, now))
