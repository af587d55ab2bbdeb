"""What somebody writes to the staff's own bot, as a command of the outbox lane `staff_bot`. Pure.

The delivery's key makes a repeated one harmless; who wrote it, and whether he may, is looked at where the command
is carried out (`hub.notices.bot`).
"""

from __future__ import annotations

from typing import Any

import orjson

from hub.db.rows import OutboxRow
from hub.intake.extras import Signal
from hub.intake.model import Message
from hub.kernel import text
from hub.sdk.messages import EventKind

LANE = "staff_bot"
MAX_TEXT = 4_000
MAX_ANSWERED = 20
MAX_FILES = 10


def told_by_message(message: Message) -> dict[str, Any] | None:
    """A message or a pressed button, in private; None for anything else."""
    event = message.event
    channel_id = text.one_line(event.sender.channel_id, text.KEY)
    if event.kind is not EventKind.MESSAGE or event.group_name or not channel_id:
        return None
    return {
        "kind": "message",
        "channel_id": channel_id,
        "language": text.one_line(event.sender.language, 20),
        "text": message.text[:MAX_TEXT],
        "action": text.one_line(event.fields.get("action", ""), text.KEY),
        "replies_to": [one[: text.KEY] for one in event.replies_to[:MAX_ANSWERED]],
        "start": "",
        "files": [
            {
                "name": one.name,
                "media_type": one.media_type,
                "size": one.size,
                "ref": one.ref,
                "blob": one.blob,
            }
            for one in (message.extra.files[:MAX_FILES] if message.extra is not None else ())
        ],
    }


def told_by_signal(signal: Signal) -> dict[str, Any] | None:
    """Somebody opened the chat, perhaps with a code, or left it; None for anything else."""
    if signal.kind not in {EventKind.JOINED, EventKind.LEFT} or not signal.channel_id:
        return None
    start = orjson.loads(signal.source).get("start", "")
    return {
        "kind": str(signal.kind), "channel_id": signal.channel_id, "language": signal.language, "text": "",
        "action": "", "replies_to": [], "start": start, "files": [],
    }  # fmt: skip


def staff_row(
    identifier: int, account: str, told: dict[str, Any], now: int, correlation_id: int
) -> OutboxRow:
    """The command in the outbox; those of one person keep their order."""
    payload = orjson.dumps({"account": account, **told}).decode()
    return OutboxRow(
        identifier, LANE, str(told["kind"]), f"{account}:{told['channel_id']}"[: text.KEY], payload, "ready", 0,
        now, now, None, None, None, None, None, correlation_id,
    )  # fmt: skip
