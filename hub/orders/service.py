"""Use cases of orders. Each change writes its journal entry in the same transaction, chained by hash."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import orjson

from hub.access.model import Actor, May
from hub.assignment import service as assignment
from hub.contacts import store as contacts
from hub.contacts.model import Person
from hub.db.tx import Tx
from hub.kernel import text
from hub.kernel.errors import FieldProblem, InputRejected, VersionConflict
from hub.orders import store
from hub.orders.model import EntryRow, LineRow, NewLine, NewOrder, OrderRow, check_lines, missing
from hub.orders.stages import PARCEL
from hub.requests import store as requests
from hub.requests.model import Closing, Outcome, RequestState
from hub.requests.service import close as close_request
from hub.tasks import store as tasks

GENESIS = "0" * 64
_MOVED = "stage"


def entry_of(
    tx: Tx,
    actor: Actor,
    row: OrderRow,
    event: str,
    stage: str,
    reason: str | None = None,
    body: dict[str, object] | None = None,
) -> EntryRow:
    """The next journal entry of an order."""
    seq = row.journal_seq + 1
    written = orjson.dumps(body or {}).decode()
    entry = EntryRow(
        row.id, seq, event, stage, actor.label, reason or None, written, tx.now, tx.correlation_id, ""
    )
    return entry._replace(hash=entry_hash(row.journal_hash, entry))


def entry_hash(before: str, entry: EntryRow) -> str:
    """The hash of an entry: over the hash of the one before and its own content."""
    content = (
        f"{before}|{entry.order_id}|{entry.seq}|{entry.event}|{entry.stage}|{entry.actor}|{entry.reason or ''}|"
        f"{entry.body}|{entry.at}|{entry.correlation_id}"
    )
    return hashlib.sha256(content.encode()).hexdigest()


def create(tx: Tx, actor: Actor, order: NewOrder, person: Person | None = None) -> OrderRow:
    """Make an order, from a request or by hand.

    A request that becomes an order is closed with the outcome `order`, its task is done: from now on the
    order carries the work. Raises InputRejected naming every gap at once.
    """
    actor.require(May.WORK)
    problems = missing(order, has_contact=person is not None) + check_lines(order.lines)
    if order.responsible_id is not None and not store.person_is_active(tx.conn, order.responsible_id):
        problems.append(FieldProblem("responsible_id", "there is no such person working here"))
    if problems:
        raise InputRejected("the order is not complete", problems)
    assert order.responsible_id is not None
    if order.request_id is not None:  # first: it locks the team
        _request_became_order(tx, actor, order.request_id)
    contact_id = _contact(tx, order, person)
    version = store.newest_version(tx.conn, PARCEL)
    assert version is not None
    route = store.load_route(tx.conn, PARCEL, version)
    row = OrderRow(
        tx.new_id(), store.next_number(tx), contact_id, order.request_id, order.responsible_id, PARCEL, version,
        route.first, order.payment, order.currency, sum(line.total_minor for line in order.lines), 0,
        text.clean(order.note, text.BODY), tx.now, tx.now, order.next_contact_at, order.wanted_at, None, 0, GENESIS,
        actor.label, tx.correlation_id,
    )  # fmt: skip
    entry = entry_of(tx, actor, row, "created", row.stage, body={"lines": len(order.lines)})
    row = row._replace(journal_seq=entry.seq, journal_hash=entry.hash)
    store.add(tx, row, _line_rows(tx, row.id, order.lines, 0))
    store.add_entry(tx, entry)
    return row


def _contact(tx: Tx, order: NewOrder, person: Person | None) -> int:
    if order.request_id is not None:
        return requests.get(tx.conn, order.request_id).contact_id
    if order.contact_id is not None:
        return contacts.get(tx.conn, order.contact_id).row.id
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
    row = _get(tx, order_id, expected_version)
    present = store.lines(tx.conn, order_id)
    problems = check_lines(lines, len(present))
    if problems:
        raise InputRejected("the lines are not complete", problems)
    position = max((line.position for line in present), default=0)
    store.add_lines(tx, _line_rows(tx, order_id, lines, position))
    entry = entry_of(tx, actor, row, "lines_added", row.stage, body={"lines": len(lines)})
    return store.save(tx, row, entry, total_minor=row.total_minor + sum(line.total_minor for line in lines))


def move_stage(
    tx: Tx, actor: Actor, order_id: int, stage: str, reason: str = "", expected_version: int | None = None
) -> OrderRow:
    """Move an order along its route. Raises TransitionRefused naming what is possible."""
    actor.require(May.WORK)
    row = _get(tx, order_id, expected_version)
    route = store.load_route(tx.conn, row.route, row.route_version)
    if stage not in route.stages:
        raise InputRejected(
            "there is no such stage", [FieldProblem("stage", f"one of {', '.join(route.stages)}")]
        )
    if stage == row.stage:
        return row
    route.check_move(row.stage, stage)
    backwards = route.stages[stage].kind in {"lost", "back"} or not route.is_ahead(stage, row.stage)
    if backwards and not reason:
        raise InputRejected("this move needs a reason", [FieldProblem("reason", "say why")])
    return _moved(tx, actor, row, stage, reason, {})


def follow(tx: Tx, actor: Actor, order_id: int, stage: str, why: dict[str, object]) -> OrderRow | None:
    """The order follows its parcels: forward only, by rules; its journal tells why. None: nothing to do."""
    row = store.get(tx.conn, order_id)
    route = store.load_route(tx.conn, row.route, row.route_version)
    here, there = route.stages[row.stage], route.stages.get(stage)
    if there is None or here.kind != "open" or not route.is_ahead(stage, row.stage):
        return None
    return _moved(tx, actor, row, stage, "followed its parcels", why)


def remark(tx: Tx, actor: Actor, order_id: int, event: str, body: dict[str, object]) -> OrderRow:
    """Write into the journal what changes no stage."""
    row = store.get(tx.conn, order_id)
    return store.save(tx, row, entry_of(tx, actor, row, event, row.stage, body=body))


def _moved(tx: Tx, actor: Actor, row: OrderRow, stage: str, reason: str, why: dict[str, object]) -> OrderRow:
    route = store.load_route(tx.conn, row.route, row.route_version)
    ended = route.stages[stage].kind != "open"
    entry = entry_of(tx, actor, row, _MOVED, stage, reason, {"from": row.stage, **why})
    return store.save(tx, row, entry, stage=stage, closed_at=tx.now if ended else None)


def _get(tx: Tx, order_id: int, expected_version: int | None) -> OrderRow:
    row = store.get(tx.conn, order_id)
    if expected_version is not None and expected_version != row.version:
        raise VersionConflict(f"order {order_id} was changed by somebody else", version=row.version)
    return row
