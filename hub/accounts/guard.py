"""Runs a plugin's synchronous method so that it can harm its own account only.

The call has a thread of its own, not one of the loop's pool: a pool full of hung plugins would stop the hub, and its
shutdown would wait for them. When the time is up the caller goes on, and the thread is told to end by an exception
(PyThreadState_SetAsyncExc). That ends Python code that spins. What it cannot end is code that does not come
back to the interpreter: a sleep, a lock, a loop inside a C library; such a thread stays behind until
it comes back by itself or the process ends, and takes no CPU unless the library does.

`verify` and `parse` have a guard of their own that takes what has queued up in one go (hub/intake/parser.py).
"""

from __future__ import annotations

import asyncio
import ctypes
import threading
from collections.abc import Callable
from typing import TypeVar

from hub.kernel.errors import HubError

Value = TypeVar("Value")

LIMIT_S = {"page": 1.0, "looks_like": 0.5}
"""How long a method may take, in seconds of the clock on the wall: thread start and a busy machine included."""


class PluginMisbehaved(HubError):
    """A plugin did not come back, raised, or returned what it may not return. `how`: hung, raised, nonsense."""

    def __init__(self, how: str, detail: str = "") -> None:
        super().__init__(f"the plugin {how}{f' ({detail})' if detail else ''}", how=how)
        self.how = how


class _GiveUp(BaseException):
    """Raised inside an abandoned thread. No Exception: a plugin's own `except Exception` must not catch it."""


async def guarded(
    method: str, call: Callable[[], object], returns: type[Value] | tuple[type[Value], ...]
) -> Value:
    """One call under its time limit, its value checked by type. Raises PluginMisbehaved."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[object] = loop.create_future()

    def deliver(value: object, error: BaseException | None) -> None:
        if future.done():
            return  # given up meanwhile
        if error is not None:
            future.set_exception(PluginMisbehaved("raised", type(error).__name__))
        else:
            future.set_result(value)

    def work() -> None:
        value, problem = None, None
        try:
            value = call()
        except _GiveUp:
            return
        except BaseException as error:  # noqa: BLE001 - a boundary: SystemExit of a plugin ends no thread of ours
            problem = error
        try:
            loop.call_soon_threadsafe(deliver, value, problem)
        except RuntimeError:
            return  # the loop has ended: nobody waits any more

    thread = threading.Thread(target=work, name=f"hub-plugin-{method}", daemon=True)
    thread.start()
    try:
        async with asyncio.timeout(LIMIT_S[method]):
            value = await future
    except TimeoutError:
        _stop(thread)
        raise PluginMisbehaved("hung") from None
    if not isinstance(value, returns):
        raise PluginMisbehaved("nonsense", type(value).__name__)
    return value


def _stop(thread: threading.Thread) -> None:
    """Ask a thread to end at its next step in the interpreter."""
    if thread.ident is not None and thread.is_alive():
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(_GiveUp))
