"""Databases with tables in them, hubs on a free port, and `hub serve` as a process of its own."""

import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from hub.coordination.nodes import acquire_node
from hub.db.database import Database
from hub.db.engine import open_engine
from hub.kernel.clock import SystemClock
from tests.integration.hubs import Running, Served, running


@pytest.fixture(scope="session")
def postgres_template(migrated_database: str) -> str:
    return migrated_database


@pytest.fixture
def hub_url(database_url: str, migrated_file: Path) -> str:
    """The test runs twice, with a fresh database of each kind that has all tables."""
    if database_url.startswith("sqlite"):
        shutil.copy(migrated_file, database_url.removeprefix("sqlite:///"))
    return database_url


@pytest.fixture
def sqlite_url(migrated_file: Path, tmp_path: Path) -> str:
    """A fresh SQLite database with all tables."""
    shutil.copy(migrated_file, tmp_path / "hub.db")
    return f"sqlite:///{tmp_path / 'hub.db'}"


@pytest.fixture
def open_database() -> Iterator[Callable[[str], Database]]:
    """Opens the door to a database; it is closed after the test."""
    with ExitStack() as stack:

        def open_it(url: str) -> Database:
            engine = open_engine(make_url(url), writes=True, pool_size=1)
            clock = SystemClock()
            _lease, ids = acquire_node(engine, clock)
            engine.dispose()
            db = Database(make_url(url), ids, clock)
            stack.callback(db.close)
            return db

        yield open_it


@pytest.fixture
def db(hub_url: str, open_database: Callable[[str], Database]) -> Database:
    """The door to a fresh database, of each kind."""
    return open_database(hub_url)


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """Starts a hub in this process: await start(url, form={...}, extra=...) gives a Running."""
    async with AsyncExitStack() as stack:

        async def start_it(url: str, **how: Any) -> Running:
            return await stack.enter_async_context(running(url, tmp_path, **how))

        yield start_it


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Starts `hub serve` as a process: serve(url) gives a Served; it is killed after the test."""
    with ExitStack() as stack:

        def serve_it(url: str, **how: Any) -> Served:
            served = Served(url, tmp_path, **how)
            stack.callback(served.kill)
            served.start()
            return served

        yield serve_it
