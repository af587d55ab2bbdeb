"""What people change in a calendar: weekly pattern, exceptions, absences. Each is dealt by at once.

The head changes everybody's; a seller records his own absence (he is ill, the hub must know now) and
nothing else. Dates and times of day come as wall clock, in the zone of the person's team.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from hub.access.model import Actor, May
from hub.assignment.members import Calendars, require_self_or_head
from hub.db.tx import Tx
from hub.kernel import text
from hub.kernel.clock import DAY, Instant
from hub.kernel.errors import FieldProblem, InputRejected, NotFound
from hub.requests.service import note
from hub.staff import schedule
from hub.staff import store as staff
from hub.staff.calendar import DAYS, hours_of, weekly_of

MAX_INTERVALS = 10
LONGEST = 2 * 366 * DAY
ABSENCES = ("vacation", "sick", "other")


def set_weekly(
    tx: Tx,
    actor: Actor,
    staff_id: int,
    days: Mapping[str, Sequence[Sequence[str]]],
    since: date,
    until: date | None = None,
    *,
    holidays_off: bool = False,
) -> int:
    """A weekly pattern from a date on; the newest one that holds for a date counts. Returns the entry's id."""
    body = {
        "from": since.isoformat(),
        "until": until.isoformat() if until is not None else None,
        "days": {name: [list(pair) for pair in days[name]] for name in DAYS if days.get(name)},
        "holidays": "off" if holidays_off else "work",
    }
    if set(days) - set(DAYS):
        raise InputRejected("these are no days", [FieldProblem("days", f"name them {', '.join(DAYS)}")])
    if until is not None and until < since:
        raise InputRejected("the pattern ends before it begins", [FieldProblem("until", "not before `from`")])
    for name in DAYS:
        _check_hours(f"days.{name}", days.get(name, ()))
    weekly_of(body)
    return _add(tx, actor, staff_id, "weekly", body)


def set_exception(tx: Tx, actor: Actor, staff_id: int, day: date, intervals: Sequence[Sequence[str]]) -> int:
    """Other hours on one date; none means off."""
    _check_hours("intervals", intervals)
    body = {"date": day.isoformat(), "intervals": [list(pair) for pair in intervals]}
    return _add(tx, actor, staff_id, "exception", body)


def clear_weekly(tx: Tx, actor: Actor, staff_id: int) -> None:
    """No patterns and no exceptions any more: always on shift."""
    actor.require(May.LEAD)
    staff.get(tx.conn, staff_id)
    with Calendars(tx, actor, staff_id):
        schedule.end(tx, actor.label, staff_id, "weekly")
        schedule.end(tx, actor.label, staff_id, "exception")
        note(tx, actor, "staff", staff_id, "shifts_cleared")


def add_absence(
    tx: Tx, actor: Actor, staff_id: int, start: Instant, end: Instant | None, reason: str, remark: str = ""
) -> int:
    """Away from a moment, to another or until he is back. Begun already: handed over at once."""
    require_self_or_head(tx, actor, staff_id)
    problems = []
    if reason not in ABSENCES:
        problems.append(FieldProblem("reason", f"one of {', '.join(ABSENCES)}"))
    if end is not None and not start < end <= start + LONGEST:
        problems.append(FieldProblem("until", "later than `from`, at most two years"))
    if problems:
        raise InputRejected("this absence cannot be kept", problems)
    body = {"reason": reason, "note": text.one_line(remark, text.SUBJECT)}
    with Calendars(tx, actor, staff_id):
        entry_id = schedule.add(tx, actor.label, staff_id, "absence", body, from_at=start, until_at=end)
        note(tx, actor, "staff", staff_id, "absence_added", body={"entry": str(entry_id), "reason": reason})
    return entry_id


def end_absence(tx: Tx, actor: Actor, staff_id: int, entry_id: int) -> None:
    """Back earlier, or never away: what has passed stays on record, what was to come is taken back."""
    require_self_or_head(tx, actor, staff_id)
    known = {row.id: row for row in schedule.entries(tx.conn, [staff_id]) if row.kind == "absence"}
    row = known.get(entry_id)
    if row is None:
        raise NotFound("no such absence")
    with Calendars(tx, actor, staff_id):
        schedule.end(tx, actor.label, staff_id, "absence", entry_id)
        if row.from_at is not None and row.from_at < tx.now:
            until = tx.now if row.until_at is None else min(tx.now, row.until_at)
            schedule.add(
                tx, actor.label, staff_id, "absence", {"ended": str(entry_id)},
                from_at=Instant(row.from_at), until_at=Instant(until),
            )  # fmt: skip
        note(tx, actor, "staff", staff_id, "absence_ended", body={"entry": str(entry_id)})


def _add(tx: Tx, actor: Actor, staff_id: int, kind: str, body: Mapping[str, object]) -> int:
    actor.require(May.LEAD)
    staff.get(tx.conn, staff_id)
    with Calendars(tx, actor, staff_id):
        entry_id = schedule.add(tx, actor.label, staff_id, kind, body)
        note(tx, actor, "staff", staff_id, "shifts_changed", body={"entry": str(entry_id), "kind": kind})
    return entry_id


def _check_hours(where: str, pairs: Sequence[Sequence[str]]) -> None:
    example = 'such as [["09:00", "18:00"]]'
    if len(pairs) > MAX_INTERVALS or any(len(pair) != 2 for pair in pairs):
        message = f"up to {MAX_INTERVALS} pairs of from and to, {example}"
        raise InputRejected("these hours cannot be kept", [FieldProblem(where, message)])
    try:
        hours_of(pairs)
    except ValueError as error:
        raise InputRejected(
            "these hours cannot be kept", [FieldProblem(where, f"{error}, {example}")]
        ) from None
