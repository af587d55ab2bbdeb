"""Time enters as aware UTC. Inside, an instant is an integer: milliseconds since 1970, UTC.

The integer is what the database stores (the same on SQLite and PostgreSQL, sortable, four bytes of
JSON on the way there); people and provider formats meet it only at the edges.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import NewType, Protocol

Instant = NewType("Instant", int)
"""Milliseconds since 1970-01-01T00:00:00Z."""

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """Where the hub asks what time it is; tests hand in their own."""

    def now(self) -> Instant: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> Instant:
        return Instant(time.time_ns() // 1_000_000)


class ManualClock:
    """A clock that moves only when told to, in both directions; for tests and simulations."""

    def __init__(self, start: Instant) -> None:
        self._now = start

    def now(self) -> Instant:
        return self._now

    def move(self, milliseconds: int) -> None:
        self._now = Instant(self._now + milliseconds)


def instant(moment: datetime) -> Instant:
    """Milliseconds of an aware moment. Raises ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError("a moment without zone is not a moment")
    since = moment - _EPOCH
    return Instant((since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000)


def moment(at: int) -> datetime:
    """The aware UTC datetime of an instant."""
    return _EPOCH + timedelta(milliseconds=at)


def rfc3339(at: int) -> str:
    """`2026-11-22T21:24:55.123Z`; the milliseconds always stand."""
    return moment(at).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def parse_rfc3339(text: str) -> Instant:
    """Read a time with its zone. Raises ValueError with a sentence for people."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError("expected a time such as 2026-11-22T09:30:00Z") from error
    if at.tzinfo is None:
        raise ValueError("the time needs its zone: add Z or +02:00")
    return instant(at)
