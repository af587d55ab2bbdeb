"""What a channel that was away, or that dies, costs: nothing that is lost, no flood to one seller, an alarm in time."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hub.runtime import watch
from hub.runtime.listeners import WAIT_S
from hub.runtime.silence import EVERY_S
from hub.testing.emulators.telegram import TelegramEmulator
from hub.testing.emulators.viber import ViberEmulator
from tests.integration import chat_plugin
from tests.integration.chat_plugin import PROVIDERS
from tests.integration.hubs import Running, running, until

SELLERS = ("Olena", "Taras", "Iryna")
HOURS = 72


async def test_after_an_outage_of_72_hours_everything_is_there_in_order_once_and_shared_evenly(
    sqlite_url: str, tmp_path: Path
):
    """A mail an hour from a person each, a second one from some: written while nobody was there to read it."""
    PROVIDERS.clear()
    provider = PROVIDERS["chat"]
    chat: dict[str, Any] = {"channels": {"chat": {"plugin": "chat"}}, "extra": [("chat", chat_plugin.MODULE)]}
    async with running(sqlite_url, tmp_path, **chat) as hub:
        for name in SELLERS:
            hub.person(name)
        provider.say(text="before", who="c0")
        await until(lambda: hub.rows("select id from message"))
    for hour in range(1, HOURS + 1):
        provider.say(text=f"hour {hour}", who=f"c{hour}")
        if hour % 4 == 0:
            provider.say(text=f"hour {hour}, again", who=f"c{hour}")
    written = [update["text"] for update in provider.updates]
    async with running(sqlite_url, tmp_path, **chat) as hub:
        await until(lambda: hub.one("select count(*) from message") == len(written), 20)
        assert [body for (body,) in hub.rows("select body from message order by id")] == written
        assert hub.one("select count(*) from request") == HOURS + 1
        shares = [n for (n,) in hub.rows("select count(*) from task group by assignee_id")]
        assert (len(shares), max(shares) - min(shares) <= 1, sum(shares)) == (3, True, HOURS + 1)
        rows = "select id from outbox where lane = 'notice' and next_try_at is not null"
        await until(lambda: not hub.rows(rows), 20)
        notices = dict(hub.rows("select staff_id, count(*) from notice group by staff_id"))
        assert max(notices.values()) - min(notices.values()) <= 1, "nobody's list is flooded"
        provider.pulls = 0
        await until(lambda: provider.pulls > 2)
        assert hub.one("select count(*) from delivery") == len(written), "nothing comes twice"


@pytest.fixture(params=["telegram", "viber"])
async def pushed(
    request: pytest.FixtureRequest, sqlite_url: str, tmp_path: Path
) -> AsyncIterator[tuple[Running, TelegramEmulator | ViberEmulator]]:
    emulator = TelegramEmulator() if request.param == "telegram" else ViberEmulator(receipts=())
    emulator.hang_s = 5
    await emulator.start()
    keys = {"mode": "webhook"} if request.param == "telegram" else {"sender_name": "Shop"}
    account = {"plugin": request.param, "token": emulator.token, "base_url": emulator.base_url, **keys}
    async with running(sqlite_url, tmp_path, channels={"bot": account}, ticks=False) as hub:
        hub.person("Admin", role="admin")
        hub.process._watch._base_url = hub.base
        await hub.process._watch.tick()
        assert emulator.webhook == f"{hub.base}/in/bot"
        yield hub, emulator
        await hub.process.door.accounts["bot"].channel.close()
        await hub.hub.accounts.close()
    await emulator.stop()


def alarms(hub: Running) -> list[str]:
    return [kind for (kind,) in hub.rows("select kind from outbox where kind like 'account_%' order by id")]


@pytest.mark.parametrize("how", ["dead login", "hung socket", "cleared web hook"])
async def test_a_pushed_channel_that_dies_is_an_alarm_at_the_next_look_and_says_when_it_is_well(
    pushed: tuple[Running, Any], how: str, monkeypatch: pytest.MonkeyPatch
):
    """One look each 15 s, at most 20 s long: within 60 s, without this test waiting for it."""
    assert watch.EVERY_S + watch.CALL_WITHIN_S < 60
    monkeypatch.setattr(watch, "CALL_WITHIN_S", 1.0)
    hub, emulator = pushed
    token = emulator.token
    if how == "dead login":
        emulator.token = "another"
    elif how == "hung socket":
        emulator.fail_next(3, "timeout")
    else:
        emulator.webhook = ""
    await hub.process._watch.tick()
    assert alarms(hub) == ["account_ill"]
    emulator.token = token
    emulator._faults.clear()
    stopped = hub.one("select state from account where name = 'bot'") == "stopped"
    assert stopped is (how == "dead login"), "no storm of refused logins"
    if not stopped:
        for _ in range(2):  # a web hook that was taken away is set, then looked at
            await hub.process._watch.tick()
        assert alarms(hub) == ["account_ill", "account_well"]
        assert emulator.webhook == f"{hub.base}/in/bot"


async def test_a_poll_that_hangs_is_an_alarm_within_two_poll_periods(sqlite_url: str, tmp_path: Path):
    """The alarm of silence, which needs no answer and no failure; its own test moves the clock."""
    emulator = TelegramEmulator()
    account = {"plugin": "telegram", "token": emulator.token, "base_url": "http://127.0.0.1:9"}
    async with running(sqlite_url, tmp_path, channels={"bot": account}, ticks=False) as hub:
        limit = hub.process.door.accounts["bot"].channel.capabilities.silence_s
        assert WAIT_S < limit <= 2 * WAIT_S
        assert EVERY_S < WAIT_S
