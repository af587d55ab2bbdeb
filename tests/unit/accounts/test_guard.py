"""A plugin's method that spins, hangs, raises or returns nonsense costs its caller a moment, and nobody else."""

import asyncio
import threading
import time

import pytest

from hub.accounts import guard
from hub.accounts.guard import PluginMisbehaved, guarded


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setitem(guard.LIMIT_S, "page", 0.2)


def plugin_threads():
    return [one for one in threading.enumerate() if one.name == "hub-plugin-page" and one.is_alive()]


async def test_a_good_call_gives_its_value():
    assert await guarded("page", lambda: "text", str) == "text"


async def test_a_spinning_call_is_given_up_and_its_thread_ends():
    def spin():
        while True:
            try:
                sum(range(50))
            except Exception:  # noqa: BLE001 - the very carelessness that is tried
                continue  # what a careless plugin does

    with pytest.raises(PluginMisbehaved) as caught:
        await guarded("page", spin, str)
    assert caught.value.how == "hung"
    for _ in range(100):
        if not plugin_threads():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the thread spins on")


async def test_a_sleeping_call_holds_nobody_and_its_late_value_is_dropped():
    let_go = threading.Event()
    started = time.monotonic()
    with pytest.raises(PluginMisbehaved):
        await guarded("page", lambda: let_go.wait(10), bool)
    assert time.monotonic() - started < 2
    let_go.set()
    await asyncio.sleep(0.05)


@pytest.mark.parametrize("error", [ValueError("words of a customer"), SystemExit(3), KeyboardInterrupt()])
async def test_whatever_is_raised_is_the_plugin_s_own_matter(error):
    def fail():
        raise error

    with pytest.raises(PluginMisbehaved) as caught:
        await guarded("page", fail, str)
    assert caught.value.how == "raised"
    assert "customer" not in caught.value.message


async def test_a_value_of_another_type_is_nonsense():
    with pytest.raises(PluginMisbehaved) as caught:
        await guarded("page", lambda: 5, (str, type(None)))
    assert caught.value.how == "nonsense"


async def test_the_loop_lives_on_while_plugins_hang():
    let_go = threading.Event()
    calls = [guarded("page", lambda: let_go.wait(10), bool) for _ in range(20)]
    gathered = asyncio.gather(*calls, return_exceptions=True)
    turns = 0
    while not gathered.done():
        await asyncio.sleep(0.01)
        turns += 1
    let_go.set()
    assert turns > 5
    assert all(isinstance(one, PluginMisbehaved) for one in await gathered)
