"""What an item of the tracking answer tells besides its status. Pure; reads only the keys it needs.

Every field may be missing or of another type: such a field is not told (None), and never costs the rest.
"" is not told, 0 is zero: that difference decides between "no cash on delivery" and "hidden from us".
Nothing here holds a name, a telephone or an address of a person.
source  fields of TrackingDocument.getStatusDocuments, documentation and samples 2016-2026. Read 2026-11-22.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import DecimalException
from typing import Any

from hub.sdk import (
    Facts,
    MoneyStatus,
    RelatedNumber,
    RelationKind,
    Status,
    parse_decimal,
    to_minor,
)
from plugins.nova_poshta.dates import kyiv_day, kyiv_time
from plugins.nova_poshta.settings import CodKind
from plugins.nova_poshta.statuses import MONEY

Item = Mapping[str, Any]

MAX_KG = 100_000
MAX_WHOLE = 10**12
_NUMERIC = frozenset({str, int, float})
_PRIVATE_SUMS = ("RedeliverySum", "AfterpaymentOnGoodsCost", "AnnouncedPrice")
_NUMBER = re.compile(r"[0-9A-Za-z-]{6,40}", re.ASCII)

_RELATIONS = {"CargoReturn": RelationKind.RETURN, "Redirecting": RelationKind.REDIRECT}
"""LastCreatedOnTheBasisDocumentType; other words were not seen."""

_RELATION_OF_STATUS = {
    "102": RelationKind.RETURN,
    "103": RelationKind.RETURN,
    "105": RelationKind.RETURN,
    "108": RelationKind.RETURN,
    "104": RelationKind.REDIRECT,
}
"""What a new number is where its type is not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cod:
    """Cash on delivery as told. Minor units; None = not told.

    money_back       RedeliverySum: the money travels as a transfer, tracking tells how far it is
    payment_control  AfterpaymentOnGoodsCost: by contract, tracking tells nothing after the receipt
    """

    money_back: int | None
    payment_control: int | None
    kind: CodKind

    @property
    def expected(self) -> int | None:
        """What the consignee has to pay; `kind` decides only where both products name a sum."""
        first, second = self.money_back, self.payment_control
        if self.kind == "payment_control":
            first, second = second, first
        if first or second:
            return first or second
        return first if second is not None else None

    @property
    def by_control(self) -> bool:
        """The sum that counts belongs to payment control."""
        return bool(self.payment_control) and (not self.money_back or self.kind == "payment_control")


def read_facts(item: Item, code: str, status: Status, *, warned: bool, cod_kind: CodKind) -> Facts:
    """All facts of one item. `warned`: the carrier said that it hides this number's private fields."""
    get = item.get
    cod = Cod(
        money_back=minor(get("RedeliverySum")),
        payment_control=minor(get("AfterpaymentOnGoodsCost")),
        kind=cod_kind,
    )
    hidden = True if warned else _is_hidden(item)
    related = related_numbers(item, code, cod)
    money = money_status(code, status, cod, hidden=bool(hidden), related=related)
    transferred = minor(get("LastAmountTransferGM")) or None
    expected = cod.expected
    paid = money is MoneyStatus.COLLECTED or money is MoneyStatus.PAID_OUT
    return Facts(
        money=money,
        cod_expected=expected,
        cod_collected=(expected or transferred) if paid else None,
        cod_paid_out=transferred if money is MoneyStatus.PAID_OUT else None,
        delivery_cost=minor(get("DocumentCost")),
        declared_value=minor(get("AnnouncedPrice")),
        estimated_at=kyiv_time(get("AdjustedDate")) or kyiv_time(get("ScheduledDeliveryDate")),
        arrived_at=kyiv_time(get("ActualDeliveryDate")),
        received_at=kyiv_time(get("RecipientDateTime")),
        paid_storage_from=kyiv_time(get("DatePayedKeeping")) or kyiv_time(get("DateFirstDayStorage")),
        return_date=kyiv_day(get("DateReturnCargo")),
        weight_g=_grams(get("CheckWeight")) or _grams(get("FactualWeight")) or _grams(get("DocumentWeight")),
        seats=_count(get("SeatsAmount")),
        city_from=text(get("CitySender"), 100),
        city_to=text(get("CityRecipient"), 100),
        branch=_branch(item),
        order_reference=text(get("ClientBarcode"), 100),
        attempt_reason=_attempt_reason(item),
        hidden=hidden,
        made_at=kyiv_time(get("DateCreated")),
        related=related,
    )


