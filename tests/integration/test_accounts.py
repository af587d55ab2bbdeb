"""Accounts that are made, changed, switched off and taken away while the hub runs: over HTTP, with real effect."""

import asyncio
import json

import httpx
import pytest

from hub.access.model import Role
from hub.accounts import kept
from hub.accounts import store as accounts
from hub.accounts.kept import Wanted
from hub.app import open_hub, opened
from hub.kernel.errors import SettingsRejected
from hub.testing.emulators.nova_poshta import NovaPoshtaEmulator
from hub.testing.emulators.telegram import TelegramEmulator
from tests.integration.hubs import phone, running, settings, until

KEY = "k" * 40


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("HUB_SECRET_KEY", KEY)


@pytest.fixture
async def hub(hub_url, start):
    return await start(hub_url, people_named=["Ann"])


@pytest.fixture
def api(hub):
    token = hub.token(Role.ADMIN)

    async def call(method, path, body=None, **headers):
        return await hub.api(method, path, token, body, **headers)

    return call


@pytest.fixture
async def telegram():
    emulator = TelegramEmulator()
    await emulator.start()
    yield emulator
    await emulator.stop()


def bot(emulator, **more):
    return {
        "name": "bot", "plugin": "telegram", "team": "sales",
        "settings": {"token": emulator.token, "base_url": emulator.base_url, **more},
    }  # fmt: skip


async def test_a_form_that_was_added_takes_requests_at_once_and_stops_at_once(hub, api):
    assert (await hub.form({"phone": phone(1)}, account="second"))[0] == 404
    status, made = await api("POST", "/channels", {"name": "second", "plugin": "web_form"})
    assert (status, made["state"], made["origin"], made["version"]) == (201, "active", "workspace", 1)
    assert made["address"].endswith("/in/second")
    assert (await hub.form({"phone": phone(1)}, account="second"))[0] == 201
    status, found = await api("GET", "/channels/second")
    assert (found["offered"], found["stored"], found["repeated"], found["rejected"]) == (1, 1, 0, {})

    await api("POST", "/channels/second/pause", {})
    assert (await hub.form({"phone": phone(2)}, account="second"))[0] == 503
    await api("POST", "/channels/second/resume", {})
    assert (await hub.form({"phone": phone(2)}, account="second"))[0] == 201

    status, _ = await api("PATCH", "/channels/second", {"settings": {"rate_per_minute": 1}})
    assert status == 200
    assert [(await hub.form({"phone": phone(n)}, account="second"))[0] for n in (3, 4)] == [201, 429]

    await api("POST", "/channels/second/pause", {})
    status, gone = await api("DELETE", "/channels/second")
    assert (status, gone["state"]) == (200, "retired")
    assert (await hub.form({"phone": phone(5)}, account="second"))[0] == 404


async def test_a_bot_that_was_added_is_listened_to_and_a_changed_token_is_used(hub, api, telegram):
    status, made = await api("POST", "/channels", bot(telegram))
    assert (status, made["state"]) == (201, "active")
    telegram.say(telegram.add_customer(), "Чи є чоботи?")
    await until(lambda: hub.one("SELECT count(*) FROM request") == 1)

    await api("POST", "/channels/bot/pause", {})
    asked = len(telegram.calls)
    telegram.say(telegram.add_customer(), "А капці?")
    await asyncio.sleep(0.7)
    assert (len(telegram.calls), hub.one("SELECT count(*) FROM request")) == (asked, 1)

    await api("POST", "/channels/bot/resume", {})
    await until(lambda: hub.one("SELECT count(*) FROM request") == 2)
    position = hub.one("SELECT position FROM cursor WHERE account = 'bot'")

    await api("DELETE", "/channels/bot")
    assert hub.rows("SELECT key FROM account_secret WHERE account = 'bot'") == []
    assert hub.one("SELECT position FROM cursor WHERE account = 'bot'") == position
    telegram.say(telegram.add_customer(), "А шапки?")
    status, again = await api("POST", "/channels", bot(telegram))
    assert (status, again["state"]) == (201, "active")  # its name goes on where it stopped
    await until(lambda: hub.one("SELECT count(*) FROM request") == 3)


