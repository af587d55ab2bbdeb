"""The scribe's own process: it understands what comes, commits it, and says what became of each.

One thread does it all, so nothing waits for the interpreter's lock - but for the disk. While a commit waits
there, in a thread that needs no lock for it, the next deliveries are read and understood; they are written with
the next commit. Nothing is answered before its own commit is over.
"""

from __future__ import annotations

import ctypes
import os
import queue
import select
import signal
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from hub.db.writer import Batched, BatchHandler, Writer
from hub.intake.blobs import BlobStore
from hub.intake.model import Prepared
from hub.intake.parser import (
    HUNG_TICKS,
    TICK_S,
    ChannelAccount,
    Job,
    Parsed,
    PluginHung,
    given_up,
    understand,
)
from hub.intake.stowing import Stowing, is_large
from hub.intake.wire import READ, Answer, cut, framed, said
from hub.kernel.clock import moment
from hub.kernel.collector import calm_collector
from hub.sdk.messages import RawDelivery

log = structlog.get_logger("hub.intake.scribe")

SWITCH_S = 0.001
"""How long a finished commit may wait for the interpreter's lock."""
HEARTBEAT_S = 5.0
"""While nothing but a slow blob store is waited for, the serving process hears so often that this one lives."""
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Desk:
    """What the scribe works with, in its own process. Its writer has no thread: the scribe is its thread."""

    writer: Writer
    handler: BatchHandler
    accounts: Mapping[str, ChannelAccount]
    blobs: BlobStore


Build = Callable[[int, int], Desk]
"""(node number, not before) -> the scribe's desk."""


def live(theirs: socket.socket, build: Build) -> None:
    """All of the scribe's life; never returns."""
    code = 1
    try:
        _die_with_parent()
        for number in (signal.SIGINT, signal.SIGTERM):  # the serving process ends us, by closing the line
            signal.signal(number, signal.SIG_IGN)
        _work(theirs, build)
        code = 0
    except BaseException as error:  # noqa: BLE001 - the end of a process: say why, then go
        log.error("scribe_raised", error=type(error).__name__)
    finally:
        os._exit(code)  # nothing that the serving process has set up for its own end may run here


def _die_with_parent() -> None:
    with suppress(OSError, AttributeError):  # not Linux: the closed line ends us as well
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _work(theirs: socket.socket, build: Build) -> None:
    came = bytearray()
    while not (frames := cut(came)):
        data = theirs.recv(READ)
        if not data:
            return
        came += data
    desk = build(*frames[0])
    calm_collector()
    sys.setswitchinterval(SWITCH_S)
    clerk = Clerk(theirs, desk, came)
    desk.writer.committing = clerk.commit
    for frame in frames[1:]:
        clerk.waiting.extend(frame)
    while clerk.read():
        clerk.write_down()


