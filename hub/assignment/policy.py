"""Who takes a task: the integer ledger of the fair car-pool rule (Fagin and Williams, 1983).

Decides evenness against what each person was *due*. A task gives every eligible member credit in
proportion to his share of the eligible; the member with the most credit takes it and pays one task.
Ties go to the smaller number of the last task, then to the smaller id, so an independent verifier needs
nothing but the entries. Who is not eligible neither gains nor loses.

One task is UNIT = lcm(1..36): with g the greatest common divisor of the eligible's shares, total their
sum / g and q = UNIT // total, each gets share / g * q and the taker pays q * total. What is given out is
what is paid: no remainder, no drift, the sum over members and house is 0 after every entry.

Pure: no SQL, no clock. `Roster` is the state of one team's head row while its lock is held.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import gcd
from typing import Any, NamedTuple

UNIT = 144_403_552_893_600
RULE_VERSION = 1
NOT_REACTING = "not_reacting"
ROLE_SKILL = "role:"
"""Skills that begin so are roles (`role:head`): tasks that need one go only to members who are given it."""
_HALF = UNIT // 2


class Rules(NamedTuple):
    """What a member may be dealt; an empty set allows everything."""

    channels: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()
    skills: frozenset[str] = frozenset()

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Rules:
        """Out of their stored form: {"channels": [...], "languages": [...], "skills": [...]}."""
        return cls(*(frozenset(body.get(name, ())) for name in cls._fields))

    def body(self) -> dict[str, list[str]]:
        """Their stored form; what allows everything is left out."""
        return {name: sorted(allowed) for name, allowed in self._asdict().items() if allowed}


class Needs(NamedTuple):
    """What a task asks of who takes it; an empty text asks nothing."""

    account: str = ""
    language: str = ""
    skill: str = ""

    @classmethod
    def of(cls, stored: str) -> Needs:
        """Out of `task.needs`."""
        body = json.loads(stored)
        return cls(*(str(body.get(name, "")) for name in cls._fields))


@lru_cache(maxsize=1024)
def needs_text(needs: Needs) -> str:
    """As `task.needs` keeps it: canonical JSON without what asks nothing."""
    asked = {name: value for name, value in needs._asdict().items() if value}
    return json.dumps(asked, separators=(",", ":"), ensure_ascii=False)


ANYTHING = Rules()
NOTHING = Needs()


@dataclass(slots=True)
class Member:
    """A membership as the head row keeps it.

    limit   most open work he may have; None: no limit
    off     why he is off duty by the calendar ("off_shift", "absent", "paused"), "" on duty
    silent  he let a task pass and has not acted since
    """

    id: int
    staff_id: int
    share: int
    limit: int | None
    credit: int = 0
    last: int = 0
    load: int = 0
    closed: bool = False
    off: str = ""
    silent: bool = False
    rules: Rules = ANYTHING

    @property
    def away(self) -> str:
        """Why he is dealt nothing, whatever the task; "" for who is there."""
        return self.off or (NOT_REACTING if self.silent else "")


@dataclass(frozen=True, slots=True)
class TeamRules:
    """The team's own settings as far as dealing asks for them. Times in milliseconds.

    reaction   how soon who was dealt a task has to react; None: no clock
    pass_on    give it to somebody else when he does not
    gather     who starts within so long of the first is dealt the night's tasks with him
    """

    reaction: int | None = None
    pass_on: bool = True
    gather: int = 900_000
    returning: bool = True
    intercept: bool = True
    language: str = ""
    timezone: str = "Europe/Kyiv"


@dataclass(slots=True)
class Roster:
    """A team under its lock: the house, all members (open and closed), the next entry's number.

    due_at      when somebody comes or goes by the calendar; None: never
    checked_at  when that was last looked at (a clock set back makes it look again)
    facts       how many eligibility facts the team has; they and the entries are one chain
    """

    team_id: int
    seq: int
    hash: str
    house: int = 0
    members: dict[int, Member] = field(default_factory=dict)
    rules: TeamRules = field(default_factory=TeamRules)
    due_at: int | None = None
    checked_at: int = 0
    facts: int = 0

    def stale(self, now: int) -> bool:
        """Has the calendar to be asked again before anybody is chosen?"""
        return self.due_at is not None and (now >= self.due_at or now < self.checked_at)

    def total(self) -> int:
        """The sum over memberships and house: 0 after every entry."""
        return self.house + sum(m.credit for m in self.members.values())

    def by_staff(self, staff_id: int) -> Member | None:
        """The open membership of a person."""
        return next((m for m in self.members.values() if m.staff_id == staff_id and not m.closed), None)


@dataclass(frozen=True, slots=True)
class EligibleSet:
    """Who could be dealt to, and who could not and why, with the constants of the division.

    ids, shares    ascending by id, in step
    excluded       (membership id, reason) ascending by id; the reason is the first that applies of
                   off_shift | absent | paused | not_reacting, channel, language, skill, held_before, limit
    grants         what each of ids gets for one task, in units; price what the taker pays
    """

    ids: tuple[int, ...]
    shares: tuple[int, ...]
    excluded: tuple[tuple[int, str], ...]
    grants: tuple[int, ...]
    price: int

    def body(self) -> str:
        """Canonical JSON: the same set has the same text, for ever."""
        return json.dumps(
            {
                "rule": RULE_VERSION,
                "eligible": [[str(i), s] for i, s in zip(self.ids, self.shares, strict=True)],
                "excluded": [[str(i), why] for i, why in self.excluded],
            },
            separators=(",", ":"),
        )


class Choice(NamedTuple):
    """Who takes it. `before` are the credits of the set's ids before the choice, grants included not."""

    taker: int
    price: int
    before: tuple[int, ...]
    credit_after: int


