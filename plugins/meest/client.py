"""All network calls of this plugin: the login, and GETs with the header `token`."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

import orjson

from hub.sdk import AuthenticationFailed, Host, HttpReply, TemporaryFailure
from plugins.meest.envelope import Envelope, is_envelope, read_envelope
from plugins.meest.login import STORE_KEY, Login, read_login, stored
from plugins.meest.settings import MeestSettings

_JSON = {"content-type": "application/json", "accept": "application/json"}


class MeestClient:
    """Calls of one account. Errors of the connection, 429 and 5xx come from the hub's own HTTP client."""

    def __init__(self, settings: MeestSettings, host: Host) -> None:
        self._settings = settings
        self._host = host
        self._base = settings.base_url.rstrip("/")
        self._logging_in = asyncio.Lock()

    async def get(self, *parts: str) -> Envelope:
        """One GET, with a new login where the token is not accepted any more. Raises AuthenticationFailed."""
        login = await self._login(refused=None)
        reply = await self._get(login, parts)
        if reply.status in {401, 403}:
            reply = await self._get(await self._login(refused=login.token), parts)
        if reply.status in {401, 403}:
            raise AuthenticationFailed(
                f"a fresh login is not accepted (HTTP {reply.status}): ask the carrier"
            )
        return _read(reply)

    async def _get(self, login: Login, parts: tuple[str, ...]) -> HttpReply:
        path = "/".join(quote(part, safe="") for part in parts)
        headers = {"token": login.token, "accept": "application/json"}
        return await self._host.http.request("GET", f"{self._base}/{path}", headers=headers)

    async def _login(self, *, refused: str | None) -> Login:
        """A good token: the store's, else a renewed one, else that of a new login."""
        async with self._logging_in:
            value = await self._host.store.get(STORE_KEY)
            known = stored(value)
            if known is not None and known.token != refused and known.good_at(self._host.clock.now()):
                return known
            renewed = await self._renewed(known) if known is not None and refused is None else None
            fresh = renewed or await self._logged_in()
            if await self._host.store.put(STORE_KEY, fresh.written(), expected=value):
                return fresh
            # Somebody else was quicker: their token, unless it is the one just refused.
            theirs = stored(await self._host.store.get(STORE_KEY))
            return theirs if theirs is not None and theirs.token != refused else fresh

    async def _renewed(self, known: Login) -> Login | None:
        """By the refresh token; None where the carrier does not take it, so that a login follows."""
        if not known.refresh_token:
            return None
        reply = await self._post("refreshToken", {"refreshToken": known.refresh_token})
        if reply.status != 200:
            return None
        envelope = read_envelope(reply.body)
        return read_login(envelope, self._host.clock.now()) if envelope.good else None

    async def _logged_in(self) -> Login:
        settings = self._settings
        reply = await self._post(
            "auth",
            {
                "username": settings.username.get_secret_value(),
                "password": settings.password.get_secret_value(),
            },
        )
        if reply.status in {401, 403}:
            raise AuthenticationFailed(
                f"the login is refused (HTTP {reply.status}): check username and password"
            )
        envelope = _read(reply)
        if not envelope.good:
            raise AuthenticationFailed("the login is refused: check username and password")
        return read_login(envelope, self._host.clock.now())

    async def _post(self, path: str, body: dict[str, Any]) -> HttpReply:
        return await self._host.http.request(
            "POST", f"{self._base}/{path}", content=orjson.dumps(body), headers=_JSON
        )


def _read(reply: HttpReply) -> Envelope:
    """The envelope, also with another status than 200: errors of this API come so."""
    if reply.status != 200 and not is_envelope(reply.body):
        raise TemporaryFailure(f"HTTP {reply.status}")
    return read_envelope(reply.body)
