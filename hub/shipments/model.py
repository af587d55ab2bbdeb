"""What is known about a parcel: a pure function of the SET of its observations, never an update.

    identity   hash of raw code, status clock, place, text and facts; no poll time in it
    event      the same without the facts: what a timeline shows once
    first_seen the earliest poll that brought it
    order key  (status clock, else first seen; rank; raw code; identity). Observations without a clock
               are ordered among themselves by first_seen and stand before all that have one

So any order and any repetition of the same answers gives the same state, a poorer answer never overwrites
a richer one (facts merge field by field, newest that tells anything), and a newer clock always wins. A
lower rank with a newer clock is a correction: shown, not announced. The money line is apart.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from operator import attrgetter
from typing import Any

import orjson

from hub.kernel import text
from hub.kernel.clock import DAY, Instant, instant
from hub.kernel.frozen import quick
from hub.sdk.tracking import (
    FINAL,
    RANK,
    Facts,
    MoneyStatus,
    Observation,
    RelatedNumber,
    RelationKind,
    Status,
    Transfer,
)

MONEY_GUARD = 14 * DAY
"""After delivery the money is asked about this long; then the seller is."""

TRANSFER = "money:transfer"
"""Raw code of what a carrier's list of money transfers says: facts of the money line, no step of the parcel."""

SAME_WAYBILL = 2 * DAY
"""Two moments of making that are further apart belong to two waybills with one number."""

MONEY_SETTLED = frozenset({MoneyStatus.NONE, MoneyStatus.PAID_OUT, MoneyStatus.NOT_COLLECTED})
_BEFORE_PAYOUT = frozenset({MoneyStatus.EXPECTED, MoneyStatus.COLLECTED, MoneyStatus.UNKNOWN})
NOBODY_PAYS = frozenset({Status.RETURNED, Status.CANCELLED})


@quick
@dataclass(frozen=True, slots=True)
class Seen:
    """One observation as it is kept."""

    identity: str
    event: str
    status: Status
    raw_code: str
    raw_text: str
    clock_at: int | None
    happened_at: int | None
    place: str
    facts: Mapping[str, Any]
    first_seen_at: int

    @property
    def order_key(self) -> tuple[bool, int, int, str, str]:
        """What orders observations, independent of when they were asked for."""
        at = self.first_seen_at if self.clock_at is None else self.clock_at
        return self.clock_at is not None, at, RANK[self.status], self.raw_code, self.identity


@quick
@dataclass(frozen=True, slots=True)
class State:
    """The merged state of one parcel by its own observations."""

    status: Status
    raw_code: str | None
    raw_text: str | None
    clock_at: int | None
    happened_at: int | None
    place: str | None
    money: MoneyStatus
    facts: Mapping[str, Any]
    corrected: bool
    unlisted: bool = False  # the newest code stands in no table


def seen_of(observation: Observation, now: Instant) -> Seen:
    """An observation of a plugin, bounded, with its identity."""
    raw_text = text.one_line(observation.raw_text, 500)
    raw_code = text.one_line(observation.raw_code, text.SHORT)
    place = text.one_line(observation.place, text.NAME)
    clock_at = instant(observation.clock) if observation.clock is not None else None
    facts = pack(observation.facts)
    event = text.text_digest((raw_code, str(clock_at), place, raw_text))[:32]
    return Seen(
        text.text_digest((event, dumps(facts)))[:32],
        event,
        observation.status,
        raw_code,
        raw_text,
        clock_at,
        instant(observation.happened_at) if observation.happened_at is not None else None,
        place,
        facts,
        now,
    )


def observation_of(transfer: Transfer) -> Observation:
    """A money transfer as an observation of the money line alone."""
    paid = transfer.paid_out_at is not None
    return Observation(
        status=Status.UNKNOWN,
        raw_code=TRANSFER,
        raw_text=transfer.transfer_id,
        clock=transfer.paid_out_at,
        happened_at=transfer.paid_out_at,
        facts=Facts(
            money=MoneyStatus.PAID_OUT if paid else MoneyStatus.COLLECTED,
            currency=transfer.currency,
            cod_collected=None if paid else transfer.amount,
            cod_paid_out=transfer.amount if paid else None,
        ),
    )


def unite(known: Iterable[Seen], new: Iterable[Seen]) -> dict[str, Seen]:
    """The set of both, by identity; first_seen is the minimum."""
    found: dict[str, Seen] = {}
    for seen in (*known, *new):
        other = found.get(seen.identity)
        if other is None or _first(seen) < _first(other):
            found[seen.identity] = seen
    return found


def relearned(known: Sequence[Seen], told: Iterable[Seen]) -> tuple[list[Seen], list[Seen]]:
    """What is known, by the table of today; and what of it changed, because its code was in no table then."""
    today = {one.identity: one.status for one in told if one.status is not Status.UNKNOWN}
    learned = [
        dataclasses.replace(one, status=today[one.identity])
        for one in known
        if one.status is Status.UNKNOWN and one.identity in today
    ]
    by_identity = {one.identity: one for one in learned}
    return [by_identity.get(one.identity, one) for one in known], learned


def _first(seen: Seen) -> tuple[int, bool, int, str]:
    """Which of two tellings of one observation is kept: the earlier, else the one that tells more."""
    return seen.first_seen_at, seen.happened_at is None, seen.happened_at or 0, seen.status


