"""Duty and working time: wall clock, clock changes, nights, absences; laws by property."""

from datetime import date, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.kernel.clock import DAY, HOUR, Instant, parse_rfc3339
from hub.staff.calendar import (
    DAYS,
    Schedule,
    Weekly,
    at_wall,
    duty,
    elapsed,
    hours_of,
    shift_starts,
    union,
    working,
)
from hub.staff.holidays import orthodox_easter, public_holidays

KYIV = ZoneInfo("Europe/Kyiv")
MONDAY = parse_rfc3339("2026-11-22T22:00:00Z")  # midnight in Kyiv


def weekly(hours, *, days=DAYS, since=date(2026, 1, 1), until=None, off=False):
    found = hours_of(hours)
    return Weekly(since, until, tuple(found if name in days else () for name in DAYS), off)


def on(*patterns, **more):
    return Schedule(KYIV, tuple(patterns), **more)


def at(text):
    return parse_rfc3339(text)


def test_without_any_entry_always_on_duty():
    assert duty(Schedule(), MONDAY) == ("", None)
    assert working(Schedule(), MONDAY, Instant(MONDAY + DAY)) == [(MONDAY, MONDAY + DAY)]


def test_a_day_shift():
    calendar = on(weekly([("09:00", "18:00")], days=("mon",)))
    assert duty(calendar, MONDAY) == ("off_shift", MONDAY + 9 * HOUR)
    assert duty(calendar, Instant(MONDAY + 9 * HOUR)) == ("", MONDAY + 18 * HOUR)
    assert duty(calendar, Instant(MONDAY + 18 * HOUR)) == ("off_shift", MONDAY + 7 * DAY + 9 * HOUR)


