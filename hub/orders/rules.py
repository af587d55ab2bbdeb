"""When an order follows its parcels and their money by itself. Rules are data of a route; pure.

A rule looks at the least advanced active parcel (a deleted waybill is none), at the money of those parcels that
are no further than it, and at how the order is paid; it names the stage. Rules are read from the top, the first
that holds decides. Orders move forward only: a status that a carrier takes back moves nothing, it is a question
to the seller. Rules belong to their version of the route, so a running order keeps those it began with.

    parcel accepted, in_transit -> shipped
    parcel delivered; money paid_out; payment cod -> paid

Versions that were kept before rules were data have none written down: `BEFORE` is what moved their orders.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.sdk.tracking import MoneyStatus, Status

PAYMENTS = ("prepaid", "cod", "other")
MAX_RULES = 40

ADVANCE = (
    Status.UNKNOWN,
    Status.CREATED,
    Status.ACCEPTED,
    Status.IN_TRANSIT,
    Status.EXCEPTION,
    Status.ARRIVED,
    Status.OUT_FOR_DELIVERY,
    Status.DELIVERY_ATTEMPTED,
    Status.REFUSED,
    Status.RETURNING,
    Status.DELIVERED,
    Status.RETURNED,
)
"""How far an order's parcel has come. Not the rank that tells corrections: what is lost has not arrived."""

MONEY_ADVANCE = (
    MoneyStatus.NONE,
    MoneyStatus.UNKNOWN,
    MoneyStatus.EXPECTED,
    MoneyStatus.COLLECTED,
    MoneyStatus.NOT_COLLECTED,
    MoneyStatus.PAID_OUT,
)
_LINE = re.compile(r"([^>]{0,400}?)\s*->\s*([a-z0-9_]{1,40})", re.ASCII)
_WORDS = {"parcel": tuple(map(str, ADVANCE)), "money": tuple(map(str, MONEY_ADVANCE)), "payment": PAYMENTS}
HOW = "write such as: parcel delivered; money paid_out; payment cod -> paid"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an order's parcels are, taken together."""

    parcel: Status
    money: MoneyStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule; an empty condition asks for nothing. At least one of `parcel` and `money` is there."""

    stage: str
    parcel: tuple[str, ...] = ()
    money: tuple[str, ...] = ()
    payment: tuple[str, ...] = ()

    def holds(self, standing: Standing, payment: str) -> bool:
        """Does an order that is paid like this, and stands like this, go to the stage?"""
        return all(
            not wanted or told in wanted
            for wanted, told in (
                (self.parcel, standing.parcel),
                (self.money, standing.money),
                (self.payment, payment),
            )
        )

    def covers(self, other: Rule) -> bool:
        """Does it hold whenever the other one does?"""
        pairs = (
            (self.parcel, other.parcel),
            (self.money, other.money),
            (self.payment, other.payment),
        )
        return all(not mine or (bool(theirs) and set(theirs) <= set(mine)) for mine, theirs in pairs)

    def body(self) -> dict[str, Any]:
        """As a route keeps it; what is empty is left out."""
        told = {name: list(getattr(self, name)) for name in _WORDS if getattr(self, name)}
        return {**told, "stage": self.stage}

    def line(self) -> str:
        """As people write it."""
        parts = [f"{name} {', '.join(getattr(self, name))}" for name in _WORDS if getattr(self, name)]
        return f"{'; '.join(parts)} -> {self.stage}"


def of_body(body: Mapping[str, Any]) -> Rule:
    """Out of a route. Raises ValueError with what to do."""
    conditions: dict[str, tuple[str, ...]] = {}
    for name, known in _WORDS.items():
        told = tuple(dict.fromkeys(str(one) for one in body.get(name) or ()))
        for one in told:
            if one not in known:
                raise ValueError(f"{name} cannot be {one[:40]}: one of {', '.join(known)}")
        conditions[name] = told
    if not conditions["parcel"] and not conditions["money"]:
        raise ValueError(HOW)
    return Rule(stage=str(body.get("stage", "")), **conditions)


def of_line(line: str) -> Rule:
    """Out of what a person wrote. Raises ValueError with what to do."""
    found = _LINE.fullmatch(line.strip())
    if found is None:
        raise ValueError(HOW)
    body: dict[str, Any] = {"stage": found.group(2)}
    for part in found.group(1).split(";"):
        name, _, values = part.strip().partition(" ")
        if name not in _WORDS or name in body:
            raise ValueError(HOW)
        body[name] = [one.strip() for one in values.split(",") if one.strip()]
    return of_body(body)


def standing_of(parcels: Iterable[tuple[Status, MoneyStatus]]) -> Standing | None:
    """Where the parcels of one order stand. None: there is no active one."""
    active = [(s, m) for s, m in parcels if s is not Status.CANCELLED]
    if not active:
        return None
    least = min((s for s, _ in active), key=ADVANCE.index)
    money = min((m for s, m in active if s is least), key=MONEY_ADVANCE.index)
    return Standing(least, money)


def choose(rules: Sequence[Rule], standing: Standing | None, payment: str) -> Rule | None:
    """The first rule that holds."""
    if standing is None:
        return None
    return next((rule for rule in rules if rule.holds(standing, payment)), None)


# --- what a new hub begins with ----------------------------------------------------------------------------

PAID = Rule(stage="paid", parcel=("delivered",), money=("paid_out",), payment=("cod",))
SHIPPED = Rule(stage="shipped", parcel=("accepted", "in_transit", "exception"))
ARRIVED = Rule(
    stage="arrived", parcel=("arrived", "out_for_delivery", "delivery_attempted", "refused", "returning")
)
DELIVERED = Rule(stage="delivered", parcel=("delivered",))
RETURNED = Rule(stage="returned", parcel=("returned",))

BEFORE = (PAID, DELIVERED, ARRIVED, SHIPPED, RETURNED)
PARCEL_RULES = BEFORE
CONTRACT_RULES = (DELIVERED, Rule(stage="shipped", parcel=SHIPPED.parcel + ARRIVED.parcel), RETURNED)
SERVICE_RULES = (PAID,)
