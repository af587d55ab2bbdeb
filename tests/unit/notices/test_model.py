"""Choices, quiet hours and mornings: wall clock in the person's own zone."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.kernel.clock import DAY, Instant, parse_rfc3339, rfc3339
from hub.kernel.errors import InputRejected
from hub.notices.model import (
    Choice,
    Group,
    Place,
    Written,
    choice_of,
    group_of,
    leaves_at,
    next_digest,
    read_choice,
)
from hub.staff.calendar import Schedule, weekly_of

KYIV = ZoneInfo("Europe/Kyiv")
NIGHT = Choice(quiet=(22 * 60, 8 * 60))


@pytest.mark.parametrize(
    ("now", "leaves"),
    [
        ("2026-03-02T21:59:00+02:00", "2026-03-02T21:59:00+02:00"),
        ("2026-03-02T22:00:00+02:00", "2026-03-03T08:00:00+02:00"),
        ("2026-03-03T07:59:59+02:00", "2026-03-03T08:00:00+02:00"),
        ("2026-03-03T08:00:00+02:00", "2026-03-03T08:00:00+02:00"),
        ("2026-03-28T23:00:00+02:00", "2026-03-29T08:00:00+03:00"),  # the clock is put forward in that night
        ("2026-10-24T23:00:00+03:00", "2026-10-25T08:00:00+02:00"),  # and back
    ],
)
def test_what_falls_into_the_quiet_hours_waits_for_their_end(now, leaves):
    assert rfc3339(leaves_at(NIGHT, KYIV, parse_rfc3339(now))) == rfc3339(parse_rfc3339(leaves))


@pytest.mark.parametrize("group", Group)
@pytest.mark.parametrize("chosen", [True, False])
def test_alarms_alone_and_where_nobody_chose_otherwise_leave_in_quiet_hours(group, chosen):
    choice = Choice(quiet=(22 * 60, 8 * 60), alarms_in_quiet=chosen)
    now = parse_rfc3339("2026-03-02T23:00:00+02:00")
    assert (leaves_at(choice, KYIV, now, group) == now) is (chosen and group is Group.ALARMS)


def test_an_older_choice_is_told_alarms_at_night():
    assert choice_of({"places": {}, "quiet": [1320, 480]}, 1).alarms_in_quiet


@given(st.integers(0, 1439), st.integers(0, 1439), st.integers(0, 400 * DAY))
def test_nothing_leaves_in_quiet_hours_or_a_day_late(start, end, ahead):
    if start == end:
        return
    choice, now = Choice(quiet=(start, end)), Instant(1_770_000_000_000 + ahead)
    at = leaves_at(choice, KYIV, now)
    assert now <= at <= now + DAY + 3_600_000
    assert leaves_at(choice, KYIV, at) == at


def test_the_persons_own_zone_counts():
    choice = Choice(quiet=(22 * 60, 8 * 60), timezone="America/New_York")
    now = parse_rfc3339("2026-03-02T23:00:00-05:00")
    assert leaves_at(choice, KYIV, now) == parse_rfc3339("2026-03-03T08:00:00-05:00")


def test_a_digest_comes_on_working_days_only():
    choice = Choice(digest=9 * 60)
    friday = parse_rfc3339("2026-03-06T09:00:00+02:00")
    assert next_digest(choice, Schedule(KYIV), KYIV, friday) == parse_rfc3339("2026-03-09T09:00:00+02:00")
    weekend = weekly_of({"from": "2026-01-01", "days": {"sat": [["10:00", "16:00"]]}})
    own = Schedule(KYIV, (weekend,))
    assert next_digest(choice, own, KYIV, friday) == parse_rfc3339("2026-03-07T09:00:00+02:00")
    assert next_digest(Choice(), Schedule(KYIV), KYIV, friday) is None


def test_a_choice_is_stored_and_read_as_it_was():
    chosen = read_choice(
        Written(
            places={"tasks": frozenset({"email"}), "alarms": frozenset()}, email=" A@Example.com", quiet_from="22:00",
            quiet_until="07:30", timezone="Europe/Warsaw", digest="09:00",
        )
    )  # fmt: skip
    assert choice_of(chosen.body(), 0) == chosen
    assert chosen.wants(Group.TASKS, Place.EMAIL)
    assert not chosen.wants(Group.TASKS, Place.WORKSPACE)
    assert chosen.wants(Group.ORDERS, Place.MESSENGER), "what was not chosen goes where it usually does"


@pytest.mark.parametrize(
    ("written", "field"),
    [
        (Written(places={}, email="nobody"), "email"),
        (Written(places={"tasks": frozenset({"email"})}), "email"),
        (Written(places={}, quiet_from="22:00"), "quiet_until"),
        (Written(places={}, quiet_from="22:00", quiet_until="22:00"), "quiet_until"),
        (Written(places={}, quiet_from="25:00", quiet_until="8"), "quiet_from"),
        (Written(places={}, timezone="Europe/Nowhere"), "timezone"),
        (Written(places={}, timezone="../../etc/passwd"), "timezone"),
        (Written(places={}, digest="soon"), "digest"),
    ],
)
def test_what_is_wrong_is_told_by_field(written, field):
    with pytest.raises(InputRejected) as refused:
        read_choice(written)
    assert field in [problem.path for problem in refused.value.problems]


def test_a_kind_that_nobody_listed_is_about_orders():
    assert group_of("something_new") is Group.ORDERS
