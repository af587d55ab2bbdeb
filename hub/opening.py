"""What every command needs before it can do anything: the settings' database, open, with a node number.

Apart from the composition root, because that one imports plugins, carriers and jobs: a command that only looks
into the database (`hub staff list`) starts in half the time without them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.engine import URL

from hub.access.model import system
from hub.assignment.ledger import create_head
from hub.coordination.nodes import NodeLease, acquire_node, release_node
from hub.db import schema
from hub.db.database import Database
from hub.db.engine import open_engine, parse_url
from hub.db.locks import FURNISH, alone
from hub.db.tx import Tx
from hub.kernel.clock import Clock, SystemClock
from hub.kernel.errors import Unavailable
from hub.orders import routes
from hub.orders import store as order_store
from hub.settings import DEFAULT_TEAM, Loaded, TeamSection
from hub.staff import store as staff

CLI = system("cli")


@dataclass(slots=True)
class Ground:
    """An opened database with its settings; a hub without its plugins."""

    loaded: Loaded
    db: Database
    node: NodeLease
    clock: Clock

    def close(self) -> None:
        """Finish what is queued, give the node number back."""
        # While the database is away the number stays leased, which runs out by itself.
        with suppress(Unavailable):
            self.db.write_now(lambda tx: release_node(tx.conn, self.node, self.db.ids, tx.now))
        self.db.close()


def database_url(loaded: Loaded) -> URL:
    """The database of the settings."""
    return parse_url(loaded.settings.database.url, loaded.base)


def open_database(loaded: Loaded, clock: Clock) -> tuple[Database, NodeLease]:
    """The database, at the present revision. Raises SchemaMismatch, Unavailable."""
    url = database_url(loaded)
    engine = open_engine(url, writes=True, pool_size=1)
    try:
        node, ids = _prepare(engine, url, clock)
    finally:
        engine.dispose()
    return Database(url, ids, clock), node


def _prepare(engine: Engine, url: URL, clock: Clock) -> Any:
    schema.ensure(engine, migrate=url.get_backend_name() == "sqlite")
    return acquire_node(engine, clock)


@contextmanager
def opened_ground(loaded: Loaded) -> Iterator[Ground]:
    """The database for the length of a command; raises SchemaMismatch, Unavailable."""
    clock = SystemClock()
    db, node = open_database(loaded, clock)
    ground = Ground(loaded, db, node, clock)
    try:
        db.write_now(lambda tx: furnish(tx, loaded))
        yield ground
    finally:
        ground.close()


def furnish(tx: Tx, loaded: Loaded) -> None:
    """Make what is missing: teams with their heads, the routes of orders."""
    alone(tx, FURNISH)
    sections = {DEFAULT_TEAM: None, **dict(loaded.settings.teams)}
    known = {team.name for team in staff.teams(tx.conn)}
    for name, section in sections.items():
        if name in known:
            continue
        values = (section or TeamSection()).model_dump(exclude={"title"})
        values["timezone"] = loaded.settings.hub.timezone
        title = section.title if section is not None else ""
        create_head(tx, staff.add_team(tx, name, title, values))
    for name, body in routes.seeds().items():
        if order_store.newest_version(tx.conn, name) is None:
            order_store.add_route(tx, name, 1, body)


def link_address(loaded: Loaded, secret: str, address: str = "") -> str:
    """Where a one-time link leads: the settings' base_url, else where this process listens."""
    web_settings = loaded.settings.web
    base = loaded.settings.hub.base_url or address or f"http://{web_settings.host}:{web_settings.port}"
    return f"{base.rstrip('/')}/welcome/{secret}"
