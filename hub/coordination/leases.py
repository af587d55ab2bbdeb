"""Who does a piece of work alone: one row a name, taken for a while, with a fence that only grows.

A holder that dies is followed after its lease has run out; one whose clock ran ahead when it took the lease (it
would last for hours yet) is followed at once. Work under a lease that must never be done
twice checks the fence in its own transaction; work that may be repeated needs no more than this.
"""

from __future__ import annotations

from sqlalchemy import select, text, update

from hub.db.tables import lease
from hub.db.tx import Tx
from hub.kernel.clock import MINUTE

SKEW = 5 * MINUTE
"""So far the clocks of two machines may differ. Beyond it a lease changes hands, and its fence grows as ever."""

_MAKE = text(
    "INSERT INTO lease (name, owner, until_at, token) VALUES (:name, :owner, :until_at, 1)"
    " ON CONFLICT (name) DO NOTHING"
)


def hold(tx: Tx, name: str, owner: str, lasts_ms: int) -> int | None:
    """Take or keep a lease, in a transaction of its own; the fence, or None while somebody else has it."""
    tx.quiet = True
    row = tx.execute(select(lease).where(lease.c.name == name)).one_or_none()
    if row is None:
        return _first(tx, name, owner, lasts_ms)
    if row.owner != owner and tx.now < row.until_at <= tx.now + lasts_ms + SKEW:
        return None
    fence = row.token if row.owner == owner else row.token + 1
    taken = tx.changed(
        update(lease)
        .where(lease.c.name == name, lease.c.owner == row.owner, lease.c.until_at == row.until_at)
        .values(owner=owner, until_at=tx.now + lasts_ms, token=fence)
    )
    return int(fence) if taken == 1 else None


def _first(tx: Tx, name: str, owner: str, lasts_ms: int) -> int | None:
    made = tx.changed(
        _MAKE.bindparams(
            name=name, owner=owner, until_at=tx.now + lasts_ms
        )  # the same text on both databases
    )
    return 1 if made == 1 else None


def release(tx: Tx, name: str, owner: str) -> None:
    """Give a lease back: the next one need not wait."""
    tx.execute(update(lease).where(lease.c.name == name, lease.c.owner == owner).values(until_at=tx.now))
