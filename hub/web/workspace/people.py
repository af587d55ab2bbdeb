"""Who works when: the week of a team, and the page of a person with his shifts, absences and rules."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from sqlalchemy.engine import Connection

from hub.access import store as access
from hub.access.model import Actor, May, Role
from hub.assignment import members, schedules
from hub.assignment.ledger import peek
from hub.assignment.policy import Member, Rules
from hub.db.tx import Tx
from hub.kernel.clock import Instant
from hub.kernel.errors import AccessDenied, InputRejected, NotFound, RuleSaysNo
from hub.staff import schedule
from hub.staff import service as people
from hub.staff import store as staff
from hub.staff.calendar import DAYS, Schedule, at_wall, local_date, working
from hub.web.i18n import N_
from hub.web.workspace import labels, queries
from hub.web.workspace.forms import CHOOSE, NO_DATE, Form, take_problems
from hub.web.workspace.visit import Visit

WEEK = 7
DAY_NAMES = {
    "mon": N_("Monday"),
    "tue": N_("Tuesday"),
    "wed": N_("Wednesday"),
    "thu": N_("Thursday"),
    "fri": N_("Friday"),
    "sat": N_("Saturday"),
    "sun": N_("Sunday"),
}
ABSENCES = {"vacation": N_("Holiday"), "sick": N_("Ill"), "other": N_("Other")}


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of one day, in per cent of it; what it says in words."""

    left: int
    width: int
    text: str
    kind: str  # shift | absent


@dataclass(frozen=True, slots=True)
class Row:
    """One member's week."""

    name: str
    member: Member
    always: bool
    days: Sequence[Sequence[Bar]]


async def week_page(visit: Visit) -> web.Response:
    """GET /people?team=&week="""
    team_id = visit.query_id("team")
    monday = _monday(visit)

    def find(conn: Connection) -> dict[str, Any]:
        teams = queries.teams(conn)
        chosen = team_id if team_id in teams else min(teams)
        roster = peek(conn, chosen)
        zone = ZoneInfo(roster.rules.timezone)
        opened = [m for m in roster.members.values() if not m.closed]
        calendars = schedule.read(conn, [m.staff_id for m in opened], zone)
        names = queries.names(conn)
        rows = [
            _row(visit, m, names.get(m.staff_id, "?"), calendars[m.staff_id], monday, zone) for m in opened
        ]
        outside = [p for p in staff.all_staff(conn) if p.state == "active" and not p.memberships]
        return {
            "teams": teams,
            "team": teams[chosen],
            "rows": sorted(rows, key=lambda row: row.name),
            "outside": outside,
            "zone": zone,
        }

    found = await visit.read(find)
    days = [monday + timedelta(days=n) for n in range(WEEK)]
    today = local_date(Instant(visit.words.now), found["zone"])
    return visit.render(
        "people.html", days=days, today=today, monday=monday, before=monday - timedelta(days=WEEK),
        after=monday + timedelta(days=WEEK), day_names=[visit.words.t(DAY_NAMES[d]) for d in DAYS], **found,
    )  # fmt: skip


def _monday(visit: Visit) -> date:
    today = local_date(Instant(visit.words.now), visit.zone)
    try:
        wanted = date.fromisoformat(visit.query("week"))
    except ValueError:
        wanted = today
    if abs((wanted - today).days) > 2 * 366:
        wanted = today
    return wanted - timedelta(days=wanted.weekday())


def _row(visit: Visit, member: Member, name: str, calendar: Schedule, monday: date, zone: ZoneInfo) -> Row:
    days = []
    for number in range(WEEK):
        start = at_wall(monday + timedelta(days=number), 0, zone)
        end = at_wall(monday + timedelta(days=number + 1), 0, zone)
        shifts = [] if calendar.always else working(calendar, start, end, plan=True)
        away = [(max(a, start), end if b is None else min(b, end)) for a, b in calendar.absences]
        bars = [_bar(visit, a, b, start, end, "shift") for a, b in shifts]
        bars += [_bar(visit, Instant(a), Instant(b), start, end, "absent") for a, b in away if a < b]
        days.append(bars)
    return Row(name, member, calendar.always, days)


def _bar(visit: Visit, a: Instant, b: Instant, start: Instant, end: Instant, kind: str) -> Bar:
    whole = end - start
    left = round((a - start) * 100 / whole)
    text = f"{visit.words.clock(a)}–{visit.words.clock(b) if b < end else '24:00'}"
    return Bar(left, max(2, round((b - start) * 100 / whole) - left), text, kind)


# --- a person --------------------------------------------------------------------------------------------


async def person_page(visit: Visit) -> web.Response:
    """GET /people/<id>"""
    return await _person(visit)


