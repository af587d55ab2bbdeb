"""Erasing a contact: words, files, numbers and names go; keys, sums and what the staff did stay.

    goes     the contact's name, organisation, note, telephones, e-mails, ids in channels; the words, pages and files of
             all its conversations, also ours; deliveries as they came; notes and free fields of its orders, words of
             the search; telephones beside parcels, carriers' raw answers; what was sent about it; why its card was
             merged or taken apart, in words. All of it from the cards merged into it, too
    stays    the contact's id, marked as erased; keys of deliveries, so that a late repeat makes nothing new; requests,
             tasks and ledger without words; orders with lines, sums, payments and their journal (accounts have to be
             kept, and a changed entry would break its chain)

Refused while something is open: who still waits for an answer or a parcel has not been forgotten. Whoever writes again
afterwards is a new contact. A merged card is erased with the one that stands for it. Files are removed after an hour (a
row that names the same bytes may be on its way).
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from sqlalchemy import and_, delete, or_, select, update

from hub.access import store as access
from hub.access.model import Actor, May
from hub.contacts import store as contacts
from hub.db import tables as t
from hub.db.locks import cards_stay
from hub.db.lookup import any_of
from hub.db.tx import Tx
from hub.kernel.errors import RuleSaysNo
from hub.outbox.model import OutboxState
from hub.personal.files import drop_later
from hub.personal.retention import wipe_messages


def erase(tx: Tx, actor: Actor, contact_id: int) -> None:
    """Erase a contact. Raises NotFound; RuleSaysNo while a request or an order of it is open. Again: nothing."""
    actor.require(May.OPERATE)
    cards_stay(tx)
    record = contacts.get(tx.conn, contact_id)
    contacts.require_whole(record.own)
    if record.own.erased_at is not None:
        return
    cards = record.ids
    request_ids, order_ids = _closed(tx, contact_id)
    blobs = _conversations(tx, cards, request_ids)
    _orders(tx, order_ids)
    _sent(tx, cards, request_ids, order_ids)
    for one in record.identities:
        account = one.kind.removeprefix("channel:")
        tx.execute(
            delete(t.start_source).where(
                t.start_source.c.channel_id == one.value, t.start_source.c.account == account
            )
        )
    tx.execute(delete(t.identity).where(t.identity.c.contact_id == contact_id))
    tx.execute(delete(t.reachability).where(t.reachability.c.contact_id.in_(cards)))
    tx.execute(
        update(t.contact_doubt)
        .where(
            or_(t.contact_doubt.c.contact_id.in_(cards), t.contact_doubt.c.other_contact_id.in_(cards)),
            t.contact_doubt.c.settled_at.is_(None),
        )
        .values(settled_at=tx.now, settled_by=actor.label, decision="erased")
    )
    _cards(tx, cards)
    drop_later(tx, blobs)
    access.write_audit(tx, actor, "contact.erased", f"contact:{contact_id}")


def _cards(tx: Tx, cards: Sequence[int]) -> None:
    """The card and those merged into it; persons of an organisation are attached to nothing any more."""
    gone = {
        "name": "",
        "organisation": "",
        "note": "",
        "language": None,
        "organisation_id": None,
        "position": "",
    }
    known, mine = t.contact.c, t.contact.c.id.in_(cards)
    later = {"updated_at": tx.now, "version": known.version + 1}
    tx.execute(update(t.contact).where(mine).values(**gone, erased_at=tx.now, **later))
    tx.execute(
        update(t.contact).where(known.organisation_id.in_(cards)).values(organisation_id=None, **later)
    )
    merges = t.contact_merge.c
    tx.execute(
        update(t.contact_merge)
        .where(or_(merges.survivor_id.in_(cards), merges.merged_id.in_(cards)))
        .values(reason="")
    )
    said = and_(t.journal.c.entity == "contact", t.journal.c.entity_id.in_(cards))
    tx.execute(update(t.journal).where(said).values(reason=None))
    # What was said about a merge, its undo or a doubt stands on the other card, too.
    named = [orjson.dumps({"other_id": str(one)}).decode() for one in cards]
    there = and_(
        t.journal.c.entity == "contact",
        t.journal.c.entity_id.in_(_partners(tx, cards)),
        t.journal.c.body.in_(named),
    )
    tx.execute(update(t.journal).where(there).values(reason=None))


def _partners(tx: Tx, cards: Sequence[int]) -> set[int]:
    """Cards that were merged with these at some time, or doubted to be the same."""
    merges, doubts = t.contact_merge.c, t.contact_doubt.c
    pairs = [(merges.survivor_id, merges.merged_id), (doubts.contact_id, doubts.other_contact_id)]
    found: set[int] = set()
    for one, other in pairs:
        query = select(one, other).where(or_(one.in_(cards), other.in_(cards)))
        found |= {card for row in tx.execute(query) for card in row}
    return found - set(cards)


def _closed(tx: Tx, contact_id: int) -> tuple[list[int], list[int]]:
    """All requests and orders of the contact, none of them open."""
    requests = tx.execute(
        select(t.request.c.id, t.request.c.state).where(t.request.c.contact_id == contact_id)
    ).all()
    orders = tx.execute(
        select(t.orders.c.id, t.orders.c.number, t.orders.c.closed_at).where(
            t.orders.c.contact_id == contact_id
        )
    ).all()
    open_requests = [str(row.id) for row in requests if row.state == "open"]
    open_orders = [row.number for row in orders if row.closed_at is None]
    if open_requests or open_orders:
        raise RuleSaysNo(
            "something of this contact is still open: close it first, then erase",
            request_ids=", ".join(open_requests),
            order_numbers=", ".join(open_orders),
        )
    return [row.id for row in requests], [row.id for row in orders]


def _conversations(tx: Tx, cards: Sequence[int], request_ids: list[int]) -> set[str]:
    in_them = any_of(tx.conn, t.message.c.request_id, request_ids)
    theirs = select(t.message.c.id, t.message.c.delivery_id).where(
        or_(t.message.c.contact_id.in_(cards), in_them)
    )
    rows = tx.execute(theirs).all()
    blobs = wipe_messages(tx, [row.id for row in rows])
    of_requests = tx.execute(
        select(t.delivery.c.id).where(any_of(tx.conn, t.delivery.c.request_id, request_ids))
    ).scalars()
    deliveries = sorted({row.delivery_id for row in rows if row.delivery_id is not None} | set(of_requests))
    bodies = any_of(tx.conn, t.delivery_body.c.delivery_id, deliveries)
    blobs |= {
        blob
        for blob in tx.execute(select(t.delivery_body.c.blob).where(bodies)).scalars()
        if blob is not None
    }
    tx.execute(delete(t.delivery_body).where(bodies))
    tx.execute(
        update(t.request)
        .where(any_of(tx.conn, t.request.c.id, request_ids))
        .values(subject="", source="{}", text_key="", updated_at=tx.now, version=t.request.c.version + 1)
    )
    tx.execute(
        update(t.task)
        .where(any_of(tx.conn, t.task.c.request_id, request_ids))
        .values(title="", updated_at=tx.now, version=t.task.c.version + 1)
    )
    return blobs


def _orders(tx: Tx, order_ids: list[int]) -> None:
    tx.execute(
        update(t.orders)
        .where(any_of(tx.conn, t.orders.c.id, order_ids))
        .values(note="", fields="{}", updated_at=tx.now, version=t.orders.c.version + 1)
    )
    tx.execute(delete(t.order_term).where(any_of(tx.conn, t.order_term.c.order_id, order_ids)))
    mine = select(t.shipment.c.id).where(any_of(tx.conn, t.shipment.c.order_id, order_ids))
    shipment_ids = list(tx.execute(mine).scalars())
    legs = select(t.shipment.c.id).where(any_of(tx.conn, t.shipment.c.parent_id, shipment_ids))
    shipment_ids = sorted({*shipment_ids, *tx.execute(legs).scalars()})
    tx.execute(update(t.shipment).where(any_of(tx.conn, t.shipment.c.id, shipment_ids)).values(phone=None))
    tx.execute(
        update(t.raw_document)
        .where(any_of(tx.conn, t.raw_document.c.shipment_id, shipment_ids))
        .values(body=None)
    )


def _sent(tx: Tx, cards: Sequence[int], request_ids: list[int], order_ids: list[int]) -> None:
    """Effects that left: their payloads may tell of the contact."""
    about = [f"contact:{one}" for one in cards]
    hooks = [f"%:request:{i}" for i in request_ids] + [f"%:order:{i}" for i in order_ids]
    told = [t.outbox.c.order_key.in_(about), *(t.outbox.c.order_key.like(one) for one in hooks[:200])]
    tx.execute(delete(t.outbox).where(and_(t.outbox.c.state == OutboxState.DONE, or_(*told))))
