"""Statements of the hot path: written with Core, compiled once, then run as text.

Core's own way costs 150 us a statement in building and cache keys; a batch needs four of them.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from sqlalchemy import Executable
from sqlalchemy.engine import Connection

from hub.db.engine import Hinted


class Prepared:
    """A Core statement whose values are all `bindparam`s with names."""

    def __init__(self, statement: Executable) -> None:
        self._statement: Any = statement

    @cached_property
    def _sqlite(self) -> tuple[str, tuple[str, ...]]:
        from sqlalchemy.dialects import sqlite  # noqa: PLC0415 - one of the two is never needed

        dialect = sqlite.dialect(paramstyle="qmark")
        dialect.statement_compiler = Hinted
        compiled = self._statement.compile(dialect=dialect)
        return compiled.string, tuple(compiled.positiontup)

    @cached_property
    def _postgresql(self) -> str:
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415

        compiled = self._statement.compile(dialect=postgresql.dialect(paramstyle="pyformat"))  # type: ignore[no-untyped-call]
        return str(compiled.string)

    def run(self, connection: Connection, **values: Any) -> Any:
        """Execute with values by name; the driver's own cursor."""
        driver: Any = connection.connection.driver_connection
        if connection.dialect.name == "sqlite":
            text, names = self._sqlite
            return driver.execute(text, [values[name] for name in names])
        return driver.execute(self._postgresql, values, prepare=True)
