"""A write transaction, as use cases see it: statements, bulk rows, ids, and one moment for all of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from sqlalchemy import Executable
from sqlalchemy.engine import Connection, CursorResult, Result

from hub.db.bulk import Rows, bulk_insert
from hub.kernel.clock import Instant
from hub.kernel.ids import IdSource

TURNS = ("team", "order", "shipment")
"""Of the one lock order (docs/architecture.md), the kinds that a use case may learn about too late."""


class OutOfTurn(Exception):
    """A transaction needs a lock that comes before one that it has: it runs again with all of these taken first."""

    def __init__(self, first: Mapping[str, Collection[int]]) -> None:
        super().__init__(", ".join(first))
        self.first = first


class Tx:
    """One transaction of the writer.

    `now` is the same moment for everything in it. A function that gets a Tx may run several times (a
    conflict repeats the whole transaction), so it must not change anything outside of it. One that wrote
    nothing that anybody waits for sets `quiet`: then no open page and no other process is woken by it.
    """

    __slots__ = ("_held", "_ids", "conn", "correlation_id", "ending", "now", "quiet")

    def __init__(self, conn: Connection, ids: IdSource, now: Instant) -> None:
        self.conn = conn
        self.now = now
        self.quiet = False
        self.ending: list[Callable[[], object]] = []
        self._ids = ids
        self._held: dict[str, set[int]] = {}
        self.correlation_id = ids.next()

    def in_turn(self, kind: str, ids: Collection[int]) -> None:
        """Raise OutOfTurn where something is locked already that comes after these: a later kind, a higher id.

        An SQLite file has one writer at a time: there nobody waits for anybody.
        """
        if not self._held:
            return
        held = self._held.get(kind, set())
        missing = set(ids) - held
        if not missing or self.conn.dialect.name == "sqlite":
            return
        later = any(one in self._held for one in TURNS[TURNS.index(kind) + 1 :])
        if later or (held and min(missing) < max(held)):
            raise OutOfTurn({**self._held, kind: held | missing})

    @property
    def held(self) -> Mapping[str, Collection[int]]:
        """What was locked, by kind."""
        return self._held

    def has_locked(self, kind: str, one: int) -> bool:
        """Was it locked already?"""
        return one in self._held.get(kind, ())

    def locked(self, kind: str, ids: Collection[int]) -> None:
        """These are locked until the end."""
        if ids:
            self._held.setdefault(kind, set()).update(ids)

    def new_id(self) -> int:
        """A fresh id."""
        return self._ids.next()

    def new_ids(self, count: int) -> list[int]:
        """Fresh ids, ascending."""
        return self._ids.take(count)

    def execute(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> Result[Any]:
        """Run one Core statement."""
        return self.conn.execute(statement, parameters)

    def changed(self, statement: Executable) -> int:
        """Run an UPDATE or DELETE and say how many rows it met: claim with a condition, then look here."""
        result = self.conn.execute(statement)
        assert isinstance(result, CursorResult)
        return result.rowcount

    def pipelined(self) -> AbstractContextManager[object]:
        """Statements of a block go to PostgreSQL in one round trip: those of `Prepared`, `Lookup.ask`, `insert`.

        Not those of `execute`, which wants to see each result at once. What one of them raises comes at the
        end of the block; results are fetched after it, as each fetch within is a round trip of its own.
        """
        if self.conn.dialect.name == "sqlite":
            return nullcontext()
        driver: Any = self.conn.connection.driver_connection
        return driver.pipeline()  # type: ignore[no-any-return]

    def with_commit(self, write: Callable[[], object]) -> None:
        """Write last of all: to PostgreSQL in one round trip with the COMMIT, which raises what it raises.

        `write` is run in whatever thread commits, and must not use `execute`. On SQLite it is run at once.
        """
        if self.conn.dialect.name == "sqlite":
            write()
        else:
            self.ending.append(write)

    def insert(self, rows: Rows) -> None:
        """Insert many rows given as tuples in column order (`hub.db.rows`)."""
        bulk_insert(self.conn, rows)
