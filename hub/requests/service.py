"""Use cases of requests that touch no task: see `hub.assignment.service` for those that do."""

from __future__ import annotations

import orjson

from hub.access.model import Actor
from hub.db.rows import JournalRow, RequestRow
from hub.db.tables import journal
from hub.db.tx import Tx
from hub.kernel.clock import Instant
from hub.kernel.errors import RuleSaysNo
from hub.outbox import webhooks
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
    told = {"request_id": str(request_id), "team_id": str(row.team_id), "outcome": str(closing.outcome)}
    webhooks.emit(tx, "request.closed", f"request:{request_id}", told)
    return changed


def reopen(tx: Tx, actor: Actor, request_id: int) -> RequestRow:
    """A closed request is open again, due to be looked at now; it joins no new messages by itself."""
    row = store.get(tx.conn, request_id)
    if row.state == RequestState.OPEN:
        return row
    changed = store.save(
        tx,
        row,
        state=RequestState.OPEN,
        closed_at=None,
        outcome=None,
        reason=None,
        next_contact_at=tx.now,
        actor=actor.label,
    )
    note(tx, actor, "request", request_id, "reopened")
    return changed


def put_off(tx: Tx, actor: Actor, request_id: int, until: Instant) -> RequestRow:
    """When the customer is to be contacted next. Raises RuleSaysNo for a closed request."""
    row = store.get(tx.conn, request_id)
    if row.state != RequestState.OPEN:
        raise RuleSaysNo("a closed request has no next contact: reopen it first")
    changed = store.save(tx, row, next_contact_at=until, actor=actor.label)
    note(tx, actor, "request", request_id, "next_contact", body={"at": until})
    return changed


def move_to_team(tx: Tx, actor: Actor, request_id: int, team_id: int, reason: str) -> RequestRow:
    """The request belongs to another team. One that joins messages there keeps that role."""
    row = store.get(tx.conn, request_id)
    taken = store.joining(tx.conn, row.contact_id, team_id)
    changed = store.save(tx, row, team_id=team_id, joining=row.joining and taken is None, actor=actor.label)
    note(tx, actor, "request", request_id, "to_team", reason=reason)
    return changed