def money_status(
    code: str, status: Status, cod: Cod, *, hidden: bool, related: tuple[RelatedNumber, ...]
) -> MoneyStatus | None:
    """The money line as this item tells it; None = not told, so that what is known stays.

    Received by code 9: money back is still EXPECTED (10, 106 or 11 follow), payment control is UNKNOWN,
    because the carrier never tells its money here. A refusal alone ends nothing: the parcel may be handed out
    or redirected yet; an ordered return or a deleted waybill does. An unlisted code says nothing of money.
    """
    if code in MONEY:
        return MONEY[code]
    expected = cod.expected
    if not expected:
        return MoneyStatus.NONE if expected == 0 and not hidden else None
    if status is Status.UNKNOWN:
        return None
    if status is Status.DELIVERED:
        if cod.by_control:
            return MoneyStatus.UNKNOWN
        return MoneyStatus.COLLECTED if code == "106" else MoneyStatus.EXPECTED
    comes_back = any(other.kind is RelationKind.RETURN for other in related)
    if comes_back or status is Status.RETURNING or status is Status.CANCELLED:
        return MoneyStatus.NOT_COLLECTED
    return MoneyStatus.EXPECTED


def related_numbers(item: Item, code: str, cod: Cod) -> tuple[RelatedNumber, ...]:
    """Other waybills that carry the goods or the money on; without what cannot be told apart."""
    get = item.get
    if not (get("LastCreatedOnTheBasisNumber") or get("RedeliveryNum") or get("LightReturnNumber")):
        return ()
    found: dict[str, RelationKind] = {}
    last = _number(item.get("LastCreatedOnTheBasisNumber"))
    if last is not None:
        kind = _last_kind(last, item.get("LastCreatedOnTheBasisDocumentType"), code, cod)
        if kind is not None:
            found[last] = kind
    reverse = _number(item.get("RedeliveryNum"))
    if reverse is not None:
        # A reverse waybill without a sum brings papers back.
        found.setdefault(reverse, RelationKind.PAPERS if cod.money_back == 0 else RelationKind.MONEY)
    light = _number(item.get("LightReturnNumber"))
    if light is not None:
        found.setdefault(light, RelationKind.RETURN)
    found.pop(str(item.get("Number")), None)
    return tuple(RelatedNumber(number=number, kind=kind) for number, kind in found.items())


def _last_kind(number: str, document_type: object, code: str, cod: Cod) -> RelationKind | None:
    if "-" in number:  # a money transfer, by one client's reading
        return RelationKind.MONEY
    if isinstance(document_type, str) and document_type in _RELATIONS:
        return _RELATIONS[document_type]
    if code == "106":
        return RelationKind.PAPERS if cod.money_back == 0 else RelationKind.MONEY
    return _RELATION_OF_STATUS.get(code)


def _is_hidden(item: Item) -> bool | None:
    """All private sums are there and empty; None where the item has none of them."""
    hidden = None
    for key in _PRIVATE_SUMS:
        if key in item:
            if item[key] not in ("", None):
                return False
            hidden = True
    return hidden


def minor(value: object) -> int | None:
    """A sum in minor units from int, float or text; None for "", for what is no sum and below zero."""
    if type(value) is int and 0 <= value < MAX_WHOLE:
        return value * 100
    if value == "" or value is None or isinstance(value, bool):
        return None
    if isinstance(value, str) and value.isdecimal() and value.isascii() and len(value) <= 10:
        return int(value) * 100
    if not isinstance(value, (str, int, float)):
        return None
    amount = parse_decimal(str(value))
    if amount is None or amount < 0:
        return None
    try:
        return to_minor(amount)
    except (ValueError, DecimalException):
        return None


def text(value: object, limit: int) -> str | None:
    """A told text without outer space, at most `limit` characters; None for "" and other types."""
    if not value or not isinstance(value, str):
        return None
    return value.strip()[:limit] or None


def _grams(value: object) -> int | None:
    """Kilograms as number or text to grams; None for zero, which means "not weighed"."""
    if not value or type(value) not in _NUMERIC:
        return None
    try:
        kilograms = float(value)  # type: ignore[arg-type]  # looked at above
    except (ValueError, OverflowError):
        return None
    return round(kilograms * 1000) or None if 0 < kilograms < MAX_KG else None


def _count(value: object) -> int | None:
    if type(value) is str:
        count = int(value) if len(value) < 6 and value.isascii() and value.isdigit() else 0
    else:
        count = value if type(value) is int else 0
    return count if 0 < count < 100_000 else None


def _number(value: object) -> str | None:
    if not value:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return value if isinstance(value, str) and _NUMBER.fullmatch(value) else None


def _branch(item: Item) -> str | None:
    """The branch or locker. With delivery to the door the field may hold the person's address: left out."""
    service = item.get("ServiceType")
    if isinstance(service, str) and service.endswith("Doors"):
        return None
    return text(item.get("WarehouseRecipient"), 200)


def _attempt_reason(item: Item) -> str | None:
    told = text(item.get("UndeliveryReasonsSubtypeDescription"), 200)
    if told is not None:
        return told
    reasons = item.get("UndeliveryReasons")
    if isinstance(reasons, list):
        return text("; ".join(one for one in reasons[:5] if isinstance(one, str)), 200)
    return text(reasons, 200)
