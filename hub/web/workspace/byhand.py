"""A request that somebody takes by hand: a call, a visit, an event; and when to contact a customer next."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy.engine import Connection

from hub.access.model import May
from hub.contacts import store as contacts
from hub.db.locks import lock_teams
from hub.db.tx import Tx
from hub.intake.byhand import ByHand, open_by_hand
from hub.kernel.errors import InputRejected, RuleSaysNo
from hub.requests.service import put_off
from hub.web.api.contacts import ContactIn, person_of
from hub.web.workspace import labels, queries
from hub.web.workspace.forms import CHOOSE, take_problems
from hub.web.workspace.requests import show_request
from hub.web.workspace.visit import Visit

SOURCES = ("phone", "visit", "event", "other")


async def form_page(visit: Visit) -> web.Response:
    """GET /requests/new"""
    return await _page(visit)


async def _page(visit: Visit, status: int = 200) -> web.Response:
    def find(conn: Connection) -> dict[str, Any]:
        return {"teams": queries.teams(conn), "own": queries.team_ids(conn, visit.staff_id)}

    found = await visit.read(find)
    words = visit.words
    return visit.render(
        "request_new.html",
        status,
        sources=[(key, words.t(labels.SOURCE[key])) for key in SOURCES],
        priorities=[(key, words.t(title)) for key, title in labels.PRIORITY.items()],
        team_choices=[(one.id, one.title) for one in found["teams"].values()],
        first_team=min(found["own"], default=min(found["teams"], default=0)),
    )


async def take(visit: Visit) -> web.Response:
    """POST /requests/new: dealt like any other, or kept by who takes it."""
    visit.form.name = "request"
    try:
        request_id = await visit.write(lambda tx: _take(tx, visit))
    except InputRejected as error:
        take_problems(visit.form, error, visit.words)
        return await _page(visit, 422)
    except RuleSaysNo as error:
        visit.form.message = visit.words.sentence(error.message)
        return await _page(visit, 409)
    return visit.redirect(f"/requests/{request_id}", "request_made")


def _take(tx: Tx, visit: Visit) -> int:
    form, hub = visit.form, visit.services.loaded.settings.hub
    form.problems.clear()
    given = ContactIn(
        name=form.line("name"), phone=form.line("phone"), email=form.line("email"),
        organisation=form.line("organisation"),
    )  # fmt: skip
    person = None
    try:
        person = person_of(given, hub.region)
    except InputRejected as error:
        for problem in error.problems:
            form.problem(problem.path.removeprefix("contact."), problem.message)
            if problem.path == "contact":
                form.problem("name", problem.message)
    source = form.choice("source", frozenset(SOURCES))
    priority = form.choice("priority", labels.PRIORITY)
    team_id = form.identifier("team")
    if team_id is None or team_id not in queries.teams(tx.conn):
        form.problem("team", CHOOSE)
    next_contact_at = form.moment("next_contact", visit.zone)
    form.check()
    assert person is not None
    assert team_id is not None
    lock_teams(tx, [team_id])  # before identities, as everywhere
    contact_id = contacts.find_or_add(tx, person)
    own = visit.staff_id if form.line("own") == "1" else None
    taken = ByHand(
        contact_id, team_id, form.body("text"), form.line("subject"), source, int(priority), next_contact_at,
        assignee_id=own,
    )  # fmt: skip
    return open_by_hand(tx, visit.actor, taken).id


async def next_contact(visit: Visit) -> web.Response:
    """POST /requests/<id>/next-contact"""
    form, request_id = visit.form, visit.id()
    form.name = "next_contact"
    visit.actor.require(May.WORK)
    at = form.moment("at", visit.zone)
    if at is None:
        form.problem("at", CHOOSE)
        form.problems = {name: visit.words.sentence(words) for name, words in form.problems.items()}
        return await show_request(visit, request_id, 422)
    try:
        await visit.write(lambda tx: put_off(tx, visit.actor, request_id, at))
    except RuleSaysNo as error:
        form.message = visit.words.sentence(error.message)
        return await show_request(visit, request_id, 409)
    return visit.redirect(f"/requests/{request_id}", "next_contact")
