"""Events of OpenAPI v3 to observations, and the windows in which changes are asked for. Pure.

There is no call for a list of numbers. `changes` asks for everything of the contract: in windows of at most two
hours, and by whole days where the hub is further behind. Windows overlap, because nobody knows how late an event
may enter the list; what comes twice does no harm.
source  two client libraries (one the carrier's own), the carrier's shop plugin. Read 2026-11-22. No real answer of
        v3 was found in public: names of fields are theirs, the zone of eventDateTime is assumed to be Kyiv's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hub.sdk import Observation, Tracked
from hub.sdk.reading import local_zone, raw_document, told_text, told_time
from plugins.meest.statuses import status_of

ZONE = "Europe/Kyiv"
WINDOW = timedelta(hours=2)
OVERLAP = timedelta(minutes=15)
BEHIND = timedelta(hours=8)
"""From here on a whole day is asked for at once: one call instead of four and more."""

MAX_EVENTS = 500

Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One call: its path, and how far it reaches."""

    path: tuple[str, ...]
    until: datetime


def window(since: datetime, until: datetime) -> Window:
    """The next call of a span of aware times; each call gets further, unless the span is empty.

    A window that ends before it begins by Kyiv's clock, when that is set back in autumn, becomes its whole day.
    """
    if until - since > BEHIND:
        day = since.astimezone(_zone()).date()
        next_day = datetime(day.year, day.month, day.day, tzinfo=_zone()) + timedelta(days=1)
        return Window(path=("trackingByDate", day.isoformat()), until=min(until, next_day.astimezone(UTC)))
    begin = since - OVERLAP
    end = max(min(until, begin + WINDOW), since)
    if _wall(end) <= _wall(begin):
        return Window(path=("trackingByDate", _wall(end)[:10]), until=end)
    return Window(path=("trackingByPeriod", _wall(begin), _wall(end)), until=end)


def _zone() -> ZoneInfo:
    return local_zone(ZONE)


def _wall(at: datetime) -> str:
    return at.astimezone(_zone()).strftime("%Y-%m-%d %H:%M:%S")


def events_of(result: Any) -> tuple[Event, ...]:
    """The events of a result: a list, one object, null or ""."""
    told = result if isinstance(result, list) else [result]
    return tuple(one for one in told if isinstance(one, dict) and told_text(one.get("eventCode"), 20))


def observe(events: Sequence[Event]) -> tuple[Observation, ...]:
    """Observations, oldest first; events of one moment keep the carrier's order, those without one stand first."""
    seen = [(told_time(event.get("eventDateTime"), ZONE), event) for event in events]
    dated = [one for one in seen if one[0] is not None]
    dated.sort(key=lambda one: str(one[0]))
    ordered = [one for one in seen if one[0] is None] + dated
    return tuple(_observation(at, event) for at, event in ordered[-MAX_EVENTS:])


def _observation(at: datetime | None, event: Event) -> Observation:
    code = told_text(event.get("eventCode"), 20)
    words = _words(event.get("eventDescr"), 300)
    detail = _words(event.get("eventDetailDescr"), 190)
    return Observation(
        status=status_of(code, f"{words} {detail}"),
        raw_code=code,
        raw_text=f"{words}: {detail}" if words and detail else words or detail,
        clock=at,
        happened_at=at,
        place=_words(event.get("eventCityDescr"), 100) or _words(event.get("eventCountryDescr"), 100),
    )


def _words(told: object, limit: int) -> str:
    """Ukrainian, else English, else Russian; or the text itself where it is one."""
    if not isinstance(told, dict):
        return told_text(told, limit)
    words = (told_text(told.get(key), limit) for key in ("descrUA", "descrEN", "descrRU"))
    return next((one for one in words if one), "")


def tracked(number: str, events: Sequence[Event]) -> Tracked:
    """Everything one answer says about a number."""
    return Tracked(number=number, observations=observe(events), document=raw_document(list(events)))


def by_parcel(events: Iterable[Event]) -> tuple[Tracked, ...]:
    """Parcels of a window. Each stands here under both of its numbers: nobody knows which one a seller typed."""
    found: dict[str, list[Event]] = {}
    for event in events:
        numbers = {told_text(event.get(key), 40).upper() for key in ("parcelNumber", "barCode")} - {""}
        for number in sorted(numbers):
            found.setdefault(number, []).append(event)
    return tuple(tracked(number, told) for number, told in found.items())
