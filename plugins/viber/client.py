"""All network calls of this plugin. Viber answers HTTP 200 also where it refuses: `status` tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from hub.sdk import (
    AnswerUnreadable,
    AuthenticationFailed,
    HttpClient,
    TemporaryFailure,
)
from plugins.viber.settings import ViberSettings
from plugins.viber.statuses import Status, status_of

ALWAYS_SENT = ("subscribed", "unsubscribed", "conversation_started", "message", "failed")
RECEIPTS = ("delivered", "seen")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of Viber: what its status means, its own words, and the rest."""

    code: int
    status: Status
    words: str
    told: dict[str, Any]

    def text(self, key: str) -> str:
        """A text or an integer of the answer as text; "" where it is not told."""
        value = self.told.get(key)
        if isinstance(value, str):
            return value
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def read_reply(body: bytes) -> Reply:
    """Raises AnswerUnreadable where there is no status."""
    try:
        told = orjson.loads(body)
    except ValueError:
        told = None
    code = told.get("status") if isinstance(told, dict) else None
    if not isinstance(code, int) or isinstance(code, bool):
        raise AnswerUnreadable("Viber's answer has no status")
    words = told.get("status_message")
    words = words[:300] if isinstance(words, str) else ""
    return Reply(code, status_of(code, words), words, told)


class ViberClient:
    """Calls of one bot. Errors of the connection, 429 and 5xx come from the hub's own HTTP client."""

    def __init__(self, settings: ViberSettings, http: HttpClient) -> None:
        self._http = http
        self._base = settings.base_url.rstrip("/") + "/pa/"
        self._headers = {
            "X-Viber-Auth-Token": settings.token.get_secret_value(),
            "content-type": "application/json",
        }

    async def call(self, method: str, payload: dict[str, Any]) -> Reply:
        """One call. Raises AuthenticationFailed, TemporaryFailure, Throttled or AnswerUnreadable."""
        reply = await self._http.request(
            "POST", self._base + method, content=orjson.dumps(payload), headers=self._headers
        )
        if reply.status in {401, 403}:
            raise AuthenticationFailed(
                f"Viber does not accept the token (HTTP {reply.status}): check `token`"
            )
        if reply.status != 200:
            raise TemporaryFailure(f"HTTP {reply.status}")
        return read_reply(reply.body)

    async def account(self) -> Reply:
        """The bot's own data: its name, its web hook, its subscribers."""
        return await self.call("get_account_info", {})

    async def set_webhook(self, url: str, *, receipts: bool) -> Reply:
        """Deliver here from now on; "" takes the web hook away. Viber calls the address before it answers."""
        if not url:
            return await self.call("set_webhook", {"url": ""})
        events = [*ALWAYS_SENT, *(RECEIPTS if receipts else ())]
        return await self.call("set_webhook", {"url": url, "event_types": events, "send_name": True})

    async def send(self, payload: dict[str, Any]) -> Reply:
        """One message to one person."""
        return await self.call("send_message", payload)
