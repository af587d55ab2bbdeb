"""Received against due, by person: what the ledger of a period adds up to.

Due is what the entries' own sets granted: each eligible member his share of the task. Received is what he
took less what he gave back, in tasks. Their difference is how far he is from even; below one task is what
the rule promises for a fixed team, about 1.25 with shifts and absences.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.engine import Connection

from hub.assignment.ledger import peek
from hub.assignment.policy import UNIT, divide
from hub.db.rows import LedgerRow
from hub.db.tables import eligible_set, ledger, membership, staff
from hub.kernel.clock import Instant
from hub.staff.calendar import local_date

_NO_GRANTS = frozenset({"deal_again", "pass_on"})


@dataclass(slots=True)
class Balance:
    """One membership in the period. `received` and `due` in units; `moves` counts entries by event."""

    membership_id: int
    staff_id: int
    name: str
    share: int
    open: bool
    load: int
    received: int = 0
    due: int = 0
    moves: dict[str, int] = field(default_factory=dict)

    @property
    def received_tasks(self) -> float:
        """In tasks, three decimals."""
        return round(self.received / UNIT, 3)

    @property
    def due_tasks(self) -> float:
        """In tasks, three decimals."""
        return round(self.due / UNIT, 3)

    @property
    def distance(self) -> float:
        """How much more (above 0) or less he received than was due to him, in tasks."""
        return round((self.received - self.due) / UNIT, 3)


@dataclass(frozen=True, slots=True)
class Report:
    """A team's period. `days` holds, for each day with entries, everybody's distance at its end."""

    team_id: int
    start: Instant | None
    end: Instant | None
    entries: int
    balances: tuple[Balance, ...]
    days: tuple[tuple[date, dict[int, float]], ...]

    @property
    def largest(self) -> float:
        """The largest distance of anybody, in tasks."""
        return max((abs(b.distance) for b in self.balances), default=0.0)


def report(
    conn: Connection, team_id: int, start: Instant | None = None, end: Instant | None = None
) -> Report:
    """Add up the entries of [start, end). Raises NotFound for a team that is none."""
    zone = ZoneInfo(peek(conn, team_id).rules.timezone)
    found = _people(conn, team_id)
    sets: dict[int, list[tuple[int, int]]] = {}
    days: dict[date, dict[int, float]] = {}
    day: date | None = None
    count = 0
    for row in _entries(conn, team_id, start, end):
        count += 1
        if row.set_id is not None and row.event not in _NO_GRANTS:
            _grant(found, sets.get(row.set_id) or _read_set(conn, row.set_id, sets))
        for member_id, units in ((row.taker_id, row.units), (row.giver_id, -row.units)):
            if member_id in found:
                balance = found[member_id]
                balance.received += units
                balance.moves[row.event] = balance.moves.get(row.event, 0) + 1
        today = local_date(Instant(row.at), zone)
        if today != day and day is not None:
            days[day] = _distances(found)
        day = today
    if day is not None:
        days[day] = _distances(found)
    shown = tuple(b for b in found.values() if b.open or b.received or b.due)
    return Report(team_id, start, end, count, shown, tuple(sorted(days.items())))


def _distances(found: dict[int | None, Balance]) -> dict[int, float]:
    return {b.membership_id: b.distance for b in found.values() if b.received or b.due}


def _entries(
    conn: Connection, team_id: int, start: Instant | None, end: Instant | None
) -> Iterator[LedgerRow]:
    query = select(ledger).where(ledger.c.team_id == team_id).order_by(ledger.c.seq)
    if start is not None:
        query = query.where(ledger.c.at >= start)
    if end is not None:
        query = query.where(ledger.c.at < end)
    for row in conn.execution_options(yield_per=1000).execute(query):
        yield LedgerRow._make(row)


def _people(conn: Connection, team_id: int) -> dict[int | None, Balance]:
    members = peek(conn, team_id).members
    query = (
        select(membership.c.id, staff.c.id.label("staff_id"), staff.c.name)
        .join(staff, staff.c.id == membership.c.staff_id)
        .where(membership.c.team_id == team_id)
        .order_by(staff.c.name, membership.c.id)
    )
    return {
        row.id: Balance(
            row.id, row.staff_id, row.name, members[row.id].share, not members[row.id].closed,
            members[row.id].load,
        )
        for row in conn.execute(query)
    }  # fmt: skip


def _read_set(conn: Connection, set_id: int, sets: dict[int, list[tuple[int, int]]]) -> list[tuple[int, int]]:
    """What each of a set is granted for one task, in units."""
    body = conn.execute(select(eligible_set.c.body).where(eligible_set.c.id == set_id)).scalar_one()
    eligible = json.loads(body)["eligible"]
    grants, _ = divide([share for _, share in eligible])
    sets[set_id] = [(int(member), grant) for (member, _), grant in zip(eligible, grants, strict=True)]
    return sets[set_id]


def _grant(found: dict[int | None, Balance], grants: list[tuple[int, int]]) -> None:
    for member_id, grant in grants:
        found[member_id].due += grant
