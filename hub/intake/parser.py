"""Runs plugins' `verify` and `parse` off the event loop: one thread hop for all that has queued up.

Decides what a misbehaving plugin may do: harm its own delivery only. A call that takes longer than
HUNG_TICKS ticks of the loop's watch is given up: the delivery goes on as `pending`, the thread is left
behind and replaced, what waited behind it is handed to the replacement. Three hung calls of an account
within a minute switch that account to `pending` only. The watch counts its own ticks instead of reading
a clock, so a machine that stands still for a moment gives nobody up.
"""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from hub.db.writer import Waiter
from hub.intake.blobs import BlobStore
from hub.intake.model import DeliveryState, Prepared
from hub.intake.planned import PLAIN, Route
from hub.intake.prepare import dump, dump_headers, prepare, stored_key
from hub.intake.stowing import Stowing, is_large
from hub.kernel import text
from hub.kernel.errors import Unavailable
from hub.sdk.channel import Channel
from hub.sdk.errors import DeliveryRejected, PayloadUnreadable
from hub.sdk.messages import RawDelivery, Verified

log = structlog.get_logger("hub.intake.parser")

TICK_S = 0.05
HUNG_TICKS = 4
HUNG_CALLS_A_MINUTE = 3
FLUSH_AT = 16
"""So many understood deliveries go on to the writer at once: it commits them while the next are read."""


@dataclass(slots=True)
class ChannelAccount:
    """A channel account as the intake sees it."""

    name: str
    team_id: int
    channel: Channel
    region: str = "UA"
    route: Route = PLAIN
    hung_at: deque[float] = field(default_factory=lambda: deque(maxlen=HUNG_CALLS_A_MINUTE))
    pending_only: str | None = None
    silent: bool = False  # `answer` held up the hub: it is not called any more

    def note_hung(self, now_s: float) -> None:
        """One more call that did not come back."""
        self.hung_at.append(now_s)
        if len(self.hung_at) == HUNG_CALLS_A_MINUTE and now_s - self.hung_at[0] <= 60:
            self.pending_only = "its plugin did not come back three times within a minute"

    def trust_again(self) -> None:
        """A person has switched the account on again."""
        self.hung_at.clear()
        self.pending_only = None
        self.silent = False


class PluginHung(BaseException):
    """Whoever watches this thread has given the plugin up."""


Parsed = Prepared | DeliveryRejected | Unavailable
Done = Callable[[Sequence[tuple["Job", Parsed]]], None]


@dataclass(slots=True, eq=False)
class Job:
    """One delivery to be understood. `earlier`, `attempts`: it is stored already and tried again."""

    account: ChannelAccount
    raw: RawDelivery
    waiter: Waiter | None = None
    earlier: int | None = None
    attempts: int = 1
    known_id: str | None = None
    held: bool = False  # its caller writes it himself, with the position of a pull
    read: bool = False  # the plugin is done with it: what takes time now is no fault of the plugin
    verified: Verified | None = None


