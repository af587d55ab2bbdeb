"""What if a share, a limit or a shift had been another? The same past, dealt again by the same rule. Pure.

Reads the lines of an export (`hub.assignment.export`, docs/fairness.md) and deals every task of a period
again, with one change. What people decided stays as they decided it (who claimed, who was given a task, the
customer's own person where he could be dealt it); what the rule decided is decided anew. Where the other
holder makes a recorded step pointless (a colleague lets a task pass that he never had), it is left out.
A task that waited is dealt as soon as the changed person could have had it. Without a change every choice
comes out as it is recorded: a test holds that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy.engine import Connection

from hub.assignment import policy
from hub.assignment.export import export_lines
from hub.assignment.ledger import peek
from hub.assignment.members import MAX_LIMIT, MAX_SHARE
from hub.assignment.policy import UNIT, EligibleSet, Member, Needs, Roster, Rules, eligible_set
from hub.kernel.clock import SECOND, Instant
from hub.kernel.errors import FieldProblem, InputRejected
from hub.kernel.ids import issued_at
from hub.staff.calendar import DAYS, Hours, Schedule, Weekly, duty, hours_of, shift_starts

Line = Mapping[str, Any]
UNLIMITED = -1
_BY_CALENDAR = frozenset({"", "off_shift"})
_WAITED = SECOND  # between a task's id and its first entry: less than that it was dealt as it came
_FOR_EVER = 1 << 62


@dataclass(frozen=True, slots=True)
class Change:
    """What is tried out for one membership. `limit` UNLIMITED takes the limit away; None changes nothing."""

    member: int
    share: int | None = None
    limit: int | None = None
    shift: tuple[Hours, ...] | None = None  # Monday first


@dataclass(slots=True)
class Tally:
    """What one membership had in the period; units of the ledger."""

    received: int = 0
    due: int = 0
    most_open: int = 0

    @property
    def tasks(self) -> float:
        """Received, in tasks."""
        return round(self.received / UNIT, 3)

    @property
    def due_tasks(self) -> float:
        """Due, in tasks."""
        return round(self.due / UNIT, 3)

    @property
    def distance(self) -> float:
        """Received less due, in tasks."""
        return round((self.received - self.due) / UNIT, 3)


NOTHING = Tally()


@dataclass(frozen=True, slots=True)
class Outcome:
    """By membership, as it was and as it would have been.

    others   tasks that would have gone to somebody else
    waiting  tasks that would have waited at the end
    """

    was: dict[int, Tally]
    would: dict[int, Tally]
    dealt: int
    others: int
    waiting: int

    @property
    def largest_was(self) -> float:
        """The largest distance of anybody as it was."""
        return max((abs(t.distance) for t in self.was.values()), default=0.0)

    @property
    def largest_would(self) -> float:
        """The largest distance of anybody as it would have been."""
        return max((abs(t.distance) for t in self.would.values()), default=0.0)


# --- reading a change ------------------------------------------------------------------------------------


def change_of(member: int, *, share: str = "", limit: str = "", shift: str = "") -> Change:
    """A change out of words; "" leaves a thing as it is. Raises InputRejected naming what is wrong."""
    problems = []
    new_share = _number(share, 1, MAX_SHARE)
    if share and new_share is None:
        problems.append(FieldProblem("share", f"a share is a whole number from 1 to {MAX_SHARE}"))
    new_limit = UNLIMITED if limit == "none" else _number(limit, 0, MAX_LIMIT)
    if limit and new_limit is None:
        problems.append(FieldProblem("limit", f"a limit is a whole number from 0 to {MAX_LIMIT}"))
    new_shift = None
    try:
        new_shift = shift_of(shift) if shift else None
    except ValueError:
        problems.append(FieldProblem("shift", "write days and hours, such as mon-fri 09:00-18:00"))
    if not (share or limit or shift):
        problems.append(FieldProblem("share", "say what to change: share, limit or shift"))
    if problems:
        raise InputRejected("this change cannot be tried out", problems)
    return Change(member, new_share, new_limit, new_shift)


def _number(text: str, least: int, most: int) -> int | None:
    found = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
    return found if least <= found <= most else None


def shift_of(text: str) -> tuple[Hours, ...]:
    """ "mon-fri 09:00-18:00, sat 10:00-14:00" as hours of each day, Monday first. Raises ValueError."""
    days: list[list[tuple[str, str]]] = [[] for _ in DAYS]
    for part in text.lower().split(","):
        named, hours = part.split()
        first, _, last = named.partition("-")
        since, until = DAYS.index(first), DAYS.index(last or first)
        start, end = hours.split("-")
        for number in range(since, until + 1) if since <= until else (*range(since, 7), *range(until + 1)):
            days[number].append((start, end))
    return tuple(hours_of(pairs) for pairs in days)


# --- the past, dealt again ---------------------------------------------------------------------------------


def replay(
    lines: Iterable[Line],
    change: Change | None,
    zone: ZoneInfo,
    start: Instant | None = None,
    end: Instant | None = None,
) -> Outcome:
    """Deal [start, end) again; what lies before it is taken as it was. Raises InputRejected for an unknown member."""
    known = list(lines)
    again = _Again(change, zone, start, end)
    joined = {int(line["member"]) for line in known if line["kind"] == "fact" and line["fact"] == "member"}
    if change is not None and change.member not in joined:
        raise InputRejected(
            "this change cannot be tried out", [FieldProblem("member", "name a member of the team")]
        )
    extra = _arrivals(known) if change is not None else []
    extra = sorted([*extra, *again.starts(known)], key=lambda one: one[0])
    number = 0
    for line in known:
        at = int(line.get("at") or line.get("recorded_at") or 0)
        if end is not None and at >= end:
            break
        while at and number < len(extra) and extra[number][0] <= at:
            again.moment(Instant(extra[number][0]), extra[number][1])
            number += 1
        again.line(line, Instant(at))
    return again.outcome()


def _arrivals(lines: Iterable[Line]) -> list[tuple[int, Line | None]]:
    """Tasks that were not dealt as they came, with the moment at which they came: it is in their ids."""
    seen: set[str] = set()
    found: list[tuple[int, Line | None]] = []
    for line in lines:
        if line["kind"] == "entry" and line["task"] not in seen:
            seen.add(line["task"])
            came = issued_at(int(line["task"]))
            if line["event"] == "deal" and line["at"] - came > _WAITED:
                found.append((came, line))
    return found


@dataclass(slots=True)
class _Waiting:
    needs: Needs
    price: int | None  # None: never dealt


@dataclass(slots=True)
class _Again:
    change: Change | None
    zone: ZoneInfo
    start: Instant | None
    end: Instant | None
    now: int = 0
    active: bool = False
    roster: Roster = field(default_factory=lambda: Roster(0, 0, ""))
    was: dict[int, Tally] = field(default_factory=dict)
    would: dict[int, Tally] = field(default_factory=dict)
    dealt: int = 0
    others: int = 0
    _sets: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=dict)
    _recorded: dict[int, str] = field(default_factory=dict)
    _holder: dict[str, int] = field(default_factory=dict)
    _price: dict[str, int] = field(default_factory=dict)
    _held: dict[str, set[int]] = field(default_factory=dict)
    _waiting: dict[str, _Waiting] = field(default_factory=dict)
    _gone: dict[str, int] = field(default_factory=dict)

    # --- time --------------------------------------------------------------------------------------------

    def _calendar(self) -> Schedule | None:
        if self.change is None or self.change.shift is None:
            return None
        return Schedule(self.zone, (Weekly(date.min, None, self.change.shift, holidays_off=False),))

    def starts(self, lines: list[Line]) -> Iterator[tuple[int, Line | None]]:
        """When the changed person's shifts begin: moments at which what waits can be dealt."""
        calendar, times = self._calendar(), [int(one["at"]) for one in lines if one["kind"] == "entry"]
        if calendar is None or not times:
            return
        since = Instant(max(times[0], self.start or 0))
        for at in shift_starts(calendar, since, Instant(min(times[-1], self.end or _FOR_EVER))):
            yield at, None

    def moment(self, at: Instant, came: Line | None) -> None:
        """Something that no line tells: a task came and waited, or the changed person's shift began."""
        self._to(at)
        task = str(came["task"]) if came is not None else ""
        if came is not None and self.active and task not in self._holder:
            self._waiting[task] = _Waiting(Needs.of(came["needs"]), None)
        self._deal_early()

    def _to(self, at: Instant) -> None:
        if at > self.now:
            self._deal_early()
            self.now = at
        if not self.active and (self.start is None or self.now >= self.start) and self.now:
            self.active = True
            self._override()
        self._look()

    def _override(self) -> None:
        if self.change is None or not self.active:
            return
        member = self.roster.members.get(self.change.member)
        if member is None:
            return
        if self.change.share is not None:
            member.share = self.change.share
        if self.change.limit is not None:
            member.limit = None if self.change.limit == UNLIMITED else self.change.limit

    def _look(self) -> None:
        """Is the changed person there, by the hours that are tried out?"""
        if self.change is None or self.change.shift is None or not self.active:
            return
        member = self.roster.members.get(self.change.member)
        if member is not None and self._recorded.get(member.id, "") in _BY_CALENDAR:
            calendar = self._calendar()
            assert calendar is not None
            member.off = duty(calendar, Instant(self.now))[0]

    def _deal_early(self) -> None:
        if self.change is None or not self.active or not self._waiting:
            return
        self._look()
        for task, one in sorted(self._waiting.items(), key=lambda item: int(item[0])):
            chosen_from = eligible_set(self.roster, self._held.get(task, ()), one.needs)
            if self.change.member in chosen_from.ids:
                del self._waiting[task]
                self._by_rule(task, chosen_from, one.price)

    # --- lines -------------------------------------------------------------------------------------------

    def line(self, line: Line, at: Instant) -> None:
        """The next line of the export."""
        match line["kind"]:
            case "set":
                body = orjson.loads(line["body"])["eligible"]
                grants, _ = policy.divide([share for _, share in body])
                self._sets[line["digest"]] = tuple(int(member) for member, _ in body), grants
            case "fact":
                self._to(at)
                self._fact(line)
            case "entry":
                self._to(at)
                self._count(line)
                self._entry(line)

    def _fact(self, line: Line) -> None:
        member_id, value = int(line["member"]), orjson.loads(line["value"])
        if line["fact"] == "member" and value is not None:
            self.roster.members[member_id] = Member(member_id, member_id, value["share"], value["limit"])
            self._override()
            return
        member = self.roster.members[member_id]
        match line["fact"]:
            case "member":
                member.closed = True
            case "share":
                member.share = value
            case "limit":
                member.limit = value
            case "rules":
                member.rules = Rules.of(value)
            case "duty":
                self._recorded[member_id] = member.off = value
                self._look()
            case "load":
                self._load(str(value["task"]), int(value["by"]))
        self._override()

    def _load(self, task: str, by: int) -> None:
        if task in self._holder:
            member = self.roster.members[self._holder[task]]
            member.load += by
            self._most(member.id)
        elif by < 0:
            self._waiting.pop(task, None)  # done without having been dealt here

    def _entry(self, line: Line) -> None:
        event, task = str(line["event"]), str(line["task"])
        taker = int(line["taker"]) if line["taker"] else None
        giver = int(line["giver"]) if line["giver"] else None
        needs = Needs.of(line["needs"])
        if line["set"] and event not in {"deal_again", "pass_on"}:
            self._first(event, task, taker, needs)
        elif event == "deal_again" and task in self._waiting:
            chosen_from = eligible_set(self.roster, self._held.get(task, ()), needs)
            if chosen_from.ids:
                self._by_rule(task, chosen_from, self._waiting.pop(task).price)
        elif event in {"claim", "by_hand", "intercept", "reassign"} and taker is not None:
            self._by_person(task, taker)
        elif event == "pass_on" and giver is not None and self._holder.get(task) == giver:
            self._pass_on(task, giver, needs)
        elif event in {"release", "hand_over"} and giver is not None and self._holder.get(task) == giver:
            self._return(task)
            self._waiting[task] = _Waiting(needs, self._price[task])
            if event == "release":
                self._held.setdefault(task, set()).add(giver)
        elif event in {"void", "other_team"}:
            self._waiting.pop(task, None)
            if task in self._holder:
                self._gone[task] = self._holder[task]
                self._return(task)
        elif event == "undo_void" and task in self._gone:
            holder = self._holder[task] = self._gone.pop(task)
            policy.undo_void(self.roster, holder, self._price[task])
            self._received(holder, self._price[task])
        elif event == "follow_up" and taker is not None:
            policy.keep_with(self.roster, taker)
            self._holder[task], self._price[task] = taker, 0
            self._most(taker)
        if event in {"deal", "deal_again", "returning"} and self.active:
            self.dealt += 1
            self.others += self._holder.get(task) != taker

    def _first(self, event: str, task: str, taker: int | None, needs: Needs) -> None:
        if task in self._holder:
            return  # dealt earlier here
        self._waiting.pop(task, None)
        by_person = event in {"claim", "by_hand"}
        chosen_from = eligible_set(self.roster, () if by_person else self._held.get(task, ()), needs)
        if taker is not None and (by_person or (event == "returning" and taker in chosen_from.ids)):
            choice = policy.deal_to(self.roster, chosen_from, taker)
            self._granted(chosen_from)
            self._taken(task, choice)
        elif chosen_from.ids:
            self._by_rule(task, chosen_from, None)
        else:
            self._waiting[task] = _Waiting(needs, None)

    def _by_rule(self, task: str, chosen_from: EligibleSet, price: int | None) -> None:
        if price is None:
            choice = policy.deal(self.roster, chosen_from)
            self._granted(chosen_from)
        else:
            choice = policy.deal_again(self.roster, chosen_from, price)
        self._taken(task, choice)

    def _by_person(self, task: str, taker: int) -> None:
        waiting, holder = self._waiting.pop(task, None), self._holder.get(task)
        if waiting is not None and waiting.price is not None:
            self._taken(task, policy.take_again(self.roster, taker, waiting.price))
        elif waiting is not None:
            chosen_from = eligible_set(self.roster, (), waiting.needs)
            self._granted(chosen_from)
            self._taken(task, policy.deal_to(self.roster, chosen_from, taker))
        elif holder is not None and holder != taker:
            self._received(holder, -self._price[task])
            self._taken(task, policy.move(self.roster, holder, taker, self._price[task]))

    def _pass_on(self, task: str, giver: int, needs: Needs) -> None:
        self._held.setdefault(task, set()).add(giver)
        chosen_from = eligible_set(self.roster, self._held[task], needs)
        if chosen_from.ids:
            taker = policy.first_claim([self.roster.members[i] for i in chosen_from.ids])
            self._received(giver, -self._price[task])
            self._taken(task, policy.move(self.roster, giver, taker.id, self._price[task]))

    # --- sums --------------------------------------------------------------------------------------------

    def _taken(self, task: str, choice: policy.Choice) -> None:
        self._holder[task], self._price[task] = choice.taker, choice.price
        self._received(choice.taker, choice.price)
        self._most(choice.taker)

    def _return(self, task: str) -> None:
        holder = self._holder.pop(task)
        policy.give_back(self.roster, holder, self._price[task])
        self._received(holder, -self._price[task])

    def _received(self, member: int, units: int) -> None:
        if self.active:
            self.would.setdefault(member, Tally()).received += units

    def _granted(self, chosen_from: EligibleSet) -> None:
        if self.active:
            for member, grant in zip(chosen_from.ids, chosen_from.grants, strict=True):
                self.would.setdefault(member, Tally()).due += grant

    def _most(self, member: int) -> None:
        if self.active:
            tally = self.would.setdefault(member, Tally())
            tally.most_open = max(tally.most_open, self.roster.members[member].load)

    def _count(self, line: Line) -> None:
        """The entry as it is recorded."""
        if not self.active:
            return
        if line["set"] and line["event"] not in {"deal_again", "pass_on"}:
            for member, grant in zip(*self._sets[line["set"]], strict=True):
                self.was.setdefault(member, Tally()).due += grant
        for name, sign in (("taker", 1), ("giver", -1)):
            if line[name]:
                self.was.setdefault(int(line[name]), Tally()).received += sign * int(line["units"])

    def outcome(self) -> Outcome:
        """After the last line."""
        self._deal_early()
        return Outcome(self.was, self.would, self.dealt, self.others, len(self._waiting))


def whatif_of(
    conn: Connection, team_id: int, change: Change, start: Instant | None, end: Instant | None
) -> Outcome:
    """A team's own ledger, dealt again."""
    zone = ZoneInfo(peek(conn, team_id).rules.timezone)
    return replay(export_lines(conn, team_id), change, zone, start, end)
