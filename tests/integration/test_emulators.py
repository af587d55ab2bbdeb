"""Each emulator from outside: started by name, asked by its plugin, faulty on command, and honest about itself."""

import asyncio
import inspect
import json
import pkgutil
import signal
import subprocess
import tomllib

import aiohttp
import pytest
from click.testing import CliRunner

import hub.testing.emulators
from hub.cli import main
from hub.loader import load_plugins
from hub.sdk import PluginError, TrackingNumber
from hub.testing.emulators.catalogue import EMULATORS, PREFIX, make
from hub.testing.host import LoopbackHost
from tests.integration.hubs import HUB, environment

PLUGINS = load_plugins()
NUMBERS = {
    "nova_poshta": "20450000000001",
    "ukrposhta": "0500000000019",
    "meest": "MYCV999000001UA",
    "delivery": "0830000001",
    "rozetka_delivery": "RZ000000001",
}
CARRIERS = [one for one in EMULATORS.values() if one.section == "carriers"]
CHATS = [one for one in EMULATORS.values() if one.section == "channels"]


def kind_of(entry):
    return (PLUGINS.carriers if entry.section == "carriers" else PLUGINS.channels)[entry.plugin]


def built(entry, base_url, host):
    """The plugin's object from the very lines that `hub emulate` prints."""
    [account] = tomllib.loads(entry.settings(base_url))[entry.section].values()
    assert account.pop("plugin") == entry.plugin
    kind = kind_of(entry)
    return kind.create("emulated", kind.settings.model_validate(account), host)


def test_every_emulator_of_the_package_is_in_the_catalogue():
    modules = {
        module.name: __import__(module.name, fromlist=["x"])
        for module in pkgutil.iter_modules(hub.testing.emulators.__path__, "hub.testing.emulators.")
    }
    kinds = {
        kind.__name__
        for name, module in modules.items()
        for kind in vars(module).values()
        if inspect.isclass(kind) and kind.__module__ == name and kind.__name__.endswith("Emulator")
    } - {"Emulator"}
    assert kinds == {one.kind for one in EMULATORS.values()} - {"FormCustomerDesk"}


@pytest.mark.parametrize("entry", CARRIERS, ids=lambda one: one.name)
async def test_a_carrier_is_asked_by_its_plugin_and_fails_on_command(entry):
    emulator = entry.make(*_world())
    base_url = await emulator.start()
    try:
        async with LoopbackHost() as host, aiohttp.ClientSession() as http:
            carrier = built(entry, base_url, host)
            number = TrackingNumber(
                number=carrier.looks_like(NUMBERS[entry.name]).number or NUMBERS[entry.name]
            )
            root = base_url.split("/", 3)[:3]
            outside = "/".join(root)
            async with http.post(f"{outside}{PREFIX}/parcels", json={"number": number.number}) as answer:
                assert answer.status == 200, await answer.text()
            assert (await carrier.track([number])).tracked
            async with http.post(f"{outside}{PREFIX}/fail", json={"kind": "http_500", "n": 5}) as answer:
                assert answer.status == 200
            with pytest.raises(PluginError):
                await carrier.track([number])
            async with http.get(f"{outside}{PREFIX}") as answer:
                told = await answer.json()
            assert number.number in told["parcels"]
            assert told["calls"] >= 1
            await _is_honest(http, outside, entry)
    finally:
        await emulator.stop()


@pytest.mark.parametrize("entry", CHATS, ids=lambda one: one.name)
async def test_a_chat_is_checked_by_its_plugin_and_its_customers_write_on_command(entry, cleanup):
    emulator = entry.make(*_world())
    base_url = await emulator.start()
    try:
        async with LoopbackHost() as host, aiohttp.ClientSession() as http:
            channel = built(entry, base_url, host)
            if channel.capabilities.registers:
                await channel.open_webhook(await _listener(cleanup))
            assert await channel.check()
            outside = "/".join(base_url.split("/", 3)[:3])
            async with http.post(f"{outside}{PREFIX}/say", json={"text": "hello"}) as answer:
                assert answer.status == 200, await answer.text()
            async with http.post(f"{outside}{PREFIX}/fail", json={"kind": "http_401", "n": 9}) as answer:
                assert answer.status == 200
            with pytest.raises(PluginError):
                await channel.check()
            await channel.close()
            await _is_honest(http, outside, entry)
    finally:
        await emulator.stop()


