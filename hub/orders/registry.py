"""The registry: orders filtered, sorted and paged by key, quick with any number of them. Reads only.

A page goes on from the last row of the one before (its value and id), so that the hundredth page costs what
the first one does. Sorted by the next contact, orders without a date come last.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, and_, or_, select, union_all
from sqlalchemy.engine import Connection

from hub.db.lookup import any_of
from hub.db.tables import contact, order_term, orders, shipment
from hub.kernel.errors import FieldProblem, InputRejected
from hub.kernel.ids import MAX_ID
from hub.orders import search
from hub.orders.model import OrderRow

_CURSOR = re.compile(r"(?:(-?\d{1,19}|none)\.)?(\d{1,19})", re.ASCII)


class Sort(StrEnum):
    """By what; numbers ascend with the ids of orders."""

    NUMBER = "number"
    STAGE = "stage"
    CONTACT = "contact"
    RESPONSIBLE = "responsible"
    TOTAL = "total"
    PAID = "paid"
    NEXT_CONTACT = "next_contact"


_COLUMNS: dict[Sort, Any] = {
    Sort.TOTAL: orders.c.total_minor,
    Sort.PAID: orders.c.paid_minor,
    Sort.RESPONSIBLE: orders.c.responsible_id,
    Sort.NEXT_CONTACT: orders.c.next_contact_at,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is looked for. None and "" leave a filter out; `archived` None shows both."""

    text: str = ""
    number: str = ""
    route: str = ""
    stage: str = ""
    contact_id: int | None = None
    contact_ids: Sequence[int] | None = None  # of any of these: an organisation and its persons
    responsible_id: int | None = None
    unpaid: bool = False
    due_before: int | None = None  # next contact before this moment
    updated_since: int | None = None
    archived: bool | None = False
    sort: Sort = Sort.NUMBER
    descending: bool = True
    cursor: str = ""
    limit: int = 50


def find(conn: Connection, asked: Asked) -> tuple[list[OrderRow], str | None]:
    """One page, and the cursor of the next one."""
    rows = _page(conn, asked)
    if len(rows) <= asked.limit:
        return rows, None
    shown = rows[: asked.limit]
    return shown, _cursor_of(asked.sort, shown[-1])


def _page(conn: Connection, asked: Asked) -> list[OrderRow]:
    query = _filtered(conn, asked)
    value, last_id = _read_cursor(asked)
    wanted = asked.limit + 1
    if asked.sort is Sort.NEXT_CONTACT:
        return _by_next_contact(conn, query, asked, value, last_id, wanted)
    keys: list[Any] = [orders.c.id]
    after: list[Any] = [last_id]
    if asked.sort is Sort.CONTACT:
        query = query.join(contact, contact.c.id == orders.c.contact_id)
        keys = [contact.c.name, contact.c.id, orders.c.id]
        name = select(contact.c.name).where(contact.c.id == value) if value is not None else None
        after = [conn.execute(name).scalar_one_or_none() if name is not None else None, value, last_id]
    elif asked.sort is Sort.STAGE:
        stage = select(orders.c.stage).where(orders.c.id == last_id) if last_id is not None else None
        keys = [orders.c.stage, orders.c.id]
        after = [conn.execute(stage).scalar_one_or_none() if stage is not None else None, last_id]
    elif asked.sort is not Sort.NUMBER:
        keys = [_COLUMNS[asked.sort], orders.c.id]
        after = [value, last_id]
    return _rows(conn, _ordered(query, keys, after, asked.descending).limit(wanted))


def _by_next_contact(
    conn: Connection, query: Select[Any], asked: Asked, value: int | None, last_id: int | None, wanted: int
) -> list[OrderRow]:
    """Those with a date in its order; then those without, by number."""
    dated: list[OrderRow] = []
    day = orders.c.next_contact_at
    if last_id is None or value is not None:
        keyed = _ordered(
            query.where(day.is_not(None)), [day, orders.c.id], [value, last_id], asked.descending
        )
        dated = _rows(conn, keyed.limit(wanted))
        last_id = None
    if len(dated) == wanted:
        return dated
    rest = _ordered(query.where(day.is_(None)), [orders.c.id], [last_id], asked.descending)
    return dated + _rows(conn, rest.limit(wanted - len(dated)))


