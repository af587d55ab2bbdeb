"""What a carrier said becomes what the hub knows: observations, the merged state, the order's way.

One transaction for a whole batch, and few statements whatever its size: everything is read for all parcels at
once, decided on in memory (`model`, `planner`), and written together. What goes forward is announced once;
what goes back is a correction, shown and asked about. Unlisted codes are counted and told to the
administrators the first time; a number that the carrier gave to another waybill is kept apart.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import orjson
import structlog

from hub.db import tables as t
from hub.db.locks import lock_orders
from hub.db.rows import ObservationRow, RawDocumentRow
from hub.db.tx import Tx
from hub.kernel import text
from hub.kernel.clock import DAY, MINUTE, Instant
from hub.orders import service as orders
from hub.orders import store as order_store
from hub.outbox.put import put_code_notice
from hub.sdk.tracking import FINAL, Facts, MoneyStatus, NotTracked, Problem, RelationKind, Status, Tracked
from hub.shipments import codes, questions, store, sums, telling
from hub.shipments.events import MONEY, STATUS, Announce, ShipmentChange, is_money_step, is_step, nobody
from hub.shipments.model import (
    MONEY_SETTLED,
    TRANSFER,
    Seen,
    State,
    dumps,
    is_final,
    is_same_waybill,
    merge,
    related_of,
    relearned,
    seen_of,
    unite,
    with_children,
)
from hub.shipments.planner import Hours, Phase, Watched, next_of, patience_of, phase_of, retry_after
from hub.shipments.service import OUTBOUND, TRACKING, Pace, Results, ask_seller, new_row
from hub.shipments.store import ShipmentRow

log = structlog.get_logger("hub.shipments")

LEGS = frozenset({RelationKind.RETURN, RelationKind.REDIRECT})
RENUMBERED, NEVER_FOUND, REFUSED_TOGETHER = "renumbered", "never_found", "refused_together"
"""Problems that the hub itself finds, beside those of `hub.sdk.tracking.Problem`: the number is another
waybill's now; not known to the carrier for days; one of a group among whom a number is bad."""
_OF_THE_STATE = frozenset({None, "correction", "unknown_code"})
_MAY_END = frozenset({Phase.MONEY, Phase.LOOK, Phase.ENDED})
NOT_FOUND_FOR = 5 * DAY
LONGEST_PUT_OFF = 8 * MINUTE
SUSPICIOUS_AGE = 14 * DAY
FINGERPRINT = 100


@dataclass(slots=True)
class _Taking:
    """What one transaction is about to write."""

    tx: Tx
    pace: Pace
    hours: Hours
    observed: list[ObservationRow] = field(default_factory=list)
    documents: dict[tuple[int, str], RawDocumentRow] = field(default_factory=dict)
    written: dict[int, tuple[ShipmentRow, ShipmentRow]] = field(default_factory=dict)
    questions: list[tuple[ShipmentRow, str]] = field(default_factory=list)
    fresh: set[int] = field(default_factory=set)

    def ask(self, row: ShipmentRow, question: str) -> None:
        """Ask the seller when all is written."""
        self.questions.append((row, question))

    def next_poll(self, parcel: Watched, phase: Phase) -> int | None:
        """When a parcel is asked for again."""
        jitter = random.random()  # noqa: S311 - jitter
        return next_of(
            parcel, phase, self.tx.now, self.hours, jitter, self.pace.speed, listed=self.pace.listed
        )


def _tells_nothing_new(row: ShipmentRow | None, tracked: Tracked) -> bool:
    """The document is an old one: is that all? A plugin may have learned to read it, or read a second place."""
    learned = row is not None and tracked.fingerprint not in ("", row.fingerprint)
    return row is not None and says_all(row) and not learned and _pays_as_told(row, tracked)


def _pays_as_told(row: ShipmentRow, tracked: Tracked) -> bool:
    """Is the money as the row has it? It may be told in a second place, while the document stays the same."""
    return row.money_status in MONEY_SETTLED or all(_agrees(row, one.facts) for one in tracked.observations)