def merge(observations: Iterable[Seen], *, cod: bool) -> State:
    """The state of a parcel. `cod`: our order says cash on delivery."""
    everything = sorted(observations, key=lambda s: s.order_key)
    ordered = [s for s in everything if s.raw_code != TRANSFER]
    if not ordered:
        facts = merge_facts(everything)
        money = money_of(Status.UNKNOWN, facts, cod=cod)
        return State(Status.UNKNOWN, None, None, None, None, None, money, facts, False)
    newest = ordered[-1]
    recognised = [s for s in ordered if s.status is not Status.UNKNOWN]
    telling = recognised[-1] if recognised else newest
    facts = merge_facts(everything)
    return State(
        telling.status,
        newest.raw_code,
        newest.raw_text,
        telling.clock_at,
        telling.happened_at,
        telling.place or None,
        money_of(telling.status, facts, cod=cod),
        facts,
        is_correction(recognised),
        newest.status is Status.UNKNOWN,
    )


def is_same_waybill(made_at: int | None, seen: Seen) -> bool:
    """Does this observation belong to the waybill that we follow? By when the carrier says it was made."""
    told = seen.facts.get("made_at")
    return made_at is None or told is None or abs(told - made_at) <= SAME_WAYBILL


def merge_facts(ordered: Sequence[Seen]) -> dict[str, Any]:
    """Field by field the newest that tells anything; related numbers are collected.

    The list of money transfers knows more about the money than the tracking of the parcel: it comes last.
    """
    merged: dict[str, Any] = {}
    related: dict[str, Any] = {}
    newest_by_seen = sorted(
        ordered, key=lambda s: (s.raw_code == TRANSFER, s.order_key[:3], s.first_seen_at, s.identity)
    )
    for seen in newest_by_seen:
        told = {k: v for k, v in seen.facts.items() if k != "related"}
        if merged.get("money") == MoneyStatus.PAID_OUT and told.get("money") in _BEFORE_PAYOUT:
            del told["money"]  # the shipper has it: an older step told again takes nothing back
        merged.update(told)
        related.update(dict(seen.facts.get("related", [])))
    if related:
        merged["related"] = sorted([number, kind] for number, kind in related.items())
    return merged


def money_of(status: Status, facts: Mapping[str, Any], *, cod: bool) -> MoneyStatus:
    """The money line by what the carrier tells and what our order says."""
    told = MoneyStatus(facts["money"]) if "money" in facts else None
    if told in {MoneyStatus.COLLECTED, MoneyStatus.PAID_OUT}:
        return MoneyStatus(told)
    if status in NOBODY_PAYS and (cod or told in {MoneyStatus.EXPECTED, MoneyStatus.UNKNOWN}):
        return MoneyStatus.NOT_COLLECTED
    if told is None or (told is MoneyStatus.NONE and cod and facts.get("hidden")):
        return MoneyStatus.UNKNOWN if cod else MoneyStatus.NONE
    return told


def is_correction(recognised: Sequence[Seen]) -> bool:
    """Did the newest step go back behind the one before it? Between legs of refusal that is normal."""
    steps = list({s.event: s for s in recognised}.values())
    if len(steps) < 2:
        return False
    before, newest = steps[-2], steps[-1]
    return RANK[newest.status] < RANK[before.status] and newest.clock_at is not None


def is_final(status: Status, money: MoneyStatus, since_at: int | None, now: Instant) -> bool:
    """May polling stop? A newer clock wins all the same, should one come."""
    if status not in FINAL:
        return False
    return money in MONEY_SETTLED or (since_at is not None and now - since_at >= MONEY_GUARD)


# --- parcels that hang together ------------------------------------------------------------------------


def with_children(own: Status, children: Iterable[tuple[RelationKind, Status]]) -> Status:
    """A parcel's status seen with its further legs: a return leg that arrived home makes it returned;
    a redirected one is where its new waybill is. A deleted waybill says nothing."""
    status = own
    for kind, child in sorted(children):
        if child is Status.CANCELLED:
            continue
        if kind is RelationKind.RETURN:
            if child is Status.DELIVERED:
                return Status.RETURNED
            if status not in FINAL and RANK[child] >= RANK[Status.ACCEPTED]:
                status = Status.RETURNING
        elif kind is RelationKind.REDIRECT and child is not Status.UNKNOWN and own is not Status.DELIVERED:
            status = child
    return status


# --- facts as JSON ---------------------------------------------------------------------------------------


_FACTS = tuple(field.name for field in dataclasses.fields(Facts))
_ALL_FACTS = attrgetter(*_FACTS)


def pack(facts: Facts) -> dict[str, Any]:
    """What is told, JSON-able: instants in milliseconds, dates as text; what is not told is absent."""
    packed: dict[str, Any] = {}
    for name, value in zip(_FACTS, _ALL_FACTS(facts), strict=True):
        if value is None or value == ():
            continue
        packed[name] = value if type(value) is int or type(value) is bool else _pack_value(value)
    if len(packed) == 1 and "currency" in packed:
        return {}
    return packed


def _pack_value(value: Any) -> Any:
    if isinstance(value, str):
        return text.one_line(str(value), text.SUBJECT)
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return sorted([r.number, r.kind.value] for r in value if isinstance(r, RelatedNumber))
    return value


def dumps(facts: Mapping[str, Any]) -> str:
    """Canonical JSON."""
    return orjson.dumps(facts, option=orjson.OPT_SORT_KEYS).decode()


def related_of(facts: Mapping[str, Any]) -> list[RelatedNumber]:
    """The other numbers that belong to a parcel."""
    return [RelatedNumber(number=n, kind=RelationKind(k)) for n, k in facts.get("related", [])]
