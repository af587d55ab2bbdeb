"""Web hooks about parcels: which events a change is, and the one document that every one of them carries.

A change is what differs between a parcel as it was and as it is, so a merge that changes nothing tells nothing,
and whatever wrote the change, it is told alike. One change may be several events: a hook chooses those it wants.
All are in the order key of their parcel. Codes, places, days and sums: nobody's name, no telephone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from hub.db.tx import Tx
from hub.kernel.clock import Instant, rfc3339
from hub.outbox import webhooks
from hub.shipments.events import MONEY, STATUS
from hub.shipments.model import related_of
from hub.shipments.store import ShipmentRow

PLACE, ESTIMATED, STORAGE = "shipment.place", "shipment.estimated", "shipment.storage"
LINKED, QUESTION = "shipment.linked", "shipment.question"
ATTACHED, DETACHED = "shipment.attached", "shipment.detached"

_SUMS = ("cod_expected_minor", "cod_collected_minor", "cod_paid_out_minor")
_DAYS = ("happened_at", "estimated_at", "paid_storage_at")
WATCHED: tuple[tuple[str, tuple[str, ...]], ...] = (
    (STATUS, ("status",)),
    (PLACE, ("place",)),
    (ESTIMATED, ("estimated_at",)),
    (STORAGE, ("paid_storage_at",)),
    (MONEY, ("money_status", *_SUMS)),
    (LINKED, ("related",)),
)


def changed(before: ShipmentRow, after: ShipmentRow) -> dict[str, list[str]]:
    """What differs, by the event that tells of it."""
    found = {}
    for event, names in WATCHED:
        if event == LINKED:
            more = before.facts != after.facts and set(_related(after)) - set(_related(before))
            differs = ["related"] if more else []
        else:
            differs = [name for name in names if getattr(before, name) != getattr(after, name)]
        if differs:
            found[event] = differs
    return found


def _related(row: ShipmentRow) -> list[tuple[str, str]]:
    return [(one.number, str(one.kind)) for one in related_of(orjson.loads(row.facts))]


def document(
    row: ShipmentRow, differs: Sequence[str], *, question: str | None = None, left: int | None = None
) -> dict[str, Any]:
    """The parcel as it is now. Every event has every key; what is not told is null.

    differs   names of the keys that changed
    question  what the seller is asked (`hub.shipments.questions.NAMES`)
    left      the order that the parcel left
    """

    def day(at: int | None) -> str | None:
        return rfc3339(Instant(at)) if at is not None else None

    return {
        "shipment_id": str(row.id),
        "order_id": str(row.order_id) if row.order_id is not None else None,
        "left_order_id": str(left) if left is not None else None,
        "parent_id": str(row.parent_id) if row.parent_id is not None else None,
        "relation": row.relation,
        "number": row.number,
        "carrier": row.account,
        "status": str(row.status),
        "place": row.place,
        "money_status": str(row.money_status),
        "currency": row.currency,
        **{name: getattr(row, name) for name in _SUMS},
        **{name: day(getattr(row, name)) for name in _DAYS},
        "related": [{"number": number, "kind": kind} for number, kind in _related(row)],
        "question": question,
        "changed": list(differs),
    }


def tell(tx: Tx, pairs: Sequence[tuple[ShipmentRow, ShipmentRow]]) -> None:
    """Tell of parcels as they were and as they are."""
    told = [(after, found) for before, after in pairs if (found := changed(before, after))]
    if not told or not webhooks.any_active(tx):
        return
    events = []
    for row, found in told:
        body = document(row, [name for names in found.values() for name in names])
        events += [(event, _thing(row), body) for event in found]
    webhooks.emit_each(tx, events)


def tell_one(tx: Tx, event: str, row: ShipmentRow, **more: Any) -> None:
    """Tell of what is no difference of the carrier's words: attached, detached, a question."""
    if webhooks.any_active(tx):
        differs = ["order_id"] if event in {ATTACHED, DETACHED} else []
        webhooks.emit_each(tx, [(event, _thing(row), document(row, differs, **more))])


def _thing(row: ShipmentRow) -> str:
    return f"shipment:{row.id}"
