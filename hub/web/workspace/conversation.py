"""The conversation of a request: answering, files, HTML mail, and what a person decides about a doubtful message.

What outsiders wrote is never trusted here: HTML is sanitised and shown in a document of its own that may
load nothing and run nothing; files are downloads unless they are pictures of a kind that browsers only draw.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from urllib.parse import quote

from aiohttp import web

from hub.access.model import May
from hub.db.tx import Tx
from hub.kernel import text
from hub.kernel.errors import InputRejected, NotFound, RuleSaysNo
from hub.requests import conversation, replies
from hub.requests.replies import Letter, NewFile
from hub.web.workspace.forms import take_problems
from hub.web.workspace.render import SECURITY_HEADERS
from hub.web.workspace.requests import show_request
from hub.web.workspace.visit import Upload, Visit

_HTML_HEADERS = {
    **SECURITY_HEADERS,
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'self'; sandbox allow-popups"
    ),
    "X-Frame-Options": "SAMEORIGIN",
}
_FILE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, max-age=3600",
}


async def reply(visit: Visit) -> web.Response:
    """POST /requests/<id>/messages"""
    request_id = visit.id()
    visit.form.name = "reply"
    visit.actor.require(May.WORK)
    files = await asyncio.to_thread(_keep, visit, visit.uploads)
    letter = Letter(
        text=visit.form.body("text"),
        account=visit.form.line("channel"),
        subject=visit.form.line("subject", text.SUBJECT),
        files=files,
    )
    writers = visit.services.writers
    try:
        await visit.write(lambda tx: replies.reply(tx, visit.actor, request_id, letter, writers))
    except InputRejected as error:
        take_problems(visit.form, error, visit.words)
        return await show_request(visit, request_id, 422)
    except RuleSaysNo as error:
        visit.form.message = visit.words.sentence(error.message)
        return await show_request(visit, request_id, 409)
    return visit.redirect(f"/requests/{request_id}#talk-end", "written")


def _keep(visit: Visit, uploads: Sequence[Upload]) -> list[NewFile]:
    """Their bytes are in the blob store before the message that names them."""
    return [
        NewFile(one.name, one.media_type, len(one.body), visit.services.door.blobs.put(one.body))
        for one in uploads
    ]


async def decide(visit: Visit) -> web.Response:
    """POST /messages/<id>/decide: it arrived, or send it again."""
    message_id = visit.id()
    arrived = visit.form.line("arrived") == "1"
    row = await visit.read(lambda conn: replies.get(conn, message_id))

    def write(tx: Tx) -> None:
        replies.decide(tx, visit.actor, message_id, arrived=arrived)

    try:
        await visit.write(write)
    except RuleSaysNo as error:
        visit.form.message = visit.words.sentence(error.message)
        return await show_request(visit, row.request_id, 409)
    return visit.redirect(f"/requests/{row.request_id}", "decided")


async def html_page(visit: Visit) -> web.Response:
    """GET /messages/<id>/html: sanitised, in a document that can do nothing."""
    import nh3  # noqa: PLC0415 - for whoever opens such a mail

    found = await visit.read(lambda conn: conversation.html_of(conn, visit.id()))
    clean = await asyncio.to_thread(nh3.clean, found)
    return web.Response(
        text=f'<!doctype html><meta charset="utf-8"><title>.</title>{clean}',
        content_type="text/html",
        headers=_HTML_HEADERS,
    )


async def file(visit: Visit) -> web.Response:
    """GET /files/<id>"""
    row = await visit.read(lambda conn: conversation.file(conn, visit.id()))
    body = await asyncio.to_thread(visit.services.door.blobs.get, row.blob) if row.blob else None
    if body is None:
        raise NotFound("this file is not here")
    shown = row.media_type in conversation.PICTURES and visit.query("inline") == "1"
    kind = "inline" if shown else "attachment"
    name = quote(row.name, safe="")
    headers = {**_FILE_HEADERS, "Content-Disposition": f"{kind}; filename*=UTF-8''{name}"}
    return web.Response(
        body=body, content_type=row.media_type if shown else "application/octet-stream", headers=headers
    )
