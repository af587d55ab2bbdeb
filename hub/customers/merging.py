"""Merging two cards of one person (or of one organisation), and taking them apart again, exactly.

What a merge does: the identities, requests and orders of the merged card belong to the surviving one from then on,
and a message from any of those identities reaches it. Each moved row keeps its home, so the record of a merge is two
ids and holds nobody's data: an undo puts back what is at home in the merged card, in any order of merges and undos.

    joins no requests, moves no task    two open requests stay two, each with its task, its person, its credit
    one joining request a team          the newer of the two goes on taking messages; an undo gives each card back the
                                        newest open one that took messages when a merge was made, unless it has one
    what came since                     new requests, orders and identities stay with the surviving card; what was
                                        written in a request goes where its request goes; a finished task counts for
                                        the card of its request
    own words                           names, notes and positions stay on the card where they were typed
    persons of an organisation          stay attached to the card that they were attached to, and are shown on both
    refused                             a person with an organisation; a card merged already; an erased card

Locks: all teams, then whoever writes a contact's id without a team (`hub.db.locks`), the cards, their rows, ascending.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from hub.access.model import Actor, May
from hub.contacts import store as contacts
from hub.contacts.store import ContactRecord
from hub.customers import moves
from hub.customers.moves import Joining, MergeRow
from hub.db.locks import cards_move
from hub.db.tables import contact, identity, orders, request
from hub.db.tx import Tx
from hub.kernel import text
from hub.kernel.errors import InputRejected, RuleSaysNo, VersionConflict
from hub.orders.service import index_contact
from hub.outbox import webhooks
from hub.requests.service import note


def merge(
    tx: Tx,
    actor: Actor,
    survivor_id: int,
    other_id: int,
    reason: str = "",
    expected_version: int | None = None,
) -> ContactRecord:
    """Merge a card into another. Again: nothing. Raises NotFound, InputRejected, RuleSaysNo, VersionConflict."""
    actor.require(May.LEAD)
    cards_move(tx)
    survivor, other = contacts.get(tx.conn, survivor_id), contacts.get(tx.conn, other_id)
    if other.own.merged_into_id == survivor_id:
        return survivor
    if expected_version is not None and expected_version != survivor.own.version:
        raise VersionConflict(
            f"contact {survivor_id} was changed by somebody else", version=survivor.own.version
        )
    require_mergeable(survivor, other)
    moves.lock(tx, (*survivor.ids, *other.ids))
    both = moves.joining(tx.conn, (survivor_id, other_id))
    moves.remember(tx, [one.id for one in both])
    moves.set_joining(tx, put_aside(both), joins=False)
    moves.bring(tx, other_id, survivor_id)
    row = MergeRow(tx.new_id(), survivor_id, other_id, actor.label, text.one_line(reason, text.NAME), tx.now)
    moves.add(tx, row)
    note(tx, actor, "contact", survivor_id, "merged", reason=row.reason, body={"other_id": str(other_id)})
    note(
        tx, actor, "contact", other_id, "merged_into", reason=row.reason, body={"other_id": str(survivor_id)}
    )
    index_contact(tx, survivor_id)
    _tell(tx, "contact.merged", survivor_id, other_id)
    return contacts.get(tx.conn, survivor_id)


def unmerge(tx: Tx, actor: Actor, merged_id: int, reason: str = "") -> ContactRecord:
    """Take a merged card apart again; the card as it stands then. Raises NotFound, RuleSaysNo."""
    actor.require(May.LEAD)
    cards_move(tx)
    root_id, row, homes, over = _merged(tx.conn, merged_id)
    moves.lock(tx, (*contacts.get(tx.conn, root_id).ids,))
    moves.take_back(tx, root_id, merged_id, homes)
    moves.messages_follow(tx, over, merged_id, row.id)
    moves.end(tx, row.id, actor.label)
    cards = (root_id, merged_id)
    again = given_back(moves.joining(tx.conn, cards), moves.joined(tx.conn, cards))
    moves.set_joining(tx, again, joins=True)
    moves.forget(tx, cards)
    why = text.one_line(reason, text.NAME)
    note(tx, actor, "contact", root_id, "unmerged", reason=why, body={"other_id": str(merged_id)})
    note(tx, actor, "contact", merged_id, "unmerged_from", reason=why, body={"other_id": str(root_id)})
    index_contact(tx, root_id)
    index_contact(tx, merged_id)
    _tell(tx, "contact.unmerged", root_id, merged_id)
    return contacts.get(tx.conn, merged_id)


def _tell(tx: Tx, event: str, card_id: int, merged_id: int) -> None:
    """A web hook for who keeps ids of contacts elsewhere."""
    webhooks.emit(tx, event, f"contact:{card_id}", {"contact_id": str(card_id), "merged_id": str(merged_id)})


def require_mergeable(survivor: ContactRecord, other: ContactRecord) -> None:
    """Raise InputRejected, RuleSaysNo where two cards cannot be merged."""
    if survivor.own.id == other.own.id:
        raise InputRejected("a card cannot be merged with itself")
    for one in (survivor.own, other.own):
        contacts.require_whole(one)
        if one.erased_at is not None:
            raise RuleSaysNo("one of these cards was erased: there is nothing left to merge")
    if survivor.own.kind != other.own.kind:
        raise RuleSaysNo(
            "a person and an organisation are not the same: attach the person to the organisation instead"
        )


def put_aside(both: Sequence[Joining]) -> list[int]:
    """Of two requests of one team that messages join, the older one makes room."""
    newest: dict[int, Joining] = {}
    for one in both:
        known = newest.get(one.team_id)
        if known is None or (one.opened_at, one.id) > (known.opened_at, known.id):
            newest[one.team_id] = one
    kept = {one.id for one in newest.values()}
    return [one.id for one in both if one.id not in kept]


def given_back(joining: Sequence[Joining], joined: Sequence[Joining]) -> list[int]:
    """Which requests take messages again: for each card and team without one, the newest that did before."""
    taken = {(one.contact_id, one.team_id) for one in joining}
    newest: dict[tuple[int, int], Joining] = {}
    for one in sorted(joined, key=lambda j: (j.opened_at, j.id)):
        if (one.contact_id, one.team_id) not in taken:
            newest[one.contact_id, one.team_id] = one
    return [one.id for one in newest.values()]


def _merged(conn: Connection, merged_id: int) -> tuple[int, MergeRow, list[int], list[int]]:
    """The card that stands for a merged one, its merge, what goes back with it, and the cards above it."""
    own = contacts.get(conn, merged_id).own
    root_id = own.merged_into_id
    if root_id is None:
        raise RuleSaysNo("this card is not merged into another: there is nothing to undo")
    if own.erased_at is not None:
        raise RuleSaysNo("this card was erased: there is nothing left to take apart")
    merges = moves.merges_of(conn, contacts.get(conn, root_id).ids)
    row = next(one for one in merges if one.merged_id == merged_id)
    return root_id, row, moves.below(merges, merged_id), moves.above(merges, merged_id)


# --- what would happen -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a merge or its undoing would move, in numbers."""

    identities: int
    requests: int
    open_requests: int
    orders: int
    persons: int
    aside: Sequence[int] = ()  # requests that would take no further messages
    again: Sequence[int] = ()  # requests that would take messages again


