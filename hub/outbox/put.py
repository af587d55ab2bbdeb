"""What must leave the hub is written in the transaction of its cause; the runner delivers it later."""

from __future__ import annotations

import orjson

from hub.db.rows import OutboxRow
from hub.db.tables import outbox
from hub.db.tx import Tx
from hub.kernel.clock import SECOND

COALESCE = 2 * SECOND
"""Several notices to one person within this time become one."""


def notice_row(
    identifier: int, kind: str, staff_id: int, task_ids: list[str], now: int, correlation_id: int
) -> OutboxRow:
    """The row of a notice to a member of the staff: ids only, no customer's words."""
    payload = orjson.dumps({"staff_id": str(staff_id), "task_ids": task_ids}).decode()
    return OutboxRow(
        identifier, "notice", kind, f"staff:{staff_id}", payload, "ready", 0, now, now + COALESCE,
        None, None, None, None, None, correlation_id,
    )  # fmt: skip


def put_notice(tx: Tx, kind: str, staff_id: int, task_id: int) -> None:
    """Tell a person something soon."""
    tx.insert({outbox: [notice_row(tx.new_id(), kind, staff_id, [str(task_id)], tx.now, tx.correlation_id)]})


def put_order_notice(tx: Tx, staff_id: int, order_id: int, stage: str) -> None:
    """Tell a person that an order came to a stage."""
    row = notice_row(tx.new_id(), "order_stage", staff_id, [], tx.now, tx.correlation_id)
    body = orjson.loads(row.payload) | {"order_id": str(order_id), "stage": stage}
    tx.insert({outbox: [row._replace(payload=orjson.dumps(body).decode())]})


def put_code_notice(tx: Tx, staff_id: int, plugin: str, code: str, line: str) -> None:
    """Tell an administrator of a carrier's code that no table lists, with a ready line for the table."""
    row = notice_row(tx.new_id(), "unknown_code", staff_id, [], tx.now, tx.correlation_id)
    body = orjson.loads(row.payload) | {"plugin": plugin, "code": code, "line": line}
    tx.insert({outbox: [row._replace(payload=orjson.dumps(body).decode())]})
