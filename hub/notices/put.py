"""Writes the effects of this slice into the outbox: alarms, messages to the staff, answers of the bot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import select, update

from hub.access.model import Role
from hub.db.rows import OutboxRow
from hub.db.tables import outbox, staff, staff_role
from hub.db.tx import Tx
from hub.notices import store

MESSAGE, ANSWER = "staff_message", "staff_answer"
Buttons = Sequence[Sequence[tuple[str, str]]]  # rows of (label, action)


def row_of(
    tx: Tx, lane: str, kind: str, order_key: str, payload: Mapping[str, Any], due_at: int
) -> OutboxRow:
    """A fresh effect."""
    return OutboxRow(
        tx.new_id(), lane, kind, order_key, orjson.dumps(payload).decode(), "ready", 0, tx.now, due_at,
        None, None, None, None, None, tx.correlation_id,
    )  # fmt: skip


def put_answer(tx: Tx, account: str, channel_id: str, text: str, buttons: Buttons = (), **more: Any) -> None:
    """What the staff bot says to somebody who wrote to it."""
    payload = {"account": account, "channel_id": channel_id, "text": text, "buttons": buttons, **more}
    row = row_of(tx, ANSWER, "answer", f"{account}:{channel_id}", payload, tx.now)
    tx.insert({outbox: [row]})


def forget(tx: Tx, row: OutboxRow) -> None:
    """It is done: the words that it held are kept nowhere beside the conversation."""
    tx.execute(update(outbox).where(outbox.c.id == row.id).values(payload="{}"))


def operators(tx: Tx) -> list[int]:
    """Who operates the hub: the administrators, else the heads."""
    query = (
        select(staff_role.c.staff_id, staff_role.c.role)
        .join(staff, staff.c.id == staff_role.c.staff_id)
        .where(staff.c.state == "active", staff_role.c.role.in_([Role.ADMIN, Role.HEAD]))
    )
    rows = tx.execute(query).all()
    return sorted({row.staff_id for row in rows if row.role == Role.ADMIN} or {row.staff_id for row in rows})


def put_alarm(tx: Tx, kind: str, **body: Any) -> None:
    """A notice to everybody who operates the hub."""
    effects = [
        row_of(tx, "notice", kind, f"staff:{one}", {"staff_id": str(one), "task_ids": [], **body}, tx.now)
        for one in operators(tx)
    ]
    tx.insert({outbox: effects})


def alarm_of_dead(tx: Tx, rows: Sequence[OutboxRow]) -> None:
    """Something was given up: whoever operates the hub is told, once until he has read it.

    A message that itself carried such an alarm raises none, and replies and web hooks have alarms of their own.
    """
    lanes = {
        row.lane for row in rows if row.kind != "undelivered" and row.lane in (*store.STAFF_LANES, "webhook")
    }
    if not lanes:
        return
    effects = []
    for one in operators(tx):
        if store.has_unread(tx.conn, one, "undelivered"):
            continue
        body = {"staff_id": str(one), "task_ids": [], "lanes": sorted(lanes)}
        effects.append(row_of(tx, "notice", "undelivered", f"staff:{one}", body, tx.now))
    tx.insert({outbox: effects})
