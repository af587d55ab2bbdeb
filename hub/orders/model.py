"""An order: what was agreed, line by line. Values and checks; no SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from hub.kernel import text
from hub.kernel.errors import FieldProblem
from hub.kernel.money import MAX_MINOR, line_total
from hub.orders.stages import PARCEL, Route

MAX_LINES = 500


class Payment(StrEnum):
    """How the customer pays."""

    PREPAID = "prepaid"
    COD = "cod"  # cash on delivery
    OTHER = "other"


class LineKind(StrEnum):
    """What a line sells."""

    GOODS = "goods"
    SERVICE = "service"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLine:
    """A line to be added. Quantities in thousandths, sums in the minor unit of the order's currency."""

    name: str
    quantity_milli: int = 1000
    unit: str = "pcs"
    price_minor: int = 0
    kind: LineKind = LineKind.GOODS
    sku: str | None = None
    plan_cost_minor: int | None = None
    fact_cost_minor: int | None = None
    wanted_at: int | None = None

    @property
    def total_minor(self) -> int:
        """Quantity times price, half up."""
        return line_total(self.quantity_milli, self.price_minor)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """An order to be made. At least one of contact_id and request_id, and a responsible person.

    `number`: the one that it has already, where it comes from elsewhere; "" = the next one of ours.
    """

    contact_id: int | None
    request_id: int | None
    responsible_id: int | None
    lines: Sequence[NewLine] = ()
    payment: Payment = Payment.OTHER
    currency: str = "UAH"
    note: str = ""
    wanted_at: int | None = None
    next_contact_at: int | None = None
    route: str = PARCEL
    fields: Mapping[str, str] = field(default_factory=dict)
    number: str = ""


class OrderRow(NamedTuple):
    """The columns of `orders`, in order."""

    id: int
    number: str
    contact_id: int
    request_id: int | None
    responsible_id: int
    route: str
    route_version: int
    stage: str
    payment: str
    currency: str
    total_minor: int
    paid_minor: int
    note: str
    created_at: int
    updated_at: int
    next_contact_at: int | None
    wanted_at: int | None
    closed_at: int | None
    journal_seq: int
    journal_hash: str
    actor: str
    correlation_id: int
    version: int = 1
    fields: str = "{}"
    archived_at: int | None = None
    home_id: int | None = None

    @property
    def due_minor(self) -> int:
        """What has not come yet; below zero: too much has."""
        return self.total_minor - self.paid_minor


class LineRow(NamedTuple):
    """The columns of `order_line`, in order."""

    id: int
    order_id: int
    position: int
    kind: str
    sku: str | None
    name: str
    quantity_milli: int
    unit: str
    price_minor: int
    plan_cost_minor: int | None
    fact_cost_minor: int | None
    total_minor: int
    wanted_at: int | None


class EntryRow(NamedTuple):
    """The columns of `order_journal`, in order."""

    order_id: int
    seq: int
    event: str
    stage: str
    actor: str
    reason: str | None
    body: str
    at: int
    correlation_id: int
    hash: str


def missing(order: NewOrder, *, has_contact: bool) -> list[FieldProblem]:
    """What an order cannot be without: a contact and a responsible person, both named at once."""
    problems = []
    if not has_contact and order.contact_id is None and order.request_id is None:
        problems.append(
            FieldProblem("contact", "an order needs a contact: contact, contact_id or request_id")
        )
    if order.responsible_id is None:
        problems.append(FieldProblem("responsible_id", "an order needs a responsible person"))
    return problems


def check_lines(lines: Sequence[NewLine], already: int = 0) -> list[FieldProblem]:
    """What is wrong with new lines, each with its path."""
    problems: list[FieldProblem] = []
    if len(lines) + already > MAX_LINES:
        problems.append(FieldProblem("lines", f"an order has at most {MAX_LINES} lines"))
    for at, line in enumerate(lines):
        if not text.one_line(line.name, text.NAME):
            problems.append(FieldProblem(f"lines.{at}.name", "a line needs a name"))
        if abs(line.total_minor) > MAX_MINOR:
            problems.append(FieldProblem(f"lines.{at}.price", "the sum is too large"))
    return problems


def check_fields(route: Route, values: Mapping[str, str]) -> list[FieldProblem]:
    """Only what the route asks for is kept."""
    known = ", ".join(route.fields) or "none"
    return [
        FieldProblem(f"fields.{key}", f"the route has no such field; there are: {known}")
        for key in values
        if key not in route.fields
    ]
