"""What orders tell customers and other programs.

`put_message` is the one door to the customer: a row of the outbox lane `order_message`, in the transaction of
its cause. Which channel it leaves by is decided by whoever delivers that lane (`hub.runtime.order_messages`).
"""

from __future__ import annotations

import orjson
from sqlalchemy import insert
from sqlalchemy.engine import Connection

from hub.access.model import Actor
from hub.contacts import store as contacts
from hub.db.tables import outbox
from hub.db.tx import Tx
from hub.kernel.clock import Instant
from hub.kernel.money import Money
from hub.orders import store, templates
from hub.orders.model import OrderRow
from hub.orders.stages import Route
from hub.outbox import webhooks

LANE = "order_message"


def put_message(
    tx: Tx,
    actor: Actor,
    *,
    contact_id: int,
    request_id: int | None,
    text: str,
    order_id: int,
    order_key: str = "",
    leaves_at: Instant | None = None,
    event: str = "message",
) -> int:
    """A text to a customer leaves soon; the id of its outbox row. Order holds within one contact.

    What waits (`leaves_at`) needs an `order_key` of its own, else it holds everything back. `event`: what the
    journal says; a "notice" that no channel takes is noted, and nobody has to tell him by hand.
    """
    row_id = tx.new_id()
    body = {
        "contact_id": str(contact_id),
        "request_id": str(request_id) if request_id is not None else None,
        "order_id": str(order_id),
        "actor": actor.label,
        "text": text,
        "event": event,
    }
    tx.execute(
        insert(outbox).values(
            id=row_id,
            lane=LANE,
            kind="text",
            order_key=order_key or f"contact:{contact_id}",
            payload=orjson.dumps(body).decode(),
            state="ready",
            attempts=0,
            created_at=tx.now,
            next_try_at=tx.now if leaves_at is None else leaves_at,
            correlation_id=tx.correlation_id,
        )
    )
    return row_id


def send_template(tx: Tx, actor: Actor, row: OrderRow, route: Route, name: str) -> bool:
    """Fill a template with an order and send it in the customer's language. False: there is none."""
    contact = contacts.get(tx.conn, row.contact_id)
    language = contact.row.language or "uk"
    body = store.template_named(tx.conn, name, [language])
    if body is None:
        return False
    text = templates.fill(body, values_of(tx.conn, row, route, language))
    put_message(tx, actor, contact_id=row.contact_id, request_id=row.request_id, text=text, order_id=row.id)
    return True


def values_of(conn: Connection, row: OrderRow, route: Route, language: str) -> dict[str, str]:
    """What the variables of a template stand for."""
    contact = contacts.get(conn, row.contact_id).row
    parcel = next(iter(store.parcels(conn, row.id)), None)
    title = route.stages[row.stage].title
    sums = {"total": row.total_minor, "paid": row.paid_minor, "due": max(0, row.due_minor)}
    return {
        "order.number": row.number,
        "order.stage": title.get(language) or title.get("en") or row.stage,
        **{f"order.{name}": _sum(minor, row.currency) for name, minor in sums.items()},
        "contact.name": contact.name or contact.organisation,
        "parcel.number": parcel.number if parcel is not None else "",
        "parcel.carrier": parcel.account if parcel is not None else "",
        "responsible.name": store.name_of(conn, row.responsible_id),
    }


def _sum(minor: int, currency: str) -> str:
    return f"{Money(minor, currency).as_decimal():f} {currency}"


def tell(tx: Tx, event: str, row: OrderRow, **more: object) -> None:
    """A web hook about an order: ids, numbers, sums; nothing about the customer."""
    body = {
        "order_id": str(row.id),
        "number": row.number,
        "route": row.route,
        "stage": row.stage,
        "total": {"amount_minor": row.total_minor, "currency": row.currency},
        "paid": {"amount_minor": row.paid_minor, "currency": row.currency},
        **more,
    }
    webhooks.emit(tx, event, f"order:{row.id}", body)
