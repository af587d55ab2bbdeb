"""SQL of `carrier_list`: how far an account's lists were read, and whose turn it is to read on."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import and_, insert, select, update
from sqlalchemy.engine import Connection

from hub.db.tables import carrier_list
from hub.db.tx import Tx
from hub.kernel.clock import Instant


class Position(NamedTuple):
    """A list that one process has taken. `next_at` is its fence: whoever took it later has another one."""

    account: str
    kind: str
    reached_at: int
    next_at: int
    taken_at: int


def is_due(conn: Connection, account: str, kind: str, now: Instant) -> bool:
    """Is it time to read this list? One that was never read is due."""
    query = select(carrier_list.c.next_at).where(_is(account, kind))
    next_at = conn.execute(query).scalar_one_or_none()
    return next_at is None or next_at <= now


def take(tx: Tx, account: str, kind: str, first: int, hold: int) -> Position | None:
    """Take a list that is due, for `hold`; None: it is not due, or another process has it."""
    query = select(carrier_list).where(_is(account, kind)).with_for_update()
    row = tx.execute(query).one_or_none()
    until = tx.now + hold
    if row is None:
        tx.execute(
            insert(carrier_list).values(
                account=account, kind=kind, reached_at=tx.now - first, next_at=until, problem=None
            )
        )
        return Position(account, kind, tx.now - first, until, tx.now)
    if row.next_at > tx.now:
        return None
    tx.execute(update(carrier_list).where(_is(account, kind)).values(next_at=until))
    return Position(account, kind, row.reached_at, until, tx.now)


def renew(tx: Tx, mine: Position, hold: int) -> Position | None:
    """Keep the list for another `hold`; None: another process has it by now."""
    until = tx.now + hold
    met = tx.changed(update(carrier_list).where(_mine(mine)).values(next_at=until))
    return mine._replace(next_at=until) if met else None


def move(tx: Tx, mine: Position, reached_at: int, next_at: int) -> None:
    """Read to the end: the position moves, with what it covers in the same transaction."""
    tx.execute(
        update(carrier_list).where(_mine(mine)).values(reached_at=reached_at, next_at=next_at, problem=None)
    )


def put_off(tx: Tx, mine: Position, next_at: int, problem: str | None) -> None:
    """Not read to the end: again from where it was."""
    tx.execute(update(carrier_list).where(_mine(mine)).values(next_at=next_at, problem=problem))


def all_of(conn: Connection) -> list[Any]:
    """Every list that was read, with its problem."""
    return list(conn.execute(select(carrier_list).order_by(carrier_list.c.account, carrier_list.c.kind)))


def _is(account: str, kind: str) -> Any:
    return and_(carrier_list.c.account == account, carrier_list.c.kind == kind)


def _mine(mine: Position) -> Any:
    return and_(_is(mine.account, mine.kind), carrier_list.c.next_at == mine.next_at)
