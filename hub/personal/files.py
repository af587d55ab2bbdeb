"""Files that no row names any more."""

from __future__ import annotations

import asyncio

from sqlalchemy import select
from sqlalchemy.engine import Connection

from hub.db import tables as t
from hub.db.database import Database
from hub.intake.blobs import BlobStore


async def drop_unnamed(db: Database, blobs: BlobStore, names: set[str]) -> None:
    """Remove those that nothing names, and that nobody has stored anew within the last hour."""
    if names:
        free = names - await db.read(lambda conn: named(conn, names))
        await asyncio.to_thread(lambda: [blobs.drop(name) for name in sorted(free)])


def named(conn: Connection, names: set[str]) -> set[str]:
    """Those that some row names."""
    return {
        name
        for column in (t.delivery_body.c.blob, t.attachment.c.blob)
        for name in conn.execute(select(column).where(column.in_(sorted(names)))).scalars()
        if name is not None
    }
