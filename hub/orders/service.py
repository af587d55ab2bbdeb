"""Use cases of orders. Each change writes its journal entry in the same transaction, chained by hash.

Moves along the route and approvals stand in `hub.orders.moves`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.access.model import Actor, May
from hub.assignment import service as assignment
from hub.contacts import store as contacts
from hub.contacts.model import Person
from hub.db.tx import Tx
from hub.kernel import text
from hub.kernel.errors import FieldProblem, InputRejected, RuleSaysNo
from hub.kernel.money import MAX_MINOR
from hub.orders import asking, money, outgoing, search, store
from hub.orders.journal import GENESIS, entry_hash, entry_of
from hub.orders.model import (
    LineRow,
    NewLine,
    NewOrder,
    OrderRow,
    Payment,
    check_fields,
    check_lines,
    missing,
)
from hub.orders.money import NewPayment, PaymentKind, PaymentRow
from hub.orders.moves import decide, follow_parcels, get, move_stage
from hub.orders.stages import Route
from hub.requests import store as requests
from hub.requests.model import Closing, Outcome, RequestState
from hub.requests.service import close as close_request
from hub.tasks import store as tasks

__all__ = [
    "GENESIS", "Change", "add_lines", "change", "create", "decide", "entry_hash", "entry_of",
    "follow_parcels", "index_contact", "move_stage", "record_payment", "remark", "reverse_payment",
]  # fmt: skip


def create(tx: Tx, actor: Actor, order: NewOrder, person: Person | None = None) -> OrderRow:
    """Make an order, from a request or by hand.

    A request that becomes an order is closed with the outcome `order`, its task is done: from now on the
    order carries the work. Raises InputRejected naming every gap at once.
    """
    actor.require(May.WORK)
    route = _route(tx, order.route)
    problems = missing(order, has_contact=person is not None) + check_lines(order.lines)
    problems += check_fields(route, order.fields)
    if order.responsible_id is not None and not store.person_is_active(tx.conn, order.responsible_id):
        problems.append(FieldProblem("responsible_id", "there is no such person working here"))
    if problems:
        raise InputRejected("the order is not complete", problems)
    assert order.responsible_id is not None
    if order.request_id is not None:  # first: it locks the team
        _request_became_order(tx, actor, order.request_id)
    contact_id = _contact(tx, order, person)
    row = OrderRow(
        tx.new_id(), order.number or store.next_number(tx), contact_id, order.request_id, order.responsible_id,
        route.name, route.version, route.first, order.payment, order.currency,
        sum(line.total_minor for line in order.lines), 0,
        text.clean(order.note, text.BODY), tx.now, tx.now, order.next_contact_at, order.wanted_at, None, 0, GENESIS,
        actor.label, tx.correlation_id, fields=_fields_text({}, order.fields),
    )  # fmt: skip
    entry = entry_of(tx, actor, row, "created", row.stage, body={"lines": len(order.lines)})
    row = row._replace(journal_seq=entry.seq, journal_hash=entry.hash)
    store.add(tx, row, _line_rows(tx, row.id, order.lines, 0))
    store.add_entry(tx, entry)
    store.set_terms(tx, [row.id], _terms(tx, contact_id))
    if order.number:  # brought from elsewhere, perhaps with ten thousand others: no news for anybody
        store.number_taken(tx, order.number)
    else:
        outgoing.tell(tx, "order.created", row)
    return row


def _route(tx: Tx, name: str) -> Route:
    version = store.newest_version(tx.conn, name)
    if version is None:
        names = ", ".join(store.route_names(tx.conn))
        raise InputRejected("there is no such route", [FieldProblem("route", f"one of {names}")])
    return store.load_route(tx.conn, name, version)


def _fields_text(before: Mapping[str, str], values: Mapping[str, str]) -> str:
    """Fields as they are kept: what is empty is left out."""
    merged = {**before, **{key: text.clean(value, 2_000).strip() for key, value in values.items()}}
    kept = {key: value for key, value in sorted(merged.items()) if value}
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


def _terms(tx: Tx, contact_id: int) -> list[str]:
    record = contacts.get(tx.conn, contact_id)
    phones = [one.value for one in record.identities if one.kind == "phone"]
    return sorted(search.terms([record.row.name, record.row.organisation], phones))


def index_contact(tx: Tx, contact_id: int) -> None:
    """A contact was renamed, or has another telephone: his orders are found by it from now on."""
    store.set_terms(tx, store.of_contact(tx.conn, contact_id), _terms(tx, contact_id))


def _contact(tx: Tx, order: NewOrder, person: Person | None) -> int:
    if order.request_id is not None:
        return requests.hold(tx, order.request_id).contact_id
    if order.contact_id is not None:
        return contacts.present(tx, order.contact_id)
    assert person is not None
    return contacts.find_or_add(tx, person)


def _request_became_order(tx: Tx, actor: Actor, request_id: int) -> None:
    closing = Closing(outcome=Outcome.ORDER)
    task = tasks.open_of_request(tx.conn, request_id)
    if task is not None:
        assignment.complete(tx, actor, task.id, closing)
    elif requests.get(tx.conn, request_id).state == RequestState.OPEN:
        close_request(tx, actor, request_id, closing)


def _line_rows(tx: Tx, order_id: int, lines: Sequence[NewLine], after: int) -> list[LineRow]:
    return [
        LineRow(
            tx.new_id(), order_id, position, line.kind, line.sku, text.one_line(line.name, text.NAME),
            line.quantity_milli, text.one_line(line.unit, 20), line.price_minor, line.plan_cost_minor,
            line.fact_cost_minor, line.total_minor, line.wanted_at,
        )
        for position, line in enumerate(lines, after + 1)
    ]  # fmt: skip


def add_lines(
    tx: Tx, actor: Actor, order_id: int, lines: Sequence[NewLine], expected_version: int | None = None
) -> OrderRow:
    """Add lines to an order."""
    actor.require(May.WORK)
    row = get(tx, order_id, expected_version)
    present = store.lines(tx.conn, order_id)
    problems = check_lines(lines, len(present))
    total = row.total_minor + sum(line.total_minor for line in lines)
    if abs(total) > MAX_MINOR:
        problems.append(FieldProblem("lines", "the sum is too large"))
    if problems:
        raise InputRejected("the lines are not complete", problems)
    _ask_again(tx, actor, row)
    position = max((line.position for line in present), default=0)
    store.add_lines(tx, _line_rows(tx, order_id, lines, position))
    entry = entry_of(tx, actor, row, "lines_added", row.stage, body={"lines": len(lines)})
    return store.save(tx, row, entry, total_minor=total)


def _ask_again(tx: Tx, actor: Actor, row: OrderRow) -> None:
    """Who agreed, agreed to something else: the same people are asked again."""
    dropped = asking.drop(tx, row.id, "the order was changed")
    for stage in dict.fromkeys(one.stage for one in dropped):
        asking.ask(tx, actor, row, stage, [one.role for one in dropped if one.stage == stage])


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is changed about an order; None leaves it. `clear` names dates that are taken away."""

    note: str | None = None
    payment: Payment | None = None
    responsible_id: int | None = None
    next_contact_at: int | None = None
    wanted_at: int | None = None
    fields: Mapping[str, str] | None = None
    clear: frozenset[str] = frozenset()


