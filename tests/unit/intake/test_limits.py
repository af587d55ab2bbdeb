"""How often one address may deliver."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.intake.limits import MAX_ADDRESSES, RateLimit


def test_a_whole_minutes_worth_passes_at_once_and_then_no_more():
    limit = RateLimit(120)
    assert [limit.wait_s("a", 0.0) for _ in range(120)] == [0] * 120
    assert limit.wait_s("a", 0.0) == 1


def test_addresses_do_not_share_a_bucket():
    limit = RateLimit(1)
    assert limit.wait_s("a", 0.0) == 0
    assert limit.wait_s("b", 0.0) == 0
    assert limit.wait_s("a", 0.0) == 60


def test_zero_is_no_limit():
    limit = RateLimit(0)
    assert {limit.wait_s("a", 0.0) for _ in range(10_000)} == {0}


@given(st.integers(1, 600), st.integers(0, 30))
def test_after_the_seconds_that_were_told_it_goes_on(per_minute, refusals):
    limit = RateLimit(per_minute)
    now = 1_000.0
    while limit.wait_s("a", now) == 0:
        pass
    for _ in range(refusals):
        limit.wait_s("a", now)
    assert limit.wait_s("a", now + limit.wait_s("a", now)) == 0


@given(st.integers(1, 60), st.lists(st.floats(0, 20), max_size=200))
def test_in_any_minute_at_most_twice_the_limit_passes(per_minute, pauses):
    limit, now, passed = RateLimit(per_minute), 0.0, []
    for pause in pauses:
        now += pause
        if limit.wait_s("a", now) == 0:
            passed.append(now)
    assert all(sum(1 for t in passed if start <= t < start + 60) <= 2 * per_minute for start in passed)


def test_a_clock_that_steps_back_opens_nothing():
    limit = RateLimit(1)
    limit.wait_s("a", 100.0)
    assert limit.wait_s("a", 50.0) > 0


def test_the_memory_is_bounded():
    limit = RateLimit(1)
    for n in range(MAX_ADDRESSES + 50):
        limit.wait_s(str(n), 0.0)
    assert len(limit._buckets) == MAX_ADDRESSES


@pytest.mark.parametrize("per_minute", [1, 7, 120])
def test_a_refused_try_costs_no_token(per_minute):
    limit = RateLimit(per_minute)
    while limit.wait_s("a", 0.0) == 0:
        pass
    first = limit.wait_s("a", 0.0)
    assert [limit.wait_s("a", 0.0) for _ in range(5)] == [first] * 5
