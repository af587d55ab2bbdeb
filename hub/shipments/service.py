"""Use cases of shipments: attach a number, take in what a carrier said, let the order follow."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo

import orjson
import structlog

from hub.access.model import Actor, May, system
from hub.assignment.service import open_task
from hub.db import tables as t
from hub.db.rows import ObservationRow, RawDocumentRow
from hub.db.tx import Tx
from hub.kernel import text
from hub.kernel.clock import Instant
from hub.kernel.errors import FieldProblem, InputRejected, RuleSaysNo
from hub.orders import service as orders
from hub.orders import store as order_store
from hub.orders.model import Payment
from hub.outbox import webhooks
from hub.requests import store as requests
from hub.sdk.tracking import FINAL, MoneyStatus, NotTracked, Problem, RelationKind, Status, Tracked
from hub.shipments import store
from hub.shipments.model import (
    MONEY_SETTLED,
    Seen,
    State,
    dumps,
    is_final,
    merge,
    related_of,
    seen_of,
    stage_of,
    unite,
    with_children,
)
from hub.shipments.planner import Phase, Watched, next_poll, phase_of, retry_after
from hub.shipments.store import ShipmentRow

log = structlog.get_logger("hub.shipments")

TRACKING = system("tracking")
OUTBOUND = "outbound"
LEGS = frozenset({RelationKind.RETURN, RelationKind.REDIRECT})


@dataclass(frozen=True, slots=True)
class Pace:
    """How the planner reads time: the carrier's wall clock, and how fast it runs (1; more in the demo)."""

    zone: tzinfo
    speed: float = 1.0


def attach(
    tx: Tx, actor: Actor, order_id: int, account: str, plugin: str, number: str, phone: str | None
) -> ShipmentRow:
    """A waybill number joins an order; it is due at once. The same again gives the same shipment.

    Raises RuleSaysNo where another order has this number.
    """
    actor.require(May.WORK)
    order = order_store.get(tx.conn, order_id)
    for other in store.with_number(tx.conn, number, account):
        if other.order_id == order_id:
            return other
        number_of = order_store.get(tx.conn, other.order_id).number if other.order_id is not None else "-"
        raise RuleSaysNo(
            f"order {number_of} has this number already: check it, one waybill belongs to one order",
            order_number=number_of,
        )
    row = _new_row(
        tx, actor, number, account, plugin, order_id=order_id, phone=phone, cod=order.payment == Payment.COD
    )
    store.add(tx, row)
    orders.remark(tx, actor, order_id, "shipment_attached", {"carrier": account, "number": number})
    return row


def _new_row(
    tx: Tx,
    actor: Actor,
    number: str,
    account: str,
    plugin: str,
    *,
    order_id: int | None,
    phone: str | None = None,
    cod: bool = False,
    parent_id: int | None = None,
    relation: str = OUTBOUND,
    currency: str = "UAH",
) -> ShipmentRow:
    money = MoneyStatus.UNKNOWN if cod else MoneyStatus.NONE
    return ShipmentRow(
        id=tx.new_id(), number=number, account=account, plugin=plugin, order_id=order_id, parent_id=parent_id,
        relation=relation, phone=phone, status=Status.UNKNOWN, raw_code=None, raw_text=None, clock_at=None,
        happened_at=None, place=None, money_status=money, cod=cod, currency=currency, cod_expected_minor=None,
        cod_collected_minor=None, cod_paid_out_minor=None, facts="{}", estimated_at=None, paid_storage_at=None,
        final=False, phase=Phase.CREATED, next_poll_at=tx.now, polled_at=None, changed_at=None, misses=0,
        problem=None, problem_text=None, created_at=tx.now, updated_at=tx.now, actor=actor.label,
        correlation_id=tx.correlation_id, version=1,
    )  # fmt: skip


