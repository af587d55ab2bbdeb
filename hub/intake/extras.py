"""What only some deliveries bring: files, threads, HTML; and events that are no message of a customer.

    edit      the text of a stored message changes; the earlier one is kept beside it
    receipt   a message of ours was delivered, seen, or failed; kept by the provider's id, because it may
              come before the answer of the call that sent it
    echo      we answered in the provider's own app: it stands in the conversation, nothing is opened
    joined    a person can be written to on this channel; left: he cannot

None of it opens a task. The hot path of a plain message pays one comparison for all of this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson
from sqlalchemy import delete, select, update

from hub.contacts.model import IdentityKey
from hub.contacts.store import home_of
from hub.db.rows import AttachmentRow, MessageExtraRow
from hub.db.tables import message, message_extra, reachability, start_source
from hub.db.tx import Tx
from hub.kernel import text
from hub.kernel.clock import DAY, Instant, instant
from hub.requests import marks
from hub.sdk.messages import Attachment, Event, EventKind

MAX_FILES = 50
MAX_HTML = 400_000
MAX_EDITS = 50
MAX_SOURCE = 20
STARTS_KEPT = 30 * DAY
"""By which link somebody came is kept for his next request so long."""
SPEAKS = frozenset({EventKind.MESSAGE, EventKind.ECHO})
SIGNALS = frozenset({EventKind.EDIT, EventKind.RECEIPT, EventKind.JOINED, EventKind.LEFT})


@dataclass(slots=True)
class File:
    """A file of a message: its bytes in the blob store, or a handle to fetch them with."""

    name: str
    media_type: str
    size: int
    inline: str
    ref: str
    blob: str | None = None
    body: bytes | None = None  # until they are in the blob store


@dataclass(slots=True)
class Extra:
    """What a message has besides its text."""

    subject: str
    full_text: str
    html: str
    group_key: str
    files: list[File]
    replies_to: tuple[str, ...]
    thread_token: str


@dataclass(frozen=True, slots=True)
class Signal:
    """An event that is no message."""

    kind: EventKind
    channel_id: str
    about: str
    mark: str
    text: str
    at: Instant | None
    source: str = "{}"
    language: str = ""


def extra_of(event: Event) -> Extra | None:
    """None for a plain message."""
    if not (
        event.attachments
        or event.html
        or event.full_text
        or event.replies_to
        or event.thread_token
        or event.group
    ):
        return None
    return Extra(
        text.one_line(event.subject, text.SUBJECT),
        text.clean(event.full_text, text.BODY) if event.full_text != event.text else "",
        text.clean(event.html, MAX_HTML),
        text.one_line(event.group, text.KEY),
        [_file(one) for one in event.attachments[:MAX_FILES]],
        tuple(one for one in event.replies_to[:20] if one),
        event.thread_token[:40],
    )


def _file(given: Attachment) -> File:
    name = text.one_line(given.name, text.NAME).replace("/", "_").replace("\\", "_") or "file"
    body = given.body
    size = len(body) if body is not None else max(0, min(given.size, text.MAX_INT63))
    return File(
        name,
        text.one_line(given.media_type, text.SHORT) or "application/octet-stream",
        size,
        text.one_line(given.inline, text.KEY),
        text.clean(given.ref, 2_000),
        body=body,
    )


def signal_of(event: Event) -> Signal:
    """Bounded, like everything from outside."""
    return Signal(
        event.kind,
        text.one_line(event.sender.channel_id, text.KEY),
        event.about[: text.KEY],
        str(event.mark) if event.mark is not None else "",
        text.clean(event.text, text.BODY),
        instant(event.sent_at) if event.sent_at is not None else None,
        orjson.dumps(_source(event)).decode() if event.source else "{}",
        text.one_line(event.sender.language, 20),
    )


def _source(event: Event) -> dict[str, str]:
    return {
        text.one_line(key, text.SHORT): text.clean(value, text.NAME)
        for key, value in list(event.source.items())[:MAX_SOURCE]
    }


def extra_rows(
    extra: Extra, message_id: int, now: Instant, new_id: Callable[[], int]
) -> tuple[MessageExtraRow, list[AttachmentRow]]:
    """The rows beside a message's own."""
    row = MessageExtraRow(message_id, "message", extra.subject, extra.full_text, extra.html, extra.group_key)
    return row, [_attachment(one, new_id(), message_id, now) for one in extra.files]


def _attachment(file: File, identifier: int, message_id: int, now: Instant) -> AttachmentRow:
    if file.blob is not None:
        state, reason, due = "stored", None, None
    elif file.ref:
        state, reason, due = "pending", None, now
    else:
        state, reason, due = "gone", "it came without its bytes", None
    return AttachmentRow(
        identifier, message_id, file.name, file.media_type, file.size, file.blob, file.ref or None,
        file.inline, state, reason, 0, due, now,
    )  # fmt: skip


# --- events that are no message ----------------------------------------------------------------------------


def apply_signals(tx: Tx, account: str, signals: Sequence[Signal]) -> None:
    """Write what the events of one delivery change; unknown messages and people change nothing."""
    for signal in signals:
        match signal.kind:
            case EventKind.EDIT:
                _edit(tx, account, signal)
            case EventKind.RECEIPT:
                marks.receive(tx, account, signal.about, signal.mark, signal.text)
            case _:
                _reach(tx, account, signal)
                if signal.kind is EventKind.JOINED and signal.source != "{}" and signal.channel_id:
                    _keep_start(tx, account, signal)


def _keep_start(tx: Tx, account: str, signal: Signal) -> None:
    """He has asked nothing yet: the link by which he came is kept for his next request."""
    tx.execute(delete(start_source).where(start_source.c.at < tx.now - STARTS_KEPT))
    key = (start_source.c.channel_id == signal.channel_id, start_source.c.account == account)
    if not tx.changed(update(start_source).where(*key).values(source=signal.source, at=tx.now)):
        tx.execute(
            start_source.insert().values(
                channel_id=signal.channel_id, account=account, source=signal.source, at=tx.now
            )
        )


def _edit(tx: Tx, account: str, signal: Signal) -> None:
    query = select(message).where(message.c.message_key == signal.about, message.c.account == account)
    row = tx.execute(query).one_or_none()
    if row is None or row.body == signal.text:
        return
    edit = {"text": row.body, "until": tx.now}
    known = tx.execute(select(message_extra).where(message_extra.c.message_id == row.id)).one_or_none()
    if known is None:
        extra = MessageExtraRow(row.id, "message", "", "", "", "", orjson.dumps([edit]).decode(), tx.now)
        tx.insert({message_extra: [extra]})
    else:
        edits = [*orjson.loads(known.edits), edit][-MAX_EDITS:]
        tx.execute(
            update(message_extra)
            .where(message_extra.c.message_id == row.id)
            .values(edits=orjson.dumps(edits).decode(), changed_at=tx.now, full_text="", html="")
        )
    tx.execute(update(message).where(message.c.id == row.id).values(body=signal.text))


def _reach(tx: Tx, account: str, signal: Signal) -> None:
    key = IdentityKey(f"channel:{account}", signal.channel_id)
    contact_id = home_of(tx.conn, key)
    if contact_id is None:
        return
    state = "left" if signal.kind is EventKind.LEFT else "open"
    met = tx.changed(
        update(reachability)
        .where(reachability.c.contact_id == contact_id, reachability.c.account == account)
        .values(state=state, at=tx.now)
    )
    if not met:
        tx.execute(
            reachability.insert().values(contact_id=contact_id, account=account, state=state, at=tx.now)
        )
