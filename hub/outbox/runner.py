"""Delivers what waits in the outbox: claim in bulk, call the sink, write the outcome.

Order holds within an order key: of each key only a run without gaps is claimed, and a waiting retry
holds back its own key only. The notices of one key that are claimed together become one call.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol, runtime_checkable

import orjson
import structlog
from sqlalchemy import and_, bindparam, exists, or_, select, tuple_, update
from sqlalchemy.engine import Connection

from hub.db.database import Database
from hub.db.lookup import any_of
from hub.db.prepared import Prepared
from hub.db.rows import OutboxRow
from hub.db.tables import outbox
from hub.db.tx import Tx
from hub.kernel.clock import SECOND, Instant
from hub.kernel.errors import Unavailable
from hub.outbox.model import (
    GATHERED,
    LEASE,
    MAX_ATTEMPTS,
    OutboxState,
    next_try,
    repeats_after_crash,
)
from hub.sdk.messages import Later, Refused, SendResult, Sent, Uncertain

log = structlog.get_logger("hub.outbox")

AT_ONCE = 500
CALLS_AT_ONCE = 16
SETTLE_S = LEASE / SECOND - 20
"""So long it is tried to write down how calls ended: no longer than the lease, of which the calls took a part."""
SETTLE_PAUSE_S = 0.5


class Sink(Protocol):
    """Where a lane leads to. `rows` share one order key, oldest first; one call for all of them."""

    async def send(self, rows: Sequence[OutboxRow]) -> SendResult: ...


@runtime_checkable
class Settling(Sink, Protocol):
    """A sink that writes down how an effect ended, in the transaction that settles its row.

    `state` is where the row stands now; READY (tried again later) is not told.
    """

    def settled(self, tx: Tx, row: OutboxRow, state: OutboxState, result: SendResult) -> None: ...


@runtime_checkable
class SettlingGroup(Sink, Protocol):
    """The same for all rows of one call at once."""

    def settled_group(
        self, tx: Tx, rows: Sequence[OutboxRow], state: OutboxState, result: SendResult
    ) -> None: ...


OnDead = Callable[[Tx, Sequence[OutboxRow]], None]
"""Told of what was given up, in the transaction that gives it up."""


class OutboxRunner:
    """The embedded runner of one process."""

    def __init__(
        self, db: Database, sinks: Mapping[str, Sink], owner: str, on_dead: OnDead | None = None
    ) -> None:
        self._db = db
        self._sinks = sinks
        self._owner = owner
        self._on_dead = on_dead

    @property
    def lanes(self) -> Sequence[str]:
        """Each is drained by itself, so that a slow one holds back no other."""
        return tuple(self._sinks)

    async def drain(self, lane: str | None = None) -> int:
        """Deliver what is due now; returns how many rows were settled. What falls due meanwhile waits a tick."""
        settled = 0
        # A look costs a reader; claiming takes the writer's turn, also where nothing is due.
        if lane is not None and not await self._db.read(
            lambda conn: is_due(conn, lane, self._db.clock.now())
        ):
            return settled
        while True:
            rows = await self._db.write(lambda tx: claim(tx, self._owner, self._sinks, lane))
            if rows:
                await self._round(rows)
            settled += len(rows)
            if len(rows) < AT_ONCE:
                return settled

    async def _round(self, rows: Sequence[OutboxRow]) -> None:
        sent: list[tuple[Sequence[OutboxRow], SendResult]] = []
        held: list[OutboxRow] = []
        places = asyncio.Semaphore(CALLS_AT_ONCE)

        async def one_key(groups: Sequence[Sequence[OutboxRow]]) -> None:
            for number, group in enumerate(groups):
                async with places:
                    result = await self._deliver(group)
                sent.append((group, result))
                if isinstance(result, Later):
                    held.extend(row for later in groups[number + 1 :] for row in later)
                    return

        keys: dict[tuple[str, str], list[Sequence[OutboxRow]]] = {}
        for group in by_key(rows):
            keys.setdefault((group[0].lane, group[0].order_key), []).append(group)
        await asyncio.gather(*(one_key(groups) for groups in keys.values()))

        await self._write_down(sent, held)

    async def _write_down(
        self, sent: Sequence[tuple[Sequence[OutboxRow], SendResult]], held: Sequence[OutboxRow]
    ) -> None:
        """How the calls ended is known here alone: where it cannot be written (disk full, database away) it is tried
        again while the lease lasts, or a reply that arrived would count as uncertain. An answer that was lost may have
        been written all the same: from the second try on only what is still ours is touched.
        """

        def write(tx: Tx) -> None:
            settle_all(tx, sent, self._sinks, self._on_dead)
            put_back(tx, held)

        def write_again(tx: Tx) -> None:
            ours = self._still_ours(tx, [row for rows, _ in sent for row in rows] + list(held))
            mine = [(rows, result) for rows, result in sent if all(row.id in ours for row in rows)]
            settle_all(tx, mine, self._sinks, self._on_dead)
            put_back(tx, [row for row in held if row.id in ours])

        until, step = time.monotonic() + SETTLE_S, write
        while True:
            try:
                await self._db.write(step)
                return
            except Unavailable:
                if time.monotonic() > until:
                    raise
            step = write_again
            await asyncio.sleep(SETTLE_PAUSE_S)

    def _still_ours(self, tx: Tx, rows: Sequence[OutboxRow]) -> set[int]:
        """Those that are in this very call: not settled, not claimed anew."""
        found = tx.execute(
            select(outbox.c.id, outbox.c.attempts).where(
                any_of(tx.conn, outbox.c.id, [row.id for row in rows]),
                outbox.c.state == OutboxState.SENDING,
                outbox.c.lease_owner == self._owner,
            )
        )
        present = {one.id: one.attempts for one in found}
        return {row.id for row in rows if present.get(row.id) == row.attempts + 1}

    async def _deliver(self, group: Sequence[OutboxRow]) -> SendResult:
        sink = self._sinks.get(group[0].lane)
        with structlog.contextvars.bound_contextvars(correlation_ids=correlations(group)):
            try:
                result = await sink.send(group) if sink is not None else Refused("no such lane")
            except Exception as error:  # noqa: BLE001 - a boundary, see below
                # The boundary of one effect: a sink's bug must not stop the others.
                log.error("sink_raised", lane=group[0].lane, error=type(error).__name__)
                return Later()
        return Later() if isinstance(result, Uncertain) and repeats_after_crash(group[0].lane) else result


NO_SINKS: Mapping[str, Sink] = MappingProxyType({})


_DUE = Prepared(
    select(exists().where(outbox.c.next_try_at <= bindparam("now"), outbox.c.lane == bindparam("lane")))
)


def is_due(conn: Connection, lane: str, now: Instant) -> bool:
    """Whether there may be something to claim."""
    return bool(_DUE.run(conn, now=now, lane=lane).fetchone()[0])


def claim(
    tx: Tx, owner: str, sinks: Mapping[str, Sink] = NO_SINKS, lane: str | None = None
) -> list[OutboxRow]:
    """Take what is due and commit it as `sending`; what a dead process left is settled by its lane."""
    busy = select(outbox.c.lane, outbox.c.order_key).where(
        outbox.c.next_try_at.is_not(None),
        or_(and_(outbox.c.next_try_at > tx.now, outbox.c.attempts > 0), outbox.c.lease_until_at >= tx.now),
    )
    due = (
        select(outbox)
        .where(outbox.c.next_try_at <= tx.now)
        .where(tuple_(outbox.c.lane, outbox.c.order_key).not_in(busy))
        .where(or_(outbox.c.lease_until_at.is_(None), outbox.c.lease_until_at < tx.now))
        .order_by(outbox.c.next_try_at, outbox.c.id)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    if lane is not None:
        due = due.where(outbox.c.lane == lane)
    rows = [OutboxRow._make(row) for row in tx.execute(due)]
    lost = [r for r in rows if r.state == OutboxState.SENDING and not repeats_after_crash(r.lane)]
    if lost:
        tx.execute(
            update(outbox)
            .where(any_of(tx.conn, outbox.c.id, [r.id for r in lost]))
            .values(state=OutboxState.UNCERTAIN, next_try_at=None, lease_until_at=None)
        )
        _tell(tx, sinks, lost, OutboxState.UNCERTAIN, Uncertain("the hub stopped during the call"))
    taken = [r for r in rows if r not in lost]
    tx.quiet = not lost  # what was only claimed looks to people as before
    if taken:
        tx.execute(
            update(outbox)
            .where(any_of(tx.conn, outbox.c.id, [r.id for r in taken]))
            .values(
                state=OutboxState.SENDING,
                lease_owner=owner,
                lease_until_at=tx.now + LEASE,
                attempts=outbox.c.attempts + 1,
            )
        )
    return taken


def by_key(rows: Sequence[OutboxRow]) -> list[list[OutboxRow]]:
    """Rows grouped by order key, oldest first; replies one by one, notices of a key together."""
    groups: dict[tuple[str, str, int], list[OutboxRow]] = {}
    for row in sorted(rows, key=lambda r: r.id):
        single = 0 if row.lane in GATHERED else row.id
        groups.setdefault((row.lane, row.order_key, single), []).append(row)
    return list(groups.values())


def put_back(tx: Tx, rows: Sequence[OutboxRow]) -> None:
    """Claimed and not tried, because one before them in their key has to wait."""
    if rows:
        tx.execute(
            update(outbox)
            .where(any_of(tx.conn, outbox.c.id, [row.id for row in rows]))
            .values(
                state=OutboxState.READY,
                attempts=outbox.c.attempts - 1,
                lease_until_at=None,
                lease_owner=None,
            )
        )


def _tell(
    tx: Tx, sinks: Mapping[str, Sink], rows: Sequence[OutboxRow], state: OutboxState, result: SendResult
) -> None:
    for row in rows:
        sink = sinks.get(row.lane)
        if isinstance(sink, SettlingGroup):
            sink.settled_group(tx, rows, state, result)  # all of one lane: they were one call
            return
        if isinstance(sink, Settling):
            sink.settled(tx, row, state, result)


def settle_all(
    tx: Tx,
    sent: Sequence[tuple[Sequence[OutboxRow], SendResult]],
    sinks: Mapping[str, Sink] = NO_SINKS,
    on_dead: OnDead | None = None,
) -> None:
    """Write how all calls of a round ended: what left without an id of its own in one statement."""
    plain = [
        row for rows, result in sent if isinstance(result, Sent) and not result.provider_id for row in rows
    ]
    if plain:
        settle(tx, plain, Sent())
    for rows, result in sent:
        state = OutboxState.DONE
        if not (isinstance(result, Sent) and not result.provider_id):
            state = settle(tx, rows, result)
        if state is not OutboxState.READY:
            _tell(tx, sinks, rows, state, result)
        if state is OutboxState.DEAD and on_dead is not None:
            on_dead(tx, rows)


def settle(tx: Tx, rows: Sequence[OutboxRow], result: SendResult) -> OutboxState:
    """Write how a call ended; the state that the rows have now."""
    ids = [row.id for row in rows]
    statement = update(outbox).where(any_of(tx.conn, outbox.c.id, ids))
    free = {"lease_until_at": None, "lease_owner": None}
    if isinstance(result, Sent):
        values = {"state": OutboxState.DONE, "done_at": tx.now, "next_try_at": None, **free}
        tx.execute(statement.values(**values, provider_id=result.provider_id[:200] or None))
        return OutboxState.DONE
    attempts = max(row.attempts for row in rows) + 1
    if isinstance(result, Later) and attempts < MAX_ATTEMPTS:
        at = next_try(result, attempts, tx.now, random.random())  # noqa: S311 - jitter, no secret
        tx.execute(statement.values(state=OutboxState.READY, next_try_at=at, **free))
        return OutboxState.READY
    lost = "tried too often" if isinstance(result, Later) else "the connection went during the call"
    reason = result.reason if isinstance(result, Refused) else lost
    state = OutboxState.DEAD if isinstance(result, (Refused, Later)) else OutboxState.UNCERTAIN
    log.warning(
        "effect_not_sent", state=str(state), ids=ids, reason=reason, correlation_ids=correlations(rows)
    )
    tx.execute(statement.values(state=state, next_try_at=None, last_error=reason[:500], **free))
    return state


def correlations(rows: Sequence[OutboxRow]) -> list[str]:
    """What these effects come from: the same ids stand in the rows of their deliveries, requests and tasks."""
    return [str(one) for one in dict.fromkeys(row.correlation_id for row in rows)]


def payload(row: OutboxRow) -> dict[str, str]:
    """What an effect is about."""
    found: dict[str, str] = orjson.loads(row.payload)
    return found