def _agrees(row: ShipmentRow, told: Facts) -> bool:
    return (
        (told.money is None or told.money == row.money_status)
        and (told.cod_expected is None or told.cod_expected == row.cod_expected_minor)
        and (told.cod_collected is None or told.cod_collected == row.cod_collected_minor)
        and (told.cod_paid_out is None or told.cod_paid_out == row.cod_paid_out_minor)
    )


def take_in(
    tx: Tx, rows: Sequence[ShipmentRow], results: Results, pace: Pace, announce: Announce = nobody
) -> None:
    """Write what calls said about claimed parcels. Those without a result stay held, and fall due later."""
    parents = [r.parent_id for r in rows if r.parent_id is not None]
    if not rows:
        return
    digests = {i: text.sha256_hex(one.document) for i, one in results.tracked.items() if one.document}
    kept = store.known_documents(tx.conn, set(digests.values()))
    lock_orders(tx, _with_news(rows, results, digests, kept))  # before their parcels, as everywhere
    current = store.lock(tx, [*(r.id for r in rows), *parents])
    taking = _Taking(tx, pace, Hours.at(tx.now, pace.zone))
    for shipment_id in sorted(results.unchanged & current.keys()):
        _unchanged(taking, current[shipment_id])
    same = {
        i
        for i, digest in digests.items()
        if (i, digest) in kept and _tells_nothing_new(current.get(i), results.tracked[i])
    }
    known = store.observations(tx.conn, [i for i in results.tracked if i in current and i not in same])
    legs: dict[int, list[tuple[RelationKind, Status]]] = {}
    for child in store.children(tx.conn, list(known)):
        if child.parent_id is not None and child.relation in LEGS:
            legs.setdefault(child.parent_id, []).append((RelationKind(child.relation), Status(child.status)))
    for shipment_id, tracked in sorted(results.tracked.items()):
        if shipment_id in same:
            _unchanged(taking, current[shipment_id])
        elif shipment_id in current:
            _observed(taking, current[shipment_id], tracked, known[shipment_id], legs.get(shipment_id, ()))
            _keep_document(taking, current[shipment_id], tracked.document, digests.get(shipment_id))
    for shipment_id, problem in sorted(results.problems.items()):
        if shipment_id in current:
            _not_observed(taking, current[shipment_id], problem)
    telling.tell(tx, [taking.written[i] for i in sorted(taking.fresh)])
    for shipment_id in sorted(taking.fresh):
        before, after = taking.written[shipment_id]
        taking.written[shipment_id] = (before, announced(tx, after, announce))
    store.save_all(tx, list(taking.written.values()))
    tx.insert(
        {
            t.observation: taking.observed,
            t.raw_document: [d for key, d in taking.documents.items() if key not in kept],
        }
    )
    _look_at_sums(taking)
    for row, question in taking.questions:
        ask_seller(tx, row, question)
    _follow(tx, [taking.written[i][1] for i in sorted(taking.fresh)], announce)


def _with_news(
    rows: Sequence[ShipmentRow],
    results: Results,
    digests: Mapping[int, str],
    kept: Collection[tuple[int, str]],
) -> set[int]:
    """Orders whose parcels have news, as far as can be seen before they are locked."""
    return {
        row.order_id
        for row in rows
        if row.order_id is not None
        and row.id in results.tracked
        and (row.id, digests.get(row.id)) not in kept
    }


def _look_at_sums(taking: _Taking) -> None:
    """A sum that is new, and does not fit its order."""
    told = [
        now
        for before, now in map(taking.written.__getitem__, sorted(taking.fresh))
        if now.order_id is not None and now.cod_expected_minor not in {None, before.cod_expected_minor}
    ]
    if not told:
        return
    known = order_store.totals(taking.tx.conn, {row.order_id for row in told if row.order_id is not None})
    for row in told:
        total, currency = known.get(row.order_id or 0, (0, ""))
        if currency == row.currency and sums.is_odd(row.cod_expected_minor, total):
            taking.ask(row, questions.ODD_SUM)


def announced(tx: Tx, row: ShipmentRow, announce: Announce) -> ShipmentRow:
    """Announce where parcel or money went further than ever announced; the row remembers it."""
    status, money = row.announced, row.announced_money
    if is_step(row.status, status):
        announce(tx, ShipmentChange(STATUS, row, status))
        status = row.status
    if is_money_step(row.money_status, money):
        announce(tx, ShipmentChange(MONEY, row, money))
        money = row.money_status
    return row._replace(announced=status, announced_money=money)


