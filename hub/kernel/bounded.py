"""Runs a function that may never come back, in a thread of its own.

When the time is up the caller goes on, and the thread is told to end by an exception (PyThreadState_SetAsyncExc).
That ends Python code that spins. What it cannot end is code that does not come back to the interpreter: a sleep,
a lock, a loop inside a C library; such a thread stays behind until it comes back by itself or the process ends,
and takes no CPU unless the library does. A pool would not do: one full of hung functions would stop the hub.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


class GivenUp(Exception):
    """The function did not come back in time."""


class _End(BaseException):
    """Raised inside an abandoned thread. No Exception: an `except Exception` in there must not catch it."""


Done = Callable[[object, BaseException | None], None]


class Abandonable:
    """One call in its own thread. `done(value, error)` is called there, unless it was abandoned."""

    def __init__(self, call: Callable[[], object], done: Done, name: str) -> None:
        self._call = call
        self._done = done
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        value, problem = None, None
        try:
            value = self._call()
        except _End:
            return
        except BaseException as error:  # noqa: BLE001 - a boundary: SystemExit in there ends no thread of ours
            problem = error
        self._done(value, problem)

    def wait(self, limit_s: float) -> bool:
        """Block until it is done; False: the time is up."""
        self._thread.join(limit_s)
        return not self._thread.is_alive()

    def abandon(self) -> None:
        """Ask the thread to end at its next step in the interpreter."""
        if self._thread.ident is not None and self._thread.is_alive():
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(self._thread.ident), ctypes.py_object(_End)
            )


def bounded(call: Callable[[], Value], limit_s: float, name: str) -> Value:
    """Call it and wait, at most `limit_s`. Raises GivenUp, and what the function raises."""
    found: list[tuple[object, BaseException | None]] = []
    running = Abandonable(call, lambda value, error: found.append((value, error)), name)
    if not running.wait(limit_s) and not found:
        running.abandon()
        raise GivenUp(name)
    value, error = found[0]
    if error is not None:
        raise error
    return value  # type: ignore[return-value]  # what `call` returned
