"""Traps that users of other programs ran into with channels, where the plugin alone cannot show the answer."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from hub.access.model import Actor, Role
from hub.assignment import service
from hub.cli.channels import run_rescan
from hub.kernel.clock import DAY, Instant, moment
from hub.opening import CLI
from hub.personal.erasure import erase
from hub.testing.emulators.telegram import TelegramEmulator
from tests.integration import chat_plugin
from tests.integration.chat_plugin import PROVIDERS, Provider
from tests.integration.hubs import Running, running, until


@pytest.fixture
def provider() -> Provider:
    PROVIDERS.clear()
    return PROVIDERS["chat"]


@pytest.fixture
async def hub(sqlite_url: str, tmp_path: Path, provider: Provider) -> AsyncIterator[Running]:
    extra = [("chat", chat_plugin.MODULE)]
    channels = {"chat": {"plugin": "chat"}}
    async with running(sqlite_url, tmp_path, channels=channels, people_named=["Olena"], extra=extra) as one:
        yield one


async def ask(hub: Running, provider: Provider, **update: Any) -> tuple[int, int]:
    """Somebody asks; the ids of his request and his contact."""
    provider.say(text="ціна?", message="m-first", **update)
    found = await until(lambda: hub.rows("select id, contact_id from request"))
    return int(found[0][0]), int(found[0][1])


async def test_e5_what_was_erased_does_not_come_back_while_it_is_still_on_the_server(
    hub: Running, provider: Provider
):
    _, contact_id = await ask(hub, provider)

    def finish(tx: Any) -> None:
        for sql in (
            "update task set state = 'done'",
            "update request set state = 'closed', joining = false, closed_at = 1",
        ):
            tx.execute(text(sql))
        erase(tx, CLI, contact_id)

    hub.hub.db.write_now(finish)
    assert hub.rows("select body from message") == [("",)]
    counted = await run_rescan(hub.hub, "chat", moment(hub.hub.clock.now()), lambda _looked_at: None)
    assert counted == {"looked_at": 1, "new": 0, "known": 1, "rejected": 0}
    assert hub.rows("select body from message") == [("",)]
    assert hub.one("select count(*) from request") == 1


async def test_e6_what_cannot_be_read_is_shown_and_the_next_one_arrives(hub: Running, provider: Provider):
    provider.say(kind="nonsense", text="нечитане")
    provider.say(text="наступне")
    await until(lambda: hub.rows("select id from message where body = 'наступне'"))
    await until(lambda: hub.one("select position from cursor") == "2")
    states = [state for (state,) in hub.rows("select state from delivery order by id")]
    assert states[0] in {"pending", "unreadable"}
    assert states[1] == "stored"
    assert "nonsense" in str(hub.rows("select body from delivery_body")[0]), "the original is kept"
    pulls = provider.pulls
    await until(lambda: provider.pulls > pulls + 2)
    assert hub.one("select count(*) from delivery") == 2, "not fetched again and again"


async def test_e12_a_message_in_an_old_thread_asks_for_attention_again(hub: Running, provider: Provider):
    request_id, _ = await ask(hub, provider)
    task_id, holder = hub.rows("select id, assignee_id from task")[0]
    olena = Actor("Olena", frozenset({Role.SELLER}), holder)
    later = Instant(hub.hub.clock.now() + DAY)
    hub.hub.db.write_now(lambda tx: service.snooze(tx, olena, task_id, later))
    assert hub.rows("select state from task") == [("snoozed",)]
    provider.say(text="ви не відповіли", replies_to=["m-first"], who="c1")
    await until(lambda: hub.one("select count(*) from message") == 2)
    assert hub.rows("select distinct request_id from message") == [(request_id,)]
    await until(lambda: hub.rows("select state from task") == [("assigned",)])


async def test_t5_without_an_address_of_its_own_the_hub_sets_no_web_hook(sqlite_url: str, tmp_path: Path):
    PROVIDERS.clear()
    channels = {"push": {"plugin": "chat", "pushed": True}}
    extra = [("chat", chat_plugin.MODULE)]
    async with running(sqlite_url, tmp_path, channels=channels, extra=extra, ticks=False) as hub:
        await hub.process._watch.tick()
        assert PROVIDERS["push"].webhook == ""
        assert "base_url" in hub.one("select last_error from account where name = 'push'")


async def test_w2_the_parts_of_an_album_that_arrive_at_once_are_one_conversation(
    sqlite_url: str, tmp_path: Path
):
    emulator = TelegramEmulator()
    await emulator.start()
    account = {
        "plugin": "telegram", "token": emulator.token, "base_url": emulator.base_url, "mode": "webhook",
    }  # fmt: skip
    async with running(sqlite_url, tmp_path, channels={"bot": account}, ticks=False) as hub:
        hub.person("Olena")
        hub.process._watch._base_url = hub.base
        await hub.process._watch.tick()
        url, headers = emulator.webhook, {"X-Telegram-Bot-Api-Secret-Token": emulator.secret}
        emulator.webhook = ""  # the parts are posted here, all at the same moment
        customer = emulator.add_customer()
        parts = [emulator.send_photo(customer, b"JPG", "ось" if not n else "", "album") for n in range(6)]

        async def post(update: dict[str, Any]) -> int:
            async with hub.http.post(url, json=update, headers=headers) as answer:
                return answer.status

        assert set(await asyncio.gather(*map(post, parts))) == {200}
        assert hub.one("select count(*) from message") == 6
        assert hub.one("select count(*) from request") == hub.one("select count(*) from task") == 1
        await hub.process.door.accounts["bot"].channel.close()
        await hub.hub.accounts.close()
    await emulator.stop()