class Parser:
    """A queue, one working thread, and a watch in the event loop. `done` is called in the thread."""

    def __init__(self, done: Done, blobs: BlobStore) -> None:
        self._done = done
        self._stowing = Stowing(blobs)
        self._wake = threading.Condition()
        self._arrived: list[Job] = []
        self._queue: deque[Job] = deque()
        self._ready: list[tuple[Job, Parsed]] = []
        self._current: Job | None = None
        self._generation = 0
        self._stopped = False
        self._ticks = 0
        self._watched: Job | None = None
        self._watch: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start the thread."""
        threading.Thread(
            target=self._work, args=(self._generation,), name=f"hub-parser-{self._generation}", daemon=True
        ).start()

    def stop(self) -> None:
        """End the thread once its queue is empty."""
        with self._wake:
            self._stopped = True
            self._wake.notify()

    def put(self, job: Job) -> None:
        """Queue a delivery; call it in the event loop. One hand-over for all of a turn of the loop."""
        self._arrived.append(job)
        if len(self._arrived) == 1:
            asyncio.get_running_loop().call_soon(self._hand_over)

    def _hand_over(self) -> None:
        with self._wake:
            self._queue.extend(self._arrived)
            self._wake.notify()
        self._arrived.clear()
        if self._watch is None:
            self._watch = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    # --- the watch, in the event loop ----------------------------------------------------------------

    def _tick(self) -> None:
        self._watch = None
        with self._wake:
            current, busy = self._current, bool(self._queue) or self._current is not None
        if current is not self._watched:
            self._watched, self._ticks = current, 0
        elif current is not None and not current.read:
            self._ticks += 1
            if self._ticks >= HUNG_TICKS:
                self._give_up(current)
        if busy:
            self._watch = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def _give_up(self, hung: Job) -> None:
        with self._wake:
            if self._current is not hung:
                return
            self._generation += 1
            self._current = None
            self._settled(hung, given_up(hung))
            ready, self._ready = self._ready, []
        self._done(ready)
        self.start()

    # --- the thread ----------------------------------------------------------------------------------

    def _work(self, generation: int) -> None:
        while True:
            with self._wake:
                while not (self._queue or self._ready or (self._stopped and not self._stowing.waiting)):
                    if generation != self._generation:
                        return
                    self._wake.wait()
                if generation != self._generation:
                    return
                if not self._queue or len(self._ready) >= FLUSH_AT:
                    ready, self._ready = self._ready, []
                    if not ready:
                        return  # stopped, and nothing is left
                    job = None
                else:
                    job = self._current = self._queue.popleft()
            if job is None:
                self._done(ready)
                continue
            result = understand(job)
            with self._wake:
                if generation != self._generation:
                    return  # given up meanwhile; the replacement has taken over
                self._current = None
                self._settled(job, result)

    def _settled(self, job: Job, result: Parsed) -> None:
        """Understood; what is large is stored first. Call it holding `_wake`."""
        if isinstance(result, Prepared) and is_large(job.raw, result):
            self._stowing.put(job.raw, result, lambda stowed: self._stowed(job, stowed))
        else:
            self._ready.append((job, result))

    def _stowed(self, job: Job, result: Parsed) -> None:
        with self._wake:
            self._stowing.waiting -= 1
            self._ready.append((job, result))
            self._wake.notify_all()  # one that was given up may wait here as well


def understand(job: Job) -> Parsed:
    """Verify and parse one delivery under a guard; raises nothing but PluginHung, where somebody throws that."""
    account, raw = job.account, job.raw
    try:
        if account.pending_only is not None and account.channel.capabilities.parses_at_once:
            return unfinished(job, DeliveryState.PENDING, account.pending_only)
        job.verified = _sound(account.channel.verify(raw))
        if account.pending_only is not None:
            return unfinished(job, DeliveryState.PENDING, account.pending_only)
        parsed = account.channel.parse(raw)
        prepared = prepare(raw, account.team_id, account.region, job.verified, parsed)
        job.read = True
    except DeliveryRejected as rejected:
        return rejected if job.earlier is None else unfinished(job, DeliveryState.UNREADABLE, rejected.reason)
    except PayloadUnreadable as unreadable:
        return unfinished(job, DeliveryState.UNREADABLE, unreadable.message)
    except PluginHung:
        raise
    except BaseException as error:  # noqa: BLE001 - a boundary: SystemExit of a plugin ends no thread of ours
        # The guard around a plugin: whatever it raises is its own bug and harms this delivery only.
        log.error("plugin_raised", account=account.name, error=type(error).__name__)
        if job.verified is None and not account.channel.capabilities.parses_at_once:
            return Unavailable("the channel cannot check this delivery right now", retry_after_s=30)
        return unfinished(job, DeliveryState.UNREADABLE, f"the plugin raised {type(error).__name__}")
    return _known(job, prepared)


def given_up(hung: Job) -> Prepared:
    """The delivery of a plugin that does not come back; its account is counted."""
    hung.account.note_hung(time.monotonic())
    log.error("plugin_hung", account=hung.account.name, pending_only=hung.account.pending_only is not None)
    return unfinished(hung, DeliveryState.PENDING, "the plugin did not answer in time")


def _sound(verified: object) -> Verified:
    """What `verify` returned, if it is of its type: later it meets the database. Raises TypeError."""
    if isinstance(verified, Verified):
        key: object = verified.external_id
        digest: object = verified.digest
        if isinstance(key, str | None) and isinstance(digest, str):
            return verified
    raise TypeError("verify returned no Verified of texts")


def unfinished(job: Job, state: DeliveryState, reason: str) -> Prepared:
    """The delivery as it is kept when nobody has understood it."""
    job.read = True
    verified = job.verified
    prepared = Prepared(
        job.raw,
        job.account.team_id,
        stored_key(verified.external_id) if verified is not None else None,
        (stored_key(verified.digest) or "") if verified is not None else "",
        state,
        reason=text.one_line(reason, text.KEY),
        headers=dump_headers(job.raw.headers),
        query=dump(job.raw.query),
    )
    return _known(job, prepared)


def _known(job: Job, prepared: Prepared) -> Prepared:
    """Add what the job knows besides: its stored row."""
    if job.earlier is None:
        return prepared
    external_id = prepared.external_id or job.known_id
    return dataclasses.replace(prepared, earlier=job.earlier, attempts=job.attempts, external_id=external_id)
