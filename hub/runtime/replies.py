"""Where the outbox's replies leave through: the channel of the account, under a guard and a time limit.

What a plugin says is believed; what it raises is read by what is certain: Throttled and NotReached mean that
nothing has left, PermanentFailure that it never will. Whatever else happens during the call leaves it open
whether the customer has the message, and then a person decides: it is never sent twice by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import structlog
from sqlalchemy import select
from sqlalchemy.engine import Connection

from hub.accounts import store as accounts
from hub.contacts import store as contacts
from hub.db.database import Database
from hub.db.rows import AttachmentRow, OutboxRow
from hub.db.tables import attachment, message, message_extra, thread_token
from hub.db.tx import Tx
from hub.intake.blobs import BlobStore
from hub.outbox.model import OutboxState
from hub.outbox.runner import payload
from hub.requests import replies
from hub.sdk.channel import Channel
from hub.sdk.errors import AuthenticationFailed, NotReached, PermanentFailure, Throttled
from hub.sdk.messages import (
    Later,
    Outgoing,
    OutgoingFile,
    OutgoingKind,
    Refused,
    Sender,
    SendResult,
    Sent,
    Uncertain,
)

log = structlog.get_logger("hub.runtime")

SEND_WITHIN_S = 30.0
SWITCHED_OFF_WAIT_S = 60.0
LOGIN_WAIT_S = 300.0
ANSWERED = 20
_STATE = {OutboxState.DONE: "sent", OutboxState.DEAD: "failed", OutboxState.UNCERTAIN: "uncertain"}


class ReplySink:
    """The lane `reply`."""

    def __init__(self, db: Database, channels: Mapping[str, Channel], blobs: BlobStore) -> None:
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
        bodies = await asyncio.to_thread(lambda: [self._blobs.get(f.blob or "") for f in files])
        if any(body is None for body in bodies):
            return Refused("a file of this message is not there any more")
        sent_files = tuple(
            OutgoingFile(name=f.name, media_type=f.media_type, body=body or b"")
            for f, body in zip(files, bodies, strict=True)
        )
        return await self._call(account, channel, outgoing(sent_files))

    async def _call(self, account: str, channel: Channel, outgoing: Outgoing) -> SendResult:
        try:
            async with asyncio.timeout(SEND_WITHIN_S):
                result: object = await channel.send(outgoing)
        except Throttled as error:
            return Later(error.retry_after_s or 0)
        except NotReached as error:
            return Later(error.retry_after_s or 0)
        except PermanentFailure as error:
            return Refused(error.message)
        except AuthenticationFailed as error:
            reason = error.message
            await self._db.write(lambda tx: accounts.note_error(tx, account, reason))
            return Later(LOGIN_WAIT_S)
        except TimeoutError:
            return Uncertain("the other side did not answer in time")
        except Exception as error:  # noqa: BLE001 - the guard around a plugin
            log.error("plugin_raised", account=account, call="send", error=type(error).__name__)
            return Uncertain(f"the plugin raised {type(error).__name__}")
        if isinstance(result, Sent | Refused | Later | Uncertain):
            return result
        log.error("plugin_returned_nonsense", account=account, call="send", type=type(result).__name__)
        return Uncertain("the plugin did not say what became of it")

    def settled(self, tx: Tx, row: OutboxRow, state: OutboxState, result: SendResult) -> None:
        """Write how it ended into the conversation."""
        provider_id = result.provider_id if isinstance(result, Sent) else ""
        problem = getattr(result, "reason", "") or "it was tried too often"
        replies.settled(tx, int(payload(row)["message_id"]), _STATE[state], provider_id, problem)


class _Build:
    """An Outgoing but for its files."""

    def __init__(self, **values: object) -> None:
        self._values = values

    def __call__(self, files: tuple[OutgoingFile, ...]) -> Outgoing:
        return Outgoing(files=files, **self._values)  # type: ignore[arg-type]


def _read(conn: Connection, message_id: int) -> tuple[str, _Build, list[AttachmentRow]]:
    row = replies.get(conn, message_id)
    extra = conn.execute(select(message_extra).where(message_extra.c.message_id == message_id)).one()
    contact = contacts.get(conn, row.contact_id)
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
        channel_id=contact.first(f"channel:{row.account}"),
        email=contact.first("email"),
        phone=contact.first("phone"),
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
