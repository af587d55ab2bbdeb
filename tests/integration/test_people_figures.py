"""The short forms of `python -m tests.benchmarks claims freed boards`: they count, and time nothing."""

import asyncio
from functools import partial

import pytest

from hub.access.store import open_session
from tests.benchmarks import boards, claims, freed
from tests.integration import ledger_audit
from tests.integration.hubs import running

SELLERS, TASKS = 5, 24


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_of_all_who_claim_at_once_over_three_processes_each_task_has_one_winner(hub_url, tmp_path):
    """Three `hub serve` on PostgreSQL, one on SQLite; the losers are told who has it."""
    from tests.integration.hubs import Served, command

    processes = 1 if hub_url.startswith("sqlite") else 3
    served = [Served(hub_url, tmp_path, name=f"hub{number}") for number in range(processes)]
    said = command("token", "add", "bench", "--role", "head", "--config", served[0].config)
    assert said.returncode == 0, said.stderr
    try:
        await asyncio.gather(*(asyncio.to_thread(one.start) for one in served))
        bases = [one.base for one in served]
        counts, _ = await claims.run(bases, said.stdout.strip(), SELLERS, TASKS)
    finally:
        for one in served:
            one.kill()
            print(one.log.read_text(encoding="utf-8")[-2000:])
    assert claims.is_right(counts, SELLERS, TASKS), counts
    assert ledger_audit.problems(hub_url) == []


async def test_a_place_that_becomes_free_is_filled_after_each_of_the_seven_events(sqlite_url, tmp_path):
    """Six of them as they are measured; a shift starts at a full minute only, and is driven by hand in
    tests/unit/assignment/test_time.py."""
    async with running(sqlite_url, tmp_path) as hub, claims.client() as http:
        api = claims.Api(http, hub.base, hub.token("head"))
        person = await api.must("POST", "/staff", {"name": "Ann", "team": "sales", "limit": 1})
        team = freed.Team(api, "sales", person["id"], 0)
        took = {name: await event(team) for name, event in freed.ONE_BY_ONE.items()}
        took["end_of_absence"] = (await freed.end_of_absence([team]))[0]
    assert set(took) | {"shift_start"} == {*freed.ONE_BY_ONE, *freed.TOGETHER}
    assert [name for name, seconds in took.items() if seconds >= freed.GIVE_UP_S] == []


async def test_every_open_board_is_told_of_every_change_and_fetches_it(sqlite_url, tmp_path):
    async with running(sqlite_url, tmp_path, ticks=False) as hub:
        sellers = [str(hub.person(name)) for name in ("Ann", "Bob", "Eve")]
        each = [int(seller) for seller in sellers for _ in range(8)]
        secrets = [
            hub.hub.db.write_now(partial(open_session, staff_id=who, user_agent="test")) for who in each
        ]
        found = await boards.run(hub.base, hub.token("head"), sellers, secrets, changes=3, fetch=True)
    assert found.missed == 0
    assert len(found.told) == len(found.shown) == 3 * len(secrets)
