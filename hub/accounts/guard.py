"""Calls a plugin's methods so that it can harm its own account only: the table of limits, and three ways to call.

    guarded      from the event loop, a synchronous method: in a thread of its own (hub/kernel/bounded.py)
    guarded_now  the same from a thread that waits
    called       an asynchronous method: in the event loop, under a watch that throws out what holds the loop

`verify` and `parse` have a guard of their own that takes what has queued up in one go (hub/intake/parser.py, in
the scribe hub/intake/scribe.py). `answer` is called once for each delivery: a thread for it would cost more than
all the rest of a delivery, so it runs in the loop under the same watch as the asynchronous methods.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping
from typing import Any, TypeVar

from hub.accounts.loopwatch import WATCH, LoopHeld
from hub.kernel.bounded import Abandonable, GivenUp, bounded
from hub.kernel.errors import HubError
from hub.sdk.errors import PluginError
from hub.sdk.soundness import Nonsense, check_sound

Value = TypeVar("Value")

LIMIT_S: dict[str, float] = {
    "create": 10.0,
    "page": 1.0,
    "answer": 0.25,
    "refusal": 0.25,
    "looks_like": 0.5,
    "pull": 75.0,  # it waits for news up to 20 s
    "taken": 28.0,
    "rescan": 110.0,
    "ask": 4.8,
    "send": 29.0,
    "fetch": 55.0,
    "check": 19.0,
    "open_webhook": 19.0,
    "close_webhook": 19.0,
    "close": 2.8,
    "track": 38.0,
    "notices": 9.0,
    "changes": 58.0,
    "documents": 58.0,
    "transfers": 58.0,
}
"""How long a method may take, in seconds of the clock on the wall: thread start and a busy machine included.

A little less than its caller waits, so that the guard is the first to notice. `docs/plugins.md` shows it.
"""

HELD_S: Mapping[str, float] = {"answer": LIMIT_S["answer"], "refusal": LIMIT_S["refusal"]}
"""How long one step in the event loop may hold it; for what is not listed one second."""


class PluginMisbehaved(HubError):
    """A plugin did not come back, raised, or returned what it may not return. `how`: hung, held, raised, nonsense."""

    WORDS: Mapping[str, str] = {
        "hung": "its plugin did not come back from {method} in time",
        "held": "its plugin held up the whole hub in {method} and was thrown out",
        "raised": "its plugin raised {detail}",
        "nonsense": "its plugin returned nonsense from {method} ({detail})",
    }

    def __init__(self, how: str, method: str, detail: str = "") -> None:
        super().__init__(self.WORDS[how].format(method=method, detail=detail), how=how)
        self.how = how


async def guarded(
    method: str, call: Callable[[], object], returns: type[Value] | tuple[type[Value], ...]
) -> Value:
    """One synchronous call under its time limit, its value checked by type. Raises PluginMisbehaved."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[object] = loop.create_future()

    def settle(value: object, error: BaseException | None) -> None:
        if future.done():
            return  # given up meanwhile
        if error is not None:
            future.set_exception(PluginMisbehaved("raised", method, type(error).__name__))
        else:
            future.set_result(value)

    def deliver(value: object, error: BaseException | None) -> None:
        try:
            loop.call_soon_threadsafe(settle, value, error)
        except RuntimeError:
            return  # the loop has ended: nobody waits any more

    running = Abandonable(call, deliver, f"hub-plugin-{method}")
    try:
        async with asyncio.timeout(LIMIT_S[method]):
            value = await future
    except TimeoutError:
        running.abandon()
        raise PluginMisbehaved("hung", method) from None
    return _of(method, value, returns)


def guarded_now(
    method: str, call: Callable[[], object], returns: type[Value] | tuple[type[Value], ...]
) -> Value:
    """The same from a thread that waits; what the contract lets a plugin raise passes. Raises PluginMisbehaved."""
    try:
        value = bounded(call, LIMIT_S[method], f"hub-plugin-{method}")
    except GivenUp:
        raise PluginMisbehaved("hung", method) from None
    except PluginError:
        raise
    except BaseException as error:  # noqa: BLE001 - a boundary: SystemExit of a plugin ends no thread of ours
        raise PluginMisbehaved("raised", method, type(error).__name__) from None
    return _of(method, value, returns)


async def called(
    method: str, call: Callable[[], Awaitable[object]], returns: type[Value] | tuple[type[Value], ...]
) -> Value:
    """One asynchronous call. Raises what the contract lets a plugin raise, its own TimeoutError, PluginMisbehaved."""
    try:
        async with asyncio.timeout(LIMIT_S[method]) as limit:
            value = await _Steps(call, HELD_S.get(method))
    except (PluginError, asyncio.CancelledError):
        raise
    except TimeoutError:
        if limit.expired():
            raise PluginMisbehaved("hung", method) from None
        raise
    except LoopHeld:
        raise PluginMisbehaved("held", method) from None
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - a boundary, as above
        raise PluginMisbehaved("raised", method, type(error).__name__) from None
    return _of(method, value, returns)


def in_the_loop(method: str, call: Callable[..., object], *arguments: object) -> object:
    """A quick synchronous call in the loop, thrown out when it holds the loop: PluginMisbehaved("held")."""
    try:
        return WATCH.step(HELD_S.get(method), call, *arguments)
    except LoopHeld:
        raise PluginMisbehaved("held", method) from None


def _of(method: str, value: object, returns: type[Value] | tuple[type[Value], ...]) -> Value:
    """The value, if it is what the contract says, down to its last field."""
    if not isinstance(value, returns):
        raise PluginMisbehaved("nonsense", method, type(value).__name__)
    try:
        check_sound(value)
    except Nonsense as nonsense:
        raise PluginMisbehaved("nonsense", method, str(nonsense)) from None
    return value


class _Steps:
    """Drives an awaitable step by step, each one watched: what runs between two awaits is the plugin's own code."""

    def __init__(self, call: Callable[[], Awaitable[object]], held_s: float | None) -> None:
        self._call = call
        self._held_s = held_s

    def __await__(self) -> Generator[Any, Any, object]:
        awaitable: object = WATCH.step(self._held_s, self._call)
        if not inspect.isawaitable(awaitable):
            return awaitable  # nonsense: refused by its type
        steps: Iterator[Any] = awaitable.__await__()
        thrown: BaseException | None = None
        while True:
            try:
                if thrown is None:
                    waits_for = WATCH.step(self._held_s, next, steps)
                else:
                    waits_for = WATCH.step(self._held_s, steps.throw, thrown)  # type: ignore[attr-defined]
            except StopIteration as done:
                return done.value
            thrown = None
            try:
                yield waits_for
            except BaseException as error:  # noqa: BLE001 - whatever the loop throws in is the plugin's to handle
                thrown = error
