"""The journal of an order: append-only, each entry chained by hash to the one before."""

from __future__ import annotations

import hashlib

import orjson

from hub.access.model import Actor
from hub.db.tx import Tx
from hub.orders.model import EntryRow, OrderRow

GENESIS = "0" * 64


def entry_of(
    tx: Tx,
    actor: Actor,
    row: OrderRow,
    event: str,
    stage: str,
    reason: str | None = None,
    body: dict[str, object] | None = None,
) -> EntryRow:
    """The next journal entry of an order."""
    seq = row.journal_seq + 1
    written = orjson.dumps(body or {}).decode()
    entry = EntryRow(
        row.id, seq, event, stage, actor.label, reason or None, written, tx.now, tx.correlation_id, ""
    )
    return entry._replace(hash=entry_hash(row.journal_hash, entry))


def entry_hash(before: str, entry: EntryRow) -> str:
    """The hash of an entry: over the hash of the one before and its own content."""
    content = (
        f"{before}|{entry.order_id}|{entry.seq}|{entry.event}|{entry.stage}|{entry.actor}|{entry.reason or ''}|"
        f"{entry.body}|{entry.at}|{entry.correlation_id}"
    )
    return hashlib.sha256(content.encode()).hexdigest()
