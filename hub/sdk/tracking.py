"""The values of tracking: what is asked, what a carrier says, and the statuses all carriers share."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from hub.kernel.frozen import quick

# Sums of tracking pass as integers of the minor unit with the account's currency.


class Status(StrEnum):
    """Where a parcel is, in words that all carriers share. The number in RANK orders them."""

    UNKNOWN = "unknown"  # a code that no table lists: kept raw, counted, never guessed
    CREATED = "created"  # waybill made, parcel not handed over
    ACCEPTED = "accepted"  # the carrier has it
    IN_TRANSIT = "in_transit"
    ARRIVED = "arrived"  # can be collected at a branch or locker
    OUT_FOR_DELIVERY = "out_for_delivery"  # with the courier
    DELIVERY_ATTEMPTED = "delivery_attempted"
    EXCEPTION = "exception"  # lost, data wrong, storage ended
    REFUSED = "refused"
    RETURNING = "returning"
    DELIVERED = "delivered"
    RETURNED = "returned"
    CANCELLED = "cancelled"  # waybill deleted too


RANK: dict[Status, int] = {
    Status.UNKNOWN: 0,
    Status.CREATED: 10,
    Status.ACCEPTED: 20,
    Status.IN_TRANSIT: 30,
    Status.ARRIVED: 40,
    Status.OUT_FOR_DELIVERY: 45,
    Status.DELIVERY_ATTEMPTED: 50,
    Status.EXCEPTION: 55,
    Status.REFUSED: 60,
    Status.RETURNING: 65,
    Status.DELIVERED: 70,
    Status.RETURNED: 75,
    Status.CANCELLED: 80,
}
"""How far along a status is. Breaks ties of equal clocks and tells a correction from a movement."""

FINAL = frozenset({Status.DELIVERED, Status.RETURNED, Status.CANCELLED})
"""The parcel line ends here, unless a newer clock says otherwise."""


class MoneyStatus(StrEnum):
    """Where the cash on delivery is: a line of its own beside the parcel's."""

    NONE = "none"  # there is none
    UNKNOWN = "unknown"  # the carrier does not tell us
    EXPECTED = "expected"  # the consignee has to pay
    COLLECTED = "collected"  # paid by the consignee, not yet with the shipper
    PAID_OUT = "paid_out"  # the shipper has it
    NOT_COLLECTED = "not_collected"  # the parcel came back or was deleted: nobody pays


class RelationKind(StrEnum):
    """Why another number belongs to a parcel."""

    RETURN = "return"
    REDIRECT = "redirect"
    MONEY = "money"
    PAPERS = "papers"


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingNumber:
    """One number to ask for. `phone` (E.164 or "") unlocks private fields at some carriers.

    known  `Tracked.fingerprint` of what the hub has of this number already; "" where it wants to be told
           everything. Since SDK 1.2
    """

    number: str
    phone: str = field(default="", repr=False)  # a representation may end up in a log
    known: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedNumber:
    """Another waybill that carries this parcel, or its money, on."""

    number: str
    kind: RelationKind


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a carrier tells besides the status. None = not told, which is not the same as zero.

    Sums are integers of the minor unit of `currency`; weights grams; times aware UTC.
    money            the money line as this answer tells it
    cod_expected     what the consignee has to pay for the goods
    cod_collected    what he has paid; cod_paid_out: what the shipper got
    hidden           True where the carrier hid private fields and sums from us
    paid_storage_from  first moment of paid storage
    made_at          when the waybill was made: tells a number that was given out again; since SDK 1.1
    """

    money: MoneyStatus | None = None
    currency: str = "UAH"
    cod_expected: int | None = None
    cod_collected: int | None = None
    cod_paid_out: int | None = None
    delivery_cost: int | None = None
    declared_value: int | None = None
    estimated_at: datetime | None = None
    arrived_at: datetime | None = None
    received_at: datetime | None = None
    paid_storage_from: datetime | None = None
    return_date: date | None = None
    weight_g: int | None = None
    seats: int | None = None
    city_from: str | None = None
    city_to: str | None = None
    branch: str | None = None
    order_reference: str | None = None
    attempt_reason: str | None = None
    hidden: bool | None = None
    made_at: datetime | None = None
    related: tuple[RelatedNumber, ...] = ()


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One status of one parcel, as its carrier told it.

    status       the shared word; UNKNOWN for a code that the plugin's table does not list
    raw_code     the carrier's code, as text; raw_text its words
    clock        the carrier's clock of this status (aware UTC): it alone orders observations; None where
                 the carrier has none
    happened_at  when it happened, for showing; may differ from the clock
    place        city or branch
    """

    status: Status
    raw_code: str
    raw_text: str = ""
    clock: datetime | None = None
    happened_at: datetime | None = None
    place: str = ""
    facts: Facts = field(default_factory=Facts)


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """What one call says about one number: its observations, newest or all, and the raw document.

    `document` is the carrier's own JSON or XML of this number, UTF-8, at most 64 KiB; kept when it changes.
    `fingerprint` is a text of the plugin's own, at most 100 characters, that stands for all it tells here: equal
    only where the same would be told, by the same tables. "" where a plugin makes none. Since SDK 1.2
    """

    number: str
    observations: tuple[Observation, ...]
    document: bytes = field(default=b"", repr=False)  # it names people
    fingerprint: str = ""


