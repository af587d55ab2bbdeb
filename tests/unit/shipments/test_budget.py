"""What an account may ask, whichever sixty seconds one looks at."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.kernel.clock import DAY, HOUR, MINUTE, SECOND, Instant
from hub.sdk.carrier import CarrierCapabilities
from hub.shipments.budget import (
    FULL_PACE,
    LEAST_PACE,
    PROBE_AFTER,
    Budget,
    Limits,
    done,
    per_minute,
    refusal,
    slow_down,
    stumble,
    take,
    throttle_pause,
)

START = Instant(1_772_445_600_000)
TODAY = START - START % DAY
PLENTY = Limits(1_000, parallel=1_000)


def taken(budget, limits, now, token=1):
    """One call that is over at once; None where it must wait."""
    after = take(budget, limits, Instant(now), TODAY, token, now)
    return None if after is None else done(after, Instant(now), token, well=True)


@given(
    st.integers(1, 12),
    st.lists(st.integers(0, 7_000), min_size=1, max_size=120),
)
def test_no_sixty_seconds_hold_more_calls_than_the_budget(limit, waits):
    budget, now, made = Budget(), START, []
    for wait in waits:
        now = Instant(now + wait)
        after = taken(budget, Limits(limit), now)
        if after is not None:
            budget = after
            made.append(now)
    for first in made:
        assert sum(first <= at < first + MINUTE for at in made) <= limit
    assert made, "somebody was allowed to ask"


def test_a_budget_that_is_used_up_is_free_again_a_minute_later():
    budget = taken(Budget(), Limits(1), START)
    assert refusal(budget, Limits(1), Instant(START + MINUTE - SECOND), TODAY) == "minute"
    assert refusal(budget, Limits(1), Instant(START + MINUTE + SECOND), TODAY) is None


def test_calls_of_a_day_are_counted_by_the_carriers_day():
    limits = Limits(1_000, per_day=3)
    budget = Budget()
    for n in range(3):
        budget = taken(budget, limits, START + n * HOUR)
    assert refusal(budget, limits, Instant(START + 4 * HOUR), TODAY) == "day"
    assert refusal(budget, limits, Instant(START + DAY), TODAY + DAY) is None
    fresh = take(budget, limits, Instant(START + DAY), TODAY + DAY, 9, START + DAY)
    assert fresh is not None
    assert (fresh.used_today, fresh.day_at) == (1, TODAY + DAY)


def test_calls_side_by_side_are_bounded_and_a_dead_process_gives_its_place_back():
    limits = Limits(1_000, parallel=2)
    first = take(Budget(), limits, START, TODAY, 1, START + 50 * SECOND)
    assert first is not None
    budget = take(first, limits, START, TODAY, 2, START + 50 * SECOND)
    assert budget is not None
    assert take(budget, limits, START, TODAY, 3, START + 50 * SECOND) is None
    assert refusal(done(budget, START, 1, well=True), limits, START, TODAY) is None
    assert refusal(budget, limits, Instant(START + 50 * SECOND), TODAY) is None


def test_too_many_requests_pauses_halves_the_pace_and_comes_back_by_a_tenth_a_minute():
    limits = Limits(100, parallel=4)
    budget = slow_down(Budget(), START, None)
    assert refusal(budget, limits, Instant(START + MINUTE - 1), TODAY) == "paused"
    assert refusal(budget, limits, Instant(START + MINUTE), TODAY) is None
    assert per_minute(budget, limits) == 50
    again = slow_down(budget, START, None)
    assert (again.pace, again.slowdowns) == (budget.pace, 1), "calls of one moment say it once"
    at, paces = START + MINUTE, []
    for _ in range(7):
        at += MINUTE
        budget = done(budget, Instant(at), 0, well=True)
        paces.append(per_minute(budget, limits))
    assert paces == [60, 70, 80, 90, 100, 100, 100]
    assert budget.slowdowns == 0


def test_the_pace_never_comes_to_a_halt_and_pauses_grow_up_to_a_quarter_of_an_hour():
    budget, now = Budget(), START
    for _ in range(10):
        budget = slow_down(budget, now, None)
        assert budget.paused_until_at is not None
        pause = budget.paused_until_at - now
        now = Instant(budget.paused_until_at)
    assert (pause, budget.pace) == (15 * MINUTE, LEAST_PACE)
    assert per_minute(budget, Limits(2)) == 1
    assert throttle_pause(0, 1_800) == 30 * MINUTE


def test_a_carrier_that_is_down_is_probed_and_not_hammered():
    budget, now = Budget(), START
    for _ in range(PROBE_AFTER - 1):
        budget = stumble(budget, now, 0)
        assert refusal(budget, PLENTY, Instant(now), TODAY) is None
    waits = []
    for _ in range(6):
        budget = stumble(budget, now, 0)
        assert budget.paused_until_at is not None
        waits.append((budget.paused_until_at - now) // SECOND)
        now = Instant(budget.paused_until_at)
    assert waits == [15, 30, 60, 120, 120, 120]
    assert budget.pace == FULL_PACE
    well = done(budget, now, 0, well=True)
    assert (well.slowdowns, refusal(well, PLENTY, now, TODAY)) == (0, None)


def test_one_stumble_among_many_good_calls_costs_nothing():
    budget = Budget()
    for n in range(50):
        now = Instant(START + n * SECOND)
        budget = stumble(budget, now, 0)
        budget = done(budget, now, 0, well=True)
        assert refusal(budget, PLENTY, now, TODAY) is None


def test_what_is_remembered_stays_small():
    budget = Budget()
    for n in range(5_000):
        after = taken(budget, PLENTY, START + n * 300)
        budget = after or budget
    assert len(budget.recent) <= 62
    assert Counter(budget.flights) == Counter()


@pytest.mark.parametrize(
    ("capabilities", "limits"),
    [
        (CarrierCapabilities(), Limits(60, 0, 1)),
        (CarrierCapabilities(calls_per_minute=0, parallel_calls=0, calls_per_day=-1), Limits(1, 0, 1)),
        (CarrierCapabilities(calls_per_minute=9, parallel_calls=3, calls_per_day=70), Limits(9, 70, 3)),
    ],
)
def test_the_limits_are_those_that_the_carrier_names(capabilities, limits):
    assert Limits.of(capabilities) == limits
