"""The HTTP client that plugins use: httpx with time limits, a bound on the answer, and kinds of errors.

Errors carry no address and no body: addresses hold keys (label links, bot tokens) and bodies hold
customers. What a plugin gets instead of an exception of httpx is the kind that says what happens next:
TemporaryFailure (no connection, time-out, half a body, 5xx), Throttled (429, Retry-After honoured).
Every other status is the plugin's to read.
"""

from __future__ import annotations

import asyncio
import email.utils
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from hub.sdk.errors import AnswerUnreadable, NotReached, PermanentFailure, TemporaryFailure, Throttled
from hub.sdk.public import resolve_public

if TYPE_CHECKING:
    import httpx

MAX_ANSWER_BYTES = 8 * 1024 * 1024
MAX_RETRY_AFTER_S = 3600.0
MAX_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

# At INFO these libraries log whole addresses, and addresses hold keys.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpReply:
    """Status 100..599, the whole body, headers with names in lower case."""

    status: int
    body: bytes = field(repr=False)  # it names people
    headers: Mapping[str, str] = field(repr=False)  # they hold cookies and tokens


def retry_after_s(value: str | None) -> float | None:
    """Seconds of a Retry-After header, in either of its two forms; None where there is none."""
    if not value:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:6]), MAX_RETRY_AFTER_S)
    try:
        at = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    if at.tzinfo is None:  # "-0000": no zone is told, and HTTP knows only one
        at = at.replace(tzinfo=UTC)
    return min(max(0.0, at.timestamp() - time.time()), MAX_RETRY_AFTER_S)


class HttpClient:
    """One client per account; connections are kept open between calls.

    `timeout_s` bounds each wait for the peer, twice that the whole call: a dripping peer holds nobody.
    """

    def __init__(self, *, timeout_s: float = 20.0, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._timeout_s = timeout_s
        self._transport = transport
        self._client: httpx.AsyncClient | None = None

    def _opened(self) -> httpx.AsyncClient:
        import httpx  # noqa: PLC0415 - 0.2 s of every start, for the first call only

        if self._client is None:
            self._client = httpx.AsyncClient(
                timeout=httpx.Timeout(self._timeout_s, connect=min(5.0, self._timeout_s)),
                transport=self._transport,
                follow_redirects=False,
                trust_env=False,
            )
        return self._client

    async def get_public(self, url: str, *, limit_bytes: int = MAX_ANSWER_BYTES) -> HttpReply:
        """Fetch an address that was found in content: public addresses only, at most `limit_bytes`.

        Redirects are followed three times, each looked at anew. Raises AddressRefused (a PermanentFailure),
        PermanentFailure where it is larger, and what `request` raises. Since SDK 1.1.
        """
        for _ in range(1 + MAX_REDIRECTS):
            target = await resolve_public(url)
            reply = await self.request(
                "GET",
                target.url,
                limit_bytes=limit_bytes,
                headers={"host": target.authority},
                extensions={"sni_hostname": target.host},
            )
            location = reply.headers.get("location", "")
            if reply.status not in _REDIRECTS or not location:
                return reply
            url = urljoin(url, location)
        raise PermanentFailure("this address leads on and on")

    async def request(
        self,
        method: str,
        url: str,
        *,
        limit_bytes: int = MAX_ANSWER_BYTES,
        timeout_s: float | None = None,
        **kwargs: Any,
    ) -> HttpReply:
        """One call. Raises NotReached, TemporaryFailure, Throttled or AnswerUnreadable; never httpx's own errors.

        PermanentFailure where the call itself cannot be written: a key with characters that HTTP does not take.

        limit_bytes  a larger answer is cut off: PermanentFailure where the caller set a limit of his own (a file)
        timeout_s    another bound for this call, such as a long poll's; since SDK 1.1
        kwargs       of httpx: params, headers, content, data, json, files (multipart)
        """
        import httpx  # noqa: PLC0415 - see `_opened`

        if timeout_s is not None:
            kwargs["timeout"] = httpx.Timeout(timeout_s, connect=min(5.0, timeout_s))
        try:
            async with (
                asyncio.timeout(2 * (timeout_s or self._timeout_s)),
                self._opened().stream(method, url, **kwargs) as response,
            ):
                body = await _bounded(response, limit_bytes)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise NotReached(f"no connection: {type(error).__name__}") from None
        except (httpx.TransportError, TimeoutError) as error:
            raise TemporaryFailure(f"no answer: {type(error).__name__}") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise AnswerUnreadable(f"no readable answer: {type(error).__name__}") from None
        except UnicodeError:  # its own text would show the key
            raise PermanentFailure(
                "the call cannot be written: a key or an address holds characters that HTTP does not take"
            ) from None
        if response.status_code == 429:
            raise Throttled("HTTP 429", retry_after_s=retry_after_s(response.headers.get("retry-after")))
        if response.status_code >= 500:
            raise TemporaryFailure(
                f"HTTP {response.status_code}",
                retry_after_s=retry_after_s(response.headers.get("retry-after")),
            )
        return HttpReply(
            status=response.status_code,
            body=body,
            headers={k.lower(): v for k, v in response.headers.items()},
        )

    async def close(self) -> None:
        """Close the connections; the client may be used again."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None


async def _bounded(response: httpx.Response, limit_bytes: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.aiter_bytes():
        size += len(chunk)
        if size > limit_bytes and limit_bytes != MAX_ANSWER_BYTES:
            raise PermanentFailure(f"the answer is larger than {limit_bytes} bytes")
        if size > limit_bytes:
            raise AnswerUnreadable("the answer is larger than 8 MiB")
        chunks.append(chunk)
    return b"".join(chunks)
