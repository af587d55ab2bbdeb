"""What the forms of orders do: make one, add lines, move it along, attach and refresh parcels."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

from aiohttp import web
from sqlalchemy.engine import Connection

from hub.access import secrets
from hub.access import store as access
from hub.access.model import May
from hub.contacts import store as contacts
from hub.contacts.model import Person
from hub.db.tx import Tx
from hub.kernel.errors import HubError, InputRejected, RuleSaysNo, VersionConflict
from hub.kernel.text import sha256_hex
from hub.orders import service, store
from hub.orders.model import NewOrder, Payment
from hub.orders.stages import PARCEL
from hub.requests import store as requests
from hub.shipments import joining
from hub.shipments import store as shipments
from hub.web.api.contacts import ContactIn, person_of
from hub.web.api.shipments import choose
from hub.web.i18n import N_
from hub.web.workspace import labels, queries
from hub.web.workspace.forms import CHOOSE
from hub.web.workspace.order_lines import ROWS, place_problems, read_lines, rows_of
from hub.web.workspace.orders import show_order, text_in
from hub.web.workspace.visit import Visit

_CHANGED = N_("Somebody changed this meanwhile: look at what is new below, then repeat your step.")


# --- a new order -----------------------------------------------------------------------------------------


async def new_order_form(visit: Visit) -> web.Response:
    """GET /orders/new"""
    return await _new_order_page(visit, visit.query_id("request"))


async def _new_order_page(visit: Visit, request_id: int | None, status: int = 200) -> web.Response:
    contact_id = visit.form.identifier("contact") or visit.query_id("contact")

    def find(conn: Connection) -> dict[str, Any]:
        found: dict[str, Any] = {"request": None, "contact": None, "choices": queries.active_people(conn)}
        found["routes"] = [
            (name, text_in(store.newest_route(conn, name).title, visit.language) or name)
            for name in sorted(store.route_names(conn), key=lambda name: (name != PARCEL, name))
        ]
        if request_id is not None:
            found["request"] = requests.get(conn, request_id)
            found["contact"] = contacts.get(conn, found["request"].contact_id)
        elif contact_id is not None:
            found["contact"] = contacts.get(conn, contacts.present_of(conn, contact_id))
        return found

    return visit.render(
        "order_new.html", status,
        rows=rows_of(visit.form, ROWS), currency=visit.services.loaded.settings.hub.currency,
        key=visit.form.line("key") or secrets.new_token(), payments=list(labels.PAYMENT),
        **await visit.read(find),
    )  # fmt: skip


async def make_order(visit: Visit) -> web.Response:
    """POST /orders/new. The same form sent twice makes one order: its key is kept with the order."""
    form = visit.form
    form.name = "order"
    request_id = form.identifier("request")
    rows: list[int] = []
    try:
        order, person, rows = _read_order(visit, request_id)
        order_id = await visit.write(lambda tx: _make_once(tx, visit, order, person))
    except InputRejected as error:
        place_problems(form, error, rows, visit.words)
        return await _new_order_page(visit, request_id, 422)
    except RuleSaysNo as error:
        people = await visit.read(queries.names)
        form.message = visit.words.error(error, people)
        return await _new_order_page(visit, request_id, 409)
    return visit.redirect(f"/orders/{order_id}", "order_made")


def _read_order(visit: Visit, request_id: int | None) -> tuple[NewOrder, Person | None, list[int]]:
    form, hub = visit.form, visit.services.loaded.settings.hub
    lines, rows = read_lines(form, hub.currency)
    payment = form.choice("payment", frozenset(labels.PAYMENT))
    next_contact_at = form.day("next_contact", visit.zone)
    person = None
    contact_id = form.identifier("contact") if request_id is None else None
    if request_id is None and contact_id is None:
        given = ContactIn(name=form.line("name"), phone=form.line("phone"), email=form.line("email"))
        try:
            person = person_of(given, hub.region)
        except InputRejected as error:
            for problem in error.problems:
                form.problem(problem.path.removeprefix("contact."), problem.message)
    responsible = form.identifier("responsible") or visit.staff_id
    if responsible != visit.staff_id:
        visit.actor.require(May.LEAD)
    form.check()
    order = NewOrder(
        contact_id=contact_id,
        request_id=request_id,
        responsible_id=responsible,
        lines=lines,
        payment=Payment(payment),
        currency=hub.currency,
        note=form.body("note"),
        next_contact_at=next_contact_at,
        route=form.line("route") or PARCEL,
    )
    return order, person, rows


def _make_once(tx: Tx, visit: Visit, order: NewOrder, person: Person | None) -> int:
    key = visit.form.line("key", 100)
    scope = sha256_hex(b"order form", visit.actor.label.encode(), key.encode())
    known = access.find_replay(tx.conn, scope, tx.now) if key else None
    if known is not None:
        return int(known.answer)
    made = service.create(tx, visit.actor, order, person)
    if key:
        access.store_replay(tx, scope, access.Replay("", 303, str(made.id)))
    return made.id


# --- an order that is there ------------------------------------------------------------------------------


async def refused(
    visit: Visit, error: HubError, order_id: int, rows: list[int] | None = None
) -> web.Response:
    """The page of the order again, with what is wrong beside the form."""
    form = visit.form
    if isinstance(error, InputRejected):
        place_problems(form, error, rows or [], visit.words)
        return await show_order(visit, order_id, 422)
    if isinstance(error, VersionConflict):
        form.message = visit.words.t(_CHANGED)
        return await show_order(visit, order_id, 412)
    form.message = visit.words.error(error, {})
    return await show_order(visit, order_id, 409)


async def add_lines(visit: Visit) -> web.Response:
    """POST /orders/<id>/lines"""
    form, order_id = visit.form, visit.id()
    form.name = "lines"
    rows: list[int] = []
    order = await visit.read(lambda conn: store.get(conn, order_id))
    try:
        lines, rows = read_lines(form, order.currency)
        if not lines:
            form.problem("name_0", "a line needs a name")
        form.check()
        await visit.write(lambda tx: service.add_lines(tx, visit.actor, order_id, lines, form.version()))
    except (InputRejected, RuleSaysNo, VersionConflict) as error:
        return await refused(visit, error, order_id, rows)
    return visit.redirect(f"/orders/{order_id}#lines", "lines_added")


async def move_stage(visit: Visit) -> web.Response:
    """POST /orders/<id>/stage"""
    form, order_id = visit.form, visit.id()
    form.name = form.line("form") or "stage"
    stage, reason = form.line("stage"), form.line("reason")
    try:
        if not stage:
            form.problem("stage", CHOOSE)
            form.check()
        await visit.write(
            lambda tx: service.move_stage(tx, visit.actor, order_id, stage, reason, form.version())
        )
    except (InputRejected, RuleSaysNo, VersionConflict) as error:
        return await refused(visit, error, order_id)
    if form.line("back") == "board":
        return visit.redirect(f"/orders?view=board&route={quote(form.line('route', 60))}", "moved")
    return visit.redirect(f"/orders/{order_id}", "moved")


async def attach(visit: Visit) -> web.Response:
    """POST /orders/<id>/shipments"""
    form, order_id, services = visit.form, visit.id(), visit.services
    form.name = "parcel"

    def write(tx: Tx, account: str, number: str) -> None:
        order = store.get(tx.conn, order_id)
        phone = contacts.get(tx.conn, order.contact_id).first("phone") or None
        joining.attach(tx, visit.actor, order_id, account, services.account_plugins[account], number, phone)

    try:
        typed = (form.line("carrier") or None, form.line("number"))
        account, number = await asyncio.to_thread(choose, services.carriers, *typed)
        await visit.write(lambda tx: write(tx, account, number))
    except (InputRejected, RuleSaysNo, VersionConflict) as error:
        return await refused(visit, error, order_id)
    return visit.redirect(f"/orders/{order_id}#parcels", "attached")


async def refresh(visit: Visit) -> web.Response:
    """POST /shipments/<id>/refresh: ask the carrier now, within the account's budget."""
    row = await visit.read(lambda conn: shipments.get(conn, visit.id()))
    await visit.services.poller.refresh(row.id)
    where = f"/orders/{row.order_id}#parcels" if row.order_id is not None else f"/shipments/{row.id}"
    return visit.redirect(where, "refreshed")
