"""Cards of contacts: the list, one card with all that belongs to it, probable doubles, merging with its undo.

What a merge or an undo will do stands on a page of its own before anybody does it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.engine import Connection

from hub.access.model import May
from hub.contacts import store as contacts
from hub.contacts.store import ContactRecord
from hub.customers import cards, doubles, finding, merging, moves
from hub.customers.cards import ORGANISATION, PERSON, CardChange
from hub.customers.doubles import Double
from hub.customers.moves import MergeRow
from hub.db.lookup import any_of
from hub.db.rows import JournalRow, RequestRow
from hub.db.tables import contact, journal, request
from hub.db.tx import Tx
from hub.kernel.errors import HubError, InputRejected, NotFound, RuleSaysNo, VersionConflict
from hub.orders import registry
from hub.orders.registry import Asked
from hub.web.api.contacts import ContactIn, person_of
from hub.web.workspace import labels, queries
from hub.web.workspace.forms import take_problems
from hub.web.workspace.queries import Happened, OrderItem
from hub.web.workspace.visit import Visit

PAGE = queries.PAGE
SHOWN = 30
PERSONS = 100
CANDIDATES = 10
KINDS = (PERSON, ORGANISATION)
_REFUSALS = (InputRejected, RuleSaysNo, VersionConflict)


@dataclass(frozen=True, slots=True)
class CardView:
    """Everything on the page of a card."""

    record: ContactRecord
    root: ContactRecord | None  # the card that stands for it, where it was merged into one
    organisation: ContactRecord | None
    persons: Sequence[ContactRecord]
    merges: Sequence[tuple[MergeRow, ContactRecord]]
    doubles: Sequence[Double]
    requests: Sequence[RequestRow]
    orders: Sequence[OrderItem]
    whose: dict[int, ContactRecord]
    history: Sequence[Happened]
    people: dict[int, str]
    teams: dict[int, Any]
    organisations: Sequence[tuple[int, str]]


def view_of(conn: Connection, contact_id: int) -> CardView:
    """Read the page of a card. Raises NotFound."""
    record = contacts.get(conn, contact_id)
    root_id = record.own.merged_into_id
    merges = moves.merges_of(conn, record.ids)
    known = contacts.many(conn, [one.merged_id for one in merges])
    whose = contacts.belonging(conn, contact_id)
    asked = [
        RequestRow._make(row)
        for row in conn.execute(
            select(request)
            .where(any_of(conn, request.c.contact_id, whose))
            .order_by(request.c.id.desc())
            .limit(SHOWN + 1)
        )
    ]
    of_all = Asked(contact_ids=whose, archived=None, limit=SHOWN)
    made = queries.order_items(conn, registry.find(conn, of_all)[0])
    return CardView(
        record,
        contacts.get(conn, root_id) if root_id is not None else None,
        cards.organisation_of(conn, record),
        cards.persons_of(conn, record, PERSONS),
        [(one, known[one.merged_id]) for one in merges if one.merged_id != contact_id],
        doubles.of_card(conn, contact_id) if root_id is None else [],
        asked,
        made,
        contacts.many(
            conn, sorted({row.contact_id for row in asked} | {one.order.contact_id for one in made})
        ),
        _history(conn, contact_id),
        queries.names(conn),
        queries.teams(conn),
        cards.organisations(conn) if record.own.kind == PERSON else [],
    )


def _history(conn: Connection, contact_id: int) -> list[Happened]:
    query = (
        select(journal)
        .where(journal.c.entity_id == contact_id, journal.c.entity == "contact")
        .order_by(journal.c.id.desc())
        .limit(SHOWN)
    )
    rows = [JournalRow._make(row) for row in conn.execute(query)]
    return [Happened(row.at, row.entity, row.event, row.actor, row.reason or "") for row in rows[::-1]]


# --- reading ---------------------------------------------------------------------------------------------


async def contact_list(visit: Visit) -> web.Response:
    """GET /contacts"""
    text, kind, before = visit.query("q"), visit.query("kind"), visit.query_id("before")

    def find(conn: Connection) -> dict[str, Any]:
        query = select(contact.c.id).where(contact.c.merged_into_id.is_(None), contact.c.erased_at.is_(None))
        if text:
            query = query.where(finding.matching(text))
        if kind in KINDS:
            query = query.where(contact.c.kind == kind)
        if before is not None:
            query = query.where(contact.c.id < before)
        ids = list(conn.execute(query.order_by(contact.c.id.desc()).limit(PAGE + 1)).scalars())
        known = contacts.many(conn, ids[:PAGE])
        return {
            "items": [known[one] for one in ids[:PAGE]],
            "further": ids[PAGE - 1] if len(ids) > PAGE else None,
            "doubled": doubles.waiting(conn) if visit.leads else 0,
        }

    kept = {"q": text, "kind": kind if kind in KINDS else ""}
    return visit.render(
        "contacts.html", kept=kept, before=before, kinds=_kinds(visit), **await visit.read(find)
    )


def _kinds(visit: Visit) -> list[tuple[str, str]]:
    return [(key, visit.words.t(labels.CONTACT_KIND[key])) for key in KINDS]


async def contact_page(visit: Visit) -> web.Response:
    """GET /contacts/<id>"""
    return await show_contact(visit, visit.id())


async def show_contact(visit: Visit, contact_id: int, status: int = 200) -> web.Response:
    """The page of a card, after a refused form too."""
    view = await visit.read(lambda conn: view_of(conn, contact_id))
    return visit.render(
        "contact.html",
        status,
        v=view,
        people=view.people,
        history=view.history,
        shown=SHOWN,
        kinds=_kinds(visit),
    )


async def double_list(visit: Visit) -> web.Response:
    """GET /contacts/doubles"""
    before = visit.query_id("before")
    found, further = await visit.read(lambda conn: doubles.listed(conn, PAGE, before))
    return visit.render("contact_doubles.html", found=found, further=further, before=before)


# --- making and changing ---------------------------------------------------------------------------------


async def new_form(visit: Visit) -> web.Response:
    """GET /contacts/new"""
    return await _new_page(visit)


async def _new_page(visit: Visit, status: int = 200) -> web.Response:
    chosen = visit.form.identifier("of") or visit.query_id("organisation")

    def find(conn: Connection) -> ContactRecord | None:
        return contacts.get(conn, chosen) if chosen is not None else None

    return visit.render("contact_new.html", status, kinds=_kinds(visit), of=await visit.read(find))


async def make(visit: Visit) -> web.Response:
    """POST /contacts/new"""
    form = visit.form
    form.name = "contact"

    def run(tx: Tx) -> int:
        form.problems.clear()
        kind = form.choice("kind", frozenset(KINDS))
        person = _read_person(visit, "name", "organisation", "phone", "email")
        form.check()
        given = CardChange(
            kind=kind,
            note=form.body("note"),
            position=form.line("position"),
            organisation_id=form.identifier("of"),
        )
        return cards.make(tx, visit.actor, person, given).own.id

    try:
        made = await visit.write(run)
    except _REFUSALS as error:
        _tell(visit, error)
        return await _new_page(visit, _status(error))
    return visit.redirect(f"/contacts/{made}", "contact_made")


def _read_person(visit: Visit, *names: str) -> Any:
    """What was typed; problems stand beside their fields."""
    form, region = visit.form, visit.services.loaded.settings.hub.region
    given = {name: form.line(name) for name in names}
    try:
        return person_of(ContactIn(**given), region)
    except InputRejected as error:
        for problem in error.problems:
            path = problem.path.removeprefix("contact.")
            form.problem("name" if path == "contact" else path, problem.message)
        return None


async def change(visit: Visit) -> web.Response:
    """POST /contacts/<id>"""
    form = visit.form
    form.name = "card"

    def run(tx: Tx) -> None:
        form.problems.clear()
        further = _read_person(visit, "phone", "email") if form.line("phone") or form.line("email") else None
        form.check()
        given = CardChange(
            name=form.line("name"), organisation=form.line("organisation"), note=form.body("note"),
            kind=form.line("kind") if form.line("kind") in KINDS else None,
            **({"further": further} if further is not None else {}),
        )  # fmt: skip
        cards.change(tx, visit.actor, visit.id(), given, form.version())

    return await _changed(visit, run, "changed")


async def attach(visit: Visit) -> web.Response:
    """POST /contacts/<id>/organisation: attach to one, with a position, or detach."""
    form = visit.form
    form.name = "organisation"

    def run(tx: Tx) -> None:
        form.problems.clear()
        if form.line("do") == "detach":
            given = CardChange(detached=True)
        else:
            organisation_id = form.identifier("organisation")
            if organisation_id is None:
                form.problem("organisation", "choose one")
            form.check()
            given = CardChange(organisation_id=organisation_id, position=form.line("position"))
        cards.change(tx, visit.actor, visit.id(), given, form.version())

    return await _changed(visit, run, "person_detached" if form.line("do") == "detach" else "person_attached")


async def _changed(visit: Visit, run: Callable[[Tx], None], notice: str) -> web.Response:
    contact_id = visit.id()
    try:
        await visit.write(run)
    except _REFUSALS as error:
        _tell(visit, error)
        return await show_contact(visit, contact_id, _status(error))
    return visit.redirect(f"/contacts/{contact_id}", notice)


def _tell(visit: Visit, error: HubError) -> None:
    form = visit.form
    if isinstance(error, InputRejected):
        take_problems(form, error, visit.words)
        return
    changed = isinstance(error, VersionConflict)
    form.message = visit.words.sentence("the card was changed by somebody else" if changed else error.message)


def _status(error: HubError) -> int:
    return 422 if isinstance(error, InputRejected) else 412 if isinstance(error, VersionConflict) else 409


# --- doubles, merging, undoing ---------------------------------------------------------------------------


async def merge_form(visit: Visit) -> web.Response:
    """GET /contacts/<id>/merge?with=<id>: what would happen; without one, which card it could be."""
    return await _merge_page(visit, visit.query_id("with"), visit.query("q"))


async def _merge_page(visit: Visit, other_id: int | None, text: str = "", status: int = 200) -> web.Response:
    contact_id = visit.id()

    def find(conn: Connection) -> dict[str, Any]:
        found: dict[str, Any] = {
            "one": contacts.get(conn, contact_id),
            "other": None,
            "told": None,
            "why_not": "",
        }
        found |= {"candidates": [], "aside": []}
        if other_id is not None:
            found["other"] = contacts.get(conn, other_id)
            try:
                found["told"] = told = merging.foresee(conn, contact_id, other_id)
                found["aside"] = _requests(conn, told.aside)
            except (InputRejected, RuleSaysNo) as error:
                found["why_not"] = visit.words.sentence(error.message)
        elif text:
            hits = (
                select(contact.c.id)
                .where(finding.matching(text), contact.c.id != contact_id, contact.c.merged_into_id.is_(None))
                .order_by(contact.c.id.desc())
                .limit(CANDIDATES)
            )
            ids = list(conn.execute(hits).scalars())
            known = contacts.many(conn, ids)
            found["candidates"] = [known[one] for one in ids]
        return found

    return visit.render("contact_merge.html", status, q=text, **await visit.read(find))


def _requests(conn: Connection, ids: Sequence[int]) -> list[RequestRow]:
    query = select(request).where(request.c.id.in_(ids)).order_by(request.c.id)
    return [RequestRow._make(row) for row in conn.execute(query)]


async def merge(visit: Visit) -> web.Response:
    """POST /contacts/<id>/merge"""
    form, contact_id = visit.form, visit.id()
    form.name = "merge"
    other_id = form.identifier("other")
    if other_id is None:
        raise NotFound
    reason, version = form.line("reason"), form.version()
    try:
        await visit.write(
            partial(
                merging.merge,
                actor=visit.actor,
                survivor_id=contact_id,
                other_id=other_id,
                reason=reason,
                expected_version=version,
            )
        )
    except _REFUSALS as error:
        _tell(visit, error)
        return await _merge_page(visit, other_id, status=_status(error))
    return visit.redirect(f"/contacts/{contact_id}", "merged")


async def unmerge_form(visit: Visit) -> web.Response:
    """GET /contacts/<id>/unmerge: what would happen."""
    return await _unmerge_page(visit)


async def _unmerge_page(visit: Visit, status: int = 200) -> web.Response:
    contact_id = visit.id()

    def find(conn: Connection) -> dict[str, Any]:
        record = contacts.get(conn, contact_id)
        found: dict[str, Any] = {"one": record, "root": None, "told": None, "again": [], "why_not": ""}
        try:
            found["told"] = told = merging.foresee_undo(conn, contact_id)
            found["again"] = _requests(conn, told.again)
            found["root"] = contacts.get(conn, contacts.present_of(conn, contact_id))
        except RuleSaysNo as error:
            found["why_not"] = visit.words.sentence(error.message)
        return found

    return visit.render("contact_unmerge.html", status, **await visit.read(find))


async def unmerge(visit: Visit) -> web.Response:
    """POST /contacts/<id>/unmerge"""
    form, contact_id = visit.form, visit.id()
    form.name = "unmerge"
    reason = form.line("reason")
    try:
        await visit.write(partial(merging.unmerge, actor=visit.actor, merged_id=contact_id, reason=reason))
    except _REFUSALS as error:
        _tell(visit, error)
        return await _unmerge_page(visit, _status(error))
    return visit.redirect(f"/contacts/{contact_id}", "unmerged")


async def different(visit: Visit) -> web.Response:
    """POST /contacts/<id>/different"""
    form, contact_id = visit.form, visit.id()
    visit.actor.require(May.LEAD)
    form.name = "different"
    other_id = form.identifier("other")
    if other_id is None:
        raise NotFound
    try:
        await visit.write(lambda tx: doubles.are_different(tx, visit.actor, contact_id, other_id))
    except _REFUSALS as error:
        _tell(visit, error)
        return await show_contact(visit, contact_id, _status(error))
    back = "/contacts/doubles" if form.line("back") == "list" else f"/contacts/{contact_id}"
    return visit.redirect(back, "different")
