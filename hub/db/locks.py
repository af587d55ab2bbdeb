"""One lock order everywhere: team heads first, ascending. Then everything else (see docs/architecture.md).

Whatever changes eligibility, load or credit locks its team's head row before it looks at anything: on
PostgreSQL a look-up in the lock's own statement would read the state from before the wait.

Who takes in what a carrier said learns only from the parcels, which come last, that an order moves or that a
question is dealt to a team. Such a transaction stops at the lock that is out of turn (`Tx.in_turn`), and the
writer runs it again with what it needs locked first: seldom, so nobody waits for a team that is not needed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select, text

from hub.db.lookup import Lookup
from hub.db.prepared import Prepared
from hub.db.tables import ledger_head, orders, team
from hub.db.tx import OutOfTurn, Tx


class HeadRow(NamedTuple):
    """A locked head row as stored, with its team's settings."""

    team_id: int
    seq: int
    hash: str
    state: str
    due_at: int | None
    settings: str


_LOCK = Prepared(
    select(
        ledger_head.c.team_id,
        ledger_head.c.seq,
        ledger_head.c.hash,
        ledger_head.c.state,
        ledger_head.c.due_at,
        team.c.settings,
    )
    .join(team, team.c.id == ledger_head.c.team_id)
    .where(ledger_head.c.team_id == bindparam("team"))
    .with_for_update(of=ledger_head)
)


FURNISH = 7_301_001
"""Making what a hub cannot be without (teams, routes, the first administrator): `hub serve` may start many at once."""


def alone(tx: Tx, what: int) -> None:
    """Of all processes that ask for the same, one at a time until its transaction ends; ask before any other lock.

    An SQLite file has one writer at a time anyway.
    """
    if tx.conn.dialect.name == "postgresql":
        tx.execute(text("SELECT pg_advisory_xact_lock(:what)"), {"what": what})


MERGING = 7_301_002


def cards_stay(tx: Tx) -> None:
    """Until the transaction ends no card of a contact is merged or taken apart: what was looked up stays true.

    For all that writes a contact's id and holds none of its teams. After the teams, before any request: merging
    asks for `cards_move` there. Who holds a team of the contact needs none of it.
    """
    if tx.conn.dialect.name == "postgresql":
        tx.execute(text("SELECT pg_advisory_xact_lock_shared(:what)"), {"what": MERGING})


def cards_move(tx: Tx) -> None:
    """Alone among all that writes a contact's id: every team's head, then those who hold none."""
    lock_teams(tx, tx.execute(select(ledger_head.c.team_id)).scalars().all())
    if tx.conn.dialect.name == "postgresql":
        tx.execute(text("SELECT pg_advisory_xact_lock(:what)"), {"what": MERGING})


def lock_teams(tx: Tx, team_ids: Iterable[int]) -> dict[int, HeadRow]:
    """Lock the head rows of these teams in ascending order and return their newest state."""
    with tx.pipelined():  # the transaction's BEGIN goes along
        asked = ask_teams(tx, team_ids)
    return heads_of(asked)


def ask_teams(tx: Tx, team_ids: Iterable[int]) -> list[Any]:
    """Lock them as the first statements of a block of `Tx.pipelined`; what follows in it is read after the lock."""
    wanted = sorted(set(team_ids))
    tx.in_turn("team", wanted)
    tx.locked("team", wanted)
    return [_LOCK.run(tx.conn, team=team_id) for team_id in wanted]


def heads_of(asked: Iterable[Any]) -> dict[int, HeadRow]:
    """The rows that `ask_teams` has locked, when its block is over."""
    rows = [cursor.fetchone() for cursor in asked]
    return {row[0]: HeadRow._make(row) for row in rows if row is not None}


_ORDERS = Lookup((orders.c.id, orders.c.version), orders.c.id, locks=True)


def lock_orders(tx: Tx, order_ids: Collection[int]) -> dict[int, int]:
    """Nobody else changes these orders until the transaction ends; ascending, after teams and before parcels.

    Returns the version of each, as it is now that it is locked; nothing on SQLite, where nobody else writes.
    """
    tx.in_turn("order", order_ids)
    tx.locked("order", order_ids)
    if tx.conn.dialect.name != "postgresql":
        return {}
    return dict(map(tuple, _ORDERS.run(tx.conn, order_ids)))


def lock_read_order(tx: Tx, order_id: int, version: int) -> None:
    """Lock an order that was read before. Raises OutOfTurn where it was changed since: it has to be read again."""
    had = tx.has_locked("order", order_id)
    now = lock_orders(tx, [order_id]).get(order_id, version)
    if now != version and not had:
        raise OutOfTurn(tx.held)


def lock_first(tx: Tx, first: Mapping[str, Collection[int]]) -> None:
    """What a transaction that was out of turn needs, in order."""
    lock_teams(tx, first.get("team", ()))
    lock_orders(tx, first.get("order", ()))
