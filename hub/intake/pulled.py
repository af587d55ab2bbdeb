"""Deliveries that the hub fetched itself: understood as all others, written with the position they reach.

One pull is one transaction. What the database refuses is halved, in order, until the poisonous delivery
stands alone and is stored raw; the position moves with each part, so nothing before it is fetched again.
A rejected one (not authentic by the plugin's word) is counted, and the position passes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub.accounts import cursors
from hub.db.database import Database
from hub.db.errors import Fault, classify, describe
from hub.db.tx import Tx
from hub.intake.commit import IntakeCommit
from hub.intake.model import Prepared, Result
from hub.kernel.errors import HubError


@dataclass(frozen=True, slots=True)
class Move:
    """The cursor that a pull moves; None for a rescan, which moves none."""

    account: str
    fence: int
    start: str


@dataclass(frozen=True, slots=True)
class Understood:
    """One fetched delivery, understood (None: rejected), and the position that it reaches."""

    prepared: Prepared | None
    position: str


async def store(
    db: Database, commit: IntakeCommit, items: Sequence[Understood], move: Move | None
) -> list[Result | None]:
    """Write what was pulled; results in order, None for what was rejected.

    Raises FenceLost, or Unavailable where it may be stored or not: pull again from the stored position.
    """
    try:
        return await db.write(lambda tx: _write(tx, commit, items, move))
    except HubError:
        raise
    except Exception as error:  # noqa: BLE001 - sorted by `classify`; a single item is stored raw with its reason
        fault = classify(error)
        if len(items) == 1:
            reason = describe(error)
            return await db.write(lambda tx: _write_failed(tx, commit, items[0], move, fault, reason))
        middle = len(items) // 2
        first, second = items[:middle], items[middle:]
        results = await store(db, commit, first, move)
        return results + await store(db, commit, second, _after(move, first))


def _after(move: Move | None, items: Sequence[Understood]) -> Move | None:
    return Move(move.account, move.fence, items[-1].position) if move is not None else None


def _write(
    tx: Tx, commit: IntakeCommit, items: Sequence[Understood], move: Move | None
) -> list[Result | None]:
    known = [one.prepared for one in items if one.prepared is not None]
    results = iter(commit.commit(tx, known) if known else ())
    if move is not None:
        cursors.move(tx, move.account, move.fence, move.start, items[-1].position)
    return [next(results) if one.prepared is not None else None for one in items]


def _write_failed(
    tx: Tx, commit: IntakeCommit, item: Understood, move: Move | None, fault: Fault, reason: str
) -> list[Result | None]:
    result = commit.store_failed(tx, item.prepared, fault, reason) if item.prepared is not None else None
    if move is not None:
        cursors.move(tx, move.account, move.fence, move.start, item.position)
    return [result]