async def _person(
    visit: Visit, status: int = 200, link: str = "", staff_id: int | None = None
) -> web.Response:
    """The page of a person; `link` is a one-time link that was made just now."""
    staff_id = visit.id() if staff_id is None else staff_id
    operates = visit.actor.may(May.OPERATE)

    def find(conn: Connection) -> dict[str, Any]:
        person = staff.get(conn, staff_id)
        rosters = {m.team_id: peek(conn, m.team_id) for m in person.memberships}
        memberships = [(m, rosters[m.team_id].by_staff(staff_id)) for m in person.memberships]
        rows = schedule.entries(conn, [staff_id])
        weekly = [json.loads(row.body) for row in rows if row.kind == "weekly"]
        now = visit.words.now
        absences = [
            row for row in rows
            if row.kind == "absence" and (row.until_at is None or row.until_at > now) and "ended" not in row.body
        ]  # fmt: skip
        return {
            "person": person,
            "memberships": memberships,
            "weekly": weekly[-1] if weekly else None,
            "absences": [(row, json.loads(row.body)) for row in absences],
            "open_tasks": queries.tasks_of(conn, staff_id),
            "sessions": access.sessions_of(conn, staff_id, Instant(now)) if operates else [],
        }

    words = visit.words
    found = await visit.read(find)
    return visit.render(
        "person.html", status, link=link, role_names=role_names(visit),
        operates=operates,
        may_touch=may_touch(visit.actor, found["person"].roles),
        mine=staff_id == visit.staff_id,
        day_names=[(key, words.t(title)) for key, title in DAY_NAMES.items()],
        reasons=[(key, words.t(title)) for key, title in ABSENCES.items()],
        today=local_date(Instant(words.now), visit.zone).isoformat(),
        **found,
    )  # fmt: skip


def _form(
    name: str, done: str, act: Callable[[Tx, Visit], object]
) -> Callable[[Visit], Awaitable[web.Response]]:
    """The target of one of a person's forms."""

    async def handle(visit: Visit) -> web.Response:
        visit.form.name = name
        try:
            await visit.write(lambda tx: act(tx, visit))
        except InputRejected as error:
            take_problems(visit.form, error, visit.words)
            return await _person(visit, 422)
        except RuleSaysNo as error:
            visit.form.message = visit.words.sentence(error.message)
            return await _person(visit, 409)
        return visit.redirect(f"/people/{visit.id()}", done)

    return handle


def _change_member(tx: Tx, visit: Visit) -> None:
    form = visit.form
    form.problems.clear()
    team_id = form.identifier("team")
    share, limit = form.identifier("share"), form.identifier("limit")
    if share is None:
        form.problem("share", "a share is a whole number from 1 to 1000")
    if form.line("limit") and limit is None:
        form.problem("limit", "a limit is a whole number from 0 to 100000")
    form.check()
    if team_id is None or team_id not in queries.team_ids(tx.conn, visit.id()):
        raise NotFound("this person is not in the team")
    rules = Rules(*(_words_of(form.line(name)) for name in Rules._fields))
    members.change_member(
        tx, visit.actor, team_id, visit.id(), share=share, limit=limit, unlimited=limit is None, rules=rules
    )


def _words_of(line: str) -> frozenset[str]:
    return frozenset(word.strip() for word in line.split(",") if word.strip())


def _set_shifts(tx: Tx, visit: Visit) -> None:
    form = visit.form
    form.problems.clear()
    if form.line("always") == "1":
        schedules.clear_weekly(tx, visit.actor, visit.id())
        return
    days = {}
    for name in DAYS:
        start, end = form.line(f"{name}_from", 5), form.line(f"{name}_to", 5)
        if bool(start) != bool(end):
            form.problem(f"{name}_from", N_("give both times, or none for a day off"))
        elif start:
            days[name] = [[start, end]]
    try:
        since = date.fromisoformat(form.line("since"))
    except ValueError:
        form.problem("since", NO_DATE)
    form.check()
    schedules.set_weekly(tx, visit.actor, visit.id(), days, since, holidays_off=form.line("holidays") == "1")


def _add_absence(tx: Tx, visit: Visit) -> None:
    form = visit.form
    form.problems.clear()
    start = form.moment("start", visit.zone) or tx.now
    end = form.moment("end", visit.zone)
    form.check()
    schedules.add_absence(tx, visit.actor, visit.id(), start, end, form.line("reason"), form.line("note"))


def _end_absence(tx: Tx, visit: Visit) -> None:
    schedules.end_absence(tx, visit.actor, visit.id(), visit.id("absence"))


change_member = _form("member", "member_changed", _change_member)
set_shifts = _form("shifts", "shifts_set", _set_shifts)
add_absence = _form("absence", "absence_added", _add_absence)
end_absence = _form("absence", "absence_ended", _end_absence)


# --- access ------------------------------------------------------------------------------------------------


def role_names(visit: Visit) -> list[tuple[str, str]]:
    """All roles with what they are called."""
    return [(str(role), visit.words.t(labels.ROLE[role])) for role in Role]


def may_touch(actor: Actor, roles: Collection[str]) -> bool:
    """Only an administrator touches the access of somebody who may do more than sell."""
    return actor.may(May.OPERATE) or set(roles) <= {Role.SELLER}


