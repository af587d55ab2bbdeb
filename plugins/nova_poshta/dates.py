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
def _ahead(hour: str) -> timedelta | None:
    """Kyiv's distance from UTC in an hour of its wall clock, 2026-03-05 18; the first one in the repeated hour.

    None for what is no hour, and for one of no year that a parcel can have.
    """
    try:
        at = datetime.fromisoformat(hour)
    except ValueError:
        return None
    return at.replace(tzinfo=KYIV, fold=0).utcoffset() if FIRST_YEAR <= at.year <= LAST_YEAR else None


def _iso(text: str) -> str:
    """Any of the five forms as ISO 8601; anything else becomes no date either way."""
    separator = text[2:3]
    if separator == ":":  # 11:32 04.03.2026
        return f"{text[12:16]}-{text[9:11]}-{text[6:8]}T{text[:5]}"
    if separator == "-" or separator == ".":  # noqa: PLR1714 - quicker; 04-03-2026 18:00:00, 04.03.2026
        return f"{text[6:10]}-{text[3:5]}-{text[:2]}T{text[11:19] or '00:00'}"
    return text if len(text) > 10 else f"{text}T00:00"


def kyiv_time(value: object) -> datetime | None:
    """Aware UTC of a date field in any of its forms; a day alone is its midnight in Kyiv."""
    if not value or type(value) is not str or not 10 <= len(value) <= 40:  # most fields of a parcel under way
        return None
    iso = value if len(value) == 19 and value[4] == "-" else _iso(value.strip())
    ahead = _ahead(iso[:13])
    try:
        return None if ahead is None else datetime.fromisoformat(iso + "+00:00") - ahead
    except ValueError:
        return None


def kyiv_day(value: object) -> date | None:
    """The calendar day of a date field in any of its forms."""
    at = kyiv_time(value)
    return None if at is None else at.astimezone(KYIV).date()


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