def check_number(number: str) -> str:
    """A number as it may be stored. Raises InputRejected."""
    cleaned = text.one_line(number, text.SHORT).replace(" ", "")
    if not 4 <= len(cleaned) <= 40 or not cleaned.isascii():
        raise InputRejected(
            "this is no waybill number", [FieldProblem("number", "4 to 40 Latin letters and digits")]
        )
    return cleaned.upper()


# --- what a carrier said ---------------------------------------------------------------------------------


@dataclass(slots=True)
class Results:
    """What one or several calls said about claimed parcels."""

    tracked: dict[int, Tracked] = field(default_factory=dict)
    problems: dict[int, NotTracked] = field(default_factory=dict)


def take_in(tx: Tx, rows: Sequence[ShipmentRow], results: Results, pace: Pace) -> None:
    """Write what calls said: one transaction for a whole batch. Claimed rows without a result stay due later."""
    current = {row.id: row for row in store.many(tx.conn, [r.id for r in rows])}
    known = store.observations(tx.conn, [i for i in results.tracked if i in current])
    legs: dict[int, list[tuple[RelationKind, Status]]] = {}
    for child in store.children(tx.conn, list(known)):
        if child.parent_id is not None and child.relation in LEGS:
            legs.setdefault(child.parent_id, []).append((RelationKind(child.relation), Status(child.status)))
    new_rows: list[ObservationRow] = []
    documents: dict[str, RawDocumentRow] = {}
    touched: set[int] = set()
    for shipment_id, tracked in sorted(results.tracked.items()):
        row = current.get(shipment_id)
        if row is None:
            continue
        row = _observed(tx, row, tracked, known[shipment_id], new_rows, pace, legs=legs.get(shipment_id, ()))
        _keep_document(tx, row, tracked.document, documents)
        current[shipment_id] = row
        touched.add(shipment_id)
    for shipment_id, problem in sorted(results.problems.items()):
        if shipment_id in current:
            _not_observed(tx, current[shipment_id], problem, pace)
    kept = store.known_documents(tx.conn, {d.digest for d in documents.values()})
    tx.insert(
        {
            t.observation: new_rows,
            t.raw_document: [d for d in documents.values() if (d.shipment_id, d.digest) not in kept],
        }
    )
    changed = {i for i in touched if current[i].changed_at == tx.now}
    _follow_legs(tx, changed)


def _observed(
    tx: Tx,
    row: ShipmentRow,
    tracked: Tracked,
    known: Sequence[Seen],
    new_rows: list[ObservationRow],
    pace: Pace,
    *,
    legs: Sequence[tuple[RelationKind, Status]],
) -> ShipmentRow:
    have = {s.identity for s in known}
    seen = unite(known, [seen_of(o, tx.now) for o in tracked.observations])
    fresh = [s for s in seen.values() if s.identity not in have]
    for one in fresh:
        new_rows.append(store.observation_row(tx.new_id(), row.id, one, dumps(one.facts)))
        if one.status is Status.UNKNOWN and store.note_unknown_code(
            tx, row.plugin, one.raw_code, one.raw_text
        ):
            log.warning("unknown_code", plugin=row.plugin, code=one.raw_code)
    state = merge(seen.values(), cod=row.cod)
    return _written(tx, row, state, with_children(state.status, legs), pace, news=bool(fresh))


def _written(
    tx: Tx, row: ShipmentRow, state: State, status: Status, pace: Pace, *, news: bool
) -> ShipmentRow:
    facts = state.facts
    money = state.money
    if status is Status.RETURNED and money in {MoneyStatus.EXPECTED, MoneyStatus.UNKNOWN}:
        money = MoneyStatus.NOT_COLLECTED
    changed_at = tx.now if news else row.changed_at
    watched = Watched(status, money, row.created_at, changed_at, state.happened_at or changed_at)
    final = is_final(status, money, watched.ended_at, tx.now)
    written = store.save(
        tx,
        row,
        status=status,
        raw_code=state.raw_code,
        raw_text=state.raw_text,
        clock_at=state.clock_at,
        happened_at=state.happened_at,
        place=state.place,
        money_status=money,
        currency=facts.get("currency", row.currency),
        cod_expected_minor=facts.get("cod_expected"),
        cod_collected_minor=facts.get("cod_collected"),
        cod_paid_out_minor=facts.get("cod_paid_out"),
        facts=dumps(facts),
        estimated_at=facts.get("estimated_at"),
        paid_storage_at=facts.get("paid_storage_from"),
        final=final,
        phase=phase_of(watched, tx.now),
        next_poll_at=next_poll(watched, tx.now, pace.zone, random.random(), pace.speed),  # noqa: S311 - jitter
        polled_at=tx.now,
        changed_at=changed_at,
        misses=0,
        problem="correction" if state.corrected else None,
        problem_text="the carrier took a status back" if state.corrected else None,
    )
    _ask_where_given_up(tx, row, written)
    _tell(tx, row, written)
    return written


