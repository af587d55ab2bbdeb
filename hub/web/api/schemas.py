"""The values of the API, as its callers see them: ids are strings, times RFC 3339 UTC, sums minor units."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from hub.kernel.clock import parse_rfc3339, rfc3339
from hub.kernel.ids import parse_id
from hub.kernel.money import MAX_MINOR, is_currency, parse_quantity, show_quantity


def _check_id(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("an id is a string of digits")
    return str(parse_id(value))


def _check_time(value: Any) -> int:
    if not isinstance(value, str):
        raise ValueError("expected a time such as 2026-11-22T09:30:00Z")
    return int(parse_rfc3339(value))


def _check_quantity(value: Any) -> int:
    if not isinstance(value, str):
        raise ValueError('a quantity is a string, such as "1.5"')
    return parse_quantity(value)


def _check_currency(value: str) -> str:
    if not is_currency(value):
        raise ValueError("a currency is an ISO 4217 code, such as UAH")
    return value


def _storable(value: str) -> str:
    if "\x00" in value or any("\ud800" <= c <= "\udfff" for c in value):
        raise ValueError("this text holds characters that cannot be stored")
    return value


Id = Annotated[
    str, BeforeValidator(_check_id), WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,18}$"})
]
TimeIn = Annotated[
    int,
    BeforeValidator(_check_time),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="validation"),
]
Quantity = Annotated[
    int,
    BeforeValidator(_check_quantity),
    WithJsonSchema(
        {"type": "string", "pattern": r"^[0-9]{1,9}(\.[0-9]{1,3})?$", "examples": ["1.5"]}, mode="validation"
    ),
]
Currency = Annotated[
    str, AfterValidator(_check_currency), WithJsonSchema({"type": "string", "pattern": "^[A-Z]{3}$"})
]
Time = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]


Name = Annotated[str, StringConstraints(max_length=200, strip_whitespace=True), AfterValidator(_storable)]
LongText = Annotated[
    str, StringConstraints(max_length=20_000, strip_whitespace=True), AfterValidator(_storable)
]


def time_of(at: int | None) -> str | None:
    """An instant as the API writes it."""
    return rfc3339(at) if at is not None else None


def id_of(identifier: int | None) -> str | None:
    """An id as the API writes it."""
    return str(identifier) if identifier is not None else None


class In(BaseModel):
    """Base of inputs: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Out(BaseModel):
    """Base of results."""

    model_config = ConfigDict(frozen=True, defer_build=True)


class Empty(In):
    """No keys."""


class ActingBody(In):
    """A body that may name the person who acts."""

    staff_id: Id | None = Field(None, description="who acts, where the token acts for nobody (head, admin)")


class ReasonBody(ActingBody):
    """A body with a reason."""

    reason: Name = ""


class MoneyValue(In):
    """A sum in the minor unit."""

    amount_minor: int = Field(ge=-MAX_MINOR, le=MAX_MINOR, strict=True)
    currency: Currency = "UAH"


def money(amount_minor: int | None, currency: str) -> MoneyValue | None:
    """A sum as the API writes it; None = not told."""
    return MoneyValue(amount_minor=amount_minor, currency=currency) if amount_minor is not None else None


class Page(In):
    """The query of a list."""

    limit: int = Field(50, ge=1, le=200)
    cursor: Id | None = Field(None, description="next_cursor of the page before")


class Changes(Page):
    """The query of a list of what can change."""

    updated_since: TimeIn | None = Field(None, description="only what changed at or after this moment")


class Problem(Out):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str


class FieldError(Out):
    """One thing that is wrong."""

    path: str
    message: str


class IdentityOut(Out):
    """A telephone, an e-mail, an id in a channel."""

    kind: str
    value: str


class ContactOut(Out):
    """Who asks. What the card does not say itself is shown from those merged into it.

    merged_into_id: the card that stands for this one; its identities, requests and orders are found there.
    """

    id: str
    kind: Literal["person", "organisation"]
    name: str
    organisation: str
    language: str | None
    note: str
    position: str
    organisation_id: str | None
    merged_into_id: str | None
    identities: list[IdentityOut]
    created_at: Time
    updated_at: Time
    erased_at: Time | None
    version: int


class MergeOut(Out):
    """A merge that is in force."""

    contact_id: str
    into_id: str
    at: Time
    actor: str
    reason: str


class ContactDetail(ContactOut):
    """A contact with the cards merged into it and those that are probably the same."""

    merges: list[MergeOut]
    double_ids: list[str]


class DoubleOut(Out):
    """Two cards that are probably one. request_id: the newest message that named both; null: a rule says so."""

    contact: ContactOut
    other: ContactOut
    reason: Literal["two contacts", "same mailbox"]
    request_id: str | None
    times: int


class AskedOut(Out):
    """What was asked for, where nothing was sold."""

    product: str | None
    quantity: str | None
    value: MoneyValue | None


class RequestOut(Out):
    """What a customer asks."""

    id: str
    team_id: str
    contact_id: str
    channel: str | None
    state: Literal["open", "closed"]
    subject: str
    source: dict[str, str]
    language: str | None
    sent_again: int
    opened_at: Time
    next_contact_at: Time | None
    closed_at: Time | None
    outcome: str | None
    reason: str | None
    asked: AskedOut | None
    updated_at: Time
    version: int


class FileOut(Out):
    """A file of a message. stored: it can be downloaded; pending: it is being fetched; refused, gone: `reason`."""

    id: str
    name: str
    media_type: str
    size: int
    state: str
    reason: str | None


