"""Was the work dealt by the rule? Recomputes everything from an export, with nothing but the standard library.

It imports nothing of the hub on purpose: whoever does not trust the hub reads this file, or writes his own
after `docs/fairness.md`. Line by line it keeps who is in the team, with what share, limit and rules, who is
there, who has how much; and says of each entry what should stand there:

    chain      each fact and entry carries the hash over the one before and itself; numbers have no gap
    set        who could be dealt the task and who could not, and why, follows from the facts before it
    choice     the taker has the most credit (ties: the smaller number of the last task, the smaller id)
    credits    what is given out is what is paid; the sum over members and house is 0 after every entry
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import gcd, lcm
from typing import Any

FORMAT = 1
UNIT = lcm(*range(1, 37))
GENESIS = "0" * 64
Line = Mapping[str, Any]


class Broken(Exception):
    """A line that is not as it should be; says which and why."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"line {line}: {message}")
        self.line = line
        self.message = message


class _Wrong(Exception):
    """As `Broken`, before the line's number is known."""


@dataclass(slots=True)
class Member:
    """A membership as the facts and entries so far make it."""

    id: int
    share: int
    limit: int | None
    credit: int = 0
    last: int = 0
    load: int = 0
    away: str = ""
    rules: Mapping[str, Sequence[str]] = field(default_factory=dict)
    open: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was looked at, and how it ended."""

    team: str
    entries: int
    facts: int
    tasks: int
    members: int
    last_hash: str


class Verifier:
    """Reads an export from its first line to its last. Raises Broken at the first line that is wrong."""

    def __init__(self) -> None:
        self.seq = 0
        self.number = 0
        self.hash = GENESIS
        self.house = 0
        self.members: dict[int, Member] = {}
        self._needs: dict[str, str] = {}
        self._sets: dict[str, str] = {}
        self._paid: dict[str, int] = {}
        self._holder: dict[str, int] = {}
        self._let_go: dict[str, set[int]] = {}
        self._team = ""
        self._ended = False

    def run(self, lines: Iterable[Line]) -> Verdict:
        """Check all lines."""
        kinds: dict[str, Callable[[Line], None]] = {
            "header": self._header,
            "set": self._set,
            "fact": self._fact,
            "entry": self._entry,
            "end": self._end,
        }
        number = 0
        for number, line in enumerate(lines, 1):
            try:
                self._in_place(number, line)
                kinds[str(line["kind"])](line)
            except _Wrong as wrong:
                raise Broken(number, str(wrong)) from None
            except (KeyError, ValueError, TypeError, AttributeError) as error:
                raise Broken(number, f"cannot be read: {type(error).__name__} {error}") from error
        if not self._ended:
            raise Broken(number + 1, "the export has no end: it was cut off")
        return Verdict(self._team, self.seq, self.number, len(self._needs), len(self.members), self.hash)

    def _in_place(self, number: int, line: Line) -> None:
        if (line["kind"] == "header") != (number == 1) or self._ended:
            raise _Wrong("the header comes first and once, the end last")

    # --- lines -------------------------------------------------------------------------------------------

    def _header(self, line: Line) -> None:
        _same("format", line["format"], FORMAT)
        _same("rule", line["rule"], 1)
        _same("unit", line["unit"], str(UNIT))
        self._team = str(line["team"])

    def _set(self, line: Line) -> None:
        _same("digest", line["digest"], _sha(f"{self._team}|{line['body']}"))
        self._sets[str(line["digest"])] = str(line["body"])

    def _fact(self, line: Line) -> None:
        self.number += 1
        _same("number", line["number"], self.number)
        _same("seq", line["seq"], self.seq)
        told = (self.number, self.seq, line["member"], line["fact"], line["value"], line["valid_from"])
        content = "|".join(map(str, ("fact", self._team, *told, line["recorded_at"], line["actor"])))
        self._chain(line, content)
        self._believe(int(line["member"]), str(line["fact"]), json.loads(line["value"]))

    def _believe(self, member_id: int, fact: str, value: Any) -> None:
        if fact == "member" and value is not None:
            if member_id in self.members:
                raise _Wrong(f"member {member_id} joins twice")
            self.members[member_id] = Member(member_id, value["share"], value["limit"])
            return
        member = self._member(member_id)
        match fact:
            case "member":
                member.open = False
            case "share":
                member.share = value
            case "limit":
                member.limit = value
            case "rules":
                member.rules = value
            case "duty":
                member.away = value
            case "load":
                member.load += value["by"]
            case _:
                raise _Wrong(f"an unknown fact {fact}")

    def _end(self, line: Line) -> None:
        """What the hub itself keeps must be what follows from the lines."""
        _same("seq", line["seq"], self.seq)
        _same("facts", line["facts"], self.number)
        _same("hash", line["hash"], self.hash)
        _same("house", line["house"], str(self.house))
        credits_now = {str(m.id): str(m.credit) for m in self.members.values()}
        _same("credits", line["credits"], credits_now)
        self._ended = True

    # --- entries -----------------------------------------------------------------------------------------

    def _entry(self, line: Line) -> None:
        self.seq += 1
        _same("seq", line["seq"], self.seq)
        taker, giver = _number(line["taker"]), _number(line["giver"])
        content = (
            f"{self._team}|{self.seq}|{line['task']}|{line['needs']}|{line['event']}|{line['set'] or ''}|{taker or ''}|"
            f"{giver or ''}|{line['units']}|{line['taker_credit']}|{line['credits']}|{line['actor']}|"
            f"{line['reason'] or ''}|{line['at']}|{line['correlation']}"
        )
        self._chain(line, content)
        task = str(line["task"])
        _same("needs", line["needs"], self._needs.setdefault(task, str(line["needs"])))
        chosen_from = self._chosen_from(line, task, giver)
        units = int(line["units"])
        self._settle(str(line["event"]), task, taker, giver, units, chosen_from)
        acting = self._member(taker if taker is not None else giver if giver is not None else 0)
        _same("taker_credit", int(line["taker_credit"]), acting.credit)
        if self.house + sum(m.credit for m in self.members.values()):
            raise _Wrong("the sum over members and house is not 0")

    def _chosen_from(self, line: Line, task: str, giver: int | None) -> list[Member] | None:
        """Recompute who could be dealt it, and compare with what the entry names."""
        event = line["event"]
        first = task not in self._paid or self._paid[task] == 0
        wanted = event in {"deal", "deal_again", "returning", "pass_on"} or (
            event in {"claim", "by_hand"} and first
        )
        if not wanted:
            _same("set", line["set"], None)
            _same("credits", line["credits"], "")
            return None
        held = set() if event in {"claim", "by_hand"} else set(self._let_go.get(task, ()))
        if event == "pass_on" and giver is not None:
            held.add(giver)
        needs = json.loads(self._needs[task])
        inside, outside = [], []
        for member in sorted(self.members.values(), key=lambda m: m.id):
            why = _why_not(member, held, needs)
            if member.open and why:
                outside.append([str(member.id), why])
            elif member.open:
                inside.append(member)
        body = {"rule": 1, "eligible": [[str(m.id), m.share] for m in inside], "excluded": outside}
        text = json.dumps(body, separators=(",", ":"))
        _same("the eligible set", self._sets.get(str(line["set"])), text)
        shown = ",".join(str((m.credit * 1000 + UNIT // 2) // UNIT) for m in inside)
        _same("credits", line["credits"], shown)
        return inside

    def _settle(
        self,
        event: str,
        task: str,
        taker: int | None,
        giver: int | None,
        units: int,
        chosen_from: list[Member] | None,
    ) -> None:
        """Move the credits as the table of events says."""
        grants = chosen_from is not None and event not in {"deal_again", "pass_on"}
        if grants:
            self._grant(chosen_from or [], units)
        elif event != "follow_up":
            _same("units", units, self._paid[task])
        if event in {"deal", "deal_again", "pass_on"}:
            _same("taker", taker, _first(chosen_from or []))
        if event == "returning" and taker not in {m.id for m in chosen_from or []}:
            raise _Wrong("who comes back goes to somebody who may be dealt it")
        if event == "follow_up":
            _same("units", units, 0)
        _SHAPES.get(event, _unknown)(taker, giver)
        if giver is not None:
            _same("giver", giver, self._holder.get(task))
            self._give(giver, units)
        elif not grants:
            self.house += units
        if taker is not None:
            if event != "undo_void" and not self._member(taker).open:  # undone, it may be handed over at once
                raise _Wrong(f"member {taker} has left")
            self._take(task, taker, units, moves_last=event not in {"follow_up", "undo_void"})
        else:
            self.house -= units
        if event in {"release", "pass_on"} and giver is not None:
            self._let_go.setdefault(task, set()).add(giver)
        self._paid[task] = units

    def _grant(self, inside: list[Member], units: int) -> None:
        if not inside:
            _same("units", units, UNIT)
            self.house += units
            return
        common = gcd(*(m.share for m in inside))
        total = sum(m.share for m in inside) // common
        for member in inside:
            member.credit += member.share // common * (UNIT // total)
        _same("units", units, UNIT // total * total)

    def _give(self, giver: int, units: int) -> None:
        member = self._member(giver)
        member.credit += units
        member.load -= 1

    def _take(self, task: str, taker: int, units: int, *, moves_last: bool) -> None:
        member = self._member(taker)
        member.credit -= units
        member.load += 1
        if moves_last:
            member.last = self.seq
        self._holder[task] = taker

    def _chain(self, line: Line, content: str) -> None:
        self.hash = _sha(f"{self.hash}|{content}")
        _same("hash", line["hash"], self.hash)

    def _member(self, member_id: int) -> Member:
        found = self.members.get(member_id)
        if found is None:
            raise _Wrong(f"nobody has joined as {member_id}")
        return found


def _taken(taker: int | None, giver: int | None) -> None:
    if taker is None or giver is not None:
        raise _Wrong("somebody takes it, from nobody")


def _moved(taker: int | None, giver: int | None) -> None:
    if taker is None or giver is None:
        raise _Wrong("it goes from one to another")


def _returned(taker: int | None, giver: int | None) -> None:
    if taker is not None or giver is None:
        raise _Wrong("it comes back from somebody")


def _unknown(_taker: int | None, _giver: int | None) -> None:
    raise _Wrong("an unknown event")


_SHAPES: Mapping[str, Callable[[int | None, int | None], None]] = {
    **dict.fromkeys(
        ("deal", "deal_again", "returning", "by_hand", "claim", "follow_up", "undo_void"), _taken
    ),
    **dict.fromkeys(("intercept", "reassign", "pass_on"), _moved),
    **dict.fromkeys(("release", "hand_over", "other_team", "void"), _returned),
}


def _why_not(member: Member, held: set[int], needs: Mapping[str, str]) -> str:
    if member.away:
        return member.away
    for reason, name, rule in (
        ("channel", "account", "channels"),
        ("language", "language", "languages"),
        ("skill", "skill", "skills"),
    ):
        allowed, needed = member.rules.get(rule) or (), needs.get(name)
        if not needed or needed in allowed:
            continue
        if needed.startswith("role:") or not all(one.startswith("role:") for one in allowed):
            return reason
    if member.id in held:
        return "held_before"
    return "limit" if member.limit is not None and member.load >= member.limit else ""


def _first(members: list[Member]) -> int | None:
    """Most credit; of equals the smaller number of the last task; then the smaller id."""
    best = min(members, key=lambda m: (-m.credit, m.last, m.id), default=None)
    return best.id if best is not None else None


def _number(given: str | None) -> int | None:
    return None if given is None else int(given)


def _same(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise _Wrong(f"{what} is {found!r}, should be {wanted!r}")


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def read_lines(lines: Iterable[str]) -> Iterator[Line]:
    """The objects of a JSON Lines file. Raises Broken for a line that is none."""
    for number, text in enumerate(lines, 1):
        try:
            found = json.loads(text)
        except ValueError as error:
            raise Broken(number, f"is no JSON: {error}") from None
        if not isinstance(found, dict):
            raise Broken(number, "is no object")
        yield found
