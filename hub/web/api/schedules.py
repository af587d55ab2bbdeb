"""/api/v1/staff/{id}/...: when people work, and whether they are there."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field
from sqlalchemy.engine import Connection

from hub.access.model import May
from hub.assignment import members, schedules
from hub.assignment.ledger import peek
from hub.db.tx import Tx
from hub.kernel.clock import DAY, Instant, rfc3339
from hub.kernel.errors import FieldProblem, InputRejected
from hub.staff import schedule, store
from hub.staff.calendar import duty, working
from hub.web.api import schemas as s
from hub.web.api.registry import Call, Operation

Hours = list[list[str]]
LONGEST_VIEW = 62 * DAY


_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _as_date(value: object) -> object:
    """YYYY-MM-DD and nothing else: left alone, pydantic takes numbers for seconds since 1970."""
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise ValueError("a date is a text, such as 2026-11-22")
    return date.fromisoformat(value)


Day = Annotated[date, BeforeValidator(_as_date)]


class SpanOut(s.Out):
    """From a moment to another; an open end is null."""

    start: s.Time
    end: s.Time | None


class EntryOut(s.Out):
    """What was recorded: weekly pattern, exception, absence or pause."""

    id: str
    kind: str
    body: dict[str, Any]
    start: s.Time | None
    end: s.Time | None
    recorded_at: s.Time
    actor: str


class ScheduleOut(s.Out):
    """A person's calendar: what is recorded, when he works in the time asked for, why he is away now."""

    staff_id: str
    away: str
    entries: list[EntryOut]
    working: list[SpanOut]


class SpanQuery(s.In):
    """The time asked for; by default the seven days from now."""

    start: s.TimeIn | None = None
    end: s.TimeIn | None = None


class WeeklyBody(s.In):
    """A weekly pattern; an interval that ends at or before its start runs into the next day."""

    days: dict[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], Hours] = Field(max_length=7)
    since: Day
    until: Day | None = None
    holidays_off: bool = Field(False, strict=True, description="public holidays are days off")


class ExceptionBody(s.In):
    """Other hours on one date; none means off."""

    date: Day
    intervals: Hours = Field(max_length=10)


class AbsenceBody(s.In):
    """Away from a moment on; without an end until it is ended."""

    start: s.TimeIn
    end: s.TimeIn | None = None
    reason: Literal["vacation", "sick", "other"] = "other"
    note: s.Name = ""


class PauseBody(s.In):
    """No new tasks until then, or until he is back."""

    until: s.TimeIn | None = None


def get_schedule(conn: Connection, call: Call) -> ScheduleOut:
    """What is recorded and what follows from it."""
    asked: SpanQuery = call.query
    now = call.services.clock.now()
    start = Instant(asked.start if asked.start is not None else now)
    end = Instant(asked.end if asked.end is not None else start + 7 * DAY)
    if not start < end <= start + LONGEST_VIEW:
        raise InputRejected(
            "this time is too long", [FieldProblem("end", "later than start, within 62 days")]
        )
    return show(conn, call.id(), call.services.loaded.settings.hub.timezone, now, start, end)


def show(
    conn: Connection, staff_id: int, zone: str, now: Instant, start: Instant, end: Instant
) -> ScheduleOut:
    """A person's calendar."""
    person = store.get(conn, staff_id)
    if person.memberships:
        zone = peek(conn, person.memberships[0].team_id).rules.timezone
    rows = schedule.entries(conn, [staff_id])
    calendar = schedule.read(conn, [staff_id], ZoneInfo(zone))[staff_id]
    return ScheduleOut(
        staff_id=str(staff_id),
        away=duty(calendar, now)[0],
        entries=[
            EntryOut(
                id=str(row.id),
                kind=row.kind,
                body=json.loads(row.body),
                start=s.time_of(row.from_at),
                end=s.time_of(row.until_at),
                recorded_at=rfc3339(row.recorded_at),
                actor=row.actor,
            )
            for row in rows
        ],
        working=[SpanOut(start=rfc3339(a), end=rfc3339(b)) for a, b in working(calendar, start, end)],
    )