def test_a_night_shift_belongs_to_the_day_it_begins():
    calendar = on(weekly([("22:00", "06:00")], days=("mon",)))
    assert duty(calendar, Instant(MONDAY + 23 * HOUR))[0] == ""
    assert duty(calendar, Instant(MONDAY + DAY + 5 * HOUR)) == ("", MONDAY + DAY + 6 * HOUR)
    assert duty(calendar, Instant(MONDAY + 5 * HOUR))[0] == "off_shift"


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 29), 7), (date(2026, 10, 25), 9), (date(2026, 7, 1), 8)]
)
def test_a_shift_over_a_clock_change_is_shorter_or_longer(day, hours):
    calendar = on(weekly([("00:00", "08:00")]))
    start = at_wall(day, 0, KYIV)
    assert elapsed(working(calendar, start, Instant(start + DAY // 2)), start, Instant(start + DAY // 2)) == (
        hours * HOUR
    )


def test_times_that_do_not_exist_or_exist_twice():
    spring, autumn = date(2026, 3, 29), date(2026, 10, 25)
    assert at_wall(spring, 3 * 60 + 30, KYIV) == at("2026-03-29T01:00:00Z")  # 03:00 becomes 04:00
    assert at_wall(spring, 3 * 60 + 30, KYIV, last=True) == at("2026-03-29T01:00:00Z")
    assert at_wall(autumn, 3 * 60 + 30, KYIV) == at("2026-10-25T00:30:00Z")
    assert at_wall(autumn, 3 * 60 + 30, KYIV, last=True) == at("2026-10-25T01:30:00Z")


def test_the_newest_pattern_and_an_exception_count():
    old = weekly([("09:00", "18:00")])
    new = weekly([("12:00", "13:00")], since=date(2026, 11, 23), until=date(2026, 11, 23))
    calendar = on(old, new, exceptions=((date(2026, 11, 25), ()),))
    spans = working(calendar, MONDAY, Instant(MONDAY + 4 * DAY))
    assert [(b - a) // HOUR for a, b in spans] == [1, 9, 9]  # Monday new, Wednesday off


def test_a_day_off_alone_leaves_all_other_days_on():
    calendar = on(exceptions=((date(2026, 11, 24), ()),))
    assert duty(calendar, MONDAY) == ("", MONDAY + DAY)
    assert duty(calendar, Instant(MONDAY + DAY)) == ("off_shift", MONDAY + 2 * DAY)


def test_an_absence_stands_above_a_pause_and_a_pause_above_the_shift():
    start, end = MONDAY, Instant(MONDAY + 2 * HOUR)
    calendar = on(weekly([("09:00", "10:00")]), absences=((start, end),), pauses=((start, None),))
    assert duty(calendar, start) == ("absent", end)
    assert duty(calendar, end)[0] == "paused"


def test_starts_within_an_absence_are_no_starts():
    calendar = on(weekly([("09:00", "18:00")]), absences=((MONDAY, Instant(MONDAY + DAY)),))
    assert shift_starts(calendar, MONDAY, Instant(MONDAY + 2 * DAY)) == [MONDAY + DAY + 9 * HOUR]
    assert shift_starts(calendar, Instant(MONDAY + DAY + 9 * HOUR), Instant(MONDAY + 2 * DAY)) == []


def test_public_holidays_are_days_off_where_the_pattern_says_so():
    independence = at_wall(date(2026, 8, 24), 10 * 60, KYIV)
    assert duty(on(weekly([("09:00", "18:00")])), independence)[0] == ""
    assert duty(on(weekly([("09:00", "18:00")], off=True)), independence)[0] == "off_shift"


@pytest.mark.parametrize(
    ("year", "easter"),
    [
        (2024, date(2024, 5, 5)),
        (2025, date(2025, 4, 20)),
        (2026, date(2026, 4, 12)),
        (2027, date(2027, 5, 2)),
    ],
)
def test_movable_feasts(year, easter):
    assert orthodox_easter(year) == easter
    assert {easter, easter + timedelta(days=49)} <= public_holidays(year)
    assert len(public_holidays(year)) == 11


@pytest.mark.parametrize(
    "wrong", [[("9", "18:00")], [("25:00", "26:00")], [("09:60", "10:00")], [("-1:00", "2:00")]]
)
def test_hours_that_nobody_can_mean(wrong):
    with pytest.raises(ValueError, match="a time"):
        hours_of(wrong)


# --- laws -----------------------------------------------------------------------------------------------

minute = st.integers(0, 24 * 4).map(lambda quarter: f"{quarter // 4:02d}:{quarter % 4 * 15:02d}")
pattern = st.lists(st.tuples(minute, minute), max_size=3).map(
    lambda pairs: weekly([pair for pair in pairs if pair[0] != "24:00"])
)
moments = st.integers(0, 500 * 24).map(lambda hours: Instant(at("2026-01-10T00:00:00Z") + hours * HOUR))


def span_of(start, length):
    return start, Instant(start + length * HOUR)


spans = st.lists(st.builds(span_of, moments, st.integers(1, 100)), max_size=3).map(tuple)
calendars = st.builds(
    lambda patterns, absences, pauses: Schedule(KYIV, tuple(patterns), (), absences, pauses),
    st.lists(pattern, max_size=2),
    spans,
    spans,
)


@given(calendars, moments, st.integers(1, 99))
def test_duty_does_not_change_before_it_says_so(calendar, start, part):
    reason, until = duty(calendar, start)
    assert until is None or until > start
    between = start + ((until if until is not None else start + DAY) - start) * part // 100
    assert duty(calendar, Instant(between))[0] == reason


@given(calendars, moments, st.integers(0, 72))
def test_working_time_is_when_one_is_on_duty(calendar, start, hours):
    end = Instant(start + hours * HOUR)
    found = working(calendar, start, end)
    assert found == union(found)
    for quarter in range(hours * 4):
        moment = Instant(start + quarter * HOUR // 4)
        assert (duty(calendar, moment)[0] == "") == any(a <= moment < b for a, b in found)


@given(spans, spans)
def test_a_union_covers_both_and_counts_nothing_twice(left, right):
    both = union(left, right)
    assert both == union(both)
    assert all(a < b for a, b in both)
    assert all(x[1] < y[0] for x, y in pairwise(both))
    start, end = at("2026-01-01T00:00:00Z"), at("2028-01-01T00:00:00Z")
    total = elapsed(both, start, end)
    assert max(elapsed(union(left), start, end), elapsed(union(right), start, end)) <= total
    assert total <= elapsed(union(left), start, end) + elapsed(union(right), start, end)
