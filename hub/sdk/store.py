"""A small store of an account: tokens that a provider hands out (OAuth, Meest's login)."""

from __future__ import annotations

from typing import Protocol


class AccountStore(Protocol):
    """Keys to short texts (at most 16 KiB), kept encrypted; shared by all processes of the hub."""

    async def get(self, key: str) -> str | None: ...

    async def put(self, key: str, value: str, *, expected: str | None) -> bool:
        """Compare and set: writes only while the present value is `expected` (None = absent).

        False: somebody else was quicker; read again.
        """
        ...
