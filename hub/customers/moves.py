"""SQL of merging: rows that change cards and keep where they came from.

`contact_id` of an identity, a request or an order is the card that stands for its contact now; `home_id` is the card
it belongs to without any merge (null: the same). `contact_owner.contact_id` is the home, `card_id` the card.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Table, case, delete, func, insert, literal, null, or_, select, update
from sqlalchemy.engine import Connection

from hub.db.lookup import any_of
from hub.db.tables import (
    contact,
    contact_merge,
    contact_owner,
    identity,
    joined_before,
    message,
    orders,
    request,
)
from hub.db.tx import Tx

MOVED: tuple[Table, ...] = (identity, request, orders)
"""In the order of locks."""


class MergeRow(NamedTuple):
    """The columns of `contact_merge`, in order."""

    id: int
    survivor_id: int
    merged_id: int
    actor: str
    reason: str
    at: int
    undone_at: int | None = None
    undone_by: str | None = None


class Joining(NamedTuple):
    """A request that messages join, or may join again."""

    id: int
    contact_id: int
    team_id: int
    opened_at: int


_JOINING = select(request.c.id, request.c.contact_id, request.c.team_id, request.c.opened_at)


def lock(tx: Tx, contact_ids: Collection[int]) -> None:
    """Lock cards, ascending."""
    tx.execute(
        select(contact.c.id).where(contact.c.id.in_(contact_ids)).order_by(contact.c.id).with_for_update()
    )


def joining(conn: Connection, card_ids: Collection[int]) -> list[Joining]:
    """The requests of these cards that messages join."""
    query = _JOINING.where(request.c.contact_id.in_(card_ids), request.c.joining).order_by(request.c.id)
    return [Joining._make(row) for row in conn.execute(query)]


def joined(conn: Connection, card_ids: Collection[int]) -> list[Joining]:
    """Open requests of these cards that messages joined when a merge was made."""
    noted = request.c.id.in_(select(joined_before.c.request_id))
    query = _JOINING.where(request.c.contact_id.in_(card_ids), request.c.state == "open", noted)
    return [Joining._make(row) for row in conn.execute(query.order_by(request.c.id))]


def remember(tx: Tx, request_ids: Collection[int]) -> None:
    """These were joined by messages before a merge."""
    known = set(
        tx.execute(
            select(joined_before.c.request_id).where(joined_before.c.request_id.in_(request_ids))
        ).scalars()
    )
    tx.insert({joined_before: [(one,) for one in sorted(set(request_ids) - known)]})


def forget(tx: Tx, card_ids: Sequence[int]) -> None:
    """Cards into which nothing is merged any more have nothing to give back."""
    whole = [
        one for one in card_ids
        if tx.execute(select(contact.c.id).where(contact.c.merged_into_id == one).limit(1)).first() is None
    ]  # fmt: skip
    theirs = select(request.c.id).where(request.c.contact_id.in_(whole))
    tx.execute(delete(joined_before).where(joined_before.c.request_id.in_(theirs)))


def set_joining(tx: Tx, request_ids: Collection[int], *, joins: bool) -> None:
    """Whether messages join these requests."""
    if request_ids:
        met = update(request).where(request.c.id.in_(sorted(request_ids)))
        tx.execute(met.values(joining=joins, updated_at=tx.now))


def bring(tx: Tx, from_id: int, to_id: int) -> None:
    """Everything of a card goes to another one, and remembers where it was at home."""
    for table in MOVED:
        home = func.coalesce(table.c.home_id, table.c.contact_id)
        moved = update(table).where(table.c.contact_id == from_id)
        tx.execute(moved.values(contact_id=to_id, home_id=home, **_touched(tx, table)))
    tx.execute(update(contact_owner).where(contact_owner.c.card_id == from_id).values(card_id=to_id))
    tx.execute(
        update(contact)
        .where(or_(contact.c.id == from_id, contact.c.merged_into_id == from_id))
        .values(merged_into_id=to_id, updated_at=tx.now, version=contact.c.version + 1)
    )
    tx.execute(
        update(contact).where(contact.c.id == to_id).values(updated_at=tx.now, version=contact.c.version + 1)
    )


def take_back(tx: Tx, from_id: int, to_id: int, homes: Sequence[int]) -> None:
    """What is at home in `homes` (the card `to_id` and those merged into it before) goes back there."""
    for table in MOVED:
        moved = update(table).where(table.c.contact_id == from_id, table.c.home_id.in_(homes))
        home = case((table.c.home_id == to_id, null()), else_=table.c.home_id)
        tx.execute(moved.values(contact_id=to_id, home_id=home, **_touched(tx, table)))
    tx.execute(update(contact_owner).where(contact_owner.c.contact_id.in_(homes)).values(card_id=to_id))
    into = case((contact.c.id == to_id, null()), else_=literal(to_id))
    tx.execute(
        update(contact)
        .where(contact.c.id.in_(homes))
        .values(merged_into_id=into, updated_at=tx.now, version=contact.c.version + 1)
    )
    tx.execute(
        update(contact)
        .where(contact.c.id == from_id)
        .values(updated_at=tx.now, version=contact.c.version + 1)
    )


def _touched(tx: Tx, table: Table) -> dict[str, Any]:
    """Who asks for what changed since sees that the row has another card now."""
    return {"updated_at": tx.now} if "updated_at" in table.c else {}


def messages_follow(tx: Tx, writers: Sequence[int], to_id: int, since_id: int) -> None:
    """What was written since the merge in a request that goes back, goes with it."""
    in_them = select(request.c.id).where(request.c.contact_id == to_id)
    tx.execute(
        update(message)
        .where(message.c.request_id.in_(in_them), message.c.contact_id.in_(writers), message.c.id > since_id)
        .values(contact_id=to_id)
    )


# --- which was merged into which -------------------------------------------------------------------------


def add(tx: Tx, row: MergeRow) -> None:
    """A merge."""
    tx.execute(insert(contact_merge).values(**row._asdict()))


def end(tx: Tx, merge_id: int, actor: str) -> None:
    """It was undone."""
    tx.execute(
        update(contact_merge).where(contact_merge.c.id == merge_id).values(undone_at=tx.now, undone_by=actor)
    )


def merges_of(conn: Connection, card_ids: Collection[int]) -> list[MergeRow]:
    """The merges in force among these cards, oldest first."""
    query = select(contact_merge).where(
        any_of(conn, contact_merge.c.merged_id, card_ids), contact_merge.c.undone_at.is_(None)
    )
    return [MergeRow._make(row) for row in conn.execute(query.order_by(contact_merge.c.id))]


def below(merges: Sequence[MergeRow], card_id: int) -> list[int]:
    """A card and all that were merged into it, directly or not."""
    found = [card_id]
    for one in found:  # grows while it is walked
        found += [m.merged_id for m in merges if m.survivor_id == one]
    return found


def above(merges: Sequence[MergeRow], card_id: int) -> list[int]:
    """The cards that it was merged into, nearest first."""
    into = {m.merged_id: m.survivor_id for m in merges}
    found = []
    while card_id in into:
        card_id = into[card_id]
        found.append(card_id)
    return found
