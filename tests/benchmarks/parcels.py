"""Tracked parcels, and the database under a million of them.

    whole way   ask, parse, merge, write in batches of 100 through the real poller and plugin, against a bare loop
                of httpx and json over the same answers of the same server
    database    picking the 1,000 due of many shipments, and writing 1,000 results with events in one transaction,
                against plain SQL written by hand for the purpose

Everything is measured in turn, round by round; ratios of medians, with the quartiles of the rounds' ratios. The
whole way is told as processor time of the asking process, its writer's thread included: the carrier answers from
another process, and time spent waiting for a busy machine says nothing of either side. What `write_back` measures
are the statements of the store, as plain SQL by hand has nothing to decide; `take_in` is the whole use case.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from hub.accounts import store as accounts
from hub.accounts.host import AccountHost
from hub.db import schema
from hub.db.database import Database
from hub.db.engine import open_engine, parse_url
from hub.db.rows import ObservationRow, RawDocumentRow
from hub.db.tables import observation, raw_document, shipment
from hub.db.tx import Tx
from hub.kernel.clock import HOUR, MINUTE, Instant, ManualClock
from hub.kernel.ids import IdSource
from hub.sdk.tracking import Facts, MoneyStatus, Observation, Status, Tracked
from hub.shipments import store, taking
from hub.shipments.poller import Poller
from hub.shipments.service import Pace, Results
from hub.shipments.store import ShipmentRow
from plugins.nova_poshta.plugin import PLUGIN
from plugins.nova_poshta.settings import NovaPoshtaSettings
from tests.benchmarks import answers
from tests.postgres_cluster import running_cluster

BATCH = 100
START = Instant(answers.NOW_MS)
WHOLE_WAY = (2.0, 3.0)
DATABASE = (1.3, 2.0)


# --- the whole way -----------------------------------------------------------------------------------------


def whole_way(batches: int = 20, rounds: int = 7) -> dict[str, Any]:
    """`news`: every parcel says something new each time; `usual`: one in ten does."""
    return {
        "batches_of_100": batches,
        "usual": _whole_way(batches, rounds, every=10),
        "news": _whole_way(batches, rounds, every=1),
        "goal": WHOLE_WAY[0],
        "must": WHOLE_WAY[1],
    }


def _whole_way(batches: int, rounds: int, *, every: int) -> dict[str, Any]:
    numbers = answers.numbers(batches * BATCH)
    with carrier() as base_url, folder() as path:
        db = opened(f"sqlite:///{path}/hub.db", ManualClock(START))
        try:
            db.write_now(
                lambda tx: accounts.sync(tx, [accounts.Configured("np", "carrier", "nova_poshta", None)])
            )
            db.write_now(lambda tx: tx.insert({shipment: [_parcel(tx, n) for n in numbers]}))
            spent = asyncio.run(_in_turn(db, base_url, numbers, rounds + 1, every))
        finally:
            db.close()
    return ratio(spent[1:])  # the first round fills caches and makes the first observations


async def _in_turn(
    db: Database, base_url: str, numbers: Sequence[str], rounds: int, every: int
) -> list[tuple[float, float]]:
    """Processor seconds of each round, ours and bare. Both keep their client open, as whoever polls does."""
    host = AccountHost("np", db.clock)
    settings = NovaPoshtaSettings(base_url=base_url, calls_per_minute=600)
    poller = Poller(db, {"np": PLUGIN.create("np", settings, host)}, Pace(ZoneInfo("Europe/Kyiv")))
    spent: list[tuple[float, float]] = []
    assert isinstance(db.clock, ManualClock)
    async with httpx.AsyncClient(trust_env=False) as client:
        for n in range(rounds):
            told = {"count": len(numbers), "round": n, "every": every}
            await client.post(f"{base_url}prepare", json=told, timeout=60)
            spent.append((await _ours(poller, len(numbers)), await _bare(client, base_url, numbers)))
            db.clock.move(3 * HOUR)
    await host.http.close()
    return spent


async def _ours(poller: Poller, expected: int) -> float:
    begun = time.process_time()
    asked = await poller.run_due()
    spent = time.process_time() - begun
    assert asked >= expected, asked
    return spent


async def _bare(client: httpx.AsyncClient, base_url: str, numbers: Sequence[str]) -> float:
    """What a script does: ask, read the JSON, take the status of each."""
    begun = time.process_time()
    for n in range(0, len(numbers), BATCH):
        documents = [{"DocumentNumber": number, "Phone": ""} for number in numbers[n : n + BATCH]]
        call = {"modelName": "TrackingDocument", "calledMethod": "getStatusDocuments",
                "methodProperties": {"Documents": documents}}  # fmt: skip
        reply = await client.post(base_url, json=call)
        found = {one["Number"]: one["StatusCode"] for one in json.loads(reply.content)["data"]}
        assert len(found) == BATCH
    return time.process_time() - begun


@contextmanager
def carrier() -> Iterator[str]:
    """`parcel_server` in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.parcel_server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{server.stdout.readline().strip()}/"
        finally:
            server.stdin.close()