@pytest.fixture
async def cleanup():
    runners: list[aiohttp.web.AppRunner] = []
    yield runners
    for runner in runners:
        await runner.cleanup()


async def _listener(runners):
    """Somebody who takes every call of a web hook; the address."""

    async def take(request):
        return aiohttp.web.Response()

    app = aiohttp.web.Application()
    app.router.add_route("*", "/{tail:.*}", take)
    runners.append(aiohttp.web.AppRunner(app))
    await runners[-1].setup()
    await aiohttp.web.TCPSite(runners[-1], "127.0.0.1", 0).start()
    return f"http://127.0.0.1:{runners[-1].addresses[0][1]}/in/account"


def _world():
    from hub.kernel.clock import SystemClock

    return SystemClock(), 0.01


async def _is_honest(http, outside, entry):
    """Page, state, refusals, and what the service has no answer for: each says that it is an emulator."""
    for method, path in [
        ("GET", "/"),
        ("GET", PREFIX),
        ("POST", f"{PREFIX}/fail"),
        ("POST", f"{PREFIX}/nothing"),
        ("GET", "/no/such/path"),
    ]:
        async with http.request(method, outside + path) as answer:
            assert answer.headers["X-Emulator"] == entry.name, path
            if path == "/":
                words = await answer.text()
                assert "emulator" in words
                assert "емулятор" in words
            elif path.startswith(PREFIX):
                assert (await answer.json())["emulator"] == entry.name
                assert (answer.status == 200) == (path == PREFIX)


async def test_the_form_customer_posts_where_it_is_aimed_and_says_what_it_is():
    posted = []

    async def form(request):
        posted.append((request.headers["X-Emulator"], await request.json()))
        return aiohttp.web.json_response({"request_id": "7"}, status=201)

    app = aiohttp.web.Application()
    app.router.add_post("/in/form", form)
    runner = aiohttp.web.AppRunner(app)
    await runner.setup()
    await aiohttp.web.TCPSite(runner, "127.0.0.1", 0).start()
    desk = make("form_customer")
    desk.aim(f"http://127.0.0.1:{runner.addresses[0][1]}/in/form")
    base = await desk.start()
    async with aiohttp.ClientSession() as http:
        async with http.post(f"{base}{PREFIX}/post") as answer:
            assert (await answer.json())["request_id"] == "7"
        await _is_honest(http, base, EMULATORS["form_customer"])
    await desk.stop()
    await runner.cleanup()
    [(mark, fields)] = posted
    assert mark == "form_customer"
    assert "emulated" in fields["note"]


async def test_an_emulator_runs_as_a_command_until_it_is_told_to_stop():
    process = await asyncio.create_subprocess_exec(
        HUB, "emulate", "delivery", "--port", "0", "--json", stdout=subprocess.PIPE, env=environment()
    )
    assert process.stdout is not None
    told = json.loads(await process.stdout.readline())
    assert told["emulator"] == "delivery"
    assert f'base_url = "{told["base_url"]}"' in told["settings"]
    async with aiohttp.ClientSession() as http, http.get(f"{told['base_url']}GetRegionList") as answer:
        assert answer.headers["X-Emulator"] == "delivery"
        assert (await answer.json())["message"] == "emulator:delivery"
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 10) == 0


def test_without_a_name_all_are_listed_and_a_wrong_name_is_refused():
    listed = CliRunner().invoke(main, ["emulate", "--json"])
    assert [one["emulator"] for one in json.loads(listed.output)] == list(EMULATORS)
    for arguments, words in (
        (["nobody"], "no emulator nobody: there are nova_poshta"),
        (["form_customer"], "needs --to"),
        (["viber", "--to", "http://x/"], "--to is for form_customer"),
    ):
        refused = CliRunner().invoke(main, ["emulate", *arguments])
        assert refused.exit_code == 2
        assert words in refused.output
