"""`bulk_insert` and `bulk_update`: many rows at once, one body for each database.

SQLite takes tuples through the driver's own executemany, PostgreSQL one statement of CTEs with one JSON
parameter a table (one round trip, half the client's CPU of arrays). The texts come from the Core tables,
so there is still one schema. Foreign keys are checked at the end of the statement on PostgreSQL, so the
order of tables does not matter there; on SQLite rows go in the order given.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache, partial
from itertools import chain
from typing import Any

import orjson
from sqlalchemy import Boolean, LargeBinary, Table
from sqlalchemy.engine import Connection

_LARGEST_CHUNK = 64

Rows = Mapping[Table, Sequence[tuple[Any, ...]]]


def bulk_insert(connection: Connection, rows: Rows) -> None:
    """Insert rows given as tuples in column order. Tables with no rows cost nothing."""
    prepared_insert(connection, rows)()


def prepared_insert(connection: Connection, rows: Rows) -> Callable[[], object]:
    """The same in two parts: what has to be worked out is, and what it returns writes."""
    filled = {table: list(values) for table, values in rows.items() if values}
    driver: Any = connection.connection.driver_connection
    if not filled:
        return _nothing
    if connection.dialect.name == "sqlite":
        return partial(_insert_all_sqlite, driver, filled)
    tables = tuple(filled)
    parameters = [_json_rows(table, filled[table]) for table in tables]
    return partial(driver.execute, _postgresql_insert(tables), parameters, prepare=True)


def _nothing() -> None:
    """No rows."""


def _insert_all_sqlite(driver: Any, filled: Rows) -> None:
    cursor = driver.cursor()
    for table, values in filled.items():
        _insert_sqlite(cursor, table, values)


def bulk_update(
    connection: Connection, table: Table, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Write the same columns of many rows: tuples of `columns` in their order, the id last."""
    if not rows:
        return
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        driver.executemany(_sqlite_update(table, columns), rows)
        return
    odd = tuple((i, False) for i, name in enumerate(columns) if isinstance(table.c[name].type, Boolean))
    values = [_jsonable(row, odd) for row in rows] if odd else rows
    names = (*columns, "id")
    body = orjson.dumps([dict(zip(names, row, strict=True)) for row in values]).decode()
    driver.execute(_postgresql_update(table, columns), [body], prepare=True)


@lru_cache(256)
def _sqlite_update(table: Table, columns: tuple[str, ...]) -> str:
    values = ", ".join(f'"{name}" = ?' for name in columns)
    return f'UPDATE "{table.name}" SET {values} WHERE id = ?'  # noqa: S608 - names of our own tables


@lru_cache(256)
def _postgresql_update(table: Table, columns: tuple[str, ...]) -> str:
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - see below

    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    values = ", ".join(f'"{name}" = x."{name}"' for name in columns)
    kinds = ", ".join(f'"{n}" {table.c[n].type.compile(dialect=dialect)}' for n in (*columns, "id"))
    return (
        f'UPDATE "{table.name}" AS t SET {values} '  # noqa: S608 - names of our own tables
        f"FROM json_to_recordset(%s::json) AS x({kinds}) WHERE t.id = x.id"
    )


def _insert_sqlite(cursor: Any, table: Table, values: Sequence[tuple[Any, ...]]) -> None:
    """Rows in chunks of 64, 32, .. 1: the driver lets go of the interpreter's lock once a statement.

    With one statement a row (executemany) the writer queues for that lock behind the event loop some
    600 times a batch; the chunks are powers of two, so that few statements stay prepared. OR FAIL: a
    refused row ends the whole transaction anyhow, and without the undo log of each statement (a temporary
    file a batch) the inserts cost 15 % less.
    """
    at, left = 0, len(values)
    while left:
        size = min(_LARGEST_CHUNK, 1 << (left.bit_length() - 1))
        cursor.execute(_sqlite_insert(table, size), list(chain.from_iterable(values[at : at + size])))
        at, left = at + size, left - size


@cache
def _sqlite_insert(table: Table, rows: int) -> str:
    names = ", ".join(f'"{c.name}"' for c in table.columns)
    marks = "(" + ", ".join("?" * len(table.columns)) + ")"
    values = ", ".join([marks] * rows)
    return f'INSERT OR FAIL INTO "{table.name}" ({names}) VALUES {values}'  # noqa: S608 - names of our own tables


@cache
def _postgresql_insert(tables: tuple[Table, ...]) -> str:
    parts = [f"w{i} AS ({_postgresql_part(table)})" for i, table in enumerate(tables)]
    return "WITH " + ", ".join(parts) + " SELECT 1"


def _postgresql_part(table: Table) -> str:
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - 60 ms that SQLite never needs

    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    names = ", ".join(f'"{c.name}"' for c in table.columns)
    values, columns = [], []
    for column in table.columns:
        if isinstance(column.type, LargeBinary):
            values.append(f"decode(x.\"{column.name}\", 'base64')")
            columns.append(f'"{column.name}" text')
        else:
            values.append(f'x."{column.name}"')
            columns.append(f'"{column.name}" {column.type.compile(dialect=dialect)}')
    return (
        f'INSERT INTO "{table.name}" ({names}) SELECT {", ".join(values)} '  # noqa: S608 - our own names
        f"FROM json_to_recordset(%s::json) AS x({', '.join(columns)})"
    )


@cache
def _names(table: Table) -> tuple[str, ...]:
    # SQLAlchemy's names are a subclass of str, which the JSON encoder does not take as keys.
    return tuple(str(c.name) for c in table.columns)


@cache
def _odd_columns(table: Table) -> tuple[tuple[int, bool], ...]:
    """Columns whose values JSON cannot carry as they are: (position, is binary)."""
    return tuple(
        (i, isinstance(c.type, LargeBinary))
        for i, c in enumerate(table.columns)
        if isinstance(c.type, (LargeBinary, Boolean))
    )


def _json_rows(table: Table, values: Sequence[tuple[Any, ...]]) -> str:
    names, odd = _names(table), _odd_columns(table)
    if odd:
        values = [_jsonable(row, odd) for row in values]
    return orjson.dumps([dict(zip(names, row, strict=True)) for row in values]).decode()


def _jsonable(row: tuple[Any, ...], odd: tuple[tuple[int, bool], ...]) -> tuple[Any, ...]:
    out = list(row)
    for position, binary in odd:
        if out[position] is not None:
            out[position] = base64.b64encode(out[position]).decode() if binary else bool(out[position])
    return tuple(out)
