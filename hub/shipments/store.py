"""SQL of shipments, observations, raw documents and call budgets."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection

from hub.db.lookup import Lookup
from hub.db.rows import ObservationRow
from hub.db.tables import call_budget, observation, raw_document, shipment, unknown_code
from hub.db.tx import Tx
from hub.kernel.errors import NotFound
from hub.sdk.tracking import Status
from hub.shipments.model import Seen


class ShipmentRow(NamedTuple):
    """The columns of `shipment`, in order."""

    id: int
    number: str
    account: str
    plugin: str
    order_id: int | None
    parent_id: int | None
    relation: str
    phone: str | None
    status: str
    raw_code: str | None
    raw_text: str | None
    clock_at: int | None
    happened_at: int | None
    place: str | None
    money_status: str
    cod: bool
    currency: str
    cod_expected_minor: int | None
    cod_collected_minor: int | None
    cod_paid_out_minor: int | None
    facts: str
    estimated_at: int | None
    paid_storage_at: int | None
    final: bool
    phase: str
    next_poll_at: int | None
    polled_at: int | None
    changed_at: int | None
    misses: int
    problem: str | None
    problem_text: str | None
    created_at: int
    updated_at: int
    actor: str
    correlation_id: int
    version: int
    announced: str = ""
    announced_money: str = ""
    made_at: int | None = None


def get(conn: Connection, shipment_id: int) -> ShipmentRow:
    """One shipment. Raises NotFound."""
    row = conn.execute(select(shipment).where(shipment.c.id == shipment_id)).one_or_none()
    if row is None:
        raise NotFound(f"no shipment {shipment_id}")
    return ShipmentRow._make(row)


def many(conn: Connection, ids: Collection[int]) -> list[ShipmentRow]:
    """Several, ascending by id."""
    query = select(shipment).where(shipment.c.id.in_(ids)).order_by(shipment.c.id)
    return [ShipmentRow._make(row) for row in conn.execute(query)]


def of_order(conn: Connection, order_id: int) -> list[ShipmentRow]:
    """All parcels of an order, further legs too, oldest first."""
    query = select(shipment).where(shipment.c.order_id == order_id).order_by(shipment.c.id)
    return [ShipmentRow._make(row) for row in conn.execute(query)]


def children(conn: Connection, parent_ids: Collection[int]) -> list[ShipmentRow]:
    """Further legs of these parcels."""
    if not parent_ids:
        return []
    query = select(shipment).where(shipment.c.parent_id.in_(parent_ids)).order_by(shipment.c.id)
    return [ShipmentRow._make(row) for row in conn.execute(query)]


def with_number(conn: Connection, number: str, account: str) -> list[ShipmentRow]:
    """Where else this number stands."""
    query = select(shipment).where(shipment.c.number == number, shipment.c.account == account)
    return [ShipmentRow._make(row) for row in conn.execute(query)]


def add(tx: Tx, row: ShipmentRow) -> None:
    """A new shipment."""
    tx.execute(insert(shipment).values(**row._asdict()))


def save(tx: Tx, row: ShipmentRow, **values: Any) -> ShipmentRow:
    """Write what differs; the version rises only if something else than the poll's times did."""
    changed = row._replace(**values)
    written = {name: value for name, value in changed._asdict().items() if value != getattr(row, name)}
    if written.keys() - {"next_poll_at", "polled_at", "misses", "phase"}:
        changed = changed._replace(updated_at=tx.now, version=row.version + 1)
        written |= {"updated_at": tx.now, "version": changed.version}
    if written:
        tx.execute(update(shipment).where(shipment.c.id == row.id).values(**written))
    return changed


_DUE = (
    select(shipment.c.id)
    .where(shipment.c.next_poll_at.is_not(None))
    .order_by(shipment.c.next_poll_at, shipment.c.id)
)


def claim_due(
    tx: Tx, accounts: Sequence[str], limit: int, hold_until: int, only: int | None = None
) -> list[ShipmentRow]:
    """Take due parcels of these accounts; nobody else takes them until `hold_until`."""
    query = _DUE.where(shipment.c.account.in_(accounts)).limit(limit).with_for_update(skip_locked=True)
    query = (
        query.where(shipment.c.next_poll_at <= tx.now) if only is None else query.where(shipment.c.id == only)
    )
    ids = [row.id for row in tx.execute(query)]
    if ids:
        tx.execute(update(shipment).where(shipment.c.id.in_(ids)).values(next_poll_at=hold_until))
    return many(tx.conn, ids)


