"""What every test may ask for: databases, recorded samples, and a run in which nothing is skipped.

HUB_NO_SKIPS=1   a skip fails the run; CI sets it, so that a missing server never passes for a green test
HUB_SAMPLES      folder of recorded payloads; default ../shared/reference beside the checkout
"""

import importlib.util
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.postgres_cluster import Cluster

CHECKOUT = Path(__file__).resolve().parent.parent


# Nothing is skipped when HUB_NO_SKIPS=1


def skips_are_errors() -> bool:
    return os.environ.get("HUB_NO_SKIPS") == "1"


def skip_reason(longrepr: object) -> str:
    """A skip's longrepr is (file, line, "Skipped: why")."""
    return str(longrepr[2]) if isinstance(longrepr, tuple) else str(longrepr)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and skips_are_errors() and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"HUB_NO_SKIPS=1 and this test was skipped. {skip_reason(report.longrepr)}"
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.skipped and skips_are_errors():
        report.outcome = "failed"
        report.longrepr = f"HUB_NO_SKIPS=1 and this file was skipped. {skip_reason(report.longrepr)}"
    return report


# Markers follow from fixtures, so that `-m "not postgres"` needs no discipline


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    marker_of = {"postgres_cluster": "postgres", "postgres_url": "postgres", "samples": "samples"}
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            if fixture in marker_of:
                item.add_marker(marker_of[fixture])


# Databases


@pytest.fixture(scope="session")
def postgres_cluster() -> "Iterator[Cluster]":
    """One server for the run; under pytest-xdist one for each worker."""
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip('psycopg is not installed (pip install "omni-hub[postgres]")')
    from tests.postgres_cluster import PostgresAbsent, find_binaries, running_cluster

    try:
        find_binaries()
    except PostgresAbsent as absent:
        pytest.skip(str(absent))
    with running_cluster() as cluster:
        yield cluster


def migrate(url: str) -> None:
    """Bring an empty database to the present schema."""
    from sqlalchemy import make_url

    from hub.db import schema
    from hub.db.engine import open_engine

    engine = open_engine(make_url(url), writes=True, pool_size=1)
    try:
        schema.upgrade(engine)
    finally:
        engine.dispose()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with all tables; copied, because migrating costs more than most tests."""
    file = tmp_path_factory.mktemp("template") / "hub.db"
    migrate(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def migrated_database(postgres_cluster: "Cluster") -> str:
    """Name of a PostgreSQL database with all tables."""
    name = postgres_cluster.create_database(name="template_hub")
    migrate(postgres_cluster.url(name))
    return name


@pytest.fixture(scope="session")
def postgres_template() -> str | None:
    """Name of the database that `postgres_url` copies; `migrated_database` where tests want tables in it."""
    return None


@pytest.fixture
def postgres_url(postgres_cluster: "Cluster", postgres_template: str | None) -> Iterator[str]:
    """postgresql+psycopg://... of a fresh database, dropped when the next one is asked for.

    Not at once: a hub that another fixture stops later would meet a database that went away, and waits for it.
    """
    postgres_cluster.drop_finished()
    name = postgres_cluster.create_database(template=postgres_template)
    yield postgres_cluster.url(name)
    postgres_cluster.finished.append(name)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The test runs twice, with an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'hub.db'}"
    return str(request.getfixturevalue("postgres_url"))


# Recorded samples


@pytest.fixture(scope="session")
def samples() -> Path:
    """Folder of recorded payloads, which are not part of the repository."""
    folder = Path(os.environ.get("HUB_SAMPLES") or CHECKOUT.parent / "shared" / "reference")
    if not folder.is_dir():
        pytest.skip("no folder of recorded samples (set HUB_SAMPLES)")
    return folder
