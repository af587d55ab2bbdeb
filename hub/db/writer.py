"""The one writer of a process: a thread with a queue, and the group commit.

Decides what shares a transaction. Everything that waits while the last commit runs goes into the next
one (no waiting window: every window measured made it slower), at most MAX_BATCH items. A batch is
written optimistically, without savepoints:

    data error         halved, each half from a fresh read, until the failing item stands alone
    conflict           the whole batch again, RETRIES times with jitter; then halved; alone: see below
    nothing available  no halving: what waited longer than PATIENCE_S gets Unavailable, new items at once

One item alone that the database refuses is handed to `BatchHandler.store_failed`. Other work
(`write`) runs as transactions of their own between the batches. All waiters of a batch are woken by one
call into their event loop.
"""

from __future__ import annotations

import asyncio
import queue
import random
import threading
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog
from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection

from hub.db.engine import sqlite_file
from hub.db.errors import Fault, classify, describe
from hub.db.locks import lock_first
from hub.db.turn import Turn
from hub.db.tx import TURNS, OutOfTurn, Tx
from hub.kernel.clock import Clock
from hub.kernel.errors import HubError, Unavailable
from hub.kernel.ids import IdSource
from hub.kernel.recent import RecentMax

log = structlog.get_logger("hub.db.writer")

MAX_BATCH = 200
RETRIES = 3
MAX_QUEUED_ITEMS = 5_000
MAX_QUEUED_BYTES = 64 * 1024 * 1024
PATIENCE_S = 5.0
SIZES = (1, 2, 5, 10, 20, 50, 100, 200)


class BatchHandler(Protocol):
    """What a kind of batched item knows. Each function may run several times for the same items."""

    def commit(self, tx: Tx, items: Sequence[Any]) -> Sequence[Any]:
        """Decide and write all items; one result an item."""
        ...

    def store_failed(self, tx: Tx, item: Any, fault: Fault, reason: str) -> Any:
        """The item cannot be written as it is: keep what came in, with the reason; return its result."""
        ...

    def find(self, conn: Connection, items: Sequence[Any]) -> Sequence[Any | None]:
        """After a COMMIT whose answer was lost: the result of each item that is stored, else None.

        That COMMIT may still be under way: take the locks of `commit` first, they wait for its end.
        """
        ...


@dataclass(slots=True)
class Batched:
    """One item on its way into a group commit."""

    handler: BatchHandler
    item: Any
    size: int
    waiter: Waiter
    queued_at: float = field(default_factory=time.monotonic)


@dataclass(slots=True)
class Single:
    """One transaction of its own."""

    run: Callable[[Tx], Any]
    waiter: Waiter
    size: int = 0
    queued_at: float = field(default_factory=time.monotonic)


