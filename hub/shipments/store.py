"""SQL of shipments, observations, raw documents and call budgets."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import orjson
from sqlalchemy import bindparam, func, insert, select, text, update
from sqlalchemy.engine import Connection

from hub.db.bulk import bulk_update
from hub.db.lookup import Lookup
from hub.db.prepared import Prepared
from hub.db.rows import ObservationRow
from hub.db.tables import (
    call_budget,
    observation,
    raw_document,
    shipment,
    staff,
    staff_role,
    unknown_code,
)
from hub.db.tx import Tx
from hub.kernel.errors import NotFound
from hub.sdk.tracking import Status
from hub.shipments.budget import Budget
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
    fingerprint: str = ""


def get(conn: Connection, shipment_id: int) -> ShipmentRow:
    """One shipment. Raises NotFound."""
    row = conn.execute(select(shipment).where(shipment.c.id == shipment_id)).one_or_none()
    if row is None:
        raise NotFound(f"no shipment {shipment_id}")
    return ShipmentRow._make(row)


_ROWS = Lookup(tuple(shipment.c), shipment.c.id)
_LOCKED = Lookup(tuple(shipment.c), shipment.c.id, locks=True)
_OF_ORDERS = Lookup(tuple(shipment.c), shipment.c.order_id)
_CHILDREN = Lookup(tuple(shipment.c), shipment.c.parent_id)


def many(conn: Connection, ids: Collection[int]) -> list[ShipmentRow]:
    """Several, ascending by id."""
    return _sorted(_ROWS.run(conn, ids))


def lock(tx: Tx, ids: Collection[int]) -> dict[int, ShipmentRow]:
    """Several by id, locked until the transaction ends: what is decided on now is decided on once.

    After their orders (`hub.db.locks.lock_orders`).
    """
    tx.locked("shipment", ids)
    return {row.id: row for row in _sorted(_LOCKED.run(tx.conn, ids))}


def _sorted(rows: Sequence[Any]) -> list[ShipmentRow]:
    return sorted(map(ShipmentRow._make, rows), key=lambda row: row.id)


def of_order(conn: Connection, order_id: int) -> list[ShipmentRow]:
    """All parcels of an order, further legs too, oldest first."""
    query = select(shipment).where(shipment.c.order_id == order_id).order_by(shipment.c.id)
    return [ShipmentRow._make(row) for row in conn.execute(query)]


def of_orders(conn: Connection, order_ids: Collection[int]) -> dict[int, list[ShipmentRow]]:
    """All parcels of several orders, oldest first."""
    found: dict[int, list[ShipmentRow]] = {i: [] for i in order_ids}
    for row in _sorted(_OF_ORDERS.run(conn, order_ids)):
        assert row.order_id is not None
        found[row.order_id].append(row)
    return found


def children(conn: Connection, parent_ids: Collection[int]) -> list[ShipmentRow]:
    """Further legs of these parcels."""
    return _sorted(_CHILDREN.run(conn, parent_ids))


def with_number(conn: Connection, number: str, account: str) -> list[ShipmentRow]:
    """Where else this number stands."""
    query = select(shipment).where(shipment.c.number == number, shipment.c.account == account)
    return [ShipmentRow._make(row) for row in conn.execute(query)]


_OF_NUMBERS = Lookup(tuple(shipment.c), shipment.c.number)


def newest_with_numbers(conn: Connection, numbers: Collection[str], account: str) -> list[ShipmentRow]:
    """Of each number the parcel of this account that was added last: numbers are given out again."""
    rows = _sorted([row for row in _OF_NUMBERS.run(conn, numbers) if row[2] == account])
    return list({row.number: row for row in rows}.values())


def add(tx: Tx, row: ShipmentRow) -> None:
    """A new shipment."""
    tx.execute(insert(shipment).values(**row._asdict()))


_OF_THE_POLL = ("phase", "next_poll_at", "polled_at", "misses", "fingerprint")
_FIXED = frozenset({"id", "number", "account", "plugin", "created_at", "actor", "correlation_id"})
_CHANGING = tuple(name for name in ShipmentRow._fields if name not in _FIXED)
_NEWS = itemgetter(*(ShipmentRow._fields.index(n) for n in _CHANGING if n not in _OF_THE_POLL))


def changed(tx: Tx, row: ShipmentRow, **values: Any) -> ShipmentRow:
    """The row as it will be; the version rises only if something else than the poll's times differs."""
    after = row._replace(**values)
    if _NEWS(after) != _NEWS(row):
        after = after._replace(updated_at=tx.now, version=row.version + 1)
    return after


def save(tx: Tx, row: ShipmentRow, **values: Any) -> ShipmentRow:
    """Write one row where it differs."""
    after = changed(tx, row, **values)
    save_all(tx, [(row, after)])
    return after


def save_all(tx: Tx, pairs: Sequence[tuple[ShipmentRow, ShipmentRow]]) -> None:
    """Write rows (as they were, as they are now) that differ, in two statements at most."""
    _write(tx, [(was, after) for was, after in pairs if after.version != was.version])
    _write(tx, [(was, after) for was, after in pairs if after.version == was.version and after != was])