def _shown(tx: Tx, call: Call) -> ScheduleOut:
    zone = call.services.loaded.settings.hub.timezone
    return show(tx.conn, call.id(), zone, tx.now, tx.now, Instant(tx.now + 7 * DAY))


def set_weekly(tx: Tx, call: Call) -> ScheduleOut:
    """A new pattern from a date on."""
    body: WeeklyBody = call.body
    schedules.set_weekly(
        tx, call.actor, call.id(), {str(day): hours for day, hours in body.days.items()}, body.since, body.until,
        holidays_off=body.holidays_off,
    )  # fmt: skip
    return _shown(tx, call)


def clear_weekly(tx: Tx, call: Call) -> ScheduleOut:
    """Always on shift again."""
    schedules.clear_weekly(tx, call.actor, call.id())
    return _shown(tx, call)


def set_exception(tx: Tx, call: Call) -> ScheduleOut:
    """Other hours on one date."""
    schedules.set_exception(tx, call.actor, call.id(), call.body.date, call.body.intervals)
    return _shown(tx, call)


def add_absence(tx: Tx, call: Call) -> ScheduleOut:
    """Away."""
    body: AbsenceBody = call.body
    end = Instant(body.end) if body.end is not None else None
    schedules.add_absence(tx, call.actor, call.id(), Instant(body.start), end, body.reason, body.note)
    return _shown(tx, call)


def end_absence(tx: Tx, call: Call) -> ScheduleOut:
    """Back."""
    schedules.end_absence(tx, call.actor, call.id(), call.id("absence"))
    return _shown(tx, call)


def pause(tx: Tx, call: Call) -> ScheduleOut:
    """No new tasks for a while."""
    until = call.body.until
    members.pause(tx, call.actor, call.id(), Instant(until) if until is not None else None)
    return _shown(tx, call)


def resume(tx: Tx, call: Call) -> ScheduleOut:
    """There again."""
    members.resume(tx, call.actor, call.id())
    return _shown(tx, call)


_STAFF: dict[str, Any] = {"tag": "staff", "result": ScheduleOut, "errors": (404,)}
OPERATIONS = (
    Operation(
        method="GET", path="/staff/{id}/schedule", summary="When a person works", may=May.SEE, query=SpanQuery,
        reads=get_schedule, **_STAFF,
    ),
    Operation(
        method="POST", path="/staff/{id}/shifts", summary="Set a weekly pattern", may=May.LEAD, body=WeeklyBody,
        writes=set_weekly, **_STAFF,
    ),
    Operation(
        method="POST", path="/staff/{id}/shifts/clear", summary="Always on shift: forget patterns and exceptions",
        may=May.LEAD, body=s.In, writes=clear_weekly, **_STAFF,
    ),
    Operation(
        method="POST", path="/staff/{id}/exceptions", summary="Set other hours for a date", may=May.LEAD,
        body=ExceptionBody, writes=set_exception, **_STAFF,
    ),
    Operation(
        method="POST", path="/staff/{id}/absences", summary="Record an absence", may=May.WORK, body=AbsenceBody,
        writes=add_absence, **_STAFF,
    ),
    Operation(
        method="POST", path="/staff/{id}/absences/{absence}/end", summary="End an absence: back, or never away",
        may=May.WORK, body=s.In, writes=end_absence, **_STAFF,
    ),
    Operation(
        method="POST", path="/staff/{id}/pause", summary="Take no new tasks for a while", may=May.WORK,
        body=PauseBody, writes=pause, **_STAFF,
    ),
    Operation(
        method="POST", path="/staff/{id}/resume", summary="Take new tasks again", may=May.WORK, body=s.In,
        writes=resume, **_STAFF,
    ),
)  # fmt: skip
