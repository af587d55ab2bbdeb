"""The scribe: a process of its own that understands and commits what comes in at `/in`.

Why: one interpreter runs one thread of Python at a time. With the web server in one process and parser and
planner in another, `hub serve` uses two cores, and neither waits for the other's interpreter lock.

The scribe is forked before this process has opened a database or started a thread, so it shares the memory
of everything imported so far. Both sides talk over a pair of sockets, in frames of many deliveries:

    serving process -> scribe    (serial, account, method, path, headers, query, body, address, received at)
    scribe -> serving process    (serial, kind of answer, its values), after the commit; an empty frame now and then
                                 while it waits for a slow blob store

Nothing is acknowledged that the scribe has not committed. It dies with the serving process. Where it dies
alone, what was under way is answered 503, and from then on the serving process does the work itself, in the
same way but with one core: `Door` needs no scribe.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import structlog

from hub.coordination.nodes import NodeLease
from hub.db.writer import MAX_QUEUED_BYTES, MAX_QUEUED_ITEMS, SIZES
from hub.intake.clerk import Build, live
from hub.intake.model import KeyReused, Result
from hub.intake.wire import Answer, cut, framed
from hub.kernel.clock import instant
from hub.kernel.errors import Unavailable
from hub.kernel.recent import RecentMax
from hub.sdk.errors import DeliveryRejected
from hub.sdk.messages import Outcome, OutcomeKind, RawDelivery

log = structlog.get_logger("hub.intake.scribe")

SEND_AT = 8
"""So many deliveries go on their way at once: the scribe reads them while the next are received."""
STUCK_S = 30
"""A scribe that has said nothing for so long hangs, and is ended: longer than any wait for the database."""


class NotHere(Exception):
    """The scribe does not serve this account as it is now: it was added after the scribe had begun."""


class Scribe:
    """The serving process's end. `fork` first of all, `begin` once the database is open, `start` in the loop."""

    def __init__(self, ours: socket.socket, pid: int) -> None:
        self._socket = ours
        self._pid = pid
        self.node: NodeLease | None = None
        self.on_commit: Callable[[], None] = lambda: None  # called in the loop when the scribe has committed
        self._unanswered: dict[int, tuple[asyncio.Future[Result], int, float]] = {}
        self._waits = RecentMax()
        self.sizes = [0] * (len(SIZES) + 1)
        self.answered = 0
        self._bytes = 0
        self._serial = 0
        self._silent = 0
        self._watch: asyncio.TimerHandle | None = None
        self._frame: list[Answer] = []
        self._line: _Line | None = None
        self._gone = asyncio.Event()

    @classmethod
    def fork(cls, build: Build) -> Scribe:
        """Call it while this process has one thread and no open database."""
        gc.collect()
        gc.freeze()  # what is shared stays shared: a collection would write into every object
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            ours.close()
            live(theirs, build)
        theirs.close()
        return cls(ours, pid)

    def begin(self, node: NodeLease, not_before: int) -> None:
        """The database is ready; the scribe makes its ids with this node number, later than `not_before`."""
        self.node = node
        self._socket.sendall(framed((node.number, not_before)))

    async def start(self) -> None:
        """Listen to its answers."""
        line = _Line(self._answered, self._lost)
        self._socket.setblocking(False)
        await asyncio.get_running_loop().create_connection(lambda: line, sock=self._socket)
        self._line = line

    @property
    def works(self) -> bool:
        """False once it has died: then the door does its work."""
        return self._line is not None and not self._gone.is_set()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._pid

    @property
    def queued(self) -> int:
        """Deliveries that it has not answered yet."""
        return len(self._unanswered)

    @property
    def recent_wait_s(self) -> float:
        """The longest time from a delivery's body to its commit, in this minute and the one before."""
        return self._waits.read(time.monotonic())

    def put(self, raw: RawDelivery, future: asyncio.Future[Result]) -> None:
        """Hand over a delivery: one frame for all of a turn of the loop."""
        if len(self._unanswered) >= MAX_QUEUED_ITEMS or self._bytes + len(raw.body) > MAX_QUEUED_BYTES:
            future.set_exception(Unavailable("the hub is overloaded", retry_after_s=2))
            return
        self._serial += 1
        self._unanswered[self._serial] = future, len(raw.body), time.monotonic()
        self._bytes += len(raw.body)
        loop = asyncio.get_running_loop()
        if not self._frame:
            loop.call_soon(self._send)
        if self._watch is None:
            self._silent = 0
            self._watch = loop.call_later(1, self._tick)
        self._frame.append(
            (
                self._serial,
                raw.account,
                raw.method,
                raw.path,
                raw.headers,
                raw.query,
                raw.body,
                raw.address,
                instant(raw.received_at),
            )
        )
        if len(self._frame) >= SEND_AT:
            self._send()

    async def stop(self) -> None:
        """Nothing more comes: it finishes what it has, and ends."""
        if self._line is not None and self._line.transport is not None:
            self._line.ending = True
            self._line.transport.write_eof()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), 5)
        self.kill()

    def kill(self) -> None:
        """End it now, whatever it does."""
        if self._line is not None and self._line.transport is not None:
            self._line.transport.abort()
        else:
            self._socket.close()
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self._pid, 0)

    def _send(self) -> None:
        frame, self._frame = self._frame, []
        if frame and self._line is not None and self._line.transport is not None:
            self._line.transport.write(framed(frame))

    def _tick(self) -> None:
        """Seconds without an answer are counted, not read off a clock: a machine that stood still ends nobody."""
        self._watch = None
        if not self._unanswered:
            return
        self._silent += 1
        if self._silent < STUCK_S:
            self._watch = asyncio.get_running_loop().call_later(1, self._tick)
        else:
            log.error("scribe_stuck")
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)

    def _answered(self, answers: Sequence[Answer]) -> None:
        self._silent = 0
        if not answers:  # it lives, and waits for the blob store
            return
        self.answered += len(answers)
        self.sizes[bisect_left(SIZES, len(answers))] += 1
        now = time.monotonic()
        for serial, *said in answers:
            future, size, since = self._unanswered.pop(serial)
            self._bytes -= size
            self._waits.note(now - since, now)
            if not future.done():  # else its caller went away; the work is done all the same
                settle(future, said)
        self.on_commit()

    def _lost(self) -> None:
        self._gone.set()
        if self._line is not None and not self._line.ending:
            log.error("scribe_died", unanswered=len(self._unanswered))
        for future, _, _ in self._unanswered.values():
            if not future.done():
                future.set_exception(
                    Unavailable("the hub lost its writing process: it may or may not be done")
                )
        self._unanswered.clear()


def settle(future: asyncio.Future[Result], said: Sequence[Any]) -> None:
    match said:
        case ["outcome", kind, request_id, repeated]:
            future.set_result(Outcome(kind=OutcomeKind(kind), request_id=request_id, repeated=repeated))
        case ["reused"]:
            future.set_result(KeyReused())
        case ["not_here"]:
            future.set_exception(NotHere())
        case ["rejected", reason, message, status]:
            future.set_exception(DeliveryRejected(reason, message, status=status))
        case ["unavailable", message, retry_after_s]:
            future.set_exception(Unavailable(message, retry_after_s=retry_after_s))


class _Line(asyncio.Protocol):
    """The serving process's end of the line."""

    def __init__(self, take: Callable[[Any], None], lost: Callable[[], None]) -> None:
        self.transport: asyncio.Transport | None = None
        self.ending = False
        self._take = take
        self._lost = lost
        self._came = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._came += data
        for frame in cut(self._came):
            self._take(frame)

    def connection_lost(self, _error: Exception | None) -> None:
        self._lost()
