"""Signing in and out, the first password, the language.

A try is counted before the password is looked at, so that tries sent side by side are counted too; a
right one takes its count back. An unknown login is as slow and says the same as a wrong password.
"""

from __future__ import annotations

import asyncio

from aiohttp import web
from sqlalchemy.engine import Connection

from hub.access import secrets
from hub.access import store as access
from hub.access.model import Actor
from hub.db.tx import Tx
from hub.kernel.errors import NotFound
from hub.staff import store as staff
from hub.staff.store import StaffRecord
from hub.web.i18n import LANGUAGES, N_
from hub.web.workspace import queries
from hub.web.workspace.visit import LANGUAGE_COOKIE, SESSION_COOKIE, Visit, local_path

HASHING = web.AppKey("hashing", asyncio.Semaphore)
HASHING_AT_ONCE = 2  # 64 MiB and 0.3 s each

_WRONG = N_("Login and password do not fit together.")
_TOO_MANY = N_("Too many tries. Wait 15 minutes, or ask your administrator for a new link.")
_SHORT = N_("Choose at least 10 characters.")
_LONG = N_("Choose at most 200 characters.")
_DIFFERENT = N_("The two passwords differ.")
_NOBODY = Actor("sign-in", frozenset())
_YEAR_S = 365 * 24 * 3600


async def sign_in_form(visit: Visit) -> web.Response:
    """GET /sign-in"""
    return await _sign_in_page(visit, local_path(visit.request.query.get("next", "/")))


