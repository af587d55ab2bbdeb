"""The fault program in its short form; the long one is `python -m tests.faults`."""

import pytest

from tests.faults.program import run


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def test_nothing_is_lost_and_nothing_doubled_whatever_breaks(database):
    report = await run(database, faults=3 if database == "sqlite" else 4, kills=1, hubs=2, receiver_fails=0.0)
    told = "\n".join(report.lines())
    print(f"\n{told}")
    assert report.verdict.clean, told
    assert report.acknowledged > 60
