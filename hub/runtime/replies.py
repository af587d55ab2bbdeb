"""Where the outbox's replies leave through: the channel of the account, under a guard and a time limit.

Where it stays open whether the customer has the message, a person decides: it is never sent twice by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from urllib.parse import quote

import structlog
from sqlalchemy import select
from sqlalchemy.engine import Connection

from hub.contacts import store as contacts
from hub.db.database import Database
from hub.db.rows import AttachmentRow, OutboxRow
from hub.db.tables import attachment, message, message_extra, thread_token
from hub.db.tx import Tx
from hub.intake.blobs import BlobStore
from hub.kernel.errors import Unavailable
from hub.outbox.model import OutboxState
from hub.outbox.runner import payload
from hub.requests import filelinks, replies
from hub.runtime.sending import send_guarded
from hub.sdk.channel import Channel
from hub.sdk.messages import (
    Later,
    Outgoing,
    OutgoingFile,
    OutgoingKind,
    Refused,
    Sender,
    SendResult,
    Sent,
)

log = structlog.get_logger("hub.runtime")

SWITCHED_OFF_WAIT_S = 60.0
ANSWERED = 20
_STATE = {OutboxState.DONE: "sent", OutboxState.DEAD: "failed", OutboxState.UNCERTAIN: "uncertain"}


class ReplySink:
    """The lane `reply`."""

    def __init__(
        self, db: Database, channels: Mapping[str, Channel], blobs: BlobStore, base_url: str = ""
    ) -> None:
        """`base_url`: where the world reaches this hub; "" if it does not."""
        self._base_url = base_url.rstrip("/")
        self._db = db
        self._channels = channels
        self._blobs = blobs

    async def send(self, rows: Sequence[OutboxRow]) -> SendResult:
        """Send one message."""
        message_id = int(payload(rows[0])["message_id"])
        account, outgoing, files = await self._db.read(lambda conn: _read(conn, message_id))
        channel = self._channels.get(account)
        if channel is None or not channel.capabilities.sends:
            return Later(SWITCHED_OFF_WAIT_S)
        try:
            bodies = await asyncio.to_thread(
                lambda: [self._blobs.get(f.blob) if f.blob else None for f in files]
            )
        except Unavailable as away:
            log.warning("reply_waits_for_its_files", account=account, error=away.facts.get("code", ""))
            return Later(SWITCHED_OFF_WAIT_S)
        if any(body is None for body in bodies):
            return Refused("a file of this message is not there any more")
        urls = await self._urls(channel, files)
        sent_files = tuple(
            OutgoingFile(name=f.name, media_type=f.media_type, body=body or b"", url=urls.get(f.id, ""))
            for f, body in zip(files, bodies, strict=True)
        )
        return await send_guarded(self._db, account, channel, outgoing(sent_files))

    async def _urls(self, channel: Channel, files: Sequence[AttachmentRow]) -> Mapping[int, str]:
        """Public addresses of the files, for a provider that fetches them itself."""
        if not files or not channel.capabilities.files_by_url or not is_reachable(self._base_url):
            return {}
        made = await self._db.write(lambda tx: filelinks.make(tx, [one.id for one in files]))
        return {
            one.id: f"{self._base_url}/files/{made[one.id]}/{quote(one.name or 'file', safe='')}"
            for one in files
        }

    def settled(self, tx: Tx, row: OutboxRow, state: OutboxState, result: SendResult) -> None:
        """Write how it ended into the conversation."""
        provider_id = result.provider_id if isinstance(result, Sent) else ""
        problem = getattr(result, "reason", "") or "it was tried too often"
        replies.settled(tx, int(payload(row)["message_id"]), _STATE[state], provider_id, problem)


def is_reachable(base_url: str) -> bool:
    """Can a provider call this address? (This machine's own serves emulators.)"""
    return base_url.startswith(("https://", "http://127.0.0.1"))


class _Build:
    """An Outgoing but for its files."""

    def __init__(self, **values: object) -> None:
        self._values = values

    def __call__(self, files: tuple[OutgoingFile, ...]) -> Outgoing:
        return Outgoing(files=files, **self._values)  # type: ignore[arg-type]


def _read(conn: Connection, message_id: int) -> tuple[str, _Build, list[AttachmentRow]]:
    row = replies.get(conn, message_id)
    extra = conn.execute(select(message_extra).where(message_extra.c.message_id == message_id)).one()
    home = (
        row.contact_id
    )  # the card of its request; a merge since then changes who stands for it, not whom it is for
    contact = contacts.get(conn, contacts.present_of(conn, home))
    answered = conn.execute(
        select(message.c.message_key)
        .where(
            message.c.request_id == row.request_id,
            message.c.account == row.account,
            message.c.message_key.is_not(None),
            message.c.id < message_id,
        )
        .order_by(message.c.id.desc())
        .limit(ANSWERED)
    ).scalars()
    token = conn.execute(
        select(thread_token.c.token).where(thread_token.c.request_id == row.request_id)
    ).scalar()
    files = conn.execute(
        select(attachment).where(attachment.c.message_id == message_id).order_by(attachment.c.id)
    )
    to = Sender(
        name=contact.row.name,
        channel_id=replies.chat_of(conn, contact, row.account, home),
        email=contact.first("email", home),
        phone=contact.first("phone", home),
        organisation=contact.row.organisation,
        language=contact.row.language or "",
    )
    build = _Build(
        id=str(message_id),
        kind=OutgoingKind(extra.kind),
        to=to,
        text=row.body,
        subject=extra.subject,
        replies_to=tuple(answered),
        thread_token=token or "",
        language=contact.row.language or "",
    )
    return row.account, build, [AttachmentRow._make(found) for found in files]
