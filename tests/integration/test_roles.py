"""One hub as two processes over PostgreSQL: one takes in, the other does what runs behind it."""

import asyncio

import httpx
import pytest
from sqlalchemy import create_engine, text

from hub.testing.emulators.telegram import TelegramEmulator
from tests.integration.hubs import Served, phone, until


def rows(url, sql):
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]
    finally:
        engine.dispose()


async def test_hubs_that_start_at_once_on_an_empty_database_furnish_it_once(postgres_url, tmp_path):
    """Each makes teams, routes and the first administrator where they are missing."""
    served = [Served(postgres_url, tmp_path, name=f"hub{number}") for number in range(3)]
    try:
        await asyncio.gather(*(asyncio.to_thread(one.start) for one in served))
        async with httpx.AsyncClient() as client:
            answers = await asyncio.gather(*(client.get(f"{one.base}/readyz") for one in served))
        assert [answer.status_code for answer in answers] == [200, 200, 200]
    finally:
        for one in served:
            one.kill()
    assert rows(postgres_url, "SELECT login FROM staff") == [("admin",)]
    assert rows(postgres_url, "SELECT name FROM team") == [("sales",)]


@pytest.fixture
async def telegram():
    emulator = TelegramEmulator()
    await emulator.start()
    yield emulator
    await emulator.stop()


def accounts(emulator):
    return (
        f'[channels.bot]\nplugin = "telegram"\nteam = "sales"\ntoken = "{emulator.token}"\n'
        f'base_url = "{emulator.base_url}"\n'
    )


async def test_one_takes_in_the_other_does_the_rest(serve, postgres_url, telegram):
    web = await asyncio.to_thread(serve, postgres_url, name="web", role="web", more=accounts(telegram))
    await asyncio.to_thread(web.command, "staff", "add", "Ann")
    async with httpx.AsyncClient() as client:
        posted = await client.post(f"{web.base}/in/form", json={"name": "A", "phone": phone(1)})
        assert posted.status_code == 201
        telegram.say(telegram.add_customer(), "Чи є чоботи?")
        # Twice as long as the ticks of a worker need: nothing of it happens in the web process.
        await asyncio.sleep(5)
        assert {state for (state,) in rows(postgres_url, "SELECT state FROM outbox")} == {"ready"}
        assert len(rows(postgres_url, "SELECT id FROM delivery")) == 1
        assert rows(postgres_url, "SELECT name FROM lease WHERE name <> ''") == []
        assert telegram.calls == []

        worker = await asyncio.to_thread(
            serve, postgres_url, name="worker", role="worker", more=accounts(telegram)
        )
        await until(lambda: len(rows(postgres_url, "SELECT id FROM delivery")) == 2, 15)
        await until(lambda: rows(postgres_url, "SELECT id FROM outbox WHERE state <> 'done'") == [], 15)
        assert "getUpdates" in telegram.calls
        held = {name for (name,) in rows(postgres_url, "SELECT name FROM lease")}
        assert {"timekeeper", "listen:bot"} <= held

        for path in ("/healthz", "/readyz", "/metrics"):
            assert (await client.get(f"{worker.base}{path}")).status_code == 200, path
            assert (await client.get(f"{web.base}{path}")).status_code == 200, path
        for path in ("/", "/sign-in", "/api/docs", "/api/v1/openapi.json"):
            assert (await client.get(f"{worker.base}{path}")).status_code == 404, path
            assert (await client.get(f"{web.base}{path}")).status_code in {200, 303}, path
        refused = await client.post(f"{worker.base}/in/form", json={"name": "A", "phone": phone(2)})
        assert refused.status_code == 404
        assert "\nhub_scribe_up 1.0" in (await client.get(f"{web.base}/metrics")).text
        assert "\nhub_scribe_up " not in (await client.get(f"{worker.base}/metrics")).text
    for one in (web, worker):
        assert await asyncio.to_thread(one.stop) == 0
        assert "Traceback" not in one.log.read_text()


async def test_two_workers_share_the_work_and_one_alone_goes_on(serve, postgres_url, telegram):
    first = await asyncio.to_thread(serve, postgres_url, name="w1", role="worker", more=accounts(telegram))
    second = await asyncio.to_thread(serve, postgres_url, name="w2", role="worker", more=accounts(telegram))
    customer = telegram.add_customer()
    telegram.say(customer, "one")
    await until(lambda: len(rows(postgres_url, "SELECT id FROM delivery")) == 1, 15)
    await asyncio.to_thread(first.kill)
    telegram.say(customer, "two")
    await until(lambda: len(rows(postgres_url, "SELECT id FROM delivery")) == 2, 20)
    assert await asyncio.to_thread(second.stop) == 0


@pytest.mark.parametrize("role", ["web", "worker"])
def test_a_part_of_a_hub_on_a_file_is_refused_in_one_sentence(sqlite_url, tmp_path, role):
    from tests.integration.hubs import Served

    done = Served(sqlite_url, tmp_path).command("serve", "--role", role)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "PostgreSQL" in done.stderr
    assert "hub db copy" in done.stderr
