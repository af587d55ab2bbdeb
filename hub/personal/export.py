"""Everything that the hub holds about one contact, for the person whom it concerns."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.engine import Connection

from hub.contacts import store as contacts
from hub.db import tables as t
from hub.db.lookup import any_of
from hub.kernel.clock import rfc3339

Found = dict[str, Any]


def export(conn: Connection, contact_id: int) -> Found:
    """The contact with the cards merged into it, its conversations, orders and parcels. Raises NotFound."""
    contact_id = contacts.present_of(conn, contact_id)
    record = contacts.get(conn, contact_id)
    row = record.row
    return {
        "contact": {
            "id": str(row.id),
            "kind": row.kind,
            "name": row.name,
            "organisation": row.organisation,
            "language": row.language,
            "note": row.note,
            "position": row.position,
            "organisation_id": str(row.organisation_id) if row.organisation_id is not None else None,
            "created_at": rfc3339(row.created_at),
            "erased_at": _at(row.erased_at),
            "identities": [{"kind": key.kind, "value": key.value} for key in record.identities],
        },
        "merged": [
            {
                "id": str(one.id),
                "name": one.name,
                "organisation": one.organisation,
                "language": one.language,
                "note": one.note,
                "position": one.position,
            }
            for one in record.merged
        ],
        "requests": _requests(conn, contact_id),
        "orders": _orders(conn, contact_id),
    }


def _at(value: int | None) -> str | None:
    return None if value is None else rfc3339(value)


def _requests(conn: Connection, contact_id: int) -> list[Found]:
    rows = conn.execute(
        select(t.request).where(t.request.c.contact_id == contact_id).order_by(t.request.c.id)
    ).all()
    said = _messages(conn, [row.id for row in rows])
    return [
        {
            "id": str(row.id),
            "account": row.account,
            "subject": row.subject,
            "source": orjson.loads(row.source),
            "opened_at": rfc3339(row.opened_at),
            "closed_at": _at(row.closed_at),
            "outcome": row.outcome,
            "messages": said.get(row.id, []),
        }
        for row in rows
    ]


def _messages(conn: Connection, request_ids: list[int]) -> dict[int, list[Found]]:
    """What was said with the customer; notes of the staff among themselves are not his."""
    query = (
        select(t.message, t.message_extra.c.subject, t.message_extra.c.full_text)
        .outerjoin(t.message_extra, t.message_extra.c.message_id == t.message.c.id)
        .where(any_of(conn, t.message.c.request_id, request_ids), t.message.c.direction != "note")
        .order_by(t.message.c.id)
    )
    rows = conn.execute(query).all()
    files: dict[int, list[Found]] = {}
    of_them = any_of(conn, t.attachment.c.message_id, [row.id for row in rows])
    for file in conn.execute(select(t.attachment).where(of_them).order_by(t.attachment.c.id)):
        told = {"name": file.name, "media_type": file.media_type, "size": file.size, "sha256": file.blob}
        files.setdefault(file.message_id, []).append(told)
    found: dict[int, list[Found]] = {}
    for row in rows:
        found.setdefault(row.request_id, []).append(
            {
                "id": str(row.id),
                "direction": row.direction,
                "at": rfc3339(row.sent_at or row.created_at),
                "subject": row.subject or "",
                "text": row.full_text or row.body,
                "fields": orjson.loads(row.fields),
                "files": files.get(row.id, []),
            }
        )
    return found


def _orders(conn: Connection, contact_id: int) -> list[Found]:
    rows = conn.execute(
        select(t.orders).where(t.orders.c.contact_id == contact_id).order_by(t.orders.c.id)
    ).all()
    ids = [row.id for row in rows]
    lines = _by_order(conn, t.order_line, ids, t.order_line.c.position, _line)
    payments = _by_order(conn, t.payment, ids, t.payment.c.id, _payment)
    parcels = _by_order(conn, t.shipment, ids, t.shipment.c.id, _parcel)
    return [
        {
            "id": str(row.id),
            "number": row.number,
            "stage": row.stage,
            "note": row.note,
            "fields": orjson.loads(row.fields),
            "total": _money(row.total_minor, row.currency),
            "paid": _money(row.paid_minor, row.currency),
            "created_at": rfc3339(row.created_at),
            "lines": lines.get(row.id, []),
            "payments": payments.get(row.id, []),
            "parcels": parcels.get(row.id, []),
        }
        for row in rows
    ]


def _by_order(conn: Connection, table: Any, ids: list[int], order: Any, shown: Any) -> dict[int, list[Found]]:
    found: dict[int, list[Found]] = {}
    for row in conn.execute(select(table).where(any_of(conn, table.c.order_id, ids)).order_by(order)):
        found.setdefault(row.order_id, []).append(shown(row))
    return found


def _line(row: Any) -> Found:
    return {
        "name": row.name,
        "quantity_milli": row.quantity_milli,
        "unit": row.unit,
        "total_minor": row.total_minor,
    }


def _payment(row: Any) -> Found:
    return {
        "kind": row.kind,
        "amount_minor": row.amount_minor,
        "method": row.method,
        "at": rfc3339(row.paid_at),
    }


def _parcel(row: Any) -> Found:
    return {
        "carrier": row.account,
        "number": row.number,
        "phone": row.phone,
        "status": row.status,
        "money_status": row.money_status,
    }


def _money(amount: int, currency: str) -> Found:
    return {"amount_minor": amount, "currency": currency}
