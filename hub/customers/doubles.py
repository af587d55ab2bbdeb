"""Cards that are probably one and the same: who says so, and what a person decides.

    two contacts   one message named a telephone of one card and an e-mail (or an id) of another: the intake writes it
    same mailbox   two e-mails that lead to one mailbox: what stands after a plus sign, and at Gmail the dots, make no
                   other address. Looked for each night, written once

The same name is no sign, not even in the same organisation: people share names, and a wrong merge shows one customer's
words and parcels to another. So there is no rule of likeness here; a rule that a business can trust may be added.

A doubt stands between two contacts. It is shown while the cards that stand for them differ, so merging needs no
writing here, and undoing a merge shows the doubt again. "Two different people" holds for all the doubts of both cards,
also for those that further messages bring.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, case, func, or_, select, update
from sqlalchemy.engine import Connection

from hub.access.model import Actor, May
from hub.contacts import store as contacts
from hub.contacts.model import EMAIL
from hub.contacts.store import DIFFERENT, DOUBTS, ContactRecord, higher_card, lower_card
from hub.db.database import Database
from hub.db.locks import cards_stay
from hub.db.rows import ContactDoubtRow
from hub.db.tables import contact, contact_doubt, identity
from hub.db.tx import Tx
from hub.kernel.email import mailbox
from hub.kernel.errors import InputRejected, RuleSaysNo
from hub.requests.service import note

SAME_MAILBOX = "same mailbox"
KIND = "doubles"
AT_ONCE = 200
CHUNK = 5_000


@dataclass(frozen=True, slots=True)
class Double:
    """Two cards that are probably one; `request_id` of the newest message that says so, 0 = a rule does."""

    id: int
    one: ContactRecord
    other: ContactRecord
    reason: str
    request_id: int
    times: int


def listed(conn: Connection, limit: int, before: int | None = None) -> tuple[list[Double], int | None]:
    """All that wait for a decision, newest first, and where the next page begins."""
    query = _pairs().order_by(func.max(contact_doubt.c.id).desc()).limit(limit + 1)
    if before is not None:
        query = query.having(func.max(contact_doubt.c.id) < before)
    rows = conn.execute(query).all()
    shown = rows[:limit]
    return _doubles(conn, shown), int(shown[-1].newest) if len(rows) > limit else None


def of_card(conn: Connection, card_id: int) -> list[Double]:
    """Those of one card."""
    circle = contacts.get(conn, card_id).ids
    either = or_(contact_doubt.c.contact_id.in_(circle), contact_doubt.c.other_contact_id.in_(circle))
    return _doubles(conn, conn.execute(_pairs().where(either)).all())


def waiting(conn: Connection) -> int:
    """How many wait for a decision, up to AT_ONCE."""
    return len(conn.execute(_pairs().limit(AT_ONCE)).all())


def _pairs() -> Any:
    undecided = func.sum(case((contact_doubt.c.settled_at.is_(None), 1), else_=0))
    different = func.sum(case((contact_doubt.c.decision == DIFFERENT, 1), else_=0))
    return (
        select(
            lower_card.label("lower"), higher_card.label("higher"), func.max(contact_doubt.c.id).label("newest"),
            undecided.label("times"),
        )
        .select_from(DOUBTS)
        .where(
            or_(contact_doubt.c.settled_at.is_(None), contact_doubt.c.decision == DIFFERENT),
            lower_card != higher_card,
        )
        .group_by(lower_card, higher_card)
        .having(undecided > 0, different == 0)
    )  # fmt: skip


def _doubles(conn: Connection, rows: Sequence[Any]) -> list[Double]:
    known = contacts.many(conn, sorted({i for row in rows for i in (row.lower, row.higher)}))
    query = select(contact_doubt).where(contact_doubt.c.id.in_([row.newest for row in rows]))
    newest = {row.id: row for row in conn.execute(query)}
    return [
        Double(
            row.newest, known[row.lower], known[row.higher], newest[row.newest].reason,
            newest[row.newest].request_id, int(row.times),
        )
        for row in sorted(rows, key=lambda r: -r.newest)
    ]  # fmt: skip


def are_different(tx: Tx, actor: Actor, card_id: int, other_id: int, reason: str = "") -> None:
    """Two different people: nothing of it is shown again. Again: nothing. Raises NotFound, RuleSaysNo."""
    actor.require(May.LEAD)
    cards_stay(tx)
    one, other = contacts.get(tx.conn, card_id), contacts.get(tx.conn, other_id)
    if one.own.id == other.own.id:
        raise InputRejected("a card is not different from itself")
    for card in (one, other):
        contacts.require_whole(card.own)
    both = or_(
        and_(contact_doubt.c.contact_id.in_(one.ids), contact_doubt.c.other_contact_id.in_(other.ids)),
        and_(contact_doubt.c.contact_id.in_(other.ids), contact_doubt.c.other_contact_id.in_(one.ids)),
    )
    settled = update(contact_doubt).where(both, contact_doubt.c.settled_at.is_(None))
    met = tx.changed(settled.values(settled_at=tx.now, settled_by=actor.label, decision=DIFFERENT))
    if not met:
        if contacts.decided(tx.conn, card_id, other_id):
            return
        raise RuleSaysNo("there is no doubt between these two cards")
    for here, there in ((card_id, other_id), (other_id, card_id)):
        note(tx, actor, "contact", here, "different", reason=reason, body={"other_id": str(there)})


# --- rules -----------------------------------------------------------------------------------------------


async def look_for(db: Database) -> dict[str, int]:
    """The nightly look; how many doubts were written."""
    pairs = await db.read(same_mailboxes)
    written = 0
    for at in range(0, len(pairs), AT_ONCE):
        some = pairs[at : at + AT_ONCE]
        written += await db.write(lambda tx, some=some: write_new(tx, some))  # type: ignore[misc]
    return {SAME_MAILBOX: written}


def same_mailboxes(conn: Connection) -> list[tuple[int, int]]:
    """Pairs of cards whose e-mails lead to one mailbox; each further card with the first one that has it."""
    first: dict[str, int] = {}
    pairs: dict[tuple[int, int], None] = {}
    last = ""
    while True:
        query = (
            select(identity.c.value, identity.c.contact_id)
            .where(identity.c.kind == EMAIL, identity.c.value > last)
            .order_by(identity.c.value)
            .limit(CHUNK)
        )
        rows = conn.execute(query).all()
        for row in rows:
            holder = first.setdefault(mailbox(row.value), row.contact_id)
            if holder != row.contact_id:
                pairs[min(holder, row.contact_id), max(holder, row.contact_id)] = None
        if len(rows) < CHUNK:
            return list(pairs)
        last = rows[-1].value


def write_new(tx: Tx, pairs: Sequence[tuple[int, int]]) -> int:
    """Write those doubts that do not stand there yet, decided or not."""
    rows = []
    for one, other in pairs:
        same = {contact_doubt.c.contact_id: one, contact_doubt.c.other_contact_id: other}
        known = select(contact_doubt.c.id).where(
            *(column == value for column, value in same.items()), contact_doubt.c.reason == SAME_MAILBOX
        )
        whole = select(func.count()).where(contact.c.id.in_([one, other]), contact.c.merged_into_id.is_(None))
        if tx.execute(known).first() is None and tx.execute(whole).scalar_one() == 2:
            rows.append(ContactDoubtRow(tx.new_id(), 0, one, other, SAME_MAILBOX, tx.now))
    tx.insert({contact_doubt: rows})
    return len(rows)
