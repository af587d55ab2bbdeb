"""The one network call of this plugin: details of one receipt, public."""

from __future__ import annotations

from hub.sdk import AnswerUnreadable, AuthenticationFailed, HttpClient, HttpReply, TemporaryFailure
from plugins.delivery.receipt import is_envelope
from plugins.delivery.settings import DeliverySettings

CULTURE = "uk-UA"


class DeliveryClient:
    """Errors of the connection, 429 and 5xx come from the hub's own HTTP client."""

    def __init__(self, settings: DeliverySettings, http: HttpClient) -> None:
        self._base = settings.base_url.rstrip("/")
        self._http = http

    async def receipt(self, number: str) -> bytes:
        """The body of GetReceiptDetails, still unread."""
        reply = await self._http.request(
            "GET",
            f"{self._base}/GetReceiptDetails",
            params={"culture": CULTURE, "number": number},
            headers={"accept": "application/json"},
        )
        return _read(reply)

    async def regions(self) -> bytes:
        """A small list that needs no key: is the service there?"""
        reply = await self._http.request(
            "GET", f"{self._base}/GetRegionList", params={"culture": CULTURE, "country": "1"}
        )
        return _read(reply)


def _read(reply: HttpReply) -> bytes:
    if reply.status in {401, 403}:
        raise AuthenticationFailed(
            f"the carrier refuses us (HTTP {reply.status}), although tracking is public: ask the carrier"
        )
    if reply.status != 200 and not is_envelope(reply.body):
        raise TemporaryFailure(f"HTTP {reply.status}")
    if not is_envelope(reply.body):
        raise AnswerUnreadable("the answer is no envelope of this API")
    return reply.body
