"""Look-ups of many keys at once, with a text compiled once: the hot path's reads.

SQLAlchemy's expanding IN renders a new statement for each number of keys; here the keys are one
parameter (`json_each` on SQLite, an array on PostgreSQL), so the statement stays prepared.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import orjson
from sqlalchemy import ARRAY, BigInteger, Column, ColumnElement, any_, literal, text
from sqlalchemy.engine import Connection


class Lookup:
    """SELECT `columns` WHERE `key` is one of the given values [AND `only`], from one table.

    locks  the rows stay locked until the transaction ends, taken ascending by key (on SQLite the writer is alone)
    """

    def __init__(
        self, columns: Sequence[Column[Any]], key: Column[Any], only: str = "", *, locks: bool = False
    ) -> None:
        names = ", ".join(f'"{c.name}"' for c in columns)
        table = key.table.name
        tail = f" AND {only}" if only else ""
        kind = "bigint[]" if isinstance(key.type, BigInteger) else "text[]"
        head = f'SELECT {names} FROM "{table}" WHERE "{key.name}"'  # noqa: S608 - names of our own tables
        self._sqlite = f"{head} IN (SELECT value FROM json_each(?)){tail}"  # noqa: S608
        lock = f' ORDER BY "{key.name}" FOR UPDATE' if locks else ""
        self._postgresql = f"{head} = ANY(%s::{kind}){tail}{lock}"

    def run(self, connection: Connection, keys: Collection[Any]) -> Sequence[Any]:
        """Rows for the keys that exist, in no order."""
        return rows_of(self.ask(connection, keys))

    def ask(self, connection: Connection, keys: Collection[Any]) -> Any:
        """The same as a cursor, for `rows_of`: in a block of `Tx.pipelined` after its end. None without keys."""
        if not keys:
            return None
        driver: Any = connection.connection.driver_connection
        if connection.dialect.name == "sqlite":
            return driver.execute(self._sqlite, (orjson.dumps(list(keys)).decode(),))
        return driver.execute(self._postgresql, (list(keys),), prepare=True)


def rows_of(asked: Any) -> Sequence[Any]:
    """What `Lookup.ask` has found."""
    return () if asked is None else asked.fetchall()


def any_of(connection: Connection, column: Column[Any], ids: Collection[int]) -> ColumnElement[bool]:
    """`column` is one of many ids, as one parameter: the statement's text does not depend on their number."""
    if connection.dialect.name == "sqlite":
        values = text("SELECT value FROM json_each(:any_of_ids)").bindparams(
            any_of_ids=orjson.dumps(list(ids)).decode()
        )
        return column.in_(values)
    return column == any_(literal(list(ids), ARRAY(BigInteger)))
