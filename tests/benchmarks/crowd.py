"""A hub with very many requests and orders: a thousand that came in through the front door, copied in the database.

The originals are made by the hub itself (posts to the form, orders over the API). Their copies are older than they
are and finished, as nearly everything in a business of years is; ids, keys and names of each copy are its own. What
is open stays as it was, so a page shows what it would show, from a heap a thousand times as large.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import psycopg

from hub.db import tables as t
from tests.benchmarks import load, servers
from tests.benchmarks.claims import Api, client

ORIGINALS, ORDERS = 1_000, 300
SHIFT = 1 << 44
"""How far apart the ids of two copies are: more than the originals span; a million copies still fit."""

_IDS = frozenset({"id", "contact_id", "request_id", "task_id", "delivery_id", "message_id", "order_id", "entity_id",
                  "correlation_id"})  # fmt: skip
_COPIED = (
    t.contact, t.identity, t.delivery, t.delivery_body, t.request, t.message, t.task, t.journal, t.orders,
    t.order_line, t.order_term, t.order_journal,
)  # fmt: skip
_FINISHED = {
    "request.state": "'closed'",
    "request.joining": "false",
    "request.closed_at": "updated_at",
    "request.outcome": "'answered'",
    "task.state": "'done'",
    "task.done_at": "updated_at",
    "task.outcome": "'answered'",
}
OPEN = 200
_FINISH = (
    (
        "UPDATE task SET state = 'done', done_at = updated_at, outcome = 'answered' "
        "WHERE state <> 'done' AND id NOT IN "
        f"(SELECT id FROM task WHERE state <> 'done' ORDER BY id LIMIT {OPEN})"
    ),
    (
        "UPDATE request SET state = 'closed', joining = false, closed_at = updated_at, outcome = 'answered' "
        "WHERE state = 'open' AND id IN (SELECT request_id FROM task WHERE state = 'done')"
    ),
)
_OWN = frozenset({"identity.value", "delivery.external_id", "message.message_key", "orders.number", "order_term.term",
                  "contact.name"})  # fmt: skip
_OF_WHICH = {
    "identity": "contact_id",
    "delivery_body": "delivery_id",
    "order_term": "order_id",
    "order_journal": "order_id",
}


def originals(place: servers.Place, base: str, token: str) -> int:
    """A thousand requests through the form, and three hundred orders; the newest id of them."""
    while place.query("SELECT count(*) FROM request") < ORIGINALS:
        load.run(f"{base}/in/form", place.folder, connections=1, seconds=1)
    asyncio.run(_orders(place, base, token))
    newest = [
        place.query(f'SELECT max(id) FROM "{one.name}"') for one in _COPIED if one.name not in _OF_WHICH
    ]
    return max(newest)


async def _orders(place: servers.Place, base: str, token: str) -> None:
    async with client(4) as http:
        api = Api(http, base, token)
        listed = (await api.must("GET", "/tasks?limit=200"))["items"]
        holder = next(one["assignee_id"] for one in listed if one["assignee_id"])
        line = {"kind": "goods", "name": "Чоботи", "quantity": "1", "unit": "пара",
                "price": {"amount_minor": 125_000, "currency": "UAH"}}  # fmt: skip
        for number in range(ORDERS):
            contact = {"name": f"Покупець {number}", "phone": f"+38044{number:07d}"}
            order = {"contact": contact, "lines": [line], "responsible_id": holder, "staff_id": holder}
            await api.must("POST", "/orders", order)


def multiply(place: servers.Place, last: int, before: int, copies: int) -> None:
    """Copy the originals until there are so many of each; `before`: how many there are. The hub must not run.

    `last`: the newest id of the originals. What was posted later, while something was measured, is not copied.

    Of what was open all but OPEN tasks are finished before.
    """
    with _opened(place) as connection:
        for statement in _FINISH:
            connection.execute(statement)
        if copies <= before:
            return
        for table in _COPIED:
            connection.execute(copy_of(table.name, last, before, copies))
        connection.execute("ANALYZE")


def copy_of(name: str, last: int, before: int, copies: int) -> str:
    """The statement for one table: rows of the originals once for each further copy."""
    table = t.metadata.tables[name]
    values = [_value(name, column.name) for column in table.columns]
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    key = table.columns[_OF_WHICH.get(name, "id")].name
    return (
        f"WITH RECURSIVE k(k) AS (SELECT {before} UNION ALL SELECT k + 1 FROM k WHERE k + 1 < {copies}) "
        f'INSERT INTO "{name}" ({columns}) SELECT {", ".join(values)} FROM "{name}", k '
        f'WHERE "{key}" BETWEEN {last - SHIFT // 2} AND {last}'
    )


def _value(table: str, column: str) -> str:
    if column in _IDS:
        return f'"{column}" - k * {SHIFT}'
    if f"{table}.{column}" in _FINISHED:
        return _FINISHED[f"{table}.{column}"]
    return f"\"{column}\" || '~' || k" if f"{table}.{column}" in _OWN else f'"{column}"'


@contextlib.contextmanager
def _opened(place: servers.Place) -> Iterator[Any]:
    if place.server is None:
        with contextlib.closing(sqlite3.connect(place.folder / "var" / "hub.db")) as connection:
            connection.execute("PRAGMA synchronous=off")
            connection.execute("PRAGMA cache_size=-500000")  # keys of many copies come in no order
            yield connection
            connection.commit()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    else:
        with psycopg.connect(place.url.replace("+psycopg", "")) as opened:
            opened.execute("SET session_replication_role = replica")  # foreign keys hold, they are copied too
            yield opened
            opened.commit()
            opened.autocommit = True
            opened.execute("VACUUM")


def token_of(place: servers.Place) -> str:
    """A token of a head."""
    said = servers.hub_command(place.folder, "token", "add", "bench", "--role", "head", "--json")
    token: str = json.loads(said)["token"]
    return token
