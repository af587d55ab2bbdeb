"""Carries a whole database elsewhere: SQLite to PostgreSQL, or into a file and back. One way of reading for all.

Decides what belongs to the data and what to a running machine: node numbers and leases stay behind, whoever
starts takes its own. A table is compared by a checksum that does not depend on the order of rows, because
the two databases sort texts differently: the sum of the digests of its rows, modulo 2**128.

Rows go in the order of the primary key, so that an interrupted copy goes on where it stopped: the last key
that was written stands in the target, in the transaction of the rows before it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Boolean, Engine, LargeBinary, Table, and_, func, or_, select, text
from sqlalchemy.engine import Connection

from hub.db import tables
from hub.db.bulk import bulk_insert
from hub.kernel.errors import HubError

LEFT_BEHIND = frozenset({"node", "lease"})
CHUNK = 1_000
PROGRESS = "copy:"
_MODULUS = 1 << 128

Row = tuple[Any, ...]
Told = Callable[[str, int, int], None]
"""Called with a table's name, rows done, rows in all."""


class NotEmpty(HubError):
    """The target holds data already: give an empty database."""


class Differs(HubError):
    """What arrived is not what was sent."""


@dataclass(frozen=True, slots=True)
class Sum:
    """A table as far as two databases can be compared: how many rows, and what they add up to."""

    rows: int
    digest: str


class Adder:
    """Adds rows to a checksum, in any order."""

    def __init__(self) -> None:
        self._rows = 0
        self._total = 0

    def add(self, line: bytes) -> None:
        """One row, as `line_of` writes it."""
        self._rows += 1
        self._total = (self._total + int.from_bytes(hashlib.sha256(line).digest()[:16])) % _MODULUS

    def sum(self) -> Sum:
        """Of all rows so far."""
        return Sum(self._rows, f"{self._total:032x}")


def carried() -> list[Table]:
    """The tables that move, parents before children."""
    return [table for table in tables.metadata.sorted_tables if table.name not in LEFT_BEHIND]


def line_of(table: Table, row: Sequence[Any]) -> bytes:
    """A row as canonical JSON, the same whichever database it was read from."""
    out = list(row)
    for at, column in enumerate(table.columns):
        if out[at] is None:
            continue
        if isinstance(column.type, LargeBinary):
            out[at] = base64.b64encode(bytes(out[at])).decode()
        elif isinstance(column.type, Boolean):
            out[at] = bool(out[at])
    return orjson.dumps(out)


def row_of(table: Table, line: bytes) -> Row:
    """The row of a line. Raises ValueError for what is no row of this table."""
    values = orjson.loads(line)
    if not isinstance(values, list) or len(values) != len(table.columns):
        raise ValueError(f"a line of {table.name} has not {len(table.columns)} columns")
    for at, column in enumerate(table.columns):
        if values[at] is not None and isinstance(column.type, LargeBinary):
            values[at] = base64.b64decode(values[at])
    return tuple(values)


def chunks(conn: Connection, table: Table, after: Sequence[Any] | None = None) -> Iterator[list[Row]]:
    """All rows by primary key, in chunks; `after`: the key of the last row that is there already."""
    key = list(table.primary_key.columns)
    while True:
        query = select(table).order_by(*key).limit(CHUNK)
        if after is not None:
            query = query.where(_beyond(key, after))
        rows = [tuple(row) for row in conn.execute(query)]
        if rows:
            yield rows
        if len(rows) < CHUNK:
            return
        after = _key_of(table, rows[-1])


def _beyond(key: Sequence[Any], after: Sequence[Any]) -> Any:
    """(a, b) > (x, y), spelt out: SQLite and PostgreSQL then use the index alike."""
    return or_(
        *(
            and_(*(key[n] == after[n] for n in range(depth)), key[depth] > after[depth])
            for depth in range(len(key))
        )
    )


def _key_of(table: Table, row: Row) -> list[Any]:
    names = [column.name for column in table.columns]
    return [row[names.index(column.name)] for column in table.primary_key.columns]


def checksum(conn: Connection, table: Table) -> Sum:
    """Of a table as it stands; progress marks of a copy do not count."""
    adder = Adder()
    for rows in chunks(conn, table):
        for row in rows:
            if not _is_progress(table, row):
                adder.add(line_of(table, row))
    return adder.sum()


def count(conn: Connection, table: Table) -> int:
    """How many rows a table has."""
    return int(conn.execute(select(func.count()).select_from(table)).scalar_one())


def require_empty(conn: Connection, *, but_progress: bool = False) -> None:
    """Raise NotEmpty unless nobody has used this database; a copy that goes on may find its own rows."""
    marks = conn.execute(
        select(func.count()).select_from(tables.cursor).where(tables.cursor.c.account.startswith(PROGRESS))
    ).scalar_one()
    if but_progress and marks:
        return
    used = [table.name for table in carried() if count(conn, table)]
    if used:
        raise NotEmpty(f"the target holds data already ({', '.join(used[:4])}): give an empty database")


def _is_progress(table: Table, row: Row) -> bool:
    return table is tables.cursor and str(row[0]).startswith(PROGRESS)


def copy(source: Connection, target: Engine, told: Told) -> dict[str, Sum]:
    """Copy every table; goes on where an earlier copy stopped. Returns the checksums, compared on both sides.

    Raises NotEmpty, and Differs where a table is not equal at the end (the source was written meanwhile).
    """
    with target.connect() as conn:
        require_empty(conn, but_progress=True)
    sums = {}
    for table in carried():
        sums[table.name] = _copy_table(source, target, table, told)
    with target.begin() as conn:
        _forget_progress(conn)
    with target.connect() as conn:
        for table in carried():
            if checksum(conn, table) != sums[table.name]:
                raise Differs(
                    f"table {table.name} is not equal on both sides: copy again into an empty database"
                )
    return sums


def _copy_table(source: Connection, target: Engine, table: Table, told: Told) -> Sum:
    total = count(source, table)
    with target.connect() as conn:
        after = _progress(conn, table)
        done = count(conn, table) if after is not None else 0
    for rows in chunks(source, table, after):
        with target.begin() as conn:
            bulk_insert(conn, {table: rows})
            _mark(conn, table, _key_of(table, rows[-1]))
        done += len(rows)
        told(table.name, done, total)
    return checksum(source, table)


def _progress(conn: Connection, table: Table) -> list[Any] | None:
    position = conn.execute(
        select(tables.cursor.c.position).where(tables.cursor.c.account == PROGRESS + table.name)
    ).scalar_one_or_none()
    return None if position is None else list(orjson.loads(position))


def _mark(conn: Connection, table: Table, key: Sequence[Any]) -> None:
    values = {"account": PROGRESS + table.name, "position": orjson.dumps(list(key)).decode()}
    conn.execute(
        text(
            "INSERT INTO cursor (account, position, fence, updated_at) VALUES (:account, :position, 0, 0)"
            " ON CONFLICT (account) DO UPDATE SET position = :position"
        ),
        values,
    )


def _forget_progress(conn: Connection) -> None:
    conn.execute(tables.cursor.delete().where(tables.cursor.c.account.startswith(PROGRESS)))