async def test_secrets_are_taken_and_never_shown(hub, api, telegram):
    await api("POST", "/channels", bot(telegram))
    for path in ("/channels", "/channels/bot", "/channels/bot/settings"):
        assert telegram.token not in str(await api("GET", path))
    status, shown = await api("GET", "/channels/bot/settings")
    assert (shown["secrets"], shown["settings"]) == (["token"], {"base_url": telegram.base_url})
    stored = hub.rows("SELECT keys FROM account") + hub.rows("SELECT value FROM account_secret")
    assert telegram.token not in str(stored)
    assert telegram.token not in str(hub.rows("SELECT body FROM audit"))
    status, changed = await api("PATCH", "/channels/bot", {"settings": {"groups": True}})
    assert (status, changed["version"], changed["state"]) == (200, 2, "active")
    status, tried = await api("POST", "/channels/bot/check", {})
    assert (status, tried["ok"]) == (200, True), tried  # the token is still there


async def test_a_try_says_what_the_other_side_answered(hub, api, telegram):
    await api(
        "POST", "/channels", bot(telegram) | {"settings": {"token": "1:wrong", "base_url": telegram.base_url}}
    )
    status, tried = await api("POST", "/channels/bot/check", {})
    assert (status, tried["ok"]) == (200, False)
    assert "enter the credentials of this account anew" in tried["said"]
    _, found = await api("GET", "/channels/bot")
    assert tried["said"].startswith(found["last_error"])  # the listener was told the same meanwhile
    await until(lambda: hub.one("SELECT state FROM account WHERE name = 'bot'") == "stopped")
    status, mended = await api("PATCH", "/channels/bot", {"settings": {"token": telegram.token}})
    assert (status, mended["state"]) == (200, "active")
    telegram.say(telegram.add_customer(), "Чи є чоботи?")
    await until(lambda: hub.one("SELECT count(*) FROM request") == 1)


async def test_a_carrier_that_was_added_is_asked_and_a_stop_holds(hub, api):
    emulator = NovaPoshtaEmulator(hub.hub.clock)
    base_url = await emulator.start()
    try:
        body = {
            "name": "np-two",
            "plugin": "nova_poshta",
            "settings": {"base_url": base_url, "api_key": "test-key"},
        }
        status, made = await api("POST", "/carriers", body)
        assert (status, made["state"], made["address"]) == (201, "active", None)
        status, tried = await api("POST", "/carriers/np-two/check", {})
        assert (status, tried["ok"]) == (200, True), tried
        assert "np-two" in hub.process._poller._carriers
        await api("POST", "/carriers/np-two/pause", {})
        assert "np-two" not in hub.process._poller._carriers
        await api("POST", "/carriers/np-two/check", {})
        _, found = await api("GET", "/carriers/np-two")
        assert found["state"] == "paused"  # a try switches nothing on
    finally:
        await emulator.stop()