def _tell(tx: Tx, before: ShipmentRow, now: ShipmentRow) -> None:
    """Web hooks about what changed: codes and sums, nobody's name."""
    sums = ("cod_expected_minor", "cod_collected_minor", "cod_paid_out_minor")
    told: dict[str, object] = {
        "shipment_id": str(now.id),
        "order_id": str(now.order_id) if now.order_id is not None else None,
        "number": now.number,
        "carrier": now.account,
        "status": str(now.status),
        "money_status": str(now.money_status),
        "currency": now.currency,
        **{name: getattr(now, name) for name in sums},
    }
    if now.status != before.status:
        webhooks.emit(tx, "shipment.status", f"shipment:{now.id}", told)
    if now.money_status != before.money_status:
        webhooks.emit(tx, "shipment.money", f"shipment:{now.id}", told)


def _ask_where_given_up(tx: Tx, before: ShipmentRow, now: ShipmentRow) -> None:
    """Polling ends by itself here, and nothing is settled: from now on a person has to look."""
    if now.relation != OUTBOUND or now.problem == Problem.BAD_NUMBER:
        return
    if now.phase == Phase.SILENT != before.phase:
        ask_seller(tx, now, f"{now.number}: nothing new for 30 days, ask the carrier")
    elif now.final and not before.final and now.money_status not in MONEY_SETTLED:
        ask_seller(tx, now, f"{now.number}: ended two weeks ago without its money, ask the carrier")


def _not_observed(tx: Tx, row: ShipmentRow, problem: NotTracked, pace: Pace) -> None:
    """Not found is no state: what is known stays, the parcel is asked for again."""
    bad = problem.problem is Problem.BAD_NUMBER
    misses = row.misses + 1
    watched = Watched(
        Status(row.status),
        MoneyStatus(row.money_status),
        row.created_at,
        row.changed_at,
        row.happened_at,
        bad,
    )
    if problem.problem in {Problem.NOT_FOUND, Problem.BAD_NUMBER}:
        at = next_poll(watched, tx.now, pace.zone, random.random(), pace.speed)  # noqa: S311 - jitter
    else:
        at = tx.now + retry_after(misses, random.random(), pace.speed)  # noqa: S311 - jitter
    written = store.save(
        tx,
        row,
        misses=misses,
        polled_at=tx.now,
        next_poll_at=at,
        phase=phase_of(watched, tx.now),
        problem=problem.problem,
        problem_text=text.one_line(problem.message, text.SUBJECT) or None,
    )
    _ask_where_given_up(tx, row, written)
    if bad and row.relation == OUTBOUND and row.problem != Problem.BAD_NUMBER:
        ask_seller(tx, row, f"{row.number}: the carrier refuses this number, check it")


def _keep_document(tx: Tx, row: ShipmentRow, document: bytes, documents: dict[str, RawDocumentRow]) -> None:
    if document:
        digest = text.sha256_hex(document)
        documents[f"{row.id}:{digest}"] = RawDocumentRow(
            tx.new_id(), row.id, digest, document[:65_536], tx.now
        )


