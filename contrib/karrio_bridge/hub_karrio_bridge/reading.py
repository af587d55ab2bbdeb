"""karrio's tracking details to the hub's values. Pure, and suspicious: karrio's connectors differ in care.

karrio takes an unlisted code of a carrier for "in transit", so its own word for the status is not believed where
it says so without a code: the code that the event carries decides, and only the words below are mapped. Times come
with a zone, without one (local to the place), or split into date and time: only a zone makes a clock.
source  karrio.core.models of karrio 2026.1.32, read 2026-11-25.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from hub.sdk import Facts, NotTracked, Observation, Problem, Status, Tracked
from hub.sdk.reading import raw_document, told_text

STATUSES: dict[str, Status] = {
    "pending": Status.CREATED,
    "picked_up": Status.ACCEPTED,
    "ready_for_pickup": Status.ARRIVED,
    "out_for_delivery": Status.OUT_FOR_DELIVERY,
    "delivery_failed": Status.DELIVERY_ATTEMPTED,
    "delivered": Status.DELIVERED,
    "return_to_sender": Status.RETURNING,
    "cancelled": Status.CANCELLED,
    "on_hold": Status.IN_TRANSIT,
    "delivery_delayed": Status.IN_TRANSIT,
}
"""karrio's TrackingStatus. "in_transit" and "unknown" are left out on purpose: karrio guesses the first."""

CODE_WORDS: dict[str, Status] = {
    "pre-transit": Status.CREATED,
    "transit": Status.IN_TRANSIT,
    "delivered": Status.DELIVERED,
    "failure": Status.EXCEPTION,
    "unknown": Status.UNKNOWN,
}
"""Codes that are words: DHL's statusCode. They go before karrio's status, which follows DHL's free text."""

MAX_EVENTS = 200


def observe(details: Any) -> tuple[Observation, ...]:
    """Observations, oldest first; karrio lists events newest first, in an order nobody guarantees."""
    estimated = clock_of(None, None, _get(details, "estimated_delivery"))
    facts = Facts(estimated_at=estimated)
    overall = told_text(_get(details, "status"), 40).casefold()
    events = _get(details, "events")
    events = list(events) if isinstance(events, Sequence) and not isinstance(events, str | bytes) else []
    seen = [_observation(event, facts) for event in events[:MAX_EVENTS]]
    seen.reverse()
    seen.sort(key=lambda one: (one.clock is not None, str(one.clock or "")))
    if (
        seen
        and seen[-1].status is Status.UNKNOWN
        and overall in STATUSES
        and seen[-1].raw_code.casefold() not in CODE_WORDS
    ):
        last = seen[-1]
        seen[-1] = Observation(
            status=STATUSES[overall],
            raw_code=last.raw_code,
            raw_text=last.raw_text,
            clock=last.clock,
            happened_at=last.happened_at,
            place=last.place,
            facts=facts,
        )
    if not seen and overall:
        seen = [Observation(status=STATUSES.get(overall, Status.UNKNOWN), raw_code=overall, facts=facts)]
    return tuple(seen)


def _observation(event: Any, facts: Facts) -> Observation:
    word = told_text(_get(event, "status"), 40).casefold()
    code = told_text(_get(event, "code"), 40)
    at = clock_of(_get(event, "date"), _get(event, "time"), _get(event, "timestamp"))
    return Observation(
        status=CODE_WORDS.get(code.casefold()) or STATUSES.get(word, Status.UNKNOWN),
        raw_code=code or word or "event",
        raw_text=told_text(_get(event, "description"), 500),
        clock=at,
        happened_at=at,
        place=told_text(_get(event, "location"), 100),
        facts=facts,
    )


def clock_of(date: Any, time: Any, timestamp: Any) -> datetime | None:
    """Aware UTC where a zone is told; None for a wall clock somewhere in the world, and for what is no time."""
    for text in (told_text(timestamp, 40), f"{told_text(date, 20)}T{told_text(time, 20)}"):
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            continue
        if at.tzinfo is not None and 2000 <= at.year < 2200:
            return at.astimezone(UTC)
    return None


def entry(number: str, details: Any) -> Tracked | NotTracked:
    """What karrio says about one number."""
    observations = observe(details)
    if not observations:
        return NotTracked(number=number, problem=Problem.NOT_FOUND)
    kept = {"status": told_text(_get(details, "status"), 40), "events": [_plain(e) for e in observations]}
    return Tracked(number=number, observations=observations, document=raw_document(kept))


def _plain(seen: Observation) -> Mapping[str, str]:
    return {"code": seen.raw_code, "text": seen.raw_text, "at": str(seen.clock or ""), "place": seen.place}


def _get(told: Any, key: str) -> Any:
    return told.get(key) if isinstance(told, Mapping) else getattr(told, key, None)
