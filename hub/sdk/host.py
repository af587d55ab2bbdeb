"""What the hub lends to a plugin object: an HTTP client, a small store, a clock. Nothing else."""

from __future__ import annotations

from typing import Protocol

from hub.sdk.http import HttpClient
from hub.sdk.store import AccountStore


class HostClock(Protocol):
    """The hub's clock: milliseconds since 1970, UTC."""

    def now(self) -> int: ...


class Host(Protocol):
    """Handed to `create`; each account has its own."""

    @property
    def http(self) -> HttpClient: ...

    @property
    def store(self) -> AccountStore: ...

    @property
    def clock(self) -> HostClock: ...

    def key(self, purpose: str) -> bytes | None:
        """32 secret bytes of this account and purpose, to sign what the plugin hands out and gets back.

        The same in every process, for as long as the hub's secret key stays; None where the hub has none.
        Since SDK 1.1.
        """
        ...