def _observed(
    taking: _Taking,
    row: ShipmentRow,
    tracked: Tracked,
    known: Sequence[Seen],
    legs: Sequence[tuple[RelationKind, Status]],
) -> None:
    tx = taking.tx
    told = [seen_of(o, tx.now) for o in tracked.observations]
    if not all(is_same_waybill(row.made_at, one) for one in told):
        _renumbered(taking, row)
        return
    known, learned = relearned(known, told)
    for one in learned:
        store.set_status(tx, row.id, one)
    have = {s.identity for s in known}
    seen = unite(known, told)
    fresh = [s for s in seen.values() if s.identity not in have]
    for one in fresh:
        taking.observed.append(store.observation_row(tx.new_id(), row.id, one, dumps(one.facts)))
        if one.status is Status.UNKNOWN and one.raw_code != TRANSFER:
            _unknown_code(tx, row, one)
    state = merge(seen.values(), cod=row.cod)
    asked = any(s.raw_code != TRANSFER for s in told)
    status = with_children(state.status, legs)
    news = bool(fresh or learned)
    after = _written(
        taking, row, state, status, news=news, fingerprint=tracked.fingerprint if asked else None
    )
    if not known:
        _look_at_age(taking, after)
    if news:
        taking.fresh.add(row.id)


def says_all(row: ShipmentRow) -> bool:
    """Does the row say what its observations say? A passing problem stands in their place."""
    return row.problem in _OF_THE_STATE


def _unchanged(taking: _Taking, row: ShipmentRow) -> None:
    """The carrier says, word for word, what it has said before: all of it is in the set, the state stands.

    Nine answers in ten are of this kind, and cost a tenth of the others. Only time has passed. Where a problem
    came up since it was asked for, the row does not say its state any more: all is asked for again at once.
    """
    tx = taking.tx
    if not says_all(row):
        taking.written[row.id] = (row, row._replace(next_poll_at=tx.now))
        return
    status, money = Status(row.status), MoneyStatus(row.money_status)
    watched = Watched(
        status, money, row.created_at, row.changed_at, row.happened_at or row.changed_at,
        patience=patience_of(row.number),
    )  # fmt: skip
    phase = phase_of(watched, tx.now)
    at = taking.next_poll(watched, phase)
    after = row._replace(phase=phase, next_poll_at=at, polled_at=tx.now, misses=0)
    if phase in _MAY_END:
        after = store.changed(tx, after, final=is_final(status, money, watched.ended_at, tx.now))
    taking.written[row.id] = (row, after)
    _ask_where_given_up(taking, row, after)


def _renumbered(taking: _Taking, row: ShipmentRow) -> None:
    """The carrier gave the number to another waybill: nothing of that one is mixed into ours."""
    tx = taking.tx
    after = store.changed(
        tx, row, problem=RENUMBERED, problem_text=None, polled_at=tx.now, next_poll_at=tx.now + DAY, misses=0,
        phase=Phase.SILENT, fingerprint="",
    )  # fmt: skip
    taking.written[row.id] = (row, after)
    if row.problem != RENUMBERED:
        taking.ask(after, questions.RENUMBERED)


def _look_at_age(taking: _Taking, row: ShipmentRow) -> None:
    """A waybill that was made long before it was attached is a typing error, or a number used again."""
    if row.relation == OUTBOUND and row.made_at is not None and row.created_at - row.made_at > SUSPICIOUS_AGE:
        taking.ask(row, questions.TOO_OLD)


def _unknown_code(tx: Tx, row: ShipmentRow, seen: Seen) -> None:
    """A code that stands in no table: counted, and told to the administrators the first time."""
    if not store.note_unknown_code(tx, row.plugin, seen.raw_code, seen.raw_text):
        return
    log.warning("unknown_code", plugin=row.plugin, code=seen.raw_code)
    line = codes.table_line(seen.raw_code, seen.raw_text, tx.now)
    for staff_id in store.administrators(tx.conn):
        put_code_notice(tx, staff_id, row.plugin, seen.raw_code, line)


