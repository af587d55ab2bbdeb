"""SQL of notices, of what people chose, and of the messengers that are theirs."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import func, insert, select, update
from sqlalchemy.engine import Connection

from hub.access.secrets import token_hash
from hub.db.rows import OutboxRow
from hub.db.tables import notice, notice_choice, outbox, staff, staff_link, staff_message
from hub.db.tx import Tx
from hub.kernel.clock import MINUTE, Instant
from hub.kernel.errors import NotFound, VersionConflict
from hub.notices.model import Choice, choice_of, next_digest
from hub.outbox.model import OutboxState
from hub.staff import schedule

CODE_LASTS = 15 * MINUTE
CODE_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # nothing that looks like another
CODE_LENGTH = 12
DEAD_SHOWN = 100
STAFF_LANES = ("notice", "staff_message", "staff_answer", "staff_bot", "acknowledgement", "order_message")
"""Lanes whose dead letters are shown together; replies stand in their conversation, web hooks have a page."""


# --- what was told ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """One line of a person's list."""

    id: int
    staff_id: int
    kind: str
    body: Mapping[str, Any]
    created_at: int
    read_at: int | None


def _notice(row: Any) -> NoticeRow:
    return NoticeRow(row.id, row.staff_id, row.kind, orjson.loads(row.body), row.created_at, row.read_at)


