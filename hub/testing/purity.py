"""Sees what code that ought to be pure does to the world, and what it says."""

from __future__ import annotations

import gc
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

_watch = threading.local()
_hooked: list[bool] = []
_FORBIDDEN = (
    "socket.",
    "subprocess.",
    "os.system",
    "os.remove",
    "os.rename",
    "os.mkdir",
    "os.fork",
    "os.exec",
)
_WRITING = frozenset("wax+")


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    deeds: list[str] | None = getattr(_watch, "deeds", None)
    if deeds is None:
        return
    if event.startswith(_FORBIDDEN):
        deeds.append(event)
        raise PermissionError(f"{event}: this method is pure")
    if event == "open" and _writes(arguments):
        deeds.append(event)


def _writes(arguments: tuple[object, ...]) -> bool:
    """A late import may leave its compiled form behind; anything else written counts."""
    path, mode = str(arguments[0]), arguments[1]
    return isinstance(mode, str) and bool(_WRITING & set(mode)) and "__pycache__" not in path


@contextmanager
def watched() -> Iterator[list[str]]:
    """Lists what this thread does to the world, and stops it from reaching the network."""
    if not _hooked:
        sys.addaudithook(_audit)  # cannot be taken away again; it does nothing outside this block
        _hooked.append(True)
    deeds: list[str] = []
    _watch.deeds = deeds
    try:
        yield deeds
    finally:
        _watch.deeds = None


def told(error: object) -> str:
    """An error as a careless log would show it, with its causes; "" for anything else."""
    if not isinstance(error, BaseException):
        return ""
    return "".join(traceback.format_exception(error)) + repr(error.args) + str(vars(error))


class Spent:
    """CPU seconds of this thread in a block, in `s` after it, without the garbage collector.

    The collector goes through all that the test process holds, which is no cost of the code in the block.
    """

    s = 0.0

    def __enter__(self) -> Spent:
        self._collects = gc.isenabled()
        gc.disable()
        self._started = time.thread_time()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.s = time.thread_time() - self._started
        if self._collects:
            gc.enable()
