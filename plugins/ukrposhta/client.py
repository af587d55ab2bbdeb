"""All network calls of this plugin: status tracking and eCom, each with its own bearer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson
from pydantic import SecretStr

from hub.sdk import (
    AnswerUnreadable,
    AuthenticationFailed,
    HttpClient,
    HttpReply,
    NumbersRejected,
    TemporaryFailure,
)
from hub.sdk.reading import read_json, told_text
from plugins.ukrposhta.settings import UkrposhtaSettings

TRACKING = "/status-tracking/0.0.1"
ECOM = "/ecom/0.0.1"
WITH_HISTORY = f"{TRACKING}/statuses/with-not-found"
LAST_ONLY = f"{TRACKING}/statuses/last/with-not-found"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotThere:
    """HTTP 404: the service does not know the number, which is an answer."""


class UkrposhtaClient:
    """Calls of one account. Errors of the connection, 429 and 5xx come from the hub's own HTTP client."""

    def __init__(self, settings: UkrposhtaSettings, http: HttpClient) -> None:
        self._base = settings.base_url.rstrip("/")
        self._tracking = settings.bearer_tracking
        self._ecom = settings.bearer_ecom
        self._token = settings.counterparty_token
        self._http = http

    @property
    def has_ecom(self) -> bool:
        """Both secrets of eCom are set."""
        return bool(self._ecom.get_secret_value() and self._token.get_secret_value())

    async def statuses(self, path: str, barcodes: Sequence[str]) -> bytes | NotThere:
        """One of the two calls that name what they do not know. Raises NumbersRejected on HTTP 400."""
        reply = await self._http.request(
            "POST",
            f"{self._base}{path}",
            params={"lang": "ua"},
            content=orjson.dumps(list(barcodes)),
            headers=_headers(self._tracking) | {"content-type": "application/json"},
        )
        return _read(reply, "bearer_tracking")

    async def shipment(self, barcode: str) -> bytes | NotThere:
        """Our own shipment as eCom knows it."""
        return await self._get_ecom(f"/shipments/barcode/{quote(barcode, safe='')}")

    async def transfer(self, barcode: str) -> bytes | NotThere:
        """The post-payment's way to the shipper."""
        return await self._get_ecom(f"/transfers/shipment-postpays/{quote(barcode, safe='')}/with-recipient")

    async def _get_ecom(self, path: str) -> bytes | NotThere:
        reply = await self._http.request(
            "GET",
            f"{self._base}{ECOM}{path}",
            params={"token": self._token.get_secret_value()},
            headers=_headers(self._ecom),
        )
        return _read(reply, "bearer_ecom or counterparty_token")


def _headers(bearer: SecretStr) -> dict[str, str]:
    return {"authorization": f"Bearer {bearer.get_secret_value()}", "accept": "application/json"}


def _read(reply: HttpReply, secret: str) -> bytes | NotThere:
    """The body of a good answer. The error's text names the setting, never what the carrier wrote."""
    if reply.status in {401, 403}:
        raise AuthenticationFailed(
            f"{secret} is not accepted (HTTP {reply.status}): the three secrets of the contract are not "
            "interchangeable, compare each with its setting"
        )
    if reply.status == 200:
        return reply.body
    code = _error_code(reply)
    if reply.status == 404 and code.startswith("UPE"):
        return NotThere()
    if reply.status == 400 and code.startswith("UPE"):
        raise NumbersRejected((), f"the carrier refuses a number ({code})")
    raise TemporaryFailure(f"HTTP {reply.status}" + (f" ({code})" if code else ""))


def _error_code(reply: HttpReply) -> str:
    """The carrier's code such as UPE02000; "" for a page of HTML, an XML error, a gateway's words."""
    try:
        told: Any = read_json(reply.body)
    except AnswerUnreadable:
        return ""
    code = told_text(told.get("code"), 20) if isinstance(told, dict) else ""
    return code if code.isascii() and code.isalnum() else ""
