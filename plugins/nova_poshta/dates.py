"""Kyiv wall-clock times of Nova Poshta to aware UTC.

The carrier writes five forms, one field each, and has changed forms over the years; they are told apart
by where their separators stand, so a field that changes its form goes on being read:

    2026-03-04 11:32:17    04-03-2026 18:00:00    04.03.2026 11:32:17    11:32 04.03.2026    2026-03-12

What is empty, zero ("0001-01-01 00:00:00") or no date at all is None: a date never costs a status.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

FIRST_YEAR, LAST_YEAR = 2000, 2199
"""Outside of them a date is a placeholder (0001-01-01, 9999-12-31)."""


def _kyiv() -> ZoneInfo:
    try:
        return ZoneInfo("Europe/Kyiv")
    except ZoneInfoNotFoundError:  # zone tables older than 2022
        return ZoneInfo("Europe/Kiev")


KYIV = _kyiv()


@lru_cache(maxsize=4096)
def _offset(year: int, month: int, day: int, hour: int) -> timedelta:
    """Kyiv's distance from UTC in this hour of its wall clock; the first one in the repeated hour."""
    return datetime(year, month, day, hour, tzinfo=KYIV, fold=0).utcoffset() or timedelta(0)


def _iso(text: str) -> str:
    """Any of the five forms as ISO 8601, as if it were UTC; anything else becomes no date either way."""
    separator = text[2:3]
    if separator == ":":  # 11:32 04.03.2026
        return f"{text[12:16]}-{text[9:11]}-{text[6:8]}T{text[:5]}+00:00"
    if separator in {"-", "."}:  # 04-03-2026 18:00:00, 04.03.2026
        return f"{text[6:10]}-{text[3:5]}-{text[:2]}T{text[11:19] or '00:00'}+00:00"
    return f"{text}+00:00" if len(text) > 10 else f"{text}T00:00+00:00"


def _wall_clock(value: object) -> datetime | None:
    """What the clock in Kyiv shows, with UTC as its zone for want of a better one; None for no date."""
    if not isinstance(value, str) or not 10 <= len(value) <= 40:
        return None
    try:
        at = datetime.fromisoformat(_iso(value.strip()))
    except ValueError:
        return None
    return at if FIRST_YEAR <= at.year <= LAST_YEAR else None


def kyiv_time(value: object) -> datetime | None:
    """Aware UTC of a date field in any of its forms; a day alone is its midnight in Kyiv."""
    if not value:  # most fields of a parcel that is under way
        return None
    at = _wall_clock(value)
    return None if at is None else at - _offset(at.year, at.month, at.day, at.hour)


def kyiv_day(value: object) -> date | None:
    """The calendar day of a date field in any of its forms."""
    at = _wall_clock(value)
    return None if at is None else at.date()


def kyiv_now(now_ms: int) -> datetime:
    """The moment on Kyiv's wall clock. `now_ms`: milliseconds since 1970, UTC."""
    return datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(KYIV)


def wire_day(at: date) -> str:
    """A day as questions have it: 05.03.2026."""
    return f"{at:%d.%m.%Y}"


def wire_time(at: datetime) -> str:
    """A moment as questions have it, on Kyiv's wall clock: 05.03.2026 10:40:00."""
    return f"{at.astimezone(KYIV):%d.%m.%Y %H:%M:%S}"


def seconds_to_midnight(now_ms: int) -> float:
    """Seconds until the next day begins in Kyiv. `now_ms`: milliseconds since 1970, UTC."""
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    tomorrow = now.astimezone(KYIV).date() + timedelta(days=1)
    midnight = datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=KYIV).astimezone(UTC)
    return (midnight - now).total_seconds()
