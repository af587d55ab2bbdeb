"""The one door to the database: `read`, `write`, and the writer's queue.

Synchronous SQLAlchemy off the event loop: reads in a small pool of threads, writes in the writer's
thread. Commands use the same door without a loop (`read_now`, `write_now`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

from sqlalchemy.engine import URL, Connection

from hub.db.engine import READERS, open_engine
from hub.db.errors import Fault, classify
from hub.db.tx import Tx
from hub.db.writer import Batched, BatchHandler, LoopWaiter, Single, ThreadWaiter, Writer
from hub.kernel.clock import Clock
from hub.kernel.errors import Unavailable
from hub.kernel.ids import IdSource

T = TypeVar("T")


class Database:
    """Engines, readers and the writer of one process."""

    def __init__(self, url: URL, ids: IdSource, clock: Clock) -> None:
        self.url = url
        self.clock = clock
        self._readers = open_engine(url, writes=False)
        self._writes = open_engine(url, writes=True, pool_size=3)
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="hub-reader")
        self.writer = Writer(self._writes, ids, clock)
        self.writer.start()

    @property
    def is_sqlite(self) -> bool:
        """One file, one process."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def ids(self) -> IdSource:
        """The source of ids; replaced when the node's lease is taken anew."""
        return self.writer.ids

    @ids.setter
    def ids(self, source: IdSource) -> None:
        self.writer.ids = source

    async def read(self, run: Callable[[Connection], T]) -> T:
        """Run a reading function in a reader's thread, in one snapshot on SQLite. Raises Unavailable."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self.read_now, run)

    def read_now(self, run: Callable[[Connection], T]) -> T:
        """As `read`, in this thread."""
        try:
            with self._readers.connect() as connection:
                return run(connection)
        except Exception as error:
            if classify(error) is Fault.UNAVAILABLE:
                raise Unavailable("the database is not available") from error
            raise

    async def write(self, run: Callable[[Tx], T]) -> T:
        """Run one transaction in the writer's thread; `run` may be repeated after a conflict."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self.writer.put([Single(run, LoopWaiter(loop, future))])
        return cast("T", await future)

    def write_now(self, run: Callable[[Tx], T]) -> T:
        """As `write`, waiting in this thread; never call it in the event loop's."""
        waiter = ThreadWaiter()
        self.writer.put([Single(run, waiter)])
        return cast("T", waiter.future.result())

    async def commit(self, handler: BatchHandler, item: object, size: int) -> Any:
        """Put one item into the next group commit and wait for its result."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self.writer.put([Batched(handler, item, size, LoopWaiter(loop, future))])
        return await future

    def commit_all(self, works: Sequence[Batched]) -> None:
        """Queue prepared items; their waiters are woken after the commit."""
        self.writer.put(works)

    def close(self) -> None:
        """Finish the queue, then close every connection."""
        self.writer.stop()
        self._pool.shutdown(wait=True)
        self._readers.dispose()
        self._writes.dispose()