class Problem(StrEnum):
    """Why a number has no observation in an answer."""

    NOT_FOUND = "not_found"  # the carrier does not know it: normal for a young number, not a state
    BAD_NUMBER = "bad_number"  # refused as wrongly formed: the seller must look
    NO_NEWS = "no_news"  # asked, and left out of the answer: asked again
    UNREADABLE = "unreadable"  # there is an answer, and it makes no sense


@dataclass(frozen=True, slots=True, kw_only=True)
class NotTracked:
    """One number without an observation, with the reason."""

    number: str
    problem: Problem
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackAnswer:
    """Exactly one entry for each number that was asked, in `tracked`, in `problems` or in `unchanged`.

    unchanged  numbers of which the carrier tells just what `TrackingNumber.known` stands for: nine answers in
               ten, and a plugin need not read them further. Since SDK 1.2
    """

    tracked: tuple[Tracked, ...] = ()
    problems: tuple[NotTracked, ...] = ()
    unchanged: tuple[str, ...] = ()


class Likeness(StrEnum):
    """How much a number looks like one of this carrier's."""

    NO = "no"
    PERHAPS = "perhaps"  # other carriers have the same form
    SURE = "sure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """What a plugin makes of a typed number.

    number   as the carrier writes it (spaces removed, a lost zero restored)
    warning  one sentence for the seller where something looks mistyped; "" otherwise
    """

    likeness: Likeness
    number: str = ""
    warning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """One page of what changed.

    until  how far the list reaches: the next call begins here; None while `next_page` is set
    """

    tracked: tuple[Tracked, ...] = ()
    next_page: str = ""
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A waybill of the account's own. Sums are integers of the minor unit; None = not told.

    order_reference  the shop's own number of the order, where the waybill carries one
    phone            the consignee's, as told
    """

    number: str
    created_at: datetime | None = None
    order_reference: str = ""
    phone: str = field(default="", repr=False)
    cod_expected: int | None = None
    currency: str = "UAH"
    deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """One page of waybills."""

    documents: tuple[Document, ...] = ()
    next_page: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Money of one waybill on its way to the shipper; amounts in the minor unit.

    paid_out_at  None while it is still under way
    """

    number: str
    amount: int
    currency: str = "UAH"
    paid_out_at: datetime | None = None
    transfer_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfers:
    """One page of money transfers."""

    transfers: tuple[Transfer, ...] = ()
    next_page: str = ""
