"""A new request of a person may be acknowledged: the intake only says so, in the transaction that opens it.

Whether anything is sent is decided where the outbox lane is carried out (`hub.notices.acknowledgement`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import orjson

from hub.db.rows import OutboxRow
from hub.db.tx import Tx

LANE = "acknowledgement"

Opened = tuple[str, int, int, int]
"""Account, request, contact, correlation id."""


def ask_active(tx: Tx) -> Any:
    """Accounts that acknowledge. A cursor, like the look for web hooks: the intake asks at each batch."""
    driver: Any = tx.conn.connection.driver_connection
    return driver.execute("SELECT account FROM acknowledgement WHERE active")


def rows_for(tx: Tx, opened: Sequence[Opened], active: Collection[str]) -> list[OutboxRow]:
    """Of requests that people have just opened; order holds within one contact."""
    return [
        OutboxRow(
            tx.new_id(), LANE, "request", f"contact:{contact_id}",
            orjson.dumps({"account": account, "request_id": str(request_id)}).decode(), "ready", 0, tx.now, tx.now,
            None, None, None, None, None, correlation_id,
        )
        for account, request_id, contact_id, correlation_id in opened
        if account in active
    ]  # fmt: skip