def _written(
    taking: _Taking, row: ShipmentRow, state: State, status: Status, *, news: bool, fingerprint: str | None
) -> ShipmentRow:
    """The row as it is now. `fingerprint`: None where its carrier told of its money alone, not where it is."""
    tx = taking.tx
    asked = fingerprint is not None
    facts = state.facts
    money = state.money
    if status is Status.RETURNED and money in {MoneyStatus.EXPECTED, MoneyStatus.UNKNOWN}:
        money = MoneyStatus.NOT_COLLECTED
    changed_at = tx.now if news else row.changed_at
    watched = Watched(
        status, money, row.created_at, changed_at, state.happened_at or changed_at,
        patience=patience_of(row.number),
    )  # fmt: skip
    phase = phase_of(watched, tx.now)
    problem, words = _problem_of(state)
    written = store.changed(
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
        made_at=row.made_at if row.made_at is not None else facts.get("made_at"),
        final=is_final(status, money, watched.ended_at, tx.now),
        phase=phase,
        next_poll_at=taking.next_poll(watched, phase),
        polled_at=tx.now if asked else row.polled_at,
        changed_at=changed_at,
        misses=0 if asked else row.misses,
        fingerprint=row.fingerprint if fingerprint is None else fingerprint[:FINGERPRINT],
        problem=problem,
        problem_text=words,
    )
    taking.written[row.id] = (row, written)
    _ask_where_given_up(taking, row, written)
    return written


def _problem_of(state: State) -> tuple[str | None, str | None]:
    if state.corrected:
        return "correction", "the carrier took a status back"
    return ("unknown_code", None) if state.unlisted else (None, None)


def _ask_where_given_up(taking: _Taking, before: ShipmentRow, now: ShipmentRow) -> None:
    """Polling ends by itself here, and nothing is settled: from now on a person has to look."""
    if now.relation != OUTBOUND or now.problem == Problem.BAD_NUMBER:
        return
    if now.phase == Phase.GIVEN_UP != before.phase:
        taking.ask(now, questions.SILENT)
    elif now.final and not before.final and now.money_status not in MONEY_SETTLED:
        taking.ask(now, questions.NO_MONEY)
    if now.status == Status.CANCELLED != before.status:
        taking.ask(now, questions.DELETED)


def _not_observed(taking: _Taking, row: ShipmentRow, problem: NotTracked) -> None:
    """Not found is no state: what is known stays, the parcel is asked for again."""
    tx = taking.tx
    bad = problem.problem is Problem.BAD_NUMBER
    answered = problem.problem in {Problem.NOT_FOUND, Problem.BAD_NUMBER}
    misses = row.misses + 1
    watched = Watched(
        Status(row.status),
        MoneyStatus(row.money_status),
        row.created_at,
        row.changed_at,
        row.happened_at,
        bad,
        patience_of(row.number),
    )
    phase = phase_of(watched, tx.now)
    retry_at = tx.now + retry_after(misses, random.random(), taking.pace.speed)  # noqa: S311 - jitter
    written = store.changed(
        tx,
        row,
        misses=misses,
        polled_at=tx.now if answered else row.polled_at,
        next_poll_at=taking.next_poll(watched, phase) if answered else retry_at,
        phase=phase,
        problem=_kind_of(row, problem.problem, tx.now),
        problem_text=text.one_line(problem.message, text.SUBJECT) or None,
    )
    taking.written[row.id] = (row, written)
    _ask_where_given_up(taking, row, written)
    if row.relation == OUTBOUND and written.problem != row.problem:
        if bad:
            taking.ask(written, questions.BAD_NUMBER)
        elif written.problem == NEVER_FOUND and phase is not Phase.GIVEN_UP:
            taking.ask(written, questions.NEVER_FOUND)


def _kind_of(row: ShipmentRow, problem: Problem, now: Instant) -> str:
    """A young number is often not known yet; one that is not known for days is mistyped, or never handed over."""
    unseen = problem is Problem.NOT_FOUND and row.changed_at is None
    return (
        NEVER_FOUND if unseen and now - row.created_at >= NOT_FOUND_FOR * patience_of(row.number) else problem
    )