def page(
    conn: Connection, staff_id: int, *, before: int | None = None, limit: int = 50, unread: bool = False
) -> list[NoticeRow]:
    """A person's notices, newest first."""
    query = select(notice).where(notice.c.staff_id == staff_id).order_by(notice.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(notice.c.id < before)
    if unread:
        query = query.where(notice.c.read_at.is_(None))
    return [_notice(row) for row in conn.execute(query)]


def some(conn: Connection, notice_ids: Collection[int]) -> list[NoticeRow]:
    """These notices, oldest first."""
    query = select(notice).where(notice.c.id.in_(notice_ids)).order_by(notice.c.id)
    return [_notice(row) for row in conn.execute(query)]


def unread(conn: Connection, staff_id: int) -> int:
    """How many he has not read."""
    query = select(func.count()).where(notice.c.staff_id == staff_id, notice.c.read_at.is_(None))
    return int(conn.execute(query).scalar_one())


def has_unread(conn: Connection, staff_id: int, kind: str) -> bool:
    """Does an unread notice of this kind stand there already?"""
    query = select(notice.c.id).where(
        notice.c.staff_id == staff_id, notice.c.read_at.is_(None), notice.c.kind == kind
    )
    return conn.execute(query.limit(1)).first() is not None


def read_all(tx: Tx, staff_id: int, notice_ids: Sequence[int] | None = None) -> int:
    """These (None: all) are read; how many were not yet."""
    statement = update(notice).where(notice.c.staff_id == staff_id, notice.c.read_at.is_(None))
    if notice_ids is not None:
        statement = statement.where(notice.c.id.in_(notice_ids))
    return tx.changed(statement.values(read_at=tx.now))


# --- what was chosen -------------------------------------------------------------------------------------


def choice(conn: Connection, staff_id: int) -> Choice:
    """What a person has chosen; the usual, where he has not."""
    row = conn.execute(select(notice_choice).where(notice_choice.c.staff_id == staff_id)).one_or_none()
    return Choice() if row is None else choice_of(orjson.loads(row.body), row.version)


def keep_choice(
    tx: Tx, staff_id: int, chosen: Choice, usual: ZoneInfo, expected_version: int | None = None
) -> Choice:
    """Store it, with the next moment of the digest. Raises VersionConflict."""
    known = choice(tx.conn, staff_id)
    if expected_version is not None and expected_version != known.version:
        raise VersionConflict("your choice was changed meanwhile", version=known.version)
    values = {
        "body": orjson.dumps(chosen.body()).decode(),
        "digest_at": next_digest(chosen, _schedule(tx.conn, staff_id, chosen.zone(usual)), usual, tx.now),
        "updated_at": tx.now,
        "version": known.version + 1,
    }
    if known.version:
        tx.execute(update(notice_choice).where(notice_choice.c.staff_id == staff_id).values(**values))
    else:
        tx.execute(insert(notice_choice).values(staff_id=staff_id, **values))
    return choice(tx.conn, staff_id)


def _schedule(conn: Connection, staff_id: int, zone: ZoneInfo) -> Any:
    return schedule.read(conn, [staff_id], zone)[staff_id]


def due_digests(conn: Connection, now: Instant) -> list[int]:
    """Whose digest is due."""
    query = select(notice_choice.c.staff_id).where(notice_choice.c.digest_at <= now)
    return list(conn.execute(query.order_by(notice_choice.c.staff_id)).scalars())


def take_digest(tx: Tx, staff_id: int, usual: ZoneInfo) -> bool:
    """It is due: set the next moment. False where another process was first."""
    chosen = choice(tx.conn, staff_id)
    following = next_digest(chosen, _schedule(tx.conn, staff_id, chosen.zone(usual)), usual, tx.now)
    met = tx.changed(
        update(notice_choice)
        .where(notice_choice.c.staff_id == staff_id, notice_choice.c.digest_at <= tx.now)
        .values(digest_at=following)
    )
    return met == 1


# --- messengers ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Link:
    """A person's messenger."""

    id: int
    staff_id: int
    account: str
    channel_id: str
    linked_at: int


_LIVING = (staff_link.c.linked_at.is_not(None), staff_link.c.ended_at.is_(None))
_LINKS = (
    select(
        staff_link.c.id, staff_link.c.staff_id, staff_link.c.account, staff_link.c.channel_id,
        staff_link.c.linked_at,
    )
    .join(staff, staff.c.id == staff_link.c.staff_id)
    .where(*_LIVING, staff.c.state == "active")
)  # fmt: skip


def link_of(conn: Connection, staff_id: int) -> Link | None:
    """A person's messenger; None where he has none, or works here no more."""
    row = conn.execute(_LINKS.where(staff_link.c.staff_id == staff_id)).first()
    return Link(*row) if row is not None else None


def link_at(conn: Connection, account: str, channel_id: str) -> Link | None:
    """Whose messenger an address is; None for strangers and for who works here no more."""
    query = _LINKS.where(staff_link.c.channel_id == channel_id, staff_link.c.account == account)
    row = conn.execute(query).first()
    return Link(*row) if row is not None else None


def make_code(tx: Tx, staff_id: int) -> str:
    """A one-time code for the staff bot, good for 15 minutes; an earlier one ends."""
    unused = (staff_link.c.staff_id == staff_id, staff_link.c.linked_at.is_(None))
    tx.execute(update(staff_link).where(*unused).values(code_hash=None, ended_at=tx.now))
    code = "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))
    tx.execute(
        insert(staff_link).values(
            id=tx.new_id(), staff_id=staff_id, code_hash=token_hash(code), created_at=tx.now,
            expires_at=tx.now + CODE_LASTS,
        )
    )  # fmt: skip
    return code


def use_code(tx: Tx, code: str, account: str, channel_id: str) -> int | None:
    """Link an address to whose code this is; earlier links of both end. The person, or None: no living code."""
    row = tx.execute(
        select(staff_link.c.id, staff_link.c.staff_id)
        .join(staff, staff.c.id == staff_link.c.staff_id)
        .where(
            staff_link.c.code_hash == token_hash(code.strip().upper()),
            staff_link.c.linked_at.is_(None),
            staff_link.c.expires_at > tx.now,
            staff.c.state == "active",
        )
    ).one_or_none()
    if row is None:
        return None
    end_links(tx, staff_link.c.staff_id == row.staff_id)
    end_links(tx, staff_link.c.account == account, staff_link.c.channel_id == channel_id)
    tx.execute(
        update(staff_link)
        .where(staff_link.c.id == row.id)
        .values(code_hash=None, account=account, channel_id=channel_id, linked_at=tx.now)
    )
    return int(row.staff_id)


def end_links(tx: Tx, *which: Any) -> int:
    """Living links end; how many there were."""
    return tx.changed(update(staff_link).where(*_LIVING, *which).values(ended_at=tx.now))


def unlink(tx: Tx, staff_id: int) -> int:
    """The person's messenger is his no more."""
    return end_links(tx, staff_link.c.staff_id == staff_id)


def unlink_address(tx: Tx, account: str, channel_id: str) -> int:
    """An address is nobody's any more: he left the bot, or works here no more."""
    return end_links(tx, staff_link.c.account == account, staff_link.c.channel_id == channel_id)


# --- what the bot wrote ------------------------------------------------------------------------------------


def remember(tx: Tx, account: str, about: str, staff_id: int, task_id: int | None) -> None:
    """A message of the bot left under this id. A second task under the same id makes it one about several."""
    key = (staff_message.c.about == about, staff_message.c.account == account)
    row = tx.execute(select(staff_message.c.task_id).where(*key)).one_or_none()
    if row is None:
        tx.execute(
            insert(staff_message).values(
                about=about, account=account, staff_id=staff_id, task_id=task_id, at=tx.now
            )
        )
    elif row.task_id != task_id:
        tx.execute(update(staff_message).where(*key).values(task_id=None))


def task_of_message(
    conn: Connection, account: str, ids: Sequence[str], staff_id: int
) -> tuple[bool, int | None]:
    """(is it an answer to one of our messages to him, the one task that it was about)."""
    row = conn.execute(
        select(staff_message.c.task_id).where(
            staff_message.c.about.in_(ids),
            staff_message.c.account == account,
            staff_message.c.staff_id == staff_id,
        )
    ).first()
    return (False, None) if row is None else (True, row.task_id)


# --- what could not be delivered ---------------------------------------------------------------------------


def undelivered(conn: Connection) -> list[OutboxRow]:
    """What was given up, newest first."""
    query = (
        select(outbox)
        .where(outbox.c.lane.in_(STAFF_LANES), outbox.c.state == OutboxState.DEAD)
        .order_by(outbox.c.id.desc())
        .limit(DEAD_SHOWN)
    )
    return [OutboxRow._make(row) for row in conn.execute(query)]


def _dead(tx: Tx, row_id: int, **values: Any) -> None:
    met = tx.changed(
        update(outbox)
        .where(outbox.c.id == row_id, outbox.c.lane.in_(STAFF_LANES), outbox.c.state == OutboxState.DEAD)
        .values(**values)
    )
    if met != 1:
        raise NotFound(f"nothing under {row_id} was given up")


def send_again(tx: Tx, row_id: int) -> None:
    """Try once more what was given up. Raises NotFound."""
    _dead(tx, row_id, state=OutboxState.READY, attempts=0, next_try_at=tx.now, last_error=None)


def drop(tx: Tx, row_id: int) -> None:
    """A person has seen it, and it need not be sent any more. Raises NotFound."""
    _dead(tx, row_id, state=OutboxState.DONE, done_at=tx.now)
