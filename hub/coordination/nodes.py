"""Which node number a process makes ids with: a lease row, so that no two processes share one.

A number that was used before is taken over only after its lease has run out, and the new holder's ids
begin after that moment; so ids stay unique even if the clock of the first one was ahead.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sqlalchemy import Engine, insert, select, update
from sqlalchemy.engine import Connection

from hub.db.errors import Fault, classify
from hub.db.tables import node
from hub.kernel.clock import MINUTE, Clock, Instant
from hub.kernel.errors import Unavailable
from hub.kernel.ids import NODES, IdSource

LEASE_MS = 10 * MINUTE
_TRIES = 20


@dataclass(frozen=True, slots=True)
class NodeLease:
    """A node number that is ours until `until_at`."""

    number: int
    owner: str
    until_at: Instant


def acquire_node(engine: Engine, clock: Clock) -> tuple[NodeLease, IdSource]:
    """Take a free node number and its source of ids. Raises Unavailable if all 1,024 are taken."""
    owner = secrets.token_hex(12)
    for _ in range(_TRIES):
        try:
            with engine.begin() as connection:
                taken = _take(connection, owner, clock.now())
        except Exception as error:
            if classify(error) is Fault.CONFLICT:
                continue
            raise
        if taken is not None:
            lease, not_before = taken
            return lease, IdSource(lease.number, clock.now, not_before)
    raise Unavailable("no free node number: 1,024 processes have written within the last ten minutes")


def _take(connection: Connection, owner: str, now: Instant) -> tuple[NodeLease, Instant] | None:
    known = {row.number: row.until_at for row in connection.execute(select(node.c.number, node.c.until_at))}
    free = next((n for n in range(NODES) if n not in known or known[n] < now), None)
    if free is None:
        return None
    lease = NodeLease(free, owner, Instant(now + LEASE_MS))
    if free in known:
        result = connection.execute(
            update(node)
            .where(node.c.number == free, node.c.until_at == known[free])
            .values(owner=owner, until_at=lease.until_at)
        )
        if result.rowcount != 1:
            return None
    else:
        connection.execute(insert(node).values(number=free, owner=owner, until_at=lease.until_at))
    return lease, Instant(known.get(free, 0) + 1)


def renew_node(connection: Connection, lease: NodeLease, now: Instant) -> NodeLease | None:
    """Ours for another ten minutes; None if somebody else has taken the number meanwhile."""
    until = Instant(now + LEASE_MS)
    result = connection.execute(
        update(node).where(node.c.number == lease.number, node.c.owner == lease.owner).values(until_at=until)
    )
    return NodeLease(lease.number, lease.owner, until) if result.rowcount == 1 else None


def release_node(connection: Connection, lease: NodeLease, ids: IdSource, now: Instant) -> None:
    """Give the number back, not before the newest id that was made with it."""
    connection.execute(
        update(node)
        .where(node.c.number == lease.number, node.c.owner == lease.owner)
        .values(until_at=max(now, ids.reached()))
    )