# --- the database ------------------------------------------------------------------------------------------


def database(kind: str = "sqlite", shipments: int = 1_000_000, rounds: int = 7) -> dict[str, Any]:
    """Picking 1,000 due of many, and writing them back with an event each."""
    with folder() as path:
        if kind == "sqlite":
            return _database(f"sqlite:///{path}/hub.db", shipments, rounds)
        with running_cluster() as cluster:
            return _database(cluster.url(cluster.create_database()), shipments, rounds)


def _database(url: str, shipments: int, rounds: int) -> dict[str, Any]:
    clock = ManualClock(START)
    db = opened(url, clock)
    try:
        filled(db, shipments)
        picked: list[tuple[float, float]] = []
        wrote: list[tuple[float, float]] = []
        whole: list[tuple[float, float]] = []
        for n in range(rounds + 1):
            clock.move(MINUTE)
            one = pick(db, store_pick), pick(db, hand_pick)
            hand = write_back(db, 3 * n, hand_write)
            picked.append(one)
            wrote.append((write_back(db, 3 * n + 1, store_write), hand))
            whole.append((write_back(db, 3 * n + 2, take_in), hand))
    finally:
        db.close()
    return {
        "shipments": shipments, "pick": ratio(picked[1:]), "write_back": ratio(wrote[1:]), "take_in": ratio(whole[1:]),
        "goal": DATABASE[0], "must": DATABASE[1],
    }  # fmt: skip


def filled(db: Database, shipments: int) -> None:
    """Shipments of one account, due a second apart; the first thousands are due now."""
    for first in range(0, shipments, 20_000):
        count = min(20_000, shipments - first)

        def add(tx: Tx, first: int = first, count: int = count) -> None:
            rows = [
                _parcel(tx, f"2045{n:010d}")._replace(next_poll_at=START - DUE_NOW + n)
                for n in range(first, first + count)
            ]
            tx.insert({shipment: rows})

        db.write_now(add)
    if not db.is_sqlite:
        db.write_now(lambda tx: tx.conn.exec_driver_sql("ANALYZE shipment"))


DUE_NOW = 500_000
CLAIMED = 1_000


def pick(db: Database, how: Any) -> float:
    """One claim of 1,000, rolled into the next minute so that every round finds as many."""
    begun = time.perf_counter()
    rows = db.write_now(how)
    spent = time.perf_counter() - begun
    assert len(rows) == CLAIMED, len(rows)
    return spent


def store_pick(tx: Tx) -> Sequence[Any]:
    return store.claim_due(tx, "np", CLAIMED, tx.now + 3 * MINUTE)


def hand_pick(tx: Tx) -> Sequence[Any]:
    """The same by a statement as one would write it by hand."""
    mark, skip = ("?", "") if tx.conn.dialect.name == "sqlite" else ("%s", " FOR UPDATE SKIP LOCKED")
    driver: Any = tx.conn.connection.driver_connection
    found: Sequence[Any] = driver.execute(
        f"UPDATE shipment SET next_poll_at = {mark} WHERE id IN (SELECT id FROM shipment WHERE account = {mark}"
        f" AND next_poll_at <= {mark} ORDER BY next_poll_at LIMIT {mark}{skip}) RETURNING id, number, phone",
        (tx.now + 3 * MINUTE, "np", tx.now, CLAIMED),
    ).fetchall()
    return found


def write_back(db: Database, n: int, how: Any) -> float:
    """1,000 results with one event each, in one transaction."""
    offset = n * CLAIMED
    rows = db.read_now(lambda c: _some(c, offset))
    at = START + n * MINUTE
    begun = time.perf_counter()
    db.write_now(lambda tx: how(tx, rows, at))
    return time.perf_counter() - begun


def _some(conn: Any, offset: int) -> list[ShipmentRow]:
    numbers = [f"2045{n:010d}" for n in range(offset, offset + CLAIMED)]
    return store.newest_with_numbers(conn, numbers, "np")


def _told(number: str, at: int) -> Tracked:
    moment = answers.moment_of(at)
    seen = Observation(
        status=Status.IN_TRANSIT, raw_code="5", raw_text="Відправлення прямує до м. Львів", clock=moment,
        happened_at=moment, facts=Facts(city_to="Львів", money=MoneyStatus.NONE, estimated_at=moment),
    )  # fmt: skip
    return Tracked(number=number, observations=(seen,), document=number.encode() + str(at).encode())