def _write(tx: Tx, pairs: Sequence[tuple[ShipmentRow, ShipmentRow]]) -> None:
    """Only the columns that differ in any of the rows: each further one may cost an index entry a row."""
    names = tuple(
        name
        for at, name in enumerate(ShipmentRow._fields)
        if name not in _FIXED and any(was[at] != after[at] for was, after in pairs)
    )
    pick = itemgetter(*map(ShipmentRow._fields.index, (*names, "id")))
    bulk_update(tx.conn, shipment, names, [pick(after) for _, after in pairs])


_NAMES = ", ".join(ShipmentRow._fields)


def _claim_text(mark: str, skip: str) -> str:
    return (
        f"UPDATE shipment SET next_poll_at = {mark} WHERE id IN (SELECT id FROM shipment "  # noqa: S608 - our names
        f"WHERE account = {mark} AND next_poll_at <= {mark} ORDER BY next_poll_at LIMIT {mark}{skip}) "
        f"RETURNING {_NAMES}"
    )


_CLAIM_SQLITE, _CLAIM_POSTGRESQL = _claim_text("?", ""), _claim_text("%s", " FOR UPDATE SKIP LOCKED")


def claim_due(
    tx: Tx, account: str, limit: int, hold_until: int, until: int | None = None
) -> list[ShipmentRow]:
    """Take due parcels of an account, oldest first; nobody else takes them before `hold_until`.

    until  taken too, where fewer than `limit` are due: those that fall due before this moment
    """
    driver: Any = tx.conn.connection.driver_connection
    values = (hold_until, account, tx.now if until is None else until, limit)
    if tx.conn.dialect.name == "sqlite":
        rows = driver.execute(_CLAIM_SQLITE, values).fetchall()
    else:
        rows = driver.execute(_CLAIM_POSTGRESQL, values, prepare=True).fetchall()
    return [ShipmentRow._make(row) for row in rows]


_SOONEST = Prepared(
    select(func.min(shipment.c.next_poll_at)).where(
        shipment.c.account == bindparam("name"), shipment.c.next_poll_at.is_not(None)
    )
)


def accounts_with_due(conn: Connection, names: Collection[str], until: int) -> list[str]:
    """Which of these accounts have a parcel that is due."""
    soonest = {name: _SOONEST.run(conn, name=name).fetchone()[0] for name in names}
    return [name for name, at in soonest.items() if at is not None and at <= until]


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


def set_status(tx: Tx, shipment_id: int, seen: Seen) -> None:
    """An observation whose code stands in the plugin's table by now."""
    tx.execute(
        update(observation)
        .where(observation.c.shipment_id == shipment_id, observation.c.identity == seen.identity)
        .values(status=seen.status)
    )


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


def administrators(conn: Connection) -> list[int]:
    """Who looks after the hub."""
    query = (
        select(staff.c.id)
        .join(staff_role, staff_role.c.staff_id == staff.c.id)
        .where(staff.c.state == "active", staff_role.c.role == "admin")
    )
    return [row.id for row in conn.execute(query.order_by(staff.c.id))]


# --- budgets -----------------------------------------------------------------------------------------------

_MAKE_BUDGET = text(
    "INSERT INTO call_budget (account, window_at, used, slowdowns, recent, flights, pace)"
    " VALUES (:account, 0, 0, 0, '[]', '[]', 1000) ON CONFLICT (account) DO NOTHING"
)


_BUDGET = Prepared(select(call_budget).where(call_budget.c.account == bindparam("name")))
_LOCKED_BUDGET = Prepared(
    select(call_budget).where(call_budget.c.account == bindparam("name")).with_for_update()
)
_WRITTEN = (
    "window_at", "used", "recent", "flights", "pace", "paced_at", "paused_until_at", "slowdowns", "reason",
)  # fmt: skip
_WRITE_BUDGET = Prepared(
    update(call_budget)
    .where(call_budget.c.account == bindparam("name"))
    .values({column: bindparam(f"new_{column}") for column in _WRITTEN})
)


def lock_budget(tx: Tx, account: str) -> Budget:
    """Where an account stands, locked until the transaction ends."""
    row = _LOCKED_BUDGET.run(tx.conn, name=account).fetchone()
    if row is None:
        tx.execute(_MAKE_BUDGET, {"account": account})
        row = _LOCKED_BUDGET.run(tx.conn, name=account).fetchone()
    return _budget(row)


def budget_of(conn: Connection, account: str) -> Budget:
    """Where an account stands, for reading."""
    row = _BUDGET.run(conn, name=account).fetchone()
    return Budget() if row is None else _budget(row)


def _budget(row: Any) -> Budget:
    _, day_at, used, paused_until_at, slowdowns, _, recent, flights, pace, paced_at = row
    return Budget(
        day_at, used, _pairs(recent), _pairs(flights), pace, paced_at or 0, paused_until_at, slowdowns
    )


def _pairs(stored: str) -> tuple[tuple[int, int], ...]:
    return tuple((int(a), int(b)) for a, b in orjson.loads(stored))


def write_budget(tx: Tx, account: str, budget: Budget, reason: str | None = None) -> None:
    """Write what was decided under the lock."""
    _WRITE_BUDGET.run(
        tx.conn,
        name=account,
        new_window_at=budget.day_at,
        new_used=budget.used_today,
        new_recent=orjson.dumps(budget.recent).decode(),
        new_flights=orjson.dumps(budget.flights).decode(),
        new_pace=budget.pace,
        new_paced_at=budget.paced_at,
        new_paused_until_at=budget.paused_until_at,
        new_slowdowns=budget.slowdowns,
        new_reason=reason,
    )