def divide(shares: Sequence[int]) -> tuple[tuple[int, ...], int]:
    """What one task gives to each share, and what its taker pays, in units."""
    if not shares:
        return (), UNIT
    common = gcd(*shares)
    total = sum(shares) // common
    each = UNIT // total
    return tuple(share // common * each for share in shares), each * total


def eligible_set(roster: Roster, held_before: Iterable[int] = (), needs: Needs = NOTHING) -> EligibleSet:
    """Who of the team may be dealt a task right now; `held_before` had it and let it go."""
    held = frozenset(held_before)
    ids: list[int] = []
    excluded: list[tuple[int, str]] = []
    for member in sorted(roster.members.values(), key=lambda m: m.id):
        if member.closed:
            continue
        reason = why_not(member, held, needs)
        if reason:
            excluded.append((member.id, reason))
        else:
            ids.append(member.id)
    shares = tuple(roster.members[i].share for i in ids)
    grants, price = divide(shares)
    return EligibleSet(tuple(ids), shares, tuple(excluded), grants, price)


def why_not(member: Member, held_before: frozenset[int], needs: Needs) -> str:
    """The first reason against a member, "" for none."""
    if member.away:
        return member.away
    for name, needed, allowed in zip(("channel", "language", "skill"), needs, member.rules, strict=True):
        if needed and not _allows(allowed, needed):
            return name
    if member.id in held_before:
        return "held_before"
    return "limit" if member.limit is not None and member.load >= member.limit else ""


def _allows(allowed: frozenset[str], needed: str) -> bool:
    """An empty list allows everything but a role: that somebody is given by name, and it narrows nothing else."""
    if needed in allowed:
        return True
    return not needed.startswith(ROLE_SKILL) and all(one.startswith(ROLE_SKILL) for one in allowed)


def deal(roster: Roster, chosen_from: EligibleSet) -> Choice:
    """Give each eligible his share of one task, let the one with the most credit take it and pay.

    Changes the roster's credits, the taker's load and last number, and `seq`. The set must not be empty.
    """
    members, before = _grant(roster, chosen_from)
    taker = first_claim(members)
    return Choice(taker.id, chosen_from.price, before, _pay(roster, taker, chosen_from.price))


def deal_to(roster: Roster, chosen_from: EligibleSet, taker_id: int) -> Choice:
    """As `deal`, but a person has chosen the taker (first assignment by hand).

    Nobody eligible: the house gets what nobody else can get.
    """
    members, before = _grant(roster, chosen_from)
    if not members:
        roster.house += chosen_from.price
    taker = roster.members[taker_id]
    return Choice(taker.id, chosen_from.price, before, _pay(roster, taker, chosen_from.price))


def deal_again(roster: Roster, chosen_from: EligibleSet, price: int) -> Choice:
    """Deal what came back to the queue: no grants; the house is given back what it paid at the return."""
    members = [roster.members[i] for i in chosen_from.ids]
    before = tuple(m.credit for m in members)
    taker = first_claim(members)
    roster.house += price
    return Choice(taker.id, price, before, _pay(roster, taker, price))


def take_again(roster: Roster, taker_id: int, price: int) -> Choice:
    """As `deal_again`, but a person takes it or is given it."""
    taker = roster.members[taker_id]
    roster.house += price
    return Choice(taker_id, price, (), _pay(roster, taker, price))


def move(roster: Roster, from_id: int, to_id: int, price: int) -> Choice:
    """Intercept, reassign: the old holder gets back what the task cost, the new one pays it; no grants."""
    old = roster.members[from_id]
    old.credit += price
    old.load -= 1
    return Choice(to_id, price, (), _pay(roster, roster.members[to_id], price))


def keep_with(roster: Roster, holder_id: int) -> None:
    """A follow-up of what somebody had already: it stays with him, no grants, no charge."""
    roster.seq += 1
    roster.members[holder_id].load += 1


def undo_void(roster: Roster, holder_id: int, price: int) -> int:
    """It was no spam after all: the reverse of `give_back`. Returns the holder's credit."""
    holder = roster.members[holder_id]
    holder.credit -= price
    holder.load += 1
    roster.house += price
    roster.seq += 1
    return holder.credit


def give_back(roster: Roster, holder_id: int, price: int) -> int:
    """Back to the queue, or void: the holder gets it back, the house pays. Returns the holder's credit."""
    holder = roster.members[holder_id]
    holder.credit += price
    holder.load -= 1
    roster.house -= price
    roster.seq += 1
    return holder.credit


def finish(roster: Roster, holder_id: int) -> None:
    """Complete or snooze: the load shrinks, no credit moves, no entry is written."""
    roster.members[holder_id].load -= 1


def resume(roster: Roster, holder_id: int) -> None:
    """Reopen, or the end of a snooze: the load grows, no credit moves, no entry is written."""
    roster.members[holder_id].load += 1


def _grant(roster: Roster, chosen_from: EligibleSet) -> tuple[list[Member], tuple[int, ...]]:
    """Give each of the set his share of one task; the members, and their credits before it."""
    everybody = roster.members
    members = [everybody[i] for i in chosen_from.ids]
    before = tuple([m.credit for m in members])
    for member, grant in zip(members, chosen_from.grants, strict=True):
        member.credit += grant
    return members, before


def first_claim(members: Sequence[Member]) -> Member:
    """The most credit; of equals the smaller number of the last task; then the smaller id."""
    best = members[0]
    for member in members:
        if member.credit > best.credit or (
            member.credit == best.credit and (member.last, member.id) < (best.last, best.id)
        ):
            best = member
    return best


def _pay(roster: Roster, taker: Member, price: int) -> int:
    roster.seq += 1
    taker.credit -= price
    taker.last = roster.seq
    taker.load += 1
    return taker.credit


def thousandths(units: Sequence[int]) -> str:
    """Credits for people: thousandths of a task, "125,-250,0"."""
    return ",".join([str((c * 1000 + _HALF) // UNIT) for c in units])
