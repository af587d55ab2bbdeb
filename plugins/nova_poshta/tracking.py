"""Tracking without a network: build the question, read the answer.

    question = ask(numbers, sender_phone)          what goes out, what is refused at once
    properties(question)                           methodProperties of TrackingDocument.getStatusDocuments
    read_answer(body, question, ...)               exactly one entry for each number asked, or an error

The carrier gives one state per parcel, the present one: the history grows in the hub, poll by poll. Matching
goes by `Number`, never by position; a number left out of the answer is "no news", not "not found".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from hub.sdk import (
    Facts,
    NotTracked,
    Observation,
    Problem,
    Status,
    TrackAnswer,
    Tracked,
    TrackingNumber,
)
from plugins.nova_poshta.dates import kyiv_time
from plugins.nova_poshta.envelope import Envelope, read_envelope
from plugins.nova_poshta.errors import Refusal, failure, named_numbers, reason
from plugins.nova_poshta.facts import Item, read_facts, text
from plugins.nova_poshta.numbers import wire_number
from plugins.nova_poshta.settings import CodKind
from plugins.nova_poshta.statuses import AT_COLLECTION_POINT, NOT_FOUND, RECEIVED, STATUSES

BATCH_SIZE = 100
MAX_DOCUMENT_BYTES = 64 * 1024
MAX_CODE = 20
MAX_TEXT = 500

_HIDDEN_WARNING = "30001402739"  # Please enter a valid phone number ... to show full information
_PLACE = {
    Status.CREATED: "CitySender",
    Status.ACCEPTED: "CitySender",
    Status.ARRIVED: "CityRecipient",
    Status.OUT_FOR_DELIVERY: "CityRecipient",
    Status.DELIVERY_ATTEMPTED: "CityRecipient",
    Status.REFUSED: "CityRecipient",
    Status.DELIVERED: "CityRecipient",
}
"""Where a parcel is at these statuses. On its way the city stands in the text only, and is not guessed."""

_MODULES = sha256(
    b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
).hexdigest()
"""What is told of an item depends on nothing but it and these files: after a change each parcel is read anew."""

_PLACE_OF_CODE = {code: _PLACE[status] for code, status in STATUSES.items() if status in _PLACE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked.

    phones   by number as the carrier is asked for it: 380XXXXXXXXX or ""
    aliases  (number as the hub wrote it, number as the carrier is asked for it), each written form once
    refused  entries of numbers that cannot be this carrier's: one of them would spoil the whole batch
    known    fingerprints of what the hub has, by number as the hub wrote it
    """

    phones: dict[str, str]
    aliases: tuple[tuple[str, str], ...]
    refused: tuple[NotTracked, ...]
    known: dict[str, str]


def ask(numbers: Sequence[TrackingNumber], sender_phone: str = "") -> Question:
    """Sort the numbers into those to ask and those refused at once; repeats are asked once."""
    phones: dict[str, str] = {}
    aliases: dict[str, str] = {}
    refused: dict[str, NotTracked] = {}
    known: dict[str, str] = {}
    for one in numbers:
        wire = wire_number(one.number)
        if wire is None:
            refused[one.number] = NotTracked(
                number=one.number, problem=Problem.BAD_NUMBER, message="a Nova Poshta waybill has 14 digits"
            )
            continue
        aliases[one.number] = wire
        known[one.number] = one.known
        phones[wire] = phones.get(wire) or wire_phone(one.phone) or wire_phone(sender_phone)
    return Question(
        phones=phones, aliases=tuple(aliases.items()), refused=tuple(refused.values()), known=known
    )


def wire_phone(phone: str) -> str:
    """E.164 to 380XXXXXXXXX; "" for other countries, whose form the carrier refuses with the whole batch."""
    digits = phone.removeprefix("+")
    return (
        digits if len(digits) == 12 and digits.isascii() and digits.isdigit() and digits[:3] == "380" else ""
    )


def properties(question: Question, *, with_phones: bool = True) -> dict[str, Any]:
    """methodProperties of the call."""
    return {
        "Documents": [
            {"DocumentNumber": number, "Phone": phone if with_phones else ""}
            for number, phone in question.phones.items()
        ]
    }