class Clerk:
    """Reads, understands, commits, answers. `waiting` has come and is not understood yet."""

    def __init__(self, line: socket.socket, desk: Desk, came: bytearray) -> None:
        self._line = line
        self._desk = desk
        self._came = came
        self._guard = Guard()
        self._stowing = Stowing(desk.blobs)
        self._stowed: queue.SimpleQueue[tuple[int, RawDelivery, Parsed]] = queue.SimpleQueue()
        self._stowed_bell, self._stowed_rope = socket.socketpair()
        self._ended = False
        self._works: list[Batched] = []
        self._answers: list[Answer] = []
        self.waiting: deque[Answer] = deque()
        self._commits: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._failed: BaseException | None = None
        self._broken: Exception | None = None
        self._over = False
        self._bell, self._rope = socket.socketpair()
        threading.Thread(target=self._wait_for_disk, name="hub-scribe-commit", daemon=True).start()

    def read(self) -> bool:
        """Wait until there is something to do; False once the serving process has nothing more to say."""
        while not (self.waiting or self._works or self._answers):
            if self._stowing.waiting:
                self._listen()
            elif self._ended:
                break
            else:
                self._receive()
        return bool(self.waiting or self._works or self._answers)

    def write_down(self) -> None:
        """Understand what has come, commit it, and say what became of each."""
        self._understand()
        works, answers = self._works, self._answers
        self._works, self._answers = [], []
        self._desk.writer.commit_here(works)
        if answers:
            self._line.sendall(framed(answers))
        if self._broken is not None:
            raise self._broken

    def commit(self, commit: Callable[[], object]) -> None:
        """Run a commit, and understand meanwhile what comes; raises what the commit raises."""
        self._failed, self._over = None, False
        self._commits.put(commit)
        try:
            self._meanwhile()
        except Exception as error:  # noqa: BLE001 - no fault of the commit: raised once its batch is answered
            self._broken = error
        self._bell.recv(1)
        if self._failed is not None:
            raise self._failed

    def _meanwhile(self) -> None:
        while not self._over and self._broken is None:
            self._understand(until_over=True)
            if self._listen(self._bell):
                return

    def _listen(self, *bells: socket.socket) -> bool:
        """Wait until something comes, is stored, or one of `bells` rings: then True."""
        lines = [self._stowed_bell] if self._ended else [self._stowed_bell, self._line]
        ready, _, _ = select.select([*bells, *lines], [], [], None if bells else HEARTBEAT_S)
        if not ready:
            self._line.sendall(framed([]))
        if any(bell in ready for bell in bells):
            return True
        if self._stowed_bell in ready:
            self._take_stowed()
        if self._line in ready:
            self._receive()
        return False

    def _wait_for_disk(self) -> None:
        while True:
            try:
                self._commits.get()()
            except BaseException as error:  # noqa: BLE001 - raised in the thread that asked for it
                self._failed = error
            self._over = True
            self._rope.send(b"\0")

    def _receive(self) -> None:
        data = self._line.recv(READ)
        self._ended = not data
        self._came += data
        for frame in cut(self._came):
            self.waiting.extend(frame)

    def _understand(self, *, until_over: bool = False) -> None:
        if not self.waiting:
            return
        with self._guard:
            while self.waiting and not (until_over and self._over):
                self._one(self.waiting.popleft())

    def _one(self, delivery: Answer) -> None:
        serial, account, method, path, headers, query, body, address, received_at = delivery
        if account not in self._desk.accounts:
            self._answers.append((serial, "not_here"))
            return
        raw = RawDelivery(
            account=account, method=method, path=path, headers=headers, query=query, body=body, address=address,
            received_at=moment(received_at),
        )  # fmt: skip
        result = self._guard.understand(Job(self._desk.accounts[account], raw))
        if isinstance(result, Prepared) and is_large(raw, result):
            self._stowing.put(raw, result, lambda stowed: self._ring_stowed(serial, raw, stowed))
        else:
            self._understood(serial, raw, result)

    def _ring_stowed(self, serial: int, raw: RawDelivery, result: Parsed) -> None:
        """In another thread: its bytes are safe, or could not be stored."""
        self._stowed.put((serial, raw, result))
        self._stowed_rope.send(b"\0")

    def _take_stowed(self) -> None:
        for _ in self._stowed_bell.recv(READ):
            self._stowing.waiting -= 1
            self._understood(*self._stowed.get())

    def _understood(self, serial: int, raw: RawDelivery, result: Parsed) -> None:
        """It goes into the next commit, and is answered with it."""
        asked = _Asked(serial, self._answers)
        if isinstance(result, Prepared):
            self._works.append(Batched(self._desk.handler, result, len(raw.body), asked))
        else:
            asked.settle(None, result)


class _Asked:
    """The delivery of one serial number waits."""

    __slots__ = ("_answers", "_serial")
    loop = None

    def __init__(self, serial: int, answers: list[Answer]) -> None:
        self._serial = serial
        self._answers = answers

    def settle(self, result: Any, error: BaseException | None) -> None:
        self._answers.append((self._serial, *said(result, error)))


class Guard:
    """Throws a plugin out of its own endless loop: the parser's watch (`hub.intake.parser`), for one thread.

    A timer interrupts the thread each tick; a delivery that is still being understood HUNG_TICKS ticks later
    is given up. What hangs outside of Python's reach is ended by the serving process (`STUCK_S`).
    """

    def __init__(self) -> None:
        self._current: Job | None = None
        self._ticks = 0

    def __enter__(self) -> None:
        """Begin to watch; in the main thread, which is the one that gets signals."""
        signal.signal(signal.SIGALRM, self._tick)
        signal.setitimer(signal.ITIMER_REAL, TICK_S, TICK_S)

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)

    def understand(self, job: Job) -> Parsed:
        """As `hub.intake.parser.understand`; a hung plugin's delivery comes back as pending."""
        self._ticks = 0
        try:
            self._current = job
            try:
                return understand(job)
            finally:
                self._current = None
        except PluginHung:
            return given_up(job)

    def _tick(self, _number: int, _frame: object) -> None:
        if self._current is not None and not self._current.read:
            self._ticks += 1
            if self._ticks >= HUNG_TICKS:
                raise PluginHung
