"""Tracking without a network: sort the numbers, read the answers.

    question = ask(numbers)                   what goes out, what is refused at once
    read_statuses(body)                       events by barcode, and the barcodes that are not found
    observe(events)                           observations in the order of the carrier's clock

Steps are numbered out of time order (the specification's own sample has 3 before 2), so the date orders and the
step only breaks ties. `event` comes as text or as a number, `found` as an object or as a list.
source  status tracking specification as quoted by several clients, samples 2017-2026. Read 2026-11-22.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
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
    TrackingNumber,
)
from hub.sdk.reading import raw_document, read_json, told_minor, told_text, told_time
from plugins.ukrposhta.numbers import wire_number
from plugins.ukrposhta.statuses import LIFECYCLE, TRANSFERS, status_of

ZONE = "Europe/Kyiv"
LAST_BATCH = 100
HISTORY_BATCH = 50
MAX_CODE = 20
MAX_TEXT = 500
MAX_EVENTS = 500

Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked.

    aliases  (number as the hub wrote it, barcode as the carrier is asked for it), each written form once
    refused  entries of numbers that cannot be this carrier's
    """

    aliases: tuple[tuple[str, str], ...]
    refused: tuple[NotTracked, ...]

    @property
    def barcodes(self) -> tuple[str, ...]:
        """Each barcode once."""
        return tuple(dict.fromkeys(barcode for _, barcode in self.aliases))


@dataclass(frozen=True, slots=True, kw_only=True)
class Statuses:
    """One answer: the events of each barcode, and which ones the carrier does not know."""

    events: Mapping[str, tuple[Event, ...]]
    not_found: frozenset[str]


def ask(numbers: Sequence[TrackingNumber]) -> Question:
    """Sort the numbers into those to ask and those refused at once; repeats are asked once."""
    aliases: dict[str, str] = {}
    refused: dict[str, NotTracked] = {}
    for one in numbers:
        barcode = wire_number(one.number)
        if barcode is None:
            refused[one.number] = NotTracked(
                number=one.number,
                problem=Problem.BAD_NUMBER,
                message="a Ukrposhta barcode has 13 digits, or two letters, 9 digits and two letters",
            )
        else:
            aliases[one.number] = barcode
    return Question(aliases=tuple(aliases.items()), refused=tuple(refused.values()))


def read_statuses(body: bytes) -> Statuses:
    """Read an answer of one of the with-not-found calls. Raises AnswerUnreadable for any other shape."""
    answer = read_json(body)
    if not isinstance(answer, dict) or not {"found", "notFound"} & answer.keys():
        raise AnswerUnreadable("the answer is JSON, but has neither found nor notFound")
    events: dict[str, tuple[Event, ...]] = {}
    for barcode, told in _by_barcode(answer.get("found")):
        events[barcode] = events.get(barcode, ()) + told
    missing = answer.get("notFound")
    not_found = (told_text(one, 40) for one in missing) if isinstance(missing, list) else ()
    return Statuses(events=events, not_found=frozenset(not_found) - events.keys() - {""})


def _by_barcode(found: Any) -> Iterable[tuple[str, tuple[Event, ...]]]:
    """`found` is an object by barcode, or a plain list of events; one event may stand without its list."""
    if isinstance(found, list):
        found = {str(place): one for place, one in enumerate(found)}
    if not isinstance(found, dict):
        return
    for key, told in found.items():
        for event in told if isinstance(told, list) else [told]:
            if isinstance(event, dict) and told_text(event.get("event"), MAX_CODE):
                yield told_text(event.get("barcode"), 40) or key, (event,)


def observe(events: Sequence[Event]) -> tuple[Observation, ...]:
    """Observations, oldest first; the newest MAX_EVENTS where a parcel has more."""
    seen = [(told_time(event.get("date"), ZONE), event) for event in events]
    dated = sorted((one for one in seen if one[0] is not None), key=lambda one: (str(one[0]), _step(one[1])))
    ordered = [one for one in seen if one[0] is None] + dated
    return tuple(
        Observation(
            status=status_of(
                told_text(event.get("event"), MAX_CODE), told_text(event.get("eventReason_id"), 10)
            ),
            raw_code=told_text(event.get("event"), MAX_CODE),
            raw_text=told_text(event.get("eventName"), MAX_TEXT),
            clock=at,
            happened_at=at,
            place=_place(event),
        )
        for at, event in ordered[-MAX_EVENTS:]
    )


