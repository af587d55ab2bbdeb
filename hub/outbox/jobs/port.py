"""Work that somebody of the hub's processes does later: put in the transaction of its cause, run at least once.

The row of table `job` is the truth about a piece of work: what it is, whether it was done, how it failed.
Who runs it when is said by one of two runners, `embedded` where the hub is one process and `distributed`
(procrastinate) on PostgreSQL; both keep what the port promises (tests/integration/test_jobs.py):

    put       invisible before the commit of its transaction, gone with its rollback
    run       at least once, never before its time and at most a second after; so a handler is idempotent
    died      a killed process's work runs again within 30 s
    ordered   of one order key one at a time, oldest first; one that is tried again holds back its own key only
    failed    tried again after 5 s, doubling up to an hour, MAX_ATTEMPTS times; then dead, an unknown kind at once
    cancelled what has not begun can be taken back
"""

from __future__ import annotations

import asyncio
import random
import secrets
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import orjson
import structlog
from sqlalchemy import insert, select, text, update

from hub.db.database import Database
from hub.db.tables import job
from hub.db.tx import Tx
from hub.kernel.clock import SECOND, Instant, moment
from hub.kernel.errors import HubError
from hub.outbox.model import MAX_ATTEMPTS, backoff

log = structlog.get_logger("hub.jobs")

LEASE = 20 * SECOND
TASK = "hub.run"
QUEUE = "hub"
NO_WORDS: Mapping[str, str] = MappingProxyType({})


class JobState(StrEnum):
    """Where a piece of work stands."""

    READY = "ready"
    BUSY = "busy"
    DONE = "done"
    DEAD = "dead"  # failed too often, given up, or of a kind that nobody knows; a person sees it
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Job:
    """A piece of work, as its handler gets it. `attempts` counts this one."""

    id: int
    kind: str
    payload: Mapping[str, str]
    attempts: int
    correlation_id: int


Handler = Callable[[Job], Awaitable[object]]


class GiveUp(Exception):
    """Raised by a handler for what no further try would mend."""


def enqueue(
    tx: Tx,
    kind: str,
    payload: Mapping[str, str] = NO_WORDS,
    *,
    order_key: str = "",
    run_at: Instant | None = None,
) -> int:
    """Put work into this transaction; its id. `payload` holds ids and other short words, no customer's text."""
    job_id = tx.new_id()
    at = tx.now if run_at is None else run_at
    tx.execute(
        insert(job).values(
            id=job_id,
            kind=kind,
            payload=orjson.dumps(dict(payload)).decode(),
            order_key=order_key,
            state=JobState.READY,
            created_at=tx.now,
            run_at=at,
            correlation_id=tx.correlation_id,
        )
    )
    if tx.conn.dialect.name == "postgresql":
        defer(tx, job_id, order_key, at)
    return job_id


_DEFER = text(
    "SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(:queue, :task, 0, :lock, NULL,"
    " jsonb_build_object('job_id', CAST(:job_id AS text)), CAST(:at AS timestamptz))"
    "::procrastinate_job_to_defer_v1])"
)


def defer(tx: Tx, job_id: int, order_key: str, at: int) -> None:
    """Tell procrastinate, in the same transaction (its own way costs a connection of its own or six times as much)."""
    lock = order_key or None
    values = {"queue": QUEUE, "task": TASK, "lock": lock, "job_id": str(job_id), "at": moment(Instant(at))}
    tx.execute(_DEFER, values)


_PLAN = text("INSERT INTO planned (kind, at) VALUES (:kind, :at) ON CONFLICT DO NOTHING")


def enqueue_planned(tx: Tx, kind: str, at: Instant) -> int | None:
    """Put the work of a planned moment, once over all processes; None where another one did."""
    if tx.changed(_PLAN.bindparams(kind=kind, at=at)) != 1:
        return None
    return enqueue(tx, kind, {"planned_at": str(at)}, order_key=f"planned:{kind}")


def cancel(tx: Tx, job_id: int) -> bool:
    """Take work back that has not begun. False: it runs, or has ended."""
    ready = update(job).where(job.c.id == job_id, job.c.state == JobState.READY)
    if tx.changed(ready.values(state=JobState.CANCELLED, done_at=tx.now)) != 1:
        return False
    if tx.conn.dialect.name == "postgresql":
        tx.execute(_UNTELL, {"job_id": str(job_id)})
    return True


_UNTELL = text(
    "DELETE FROM procrastinate_jobs p USING job j WHERE j.id = CAST(:job_id AS bigint) AND j.order_key <> ''"
    " AND p.lock = j.order_key AND p.status = 'todo' AND p.args->>'job_id' = CAST(:job_id AS text)"
)
"""What is cancelled would hold back its order key until its time."""