def read_answer(
    body: bytes, question: Question, *, now_ms: int, cod_kind: CodKind = "money_back"
) -> TrackAnswer:
    """Read one answer of the tracking call.

    body     UTF-8 JSON as received; HTTP status 200
    now_ms   milliseconds since 1970: only for the end of the carrier's day
    returns  exactly one entry per number asked; times aware, UTC; what is known word for word is not read
    raises   AnswerUnreadable where it is no envelope; what errors.py makes of a refusal

    An answer with errors and data keeps its data, whatever `success` says: numbers with an item are tracked,
    numbers called invalid are BAD_NUMBER, the rest is NO_NEWS. Only a refused key raises in any case, because
    it would go unseen for weeks. An answer with errors and no data for us raises.
    """
    envelope = read_envelope(body)
    items = _by_number(envelope, question)
    refusal = reason(envelope)
    if refusal is not None and (not items or refusal in {Refusal.KEY_EXPIRED, Refusal.KEY_REFUSED}):
        raise failure(envelope, refusal, now_ms=now_ms, culprits=_culprits(envelope, question))
    invalid = frozenset(named_numbers(envelope, question.phones))
    hidden = _hidden_numbers(envelope)
    tracked: list[Tracked] = []
    problems = list(question.refused)
    unchanged: list[str] = []
    for number, wire in question.aliases:
        item, warned = items.get(wire), wire in hidden
        code = _status_code(item.get("StatusCode")) if item is not None else None
        if item is None or code is None or code == NOT_FOUND:
            problems.append(_problem(number, item, code, invalid=wire in invalid))
            continue
        document = _document(item)
        fingerprint = _fingerprint(document, _reading(cod_kind, warned))
        if fingerprint and fingerprint == question.known[number]:
            unchanged.append(number)
            continue
        seen = read_observation(item, code, warned=warned, cod_kind=cod_kind)
        tracked.append(
            Tracked(number=number, observations=(seen,), document=document, fingerprint=fingerprint)
        )
    return TrackAnswer(tracked=tuple(tracked), problems=tuple(problems), unchanged=tuple(unchanged))


def read_observation(item: Item, code: str, *, warned: bool, cod_kind: CodKind) -> Observation:
    """One item as an observation. A code outside the table is UNKNOWN, with code and text kept."""
    status = STATUSES.get(code, Status.UNKNOWN)
    clock = kyiv_time(item.get("TrackingUpdateDate"))
    facts = read_facts(item, code, status, warned=warned, cod_kind=cod_kind)
    return Observation(
        status=status,
        raw_code=code,
        raw_text=text(item.get("Status"), MAX_TEXT) or "",
        clock=clock,
        happened_at=_own_moment(code, facts) or clock or kyiv_time(item.get("DateScan")),
        place=text(item.get(_PLACE_OF_CODE.get(code, "")), 100) or "",
        facts=facts,
    )


def _own_moment(code: str, facts: Facts) -> datetime | None:
    """Receipt and arrival have fields of their own, nearer to the event than the carrier's clock."""
    if code in RECEIVED:
        return facts.received_at
    return facts.arrived_at if code in AT_COLLECTION_POINT else None


def _problem(number: str, item: Item | None, code: str | None, *, invalid: bool) -> NotTracked:
    if item is None and invalid:
        return NotTracked(number=number, problem=Problem.BAD_NUMBER, message="the carrier calls it invalid")
    if item is None:
        return NotTracked(number=number, problem=Problem.NO_NEWS, message="left out of the answer")
    if code is None:
        return NotTracked(number=number, problem=Problem.UNREADABLE, message="an item without a status code")
    return NotTracked(number=number, problem=Problem.NOT_FOUND)


@cache
def _reading(cod_kind: CodKind, warned: bool) -> Any:
    """All besides the item that decides what is told of it: these modules and tables, a setting, a warning."""
    return sha256(f"{_MODULES} {cod_kind} {warned}".encode())


def _fingerprint(document: bytes, reading: Any) -> str:
    """ "" for an item that is too large to be kept: such a one is read each time."""
    if not document:
        return ""
    digest = reading.copy()
    digest.update(document)
    return str(digest.hexdigest()[:32])


def _status_code(value: object) -> str | None:
    """Text of the code: digits as text in answers, an integer in some; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)[:MAX_CODE]
    return text(value, MAX_CODE)


def _by_number(envelope: Envelope, question: Question) -> dict[str, dict[str, Any]]:
    """Items by the number asked. Of two items with one number the fuller one counts: no stub hides it."""
    found: dict[str, dict[str, Any]] = {}
    for item in envelope.items:
        told = item.get("Number")
        wire = wire_number(str(told)) if isinstance(told, str | int) else None
        if wire in question.phones and len(item) > len(found.get(wire, ())):
            found[wire] = item
    return found


def _hidden_numbers(envelope: Envelope) -> frozenset[str]:
    """Numbers whose private fields the carrier says to have emptied."""
    coded = _HIDDEN_WARNING in envelope.warning_codes
    return frozenset(
        key[3:]
        for key, words in envelope.warnings
        if key.startswith("ID_") and (coded or "phone" in words.casefold())
    )


def _document(item: dict[str, Any]) -> bytes:
    """The item as JSON; a swollen one without its long values, and nothing at all beyond that."""
    document = orjson.dumps(item)
    if len(document) > MAX_DOCUMENT_BYTES:
        document = orjson.dumps({key: value for key, value in item.items() if len(str(value)) <= 200})
    return document if len(document) <= MAX_DOCUMENT_BYTES else b""


def _culprits(envelope: Envelope, question: Question) -> tuple[str, ...]:
    """Numbers as the hub wrote them that a refusal names; the only one asked needs no name."""
    named = named_numbers(envelope, question.phones)
    if not named and len(question.phones) == 1:
        named = tuple(question.phones)
    return tuple(number for number, wire in question.aliases if wire in named)
