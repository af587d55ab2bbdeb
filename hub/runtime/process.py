"""One running process: its listeners, its ticks, and how it ends.

APScheduler gives the ticks; a tick only wakes a piece of work that looks into the database for what is
due. Each piece runs alone (a slow one is not started twice) and a failure of one touches no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum
from functools import partial
from typing import Protocol

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from hub.coordination.nodes import NodeLease, acquire_node, renew_node
from hub.coordination.wakeups import Wakeups
from hub.db.database import Database
from hub.db.engine import open_engine
from hub.intake.door import Door
from hub.intake.scribe import Scribe
from hub.kernel.errors import Unavailable
from hub.notices.digest import Digests
from hub.outbox.jobs.port import Runner
from hub.outbox.runner import OutboxRunner
from hub.runtime.account_notices import EVERY_S as NOTICES_EVERY_S
from hub.runtime.account_notices import AccountNotices
from hub.runtime.files import Files
from hub.runtime.listeners import Listeners
from hub.runtime.nightly import Nightly
from hub.runtime.roster import EVERY_S as ACCOUNTS_EVERY_S
from hub.runtime.roster import Roster
from hub.runtime.silence import EVERY_S as SILENCE_EVERY_S
from hub.runtime.silence import Silence
from hub.runtime.timekeeper import Timekeeper
from hub.runtime.watch import EVERY_S as WATCH_EVERY_S
from hub.runtime.watch import Watch
from hub.shipments.poller import Poller

log = structlog.get_logger("hub.runtime")

Tick = tuple[str, Callable[[], Awaitable[object]], float]


class Role(StrEnum):
    """What a process is for. Several processes need PostgreSQL."""

    ALL = "all"
    WEB = "web"  # HTTP and intake; nothing in the background but its own housekeeping
    WORKER = "worker"  # the background work; of HTTP only /healthz, /readyz and /metrics


class Life(Protocol):
    """Shared with the web side: readiness ends when stopping begins."""

    stopping: bool


class Process:
    """Starts with `start`, ends with `stop`: not ready, finish the queue, within 15 s."""

    def __init__(
        self,
        db: Database,
        node: NodeLease,
        door: Door,
        poller: Poller,
        outbox: OutboxRunner,
        life: Life,
        *,
        listeners: Listeners,
        watch: Watch,
        files: Files,
        jobs: Runner,
        nightly: Nightly,
        account_notices: AccountNotices,
        digests: Digests,
        silence: Silence,
        tick_s: float = 5.0,
        scribe: Scribe | None = None,
        role: Role = Role.ALL,
        roster: Roster | None = None,
    ) -> None:
        self._db = db
        self._scribe = scribe
        self.node = node
        self.door = door
        self._poller = poller
        self._outbox = outbox
        self._life = life
        self._tick_s = tick_s
        self.role = role
        self.listeners = listeners
        self._watch = watch
        self._files = files
        self._jobs = jobs
        self._nightly = nightly
        self._account_notices = account_notices
        self._roster = roster
        self._digests = digests
        self._silence = silence
        self.timekeeper = Timekeeper(db)
        self._wakeups = None if db.is_sqlite else Wakeups(db)
        self._scheduler = AsyncIOScheduler(timezone="UTC")
        self._failing: set[str] = set()

    def start(self) -> None:
        """Start the parser and the ticks; call it in the event loop."""
        self.door.start()
        if self._wakeups is not None:
            self._wakeups.start()
        ticks = [*self._own_ticks(), *(self._background_ticks() if self._works else [])]
        for name, work, every_s in ticks:
            self._scheduler.add_job(
                self._guarded, "interval", args=(name, work), seconds=every_s, id=name, coalesce=True,
                max_instances=1, misfire_grace_time=None,
            )  # fmt: skip
        self._scheduler.start()
        if self._works:
            self._scheduler.add_job(self._guarded, args=("watch", self._watch.tick), id="watch:first")
            self._scheduler.add_job(
                self._guarded,
                args=("account_notices", self._account_notices.tick),
                id="account_notices:first",
            )
            self.listeners.start()
            self._jobs.start()

    @property
    def _works(self) -> bool:
        return self.role is not Role.WEB

    def _own_ticks(self) -> list[Tick]:
        """What each process does for itself."""
        ticks: list[Tick] = [("rejections", self.door.flush_rejections, 1.0), ("node", self._renew, 60.0)]
        return ticks if self._roster is None else [*ticks, ("accounts", self._roster.apply, ACCOUNTS_EVERY_S)]

    def _background_ticks(self) -> list[Tick]:
        """What some process has to do; leases and claims keep several from doing it twice."""
        return [
            ("time", self.timekeeper.tick, 0.25),
            *((f"outbox:{lane}", partial(self._outbox.drain, lane), 1.0) for lane in self._outbox.lanes),
            ("watch", self._watch.tick, WATCH_EVERY_S),
            ("files", self._files.tick, 1.0),
            ("account_notices", self._account_notices.tick, NOTICES_EVERY_S),
            ("digests", self._digests.tick, 20.0),
            ("silence", self._silence.tick, SILENCE_EVERY_S),
            ("replay", self.door.replay_due, 2.0),
            ("jobs", self._jobs.tick, self._jobs.look_s),
            ("nightly", self._nightly.tick, 30.0),
            ("poll", self._poller.tick, self._tick_s),
            ("lists", self._poller.lists.tick, self._tick_s),
        ]

    def begin_stop(self) -> None:
        """Not ready any more, no further ticks; deliveries that are under way go on."""
        self._life.stopping = True
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    async def stop(self) -> None:
        """After the last answer: write what is counted; the caller closes the database afterwards."""
        self.begin_stop()
        if self._works:
            await self._guarded("listeners", self.listeners.stop)
            await self._guarded("jobs", self._jobs.stop)
            await self._guarded("poll", self._poller.stop)
            await self._guarded("watch", self._watch.release)
            await self._guarded("account_notices", self._account_notices.release)
        await self._guarded("rejections", self.door.flush_rejections)
        if self._scribe is not None:
            await self._scribe.stop()
        await self._guarded("time", self.timekeeper.release)
        if self._wakeups is not None:
            await asyncio.to_thread(self._wakeups.stop)
        self.door.stop()

    async def _guarded(self, name: str, work: Callable[[], Awaitable[object]]) -> None:
        """Run one piece of work; log when failing begins and ends, not at each tick."""
        try:
            await work()
        except Unavailable:
            if name not in self._failing:
                self._failing.add(name)
                log.warning("tick_waits_for_database", tick=name)
        except Exception as error:
            # The boundary of a tick: the next one looks again.
            if name not in self._failing:
                self._failing.add(name)
                log.exception("tick_raised", tick=name, error=type(error).__name__)
        else:
            if name in self._failing:
                self._failing.discard(name)
                log.info("tick_works_again", tick=name)

    async def _renew(self) -> None:
        """Keep the node number; where it was lost (the machine slept), take another before the next id."""
        if self._scribe is not None and self._scribe.node is not None:
            await self._renew_scribe(self._scribe, self._scribe.node)
        node = self.node
        renewed = await self._db.write(lambda tx: renew_node(tx.conn, node, tx.now))
        if renewed is not None:
            self.node = renewed
            return
        log.error("node_number_lost", number=node.number)
        engine = open_engine(self._db.url, writes=True, pool_size=1)
        try:
            self.node, self._db.ids = acquire_node(engine, self._db.clock)
        finally:
            engine.dispose()

    async def _renew_scribe(self, scribe: Scribe, node: NodeLease) -> None:
        """Keep the scribe's number; where it was lost, the work is done in this process from now on."""
        scribe.node = await self._db.write(lambda tx: renew_node(tx.conn, node, tx.now))
        if scribe.node is None:
            log.error("node_number_lost", number=node.number)
            scribe.kill()