def _ordered(query: Select[Any], keys: Sequence[Any], after: Sequence[Any], descending: bool) -> Select[Any]:
    """Order by the keys, beyond the row that had `after`."""
    query = query.order_by(*((key.desc() if descending else key.asc()) for key in keys))
    if after[-1] is None:
        return query
    if None in after:  # the order or contact that it names is not there
        raise _no_cursor()
    branches = []
    for at, key in enumerate(keys):
        same = [keys[i] == after[i] for i in range(at)]
        branches.append(and_(*same, key < after[at] if descending else key > after[at]))
    first = keys[0] <= after[0] if descending else keys[0] >= after[0]
    return query.where(first, or_(*branches))  # `first` says the same again, for the index


def _rows(conn: Connection, query: Select[Any]) -> list[OrderRow]:
    return [OrderRow._make(row) for row in conn.execute(query)]


def _filtered(conn: Connection, asked: Asked) -> Select[Any]:
    query = select(*orders.c)
    exact = {
        orders.c.number: asked.number,
        orders.c.route: asked.route,
        orders.c.stage: asked.stage,
        orders.c.contact_id: asked.contact_id,
        orders.c.responsible_id: asked.responsible_id,
    }
    for column, value in exact.items():
        if value not in {None, ""}:
            query = query.where(column == value)
    if asked.contact_ids is not None:
        query = query.where(any_of(conn, orders.c.contact_id, asked.contact_ids))
    if asked.archived is not None:
        gone = orders.c.archived_at
        query = query.where(gone.is_not(None) if asked.archived else gone.is_(None))
    if asked.unpaid:
        query = query.where(orders.c.paid_minor < orders.c.total_minor)
    if asked.due_before is not None:
        query = query.where(orders.c.next_contact_at < asked.due_before)
    if asked.updated_since is not None:
        query = query.where(orders.c.updated_at >= asked.updated_since)
    return _searched(query, asked.text) if asked.text else query


def _searched(query: Select[Any], text: str) -> Select[Any]:
    """By number, by waybill, by the customer's name or telephone."""
    number = text.lstrip("#№ ")
    waybill = re.sub(r"[\s-]", "", text).upper()
    by_number = select(orders.c.id).where(orders.c.number == number)
    by_waybill = select(shipment.c.order_id).where(
        shipment.c.number == waybill, shipment.c.order_id.is_not(None)
    )
    words = search.asked(text)
    if not words:
        return query.where(orders.c.id.in_(union_all(by_number, by_waybill)))
    by_words = select(orders.c.id).where(*(orders.c.id.in_(_with_word(word)) for word in words[:5]))
    return query.where(orders.c.id.in_(union_all(by_number, by_waybill, by_words)))


def _with_word(word: str) -> Select[Any]:
    return select(order_term.c.order_id).where(
        order_term.c.term >= word, order_term.c.term < word + search.LAST
    )


def _cursor_of(sort: Sort, row: OrderRow) -> str:
    if sort in {Sort.NUMBER, Sort.STAGE}:
        return str(row.id)
    if sort is Sort.CONTACT:
        return f"{row.contact_id}.{row.id}"
    value = getattr(row, _COLUMNS[sort].name)
    return f"{'none' if value is None else value}.{row.id}"


def _read_cursor(asked: Asked) -> tuple[int | None, int | None]:
    if not asked.cursor:
        return None, None
    found = _CURSOR.fullmatch(asked.cursor)
    plain = asked.sort in {Sort.NUMBER, Sort.STAGE}
    if found is None or int(found.group(2)) > MAX_ID or plain != (found.group(1) is None):
        raise _no_cursor()
    told = found.group(1)
    value = int(told) if told not in {None, "none"} else None
    return (max(-MAX_ID, min(MAX_ID, value)) if value is not None else None), int(found.group(2))


def board(conn: Connection, asked: Asked, stages: Sequence[str]) -> dict[str, tuple[list[OrderRow], bool]]:
    """The newest orders of each stage, and whether there are more."""
    found = {}
    for stage in stages:
        rows, more = find(conn, replace(asked, stage=stage, sort=Sort.NUMBER, descending=True, cursor=""))
        found[stage] = rows, more is not None
    return found


def _no_cursor() -> InputRejected:
    return InputRejected(
        "this is no cursor", [FieldProblem("cursor", "take next_cursor of the page before, or leave it out")]
    )