async def _sign_in_page(visit: Visit, way: str, status: int = 200) -> web.Response:
    if visit.signed is not None and status == 200:
        return visit.redirect(way)
    offered: list[StaffRecord] = []
    if visit.services.demo:
        offered = [p for p in await visit.read(staff.all_staff) if p.state == "active"]
    answer = visit.render("sign_in.html", status, next=way, offered=offered)
    if status == 429:
        answer.headers["Retry-After"] = str(access.FAILURE_WINDOW // 1000)
    return answer


async def sign_in(visit: Visit) -> web.Response:
    """POST /sign-in"""
    form = visit.form
    way = local_path(form.values.get("next", "/"))
    login = form.line("login", 100).lower()
    password = form.values.get("password", "")
    keys = [f"login:{login}", f"address:{visit.address}"]
    if not await visit.write(lambda tx: _count_try(tx, keys)):
        await visit.write(lambda tx: access.write_audit(tx, _NOBODY, "sign_in_stopped", ""))
        form.message = visit.words.t(_TOO_MANY)
        return await _sign_in_page(visit, way, 429)
    known = await visit.read(lambda conn: access.password_of(conn, login))
    stored = known[1] if known is not None else None
    async with visit.request.app[HASHING]:
        fits = await asyncio.to_thread(secrets.check_password, stored, password[: secrets.MAX_PASSWORD + 1])
    if known is None or not fits:
        target = str(known[0]) if known is not None else ""
        await visit.write(lambda tx: access.write_audit(tx, _NOBODY, "sign_in_failed", target))
        form.message = visit.words.t(_WRONG)
        return await _sign_in_page(visit, way, 422)
    staff_id = known[0]

    def enter(tx: Tx) -> str:
        access.forget_failures(tx, keys)
        return _open(tx, visit, staff_id)

    return _welcomed(visit, await visit.write(enter), way)


def _count_try(tx: Tx, keys: list[str]) -> bool:
    if access.too_many_failures(tx.conn, keys, tx.now):
        return False
    access.note_failure(tx, keys)
    return True


def _open(tx: Tx, visit: Visit, staff_id: int) -> str:
    if visit.signed is not None:
        access.close_session(tx, visit.signed.id)
    access.write_audit(tx, Actor(f"staff:{staff_id}", frozenset(), staff_id), "signed_in", str(staff_id))
    return access.open_session(tx, staff_id, visit.request.headers.get("User-Agent", ""))


def _welcomed(visit: Visit, token: str, way: str) -> web.Response:
    answer = visit.redirect(way, "signed_in")
    visit.set_cookie(answer, SESSION_COOKIE, token, access.SESSION_LASTS // 1000)
    return answer


async def sign_out(visit: Visit) -> web.Response:
    """POST /sign-out"""
    signed = visit.signed
    if signed is not None:
        await visit.write(lambda tx: _leave(tx, signed.id, signed.actor))
    answer = visit.redirect("/sign-in", "signed_out")
    answer.del_cookie(SESSION_COOKIE, path="/")
    return answer


def _leave(tx: Tx, session_id: int, actor: Actor) -> None:
    access.close_session(tx, session_id)
    access.write_audit(tx, actor, "signed_out", str(actor.staff_id))


async def forgot(visit: Visit) -> web.Response:
    """GET /forgot: who can help"""
    return visit.render("forgot.html")


# --- the first password --------------------------------------------------------------------------------


async def welcome_form(visit: Visit) -> web.Response:
    """GET /welcome/<secret>"""
    return await _welcome_page(visit)


async def _welcome_page(visit: Visit, status: int = 200) -> web.Response:
    token = visit.request.match_info["secret"][:100]
    now = visit.services.clock.now()

    def find(conn: Connection) -> StaffRecord | None:
        staff_id = access.find_link(conn, token, now)
        return staff.get(conn, staff_id) if staff_id is not None else None

    person = await visit.read(find)
    if person is None:
        return visit.render("link_used.html", 404)
    return visit.render("welcome.html", status, person=person)


async def welcome(visit: Visit) -> web.Response:
    """POST /welcome/<secret>"""
    token = visit.request.match_info["secret"][:100]
    form = visit.form
    password, again = form.values.get("password", ""), form.values.get("password2", "")
    if len(password) < secrets.MIN_PASSWORD:
        form.problem("password", _SHORT)
    elif len(password) > secrets.MAX_PASSWORD:
        form.problem("password", _LONG)
    elif not secrets.same(password, again):
        form.problem("password2", _DIFFERENT)
    now = visit.services.clock.now()
    living = await visit.read(lambda conn: access.find_link(conn, token, now))
    if form.problems or living is None:
        return await _welcome_page(visit, 422)
    async with visit.request.app[HASHING]:
        hashed = await asyncio.to_thread(secrets.hash_password, password)

    def enter(tx: Tx) -> str:
        staff_id = access.use_link(tx, token)
        access.set_password(tx, staff_id, hashed)
        actor = Actor(f"staff:{staff_id}", frozenset(), staff_id)
        access.write_audit(tx, actor, "password_set", str(staff_id))
        return _open(tx, visit, staff_id)

    try:
        session = await visit.write(enter)
    except NotFound:
        return visit.render("link_used.html", 404)
    return _welcomed(visit, session, "/")


# --- demonstration, language ---------------------------------------------------------------------------


async def demo_sign_in(visit: Visit) -> web.Response:
    """POST /demo/sign-in: only in the demonstration, as one of its people."""
    staff_id = visit.form.identifier("staff_id")
    if not visit.services.demo or staff_id is None:
        raise NotFound

    def enter(tx: Tx) -> str:
        person = staff.get(tx.conn, staff_id)
        if person.state != "active":
            raise NotFound
        return _open(tx, visit, person.id)

    return _welcomed(visit, await visit.write(enter), local_path(visit.form.values.get("next", "/")))


async def set_language(visit: Visit) -> web.Response:
    """POST /language: for the browser, and for the person who is signed in."""
    language = visit.form.line("language")
    if language not in LANGUAGES:
        raise NotFound
    signed = visit.signed
    if signed is not None:
        await visit.write(lambda tx: queries.choose_language(tx, visit.staff_id, language))
    answer = visit.redirect(local_path(visit.form.values.get("next", "/")))
    visit.set_cookie(answer, LANGUAGE_COOKIE, language, _YEAR_S)
    return answer
