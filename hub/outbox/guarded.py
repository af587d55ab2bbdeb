"""Calls to addresses that people typed in: guarded against reaching into our own network, and bounded.

What is public, `hub.sdk.public` says, for this and for what plugins call. The guard looks at what a name resolves
to, and the connection goes to exactly those addresses: a name that answers differently a moment later gains
nothing. Redirects are not followed. Proxies of the environment are not used.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson
import structlog

from hub.db.database import Database
from hub.db.rows import OutboxRow
from hub.kernel.errors import NotFound
from hub.kernel.sealing import SecretKey, SecretKeyMissing, SecretKeyWrong
from hub.outbox import webhooks
from hub.sdk.http import retry_after_s
from hub.sdk.messages import Later, Refused, SendResult, Sent
from hub.sdk.public import is_public

if TYPE_CHECKING:
    import aiohttp

log = structlog.get_logger("hub.webhooks")

TIMEOUT_S = 10.0
MAX_READ = 64 * 1024
UNSIGNED = (
    "the secret of this web hook cannot be opened: put the old secret key back, or give it a new secret"
)
PUBLIC_ONLY = "the address leads into a private network: see [web] webhooks_private"


class NotPublic(OSError):
    """The address leads into a private, loopback or link-local network."""


class Guard:
    """Opens connections only to addresses that may be called. `private`: all of them may."""

    def __init__(self, *, private: bool) -> None:
        self._private = private

    async def resolve(self, host: str, port: int) -> list[dict[str, Any]]:
        """Addresses of a host in aiohttp's form. Raises NotPublic if any of them is not allowed."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        if not self._private and not all(is_public(str(one[4][0])) for one in found):
            raise NotPublic
        return [
            {
                "hostname": host, "host": one[4][0], "port": port, "family": one[0], "proto": one[2],
                "flags": socket.AI_NUMERICHOST,
            }
            for one in found
        ]  # fmt: skip

    def session(self) -> aiohttp.ClientSession:
        """A client that asks this guard before each connection."""
        import aiohttp  # noqa: PLC0415 - only where a hook is called
        from aiohttp.abc import AbstractResolver  # noqa: PLC0415

        guard = self

        class Resolver(AbstractResolver):
            async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[Any]:
                del family
                return await guard.resolve(host, port)

            async def close(self) -> None:
                """Nothing is held."""

        connector = aiohttp.TCPConnector(resolver=Resolver(), use_dns_cache=False)
        return aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S, connect=5.0),
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    def check_literal(self, url: str) -> None:
        """An address without a name is not resolved by the client. Raises NotPublic."""
        host = urlsplit(url).hostname or ""
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return
        if not self._private and not is_public(host):
            raise NotPublic


class WebhookSink:
    """The outbox lane `webhook`: 2xx is delivered, 410 and other 4xx are refused, the rest is tried again."""

    def __init__(self, db: Database, *, private: bool = False, key: SecretKey | None = None) -> None:
        self._db = db
        self._key = key
        self._guard = Guard(private=private)

    async def send(self, rows: Sequence[OutboxRow]) -> SendResult:
        """One call; the runner hands this lane one row at a time."""
        row = rows[0]
        told = orjson.loads(row.payload)
        hook_id = int(told["webhook_id"])
        try:
            hook = await self._db.read(lambda conn: webhooks.get(conn, hook_id))
        except NotFound:
            return Refused("the web hook was taken away")
        if not hook.active:
            return Refused("the web hook is switched off")
        try:
            secret = webhooks.secret_of(hook, self._key)
        except (SecretKeyMissing, SecretKeyWrong):
            result: SendResult = Refused(UNSIGNED)
        else:
            result = await self._call(hook.url, secret, row, told["body"].encode())
        error = None if isinstance(result, Sent) else getattr(result, "reason", "") or "no success"
        await self._db.write(lambda tx: webhooks.settled(tx, hook_id, error))
        return result

    async def _call(self, url: str, secret: str, row: OutboxRow, body: bytes) -> SendResult:
        import aiohttp  # noqa: PLC0415 - see `Guard.session`

        timestamp = int(time.time())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "hub-webhooks",
            "Hub-Event": row.kind,
            "Hub-Event-Id": str(row.id),
            "Hub-Timestamp": str(timestamp),
            "Hub-Signature": webhooks.sign(secret, timestamp, str(row.id), body),
        }
        try:
            self._guard.check_literal(url)
            async with (
                self._guard.session() as session,
                session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                await answer.content.read(MAX_READ)
                return _result(answer.status, answer.headers.get("Retry-After"))
        except NotPublic:
            return Refused(PUBLIC_ONLY)
        except aiohttp.ClientConnectorError as error:
            return Refused(PUBLIC_ONLY) if isinstance(error.os_error, NotPublic) else Later()
        except (aiohttp.InvalidURL, ValueError):
            return Refused("this address cannot be called")
        except (aiohttp.ClientError, TimeoutError, OSError):
            return Later()


def _result(status: int, retry_after: str | None) -> SendResult:
    if 200 <= status < 300:
        return Sent()
    if status in {408, 409, 425, 429} or status >= 500:
        return Later(seconds=retry_after_s(retry_after) or 0)
    return Refused(f"HTTP {status}")
