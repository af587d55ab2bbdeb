"""When somebody works: decides duty from weekly patterns, exceptions, absences and pauses. Pure.

    weekly     {"from": date, "until": date | null, "days": {"mon": [["09:00", "18:00"]], ...},
               "holidays": "off" | "work"}; an interval that ends at or before its start runs into the next
               day; of several that hold for a date the newest one counts
    exception  {"date": date, "intervals": [["10:00", "14:00"]]} stands for that date's pattern; [] is off
    absence    from_at to until_at; without an end it is open
    pause      the same, called for by the person himself

Without any weekly pattern one is on shift at all times, but for exceptions. Times are wall clock in the team's zone.
Where the clock is put forward, a time that does not exist means the end of the gap; where it is put back,
a start takes the first and an end the second of the two.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from hub.db.rows import ScheduleEntryRow
from hub.kernel.clock import Instant, instant, moment
from hub.staff.holidays import public_holidays

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HORIZON_DAYS = 400
_DAY_MINUTES = 24 * 60
Span = tuple[Instant, Instant]
Hours = tuple[tuple[int, int], ...]  # minutes since midnight; an end beyond 24:00 is on the next day


class Away(StrEnum):
    """Why somebody is off duty."""

    OFF_SHIFT = "off_shift"
    ABSENT = "absent"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Weekly:
    """A pattern and the dates between which it holds."""

    since: date
    until: date | None
    days: tuple[Hours, ...]  # Monday first
    holidays_off: bool


@dataclass(frozen=True, slots=True)
class Schedule:
    """One person's calendar. Empty: always on shift. Open spans end at None."""

    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Europe/Kyiv"))
    weekly: tuple[Weekly, ...] = ()
    exceptions: tuple[tuple[date, Hours], ...] = ()
    absences: tuple[tuple[Instant, Instant | None], ...] = ()
    pauses: tuple[tuple[Instant, Instant | None], ...] = ()

    @property
    def always(self) -> bool:
        """No pattern at all."""
        return not self.weekly and not self.exceptions

    def hours(self, day: date) -> Hours:
        """What the pattern says for a date; the newest one that holds counts."""
        for when, hours in reversed(self.exceptions):
            if when == day:
                return hours
        if not self.weekly:
            return ((0, _DAY_MINUTES),)
        for one in reversed(self.weekly):
            if one.since <= day and (one.until is None or day <= one.until):
                off = one.holidays_off and day in public_holidays(day.year)
                return () if off else one.days[day.weekday()]
        return ()


def minutes_of(clock: str) -> int:
    """ "09:30" in minutes. Raises ValueError."""
    hours, _, minutes = clock.partition(":")
    if not (hours.isascii() and hours.isdigit() and minutes.isascii() and minutes.isdigit()):
        raise ValueError("a time is written HH:MM")
    found = int(hours) * 60 + int(minutes)
    if int(minutes) >= 60 or found > _DAY_MINUTES:
        raise ValueError("a time lies between 00:00 and 24:00")
    return found


def hours_of(pairs: Iterable[Sequence[str]]) -> Hours:
    """Intervals of one day, ascending. Raises ValueError."""
    found = []
    for start, end in pairs:
        since, until = minutes_of(start), minutes_of(end)
        found.append((since, until if until > since else until + _DAY_MINUTES))
    return tuple(sorted(found))


def parse(entries: Sequence[ScheduleEntryRow], zone: ZoneInfo) -> Schedule:
    """A calendar out of its stored entries, oldest first. Raises ValueError for a body that is none."""
    weekly: list[Weekly] = []
    exceptions: list[tuple[date, Hours]] = []
    absences: list[tuple[Instant, Instant | None]] = []
    pauses: list[tuple[Instant, Instant | None]] = []
    for row in entries:
        body = json.loads(row.body)
        if row.kind == "weekly":
            weekly.append(weekly_of(body))
        elif row.kind == "exception":
            exceptions.append((date.fromisoformat(body["date"]), hours_of(body["intervals"])))
        else:
            spans = absences if row.kind == "absence" else pauses
            until = None if row.until_at is None else Instant(row.until_at)
            spans.append((Instant(row.from_at or 0), until))
    return Schedule(zone, tuple(weekly), tuple(exceptions), tuple(absences), tuple(pauses))


def weekly_of(body: Mapping[str, object]) -> Weekly:
    """A pattern out of its stored body. Raises ValueError."""
    days, until = body["days"], body.get("until")
    if not isinstance(days, dict) or set(days) - set(DAYS):
        raise ValueError(f"days are {', '.join(DAYS)}")
    return Weekly(
        date.fromisoformat(str(body["from"])),
        date.fromisoformat(str(until)) if until else None,
        tuple(hours_of(days.get(name, ())) for name in DAYS),
        body.get("holidays") == "off",
    )


