"""SQL of calendars: entries are added and marked as replaced, never changed or deleted.

What was believed at a past moment can be read later: an evenness that was proven then stays proven.
Callers hold the locks of the person's teams (`hub.assignment.members.Calendars`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from zoneinfo import ZoneInfo

from sqlalchemy import insert, or_, select, update
from sqlalchemy.engine import Connection

from hub.db.lookup import any_of
from hub.db.rows import ScheduleEntryRow
from hub.db.tables import schedule_entry
from hub.db.tx import Tx
from hub.kernel.clock import Instant
from hub.staff.calendar import Schedule, parse


def entries(
    conn: Connection, staff_ids: Collection[int], believed_at: Instant | None = None
) -> list[ScheduleEntryRow]:
    """What is believed now, or was at a moment, about these people; oldest first."""
    c = schedule_entry.c
    query = select(schedule_entry).where(any_of(conn, c.staff_id, staff_ids)).order_by(c.id)
    if believed_at is None:
        query = query.where(c.replaced_at.is_(None))
    else:
        query = query.where(
            c.recorded_at <= believed_at, or_(c.replaced_at.is_(None), c.replaced_at > believed_at)
        )
    return [ScheduleEntryRow._make(row) for row in conn.execute(query)]


def read(conn: Connection, staff_ids: Collection[int], zone: ZoneInfo) -> dict[int, Schedule]:
    """The calendars of these people; who has no entry is always on shift."""
    found: dict[int, list[ScheduleEntryRow]] = {staff_id: [] for staff_id in staff_ids}
    for row in entries(conn, staff_ids):
        found[row.staff_id].append(row)
    return {staff_id: parse(rows, zone) for staff_id, rows in found.items()}


def add(
    tx: Tx,
    actor: str,
    staff_id: int,
    kind: str,
    body: Mapping[str, object],
    *,
    from_at: Instant | None = None,
    until_at: Instant | None = None,
) -> int:
    """Record an entry; the newest one of a kind that holds counts."""
    entry_id = tx.new_id()
    tx.execute(
        insert(schedule_entry).values(
            id=entry_id,
            staff_id=staff_id,
            kind=kind,
            body=json.dumps(body, ensure_ascii=False),
            from_at=from_at,
            until_at=until_at,
            actor=actor,
            recorded_at=tx.now,
        )
    )
    return entry_id


def end(tx: Tx, actor: str, staff_id: int, kind: str, entry_id: int | None = None) -> int:
    """Believe entries of a kind (or one of them) no longer; returns how many there were."""
    c = schedule_entry.c
    query = update(schedule_entry).where(c.staff_id == staff_id, c.kind == kind, c.replaced_at.is_(None))
    if entry_id is not None:
        query = query.where(c.id == entry_id)
    return tx.changed(query.values(replaced_at=tx.now, replaced_by=actor))
