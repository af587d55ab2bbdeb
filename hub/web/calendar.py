"""GET /calendar/<secret>.ics: a person's tasks with a date, next contacts and shifts, for his own calendar.

Whoever has the address reads it, so it says little: titles and names, no telephone, no text. It has an ETag
and is made anew at each question (calendars ask every quarter of an hour or more rarely). A secret that has
ended, or never was, is a plain 404.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from aiohttp import web
from sqlalchemy.engine import Connection

from hub.access import store as access
from hub.kernel.clock import DAY, Instant, moment
from hub.kernel.ids import issued_at
from hub.staff import schedule
from hub.staff import store as staff
from hub.staff.calendar import working
from hub.web.context import SERVICES, Services
from hub.web.i18n import N_
from hub.web.problems import problem
from hub.web.workspace import queries
from hub.web.workspace.words import Words

PAST, AHEAD = 7 * DAY, 28 * DAY
LENGTH = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the calendar."""

    uid: str
    start: int
    end: int
    title: str
    path: str
    changed: int


def routes() -> list[web.RouteDef]:
    """The one route."""
    return [web.get(r"/calendar/{secret:[A-Za-z0-9_-]{20,100}}.ics", feed)]


async def feed(request: web.Request) -> web.Response:
    """The calendar of a secret."""
    services = request.app[SERVICES]
    secret = request.match_info["secret"]
    found = await services.db.read(lambda conn: _read(conn, services, secret))
    if found is None:
        return problem(404, "there is nothing at this address")
    etag = f'"{hashlib.sha256(found).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"}
    if request.headers.get("If-None-Match") == etag:
        return web.Response(status=304, headers=headers)
    return web.Response(body=found, content_type="text/calendar", charset="utf-8", headers=headers)


def _read(conn: Connection, services: Services, secret: str) -> bytes | None:
    staff_id = access.find_feed(conn, secret)
    if staff_id is None:
        return None
    person = staff.get(conn, staff_id)
    hub = services.loaded.settings.hub
    words = Words(person.language or hub.language, ZoneInfo(hub.timezone), services.clock.now())
    base = hub.base_url.rstrip("/")
    return ics(words.t(N_("Hub: %(name)s"), name=person.name), _events(conn, staff_id, words), base)


def _events(conn: Connection, staff_id: int, words: Words) -> list[Event]:
    now = words.now
    found = []
    for item in queries.tasks_of(conn, staff_id):
        task = item.task
        title = words.task_title(task.kind, task.title)
        who = f" · {words.contact(item.contact)}" if item.contact else ""
        changed = task.updated_at
        if task.react_by_at is not None:
            text = words.t(N_("React: %(title)s"), title=title + who)
            found.append(Event(f"react-{task.id}", task.react_by_at, 0, text, f"/tasks/{task.id}", changed))
        due = task.snoozed_until_at or item.next_contact_at
        if due is not None:
            text = words.t(N_("Contact: %(title)s"), title=title + who)
            found.append(Event(f"contact-{task.id}", due, 0, text, f"/tasks/{task.id}", changed))
    calendar = schedule.read(conn, [staff_id], words.zone)[staff_id]
    if not calendar.always:
        changed = max((issued_at(row.id) for row in schedule.entries(conn, [staff_id])), default=0)
        for start, end in working(
            calendar, Instant(now - now % DAY - PAST), Instant(now - now % DAY + AHEAD)
        ):
            found.append(
                Event(f"shift-{start}", start, end, words.t(N_("Shift")), f"/people/{staff_id}", changed)
            )
    return found


def ics(name: str, events: list[Event], base: str) -> bytes:
    """RFC 5545; the same events give the same bytes, so that the ETag holds."""
    from icalendar import Calendar  # noqa: PLC0415 - the start of the hub does not wait for it
    from icalendar import Event as Entry  # noqa: PLC0415

    made = Calendar()
    made.add("prodid", "-//hub//calendar//EN")
    made.add("version", "2.0")
    made.add("method", "PUBLISH")
    made.add("x-wr-calname", name)
    for one in events:
        entry = Entry()
        entry.add("uid", f"{one.uid}@hub")
        entry.add("dtstamp", moment(one.changed))
        entry.add("dtstart", moment(one.start))
        entry.add("dtend", moment(one.end) if one.end else moment(one.start) + LENGTH)
        entry.add("summary", one.title)
        if base:
            entry.add("url", base + one.path)
        if one.uid.startswith("shift-"):
            entry.add("transp", "TRANSPARENT")
        made.add_component(entry)
    return bytes(made.to_ical())
