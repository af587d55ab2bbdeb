"""What an account's plugin object is lent: HTTP client, store, clock."""

from __future__ import annotations

from hub.kernel.clock import Clock
from hub.sdk.http import HttpClient


class MemoryStore:
    """The account's store of one process; tokens are fetched anew after a restart."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    async def get(self, key: str) -> str | None:
        """The value, or None."""
        return self._values.get(key)

    async def put(self, key: str, value: str, *, expected: str | None) -> bool:
        """Compare and set."""
        if self._values.get(key) != expected:
            return False
        self._values[key] = value
        return True


class AccountHost:
    """One account's host."""

    def __init__(self, account: str, clock: Clock) -> None:
        self.account = account
        self._http = HttpClient()
        self._store = MemoryStore()
        self._clock = clock

    @property
    def http(self) -> HttpClient:
        """The account's own client."""
        return self._http

    @property
    def store(self) -> MemoryStore:
        """The account's own store."""
        return self._store

    @property
    def clock(self) -> Clock:
        """The hub's clock."""
        return self._clock
