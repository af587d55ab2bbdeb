"""What an account's plugin object is lent: HTTP client, store, clock, a key."""

from __future__ import annotations

from hub.accounts.secrets import AccountSecrets
from hub.kernel.clock import Clock
from hub.kernel.sealing import SecretKey
from hub.sdk.http import HttpClient


class AccountHost:
    """One account's host."""

    def __init__(self, account: str, clock: Clock, key: SecretKey | None = None) -> None:
        self.account = account
        self._http = HttpClient()
        self._store = AccountSecrets(account)
        self._clock = clock
        self._key = key

    @property
    def http(self) -> HttpClient:
        """The account's own client."""
        return self._http

    @property
    def store(self) -> AccountSecrets:
        """The account's own store."""
        return self._store

    @property
    def clock(self) -> Clock:
        """The hub's clock."""
        return self._clock

    def key(self, purpose: str) -> bytes | None:
        """The account's own key for a purpose."""
        return self._key.derived(self.account, purpose) if self._key is not None else None