class Waiter(Protocol):
    """Who waits for a result; `loop` is None for a plain thread."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None: ...

    def settle(self, result: Any, error: BaseException | None) -> None: ...


class LoopWaiter:
    """An asyncio future and its loop."""

    __slots__ = ("future", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any]) -> None:
        self.loop: asyncio.AbstractEventLoop | None = loop
        self.future = future

    def settle(self, result: Any, error: BaseException | None) -> None:
        if self.future.done():  # the caller went away; the work is done all the same
            return
        if error is None:
            self.future.set_result(result)
        else:
            self.future.set_exception(error)


class ThreadWaiter:
    """A future that a plain thread waits for."""

    __slots__ = ("future", "loop")

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.future: Future[Any] = Future()

    def settle(self, result: Any, error: BaseException | None) -> None:
        if error is None:
            self.future.set_result(result)
        else:
            self.future.set_exception(error)


Work = Batched | Single
Settled = tuple[Waiter, Any, BaseException | None]


def _at_once(commit: Callable[[], object]) -> object:
    return commit()


class CommitLost(Exception):
    """The connection went while COMMIT was under way: written or not, nobody knows yet."""


class Writer:
    """Starts with `start`, ends with `stop` (which finishes the queue)."""

    def __init__(self, engine: Engine, ids: IdSource, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self.ids = ids
        self._queue: queue.SimpleQueue[list[Work] | None] = queue.SimpleQueue()
        self._left: deque[Work] = deque()
        self._ending = False
        self._bound = threading.Lock()
        self._items = 0
        self._bytes = 0
        self._connection: Connection | None = None
        file = sqlite_file(engine.url)
        self._turn = Turn(file) if file is not None else None
        self._thread: threading.Thread | None = None
        self._down: str | None = None
        self._watching = False
        self._stopping = False
        self.committing: Callable[[Callable[[], object]], object] = _at_once  # who waits for the disk
        self.on_commit: set[Callable[[], None]] = set()  # called in any thread: be quick, raise nothing
        self.batches = 0
        self.batched = 0
        self.sizes = [0] * (len(SIZES) + 1)
        self.longest_wait_s = 0.0
        self._waits = RecentMax()

    # --- from any thread ---------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="hub-writer", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 15.0) -> None:
        """Refuse new work, finish what is queued, close the connection."""
        self._stopping = True
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join(timeout_s)

    @property
    def down(self) -> str | None:
        """Why nothing can be stored right now; None while all is well."""
        return self._down

    @property
    def queued(self) -> int:
        """Items that wait."""
        return self._items

    @property
    def recent_wait_s(self) -> float:
        """The longest time that something waited for the writer, in this minute and the one before."""
        return self._waits.read(time.monotonic())

    def put(self, works: Sequence[Work]) -> None:
        """Queue work; what has no room is settled with Unavailable at once."""
        refused = self._admit(works)
        if refused:
            settle([(work.waiter, None, error) for work, error in refused])

    def _admit(self, works: Sequence[Work]) -> list[tuple[Work, Unavailable]]:
        """Queue what there is room for, in one piece; returns the rest with the reason."""
        if self._down is not None:
            return [(w, Unavailable("the database is not available", retry_after_s=5)) for w in works]
        if self._stopping:
            return [(w, Unavailable("the hub is stopping", retry_after_s=5)) for w in works]
        admitted: list[Work] = []
        refused: list[tuple[Work, Unavailable]] = []
        with self._bound:
            for work in works:
                if self._items >= MAX_QUEUED_ITEMS or self._bytes + work.size > MAX_QUEUED_BYTES:
                    refused.append((work, Unavailable("the hub is overloaded", retry_after_s=2)))
                    continue
                self._items += 1
                self._bytes += work.size
                admitted.append(work)
        if admitted:
            self._queue.put(admitted)
        return refused

    def commit_here(self, works: Sequence[Batched]) -> None:
        """Group commits in this thread: for a process without an event loop, which never calls `start`."""
        if self._down is not None:
            gone = Unavailable("the database is not available", retry_after_s=5)
            settle([(work.waiter, None, gone) for work in works])
            return
        for at in range(0, len(works), MAX_BATCH):
            settle(self._commit(list(works[at : at + MAX_BATCH])))

    # --- the writer's thread -------------------------------------------------------------------------

    def _run(self) -> None:
        running = True
        while running:
            works, running = self._take()
            batched = [w for w in works if isinstance(w, Batched)]
            for handler in {id(w.handler): w.handler for w in batched}.values():
                self._group([w for w in batched if w.handler is handler])
            for work in works:
                if isinstance(work, Single):
                    self._settled([work], self._alone(work))
        self._close()

    def _take(self) -> tuple[list[Work], bool]:
        """What waits, at most MAX_BATCH; blocks while there is nothing. False: the last of all."""
        if not self._left:
            self._receive(self._queue.get())
        while len(self._left) < MAX_BATCH:
            try:
                self._receive(self._queue.get_nowait())
            except queue.Empty:
                break
        works = [self._left.popleft() for _ in range(min(MAX_BATCH, len(self._left)))]
        if works:
            self._note_wait(time.monotonic(), works[0].queued_at)
        return works, not (self._ending and not self._left and self._queue.empty())

    def _note_wait(self, now: float, since: float) -> None:
        waited = now - since
        self.longest_wait_s = max(self.longest_wait_s, waited)
        self._waits.note(waited, now)

    def _receive(self, works: list[Work] | None) -> None:
        if works is None:
            self._ending = True
        else:
            self._left.extend(works)

    def _settled(self, works: Sequence[Work], results: Sequence[Settled]) -> None:
        with self._bound:
            self._items -= len(works)
            self._bytes -= sum(w.size for w in works)
        settle(results)

    def _alone(self, work: Single) -> list[Settled]:
        while True:
            try:
                return [(work.waiter, self._with_retries(work.run), None)]
            except HubError as error:
                return [(work.waiter, None, error)]
            except CommitLost as error:
                self._went_down(error)
                self._start_watch()
                return [(work.waiter, None, Unavailable("the database went away: it may or may not be done"))]
            except BaseException as error:  # noqa: BLE001 - its caller's matter; this thread must outlive it
                if classify(error) is not Fault.UNAVAILABLE:
                    return [(work.waiter, None, error)]
                if not self._wait_for_database(error, work.queued_at):
                    return [(work.waiter, None, Unavailable("the database is not available"))]

    def _group(self, works: list[Batched]) -> None:
        self.batches += 1
        self.batched += len(works)
        self.sizes[bisect_left(SIZES, len(works))] += 1
        self._settled(works, self._commit(works))

    def _commit(self, works: list[Batched]) -> list[Settled]:
        """Write a batch, or its halves; every work gets exactly one result."""
        handler = works[0].handler
        items = [w.item for w in works]
        while True:
            try:
                results = self._with_retries(lambda tx: handler.commit(tx, items))
                return [(w.waiter, r, None) for w, r in zip(works, results, strict=True)]
            except CommitLost as error:
                known = self._find_lost(handler, works, error)
                if known is not None:
                    return known
            except Exception as error:
                fault = classify(error)
                if fault is Fault.UNAVAILABLE:
                    if self._wait_for_database(error, works[0].queued_at):
                        continue
                    return [(w.waiter, None, Unavailable("the database is not available")) for w in works]
                if fault is Fault.BUG:
                    log.error(
                        "batch_raised", error=describe(error), items=len(works), exc_info=len(works) == 1
                    )
                if len(works) == 1:
                    return [self._fail(works[0], fault, describe(error))]
                middle = len(works) // 2
                return self._commit(works[:middle]) + self._commit(works[middle:])

    def _fail(self, work: Batched, fault: Fault, reason: str) -> Settled:
        """One item that cannot be written: keep it raw. If even that fails the caller may try again."""
        try:
            result = self._with_retries(lambda tx: work.handler.store_failed(tx, work.item, fault, reason))
        except Exception as error:  # noqa: BLE001 - a boundary, see below
            log.error("item_not_stored", error=describe(error), reason=reason)
            return (work.waiter, None, Unavailable("this item cannot be stored right now"))
        log.warning("item_stored_as_failed", reason=reason)
        return (work.waiter, result, None)

    def _find_lost(
        self, handler: BatchHandler, works: list[Batched], error: CommitLost
    ) -> list[Settled] | None:
        """None: nothing of it is stored, write it again. The batch is one transaction: all or nothing."""
        if not self._wait_for_database(error, time.monotonic()):
            return [(w.waiter, None, Unavailable("the database went away")) for w in works]
        try:
            connection = self._connected()
            if connection.dialect.name == "postgresql":
                # `find` waits for the lost transaction to end, but not for ever: its backend may hang.
                connection.execute(text("SET LOCAL lock_timeout = '4s'"))
            found = handler.find(connection, [w.item for w in works])
            connection.rollback()
        except Exception as again:  # noqa: BLE001 - a boundary, see below
            self._drop()
            log.error("lost_commit_not_settled", error=describe(again))
            return [(w.waiter, None, Unavailable("the database went away")) for w in works]
        if all(f is None for f in found):
            return None
        return [
            (w.waiter, f, None if f is not None else Unavailable("the database went away"))
            for w, f in zip(works, found, strict=True)
        ]

    def _with_retries(self, run: Callable[[Tx], Any]) -> Any:
        first: Mapping[str, Collection[int]] = {}
        attempt = 0
        while True:
            try:
                return self._transaction(run, first)
            except (HubError, CommitLost):
                raise
            except OutOfTurn as late:  # no failed try: each time it knows more
                first = {kind: {*first.get(kind, ()), *late.first.get(kind, ())} for kind in TURNS}
            except Exception as error:
                if classify(error) is not Fault.CONFLICT or attempt == RETRIES:
                    raise
                attempt += 1
                time.sleep(random.uniform(0.002, 0.02) * attempt)  # noqa: S311 - jitter, no secret

    def _transaction(self, run: Callable[[Tx], Any], first: Mapping[str, Collection[int]]) -> Any:
        """One transaction on the driver's own connection: SQLAlchemy's begin and commit cost 0.6 ms each."""
        connection = self._connected()
        driver: Any = connection.connection.driver_connection
        try:
            if self._turn is not None:
                with self._turn:
                    driver.execute("BEGIN IMMEDIATE")
            tx = Tx(connection, self.ids, self._clock.now())
            if first:
                lock_first(tx, first)
            result = run(tx)
            self._driver_commit(connection, driver, tx.ending)
        except BaseException as error:
            if isinstance(error, CommitLost) or classify(error) is Fault.UNAVAILABLE:
                self._drop()
            else:
                driver.rollback()
                connection.rollback()
            raise
        if connection.in_transaction():  # where Core ran statements it believes to be in one still
            connection.rollback()
        if not tx.quiet:
            self.ring()
        return result

    def ring(self) -> None:
        """Something was committed, here or by the scribe: whoever watches looks again. From any thread."""
        for watcher in tuple(self.on_commit):
            watcher()

    def _driver_commit(
        self, connection: Connection, driver: Any, ending: Sequence[Callable[[], object]]
    ) -> None:
        def finish() -> None:
            with driver.pipeline():
                for write in ending:
                    write()
                driver.execute("COMMIT")

        try:
            self.committing(finish if ending else driver.commit)
        except Exception as error:
            if classify(error) is Fault.UNAVAILABLE and connection.dialect.name != "sqlite":
                raise CommitLost(describe(error)) from error
            raise

    # --- the connection ------------------------------------------------------------------------------

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            # The connection is broken already; what closing it says is of no use to anybody.
            with suppress(Exception):
                connection.invalidate()
            with suppress(Exception):
                connection.close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._turn is not None:
            self._turn.close()

    def _went_down(self, error: BaseException) -> None:
        if self._down is None:
            log.error("database_unavailable", error=describe(error))
        self._down = describe(error)

    def _wait_for_database(self, error: BaseException, since: float) -> bool:
        """True once the database can be written again; False when patience for this work is over."""
        self._went_down(error)
        while time.monotonic() - since < PATIENCE_S:
            time.sleep(0.25)
            if self.probe():
                return True
        self._start_watch()
        return False

    def _start_watch(self) -> None:
        with self._bound:
            if self._watching:
                return
            self._watching = True
        threading.Thread(target=self._watch, name="hub-writer-watch", daemon=True).start()

    def _watch(self) -> None:
        """Look for the database until it is back, so that new work is accepted again."""
        while True:
            time.sleep(0.5)
            with self._bound:
                if self._down is None or self._stopping:
                    self._watching = False
                    return
            self.probe()

    def probe(self) -> bool:
        """Can a transaction be written? A read would not notice a full disk."""
        try:
            with self._engine.connect() as connection, connection.begin():
                connection.execute(text("DELETE FROM lease WHERE name = ''"))
                connection.execute(
                    text("INSERT INTO lease (name, owner, until_at, token) VALUES ('', '', 0, 0)")
                )
                connection.execute(text("DELETE FROM lease WHERE name = ''"))
        except Exception as error:  # noqa: BLE001 - a boundary, see below
            self._down = describe(error)
            return False
        if self._down is not None:
            log.info("database_back")
        self._down = None
        return True


def settle(results: Sequence[Settled]) -> None:
    """Hand results to their waiters: one call into each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Settled]] = {}
    for entry in results:
        loop = entry[0].loop
        if loop is None:
            entry[0].settle(entry[1], entry[2])
        else:
            by_loop.setdefault(loop, []).append(entry)
    for loop, entries in by_loop.items():
        # A closed loop has nobody left who waits.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle_here, entries)


def _settle_here(entries: Sequence[Settled]) -> None:
    for waiter, result, error in entries:
        waiter.settle(result, error)
