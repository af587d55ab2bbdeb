"""Details of one receipt to an observation. Pure.

Casing and spelling of keys change from version to version (`CodCost` and `codCost`, `Recepient...`): keys are
compared without case. The answer has no time of its status, so an observation has no clock: the hub orders the
statuses of a receipt by when it first saw them.
source  two client libraries, the carrier's API document as quoted in one, a sample of 2014. Read 2026-11-22.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub.sdk import (
    AnswerUnreadable,
    Facts,
    MoneyStatus,
    NotTracked,
    Observation,
    Problem,
    Status,
    Tracked,
)
from hub.sdk.reading import raw_document, read_json, told_minor, told_text, told_time
from plugins.delivery.numbers import wire_number
from plugins.delivery.statuses import STATUSES

ZONE = "Europe/Kyiv"
ISSUED_IN_PART = "1"
NOBODY_PAYS = frozenset({"3", "4"})
"""Disposed of, sold: nobody collects it any more."""

CURRENCIES = {"100000000": "UAH", "100000001": "RUB"}
"""Numbers of the carrier. An unlisted one is taken for hryvnia, in which nearly all receipts are."""

MAX_KG = 100_000
PRIVATE = frozenset({"senderphone", "receiverphone"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """{"status": bool, "message": str, "data": ...}; `data` with its keys in lower case."""

    good: bool
    data: Mapping[str, Any] | None


def read_envelope(body: bytes) -> Envelope:
    """Read an answer's bytes. Raises AnswerUnreadable where they are no envelope of this API."""
    answer = read_json(body)
    told = _lower(answer) if isinstance(answer, dict) else {}
    if "status" not in told or not isinstance(told["status"], bool):
        raise AnswerUnreadable("the answer is JSON, but no envelope of this API")
    data = told.get("data")
    if isinstance(data, list):
        data = next((one for one in data if isinstance(one, dict)), None)
    return Envelope(good=told["status"], data=_lower(data) if isinstance(data, dict) else None)


def is_envelope(body: bytes) -> bool:
    """Is it one, whatever it says?"""
    try:
        read_envelope(body)
    except AnswerUnreadable:
        return False
    return True


def read_receipt(number: str, body: bytes) -> Tracked | NotTracked:
    """One answer of GetReceiptDetails. What "not found" looks like is not known: no data is taken for it."""
    envelope = read_envelope(body)
    data = envelope.data
    if not envelope.good or data is None:
        return NotTracked(number=number, problem=Problem.NOT_FOUND)
    told = told_text(data.get("number"), 40)
    if told and _padded(told) != wire_number(number):
        return NotTracked(
            number=number, problem=Problem.NO_NEWS, message="the answer is about another receipt"
        )
    code = told_text(data.get("status"), 20)  # 0 is "issued": never tested for truth
    if not code:
        return NotTracked(number=number, problem=Problem.UNREADABLE, message="a receipt without a status")
    return Tracked(
        number=number, observations=(observe(data, code),), document=raw_document(_without_people(data))
    )


def observe(data: Mapping[str, Any], code: str) -> Observation:
    """A receipt as an observation. A code outside the table is UNKNOWN, with code and text kept."""
    status = STATUSES.get(code, Status.UNKNOWN)
    cod = told_minor(data.get("codcost"))
    facts = Facts(
        money=money_status(code, status, cod),
        currency=CURRENCIES.get(told_text(data.get("codcurrency") or data.get("currency"), 20), "UAH"),
        cod_expected=cod,
        delivery_cost=told_minor(data.get("totalcost")),
        declared_value=told_minor(data.get("insurancevalue")),
        estimated_at=told_time(data.get("datearrivalexpress"), ZONE)
        or told_time(data.get("receivedate"), ZONE),
        weight_g=_grams(data.get("weight")),
        seats=_count(data.get("sites")),
        city_from=told_text(data.get("citysendname"), 100) or None,
        city_to=told_text(data.get("cityreceivename"), 100) or None,
        branch=_warehouse(data),
        attempt_reason="issued in part: some places are still in the warehouse"
        if code == ISSUED_IN_PART
        else None,
    )
    return Observation(
        status=status,
        raw_code=code,
        raw_text=told_text(data.get("statusesdecoding"), 500),
        place=(facts.branch or facts.city_to or "") if status in {Status.ARRIVED, Status.DELIVERED} else "",
        facts=facts,
    )


def money_status(code: str, status: Status, cod: int | None) -> MoneyStatus | None:
    """The money line as the receipt tells it; None = not told.

    SafetyDealMoneyStatus would tell the payout, and nobody knows its values: after the issue it is UNKNOWN.
    """
    if cod is None or status is Status.UNKNOWN:
        return None
    if cod == 0:
        return MoneyStatus.NONE
    if status in {Status.CANCELLED, Status.RETURNED} or code in NOBODY_PAYS:
        return MoneyStatus.NOT_COLLECTED
    return MoneyStatus.UNKNOWN if status is Status.DELIVERED else MoneyStatus.EXPECTED


def _lower(told: Mapping[str, Any]) -> dict[str, Any]:
    return {key.lower(): value for key, value in told.items()}


def _padded(number: str) -> str:
    """A number that came as an integer lost its leading zero."""
    return number.zfill(10) if number.isascii() and number.isdigit() else number


def _without_people(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key not in PRIVATE}


def _warehouse(data: Mapping[str, Any]) -> str | None:
    """The carrier writes `Recepient`; the right spelling is read too."""
    return (
        told_text(data.get("recepientwarehousename"), 200)
        or told_text(data.get("recipientwarehousename"), 200)
        or None
    )


def _grams(value: object) -> int | None:
    """Kilograms to grams; None for zero and for what is no weight."""
    told = told_minor(value)  # hundredths
    return told * 10 if told and told < MAX_KG * 100 else None


def _count(value: object) -> int | None:
    told = told_minor(value)
    return told // 100 if told and told % 100 == 0 and told < 10_000_000 else None