def foresee(conn: Connection, survivor_id: int, other_id: int) -> Foreseen:
    """What a merge would do. Raises what `merge` raises."""
    survivor, other = contacts.get(conn, survivor_id), contacts.get(conn, other_id)
    require_mergeable(survivor, other)
    both = moves.joining(conn, (survivor_id, other_id))
    return _counted(conn, [other_id], "contact_id", other.ids, aside=put_aside(both))


def foresee_undo(conn: Connection, merged_id: int) -> Foreseen:
    """What undoing a merge would do. Raises what `unmerge` raises."""
    root_id, _, homes, _ = _merged(conn, merged_id)
    going = set(conn.execute(select(request.c.id).where(request.c.home_id.in_(homes))).scalars())

    def then(rows: Sequence[Joining]) -> list[Joining]:
        return [one._replace(contact_id=merged_id) if one.id in going else one for one in rows]

    again = given_back(then(moves.joining(conn, [root_id])), then(moves.joined(conn, [root_id])))
    return _counted(conn, homes, "home_id", homes, again=again)


def _counted(
    conn: Connection, cards: Sequence[int], column: str, circle: Sequence[int], *,
    aside: Sequence[int] = (), again: Sequence[int] = (),
) -> Foreseen:  # fmt: skip
    def count(table: object, *where: object) -> int:
        return int(conn.execute(select(func.count()).select_from(table).where(*where)).scalar_one())  # type: ignore[arg-type]

    return Foreseen(
        count(identity, identity.c[column].in_(cards)),
        count(request, request.c[column].in_(cards)),
        count(request, request.c[column].in_(cards), request.c.state == "open"),
        count(orders, orders.c[column].in_(cards)),
        count(contact, contact.c.organisation_id.in_(circle)),
        aside,
        again,
    )
