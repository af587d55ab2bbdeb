"""Instants and their written form."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.kernel.clock import Instant, ManualClock, SystemClock, instant, moment, parse_rfc3339, rfc3339

instants = st.integers(-62_000_000_000_000, 250_000_000_000_000).map(Instant)


@given(instants)
def test_an_instant_survives_being_written_and_read(at):
    assert parse_rfc3339(rfc3339(at)) == at
    assert instant(moment(at)) == at


def test_the_written_form_is_utc_with_milliseconds():
    at = instant(datetime(2026, 11, 22, 23, 24, 55, 120_000, timezone(timedelta(hours=2))))
    assert rfc3339(at) == "2026-11-22T21:24:55.120Z"
    assert rfc3339(0) == "1970-01-01T00:00:00.000Z"


@given(instants, instants)
def test_written_forms_of_four_digit_years_sort_as_the_instants(a, b):
    assert (rfc3339(a) < rfc3339(b)) == (a < b)


@pytest.mark.parametrize(
    "text",
    ["2026-11-22T09:30:00Z", "2026-11-22T11:30:00+02:00", "2026-11-22T04:00:00-05:30", "20261122T093000Z"],
)
def test_the_same_moment_in_any_zone_is_the_same_instant(text):
    assert parse_rfc3339(text) == instant(datetime(2026, 11, 22, 9, 30, tzinfo=UTC))


def test_microseconds_are_cut_never_rounded_up():
    assert instant(datetime(2026, 1, 1, 0, 0, 0, 999, UTC)) == instant(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("text", ["2026-11-22T09:30:00", "2026-11-22"])
def test_a_time_without_zone_is_refused_with_what_to_add(text):
    with pytest.raises(ValueError, match=r"add Z or \+02:00"):
        parse_rfc3339(text)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01T00:00:00Z", "1234567890"])
def test_what_is_no_time_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="2026-11-22T09:30:00Z"):
        parse_rfc3339(text)


def test_a_naive_moment_is_refused():
    with pytest.raises(ValueError, match="zone"):
        instant(datetime(2026, 11, 22, 9, 30))  # noqa: DTZ001 - what is tested


def test_a_manual_clock_moves_only_when_told_to():
    clock = ManualClock(Instant(1_000))
    assert clock.now() == clock.now() == 1_000
    clock.move(-400)
    assert clock.now() == 600


def test_the_system_clock_is_in_milliseconds():
    assert abs(SystemClock().now() - datetime.now(UTC).timestamp() * 1000) < 5_000