class MessageOut(Out):
    """One message of a conversation.

    state: received, repeat; of ours: sending, sent, delivered, seen, failed, uncertain (`problem` says why).
    """

    id: str
    direction: str
    channel: str
    staff_id: str | None
    text: str
    fields: dict[str, str]
    sent_at: Time | None
    created_at: Time
    state: str
    kind: str
    subject: str
    full_text: str
    problem: str | None
    edited_at: Time | None
    files: list[FileOut]


class RequestDetail(RequestOut):
    """A request with its conversation."""

    messages: list[MessageOut]
    task_id: str | None
    order_ids: list[str]
    other_contact_ids: list[str]


class TaskOut(Out):
    """Work for one person."""

    id: str
    team_id: str
    request_id: str | None
    kind: str
    state: str
    title: str
    assignee_id: str | None
    created_at: Time
    assigned_at: Time | None
    accepted_at: Time | None
    react_by: Time | None
    snoozed_until: Time | None
    done_at: Time | None
    outcome: str | None
    reason: str | None
    updated_at: Time
    version: int


class EligibleOut(Out):
    """One who could be dealt the task."""

    membership_id: str
    staff_id: str
    name: str
    share: int
    credit_thousandths: int
    taker: bool


class ExcludedOut(Out):
    """One who could not, and why."""

    membership_id: str
    staff_id: str
    name: str
    reason: str


class EntryOut(Out):
    """One entry of the team's ledger about a task. Credits in thousandths of a task, before the choice."""

    seq: int
    event: str
    at: Time
    actor: str
    reason: str | None
    rule_version: int | None
    taker_id: str | None
    giver_id: str | None
    tasks: float
    eligible: list[EligibleOut]
    excluded: list[ExcludedOut]
    hash: str


class WhyOut(Out):
    """Why a task is where it is."""

    task_id: str
    explanation: str
    entries: list[EntryOut]


class LineOut(Out):
    """One line of an order."""

    id: str
    order_number: str
    position: int
    kind: str
    sku: str | None
    name: str
    quantity: str
    unit: str
    price: MoneyValue
    total: MoneyValue
    plan_cost: MoneyValue | None
    fact_cost: MoneyValue | None
    wanted_at: Time | None


class ShipmentOut(Out):
    """A parcel under way. `cod_*` null = not told."""

    id: str
    number: str
    carrier: str
    order_id: str | None
    parent_id: str | None
    relation: str
    status: str
    money_status: str
    raw_code: str | None
    raw_text: str | None
    place: str | None
    status_at: Time | None
    happened_at: Time | None
    cod_expected: MoneyValue | None
    cod_collected: MoneyValue | None
    cod_paid_out: MoneyValue | None
    estimated_at: Time | None
    paid_storage_from: Time | None
    final: bool
    phase: str
    problem: str | None
    problem_text: str | None
    polled_at: Time | None
    next_poll_at: Time | None
    created_at: Time
    updated_at: Time
    version: int


class TrackingEventOut(Out):
    """One step of a parcel."""

    status: str
    raw_code: str
    raw_text: str
    place: str
    status_at: Time | None
    happened_at: Time | None
    first_seen_at: Time


class RelatedOut(Out):
    """Another waybill of the same parcel."""

    shipment_id: str | None
    number: str
    relation: str
    status: str | None


class ShipmentDetail(ShipmentOut):
    """A parcel with its timeline and its further legs."""

    facts: dict[str, Any]
    events: list[TrackingEventOut]
    related: list[RelatedOut]


class OrderOut(Out):
    """What was agreed."""

    id: str
    number: str
    contact_id: str
    request_id: str | None
    responsible_id: str
    route: str
    stage: str
    payment: str
    currency: str
    total: MoneyValue
    paid: MoneyValue
    note: str
    created_at: Time
    updated_at: Time
    next_contact_at: Time | None
    wanted_at: Time | None
    closed_at: Time | None
    version: int
    route_version: int
    due: MoneyValue
    fields: dict[str, str]
    archived: bool


class PaymentOut(Out):
    """A payment; never edited, taken back by an opposite one. `at` is the day of the money."""

    id: str
    kind: str
    amount: MoneyValue
    method: str
    at: Time
    note: str
    reverses_id: str | None
    reversed: bool
    actor: str
    created_at: Time


class ApprovalOut(Out):
    """A role is asked whether the order may enter a stage; `current`: it counts for the next move."""

    id: str
    stage: str
    role: str
    state: str
    current: bool
    task_id: str
    decided_by: str | None
    comment: str
    created_at: Time
    decided_at: Time | None


class NextStepOut(Out):
    """A move from here, and what stands in its way."""

    stage: str
    title: dict[str, str]
    needs_reason: bool
    lacking: list[FieldError]
    waits_for: list[str]


class OrderDetail(OrderOut):
    """An order with its lines, payments, approvals, parcels and next steps."""

    lines: list[LineOut]
    shipments: list[ShipmentOut]
    payments: list[PaymentOut]
    awaited: MoneyValue
    approvals: list[ApprovalOut]
    next_steps: list[NextStepOut]


class JournalOut(Out):
    """One entry of an order's journal."""

    seq: int
    event: str
    stage: str
    actor: str
    reason: str | None
    body: dict[str, Any]
    at: Time
    hash: str


def quantity_of(milli: int | None) -> str | None:
    """A quantity as the API writes it."""
    return show_quantity(milli) if milli is not None else None