def _require_touch(tx: Tx, visit: Visit) -> staff.StaffRecord:
    person = staff.get(tx.conn, visit.id())
    if not may_touch(visit.actor, person.roles):
        raise AccessDenied("for heads and administrators an administrator does that")
    return person


async def new_page(visit: Visit) -> web.Response:
    """GET /people/new"""
    return await _new_page(visit)


async def _new_page(visit: Visit, status: int = 200) -> web.Response:
    teams = await visit.read(queries.teams)
    return visit.render(
        "person_new.html", status, team_choices=[(one.id, one.title) for one in teams.values()],
        role_names=role_names(visit), operates=visit.actor.may(May.OPERATE),
    )  # fmt: skip


async def invite(visit: Visit) -> web.Response:
    """POST /people/new: the person's page, with the link that is shown once"""
    visit.form.name = "person"
    try:
        staff_id, secret = await visit.write(lambda tx: _invite(tx, visit))
    except InputRejected as error:
        take_problems(visit.form, error, visit.words)
        return await _new_page(visit, 422)
    return await _with_link(visit, staff_id, secret)


def _invite(tx: Tx, visit: Visit) -> tuple[int, str]:
    form = visit.form
    form.problems.clear()
    operates = visit.actor.may(May.OPERATE)
    roles = [role for role in Role if form.line(role) == "1"] if operates else [Role.SELLER]
    share, team_id = form.identifier("share"), form.identifier("team")
    if not roles:
        form.problem("roles", CHOOSE)
    if share is None:
        form.problem("share", f"a share is a whole number from 1 to {members.MAX_SHARE}")
    if team_id is not None and team_id not in queries.teams(tx.conn):
        form.problem("team", CHOOSE)
    form.check()
    staff_id = people.add_person(tx, form.line("name"), roles, form.line("login").lower())
    if team_id is not None:
        members.join_team(tx, visit.actor, team_id, staff_id, share or 1)
    access.write_audit(tx, visit.actor, "staff_added", str(staff_id), json.dumps({"roles": sorted(roles)}))
    return staff_id, _link(tx, visit, staff_id, "invite")


def _link(tx: Tx, visit: Visit, staff_id: int, purpose: str) -> str:
    access.write_audit(tx, visit.actor, "link_made", str(staff_id), json.dumps({"purpose": purpose}))
    return access.make_link(tx, staff_id, purpose)


async def _with_link(visit: Visit, staff_id: int, secret: str) -> web.Response:
    address = f"{visit.origin}/welcome/{secret}"
    visit.form = Form()
    return await _person(visit, 200, address, staff_id)


async def make_link(visit: Visit) -> web.Response:
    """POST /people/<id>/link: for a first or a new password"""

    def make(tx: Tx) -> str:
        person = _require_touch(tx, visit)
        if person.state != "active":
            raise RuleSaysNo("this person works here no more")
        return _link(tx, visit, person.id, "reset" if person.has_password else "invite")

    return await _with_link(visit, visit.id(), await visit.write(make))


def _give_roles(tx: Tx, visit: Visit) -> None:
    form, person = visit.form, staff.get(tx.conn, visit.id())
    form.problems.clear()
    roles = [role for role in Role if form.line(role) == "1"]
    if not roles:
        raise RuleSaysNo("a person has at least one role")
    if person.id == visit.staff_id and Role.ADMIN not in roles:
        raise RuleSaysNo("another administrator takes this role from you")
    staff.give_roles(tx, person.id, roles)
    before = {"before": sorted(person.roles), "now": sorted(roles)}
    access.write_audit(tx, visit.actor, "roles_given", str(person.id), json.dumps(before))


def _sign_out(tx: Tx, visit: Visit) -> None:
    access.sign_out_everywhere(tx, visit.actor, staff.get(tx.conn, visit.id()).id)


def _close(tx: Tx, visit: Visit) -> None:
    person = _require_touch(tx, visit)
    if person.id == visit.staff_id:
        raise RuleSaysNo("somebody else closes you")
    members.close_staff(tx, visit.actor, person.id)


give_roles = _form("roles", "roles_given", _give_roles)
sign_out = _form("sign_out", "signed_out_everywhere", _sign_out)
close_person = _form("close", "person_closed", _close)


# --- oneself -----------------------------------------------------------------------------------------------


async def pause(visit: Visit) -> web.Response:
    """POST /people/pause: no new tasks until I am back."""
    visit.actor.require(May.WORK)
    await visit.write(lambda tx: members.pause(tx, visit.actor, visit.staff_id))
    return visit.redirect("/", "paused")


async def resume(visit: Visit) -> web.Response:
    """POST /people/resume: I am back."""
    visit.actor.require(May.WORK)
    await visit.write(lambda tx: members.resume(tx, visit.actor, visit.staff_id))
    return visit.redirect("/", "resumed")
