"""Routes of orders are data: stages, which moves between them people may make, what a stage asks for.

The seeds in `hub.orders.routes` fill an empty database; afterwards the database rules, and a running order
keeps the version it began with. `kind` of a stage: open, done (ended well), lost (cancelled: the order
leaves the registry for the archive), back (returned).

An order enters a stage when the move is one of the route's, every field and check of the stage holds, and
every approval of the stage was given. A stage with `asks_for` is where an order waits for the approvals of
the stage named there: they are asked for as it enters, and the order moves on by itself when all agree.

How an order follows its parcels is data of the route too: `hub.orders.rules`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from hub.kernel.errors import FieldProblem, TransitionRefused
from hub.orders import rules
from hub.orders.actions import Action, of_body
from hub.orders.rules import Rule

PARCEL = "parcel"


class Check(StrEnum):
    """What can be asked of an order besides the fields of its route."""

    LINES = "lines"  # at least one line
    PHONE = "phone"  # the contact has a telephone
    PARCEL = "parcel"  # at least one parcel is attached
    PAID = "paid"  # nothing is due
    PART_PAID = "part_paid"  # some money has come
    NEXT_CONTACT = "next_contact"
    WANTED = "wanted"  # the date the customer wants it for


_MISSING = {
    Check.LINES: "lines",
    Check.PHONE: "a telephone of the customer",
    Check.PARCEL: "a parcel",
    Check.PAID: "the whole payment",
    Check.PART_PAID: "a first payment",
    Check.NEXT_CONTACT: "a date of next contact",
    Check.WANTED: "the wanted date",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What checks look at."""

    fields: Mapping[str, str]
    lines: int = 0
    parcels: int = 0
    has_phone: bool = False
    total_minor: int = 0
    paid_minor: int = 0
    next_contact_at: int | None = None
    wanted_at: int | None = None

    def holds(self, check: Check) -> bool:
        """Does a check hold?"""
        return {
            Check.LINES: self.lines > 0,
            Check.PHONE: self.has_phone,
            Check.PARCEL: self.parcels > 0,
            Check.PAID: self.paid_minor >= self.total_minor,
            Check.PART_PAID: self.paid_minor > 0,
            Check.NEXT_CONTACT: self.next_contact_at is not None,
            Check.WANTED: self.wanted_at is not None,
        }[check]


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage. `place` counts from 0 in the order of the route.

    requires   keys of the route's fields that must be filled in
    approvals  roles that have to agree before an order enters
    asks_for   the stage whose approvals are asked for while an order stands here
    """

    key: str
    title: Mapping[str, str]
    kind: str
    place: int
    requires: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    approvals: tuple[str, ...] = ()
    asks_for: str = ""
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """One version of a route.

    fields  what it asks for beyond an order's columns, with titles
    rules   when its orders follow their parcels; they may name a stage that an old version does not have
    """

    name: str
    version: int
    stages: Mapping[str, Stage]
    moves: Mapping[str, tuple[str, ...]]
    title: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    rules: Sequence[Rule] = rules.BEFORE

    @property
    def first(self) -> str:
        """Where an order begins."""
        return next(iter(self.stages))

    def check_move(self, source: str, target: str) -> None:
        """Raise TransitionRefused unless people may make this move; it names what they may do."""
        allowed = self.moves.get(source, ())
        if target not in allowed:
            raise TransitionRefused(
                f"an order that is {source} cannot become {target}; possible: {', '.join(allowed) or 'nothing'}",
                stage=source,
                wanted=target,
            )

    def is_ahead(self, target: str, source: str) -> bool:
        """Does target come after source on the way of an order?"""
        return self.stages[target].place > self.stages[source].place

    def is_backwards(self, target: str, source: str) -> bool:
        """Back, cancelled, returned: such a move needs a reason."""
        return self.stages[target].kind in {"lost", "back"} or not self.is_ahead(target, source)

    def between(self, source: str, target: str) -> Sequence[Stage]:
        """The stages that an order passes on its way, target included."""
        start, end = self.stages[source].place, self.stages[target].place
        return [s for s in self.stages.values() if start < s.place <= end and s.kind in {"open", "done"}]

    def lacking(self, target: str, facts: Facts) -> list[FieldProblem]:
        """What an order is lacking to enter a stage, each with its path."""
        stage = self.stages[target]
        found = [
            FieldProblem(f"fields.{key}", self.fields[key].get("en", key).lower())
            for key in stage.requires
            if not facts.fields.get(key)
        ]
        found += [
            FieldProblem(str(check), _MISSING[check]) for check in stage.checks if not facts.holds(check)
        ]
        return found


def parse(name: str, version: int, body: str) -> Route:
    """A route out of its stored form; what an older version does not have stays empty."""
    found = json.loads(body)
    stages = {
        s["key"]: Stage(
            s["key"],
            s["title"],
            s["kind"],
            place,
            tuple(s.get("requires", ())),
            tuple(Check(one) for one in s.get("checks", ())),
            tuple(s.get("approvals", ())),
            s.get("asks_for", ""),
            tuple(of_body(one) for one in s.get("actions", ())),
        )
        for place, s in enumerate(found["stages"])
    }
    fields = {one["key"]: one["title"] for one in found.get("fields", ())}
    moves = {key: tuple(targets) for key, targets in found["moves"].items()}
    told = found.get("rules")
    followed = rules.BEFORE if told is None else tuple(rules.of_body(one) for one in told)
    return Route(name, version, stages, moves, found.get("title", {}), fields, followed)