_SEEN = Lookup(
    tuple(observation.c[name] for name in ("shipment_id", "identity", "event", "status", "raw_code", "raw_text",
          "clock_at", "happened_at", "place", "facts", "first_seen_at")),
    observation.c.shipment_id,
)  # fmt: skip


def observations(conn: Connection, shipment_ids: Collection[int]) -> dict[int, list[Seen]]:
    """Everything observed of these shipments."""
    found: dict[int, list[Seen]] = {i: [] for i in shipment_ids}
    for shipment_id, identity, event, status, *rest in _SEEN.run(conn, shipment_ids):
        raw_code, raw_text, clock_at, happened_at, place, facts, first_seen_at = rest
        found[shipment_id].append(
            Seen(
                identity,
                event,
                Status(status),
                raw_code,
                raw_text,
                clock_at,
                happened_at,
                place,
                orjson.loads(facts),
                first_seen_at,
            )
        )
    return found


def observation_row(identifier: int, shipment_id: int, seen: Seen, facts: str) -> ObservationRow:
    """The row of an observation."""
    return ObservationRow(
        identifier, shipment_id, seen.identity, seen.event, seen.status, seen.raw_code, seen.raw_text,
        seen.clock_at, seen.happened_at, seen.place, facts, seen.first_seen_at,
    )  # fmt: skip


_DIGESTS = Lookup((raw_document.c.shipment_id, raw_document.c.digest), raw_document.c.digest)


def known_documents(conn: Connection, digests: Collection[str]) -> set[tuple[int, str]]:
    """(shipment, digest) of documents that are kept already."""
    return {(row[0], row[1]) for row in _DIGESTS.run(conn, digests)}


def note_unknown_code(tx: Tx, plugin: str, code: str, example: str) -> bool:
    """Count a code that no table lists; True the first time."""
    met = tx.changed(
        update(unknown_code)
        .where(unknown_code.c.code == code, unknown_code.c.plugin == plugin)
        .values(count=unknown_code.c.count + 1)
    )
    if met:
        return False
    tx.execute(
        insert(unknown_code).values(code=code, plugin=plugin, example=example, count=1, first_seen_at=tx.now)
    )
    return True


# --- budgets -----------------------------------------------------------------------------------------------


def take_calls(tx: Tx, account: str, wanted: int, per_minute: int) -> int:
    """How many calls the account may make now; they are counted at once, for all processes together."""
    minute = tx.now // 60_000 * 60_000
    row = tx.execute(
        select(call_budget).where(call_budget.c.account == account).with_for_update()
    ).one_or_none()
    if row is None:
        granted = min(wanted, per_minute)
        tx.execute(insert(call_budget).values(account=account, window_at=minute, used=granted))
        return granted
    if row.paused_until_at is not None and row.paused_until_at > tx.now:
        return 0
    used = row.used if row.window_at == minute else 0
    granted = max(0, min(wanted, per_minute - used))
    tx.execute(
        update(call_budget)
        .where(call_budget.c.account == account)
        .values(window_at=minute, used=used + granted, paused_until_at=None)
    )
    return granted


def slowdowns(conn: Connection, account: str) -> int:
    """How often in a row the carrier has asked this account to slow down."""
    query = select(call_budget.c.slowdowns).where(call_budget.c.account == account)
    return conn.execute(query).scalar_one_or_none() or 0


def pause(tx: Tx, account: str, until_at: int, reason: str) -> None:
    """Leave an account alone for a while."""
    tx.execute(
        update(call_budget)
        .where(call_budget.c.account == account)
        .values(paused_until_at=until_at, slowdowns=call_budget.c.slowdowns + 1, reason=reason)
    )


def recovered(tx: Tx, account: str) -> None:
    """A call went through: one step back on the way of slowing down."""
    tx.execute(
        update(call_budget)
        .where(call_budget.c.account == account, call_budget.c.slowdowns > 0)
        .values(slowdowns=call_budget.c.slowdowns - 1, reason=None)
    )
