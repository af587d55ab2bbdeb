"""Payments of an order: values, and what they add up to. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from hub.kernel.errors import FieldProblem
from hub.kernel.money import MAX_MINOR


class PaymentKind(StrEnum):
    """Has it come, or is it awaited?"""

    EXPECTED = "expected"
    RECEIVED = "received"


class Method(StrEnum):
    """How the money comes."""

    CASH = "cash"
    CARD = "card"
    TRANSFER = "transfer"
    COD = "cod"
    OTHER = "other"


class PaymentRow(NamedTuple):
    """The columns of `payment`, in order."""

    id: int
    order_id: int
    kind: str
    amount_minor: int
    method: str
    paid_at: int
    note: str
    reverses_id: int | None
    actor: str
    created_at: int
    correlation_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPayment:
    """A payment to be written down; `paid_at` is the day of the money."""

    kind: PaymentKind
    amount_minor: int
    method: Method
    paid_at: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Balance:
    """What the payments of an order add up to; sums in the minor unit.

    awaited      expected and not come yet
    late         the part of it whose day has passed
    next_at      the day of the first expected payment that has not come whole
    """

    total: int
    paid: int
    awaited: int
    late: int
    next_at: int | None

    @property
    def due(self) -> int:
        """Total less paid; below zero: too much has come."""
        return self.total - self.paid


def check(new: NewPayment) -> list[FieldProblem]:
    """What is wrong with a payment."""
    if 0 < new.amount_minor <= MAX_MINOR:
        return []
    return [FieldProblem("amount", "a payment is a sum above zero; a wrong one is reversed")]


def standing(payments: Sequence[PaymentRow]) -> list[PaymentRow]:
    """Payments that count: neither reversed nor a reversal."""
    gone = {one.reverses_id for one in payments}
    return [one for one in payments if one.reverses_id is None and one.id not in gone]


def balance(total: int, payments: Sequence[PaymentRow], now: int) -> Balance:
    """Money that came covers what was expected, the earliest day first."""
    paid = sum(one.amount_minor for one in payments if one.kind == PaymentKind.RECEIVED)
    left, awaited, late, next_at = paid, 0, 0, None
    expected = [one for one in standing(payments) if one.kind == PaymentKind.EXPECTED]
    for one in sorted(expected, key=lambda p: (p.paid_at, p.id)):
        open_minor = max(0, one.amount_minor - max(0, left))
        left -= one.amount_minor
        if open_minor:
            awaited += open_minor
            late += open_minor if one.paid_at < now else 0
            next_at = one.paid_at if next_at is None else next_at
    return Balance(total, paid, awaited, late, next_at)
