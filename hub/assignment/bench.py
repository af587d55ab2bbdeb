"""One locked team inside one transaction: its roster as it is now, its new entries; `close` writes both.

Whoever opens a bench first has the calendar looked at, where that is due: a shift that ended a second ago
is honoured before anybody is chosen, whether or not the timer has come round. Whoever closes it deals the
queue: so every place that becomes free is filled in the transaction that freed it.

    shift ends       what its person was dealt and has not accepted goes back to the queue
    absence begins   everything he holds goes back, but for what is snoozed
    first shift      what waited overnight is dealt to all who start within `gather` of it, as if all were
                     there already: who comes at 9:00 is not given the whole night at once

A task handed over so does not count as let go: its person may be dealt it again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

from sqlalchemy import select

from hub.access.model import Actor, Role, system
from hub.assignment import ledger
from hub.assignment.ledger import Entries
from hub.assignment.policy import (
    EligibleSet,
    Member,
    Needs,
    Roster,
    deal,
    deal_again,
    eligible_set,
    give_back,
    resume,
)
from hub.db import tables as t
from hub.db.rows import TaskRow
from hub.db.tx import Tx
from hub.kernel.clock import Instant
from hub.kernel.errors import VersionConflict
from hub.outbox.put import put_notice
from hub.requests.service import note
from hub.staff import schedule
from hub.staff.calendar import Away, Schedule, duty, elapsed, shift_starts, union, working
from hub.tasks import store
from hub.tasks.model import HELD, TaskState

CALENDAR = system("calendar")
QUEUE_AT_ONCE = 200
_LOOK_BACK = 1000  # changes of one calendar between two looks; beyond it the boundary is called "now"


class Bench:
    """A team under its lock. Use it for one transaction and `close` it."""

    def __init__(self, tx: Tx, actor: Actor, team_id: int) -> None:
        self.tx = tx
        self.actor = actor
        self.roster: Roster = ledger.load_roster(tx, team_id)
        self.entries = Entries(tx, actor.label)
        self._gathering: list[Member] = []
        self._schedules: dict[int, Schedule] | None = None
        if self.roster.stale(tx.now):
            self.look_at_calendar()

    def task(self, task_id: int, expected_version: int | None) -> TaskRow:
        """The task as it is now that the team is locked. Raises VersionConflict, NotFound."""
        row = store.get(self.tx.conn, task_id)
        if expected_version is not None and row.version != expected_version:
            raise VersionConflict(
                f"task {task_id} was changed by somebody else",
                version=row.version,
                assignee_id=row.assignee_id,
            )
        return row

    def close(self) -> None:
        """Deal what waits, then write entries, facts and the head row."""
        self._deal_the_night()
        deal_queue(self)
        self.tx.insert(
            {
                t.eligible_set: self.entries.sets,
                t.ledger: self.entries.rows,
                t.eligibility_fact: self.entries.facts,
            }
        )
        ledger.save_roster(self.tx, self.roster)

    # --- tasks -----------------------------------------------------------------------------------------

    def give(self, row: TaskRow, member: Member, seq: int, paid: int, state: TaskState) -> TaskRow:
        """Write who has a task now, and tell him unless he did it himself."""
        tx = self.tx
        changed = store.save(
            tx,
            row,
            state=state,
            membership_id=member.id,
            assignee_id=member.staff_id,
            entry_seq=seq,
            paid_units=paid,
            assigned_at=tx.now,
            accepted_at=tx.now if state is TaskState.ACCEPTED else None,
            react_by_at=self.react_by(row) if state is TaskState.ASSIGNED else None,
            snoozed_until_at=None,
            actor=self.actor.label,
        )
        if member.staff_id != self.actor.staff_id:
            put_notice(tx, "task_assigned", member.staff_id, row.id)
        return changed

    def reaction(self, row: TaskRow) -> int | None:
        """How much working time there is to react to a task: its own limit, else the team's; None: no clock."""
        return row.reaction_ms if row.reaction_ms is not None else self.roster.rules.reaction

    def react_by(self, row: TaskRow) -> Instant | None:
        """The earliest moment at which a task dealt now can have been let pass."""
        limit = self.reaction(row)
        return None if limit is None else Instant(self.tx.now + limit)

    def back_to_queue(self, row: TaskRow, event: str, reason: str, *, let_go: bool) -> TaskRow:
        """Take a task from its person; `let_go`: he shall not be dealt it again."""
        assert row.membership_id is not None
        self.count_again(row)
        credit = give_back(self.roster, row.membership_id, row.paid_units)
        self.entries.add(
            self.roster,
            event,
            task_id=row.id,
            needs=row.needs,
            units=row.paid_units,
            correlation_id=row.correlation_id,
            giver=row.membership_id,
            credit_after=credit,
            reason=reason or None,
        )
        held = json.loads(row.held_by)
        return store.save(
            self.tx,
            row,
            state=TaskState.WAITING,
            membership_id=None,
            assignee_id=None,
            assigned_at=None,
            accepted_at=None,
            react_by_at=None,
            snoozed_until_at=None,
            held_by=json.dumps(sorted({*held, row.membership_id})) if let_go else row.held_by,
            actor=self.actor.label,
        )

    def count_again(self, row: TaskRow) -> None:
        """A snoozed task is no load; before it moves it becomes one again."""
        if row.state == TaskState.SNOOZED and row.membership_id is not None:
            resume(self.roster, row.membership_id)
            self.load_fact(row, 1)

    def load_fact(self, row: TaskRow, by: int) -> None:
        """Load that moved without an entry: completed, snoozed, reopened, woken."""
        assert row.membership_id is not None
        value = {"task": str(row.id), "by": by}
        self.entries.fact(self.roster, row.membership_id, "load", value, self.tx.now)

    def tell_the_heads(self, kind: str, task_id: int) -> None:
        """A notice to everybody of the team who leads it; else to every head."""
        heads = set(
            self.tx.execute(
                select(t.staff_role.c.staff_id)
                .join(t.staff, t.staff.c.id == t.staff_role.c.staff_id)
                .where(t.staff_role.c.role == Role.HEAD, t.staff.c.state == "active")
            ).scalars()
        )
        own = {m.staff_id for m in self.roster.members.values() if not m.closed} & heads
        for staff_id in sorted(own or heads):
            put_notice(self.tx, kind, staff_id, task_id)

    # --- who is there ------------------------------------------------------------------------------------

    def acted(self) -> None:
        """Whoever acts is back, if he had let a task pass."""
        member = self.roster.by_staff(self.actor.staff_id) if self.actor.staff_id is not None else None
        if member is not None and member.silent:
            self.set_away(member, member.off, silent=False)

    def set_away(
        self, member: Member, off: str, *, silent: bool | None = None, since: Instant | None = None
    ) -> None:
        """Change who is there, with its fact."""
        before = member.away
        member.off = off
        if silent is not None:
            member.silent = silent
        if member.away != before:
            self.entries.fact(
                self.roster, member.id, "duty", member.away, self.tx.now if since is None else since
            )

    def schedules(self) -> dict[int, Schedule]:
        """The calendars of the team's open members, by person."""
        if self._schedules is None:
            people = [m.staff_id for m in self.roster.members.values() if not m.closed]
            zone = ZoneInfo(self.roster.rules.timezone)
            self._schedules = schedule.read(self.tx.conn, people, zone)
        return self._schedules

    def forget_calendars(self) -> None:
        """They were changed: read them anew at the next look."""
        self._schedules = None

    def look_at_calendar(self) -> None:
        """Who came and who went since the last look; what they leave behind goes back to the queue."""
        roster, now = self.roster, self.tx.now
        opened = sorted((m for m in roster.members.values() if not m.closed), key=lambda m: m.id)
        anybody = any(not m.off for m in opened)
        due: list[Instant] = []
        left: list[Member] = []
        for member in opened:
            calendar = self.schedules()[member.staff_id]
            off, until = duty(calendar, now)
            if until is not None:
                due.append(until)
            if off != member.off:
                since = _since(calendar, Instant(roster.checked_at or now), now)
                self.set_away(member, off, since=since)
                if off:
                    left.append(member)
        roster.due_at = min(due) if due else None
        roster.checked_at = now if due else 0
        if not anybody and any(not m.off for m in opened):
            self._gathering = [m for m in opened if m.off == Away.OFF_SHIFT and self._starts_soon(m)]
        for member in left:
            self._hand_over(member)

    def _starts_soon(self, member: Member) -> bool:
        until = Instant(self.tx.now + self.roster.rules.gather)
        return bool(shift_starts(self.schedules()[member.staff_id], self.tx.now, until))

    def _hand_over(self, member: Member) -> None:
        gone = {Away.OFF_SHIFT: {TaskState.ASSIGNED}, Away.ABSENT: HELD}.get(Away(member.off), set())
        for row in store.held(self.tx.conn, member.id):
            if row.state in gone:
                self.back_to_queue(row, "hand_over", member.off, let_go=False)
                note(self.tx, self.actor, "task", row.id, "handed_over", body={"reason": member.off})

    def _deal_the_night(self) -> None:
        gathering, self._gathering = self._gathering, []
        if not gathering:
            return
        for member in gathering:
            self.set_away(member, "")
        deal_queue(self)
        for member in gathering:
            self.set_away(member, Away.OFF_SHIFT)

    def worked(self, start: Instant, end: Instant) -> int:
        """Milliseconds of the team's working time between two moments: while anybody's shift is on."""
        spans = [working(calendar, start, end, plan=True) for calendar in self.schedules().values()]
        return elapsed(union(*spans), start, end)