@pytest.mark.parametrize(
    ("change", "paths"),
    [
        ({"name": "Bot!"}, {"name"}),
        ({"name": "form"}, {"name"}),  # of the file
        ({"name": "np"}, {"name"}),  # a carrier of the file
        ({"plugin": "pigeon"}, {"plugin"}),
        ({"team": "nobody"}, {"team"}),
        ({"settings": {}}, {"settings.token"}),
        (
            {"settings": {"token": "nonsense", "mode": "post", "odd": 1}},
            {"settings.token", "settings.mode", "settings.odd"},
        ),
        ({"name": "form", "team": "nobody", "settings": {}}, {"name", "team", "settings.token"}),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_told_all_at_once_with_its_path(hub, api, telegram, change, paths):
    status, problem = await api("POST", "/channels", bot(telegram) | change)
    assert status == 422
    assert {one["path"] for one in problem["errors"]} == paths
    assert telegram.token not in str(problem)


async def test_accounts_of_the_file_are_changed_in_the_file(hub, api):
    for method, path, body in (
        ("PATCH", "/channels/form", {"settings": {}}), ("DELETE", "/carriers/np", None),
        ("GET", "/channels/form/settings", None),
    ):  # fmt: skip
        status, problem = await api(method, path, body)
        assert (status, "settings file" in problem["detail"]) == (409, True), (method, path)
    assert (await api("POST", "/channels/form/pause", {}))[1]["state"] == "paused"
    assert (await hub.form({"phone": phone(1)}))[0] == 503
    assert (await api("POST", "/channels/form/resume", {}))[1]["state"] == "active"
    assert (await hub.form({"phone": phone(1)}))[0] == 201


async def test_two_people_do_not_overwrite_each_other(hub, api):
    await api("POST", "/channels", {"name": "second", "plugin": "web_form"})
    assert (await api("PATCH", "/channels/second", {"skill": "wholesale"}, If_Match='"1"'))[0] == 200
    assert (await api("PATCH", "/channels/second", {"skill": "retail"}, If_Match='"1"'))[0] == 412


async def test_without_a_key_only_accounts_without_secrets_are_taken(
    hub_url, tmp_path, monkeypatch, telegram
):
    monkeypatch.delenv("HUB_SECRET_KEY")
    async with running(hub_url, tmp_path) as hub:
        token = hub.token(Role.ADMIN)
        status, problem = await hub.api("POST", "/channels", token, bot(telegram))
        assert (status, "hub init" in problem["detail"]) == (409, True)
        assert hub.rows("SELECT name FROM account WHERE name = 'bot'") == []
        assert (await hub.api("POST", "/channels", token, {"name": "second", "plugin": "web_form"}))[0] == 201


async def test_they_are_there_after_a_restart_and_a_lost_key_is_told(
    hub_url, tmp_path, monkeypatch, telegram
):
    async with running(hub_url, tmp_path) as hub:
        await hub.api("POST", "/channels", hub.token(Role.ADMIN), bot(telegram))
        await hub.api("POST", "/channels", hub.token(Role.ADMIN), {"name": "second", "plugin": "web_form"})
        await hub.api("POST", "/channels/second/pause", hub.token(Role.ADMIN), {})
    async with running(hub_url, tmp_path) as hub:
        telegram.say(telegram.add_customer(), "Чи є чоботи?")
        await until(lambda: hub.one("SELECT count(*) FROM request") == 1)
        assert (await hub.form({"phone": phone(1)}, account="second"))[0] == 503  # switched off stays so
        assert hub.one("SELECT state FROM account WHERE name = 'second'") == "paused"
    monkeypatch.setenv("HUB_SECRET_KEY", "o" * 40)
    async with running(hub_url, tmp_path) as hub:
        token = hub.token(Role.ADMIN)
        await until(lambda: hub.one("SELECT state FROM account WHERE name = 'bot'") == "off")
        _, found = await hub.api("GET", "/channels/bot", token)
        assert "put the old key back" in found["reason"]
        status, mended = await hub.api(
            "PATCH", "/channels/bot", token, {"settings": {"token": telegram.token}}
        )
        assert (status, mended["state"]) == (200, "active")  # entered anew, under the present key


def test_the_same_name_in_file_and_database_is_an_error_in_words(hub_url, tmp_path):
    with opened(settings(hub_url, tmp_path)) as hub:
        wanted = Wanted(kind="channel", name="second", plugin="web_form", team="sales")
        hub.db.write_now(lambda tx: kept.add(tx, hub.plugins, hub.key, wanted))
    both = settings(hub_url, tmp_path, channels={"second": {"plugin": "web_form", "team": "sales"}})
    with pytest.raises(SettingsRejected, match=r"channels\.second: this name belongs to an account made in"):
        open_hub(both, serve=True)
    with opened(both) as hub:  # commands go on; the account of the workspace is untouched
        assert hub.db.read_now(lambda conn: accounts.get(conn, "channel", "second")).origin == "workspace"
        hub.db.write_now(lambda tx: kept.retire(tx, "channel", "second"))
    hub = open_hub(both, serve=True)
    try:
        record = hub.db.read_now(lambda conn: accounts.get(conn, "channel", "second"))
        assert (record.origin, record.state) == ("file", "active")
    finally:
        hub.close()


async def test_another_process_notices_within_two_seconds(postgres_url, start, tmp_path, telegram):
    """Made over one process: the other one takes its deliveries, and stops when it is switched off."""
    first = await start(postgres_url, people_named=["Ann"])
    second = await start(postgres_url)
    token = first.token(Role.ADMIN)
    await first.api("POST", "/channels", token, {"name": "second", "plugin": "web_form"})

    async def answers(status):
        return (await second.form({"phone": phone(1)}, account="second"))[0] == status

    await until(lambda: answers(201), 4, 0.1)
    await first.api("POST", "/channels/second/pause", token, {})
    await until(lambda: answers(503), 4, 0.1)
    await first.api("DELETE", "/channels/second", token)
    await until(lambda: answers(404), 4, 0.1)
    await first.api("POST", "/channels", token, bot(telegram))
    for _ in range(3):  # one of the two listens, the other one waits for its lease
        telegram.say(telegram.add_customer(), "Чи є чоботи?")
    await until(lambda: first.one("SELECT count(*) FROM message WHERE account = 'bot'") == 3)
    assert first.one("SELECT state FROM account WHERE name = 'bot'") == "active"


async def test_a_web_hook_is_set_for_a_new_account_and_taken_away_with_it(hub_url, start, telegram):
    hub = await start(hub_url, ticks=False, base_url="https://hub.example.com")
    token, watch = hub.token(Role.ADMIN), hub.process._watch
    await hub.api("POST", "/channels", token, bot(telegram, mode="webhook"))
    await watch.tick()
    assert telegram.webhook == "https://hub.example.com/in/bot"
    await hub.api("POST", "/channels/bot/pause", token, {})
    await watch.tick()
    assert telegram.webhook == ""
    await hub.api("POST", "/channels/bot/resume", token, {})
    await watch.tick()
    assert telegram.webhook == "https://hub.example.com/in/bot"
    await hub.api("DELETE", "/channels/bot", token)
    await watch.tick()
    assert telegram.webhook == ""


@pytest.mark.timeout(180)
async def test_hub_serve_takes_in_what_was_added_before_and_after_its_restart(hub_url, serve):
    """The scribe was forked before the account was there: the serving process does its work until the next start."""
    served = await asyncio.to_thread(serve, hub_url)
    made = await asyncio.to_thread(served.command, "token", "add", "boss", "--role", "admin", "--json")
    headers = {"Authorization": f"Bearer {json.loads(made.stdout)['token']}"}

    async def post(path, body):
        async with httpx.AsyncClient(base_url=served.base, headers=headers) as client:
            return (await client.post(path, json=body)).status_code

    assert await post("/api/v1/channels", {"name": "second", "plugin": "web_form"}) == 201
    assert await post("/in/second", {"phone": phone(1)}) == 201
    await asyncio.to_thread(served.stop)
    await asyncio.to_thread(served.start)
    assert [await post("/in/second", {"phone": phone(2)}), await post("/in/form", {"phone": phone(3)})] == [
        201,
        201,
    ]
    assert await post("/api/v1/channels/second/pause", {}) == 200
    assert await post("/in/second", {"phone": phone(4)}) == 503
