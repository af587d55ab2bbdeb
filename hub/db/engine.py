"""Opens the database: which engine, with which settings, for readers and for the writer.

SQLite: WAL, BEGIN IMMEDIATE for writes (a plain BEGIN that upgrades its lock fails in spite of the busy
time-out), `synchronous=FULL` because a 2xx means stored. PostgreSQL: psycopg 3, READ COMMITTED.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from hub.kernel.errors import FieldProblem, SettingsRejected

READERS = 4
_PRAGMAS = (
    "journal_mode=wal",
    "busy_timeout=5000",
    "synchronous=full",
    "foreign_keys=on",
    "cache_size=-16000",  # KiB; grows only as it is used
    "wal_autocheckpoint=4000",  # pages: 16 MiB, a fourth of the default's checkpoints
)
_DRIVERS = {
    "sqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}


def parse_url(text: str, base: Path) -> URL:
    """The address of a database; relative SQLite paths start at `base`. Raises SettingsRejected."""
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise SettingsRejected([_problem("is not a database address")]) from error
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        raise SettingsRejected([_problem("only sqlite:///... and postgresql+psycopg://... are supported")])
    url = url.set(drivername=driver)
    if driver == "sqlite":
        if not url.database or url.database == ":memory:":
            raise SettingsRejected(
                [_problem("an SQLite database needs a file, such as sqlite:///var/hub.db")]
            )
        url = url.set(database=str((base / url.database).resolve()))
    return url


def _problem(message: str) -> FieldProblem:
    return FieldProblem("database.url", message)


def sqlite_file(url: URL) -> Path | None:
    """The file of an SQLite address, None for PostgreSQL."""
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def open_engine(url: URL, *, writes: bool, pool_size: int = READERS) -> Engine:
    """An engine for readers (plain BEGIN) or for the writer (BEGIN IMMEDIATE)."""
    if url.get_backend_name() == "sqlite":
        path = sqlite_file(url)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(
            url,
            poolclass=QueuePool,
            pool_size=pool_size,
            max_overflow=0,
            connect_args={"check_same_thread": False, "timeout": 5.0, "cached_statements": 256},
        )
        engine.dialect.statement_compiler = Hinted
        _prepare_sqlite(engine, "BEGIN IMMEDIATE" if writes else "BEGIN")
        return engine
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_pre_ping=not writes,
        connect_args={
            "connect_timeout": 5,
            "prepare_threshold": 3,
            "application_name": "hub",
            # A server that vanished without a word is noticed in seconds, not in hours.
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": 8_000,
        },
    )
    if writes:
        _prepare_writer(engine)
    return engine


class Hinted(SQLiteCompiler):
    """Writes `with_hint(table, "INDEXED BY ...", "sqlite")`, which SQLAlchemy knows of other databases only."""

    def get_from_hint_text(self, table: Any, text: str | None) -> str | None:
        return text


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """A connection that sees one moment of the database, however long it reads."""
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    with engine.connect() as connection:
        connection.execute(text("SELECT count(*) FROM node")).scalar_one()  # the moment begins here
        yield connection


def _prepare_writer(engine: Engine) -> None:
    """What PostgreSQL must know about connections that write.

    Look-ups of the group commit are prepared while the tables are still empty, and PostgreSQL would keep
    the plan of that moment, a sequential scan, until its first ANALYZE; every one of them has an index.
    A transaction that stands idle is one whose client is gone: it must not hold its team's lock for hours.
    """

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _record: Any) -> None:
        connection.autocommit = True
        connection.execute("SET enable_seqscan = off")
        connection.execute("SET jit = off")  # a scan that is ruled out counts as dear enough to compile
        connection.execute("SET idle_in_transaction_session_timeout = '60s'")
        connection.autocommit = False


def _prepare_sqlite(engine: Engine, begin: str) -> None:
    @event.listens_for(engine, "connect")
    def connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in _PRAGMAS:
            connection.execute("PRAGMA " + pragma)

    @event.listens_for(engine, "begin")
    def began(connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        if not driver.in_transaction:  # the writer begins its own
            driver.execute(begin)
