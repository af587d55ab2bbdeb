"""Fetches the files that a message only names: soon after it came, bounded, again after a failure.

A handle at a provider does not live for ever (an hour at Telegram), so a file is fetched when its message
comes, not when somebody opens it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any

import structlog
from sqlalchemy import select, update

from hub.coordination import leases
from hub.db.database import Database
from hub.db.tables import attachment, message
from hub.db.tx import Tx
from hub.intake.blobs import BlobStore
from hub.kernel.clock import SECOND
from hub.kernel.errors import Unavailable
from hub.kernel.text import SHORT, one_line
from hub.outbox.model import backoff
from hub.sdk.channel import Channel
from hub.sdk.errors import PermanentFailure, PluginError, TemporaryFailure
from hub.sdk.messages import Fetched

log = structlog.get_logger("hub.runtime")

LEASE = "files"
LASTS = 120 * SECOND
AT_ONCE = 8
LIMIT_BYTES = 25 * 1024 * 1024
FETCH_WITHIN_S = 60.0
MAX_TRIES = 8
AWAY_WAIT = 30 * SECOND


class Files:
    """The files that are still at their providers."""

    def __init__(self, db: Database, channels: Mapping[str, Channel], blobs: BlobStore) -> None:
        self._db = db
        self._channels = channels
        self._blobs = blobs
        self._owner = secrets.token_hex(8)

    async def tick(self) -> int:
        """Fetch what is due, if no other process does; how many were tried."""
        now = self._db.clock.now()
        query = (
            select(attachment, message.c.account)
            .join(message, message.c.id == attachment.c.message_id)
            .where(attachment.c.next_try_at <= now)
            .order_by(attachment.c.next_try_at)
            .limit(AT_ONCE)
        )
        due = await self._db.read(lambda conn: conn.execute(query).all())
        if not due:
            return 0
        if await self._db.write(lambda tx: leases.hold(tx, LEASE, self._owner, LASTS)) is None:
            return 0
        await asyncio.gather(*(self._fetch(row) for row in due))
        return len(due)

    async def _fetch(self, row: Any) -> None:
        channel = self._channels.get(row.account)
        if channel is None:
            await self._later(row, "its channel is switched off")
            return
        try:
            found = await fetched(row.account, channel, row.ref)
        except PermanentFailure as error:
            await self._settle(row.id, state="refused", reason=error.message[:500], next_try_at=None)
            return
        except TemporaryFailure as error:
            await self._later(row, error.message)
            return
        try:
            blob = await asyncio.to_thread(self._blobs.put, found.body)
        except Unavailable as away:  # no fault of the file's: its tries are not counted
            log.warning("blob_not_stored", account=row.account, error=away.facts.get("code", ""))
            at = self._db.clock.now() + AWAY_WAIT
            await self._settle(row.id, reason=away.message[:500], next_try_at=at)
            return
        media_type = one_line(found.media_type, SHORT) or row.media_type
        await self._settle(
            row.id, state="stored", blob=blob, size=len(found.body), media_type=media_type, ref=None,
            reason=None, next_try_at=None,
        )  # fmt: skip

    async def _later(self, row: Any, reason: str) -> None:
        tries = row.attempts + 1
        if tries >= MAX_TRIES:
            await self._settle(row.id, state="refused", reason=reason[:500], attempts=tries, next_try_at=None)
            return
        at = self._db.clock.now() + backoff(tries, 0.5)
        await self._settle(row.id, reason=reason[:500], attempts=tries, next_try_at=at)

    async def _settle(self, attachment_id: int, **values: Any) -> None:
        def write(tx: Tx) -> None:
            tx.execute(update(attachment).where(attachment.c.id == attachment_id).values(**values))

        await self._db.write(write)


async def fetched(account: str, channel: Channel, ref: str) -> Fetched:
    """One file of a provider, under a guard and a time limit. Raises PermanentFailure, TemporaryFailure."""
    try:
        async with asyncio.timeout(FETCH_WITHIN_S):
            return _sound(await channel.fetch(ref, LIMIT_BYTES))
    except PermanentFailure:
        raise
    except (PluginError, TimeoutError) as error:
        reason = getattr(error, "message", "") or "the other side does not answer"
        raise TemporaryFailure(reason) from error
    except Exception as error:
        # The guard around a plugin.
        log.error("plugin_raised", account=account, call="fetch", error=type(error).__name__)
        raise TemporaryFailure(f"its plugin raised {type(error).__name__}") from error


def _sound(found: object) -> Fetched:
    """What `fetch` returned, if it is a file within the bound. Raises PermanentFailure."""
    if isinstance(found, Fetched) and len(found.body) <= LIMIT_BYTES:
        return found
    raise PermanentFailure("the plugin handed over no file of this size")
