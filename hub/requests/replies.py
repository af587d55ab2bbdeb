"""What the business writes to a customer: chosen way, stored message, effect in the outbox.

Which way: the channel he wrote from last, if it sends and he can still be reached there; else one that the
seller names. A channel that only answers (chats) needs that he has written on it before; one that writes
first (mail) needs his address. The message stands in the conversation at once, as `sending`; the outbox
tells how it ended. Outbox row and message have the same id, so each is found from the other.

    sending -> sent -> delivered -> seen
            -> failed      refused by the provider, or tried too often; can be sent again
            -> uncertain   the connection went during the call: a person says "it arrived" or "send again"
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson
from sqlalchemy import select, update
from sqlalchemy.engine import Connection

from hub.access.model import Actor, May
from hub.contacts import store as contacts
from hub.contacts.store import ContactRecord
from hub.db.rows import AttachmentRow, MessageExtraRow, MessageRow, OutboxRow
from hub.db.tables import attachment, message, message_extra, outbox, reachability, thread_token
from hub.db.tx import Tx
from hub.kernel import text
from hub.kernel.errors import FieldProblem, InputRejected, NotFound, RuleSaysNo
from hub.requests import marks, store
from hub.requests.service import note
from hub.sdk.messages import OutgoingKind

MAX_TEXT = 20_000
MAX_FILES = 10
LANE = "reply"


@dataclass(frozen=True, slots=True)
class Writer:
    """What a channel account can send: which address it needs, whether it may begin, how large a file."""

    account: str
    writes_to: str  # channel_id | email | phone
    first: bool
    files: int


@dataclass(frozen=True, slots=True)
class Way:
    """One possible way to a person; `closed`: why it cannot be taken right now."""

    account: str
    address: str
    files: int
    closed: str = ""


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file whose bytes are in the blob store already."""

    name: str
    media_type: str
    size: int
    blob: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What is written. `account` "" = the way he wrote from."""

    text: str
    account: str = ""
    subject: str = ""
    files: Sequence[NewFile] = ()
    kind: OutgoingKind = OutgoingKind.REPLY


def ways(
    conn: Connection, contact: ContactRecord, writers: Mapping[str, Writer], home: int | None = None
) -> list[Way]:
    """The ways to a person, the one he wrote from last first.

    home  the card that the request belongs to without any merge: of two addresses on one channel, its own comes first
    """
    left = _left(conn, contact)
    found = []
    for writer in writers.values():
        kind = f"channel:{writer.account}" if writer.writes_to == "channel_id" else writer.writes_to
        address, closed = _address(contact, kind, writer.account, left, home)
        if address:
            why = "he has left this channel or blocked us there" if closed else ""
            found.append(Way(writer.account, address, writer.files, why))
    last = _last_account(conn, contact)
    return sorted(found, key=lambda way: (bool(way.closed), way.account != last, way.account))


def chat_of(conn: Connection, contact: ContactRecord, account: str, home: int | None) -> str:
    """His id on a channel, as `ways` chose it; "" = none."""
    return _address(contact, f"channel:{account}", account, _left(conn, contact), home)[0]


def _left(conn: Connection, contact: ContactRecord) -> set[tuple[int, str]]:
    """Which of his cards cannot be reached on which account."""
    query = select(reachability.c.contact_id, reachability.c.account).where(
        reachability.c.contact_id.in_(contact.ids), reachability.c.state == "left"
    )
    return {(row.contact_id, row.account) for row in conn.execute(query)}


def _address(
    contact: ContactRecord, kind: str, account: str, left: set[tuple[int, str]], home: int | None
) -> tuple[str, bool]:
    """The first address that can be reached, else the first one, and whether it is closed; "" = none."""
    possible = contact.all(kind, home)
    for one in possible:
        if (contact.homes.get(one, contact.row.id), account) not in left:
            return one.value, False
    return (possible[0].value, True) if possible else ("", False)


def _last_account(conn: Connection, contact: ContactRecord) -> str:
    # The newest requests of the contact, then their newest message: both by index.
    query = (
        select(message.c.account)
        .where(
            message.c.request_id.in_(store.newest_of_contact(contact.row.id)),
            message.c.contact_id.in_(contact.ids),
            message.c.direction == "in",
        )
        .order_by(message.c.id.desc())
        .limit(1)
    )
    return conn.execute(query).scalar_one_or_none() or ""


def reply(tx: Tx, actor: Actor, request_id: int, letter: Letter, writers: Mapping[str, Writer]) -> MessageRow:
    """Write to the customer of a request. Raises RuleSaysNo where no way is open, InputRejected."""
    actor.require(May.WORK)
    row = store.get(tx.conn, request_id)
    contact = contacts.get(tx.conn, row.contact_id)
    home = store.home_of(row)
    way = _choose(ways(tx.conn, contact, writers, home), letter)
    subject = letter.subject or answer_subject(row.subject)
    return put_out(tx, actor, request_id, home, way.account, letter, subject)


def answer_subject(subject: str) -> str:
    """The subject of an answer."""
    return subject if subject[:3].casefold() == "re:" else f"Re: {subject}" if subject else ""


def _choose(possible: Sequence[Way], letter: Letter) -> Way:
    body = text.clean(letter.text, MAX_TEXT + 1)
    problems = []
    if not body and not letter.files:
        problems.append(FieldProblem("text", "write something, or add a file"))
    if len(body) > MAX_TEXT:
        problems.append(FieldProblem("text", f"a message may have {MAX_TEXT} characters"))
    if len(letter.files) > MAX_FILES:
        problems.append(FieldProblem("files", f"a message may have {MAX_FILES} files"))
    way = next((w for w in possible if w.account == letter.account), None) if letter.account else None
    if letter.account and way is None:
        problems.append(FieldProblem("channel", "this customer cannot be reached on this channel"))
    if problems:
        raise InputRejected("the message is not valid", problems)
    way = way or next((w for w in possible if not w.closed), None) or next(iter(possible), None)
    if way is None:
        raise RuleSaysNo(
            "no channel leads to this customer: call him, or add his e-mail address to the contact"
        )
    if way.closed:
        raise RuleSaysNo(f"{way.account}: {way.closed}")
    if any(file.size > way.files for file in letter.files):
        limit = f"takes files up to {way.files // 1024} KiB" if way.files else "takes no files"
        raise InputRejected("the message is not valid", [FieldProblem("files", f"{way.account} {limit}")])
    return way


def put_out(
    tx: Tx, actor: Actor, request_id: int, contact_id: int, account: str, letter: Letter, subject: str
) -> MessageRow:
    """Store an outgoing message and its effect."""
    message_id = tx.new_id()
    row = MessageRow(
        message_id, None, account, request_id, contact_id, None, "out", actor.staff_id,
        text.clean(letter.text, MAX_TEXT), "{}", None, tx.now, "sending",
    )  # fmt: skip
    extra = MessageExtraRow(message_id, letter.kind, text.one_line(subject, text.SUBJECT), "", "", "")
    files = [
        AttachmentRow(
            tx.new_id(), message_id, text.one_line(f.name, text.NAME), f.media_type[: text.KEY], f.size, f.blob,
            None, "", "stored", None, 0, None, tx.now,
        )
        for f in letter.files
    ]  # fmt: skip
    effect = OutboxRow(
        message_id, LANE, letter.kind, f"{account}:{contact_id}",
        orjson.dumps({"message_id": str(message_id)}).decode(), "ready", 0, tx.now, tx.now, None, None, None, None,
        None, tx.correlation_id,
    )  # fmt: skip
    tx.insert({message: [row], message_extra: [extra], attachment: files, outbox: [effect]})
    token_of(tx, request_id)
    note(
        tx, actor, "request", request_id, "written", body={"message_id": str(message_id), "account": account}
    )
    return row


def token_of(tx: Tx, request_id: int) -> str:
    """The token that answers to our messages bring back; one a request."""
    query = select(thread_token.c.token).where(thread_token.c.request_id == request_id)
    known = tx.execute(query).scalar()
    if known is not None:
        return str(known)
    token = base64.b32encode(secrets.token_bytes(10)).decode().lower()
    tx.execute(thread_token.insert().values(token=token, request_id=request_id, created_at=tx.now))
    return token


def decide(tx: Tx, actor: Actor, message_id: int, *, arrived: bool) -> MessageRow:
    """A person says what became of a message that is uncertain or failed: it arrived, or send it again."""
    actor.require(May.WORK)
    row = get(tx.conn, message_id)
    if row.direction != "out" or row.state not in {"uncertain", "failed"}:
        raise RuleSaysNo(f"this message is {row.state}: there is nothing to decide")
    effect = update(outbox).where(outbox.c.id == message_id)
    if arrived:
        tx.execute(effect.values(state="done", done_at=tx.now, next_try_at=None))
        tx.execute(update(message).where(message.c.id == message_id).values(state="sent"))
    else:
        tx.execute(effect.values(state="ready", attempts=0, next_try_at=tx.now, last_error=None))
        tx.execute(update(message).where(message.c.id == message_id).values(state="sending"))
    note(
        tx, actor, "request", row.request_id, "message_arrived" if arrived else "message_again",
        body={"message_id": str(message_id)},
    )  # fmt: skip
    return get(tx.conn, message_id)


def get(conn: Connection, message_id: int) -> MessageRow:
    """One message. Raises NotFound."""
    row = conn.execute(select(message).where(message.c.id == message_id)).one_or_none()
    if row is None:
        raise NotFound(f"no message {message_id}")
    return MessageRow._make(row)


def settled(tx: Tx, message_id: int, state: str, provider_id: str, problem: str) -> None:
    """How the sending ended, written in the transaction that settles the outbox row."""
    row = get(tx.conn, message_id)
    if state == "sent":
        values: dict[str, object] = {"sent_at": tx.now}
        if provider_id:
            values["message_key"] = provider_id[: text.KEY]
        tx.execute(update(message).where(message.c.id == message_id).values(**values))
        marks.move(tx, message_id, row.state, "sent")
        if provider_id:
            marks.catch_up(tx, row.account, message_id, provider_id[: text.KEY])
    elif state == "failed":
        marks.fail(tx, message_id, problem)
    elif state == "uncertain":
        tx.execute(update(message).where(message.c.id == message_id).values(state="uncertain"))
        tx.execute(
            update(message_extra)
            .where(message_extra.c.message_id == message_id)
            .values(problem=problem[:500])
        )
