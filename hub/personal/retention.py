"""What is deleted by itself, and when: bodies go, keys stay.

    kind             what goes                                                       kept (days; 0: for ever)
    bodies           deliveries as they came, once they were understood              90
    documents        carriers' raw answers about parcels that have ended             180
    conversations    texts, pages and files of requests that were closed             0
    effects          what left the hub, work that was done, planned moments,         30
                     what the staff bot wrote about tasks that have ended
    access           ended sessions, used links, counters of failed sign-ins         30
    audit            who did what to settings and people                             730

Keys of deliveries and messages stay for good: what comes again after years is still known. So do requests,
tasks, the ledger, orders with their journals, and what was observed of parcels. What waits, failed, or needs a
person is never deleted. Keys of the API are kept 48 hours by their own rule.

Rows go in transactions of AT_ONCE, so that intake waits for none of it; a file goes after the row that named it,
if no other row names it and nobody has stored the same bytes meanwhile (`BlobStore.drop`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import structlog
from sqlalchemy import ColumnElement, and_, delete, exists, or_, select, update

from hub.db import tables as t
from hub.db.database import Database
from hub.db.lookup import any_of
from hub.db.tx import Tx
from hub.intake.blobs import BlobStore
from hub.kernel.clock import DAY, Instant
from hub.outbox.jobs.port import JobState
from hub.outbox.model import OutboxState
from hub.personal.files import drop_now_or_later
from hub.settings import RetentionSection
from hub.tasks.model import OPEN

log = structlog.get_logger("hub.personal")

KIND = "retention"
AT_ONCE = 500
PAUSE_S = 0.02
_UNDERSTOOD = ("stored", "spam", "noted")


class Retention:
    """The nightly round. `run` may be repeated at any time: it deletes what is due and no more."""

    def __init__(self, db: Database, blobs: BlobStore, kept: RetentionSection) -> None:
        self._db = db
        self._blobs = blobs
        self._kept = kept

    async def run(self) -> Mapping[str, int]:
        """Delete what is due; how many rows of each kind."""
        counted = {}
        for kind, days in self._kept.model_dump().items():
            if days:
                counted[kind] = await self._kind(kind, Instant(self._db.clock.now() - days * DAY))
        log.info("retention", **counted)
        return counted

    async def _kind(self, kind: str, before: Instant) -> int:
        total = 0
        for sweep in SWEEPS[kind]:
            while True:
                found, blobs = await self._db.write(partial(sweep, before=before))
                total += found
                await drop_now_or_later(self._db, self._blobs, blobs)
                if found < AT_ONCE:
                    break
                await asyncio.sleep(PAUSE_S)
        return total


Swept = tuple[int, set[str]]


def _bodies(tx: Tx, before: Instant) -> Swept:
    query = (
        select(t.delivery_body.c.delivery_id, t.delivery_body.c.blob)
        .join(t.delivery, t.delivery.c.id == t.delivery_body.c.delivery_id)
        .where(t.delivery.c.received_at < before, t.delivery.c.state.in_(_UNDERSTOOD))
        .order_by(t.delivery_body.c.delivery_id)
        .limit(AT_ONCE)
    )
    rows = tx.execute(query).all()
    ids = [row.delivery_id for row in rows]
    tx.execute(delete(t.delivery_body).where(any_of(tx.conn, t.delivery_body.c.delivery_id, ids)))
    return len(rows), {row.blob for row in rows if row.blob}


def _documents(tx: Tx, before: Instant) -> Swept:
    query = (
        select(t.raw_document.c.id)
        .join(t.shipment, t.shipment.c.id == t.raw_document.c.shipment_id)
        .where(t.raw_document.c.first_seen_at < before, t.raw_document.c.body.is_not(None))
        .where(t.shipment.c.final.is_(True))
        .limit(AT_ONCE)
    )
    ids = list(tx.execute(query).scalars())
    tx.execute(update(t.raw_document).where(any_of(tx.conn, t.raw_document.c.id, ids)).values(body=None))
    return len(ids), set()


def _conversations(tx: Tx, before: Instant) -> Swept:
    """Messages of requests that were closed long ago, those that still say something."""
    query = (
        select(t.message.c.id)
        .join(t.request, t.request.c.id == t.message.c.request_id)
        .where(t.request.c.state == "closed", t.request.c.closed_at < before)
        .where(_says_something())
        .order_by(t.message.c.id)
        .limit(AT_ONCE)
    )
    ids = list(tx.execute(query).scalars())
    return len(ids), wipe_messages(tx, ids)


def _says_something() -> ColumnElement[bool]:
    files = exists().where(t.attachment.c.message_id == t.message.c.id, t.attachment.c.state != "gone")
    extra = exists().where(
        t.message_extra.c.message_id == t.message.c.id,
        or_(t.message_extra.c.full_text != "", t.message_extra.c.html != "", t.message_extra.c.subject != ""),
    )
    return or_(t.message.c.body != "", t.message.c.fields != "{}", files, extra)


def wipe_messages(tx: Tx, ids: list[int]) -> set[str]:
    """Take the words and files out of messages; the files that they named."""
    files = any_of(tx.conn, t.attachment.c.message_id, ids)
    blobs = {
        blob for blob in tx.execute(select(t.attachment.c.blob).where(files)).scalars() if blob is not None
    }
    tx.execute(update(t.message).where(any_of(tx.conn, t.message.c.id, ids)).values(body="", fields="{}"))
    tx.execute(
        update(t.message_extra)
        .where(any_of(tx.conn, t.message_extra.c.message_id, ids))
        .values(subject="", full_text="", html="", edits="[]")
    )
    tx.execute(update(t.attachment).where(files).values(name="", blob=None, ref=None, state="gone"))
    return blobs


def _rows(table: Any, key: Any, due: Any) -> Any:
    """A sweep that deletes rows; `due` makes its condition of the moment."""

    def sweep(tx: Tx, before: Instant) -> Swept:
        keys = list(tx.execute(select(key).where(due(before)).distinct().limit(AT_ONCE)).scalars())
        deleted = tx.changed(delete(table).where(key.in_(keys), due(before))) if keys else 0
        return deleted, set()

    return sweep


def _effects() -> Iterator[Any]:
    yield _rows(
        t.outbox,
        t.outbox.c.id,
        lambda before: and_(t.outbox.c.state == OutboxState.DONE, t.outbox.c.done_at < before),
    )
    yield _rows(
        t.job,
        t.job.c.id,
        lambda before: and_(t.job.c.state.in_((JobState.DONE, JobState.CANCELLED)), t.job.c.done_at < before),
    )
    yield _rows(t.planned, t.planned.c.at, lambda before: t.planned.c.at < before)
    yield _rows(t.notice, t.notice.c.id, lambda before: t.notice.c.read_at < before)
    yield _rows(
        t.staff_message,
        t.staff_message.c.about,
        lambda before: and_(t.staff_message.c.at < before, ~_about_open_task()),
    )


def _about_open_task() -> ColumnElement[bool]:
    """An answer to it still finds its task."""
    return exists().where(t.task.c.id == t.staff_message.c.task_id, t.task.c.state.in_(OPEN))


SWEEPS: Mapping[str, tuple[Any, ...]] = {
    "bodies": (_bodies,),
    "documents": (_documents,),
    "conversations": (_conversations,),
    "effects": tuple(_effects()),
    "access": (
        _rows(
            t.session,
            t.session.c.id,
            lambda before: or_(t.session.c.expires_at < before, t.session.c.revoked_at < before),
        ),
        _rows(
            t.one_time_link,
            t.one_time_link.c.id,
            lambda before: or_(t.one_time_link.c.expires_at < before, t.one_time_link.c.used_at < before),
        ),
        _rows(
            t.staff_link,
            t.staff_link.c.id,
            lambda before: or_(
                t.staff_link.c.ended_at < before,
                and_(t.staff_link.c.linked_at.is_(None), t.staff_link.c.expires_at < before),
            ),
        ),
        _rows(
            t.sign_in_failure, t.sign_in_failure.c.key, lambda before: t.sign_in_failure.c.window_at < before
        ),
    ),
    "audit": (_rows(t.audit, t.audit.c.id, lambda before: t.audit.c.at < before),),
}
