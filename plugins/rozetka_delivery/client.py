"""All network calls of this plugin: the login, and GETs with its bearer.

The token is kept in the account's store, so that all processes share it; nobody says how long it lives, so it is
used until it is refused.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping

import orjson

from hub.sdk import AnswerUnreadable, AuthenticationFailed, Host, HttpReply, TemporaryFailure
from hub.sdk.reading import told_text
from plugins.rozetka_delivery.envelope import Envelope, read_envelope
from plugins.rozetka_delivery.settings import RozetkaDeliverySettings

STORE_KEY = "token"


class RozetkaClient:
    """Calls of one account. Errors of the connection, 429 and 5xx come from the hub's own HTTP client."""

    def __init__(self, settings: RozetkaDeliverySettings, host: Host) -> None:
        self._settings = settings
        self._host = host
        self._base = settings.base_url.rstrip("/")
        self._logging_in = asyncio.Lock()

    async def get(self, path: str, params: Mapping[str, str]) -> Envelope:
        """One GET, once more after a new login where the token is refused. Raises AuthenticationFailed."""
        token = await self._token(refused=None)
        envelope = _read(await self._get(path, params, token))
        if envelope is None:
            envelope = _read(await self._get(path, params, await self._token(refused=token)))
        if envelope is None:
            raise AuthenticationFailed("a fresh login is not accepted: has this login access to the API?")
        if not envelope.good:
            raise TemporaryFailure("the seller API answers with an error")
        return envelope

    async def _get(self, path: str, params: Mapping[str, str], token: str) -> HttpReply:
        headers = {"authorization": f"Bearer {token}", "accept": "application/json"}
        return await self._host.http.request(
            "GET", f"{self._base}{path}", params=dict(params), headers=headers
        )

    async def _token(self, *, refused: str | None) -> str:
        """The store's token, else that of a new login; of two processes that log in at once one wins."""
        async with self._logging_in:
            known = await self._host.store.get(STORE_KEY)
            if known and known != refused:
                return known
            fresh = await self._logged_in()
            if await self._host.store.put(STORE_KEY, fresh, expected=known):
                return fresh
            theirs = await self._host.store.get(STORE_KEY)
            return theirs if theirs and theirs != refused else fresh

    async def _logged_in(self) -> str:
        password = self._settings.password.get_secret_value().encode()
        body = {
            "username": self._settings.username.get_secret_value(),
            "password": base64.b64encode(password).decode(),  # the API wants it so; it hides nothing
        }
        reply = await self._host.http.request(
            "POST",
            f"{self._base}/sites",
            content=orjson.dumps(body),
            headers={"content-type": "application/json", "accept": "application/json"},
        )
        if reply.status in {401, 403}:
            raise AuthenticationFailed(
                f"the login is refused (HTTP {reply.status}): check username and password"
            )
        if reply.status != 200:
            raise TemporaryFailure(f"HTTP {reply.status}")
        envelope = read_envelope(reply.body)
        if not envelope.good:
            raise AuthenticationFailed("the login is refused: check username and password")
        content = envelope.content if isinstance(envelope.content, dict) else {}
        token = told_text(content.get("access_token"), 8000)
        if not token:
            raise AnswerUnreadable("the login's answer holds no token")
        return token


def _read(reply: HttpReply) -> Envelope | None:
    """The envelope; None where the token is refused."""
    if reply.status in {401, 403}:
        return None
    if reply.status != 200:
        raise TemporaryFailure(f"HTTP {reply.status}")
    envelope = read_envelope(reply.body)
    return None if envelope.token_refused else envelope