def begin(tx: Tx, job_id: int, owner: str, lease: int = LEASE) -> Job | None:
    """Make it ours; None where it is done, cancelled, or in other hands."""
    row = tx.execute(select(job).where(job.c.id == job_id)).one_or_none()
    if row is None or row.state not in {JobState.READY, JobState.BUSY}:
        return None
    statement = update(job).where(
        job.c.id == job_id,
        job.c.run_at <= tx.now,
        (job.c.state == JobState.READY) | ((job.c.state == JobState.BUSY) & (job.c.lease_until_at < tx.now)),
    )
    values = {
        "state": JobState.BUSY,
        "attempts": job.c.attempts + 1,
        "lease_owner": owner,
        "lease_until_at": tx.now + lease,
    }
    if tx.changed(statement.values(**values)) != 1:
        return None
    return Job(row.id, row.kind, orjson.loads(row.payload), row.attempts + 1, row.correlation_id)


class Runner(ABC):
    """What both runners share: one piece of work from its beginning to its end.

    `tick` wants to be called each `look_s` seconds.
    """

    look_s = 0.25

    def __init__(self, db: Database, handlers: Mapping[str, Handler], *, lease: int = LEASE) -> None:
        self._db = db
        self._lease = lease
        self._handlers = handlers
        self._owner = secrets.token_hex(8)
        self.at_work = 0

    @abstractmethod
    def start(self) -> None:
        """Begin to take work; call it in the event loop."""

    @abstractmethod
    async def tick(self) -> None:
        """Look for work."""

    @abstractmethod
    async def stop(self) -> None:
        """Take nothing more, wait for what runs."""

    async def run(self, job_id: int) -> Instant | None:
        """Do it if it is there to be done; when to try again, or None where there is nothing more to do."""
        work = await self._db.write(lambda tx: begin(tx, job_id, self._owner, self._lease))
        if work is None:
            return await self._db.read(lambda conn: _next_look(conn, job_id))
        keeping = asyncio.create_task(self._keep(work.id))
        self.at_work += 1
        try:
            error = await self._handle(work)
        finally:
            self.at_work -= 1
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping
        return await self._db.write(lambda tx: _settle(tx, work, self._owner, error))

    async def _handle(self, work: Job) -> str | None:
        """None where all went well, else why not; "!" before it: no further try."""
        handler = self._handlers.get(work.kind)
        if handler is None:
            return f"!no handler for {work.kind!r}"
        try:
            await handler(work)
        except GiveUp as given_up:
            return f"!{given_up}"
        except HubError as error:
            return f"{type(error).__name__}: {error}"
        except Exception as error:
            # The boundary of one piece of work.
            log.exception("job_raised", kind=work.kind, job=work.id, error=type(error).__name__)
            return type(error).__name__
        return None

    async def _keep(self, job_id: int) -> None:
        """Hold the lease while the handler runs; what fails here is tried again a little later."""
        while True:
            await asyncio.sleep(self._lease / SECOND / 4)
            with suppress(HubError):
                await self._db.write(lambda tx: self._renew(tx, job_id))

    def _renew(self, tx: Tx, job_id: int) -> None:
        tx.quiet = True
        ours = (job.c.id == job_id) & (job.c.lease_owner == self._owner)
        tx.execute(update(job).where(ours).values(lease_until_at=tx.now + self._lease))


def _next_look(conn: Any, job_id: int) -> Instant | None:
    """Work that could not be begun: when somebody has to look again."""
    row = conn.execute(select(job).where(job.c.id == job_id)).one_or_none()
    if row is None or row.state not in {JobState.READY, JobState.BUSY}:
        return None
    return Instant(row.lease_until_at + 1 if row.state == JobState.BUSY else row.run_at)


def _settle(tx: Tx, work: Job, owner: str, error: str | None) -> Instant | None:
    """Write how it ended; when it is tried again."""
    free = {"lease_until_at": None, "lease_owner": None}
    ours = update(job).where(job.c.id == work.id, job.c.lease_owner == owner)
    if error is None:
        tx.execute(ours.values(state=JobState.DONE, done_at=tx.now, last_error=None, **free))
        return None
    reason = error.removeprefix("!")[:500]
    if error.startswith("!") or work.attempts >= MAX_ATTEMPTS:
        log.error("job_dead", kind=work.kind, job=work.id, attempts=work.attempts)
        tx.execute(ours.values(state=JobState.DEAD, done_at=tx.now, last_error=reason, **free))
        return None
    again_at = Instant(tx.now + backoff(work.attempts - 1, random.random()))  # noqa: S311 - jitter, no secret
    tx.execute(ours.values(state=JobState.READY, run_at=again_at, last_error=reason, **free))
    return again_at
