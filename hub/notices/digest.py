"""The head's morning: what a day brought and what waits. Numbers only; made when it is due."""

from __future__ import annotations

import secrets
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from hub.access.model import May
from hub.access.store import actor_of
from hub.coordination import leases
from hub.db.database import Database
from hub.db.tables import account, orders, outbox, request, shipment, staff, task
from hub.db.tx import Tx
from hub.kernel.clock import DAY, SECOND
from hub.notices import store
from hub.notices.put import row_of
from hub.outbox.model import OutboxState
from hub.tasks.model import HELD

LEASE = "digest"
LASTS = 90 * SECOND
PEOPLE = 12


def gather(conn: Connection, now: int) -> dict[str, Any]:
    """The last 24 hours, and how things stand."""
    since = now - DAY

    def count(column: Any, *conditions: Any) -> int:
        return int(conn.execute(select(func.count(column)).where(*conditions)).scalar_one())

    made = conn.execute(
        select(orders.c.currency, func.count(), func.sum(orders.c.total_minor))
        .where(orders.c.created_at >= since)
        .group_by(orders.c.currency)
    ).all()
    held = conn.execute(
        select(staff.c.name, func.count(task.c.id))
        .join(staff, staff.c.id == task.c.assignee_id)
        .where(task.c.state.in_(HELD))
        .group_by(staff.c.id, staff.c.name)
        .order_by(func.count(task.c.id).desc(), staff.c.name)
        .limit(PEOPLE)
    )
    dead = (OutboxState.DEAD,)
    return {
        "requests": count(request.c.id, request.c.opened_at >= since),
        "answered": count(request.c.id, request.c.closed_at >= since),
        "waiting": count(task.c.id, task.c.state == "waiting"),
        "unaccepted": count(task.c.id, task.c.state == "assigned"),
        "next_contacts": count(request.c.id, request.c.state == "open", request.c.next_contact_at < now),
        "orders": sum(row[1] for row in made),
        "sums": {row[0]: str(row[2] or 0) for row in made if row[2]},
        "parcels": count(shipment.c.id, shipment.c.problem.is_not(None), shipment.c.final.is_(False)),
        "accounts": count(account.c.name, account.c.state.in_(("stopped", "off"))),
        "undelivered": count(outbox.c.id, outbox.c.state.in_(dead)),
        "people": [[row[0], row[1]] for row in held],
    }


class Digests:
    """Writes the digests that are due. One process of all does it."""

    def __init__(self, db: Database, zone: ZoneInfo) -> None:
        self._db = db
        self._zone = zone
        self._owner = secrets.token_hex(8)

    async def tick(self) -> int:
        """How many were written."""
        now = self._db.clock.now()
        due = await self._db.read(lambda conn: store.due_digests(conn, now))
        if not due or await self._db.write(lambda tx: leases.hold(tx, LEASE, self._owner, LASTS)) is None:
            return 0
        for staff_id in due:
            await self._write(staff_id)
        return len(due)

    async def _write(self, staff_id: int) -> None:
        await self._db.write(lambda tx: write_digest(tx, staff_id, self._zone))


def write_digest(tx: Tx, staff_id: int, zone: ZoneInfo) -> bool:
    """One head's digest as a notice, and its next moment; who leads no more gets none."""
    if not store.take_digest(tx, staff_id, zone):
        return False
    actor = actor_of(tx.conn, staff_id)
    if actor is None or not actor.may(May.LEAD):
        return False
    payload = {"staff_id": str(staff_id), "task_ids": [], **gather(tx.conn, tx.now)}
    tx.insert({outbox: [row_of(tx, "notice", "digest", f"staff:{staff_id}", payload, tx.now)]})
    return True
