"""One's own page: notices, where one is signed in, the calendar's address; and the audit log for administrators."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from sqlalchemy.engine import Connection

from hub.access import store as access
from hub.access.model import May
from hub.db.tx import Tx
from hub.kernel.errors import InputRejected, VersionConflict
from hub.notices import store
from hub.notices.model import read_choice
from hub.web.workspace import own_notices, queries
from hub.web.workspace.forms import take_problems
from hub.web.workspace.queries import PAGE, Listed
from hub.web.workspace.visit import Visit


async def page(visit: Visit) -> web.Response:
    """GET /me"""
    return await show_oneself(visit)


async def show_oneself(visit: Visit, status: int = 200, *, address: str = "", code: str = "") -> web.Response:
    """The page, after a refused form too; what is shown only once is handed over."""

    def find(conn: Connection) -> dict[str, Any]:
        return {
            **own_notices.choice_context(conn, visit),
            "sessions": access.sessions_of(conn, visit.staff_id, visit.services.clock.now()),
            "feed_since": access.feed_since(conn, visit.staff_id),
        }

    operates = visit.actor.may(May.OPERATE)
    return visit.render(
        "me.html", status, address=address, code=code, operates=operates, **await visit.read(find)
    )


async def keep_choice(visit: Visit) -> web.Response:
    """POST /me/notices"""
    visit.form.name = "notices"
    usual = ZoneInfo(visit.services.loaded.settings.hub.timezone)

    def keep(tx: Tx) -> None:
        chosen = read_choice(own_notices.written(visit, store.choice(tx.conn, visit.staff_id)))
        store.keep_choice(tx, visit.staff_id, chosen, usual, visit.form.version())

    try:
        await visit.write(keep)
    except InputRejected as error:
        take_problems(visit.form, error, visit.words)
        return await show_oneself(visit, 422)
    except VersionConflict as error:
        visit.form.message = visit.words.sentence(error.message)
        return await show_oneself(visit, 412)
    return visit.redirect("/me", "choice_kept")


async def make_code(visit: Visit) -> web.Response:
    """POST /me/messenger: a one-time code, shown once"""

    def make(tx: Tx) -> str:
        access.write_audit(tx, visit.actor, "messenger_code", str(visit.staff_id))
        return store.make_code(tx, visit.staff_id)

    return await show_oneself(visit, code=await visit.write(make))


async def end_link(visit: Visit) -> web.Response:
    """POST /me/messenger/end"""

    def end(tx: Tx) -> None:
        if store.unlink(tx, visit.staff_id):
            access.write_audit(tx, visit.actor, "messenger_ended", str(visit.staff_id))

    await visit.write(end)
    return visit.redirect("/me", "messenger_ended")


async def make_feed(visit: Visit) -> web.Response:
    """POST /me/calendar: a new address, shown once"""

    def make(tx: Tx) -> str:
        access.write_audit(tx, visit.actor, "calendar_made", str(visit.staff_id))
        return access.make_feed(tx, visit.staff_id)

    return await show_oneself(visit, address=f"{visit.origin}/calendar/{await visit.write(make)}.ics")


async def end_feed(visit: Visit) -> web.Response:
    """POST /me/calendar/revoke"""

    def end(tx: Tx) -> None:
        if access.end_feed(tx, visit.staff_id):
            access.write_audit(tx, visit.actor, "calendar_ended", str(visit.staff_id))

    await visit.write(end)
    return visit.redirect("/me", "feed_ended")


async def end_session(visit: Visit) -> web.Response:
    """POST /me/sessions/<id>/end"""
    session_id = visit.id()

    def end(tx: Tx) -> None:
        access.end_session_of(tx, visit.staff_id, session_id)
        access.write_audit(tx, visit.actor, "session_ended", str(visit.staff_id))

    await visit.write(end)
    return visit.redirect("/me", "session_ended")


async def end_others(visit: Visit) -> web.Response:
    """POST /me/sessions/end: all but this one"""
    assert visit.signed is not None
    kept = visit.signed.id

    def end(tx: Tx) -> None:
        access.end_other_sessions(tx, visit.staff_id, kept)
        access.write_audit(tx, visit.actor, "sessions_ended", str(visit.staff_id))

    await visit.write(end)
    return visit.redirect("/me", "session_ended")


# --- the audit log -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shown:
    """An entry as the page shows it."""

    at: int
    actor: str
    action: str
    target: str
    details: str


async def audit_page(visit: Visit) -> web.Response:
    """GET /audit"""
    before = visit.query_id("before")

    def find(conn: Connection) -> dict[str, Any]:
        rows = access.audit_log(conn, before, PAGE + 1)
        shown = [Shown(r.at, r.actor, r.action, r.target, _details(r.details)) for r in rows[:PAGE]]
        older = rows[PAGE - 1].id if len(rows) > PAGE else None
        return {"found": Listed(shown, older), "people": queries.names(conn)}

    return visit.render("audit.html", before=before, **await visit.read(find))


def _details(body: str) -> str:
    told = json.loads(body)
    return "; ".join(
        f"{name}: {', '.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in told.items()
    )
