"""Where a person is told what, and when not. Pure.

Every notice belongs to a group, and each person chooses for each group where it goes: into his list in the
workspace, to his messenger (the staff bot), to his e-mail. A notice that is not wanted in the workspace is kept
there as read, so that nothing is ever said in one place only and lost with it.

Quiet hours are wall-clock times of his zone; what falls into them waits for their end, but for alarms: a channel
that is dead at night has lost a night by the morning. An end that does not lie after its start is on the next day.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hub.kernel.clock import Instant
from hub.kernel.email import parse_email
from hub.kernel.errors import FieldProblem, InputRejected
from hub.staff.calendar import Schedule, at_wall, local_date, minutes_of
from hub.staff.holidays import public_holidays

HORIZON_DAYS = 40
SATURDAY = 5


class Place(StrEnum):
    """Where a notice goes."""

    WORKSPACE = "workspace"
    MESSENGER = "messenger"
    EMAIL = "email"


class Group(StrEnum):
    """What it is about."""

    TASKS = "tasks"  # my tasks, messages of mine that failed
    ORDERS = "orders"  # stages, approvals, parcels
    ALARMS = "alarms"  # accounts, what could not be delivered: for those who operate the hub
    DIGEST = "digest"  # the head's morning


class StaffAccounts(Protocol):
    """Which accounts write to the staff, at this moment; "" where there is none."""

    @property
    def bot(self) -> str: ...

    @property
    def mail(self) -> str: ...


@dataclass(frozen=True, slots=True)
class NamedAccounts:
    """Staff accounts that never change."""

    bot: str = ""
    mail: str = ""


KINDS = {
    "task_assigned": Group.TASKS,
    "task_unanswered": Group.TASKS,
    "task_passed_on": Group.TASKS,
    "message_failed": Group.TASKS,
    "account_ill": Group.ALARMS,
    "account_well": Group.ALARMS,
    "account_silent": Group.ALARMS,
    "account_notice": Group.ALARMS,
    "undelivered": Group.ALARMS,
    "unknown_code": Group.ALARMS,
    "digest": Group.DIGEST,
}


def group_of(kind: str) -> Group:
    """The group of a kind of notice; what is not listed is about orders."""
    return KINDS.get(kind, Group.ORDERS)


USUAL = frozenset({Place.WORKSPACE, Place.MESSENGER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a person has chosen.

    places    by group; a group that is missing goes where it usually does
    email     his address; "" for none
    quiet     start and end in minutes since midnight; None for no quiet hours
    timezone  "" for the hub's
    digest    minutes since midnight of the head's morning digest; None for none
    alarms_in_quiet  alarms do not wait for the end of the quiet hours
    """

    places: Mapping[Group, frozenset[Place]] = field(default_factory=dict)
    email: str = ""
    quiet: tuple[int, int] | None = None
    timezone: str = ""
    digest: int | None = None
    alarms_in_quiet: bool = True
    version: int = 0

    def wants(self, group: Group, place: Place) -> bool:
        """Does a notice of this group go there?"""
        return place in self.places.get(group, USUAL)

    def zone(self, usual: ZoneInfo) -> ZoneInfo:
        """His zone."""
        return ZoneInfo(self.timezone) if self.timezone else usual

    def body(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "places": {str(group): sorted(map(str, found)) for group, found in self.places.items()},
            "email": self.email,
            "quiet": list(self.quiet) if self.quiet is not None else None,
            "timezone": self.timezone,
            "digest": self.digest,
            "alarms_in_quiet": self.alarms_in_quiet,
        }


