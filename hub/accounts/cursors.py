"""Where a pulled account has got to. The fence stands in the row itself.

A lease says who may pull; a holder that slept through its own lease does not know that it has lost it.
So a new holder writes its fence here first, and a position moves only for the fence that stands here and
only from the position that its holder read: a late one meets no row, and its transaction is rolled back.
"""

from __future__ import annotations

from sqlalchemy import select, update

from hub.db.tables import cursor
from hub.db.tx import Tx
from hub.kernel.errors import HubError


class FenceLost(HubError):
    """Another process has taken over this source: what was pulled here is not stored."""


def take(tx: Tx, account: str, fence: int) -> str:
    """Begin to pull under a fence; the position to go on from ("" at the very first). Raises FenceLost."""
    row = tx.execute(select(cursor).where(cursor.c.account == account).with_for_update()).one_or_none()
    if row is None:
        tx.execute(cursor.insert().values(account=account, position="", fence=fence, updated_at=tx.now))
        return ""
    if row.fence > fence:
        raise FenceLost
    tx.execute(update(cursor).where(cursor.c.account == account).values(fence=fence))
    return str(row.position)


def move(tx: Tx, account: str, fence: int, old: str, new: str) -> None:
    """Move the position in the transaction of what it covers. Raises FenceLost."""
    met = tx.changed(
        update(cursor)
        .where(cursor.c.account == account, cursor.c.fence == fence, cursor.c.position == old)
        .values(position=new, updated_at=tx.now)
    )
    if met != 1:
        raise FenceLost