def take_in(tx: Tx, rows: Sequence[ShipmentRow], at: int) -> None:
    """The whole use case: read, merge, decide, write."""
    results = Results({row.id: _told(row.number, at) for row in rows})
    taking.take_in(tx, rows, results, Pace(ZoneInfo("Europe/Kyiv")))


FACTS = '{"city_to":"Львів","estimated_at":1,"money":"none"}'
WORDS = "Відправлення прямує до м. Львів"


def store_write(tx: Tx, rows: Sequence[ShipmentRow], at: int) -> None:
    """What the use case writes, through the store."""
    pairs = [
        (row, store.changed(
            tx, row, status="in_transit", raw_code="5", raw_text=WORDS, clock_at=at, happened_at=at, facts=FACTS,
            phase="moving", next_poll_at=tx.now + 900_000, polled_at=tx.now, changed_at=tx.now,
        ))
        for row in rows
    ]  # fmt: skip
    store.save_all(tx, pairs)
    observed = [
        ObservationRow(tx.new_id(), row.id, f"{row.id}-{at}", f"{row.id}-{at}", "in_transit", "5", WORDS, at, at, "",
                       FACTS, tx.now)
        for row in rows
    ]  # fmt: skip
    documents = [RawDocumentRow(tx.new_id(), row.id, f"{row.id}-{at}", b"x" * 20, tx.now) for row in rows]
    tx.insert({observation: observed, raw_document: documents})


def hand_write(tx: Tx, rows: Sequence[ShipmentRow], at: int) -> None:
    """The same rows, with nothing decided: one UPDATE each and one INSERT an event and a document."""
    driver: Any = tx.conn.connection.driver_connection
    sqlite = tx.conn.dialect.name == "sqlite"
    mark = "?" if sqlite else "%s"
    updates = [
        ("in_transit", "5", WORDS, at, at, FACTS, "moving", tx.now + 900_000, tx.now,
         tx.now, tx.now, row.id)
        for row in rows
    ]  # fmt: skip
    seen = [
        (tx.new_id(), row.id, f"{row.id}-{at}", f"{row.id}-{at}", "in_transit", "5",
         WORDS, at, at, "", FACTS, tx.now)
        for row in rows
    ]  # fmt: skip
    documents = [(tx.new_id(), row.id, f"{row.id}-{at}", b"x" * 20, tx.now) for row in rows]
    cursor = driver.cursor()
    names = ("status", "raw_code", "raw_text", "clock_at", "happened_at", "facts", "phase", "next_poll_at",
             "polled_at", "changed_at", "updated_at")  # fmt: skip
    cursor.executemany(
        f"UPDATE shipment SET {', '.join(f'{n} = {mark}' for n in names)}, version = version + 1 WHERE id = {mark}",
        updates,
    )
    cursor.executemany(f"INSERT INTO observation VALUES ({', '.join([mark] * 12)})", seen)
    cursor.executemany(f"INSERT INTO raw_document VALUES ({', '.join([mark] * 5)})", documents)


# --- what both need ----------------------------------------------------------------------------------------


def opened(url: str, clock: ManualClock) -> Database:
    """A database with the hub's schema."""
    parsed = parse_url(url, Path("/"))
    engine = open_engine(parsed, writes=True, pool_size=1)
    try:
        schema.ensure(engine, migrate=True)
    finally:
        engine.dispose()
    return Database(parsed, IdSource(0, clock.now), clock)


@contextmanager
def folder() -> Iterator[str]:
    """A folder that is gone afterwards."""
    path = tempfile.mkdtemp(prefix="hub-bench-")
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _parcel(tx: Tx, number: str) -> ShipmentRow:
    return ShipmentRow(
        id=tx.new_id(), number=number, account="np", plugin="nova_poshta", order_id=None, parent_id=None,
        relation="outbound", phone=None, status="unknown", raw_code=None, raw_text=None, clock_at=None,
        happened_at=None, place=None, money_status="none", cod=False, currency="UAH", cod_expected_minor=None,
        cod_collected_minor=None, cod_paid_out_minor=None, facts="{}", estimated_at=None, paid_storage_at=None,
        final=False, phase="created", next_poll_at=tx.now, polled_at=None, changed_at=None, misses=0,
        problem=None, problem_text=None, created_at=tx.now, updated_at=tx.now, actor="benchmark",
        correlation_id=1, version=1,
    )  # fmt: skip


def ratio(spent: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Medians in milliseconds, their ratio, and the quartiles of each round's own."""
    ratios = sorted(ours / bare for ours, bare in spent)
    ours, bare = (statistics.median(side) * 1e3 for side in zip(*spent, strict=True))
    quarter = len(ratios) // 4
    return {
        "ms": round(ours, 2), "bare_ms": round(bare, 2), "ratio": round(ours / bare, 2),
        "quartiles": [round(ratios[quarter], 2), round(ratios[-1 - quarter], 2)],
    }  # fmt: skip
