"""Codes of carriers that no table lists, for the people who mend the table. Read model, and "it is listed now".

`taking` counts each code and announces it once. How many parcels told it and when the last one did is counted
from their observations, for the codes of one page.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import delete, func, literal_column, select, tuple_
from sqlalchemy.engine import Connection

from hub.access.model import Actor, May
from hub.db.tables import observation, shipment, unknown_code
from hub.db.tx import Tx
from hub.kernel import text
from hub.kernel.clock import Instant, moment
from hub.kernel.errors import FieldProblem, InputRejected, NotFound
from hub.requests.service import note

SHOWN_TEXT = 200
_CURSOR = re.compile(r"(\d{1,19})", re.ASCII)
_UNKNOWN: Any = literal_column("observation.status = 'unknown'")  # as in the partial index


@dataclass(frozen=True, slots=True)
class UnknownCode:
    """One code. `words` are the carrier's, cut; `parcels` those that told it; `last_seen_at` None: not any more."""

    plugin: str
    code: str
    words: str
    told: int
    parcels: int
    first_seen_at: int
    last_seen_at: int | None

    @property
    def line(self) -> str:
        """Ready for the plugin's table."""
        return table_line(self.code, self.words, Instant(self.first_seen_at))


def table_line(code: str, words: str, now: Instant) -> str:
    """A ready line for the plugin's table; the status is left to a person, nobody guesses it."""
    return f"{orjson.dumps(code).decode()}: Status.UNKNOWN,  # {words or 'no text'}; first seen {moment(now):%Y-%m-%d}"


def unknown_codes(conn: Connection, limit: int, cursor: str = "") -> tuple[list[UnknownCode], str | None]:
    """A page of codes, newest first, and the cursor of the next one. Raises InputRejected for a cursor that is none."""
    c = unknown_code.c
    query = select(c.plugin, c.code, c.example, c.count.label("told"), c.first_seen_at)
    query = query.order_by(c.first_seen_at.desc(), c.plugin, c.code)
    skipped = _skipped(cursor)
    rows = list(conn.execute(query.offset(skipped).limit(limit + 1)))
    seen = _seen(conn, [(row.plugin, row.code) for row in rows[:limit]])
    found = []
    for row in rows[:limit]:
        parcels, last = seen.get((row.plugin, row.code), (0, None))
        words = text.one_line(row.example, SHOWN_TEXT)
        found.append(UnknownCode(row.plugin, row.code, words, row.told, parcels, row.first_seen_at, last))
    return found, str(skipped + limit) if len(rows) > limit else None


def _skipped(cursor: str) -> int:
    """There are as many codes as a table has gaps: counting off is good enough."""
    if not cursor:
        return 0
    if not _CURSOR.fullmatch(cursor) or int(cursor) > 100_000:
        problem = FieldProblem("cursor", "take next_cursor of the page before, or leave it out")
        raise InputRejected("this is no cursor", [problem])
    return int(cursor)


def _seen(conn: Connection, codes: Sequence[tuple[str, str]]) -> dict[tuple[str, str], tuple[int, int]]:
    o = observation.c
    query = (
        select(
            shipment.c.plugin,
            o.raw_code,
            func.count(o.shipment_id.distinct()).label("parcels"),
            func.max(o.first_seen_at).label("last"),
        )
        .join(shipment, shipment.c.id == o.shipment_id)
        .where(_UNKNOWN, tuple_(shipment.c.plugin, o.raw_code).in_(codes))
        .group_by(shipment.c.plugin, o.raw_code)
    )
    return (
        {(row.plugin, row.raw_code): (row.parcels, row.last) for row in conn.execute(query)} if codes else {}
    )


def listed(tx: Tx, actor: Actor, plugin: str, code: str) -> None:
    """The code is in the plugin's table now: it leaves the list, and is announced anew should it come again."""
    actor.require(May.OPERATE)
    same = (unknown_code.c.code == code, unknown_code.c.plugin == plugin)
    if tx.changed(delete(unknown_code).where(*same)) != 1:
        raise NotFound("no such code")
    note(tx, actor, "unknown_code", 0, "listed", body={"plugin": plugin, "code": code})