def _step(event: Event) -> int:
    step = event.get("step")
    return step if isinstance(step, int) else 0


def _place(event: Event) -> str:
    """The office with its post code; the country where there is no office (foreign legs)."""
    office = " ".join(
        part for part in (told_text(event.get("index"), 10), told_text(event.get("name"), 100)) if part
    )
    return office or told_text(event.get("country"), 100)


def newest_event(events: Sequence[Event]) -> tuple[str, ...]:
    """What tells one newest event from another; `step` is no part of it (nobody knows if it is stable)."""
    newest = max(events, key=lambda event: (told_text(event.get("date"), 40), _step(event)))
    return tuple(told_text(newest.get(key), 40) for key in ("event", "eventReason_id", "date", "index"))


def tracked(number: str, events: Sequence[Event]) -> Tracked:
    """Everything one answer says about a number."""
    return Tracked(number=number, observations=observe(events), document=raw_document(list(events)))


# eCom: what tracking does not tell -----------------------------------------------------------------------


def read_shipment(number: str, body: bytes) -> Tracked | None:
    """A shipment of our own that no counter has accepted yet; None where eCom tells no state of it.

    It has no clock, so that anything tracking tells later stands above it.
    """
    told = read_json(body)
    lifecycle = told.get("lifecycle") if isinstance(told, dict) else None
    code = told_text(lifecycle.get("status"), MAX_CODE) if isinstance(lifecycle, dict) else ""
    if not code:
        return None
    status = LIFECYCLE.get(code, Status.UNKNOWN)
    expected = told_minor(told.get("postPay"))
    observation = Observation(
        status=status,
        raw_code=code,
        facts=Facts(money=_expected(expected, status), cod_expected=expected),
    )
    return Tracked(
        number=number,
        observations=(observation,),
        document=raw_document({"lifecycle": lifecycle, "postPay": told.get("postPay")}),
    )


def _expected(sum_minor: int | None, status: Status) -> MoneyStatus | None:
    if sum_minor is None:
        return None
    if sum_minor == 0:
        return MoneyStatus.NONE
    if status in {Status.CANCELLED, Status.RETURNING, Status.RETURNED}:
        return MoneyStatus.NOT_COLLECTED
    return None if status is Status.DELIVERED else MoneyStatus.EXPECTED


def read_transfer(body: bytes) -> Facts | None:
    """The money of a delivered parcel; None where the answer names no transfer.

    The recipient's name in it is left out. Sums are hryvnias (one client says kopecks, three say hryvnias). What was
    expected it does not tell: the shipment does, and the difference is the carrier's fee.
    """
    told = read_json(body)
    code = told_text(told.get("lastStatus"), MAX_CODE) if isinstance(told, dict) else ""
    if not code:
        return None
    amount = told_minor(told.get("sum"))
    money = TRANSFERS.get(code)
    return Facts(
        money=money,
        cod_collected=amount if money is not None else None,
        cod_paid_out=amount if money is MoneyStatus.PAID_OUT else None,
    )


def with_money(seen: Tracked, facts: Facts) -> Tracked:
    """The newest observation with what the transfer tells."""
    return _with_facts(seen, facts)


def with_sum(seen: Tracked, shipment: Tracked) -> Tracked:
    """The newest observation with the sum of our own shipment; the transfer knows more of the money's state."""
    newest = seen.observations[-1]
    expected = shipment.observations[-1].facts.cod_expected
    money = newest.facts.money or _expected(expected, newest.status)
    return _with_facts(seen, dataclasses.replace(newest.facts, cod_expected=expected, money=money))


def _with_facts(seen: Tracked, facts: Facts) -> Tracked:
    *before, newest = seen.observations
    return dataclasses.replace(seen, observations=(*before, dataclasses.replace(newest, facts=facts)))
