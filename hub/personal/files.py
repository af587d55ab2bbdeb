"""Files that no row names any more."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import orjson
from sqlalchemy import select
from sqlalchemy.engine import Connection

from hub.db import tables as t
from hub.db.database import Database
from hub.db.tx import Tx
from hub.intake.blobs import BlobStore
from hub.kernel.clock import HOUR, MINUTE, Instant
from hub.kernel.errors import Unavailable
from hub.outbox.jobs.port import Job, enqueue

DROP_FILES = "drop_files"
A_JOB = 200
AFTER = HOUR + MINUTE
"""Longer than the hour for which a file that was stored again stays without a row."""


def drop_later(tx: Tx, names: Iterable[str]) -> None:
    """Have files removed by a job, which tries again where the store is away."""
    ordered = sorted(names)
    for at in range(0, len(ordered), A_JOB):
        words = {"names": orjson.dumps(ordered[at : at + A_JOB]).decode()}
        enqueue(tx, DROP_FILES, words, run_at=Instant(tx.now + AFTER))


async def drop_files(db: Database, blobs: BlobStore, work: Job) -> None:
    """The job that removes the files of what was erased, unless something else names them."""
    await drop_unnamed(db, blobs, set(orjson.loads(work.payload["names"])))


async def drop_unnamed(db: Database, blobs: BlobStore, names: set[str]) -> None:
    """Remove those that nothing names, and that nobody has stored anew within the last hour. Raises BlobsAway."""
    if names:
        free = names - await db.read(lambda conn: named(conn, names))
        await asyncio.to_thread(lambda: [blobs.drop(name) for name in sorted(free)])


async def drop_now_or_later(db: Database, blobs: BlobStore, names: set[str]) -> None:
    """The same; where the store is away a job does it later."""
    try:
        await drop_unnamed(db, blobs, names)
    except Unavailable:
        await db.write(lambda tx: drop_later(tx, names))


def named(conn: Connection, names: set[str]) -> set[str]:
    """Those that some row names."""
    return {
        name
        for column in (t.delivery_body.c.blob, t.attachment.c.blob)
        for name in conn.execute(select(column).where(column.in_(sorted(names)))).scalars()
        if name is not None
    }
