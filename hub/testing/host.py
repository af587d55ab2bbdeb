"""A host for a plugin under test: the hub's own HTTP client, a store in memory, a clock by hand."""

from __future__ import annotations

import hashlib

import httpx

from hub.kernel.clock import Instant, ManualClock
from hub.sdk import HttpClient

START = Instant(1_772_700_000_000)
"""2026-03-05T08:40:00Z, a Thursday morning."""

MAX_VALUE_BYTES = 16 * 1024


class MemoryStore:
    """The account store without a database: the same compare-and-set, gone with the object."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    async def get(self, key: str) -> str | None:
        """The present value, or None."""
        return self._values.get(key)

    async def put(self, key: str, value: str, *, expected: str | None) -> bool:
        """Write only while the present value is `expected`. Raises ValueError beyond 16 KiB."""
        if len(value.encode()) > MAX_VALUE_BYTES:
            raise ValueError("a value of the store has at most 16 KiB")
        if self._values.get(key) != expected:
            return False
        self._values[key] = value
        return True


class LoopbackHost:
    """What `create(account, settings, host)` needs, without a hub.

    transport  httpx.MockTransport for scripted answers; None speaks HTTP to whatever `base_url` names,
               such as an emulator on loopback
    """

    def __init__(
        self,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        timeout_s: float = 5.0,
        now: Instant = START,
    ) -> None:
        self.http = HttpClient(timeout_s=timeout_s, transport=transport)
        self.store = MemoryStore()
        self.clock = ManualClock(now)

    def key(self, purpose: str) -> bytes | None:
        """As a hub with a secret key: always the same bytes."""
        return hashlib.sha256(b"loopback " + purpose.encode()).digest()

    async def __aenter__(self) -> LoopbackHost:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.close()
