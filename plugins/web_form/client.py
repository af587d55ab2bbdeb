"""Cloudflare Turnstile: was this form filled in by a person? The one thing here that asks somebody else.

    POST <base>/turnstile/v0/siteverify  secret, response, remoteip, idempotency_key
    200  {"success": true} or {"success": false, "error-codes": [...]}

A token is good once and for five minutes. `idempotency_key` is derived from the token, so that a repeat of the same
post (a double click, an answer that was lost) is told the same again instead of `timeout-or-duplicate`. It is asked
without a token too: that tells a robot that sends none from a Cloudflare that hands out none, because it is down.
From public descriptions and clients' code, read 2026-11-25; not tried live.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from typing import Final

import orjson

from hub.sdk import (
    AuthenticationFailed,
    DeliveryRejected,
    HttpClient,
    PluginError,
    RawDelivery,
    TemporaryFailure,
)

FIELD = "cf-turnstile-response"
PASSED = "turnstile:passed"
PATH = "/turnstile/v0/siteverify"
MAX_TOKEN = 2_048
RETRY_AFTER_S = 20
_NAMESPACE: Final = uuid.UUID("6f1e0bb5-6c2f-4d3c-9d53-5b1f0a2f7c11")
_OF_THE_VISITOR: Final = frozenset(
    {"missing-input-response", "invalid-input-response", "timeout-or-duplicate"}
)
_OF_THE_SECRET: Final = frozenset({"missing-input-secret", "invalid-input-secret"})
# Bounded: looked for in a slice of fixed length, one way to match.
_IN_BODY: Final = re.compile(rb'"?(?:\r?\n\r?\n|\s{0,4}[:=]\s{0,4}"?)([A-Za-z0-9._\-]{1,2048})')


class Turnstile:
    """Asks for one account."""

    def __init__(self, http: HttpClient, base_url: str, secret: str, timeout_s: float) -> None:
        self._http = http
        self._address = base_url.rstrip("/") + PATH
        self._secret = secret
        self._timeout_s = timeout_s

    async def ask(self, raw: RawDelivery) -> str:
        """PASSED for a person. Raises DeliveryRejected 403 `captcha`, or TemporaryFailure: nobody can tell."""
        try:
            codes = await self._codes(token_of(raw), raw.address)
        except PluginError as error:
            raise TemporaryFailure("Turnstile does not answer", retry_after_s=RETRY_AFTER_S) from error
        if not codes:
            return PASSED
        if codes & _OF_THE_VISITOR:
            raise DeliveryRejected(
                "captcha", "the check for robots was not passed: try once more", status=403
            )
        raise TemporaryFailure("Turnstile did not check this form", retry_after_s=RETRY_AFTER_S)

    async def check(self) -> str:
        """Is the secret taken? Raises AuthenticationFailed, TemporaryFailure."""
        codes = await self._codes("", "")
        if codes & _OF_THE_SECRET:
            raise AuthenticationFailed(
                "Turnstile does not take turnstile_secret: copy it from Cloudflare anew"
            )
        return "Turnstile answers and takes the secret"

    async def _codes(self, token: str, address: str) -> frozenset[str]:
        """Why it was not passed; empty where it was. Raises AuthenticationFailed, TemporaryFailure, Throttled."""
        asked = {"secret": self._secret, "response": token}
        if address:
            asked["remoteip"] = address
        if token:
            asked["idempotency_key"] = str(uuid.uuid5(_NAMESPACE, token))
        try:
            async with asyncio.timeout(self._timeout_s):
                reply = await self._http.request("POST", self._address, data=asked, limit_bytes=64 * 1024)
        except TimeoutError:
            raise TemporaryFailure("Turnstile does not answer in time") from None
        if reply.status in {401, 403}:
            raise AuthenticationFailed("Turnstile refuses this account")
        try:
            said = orjson.loads(reply.body)
        except orjson.JSONDecodeError:
            raise TemporaryFailure("Turnstile's answer cannot be read") from None
        if not isinstance(said, dict) or said.get("success") is not True:
            codes = said.get("error-codes") if isinstance(said, dict) else None
            return (
                frozenset(str(code) for code in codes)
                if isinstance(codes, list) and codes
                else frozenset({"?"})
            )
        return frozenset()


def token_of(raw: RawDelivery) -> str:
    """The visitor's token: the header of our script, else the field that Turnstile puts into a form; "" for none."""
    told = raw.headers.get(FIELD, "")
    if told:
        return told[:MAX_TOKEN]
    at = raw.body.rfind(FIELD.encode())
    if at < 0:
        return ""
    found = _IN_BODY.match(raw.body[at + len(FIELD) : at + len(FIELD) + MAX_TOKEN + 20])
    return found.group(1).decode() if found else ""