def choice_of(body: Mapping[str, Any], version: int) -> Choice:
    """Out of its stored form."""
    quiet = body.get("quiet")
    return Choice(
        places={
            Group(group): frozenset(Place(one) for one in found)
            for group, found in body.get("places", {}).items()
        },
        email=body.get("email", ""),
        quiet=(int(quiet[0]), int(quiet[1])) if quiet else None,
        timezone=body.get("timezone", ""),
        digest=body.get("digest"),
        alarms_in_quiet=body.get("alarms_in_quiet", True),
        version=version,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A choice as somebody wrote it: texts. Times are HH:MM, "" for none."""

    places: Mapping[str, frozenset[str]]
    email: str = ""
    quiet_from: str = ""
    quiet_until: str = ""
    timezone: str = ""
    digest: str = ""
    alarms_in_quiet: bool = True


def read_choice(written: Written) -> Choice:
    """Check it. Raises InputRejected naming every fault."""
    problems: list[FieldProblem] = []
    email = parse_email(written.email) if written.email else ""
    if email is None:
        problems.append(FieldProblem("email", "this is no e-mail address"))
    if not email and any(Place.EMAIL in found for found in written.places.values()):
        problems.append(FieldProblem("email", "an address is needed for notices by e-mail"))
    start = _clock(written.quiet_from, "quiet_from", problems)
    end = _clock(written.quiet_until, "quiet_until", problems)
    if (start is None) != (end is None) and not problems:
        problems.append(FieldProblem("quiet_until", "quiet hours have a beginning and an end"))
    if start is not None and start == end:
        problems.append(FieldProblem("quiet_until", "quiet hours have a beginning and an end"))
    if written.timezone and not _is_zone(written.timezone):
        problems.append(FieldProblem("timezone", "is no time zone, such as Europe/Kyiv"))
    digest = _clock(written.digest, "digest", problems)
    if problems:
        raise InputRejected("something is missing or wrong: see the marked fields", problems)
    return Choice(
        places={
            Group(group): frozenset(Place(one) for one in found) for group, found in written.places.items()
        },
        email=email or "",
        quiet=(start, end) if start is not None and end is not None else None,
        timezone=written.timezone,
        digest=digest,
        alarms_in_quiet=written.alarms_in_quiet,
    )


def _clock(typed: str, name: str, problems: list[FieldProblem]) -> int | None:
    if not typed:
        return None
    try:
        return minutes_of(typed) % (24 * 60)
    except ValueError as error:
        problems.append(FieldProblem(name, str(error)))
        return None


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def clock_of(minutes: int | None) -> str:
    """HH:MM; "" for None."""
    return "" if minutes is None else f"{minutes // 60:02d}:{minutes % 60:02d}"


def leaves_at(choice: Choice, usual: ZoneInfo, now: Instant, group: Group = Group.TASKS) -> Instant:
    """When something that happens now may be told: at once, or at the end of the quiet hours.

    An alarm does not wait, unless the person wants to sleep through those, too.
    """
    if choice.quiet is None or (group is Group.ALARMS and choice.alarms_in_quiet):
        return now
    start, end = choice.quiet
    zone = choice.zone(usual)
    today = local_date(now, zone)
    for day in (today - timedelta(days=1), today):
        begins = at_wall(day, start, zone)
        ends = at_wall(day if end > start else day + timedelta(days=1), end, zone, last=True)
        if begins <= now < ends:
            return ends
    return now


def works_on(schedule: Schedule, day: date) -> bool:
    """Does somebody work on this day? Without a pattern of his own: Monday to Friday, but for holidays."""
    if not schedule.always:
        return bool(schedule.hours(day))
    return day.weekday() < SATURDAY and day not in public_holidays(day.year)


def next_digest(choice: Choice, schedule: Schedule, usual: ZoneInfo, after: Instant) -> Instant | None:
    """The next moment of the digest, on a working day; None where none is wanted, or he works no more."""
    if choice.digest is None:
        return None
    zone = choice.zone(usual)
    today = local_date(after, zone)
    for ahead in range(HORIZON_DAYS):
        day = today + timedelta(days=ahead)
        at = at_wall(day, choice.digest, zone)
        if at > after and works_on(schedule, day):
            return at
    return at_wall(today + timedelta(days=HORIZON_DAYS), choice.digest, zone)  # look again then