def change(tx: Tx, actor: Actor, order_id: int, new: Change, expected_version: int | None = None) -> OrderRow:
    """Change what is written down about an order. Handing it to somebody else is the head's or its own person's.

    Fields of the route changed after somebody agreed: he is asked again, it is what he agreed to.
    """
    actor.require(May.WORK)
    row = get(tx, order_id, expected_version)
    route = store.load_route(tx.conn, row.route, row.route_version)
    problems = check_fields(route, new.fields or {})
    if new.responsible_id is not None and not store.person_is_active(tx.conn, new.responsible_id):
        problems.append(FieldProblem("responsible_id", "there is no such person working here"))
    if problems:
        raise InputRejected("the order cannot be changed so", problems)
    if new.responsible_id not in {None, row.responsible_id} and actor.staff_id != row.responsible_id:
        actor.require(May.LEAD)
    values: dict[str, object] = {
        name: getattr(new, name)
        for name in ("payment", "responsible_id", "next_contact_at", "wanted_at")
        if getattr(new, name) is not None
    }
    values |= dict.fromkeys(new.clear & {"next_contact_at", "wanted_at"}, None)
    if new.note is not None:
        values["note"] = text.clean(new.note, text.BODY)
    before = json.loads(row.fields)
    if new.fields is not None:
        values["fields"] = _fields_text(before, new.fields)
    changed = sorted(name for name, value in values.items() if value != getattr(row, name))
    if not changed:
        return row
    if any(before.get(key, value) != value for key, value in (new.fields or {}).items()):
        _ask_again(tx, actor, row)
    body: dict[str, object] = {"changed": changed}
    if "fields" in changed:
        body["fields"] = {key: value[:200] for key, value in (new.fields or {}).items()}
    entry = entry_of(tx, actor, row, "changed", row.stage, body=body)
    return store.save(tx, row, entry, **{name: values[name] for name in changed})


