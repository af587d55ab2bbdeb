"""Gives out work where the hub is one process: a look into the table, four times a second."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial

from sqlalchemy import bindparam, exists, select
from sqlalchemy.engine import Connection

from hub.db.database import Database
from hub.db.tables import job
from hub.kernel.clock import Instant
from hub.outbox.jobs.port import LEASE, Handler, JobState, Runner

AT_ONCE = 4
_OPEN = (JobState.READY, JobState.BUSY)


class Embedded(Runner):
    """`tick` often; `stop` waits for what runs."""

    def __init__(self, db: Database, handlers: Mapping[str, Handler], *, lease: int = LEASE) -> None:
        super().__init__(db, handlers, lease=lease)
        self._running: dict[int, asyncio.Task[object]] = {}
        self._stopping = False

    def start(self) -> None:
        """Nothing to open."""

    async def tick(self) -> None:
        """Begin what is due and has its turn."""
        room = AT_ONCE - len(self._running)
        if self._stopping or room <= 0:
            return
        now = self._db.clock.now()
        for job_id in await self._db.read(lambda conn: due(conn, now, room + len(self._running))):
            if job_id not in self._running and len(self._running) < AT_ONCE and not self._stopping:
                task = asyncio.create_task(self.run(job_id))
                self._running[job_id] = task
                task.add_done_callback(partial(self._ended, job_id))

    def _ended(self, job_id: int, _task: asyncio.Task[object]) -> None:
        self._running.pop(job_id, None)

    async def stop(self, within_s: float = 10.0) -> None:
        """Begin nothing more; what runs ends, or is left to the next start after its lease."""
        self._stopping = True
        if self._running:
            await asyncio.wait(list(self._running.values()), timeout=within_s)


_BEFORE = job.alias("before")
_EARLIER = exists().where(
    _BEFORE.c.order_key == job.c.order_key, _BEFORE.c.state.in_(_OPEN), _BEFORE.c.id < job.c.id
)
_DUE = (
    select(job.c.id)
    .where(job.c.state.in_(_OPEN), job.c.run_at <= bindparam("now"))
    .where((job.c.state == JobState.READY) | (job.c.lease_until_at < bindparam("now")))
    .where((job.c.order_key == "") | ~_EARLIER)
    .order_by(job.c.run_at, job.c.id)
    .limit(bindparam("most"))
)


def due(conn: Connection, now: Instant, most: int) -> list[int]:
    """Work whose time and turn it is: of an order key the oldest that has not ended, alone."""
    return list(conn.execute(_DUE, {"now": now, "most": most}).scalars())