# --- wall clock ----------------------------------------------------------------------------------------


def at_wall(day: date, minutes: int, zone: ZoneInfo, *, last: bool = False) -> Instant:
    """The instant of a wall-clock time; `last` takes the second of two."""
    wall = datetime.combine(day, datetime.min.time()) + timedelta(minutes=minutes)
    found = wall.replace(tzinfo=zone, fold=int(last)).astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == wall:
        return instant(found)
    return _end_of_gap(wall, zone)


def _end_of_gap(wall: datetime, zone: ZoneInfo) -> Instant:
    """The moment at which the clock jumps over `wall`."""
    low = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)  # by the offset after the jump: before it
    high = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return instant(high.replace(microsecond=0))


def local_date(at: Instant, zone: ZoneInfo) -> date:
    """The calendar day of an instant."""
    return moment(at).astimezone(zone).date()


def _of_day(schedule: Schedule, day: date) -> Iterator[Span]:
    for since, until in schedule.hours(day):
        start = at_wall(day, since, schedule.zone)
        end = at_wall(day, until, schedule.zone, last=True)
        if end > start:
            yield start, end


# --- who is there --------------------------------------------------------------------------------------


def duty(schedule: Schedule, at: Instant) -> tuple[str, Instant | None]:
    """Why off duty ("" on duty), and the next instant at which that may change (None: never)."""
    on_shift, changes = _shift(schedule, at)
    reason = "" if on_shift else str(Away.OFF_SHIFT)
    for away, spans in ((Away.PAUSED, schedule.pauses), (Away.ABSENT, schedule.absences)):
        for since, until in spans:
            changes += [edge for edge in (since, until) if edge is not None and edge > at]
            if since <= at and (until is None or at < until):
                reason = str(away)
    return reason, min(changes) if changes else None


def _shift(schedule: Schedule, at: Instant) -> tuple[bool, list[Instant]]:
    """On shift? And the next edge of a shift, if one lies within the horizon."""
    if schedule.always:
        return True, []
    today = local_date(at, schedule.zone)
    on_shift = False
    edges: list[Instant] = []
    for ahead in range(-1, HORIZON_DAYS):
        for start, end in _of_day(schedule, today + timedelta(days=ahead)):
            on_shift = on_shift or start <= at < end
            edges += [edge for edge in (start, end) if edge > at]
        if edges and ahead > 0:
            return on_shift, [min(edges)]
    return on_shift, [at_wall(today + timedelta(days=HORIZON_DAYS), 0, schedule.zone)]


def shift_starts(schedule: Schedule, after: Instant, until: Instant) -> list[Instant]:
    """Planned starts in (after, until], without those that fall into an absence."""
    found = []
    for start, _ in _shifts(schedule, after, Instant(until + 1)):
        if after < start <= until and not _covered(schedule.absences, start):
            found.append(start)
    return sorted(set(found))


def _covered(spans: Iterable[tuple[Instant, Instant | None]], at: Instant) -> bool:
    return any(since <= at and (until is None or at < until) for since, until in spans)


def _shifts(schedule: Schedule, start: Instant, end: Instant) -> Iterator[Span]:
    """Shift intervals that touch [start, end), not clipped."""
    if schedule.always or end <= start:
        return
    day = local_date(start, schedule.zone) - timedelta(days=1)
    last = local_date(end, schedule.zone)
    while day <= last:
        for since, until in _of_day(schedule, day):
            if since < end and until > start:
                yield since, until
        day += timedelta(days=1)


def working(schedule: Schedule, start: Instant, end: Instant, *, plan: bool = False) -> list[Span]:
    """When he works within [start, end), merged and ascending.

    `plan`: by the pattern alone; else without absences and pauses.
    """
    if end <= start:
        return []
    shifts = [(start, end)] if schedule.always else list(_shifts(schedule, start, end))
    spans = union([(max(a, start), min(b, end)) for a, b in shifts])
    if plan:
        return spans
    for since, until in (*schedule.absences, *schedule.pauses):
        spans = list(_without(spans, since, end if until is None else until))
    return spans


def _without(spans: Iterable[Span], since: Instant, until: Instant) -> Iterator[Span]:
    for start, end in spans:
        if until <= start or since >= end or until <= since:
            yield start, end
            continue
        if start < since:
            yield start, since
        if until < end:
            yield until, end


def union(*spans: Iterable[Span]) -> list[Span]:
    """All intervals of several calendars, merged and ascending."""
    merged: list[Span] = []
    for start, end in sorted(span for one in spans for span in one):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def elapsed(spans: Iterable[Span], start: Instant, end: Instant) -> int:
    """Milliseconds of merged intervals that lie within [start, end)."""
    return sum(max(0, min(b, end) - max(a, start)) for a, b in spans)