def remark(tx: Tx, actor: Actor, order_id: int, event: str, body: dict[str, object]) -> OrderRow:
    """Write into the journal what changes no stage."""
    row = store.get(tx.conn, order_id)
    return store.save(tx, row, entry_of(tx, actor, row, event, row.stage, body=body))


# --- payments --------------------------------------------------------------------------------------------


def record_payment(
    tx: Tx, actor: Actor, order_id: int, new: NewPayment, expected_version: int | None = None
) -> OrderRow:
    """Write down money that came, or that is expected."""
    actor.require(May.WORK)
    row = get(tx, order_id, expected_version)
    problems = money.check(new)
    paid = row.paid_minor + (new.amount_minor if new.kind is PaymentKind.RECEIVED else 0)
    if paid > MAX_MINOR:
        problems.append(FieldProblem("amount", "the sum is too large"))
    if problems:
        raise InputRejected("this payment cannot be written down", problems)
    made = PaymentRow(
        tx.new_id(), row.id, new.kind, new.amount_minor, new.method, new.paid_at,
        text.one_line(new.note, text.NAME), None, actor.label, tx.now, tx.correlation_id,
    )  # fmt: skip
    store.add_payment(tx, made)
    return _paid(tx, actor, row, made, "payment", None)


def reverse_payment(tx: Tx, actor: Actor, payment_id: int, reason: str) -> OrderRow:
    """Take a payment back by an opposite row: once, with a reason."""
    actor.require(May.WORK)
    found = store.get_payment(tx.conn, payment_id)
    if not reason:
        raise InputRejected("taking a payment back needs a reason", [FieldProblem("reason", "say why")])
    row = store.get(tx.conn, found.order_id)
    if found.reverses_id is not None or store.is_reversed(tx.conn, payment_id):
        raise RuleSaysNo("this payment was taken back already", payment_id=str(payment_id))
    opposite = found._replace(
        id=tx.new_id(), amount_minor=-found.amount_minor, note=text.one_line(reason, text.NAME),
        reverses_id=found.id, actor=actor.label, created_at=tx.now, correlation_id=tx.correlation_id,
    )  # fmt: skip
    store.add_payment(tx, opposite)
    return _paid(tx, actor, row, opposite, "payment_reversed", reason)


def _paid(tx: Tx, actor: Actor, row: OrderRow, made: PaymentRow, event: str, reason: str | None) -> OrderRow:
    received = made.kind == PaymentKind.RECEIVED
    body: dict[str, object] = {
        "payment": str(made.id), "kind": made.kind, "amount_minor": made.amount_minor, "method": made.method,
    }  # fmt: skip
    if made.reverses_id is not None:
        body["reverses"] = str(made.reverses_id)
    entry = entry_of(tx, actor, row, event, row.stage, reason, body)
    paid = row.paid_minor + (made.amount_minor if received else 0)
    changed = store.save(tx, row, entry, paid_minor=paid)
    if received:
        amount = {"amount_minor": made.amount_minor, "currency": row.currency}
        outgoing.tell(tx, "order.paid", changed, amount=amount)
    return changed
