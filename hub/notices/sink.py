"""The outbox lane `notice`: what happened becomes lines in people's lists, and messages where they want them.

Nothing leaves here. A notice is turned into its line and its messages (rows of the lane `staff_message`) in the
transaction that settles it, so exactly once; each message then succeeds or fails by itself. During quiet hours
messages wait for their end, but for alarms; those of one place that are due together become one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import select

from hub.db.rows import OutboxRow
from hub.db.tables import notice, outbox, staff
from hub.db.tx import Tx
from hub.notices import store
from hub.notices.model import Place, group_of, leaves_at
from hub.notices.put import MESSAGE, row_of
from hub.outbox.model import OutboxState
from hub.sdk.messages import SendResult, Sent

ONCE_UNTIL_READ = frozenset({"undelivered"})


class NoticeSink:
    """Spreads notices. `zone`: of who has chosen none."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone

    async def send(self, rows: Sequence[OutboxRow]) -> SendResult:
        """Nothing leaves here: see `settled`."""
        del rows
        return Sent()

    def settled_group(
        self, tx: Tx, rows: Sequence[OutboxRow], state: OutboxState, result: SendResult
    ) -> None:
        """Write the lines and the messages of one person; who works here no more is told nothing."""
        del result
        if state is not OutboxState.DONE:
            return
        payloads = [orjson.loads(row.payload) for row in rows]
        staff_id = int(payloads[0]["staff_id"])
        works = tx.execute(select(staff.c.state).where(staff.c.id == staff_id)).scalar_one_or_none()
        if works != "active":
            return
        choice = store.choice(tx.conn, staff_id)
        linked = store.link_of(tx.conn, staff_id) is not None
        lines, messages = [], []
        for kind, body in _lines(tx, staff_id, rows, payloads):
            group, notice_id = group_of(kind), tx.new_id()
            read_at = None if choice.wants(group, Place.WORKSPACE) else tx.now
            lines.append((notice_id, staff_id, kind, orjson.dumps(body).decode(), tx.now, read_at))
            due_at = leaves_at(choice, self._zone, tx.now, group)
            # What leaves at once in quiet hours stands in no row with what waits for their end.
            hurry = ":now" if due_at < leaves_at(choice, self._zone, tx.now) else ""
            for place in (Place.MESSENGER, Place.EMAIL):
                if choice.wants(group, place) and (linked or place is Place.EMAIL):
                    told = {"staff_id": str(staff_id), "notice_id": str(notice_id), "place": place}
                    key = f"staff:{staff_id}:{place}{hurry}"
                    messages.append(row_of(tx, MESSAGE, kind, key, told, due_at))
        tx.insert({notice: lines, outbox: messages})


def _lines(
    tx: Tx, staff_id: int, rows: Sequence[OutboxRow], payloads: Sequence[dict[str, Any]]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """A notice about several tasks is a line each; what need be said once only is said once."""
    said: set[str] = set()
    for row, told in zip(rows, payloads, strict=True):
        if row.kind in ONCE_UNTIL_READ:
            if row.kind in said or store.has_unread(tx.conn, staff_id, row.kind):
                continue
            said.add(row.kind)
        rest = {name: value for name, value in told.items() if name not in {"staff_id", "task_ids"}}
        if not told.get("task_ids"):
            yield row.kind, rest
        for task_id in told.get("task_ids", ()):
            yield row.kind, {"task_id": task_id, **rest}
