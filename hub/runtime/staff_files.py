"""Files that a person of the staff sends to his bot for a customer: fetched before the command is carried out.

Only somebody whose messenger is linked makes the hub fetch anything, and only in answer to a message about a task.
What cannot be had is told to him, and nothing of his message leaves: half an answer would look like a whole one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.engine import Connection

from hub.db.database import Database
from hub.intake.blobs import BlobStore
from hub.kernel.text import SHORT, one_line
from hub.notices import store
from hub.requests.replies import NewFile
from hub.runtime.files import fetched
from hub.sdk.channel import Channel
from hub.sdk.errors import TemporaryFailure


class StaffFiles:
    """Puts them into the blob store."""

    def __init__(self, db: Database, channels: Mapping[str, Channel], blobs: BlobStore) -> None:
        self._db = db
        self._channels = channels
        self._blobs = blobs

    async def take(self, told: Mapping[str, Any]) -> Sequence[NewFile]:
        """The files of one message; none where it is nobody's, or about nothing.

        Raises TemporaryFailure, or PermanentFailure with the reason.
        """
        if not await self._db.read(lambda conn: _may_send(conn, told)):
            return ()
        channel = self._channels.get(told["account"])
        if channel is None:
            raise TemporaryFailure("its channel is switched off")
        return [await self._one(told["account"], channel, one) for one in told["files"]]

    async def _one(self, account: str, channel: Channel, told: Mapping[str, Any]) -> NewFile:
        if told["blob"]:
            return NewFile(told["name"], told["media_type"], told["size"], told["blob"])
        found = await fetched(account, channel, told["ref"])
        blob = await asyncio.to_thread(self._blobs.put, found.body)
        media_type = one_line(found.media_type, SHORT)
        known = told["media_type"] if media_type in {"", "application/octet-stream"} else media_type
        return NewFile(told["name"], known, len(found.body), blob)


def _may_send(conn: Connection, told: Mapping[str, Any]) -> bool:
    link = store.link_at(conn, told["account"], told["channel_id"])
    if link is None:
        return False
    _, task_id = store.task_of_message(conn, told["account"], told["replies_to"], link.staff_id)
    return task_id is not None
