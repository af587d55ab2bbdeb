"""Use cases of requests that touch no task: see `hub.assignment.service` for those that do."""

from __future__ import annotations

import orjson

from hub.access.model import Actor
from hub.db.rows import JournalRow, RequestRow
from hub.db.tables import journal
from hub.db.tx import Tx
from hub.requests import store
from hub.requests.model import Closing, RequestState, check_closing


def note(
    tx: Tx,
    actor: Actor,
    entity: str,
    entity_id: int,
    event: str,
    *,
    reason: str | None = None,
    body: dict[str, object] | None = None,
) -> None:
    """Write one journal entry: ids and words of the business, no message text."""
    row = JournalRow(
        tx.new_id(),
        entity,
        entity_id,
        event,
        actor.label,
        reason or None,
        orjson.dumps(body or {}).decode(),
        tx.now,
        tx.correlation_id,
    )
    tx.insert({journal: [row]})


def close(tx: Tx, actor: Actor, request_id: int, closing: Closing) -> RequestRow:
    """Close a request with its outcome. Closing a closed one again changes nothing.

    Raises InputRejected where the outcome needs a reason and what was asked for.
    """
    row = store.get(tx.conn, request_id)
    if row.state == RequestState.CLOSED:
        return row
    check_closing(closing)
    changed = store.save(
        tx,
        row,
        state=RequestState.CLOSED,
        joining=False,
        closed_at=tx.now,
        next_contact_at=None,
        outcome=closing.outcome,
        reason=closing.reason or None,
        asked_product=closing.product or None,
        asked_quantity_milli=closing.quantity_milli,
        asked_value_minor=closing.value_minor,
        asked_currency=closing.currency if closing.value_minor is not None else None,
        actor=actor.label,
    )
    note(tx, actor, "request", request_id, "closed", reason=closing.reason, body={"outcome": closing.outcome})
    return changed
