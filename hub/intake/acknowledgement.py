"""A new request of a person may be acknowledged: the intake only says so, in the transaction that opens it.

Whether anything is sent is decided where the outbox lane is carried out (`hub.notices.acknowledgement`).
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from hub.db.rows import OutboxRow
from hub.db.tables import outbox
from hub.db.tx import Tx

LANE = "acknowledgement"


def _active(tx: Tx) -> set[str]:
    """On the driver's own connection, like the look for web hooks: the intake asks at each batch."""
    driver = tx.conn.connection.driver_connection
    assert driver is not None
    return {row[0] for row in driver.execute("SELECT account FROM acknowledgement WHERE active").fetchall()}


def put_all(tx: Tx, opened: Sequence[tuple[str, int, int]]) -> None:
    """(account, request, contact) of requests that people have just opened; order holds within one contact."""
    active = _active(tx)
    rows = [
        OutboxRow(
            tx.new_id(), LANE, "request", f"contact:{contact_id}",
            orjson.dumps({"account": account, "request_id": str(request_id)}).decode(), "ready", 0, tx.now, tx.now,
            None, None, None, None, None, tx.correlation_id,
        )
        for account, request_id, contact_id in opened
        if account in active
    ]  # fmt: skip
    if rows:
        tx.insert({outbox: rows})
