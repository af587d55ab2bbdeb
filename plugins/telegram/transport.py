"""The network below python-telegram-bot's `Bot`: bounded, silent, and honest about what has left.

Differences from the library's own request class:

* addresses hold the token, so no error and no log line has one, and no payload is ever logged;
* the answer is read in pieces up to a limit;
* a request that never left (no connection) is told from one that may have been taken;
* the answer's `result` is kept as it came, for the library cannot read every real update or message
  (`ANSWER`), and what is fetched by getUpdates is not handed to it at all;
* a client whose connections are stuck is thrown away: after any failure the next call opens a new one.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
from typing import Any

import httpx
from telegram._utils.types import ODVInput  # the type of the method that is overridden stands nowhere else
from telegram.error import TelegramError
from telegram.request import BaseRequest, RequestData

# At DEBUG the library logs parameters, and parameters are customers' words.
logging.getLogger("telegram").setLevel(logging.WARNING)

CONNECT_S = 5.0
READ_S = 20.0
WRITE_S = 60.0
MAX_ANSWER = 8 * 1024 * 1024

ANSWER: contextvars.ContextVar[Any] = contextvars.ContextVar("answer")
"""`result` of the last successful call of this task."""

_NO_UPDATES = b'{"ok":true,"result":[]}'


class Refusal(TelegramError):
    """Telegram answered, and the answer is no.

    code           the HTTP status: 400, 401, 403, 404, 409, 413, 429, 5xx
    retry_after_s  how long the bot must keep quiet, where Telegram says so
    migrated_to    the chat's new id, where a group became a supergroup
    """

    __slots__ = ("code", "migrated_to", "retry_after_s")

    def __init__(
        self, code: int, description: str, retry_after_s: float | None = None, migrated_to: int | None = None
    ) -> None:
        super().__init__(description)
        self.message = description
        self.code = code
        self.retry_after_s = retry_after_s
        self.migrated_to = migrated_to


class NoAnswer(TelegramError):
    """The connection failed; `unsent` where it failed before anything left."""

    __slots__ = ("unsent",)

    def __init__(self, what: str, *, unsent: bool) -> None:
        super().__init__(what)
        self.unsent = unsent


class OddAnswer(TelegramError):
    """There is an answer, and it is not of the documented shape."""


class TooLarge(TelegramError):
    """The answer is larger than the limit."""


class QuietRequest(BaseRequest):
    """One connection pool of one bot. `limit_bytes` bounds what `retrieve` may bring."""

    def __init__(self, connections: int, limit_bytes: int = MAX_ANSWER) -> None:
        self._connections = connections
        self._client: httpx.AsyncClient | None = None
        self._limit_bytes = limit_bytes

    @property
    def read_timeout(self) -> float | None:
        """What the library adds to the time of a long poll."""
        return READ_S

    async def initialize(self) -> None:
        """Nothing: connections are opened by the first call."""

    async def shutdown(self) -> None:
        """Close the connections; the next call opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(
                limits=httpx.Limits(max_connections=self._connections),
                follow_redirects=False,
                trust_env=False,
            )
        return self._client

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: ODVInput[float] = BaseRequest.DEFAULT_NONE,
        write_timeout: ODVInput[float] = BaseRequest.DEFAULT_NONE,
        connect_timeout: ODVInput[float] = BaseRequest.DEFAULT_NONE,
        pool_timeout: ODVInput[float] = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        """One call. Raises Refusal, NoAnswer, OddAnswer or TooLarge; never a word of the address."""
        wait_s = float(read_timeout) if isinstance(read_timeout, int | float) else READ_S
        try:
            code, payload, retry_after = await self._exchange(url, method, request_data, wait_s)
        except TooLarge:
            raise
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            await self.shutdown()
            raise NoAnswer(type(error).__name__, unsent=True) from None
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            await self.shutdown()
            raise NoAnswer(type(error).__name__, unsent=False) from None
        if not 200 <= code <= 299:
            raise read_refusal(code, payload, retry_after)
        if method == "GET":  # a file
            return code, payload
        ANSWER.set(read_result(payload))
        return code, _NO_UPDATES if url.endswith("/getUpdates") else payload

    async def _exchange(
        self, url: str, method: str, request_data: RequestData | None, wait_s: float
    ) -> tuple[int, bytes, str]:
        files = request_data.multipart_data if request_data else None
        data = request_data.json_parameters if request_data else None
        timeout = httpx.Timeout(connect=CONNECT_S, read=wait_s, write=WRITE_S, pool=CONNECT_S)
        limit = self._limit_bytes if method == "GET" else MAX_ANSWER
        async with (
            asyncio.timeout(wait_s + WRITE_S),
            self._opened().stream(method, url, data=data, files=files or None, timeout=timeout) as response,
        ):
            body = bytearray()
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > limit:
                    raise TooLarge(f"more than {limit} bytes")
            return response.status_code, bytes(body), response.headers.get("retry-after", "")

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """As the library's own, which logs what it cannot read."""
        return {"ok": True, "result": read_result(payload)}


def read_result(payload: bytes) -> Any:
    """`result` of a successful answer. Raises OddAnswer."""
    try:
        told = json.loads(payload)
    except (ValueError, RecursionError):
        raise OddAnswer("the answer is not JSON") from None
    if not isinstance(told, dict) or told.get("ok") is not True or "result" not in told:
        raise OddAnswer("the answer has no result")
    return told["result"]


def read_refusal(code: int, payload: bytes, retry_after: str = "") -> Refusal:
    """What a failed answer says; a page of some proxy says nothing but its status (pure)."""
    try:
        told = json.loads(payload)
    except (ValueError, RecursionError):
        told = None
    told = told if isinstance(told, dict) else {}
    description, parameters = told.get("description"), told.get("parameters")
    parameters = parameters if isinstance(parameters, dict) else {}
    wait, chat = parameters.get("retry_after"), parameters.get("migrate_to_chat_id")
    if not isinstance(wait, int | float) and retry_after.isascii() and retry_after.isdigit():
        wait = int(retry_after[:6])
    return Refusal(
        code,
        description[:300] if isinstance(description, str) else "",
        float(min(wait, 3600)) if isinstance(wait, int | float) and wait > 0 else None,
        chat if isinstance(chat, int) else None,
    )