def _since(calendar: Schedule, start: Instant, now: Instant) -> Instant:
    """When what holds now began, at the earliest `start`."""
    at = start
    for _ in range(_LOOK_BACK):
        _, until = duty(calendar, at)
        if until is None or until > now:
            return at
        at = until
    return now


def deal_queue(bench: Bench) -> int:
    """Deal waiting tasks, oldest first, for as long as somebody can take one. Returns how many."""
    dealt = 0
    if not eligible_set(bench.roster).ids:
        return dealt
    after = 0
    while rows := store.waiting(bench.tx.conn, bench.roster.team_id, QUEUE_AT_ONCE, after):
        for row in rows:
            chosen_from = eligible_set(bench.roster, json.loads(row.held_by), Needs.of(row.needs))
            if chosen_from.ids:
                _deal_waiting(bench, row, chosen_from)
                dealt += 1
        after = rows[-1].id
        if not eligible_set(bench.roster).ids:
            break
    return dealt


def _deal_waiting(bench: Bench, row: TaskRow, chosen_from: EligibleSet) -> None:
    again = row.paid_units > 0
    choice = (
        deal_again(bench.roster, chosen_from, row.paid_units) if again else deal(bench.roster, chosen_from)
    )
    event = "deal_again" if again else "deal"
    entry = bench.entries.dealt(
        bench.roster, event, row.id, row.needs, chosen_from, choice, row.correlation_id
    )
    bench.give(row, bench.roster.members[choice.taker], entry.seq, choice.price, TaskState.ASSIGNED)


def held_by(row: TaskRow, *more: int) -> Sequence[int]:
    """The memberships that had a task and let it go, and these."""
    return sorted({*json.loads(row.held_by), *more})


def open_members(roster: Roster) -> Iterable[Member]:
    """Who is in the team now."""
    return (m for m in roster.members.values() if not m.closed)
