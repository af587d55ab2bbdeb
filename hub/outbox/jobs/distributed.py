"""Gives out work over many processes: procrastinate, a job engine on PostgreSQL.

It says who runs what when: `enqueue` told it in the transaction of the row. A worker that died is noticed by its
heartbeats and its work is given out again; what a database brought without procrastinate's own rows (copied or
restored) is told to it anew. Its workers run in our event loop, each handler writes through our writer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

import structlog
from procrastinate import App, PsycopgConnector
from procrastinate.jobs import Job as Deferred
from procrastinate.retry import BaseRetryStrategy, RetryDecision
from sqlalchemy import String, cast, column, select
from sqlalchemy import text as sql

from hub.db.database import Database
from hub.db.errors import Fault, classify, describe
from hub.db.tables import job
from hub.db.tx import Tx
from hub.kernel.clock import MINUTE, moment
from hub.outbox.jobs.port import LEASE, QUEUE, TASK, Handler, JobState, Runner, defer

log = structlog.get_logger("hub.jobs")

AT_ONCE = 4
LOOK_S = 0.5
DEAD_AFTER_S = 12.0
AGAIN_S = 1.0
LEFT_BEHIND = MINUTE


class _Again(Exception):
    """Tells procrastinate when to give the work out again."""

    def __init__(self, at: datetime) -> None:
        super().__init__("again later")
        self.at = at


class _AsTold(BaseRetryStrategy):
    def get_retry_decision(self, *, exception: BaseException, job: Deferred) -> RetryDecision | None:
        return RetryDecision(retry_at=exception.at) if isinstance(exception, _Again) else None


class Distributed(Runner):
    """Starts with `start`, ends with `stop`, which waits for what runs; `tick` looks after what was left behind."""

    look_s = 10.0

    def __init__(
        self,
        db: Database,
        handlers: Mapping[str, Handler],
        *,
        lease: int = LEASE,
        dead_after_s: float = DEAD_AFTER_S,
    ) -> None:
        super().__init__(db, handlers, lease=lease)
        self._dead_after_s = dead_after_s
        # Its log lines tell each beginning and end with the arguments; ours tell what a person needs.
        for noisy in ("procrastinate", "psycopg.pool"):
            logging.getLogger(noisy).setLevel(logging.CRITICAL)
        url = db.url.set(drivername="postgresql")
        self._app = App(
            connector=PsycopgConnector(
                conninfo=url.render_as_string(hide_password=False), min_size=1, max_size=3
            )
        )
        self._app.task(name=TASK, queue=QUEUE, retry=_AsTold())(self._deliver)
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    def start(self) -> None:
        """Begin to take work; call it in the event loop."""
        self._task = asyncio.create_task(self._run())

    async def stop(self, within_s: float = 10.0) -> None:
        """Take nothing more, wait for what runs."""
        self._stopping.set()
        if self._task is not None:
            self._task.cancel()
            # With nothing at work only the database can hold it up, which may be gone.
            _, left = await asyncio.wait([self._task], timeout=within_s if self.at_work else 1.0)
            if left and self.at_work:
                log.warning(
                    "jobs_left_running", after_s=within_s
                )  # another process follows when the lease is over

    async def tick(self) -> None:
        """Tell procrastinate of due work that it does not know."""
        await self._db.write(tell_again)

    async def _deliver(self, job_id: str) -> None:
        again_at = await self.run(int(job_id))
        if again_at is not None:
            raise _Again(moment(again_at))

    async def _run(self) -> None:
        failing = False
        while not self._stopping.is_set():
            try:
                async with self._app.open_async():
                    if failing:
                        failing = False
                        log.info("jobs_back")
                    await self._work()
            except Exception as error:
                # Whatever the connection says, it is made anew.
                if not failing:
                    failing = True
                    bug = classify(error) is Fault.BUG
                    log.error("jobs_stand_still", error=describe(error), exc_info=bug)
                await asyncio.sleep(AGAIN_S)

    async def _work(self) -> None:
        rescuing = asyncio.create_task(self._rescue())
        try:
            await self._app.run_worker_async(
                queues=[QUEUE],
                concurrency=AT_ONCE,
                fetch_job_polling_interval=LOOK_S,
                install_signal_handlers=False,
                update_heartbeat_interval=self._dead_after_s / 4,
                stalled_worker_timeout=self._dead_after_s,
                shutdown_graceful_timeout=8.0,
                delete_jobs="always",
            )
        finally:
            rescuing.cancel()
            with suppress(asyncio.CancelledError):
                await rescuing

    async def _rescue(self) -> None:
        """What a dead worker had in hand is given out again; any process may do it, the row decides who runs it."""
        manager = self._app.job_manager
        while True:
            await asyncio.sleep(self._dead_after_s / 4)
            silent = self._dead_after_s
            for stalled in await manager.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=silent):
                await manager.retry_job(stalled)


def tell_again(tx: Tx) -> None:
    """Due for a minute, and procrastinate has no row of it: a copied or restored database."""
    known = column("job_id", String)
    told = sql("SELECT args->>'job_id' AS job_id FROM procrastinate_jobs WHERE status IN ('todo', 'doing')")
    query = (
        select(job.c.id, job.c.order_key, job.c.run_at)
        .where(job.c.state.in_((JobState.READY, JobState.BUSY)), job.c.run_at < tx.now - LEFT_BEHIND)
        .where(cast(job.c.id, String).not_in(select(told.columns(known).subquery())))
        .order_by(job.c.id)
        .limit(100)
    )
    rows = tx.execute(query).all()
    for row in rows:
        defer(tx, row.id, row.order_key, row.run_at)
    tx.quiet = not rows
