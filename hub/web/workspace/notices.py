"""What a person was told, where he wants to be told, and what could not be delivered."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.engine import Connection

from hub.access import store as access
from hub.accounts import store as accounts
from hub.db.tables import notice
from hub.db.tx import Tx
from hub.kernel import text
from hub.kernel.errors import InputRejected, NotFound, VersionConflict
from hub.notices import acknowledgement, store
from hub.notices.acknowledgement import VARIABLES
from hub.notices.texts import lane_title, tell
from hub.orders.templates import LANGUAGES, MAX_TEMPLATE
from hub.web.workspace.forms import take_problems
from hub.web.workspace.queries import PAGE, Listed
from hub.web.workspace.visit import Visit

# --- the list --------------------------------------------------------------------------------------------


async def page(visit: Visit) -> web.Response:
    """GET /notices"""
    before, only_unread = visit.query_id("before"), visit.query("unread") == "1"

    def find(conn: Connection) -> Listed:
        rows = store.page(conn, visit.staff_id, before=before, limit=PAGE + 1, unread=only_unread)
        older = rows[PAGE - 1].id if len(rows) > PAGE else None
        return Listed(tell(conn, visit.words, rows[:PAGE]), older)

    return visit.render("notices.html", found=await visit.read(find), before=before, only_unread=only_unread)


async def bell(visit: Visit) -> web.Response:
    """GET /notices/bell: how many are unread, for an open page."""
    return visit.render("bell.html")


async def open_one(visit: Visit) -> web.Response:
    """GET /notices/<id>: it is read now, and leads to what it is about."""
    notice_id = visit.id()

    def find(tx: Tx) -> str:
        owner = tx.execute(select(notice.c.staff_id).where(notice.c.id == notice_id)).scalar_one_or_none()
        if owner != visit.staff_id:
            raise NotFound(f"no notice {notice_id}")
        store.read_all(tx, visit.staff_id, [notice_id])
        return tell(tx.conn, visit.words, store.some(tx.conn, [notice_id]))[0].path

    return visit.redirect(await visit.write(find) or "/notices")


async def read_all(visit: Visit) -> web.Response:
    """POST /notices/read"""
    await visit.write(lambda tx: store.read_all(tx, visit.staff_id))
    return visit.redirect("/notices", "notices_read")


# --- what could not be delivered ---------------------------------------------------------------------------


async def undelivered(visit: Visit) -> web.Response:
    """GET /undelivered"""
    found = [
        (row, lane_title(visit.words, row.lane), visit.words.sentence(row.last_error or ""))
        for row in await visit.read(store.undelivered)
    ]
    return visit.render("undelivered.html", found=found)


async def settle_undelivered(visit: Visit) -> web.Response:
    """POST /undelivered/<id>: again, or away"""
    row_id, do = visit.id(), visit.form.line("do")
    if do not in {"again", "drop"}:
        raise NotFound

    def settle(tx: Tx) -> None:
        (store.send_again if do == "again" else store.drop)(tx, row_id)
        access.write_audit(tx, visit.actor, f"undelivered_{do}", str(row_id))

    await visit.write(settle)
    return visit.redirect("/undelivered", "sent_again" if do == "again" else "dropped")


# --- acknowledgements --------------------------------------------------------------------------------------


async def acknowledgements(visit: Visit) -> web.Response:
    """GET /acknowledgements"""
    return await _acknowledgements(visit)


async def _acknowledgements(visit: Visit, status: int = 200) -> web.Response:
    def find(conn: Connection) -> list[Any]:
        names = {row.name for row in accounts.all_accounts(conn, "channel")}
        return [acknowledgement.known(conn, name) for name in sorted(visit.services.writers) if name in names]

    return visit.render(
        "acknowledgements.html", status, found=await visit.read(find), variables=VARIABLES,
        text_languages=LANGUAGES, longest=MAX_TEMPLATE,
    )  # fmt: skip


async def keep_acknowledgement(visit: Visit) -> web.Response:
    """POST /acknowledgements/<name>"""
    form, name = visit.form, text.one_line(visit.request.match_info["name"], text.NAME)
    form.name = f"ack_{name}"
    texts = {one: form.body(f"text_{one}") for one in LANGUAGES}
    away = {one: form.body(f"away_text_{one}") for one in LANGUAGES}

    def keep(tx: Tx) -> None:
        acknowledgement.keep(
            tx, visit.actor, name, active=form.line("active") == "1", texts=texts, away_texts=away,
            expected_version=form.version(),
        )  # fmt: skip
        access.write_audit(tx, visit.actor, "acknowledgement_kept", name)

    try:
        await visit.write(keep)
    except InputRejected as error:
        take_problems(form, error, visit.words)
        return await _acknowledgements(visit, 422)
    except VersionConflict as error:
        form.message = visit.words.sentence(error.message)
        return await _acknowledgements(visit, 412)
    return visit.redirect("/acknowledgements", "choice_kept")
