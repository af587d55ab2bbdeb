"""Access tokens of OAuth (XOAUTH2), refreshed before a connection is made, never in the middle of one.

The present token and a rotated refresh token are kept in the account's store by compare-and-set: of several processes
one writes, the others take what it wrote. A changed setting outdates what is stored.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any

from hub.sdk import AuthenticationFailed, Host, TemporaryFailure
from plugins.email.settings import EmailSettings

KEY = "oauth"
MARGIN_MS = 120_000
_APPLICATION_SCOPE = "https://outlook.office365.com/.default"


class Tokens:
    """The tokens of one account."""

    def __init__(self, settings: EmailSettings, host: Host) -> None:
        self._settings = settings
        self._host = host
        seed = f"{settings.client_id}\n{settings.refresh_token.get_secret_value()}\n{settings.tenant}"
        self._seed = blake2b(seed.encode(), digest_size=16).hexdigest()

    async def current(self, *, refused: str = "") -> str:
        """A token good for two minutes at least; "" where a password is used. `refused`: one that did not work."""
        if not self._settings.uses_oauth:
            return ""
        stored = await self._host.store.get(KEY)
        known = self._read(stored)
        token = str(known.get("access_token", ""))
        if (
            token
            and token != refused
            and float(known.get("expires_at", 0)) > self._host.clock.now() + MARGIN_MS
        ):
            return token
        fresh = await self._refresh(str(known.get("refresh_token", "")))
        if await self._host.store.put(KEY, json.dumps({**fresh, "seed": self._seed}), expected=stored):
            return str(fresh["access_token"])
        winner = self._read(await self._host.store.get(KEY))  # another process was quicker
        return str(winner.get("access_token") or fresh["access_token"])

    def _read(self, stored: str | None) -> dict[str, Any]:
        try:
            found = json.loads(stored or "{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) and found.get("seed") == self._seed else {}

    async def _refresh(self, rotated: str) -> dict[str, Any]:
        settings = self._settings
        refresh_token = rotated or settings.refresh_token.get_secret_value()
        form = {"client_id": settings.client_id}
        if settings.client_secret.get_secret_value():
            form["client_secret"] = settings.client_secret.get_secret_value()
        if refresh_token:
            form |= {"grant_type": "refresh_token", "refresh_token": refresh_token}
        else:
            form |= {"grant_type": "client_credentials", "scope": _APPLICATION_SCOPE}
        reply = await self._host.http.request("POST", settings.token_url, data=form)
        answer = _json(reply.body)
        token, lasts = answer.get("access_token"), answer.get("expires_in", 3600)
        if reply.status == 200 and isinstance(token, str) and token:
            seconds = (
                float(lasts) if isinstance(lasts, int | float | str) and str(lasts).isdigit() else 3600.0
            )
            return {
                "access_token": token,
                "expires_at": self._host.clock.now() + seconds * 1000,
                "refresh_token": answer.get("refresh_token") or refresh_token,
            }
        if reply.status in {400, 401, 403}:
            word = answer.get("error")
            known = (
                word
                if isinstance(word, str) and word.isidentifier() and len(word) < 60
                else f"HTTP {reply.status}"
            )
            raise AuthenticationFailed(
                f"no token was given ({known}): make a new refresh_token, and check client_id and client_secret"
            )
        raise TemporaryFailure(f"no token was given: HTTP {reply.status}")


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