def _keep_document(taking: _Taking, row: ShipmentRow, document: bytes, digest: str | None) -> None:
    if digest is not None and taking.written[row.id][1].problem != RENUMBERED:
        kept = RawDocumentRow(taking.tx.new_id(), row.id, digest, document[:65_536], taking.tx.now)
        taking.documents[row.id, digest] = kept


def put_off(tx: Tx, rows: Sequence[ShipmentRow], reason: str, pace: Pace) -> None:
    """A call failed for a passing reason: its parcels are asked for again, each with its back-off.

    A short one: where all calls fail the account waits (`budget.stumble`), not each parcel for itself.
    """
    pairs = []
    for row in store.lock(tx, [r.id for r in rows]).values():
        wait = retry_after(row.misses, random.random(), pace.speed, LONGEST_PUT_OFF)  # noqa: S311 - jitter
        at = tx.now + wait
        after = store.changed(tx, row, misses=row.misses + 1, next_poll_at=at, problem_text=reason[:200])
        pairs.append((row, after))
    store.save_all(tx, pairs)


def release(tx: Tx, rows: Sequence[ShipmentRow], due_at: Instant, suspects: Collection[int]) -> None:
    """Parcels that were claimed but not asked for: due again at `due_at`; `suspects`, and only they, are marked."""
    pairs = []
    for row in store.lock(tx, [r.id for r in rows]).values():
        problem = None if row.problem == REFUSED_TOGETHER else row.problem
        problem = REFUSED_TOGETHER if row.id in suspects else problem
        pairs.append((row, store.changed(tx, row, next_poll_at=due_at, problem=problem)))
    store.save_all(tx, pairs)


# --- further legs, and the order ---------------------------------------------------------------------------


def _follow(tx: Tx, rows: Sequence[ShipmentRow], announce: Announce) -> None:
    """New related numbers become parcels of their own; parents see their legs; orders follow."""
    for row in rows:
        _add_related(tx, row)
    parents = {row.parent_id for row in rows if row.parent_id is not None}
    for parent in store.many(tx.conn, parents):
        _see_legs(tx, parent, announce)
    order_ids = sorted({row.order_id for row in rows if row.order_id is not None})
    parcels = store.of_orders(tx.conn, order_ids)
    for order_id in order_ids:
        _order_follows(tx, order_id, [p for p in parcels[order_id] if p.relation == OUTBOUND])


def _see_legs(tx: Tx, parent: ShipmentRow, announce: Announce) -> None:
    legs = [
        (RelationKind(c.relation), Status(c.status))
        for c in store.children(tx.conn, [parent.id])
        if c.relation in LEGS
    ]
    own = merge(store.observations(tx.conn, [parent.id])[parent.id], cod=parent.cod)
    status = with_children(own.status, legs)
    if status == parent.status:
        return
    nobody_pays = status is Status.RETURNED and parent.money_status in {"expected", "unknown"}
    money = MoneyStatus.NOT_COLLECTED if nobody_pays else MoneyStatus(parent.money_status)
    final = status in FINAL and money in MONEY_SETTLED
    after = store.changed(
        tx, parent, status=status, money_status=money, final=final, changed_at=tx.now,
        next_poll_at=None if final else parent.next_poll_at,
    )  # fmt: skip
    telling.tell(tx, [(parent, after)])
    store.save_all(tx, [(parent, announced(tx, after, announce))])


def _add_related(tx: Tx, row: ShipmentRow) -> None:
    """Return, redirect and money waybills are followed by themselves."""
    for related in related_of(orjson.loads(row.facts)):
        if related.number == row.number or store.with_number(tx.conn, related.number, row.account):
            continue
        child = new_row(
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


def _order_follows(tx: Tx, order_id: int, parcels: Sequence[ShipmentRow]) -> None:
    orders.follow_parcels(tx, TRACKING, order_id, [(p.number, p.status, p.money_status) for p in parcels])
    for parcel in parcels:
        if parcel.problem == "correction" and parcel.changed_at == tx.now:
            ask_seller(tx, parcel, questions.CORRECTED)
