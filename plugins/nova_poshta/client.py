"""All network calls of this plugin: one POST address, the key inside the body."""

from __future__ import annotations

from typing import Any

import orjson

from hub.sdk import (
    AnswerUnreadable,
    AuthenticationFailed,
    HttpClient,
    TemporaryFailure,
)
from plugins.nova_poshta.envelope import read_envelope
from plugins.nova_poshta.errors import Refusal, reason
from plugins.nova_poshta.settings import NovaPoshtaSettings

_HEADERS = {"content-type": "application/json", "accept": "application/json"}


class NovaPoshtaClient:
    """Calls of one account. Errors of the connection, 429 and 5xx come from the hub's own HTTP client."""

    def __init__(self, settings: NovaPoshtaSettings, http: HttpClient) -> None:
        self._settings = settings
        self._http = http

    async def call(self, model: str, method: str, method_properties: dict[str, Any]) -> bytes:
        """The body of one answer, still unread: HTTP 200, or another status with the usual envelope.

        Raises AuthenticationFailed on 401 and 403, TemporaryFailure, Throttled or AnswerUnreadable.
        """
        request = {
            "apiKey": self._settings.api_key.get_secret_value(),
            "modelName": model,
            "calledMethod": method,
            "methodProperties": method_properties,
        }
        reply = await self._http.request(
            "POST", self._settings.base_url, content=orjson.dumps(request), headers=_HEADERS
        )
        if reply.status in {401, 403}:
            raise key_refused(reply.status, reply.body)
        if reply.status != 200 and not _is_envelope(reply.body):
            raise TemporaryFailure(f"HTTP {reply.status}")
        return reply.body


def key_refused(status: int, body: bytes) -> AuthenticationFailed:
    """The error of HTTP 401 and 403; the usual envelope in the body may say that the key expired (pure)."""
    refusal = reason(read_envelope(body)) if _is_envelope(body) else None
    if refusal is Refusal.KEY_EXPIRED:
        return AuthenticationFailed(
            f"the API key has expired (HTTP {status}): make a new one in the business cabinet"
        )
    return AuthenticationFailed(f"the API key is not accepted (HTTP {status}): check api_key")


def _is_envelope(body: bytes) -> bool:
    try:
        read_envelope(body)
    except AnswerUnreadable:
        return False
    return True
