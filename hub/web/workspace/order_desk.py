"""Forms on the page of an order besides lines and stages: what is written down, payments, approvals."""

from __future__ import annotations

from aiohttp import web

from hub.kernel.errors import InputRejected, RuleSaysNo, VersionConflict
from hub.orders import service, store
from hub.orders.approval import Verdict
from hub.orders.model import Payment
from hub.orders.money import Method, NewPayment, PaymentKind
from hub.orders.service import Change
from hub.web.workspace import labels
from hub.web.workspace.order_forms import refused
from hub.web.workspace.visit import Visit

_REFUSALS = (InputRejected, RuleSaysNo, VersionConflict)


async def change(visit: Visit) -> web.Response:
    """POST /orders/<id>/details"""
    form, order_id = visit.form, visit.id()
    form.name = "details"
    row = await visit.read(lambda conn: store.get(conn, order_id))
    try:
        next_contact, wanted = form.day("next_contact", visit.zone), form.day("wanted", visit.zone)
        payment = form.choice("payment", frozenset(labels.PAYMENT))
        form.check()
        typed = {"next_contact_at": next_contact, "wanted_at": wanted}
        new = Change(
            note=form.body("note"),
            payment=Payment(payment),
            responsible_id=form.identifier("responsible"),
            next_contact_at=_kept(visit, row.next_contact_at, next_contact),
            wanted_at=_kept(visit, row.wanted_at, wanted),
            fields={
                key.removeprefix("field_"): form.body(key) for key in form.values if key.startswith("field_")
            },
            clear=frozenset(name for name, value in typed.items() if value is None),
        )
        await visit.write(lambda tx: service.change(tx, visit.actor, order_id, new, form.version()))
    except _REFUSALS as error:
        return await refused(visit, error, order_id)
    return visit.redirect(f"/orders/{order_id}", "changed")


def _kept(visit: Visit, before: int | None, typed: int | None) -> int | None:
    """A form knows days only: the same day keeps its hour."""
    if before is None or typed is None:
        return typed
    return None if visit.words.day_field(before) == visit.words.day_field(typed) else typed


async def pay(visit: Visit) -> web.Response:
    """POST /orders/<id>/payments"""
    form, order_id = visit.form, visit.id()
    form.name = "payment"
    row = await visit.read(lambda conn: store.get(conn, order_id))
    try:
        amount = form.sum("amount", row.currency)
        if amount is None:
            form.problem("amount", "this is no sum, such as 1250,50")
        kind = form.choice("kind", frozenset(PaymentKind))
        method = form.choice("method", frozenset(Method))
        day = form.day("at", visit.zone)
        form.check()
        assert amount is not None
        new = NewPayment(
            kind=PaymentKind(kind),
            amount_minor=amount,
            method=Method(method),
            paid_at=day if day is not None else visit.words.now,
            note=form.line("note"),
        )
        await visit.write(lambda tx: service.record_payment(tx, visit.actor, order_id, new, form.version()))
    except _REFUSALS as error:
        return await refused(visit, error, order_id)
    return visit.redirect(f"/orders/{order_id}#payments", "paid")


async def take_back(visit: Visit) -> web.Response:
    """POST /payments/<id>/reverse"""
    form, payment_id = visit.form, visit.id()
    form.name = f"reverse_{payment_id}"
    order_id = (await visit.read(lambda conn: store.get_payment(conn, payment_id))).order_id
    try:
        reason = form.line("reason")
        await visit.write(lambda tx: service.reverse_payment(tx, visit.actor, payment_id, reason))
    except _REFUSALS as error:
        return await refused(visit, error, order_id)
    return visit.redirect(f"/orders/{order_id}#payments", "unpaid")


async def decide(visit: Visit) -> web.Response:
    """POST /approvals/<id>"""
    form, approval_id = visit.form, visit.id()
    form.name = f"approval_{approval_id}"
    order_id = (await visit.read(lambda conn: store.get_approval(conn, approval_id))).order_id
    try:
        verdict = form.choice("verdict", frozenset(Verdict))
        form.check()
        comment = form.body("comment")
        await visit.write(lambda tx: service.decide(tx, visit.actor, approval_id, Verdict(verdict), comment))
    except _REFUSALS as error:
        return await refused(visit, error, order_id)
    return visit.redirect(f"/orders/{order_id}#approvals", "approval_answered")
