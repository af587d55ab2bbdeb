"""Public holidays of Ukraine as data: article 73 of the Labour Code, as amended in 2023.

While martial law holds they are working days (law 2136-IX, article 6), so a weekly pattern observes them
only where it says `"holidays": "off"`.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

FIXED: dict[tuple[int, int], str] = {
    (1, 1): "New Year",
    (3, 8): "International Women's Day",
    (5, 1): "Labour Day",
    (5, 8): "Day of Remembrance and Victory",
    (6, 28): "Constitution Day",
    (7, 15): "Statehood Day",
    (8, 24): "Independence Day",
    (10, 1): "Day of Defenders",
    (12, 25): "Christmas",
}
_JULIAN_LATE = 13  # days, from 1900 to 2099
_TRINITY = timedelta(days=49)


def orthodox_easter(year: int) -> date:
    """Easter Sunday by the Julian computus (Meeus), as a Gregorian date; 1900 to 2099."""
    a, b, c = year % 4, year % 7, year % 19
    d = (19 * c + 15) % 30
    e = (2 * a + 4 * b - d + 34) % 7
    month, day = divmod(d + e + 114, 31)
    return date(year, month, day + 1) + timedelta(days=_JULIAN_LATE)


@lru_cache(maxsize=64)
def public_holidays(year: int) -> frozenset[date]:
    """All of a year."""
    easter = orthodox_easter(year)
    return frozenset({date(year, month, day) for month, day in FIXED} | {easter, easter + _TRINITY})
