"""The fault program in its short form (HUB_LONG=1: on SQLite too); the long one is `python -m tests.faults`."""

import pytest

from tests.faults.program import run
from tests.integration.hubs import LONG
from tests.postgres_cluster import PostgresAbsent, find_binaries

POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.postgres)


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("database", ["sqlite", POSTGRESQL] if LONG else [POSTGRESQL])
async def test_nothing_is_lost_and_nothing_doubled_whatever_breaks(database):
    try:
        find_binaries()
    except PostgresAbsent as absent:
        pytest.skip(str(absent))
    report = await run(database, faults=2, kills=1, hubs=2, customers=3, receiver_fails=0.0)
    told = "\n".join(report.lines())
    print(f"\n{told}")
    assert report.verdict.clean, told
    assert report.acknowledged >= 30