def put_off(tx: Tx, rows: Sequence[ShipmentRow], reason: str, pace: Pace) -> None:
    """A call failed for a passing reason: its parcels are asked for again, each with its back-off."""
    for row in store.many(tx.conn, [r.id for r in rows]):
        at = tx.now + retry_after(row.misses, random.random(), pace.speed)  # noqa: S311 - jitter
        store.save(tx, row, misses=row.misses + 1, next_poll_at=at, problem_text=reason[:200])


def release(tx: Tx, rows: Sequence[ShipmentRow], due_at: Instant) -> None:
    """Parcels that were claimed but not asked for: due again at `due_at`."""
    for row in rows:
        store.save(tx, row._replace(next_poll_at=None), next_poll_at=due_at)


# --- further legs, and the order ---------------------------------------------------------------------------


def _follow_legs(tx: Tx, changed: set[int]) -> None:
    """New related numbers become parcels of their own; parents see their legs; orders follow."""
    rows = store.many(tx.conn, changed)
    for row in rows:
        _add_related(tx, row)
    parents = {row.parent_id for row in rows if row.parent_id is not None}
    for parent in store.many(tx.conn, parents):
        legs = [
            (RelationKind(c.relation), Status(c.status))
            for c in store.children(tx.conn, [parent.id])
            if c.relation in set(LEGS)
        ]
        own = merge(store.observations(tx.conn, [parent.id])[parent.id], cod=parent.cod)
        status = with_children(own.status, legs)
        if status != parent.status:
            nobody_pays = status is Status.RETURNED and parent.money_status in {"expected", "unknown"}
            money = MoneyStatus.NOT_COLLECTED if nobody_pays else MoneyStatus(parent.money_status)
            final = status in FINAL and money in MONEY_SETTLED
            written = store.save(
                tx, parent, status=status, money_status=money, final=final, changed_at=tx.now,
                next_poll_at=None if final else parent.next_poll_at,
            )  # fmt: skip
            _tell(tx, parent, written)
    orders_touched = {row.order_id for row in rows if row.order_id is not None}
    for order_id in sorted(orders_touched):
        _order_follows(tx, order_id)


def _add_related(tx: Tx, row: ShipmentRow) -> None:
    """Return, redirect and money waybills are followed by themselves."""
    for related in related_of(orjson.loads(row.facts)):
        if related.number == row.number or store.with_number(tx.conn, related.number, row.account):
            continue
        child = _new_row(
            tx, TRACKING, related.number, row.account, row.plugin, order_id=row.order_id, phone=row.phone,
            parent_id=row.id, relation=related.kind, currency=row.currency,
        )  # fmt: skip
        store.add(tx, child)
        if row.order_id is not None:
            orders.remark(
                tx,
                TRACKING,
                row.order_id,
                "shipment_linked",
                {"number": related.number, "relation": related.kind},
            )


def _order_follows(tx: Tx, order_id: int) -> None:
    parcels = [p for p in store.of_order(tx.conn, order_id) if p.relation == OUTBOUND]
    order = order_store.get(tx.conn, order_id)
    cod = order.payment == Payment.COD
    stage = stage_of([(Status(p.status), MoneyStatus(p.money_status)) for p in parcels], cod=cod)
    why: Mapping[str, object] = {"parcels": [[p.number, p.status, p.money_status] for p in parcels]}
    if stage is not None:
        orders.follow(tx, TRACKING, order_id, stage, dict(why))
    for parcel in parcels:
        if parcel.problem == "correction" and parcel.changed_at == tx.now:
            ask_seller(tx, parcel, f"{parcel.number}: the carrier took a status back, check the order")


def ask_seller(tx: Tx, row: ShipmentRow, question: str) -> None:
    """A question about a parcel: into the order's journal, and a task for the order's team."""
    if row.order_id is None:
        return
    order = orders.remark(
        tx, TRACKING, row.order_id, "question", {"number": row.number, "question": question}
    )
    if order.request_id is not None:
        team_id = requests.get(tx.conn, order.request_id).team_id
        open_task(tx, TRACKING, team_id, kind="question", title=question, subject_id=row.id)
