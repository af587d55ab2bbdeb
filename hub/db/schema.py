"""The schema's version, and how a database gets it.

Asking is cheap (one row), Alembic is imported only where something must be migrated: that keeps a warm
start quick. SQLite migrates itself at start, PostgreSQL only by `hub db upgrade` under an advisory lock;
a schema newer than this program is refused on both.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, inspect, text
from sqlalchemy.engine import Connection

from hub.kernel.errors import HubError

HEAD = "20261201_contacts"
MIGRATIONS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 7_402_611_22


class SchemaMismatch(HubError):
    """The database has another schema than this program."""


def revision(connection: Connection) -> str | None:
    """The revision that the database is at; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def ensure(engine: Engine, *, migrate: bool) -> None:
    """Bring the database to HEAD, or raise SchemaMismatch with what to do."""
    with engine.connect() as connection:
        present = revision(connection)
    if present == HEAD:
        return
    if present is not None and present not in known_revisions():
        raise SchemaMismatch(
            f"the database is at schema {present}, which is newer than this program: use a newer hub"
        )
    if not migrate:
        raise SchemaMismatch(
            f"the database is at schema {present or 'none'}, this program needs {HEAD}: run `hub db upgrade`"
        )
    upgrade(engine)


def known_revisions() -> set[str]:
    """Revisions that this program knows."""
    return {path.stem for path in (MIGRATIONS / "versions").glob("2*.py")}


def upgrade(engine: Engine) -> None:
    """Run the migrations to HEAD; on PostgreSQL one at a time over all machines."""
    from alembic import command  # noqa: PLC0415 - see the module's docstring
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
            connection.execute(text("SET LOCAL lock_timeout = '10s'"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
