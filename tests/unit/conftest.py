"""Databases with the hub's schema for unit tests, and how hard hypothesis tries."""

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from hub.db.database import Database
from tests.unit.world import World, manual_clock, open_database

settings.register_profile(
    "unit", max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unit")


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The developer's own HUB_... variables are not part of a test."""
    import os

    for name in [n for n in os.environ if n.startswith("HUB_") and n not in {"HUB_NO_SKIPS", "HUB_SAMPLES"}]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def postgres_template(migrated_database: str) -> str:
    return migrated_database


@pytest.fixture
def hub_db(migrated_file: Path, tmp_path: Path) -> Iterator[Database]:
    """A real SQLite database with the schema; the clock stands still."""
    file = tmp_path / "hub.db"
    shutil.copy(migrated_file, file)
    db = open_database(f"sqlite:///{file}", manual_clock())
    yield db
    db.close()


@pytest.fixture
def world(hub_db: Database) -> World:
    """`hub_db` seeded: teams `sales` and `strict`, the default route, nobody in them."""
    from hub.kernel.clock import ManualClock

    assert isinstance(hub_db.clock, ManualClock)
    return World(hub_db, hub_db.clock)


@pytest.fixture
def both_worlds(database_url: str, migrated_file: Path) -> Iterator[World]:
    """As `world`, once on SQLite and once on PostgreSQL."""
    if database_url.startswith("sqlite"):
        shutil.copy(migrated_file, database_url.removeprefix("sqlite:///"))
    clock = manual_clock()
    db = open_database(database_url, clock)
    yield World(db, clock)
    db.close()


@pytest.fixture
def make_world(migrated_file: Path, tmp_path: Path) -> Callable[[], World]:
    """As many worlds of their own as a test wants; it closes their databases itself."""
    made = itertools.count()

    def make() -> World:
        file = tmp_path / f"world{next(made)}.db"
        shutil.copy(migrated_file, file)
        clock = manual_clock()
        return World(open_database(f"sqlite:///{file}", clock), clock)

    return make
