"""Throws a plugin out that holds up the event loop, in an endless loop or in a sleep.

A time limit of asyncio does not help there: it needs the loop to run. So a thread looks now and then whether
the loop's thread is still in the same step of a plugin, and then sends it a signal whose handler raises LoopHeld,
if it is still there. The handler runs in the loop's own thread, so there is no moment at which it could hit code
of the hub: it looks itself, and raises in the plugin's code or not at all. A signal also ends a sleep, which an
exception that is merely set for a thread does not.

Signals reach the main thread only, which is where `hub serve` has its loop. Elsewhere steps are not watched.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

Value = TypeVar("Value")

TICK_S = 0.05
HELD_S = 1.0
PARK_AFTER = 40
"""Ticks without any step after which the thread sleeps until there is one: an idle hub takes no CPU."""


class LoopHeld(BaseException):
    """Raised in a plugin's code. No Exception: its own `except Exception` must not catch it."""


class LoopWatch:
    """One for the process. `step` is cheap: it notes where the loop is, and no more."""

    def __init__(self) -> None:
        self._current = 0  # the serial number of the step that runs; 0 between steps
        self._limit_s = HELD_S
        self._serial = 0
        self._fired = 0
        self._thread: threading.Thread | None = None
        self._parked = False
        self._wake = threading.Event()

    def step(self, limit_s: float | None, call: Callable[..., Value], *arguments: object) -> Value:
        """Run one step of a plugin. Raises LoopHeld, and what the step raises."""
        if threading.current_thread() is not threading.main_thread():
            return call(*arguments)
        if self._thread is None or self._parked or not self._thread.is_alive():
            self._begin()
        self._limit_s = HELD_S if limit_s is None else limit_s
        self._serial += 1
        try:
            try:
                self._current = self._serial
                return call(*arguments)
            finally:
                self._current = 0
        except LoopHeld:
            self._current = 0  # thrown between the step's end and the line above
            raise

    def _begin(self) -> None:
        if self._thread is None or not self._thread.is_alive():  # not yet, or in a forked process
            signal.signal(signal.SIGUSR2, self._throw)
            self._thread = threading.Thread(target=self._look_on, name="hub-loop-watch", daemon=True)
            self._parked = False
            self._thread.start()
        self._parked = False
        self._wake.set()

    def _throw(self, _number: int, _frame: FrameType | None) -> None:
        if self._current and self._current == self._fired:
            raise LoopHeld

    def _look_on(self) -> None:
        """Ticks in the same step are counted, not read off a clock: a machine that stood still ends nobody."""
        main = threading.main_thread().ident
        assert main is not None
        seen, ticks, quiet, last = 0, 0, 0, 0
        while True:
            time.sleep(TICK_S)
            current, serial = self._current, self._serial
            quiet = quiet + 1 if serial == last and not current else 0
            last = serial
            if current and current == seen:
                ticks += 1
                if ticks * TICK_S >= self._limit_s:
                    ticks = 0
                    self._fired = current
                    signal.pthread_kill(main, signal.SIGUSR2)
            else:
                seen, ticks = current, 0
            if quiet >= PARK_AFTER:
                quiet = 0
                self._park()

    def _park(self) -> None:
        self._wake.clear()
        self._parked = True
        if self._current:  # a step began while we lay down
            self._parked = False
            return
        self._wake.wait()


WATCH = LoopWatch()
