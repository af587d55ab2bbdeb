"""When a parcel is asked for again."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.kernel.clock import DAY, HOUR, MINUTE, Instant, parse_rfc3339
from hub.sdk.tracking import FINAL, MoneyStatus, Status
from hub.shipments.budget import throttle_pause
from hub.shipments.planner import (
    Phase,
    Watched,
    is_night,
    next_poll,
    phase_of,
    retry_after,
)

KYIV = ZoneInfo("Europe/Kyiv")
S, M = Status, MoneyStatus
DAYTIME = parse_rfc3339("2026-03-02T12:00:00+02:00")
NIGHT = parse_rfc3339("2026-03-02T23:00:00+02:00")


def watched(status, money=M.NONE, *, news_ago=0, now=DAYTIME, ended_ago=None, bad=False):
    return Watched(
        status, money, now - 60 * DAY, now - news_ago, None if ended_ago is None else now - ended_ago, bad
    )


@pytest.mark.parametrize(
    ("parcel", "phase"),
    [
        (watched(S.UNKNOWN), Phase.CREATED),
        (watched(S.CREATED, news_ago=3 * DAY), Phase.QUIET),
        (watched(S.ACCEPTED), Phase.MOVING),
        (watched(S.IN_TRANSIT, news_ago=2 * DAY - 1), Phase.MOVING),
        (watched(S.IN_TRANSIT, news_ago=2 * DAY), Phase.QUIET),
        (watched(S.ARRIVED), Phase.WAITING),
        (watched(S.OUT_FOR_DELIVERY), Phase.WAITING),
        (watched(S.DELIVERY_ATTEMPTED), Phase.WAITING),
        (watched(S.ARRIVED, news_ago=3 * DAY), Phase.QUIET),
        (watched(S.EXCEPTION), Phase.QUIET),
        (watched(S.REFUSED), Phase.RETURNING),
        (watched(S.RETURNING, news_ago=5 * DAY), Phase.RETURNING),
        (watched(S.DELIVERED, M.COLLECTED, ended_ago=HOUR), Phase.MONEY),
        (watched(S.DELIVERED, M.UNKNOWN, ended_ago=14 * DAY - 1, news_ago=14 * DAY - 1), Phase.MONEY),
        (watched(S.DELIVERED, M.UNKNOWN, ended_ago=14 * DAY, news_ago=14 * DAY), Phase.ENDED),
        (watched(S.DELIVERED, M.PAID_OUT, ended_ago=HOUR), Phase.LOOK),
        (watched(S.RETURNED, M.NOT_COLLECTED, ended_ago=2 * DAY, news_ago=2 * DAY), Phase.ENDED),
        (watched(S.IN_TRANSIT, news_ago=7 * DAY), Phase.SILENT),
        (watched(S.IN_TRANSIT, news_ago=30 * DAY), Phase.GIVEN_UP),
        (watched(S.UNKNOWN, news_ago=30 * DAY), Phase.GIVEN_UP),
        (watched(S.IN_TRANSIT, bad=True), Phase.GIVEN_UP),
    ],
)
def test_the_phase_follows_status_money_and_age(parcel, phase):
    assert phase_of(parcel, DAYTIME) is phase


def test_a_parcel_without_any_news_counts_from_its_making():
    parcel = Watched(S.UNKNOWN, M.NONE, DAYTIME - 30 * DAY, None, None)
    assert phase_of(parcel, DAYTIME) is Phase.GIVEN_UP


@pytest.mark.parametrize(
    ("parcel", "day", "night"),
    [
        (watched(S.IN_TRANSIT), 15 * MINUTE, HOUR),
        (watched(S.ARRIVED), 15 * MINUTE, HOUR),
        (watched(S.EXCEPTION), 2 * HOUR, 2 * HOUR),
        (watched(S.REFUSED), 3 * HOUR, 3 * HOUR),
        (watched(S.DELIVERED, M.COLLECTED, ended_ago=HOUR), 2 * HOUR, 2 * HOUR),
        (watched(S.CREATED), HOUR, HOUR),
        (watched(S.DELIVERED, M.PAID_OUT, ended_ago=HOUR), DAY, DAY),
    ],
)
def test_each_phase_is_asked_for_within_its_target_by_day_and_by_night(parcel, day, night):
    assert next_poll(parcel, DAYTIME, KYIV, 1.0) == DAYTIME + day
    moved = Watched(parcel.status, parcel.money, parcel.created_at, NIGHT, NIGHT if parcel.ended_at else None)
    assert next_poll(moved, NIGHT, KYIV, 1.0) == NIGHT + night


@pytest.mark.parametrize(
    ("age", "every"),
    [
        (0, HOUR), (2 * DAY - 1, HOUR), (2 * DAY, 2 * HOUR), (7 * DAY, 6 * HOUR), (14 * DAY, 12 * HOUR),
        (28 * DAY, DAY), (30 * DAY - 1, DAY),
    ],
)  # fmt: skip
def test_a_silent_waybill_is_asked_for_less_and_less(age, every):
    assert next_poll(watched(S.UNKNOWN, news_ago=age), DAYTIME, KYIV, 1.0) == DAYTIME + every


@pytest.mark.parametrize(
    ("now", "at"),
    [
        ("2026-03-02T23:00:00+02:00", "2026-03-03T00:00:00+02:00"),
        ("2026-03-03T06:00:00+02:00", "2026-03-03T07:00:00+02:00"),
        ("2026-03-03T06:30:00+02:00", "2026-03-03T07:00:00+02:00"),
        ("2026-03-03T06:50:00+02:00", "2026-03-03T07:05:00+02:00"),
        ("2026-03-28T23:50:00+02:00", "2026-03-29T00:50:00+02:00"),
        ("2026-03-29T06:40:00+03:00", "2026-03-29T07:00:00+03:00"),
    ],
)
def test_the_day_begins_with_fresh_statuses(now, at):
    moment = parse_rfc3339(now)
    parcel = Watched(S.IN_TRANSIT, M.NONE, moment, moment, None)
    assert next_poll(parcel, moment, KYIV, 1.0) == parse_rfc3339(at)
    soonest = next_poll(parcel, moment, KYIV, 0.0)
    assert soonest is not None
    assert soonest > moment
    assert parse_rfc3339(at) - soonest <= 15 * MINUTE


def test_where_changes_are_listed_single_questions_only_fill_gaps():
    assert next_poll(watched(S.IN_TRANSIT), DAYTIME, KYIV, 1.0, listed=True) == DAYTIME + 12 * HOUR
    silent = watched(S.IN_TRANSIT, news_ago=29 * DAY)
    assert next_poll(silent, DAYTIME, KYIV, 1.0, listed=True) == DAYTIME + DAY


@pytest.mark.parametrize("parcel", [watched(S.IN_TRANSIT, news_ago=31 * DAY), watched(S.ARRIVED, bad=True)])
def test_a_silent_parcel_is_never_asked_for_by_itself(parcel):
    assert next_poll(parcel, DAYTIME, KYIV, 0.5) is None


parcels = st.builds(
    watched,
    st.sampled_from(S),
    st.sampled_from(M),
    news_ago=st.integers(0, 40 * DAY),
    ended_ago=st.none() | st.integers(0, 40 * DAY),
    bad=st.booleans(),
)


@given(parcels, st.floats(0, 1))
def test_jitter_asks_sooner_by_a_seventh_at_most(parcel, jitter):
    middle = next_poll(parcel, DAYTIME, KYIV, 1.0)
    chosen = next_poll(parcel, DAYTIME, KYIV, jitter)
    if middle is None:
        assert chosen is None
        return
    assert chosen is not None
    every = middle - DAYTIME
    assert 0.85 * every - 1 <= chosen - DAYTIME <= every


@given(parcels)
def test_every_parcel_is_asked_for_again_or_has_come_to_its_end(parcel):
    if next_poll(parcel, DAYTIME, KYIV, 0.5) is None:
        assert phase_of(parcel, DAYTIME) in {Phase.GIVEN_UP, Phase.ENDED}
        assert parcel.status in FINAL or parcel.bad_number or DAYTIME - parcel.changed_at >= 30 * DAY


def test_the_demonstration_runs_faster_but_never_hot():
    parcel = watched(S.IN_TRANSIT)
    assert next_poll(parcel, DAYTIME, KYIV, 1.0, speed=60) == DAYTIME + 15_000
    assert next_poll(parcel, DAYTIME, KYIV, 0.5, speed=10**6) == DAYTIME + 500


@pytest.mark.parametrize(
    ("moment", "night"),
    [
        ("2026-03-02T21:59:59+02:00", False),
        ("2026-03-02T22:00:00+02:00", True),
        ("2026-03-03T06:59:59+02:00", True),
        ("2026-03-03T07:00:00+02:00", False),
        # Summer time begins on 29 March 2026 at 03:00, ends on 25 October at 04:00: the wall clock rules.
        ("2026-03-29T06:59:00+03:00", True),
        ("2026-03-29T07:00:00+03:00", False),
        ("2026-07-01T04:30:00Z", False),
        ("2026-01-15T04:30:00Z", True),
        ("2026-10-25T06:59:00+02:00", True),
        ("2026-10-25T07:00:00+02:00", False),
        ("2026-07-01T19:30:00Z", True),
        ("2026-01-15T19:30:00Z", False),
    ],
)
def test_night_is_by_the_wall_clock_of_kyiv_across_clock_changes(moment, night):
    assert is_night(parse_rfc3339(moment), KYIV) is night


@given(st.integers(0, 50), st.floats(0, 1))
def test_a_failed_call_backs_off_up_to_an_hour(failures, jitter):
    wait = retry_after(failures, jitter)
    assert 0.85 * MINUTE <= wait <= 1.15 * HOUR
    assert retry_after(failures, 0.5) == min(HOUR, MINUTE * 2**failures)


@pytest.mark.parametrize(
    ("slowdowns", "told", "pause"),
    [
        (0, None, 60_000),
        (1, None, 120_000),
        (9, None, 900_000),
        (0, 7, 60_000),
        (0, 300.5, 300_500),
        (9, 3600, 3_600_000),
    ],
)
def test_a_throttled_account_waits_as_told_or_as_grown(slowdowns, told, pause):
    assert throttle_pause(slowdowns, told) == pause


def test_asking_every_quarter_of_an_hour_is_the_quickest_there_is():
    quickest = min(
        (at - DAYTIME)
        for status in S
        for money in M
        if (at := next_poll(watched(status, money, ended_ago=0), Instant(DAYTIME), KYIV, 0.0)) is not None
    )
    assert quickest == round(0.85 * 15 * MINUTE)
