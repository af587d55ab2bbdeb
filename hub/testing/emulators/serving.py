"""What the emulators of chat services share: a port, marked answers, faults of the line."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from aiohttp import web

LineFault = Literal["http_401", "http_429", "http_500", "timeout", "half_body", "html", "lost_answer"]
"""lost_answer does what was asked and cuts the line before it answers; the rest says what it is."""

_STATUS = {"http_401": 401, "http_429": 429, "http_500": 500}
RETRY_AFTER_S = 7


class Port:
    """A listening application; hanging calls are let go when it closes."""

    def __init__(self) -> None:
        self._runner: web.AppRunner | None = None
        self.closing = asyncio.Event()

    async def open(self, app: web.Application, host: str, port: int) -> str:
        """Listen; returns http://host:port. Port 0 takes a free one."""
        self.closing.clear()
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        return f"http://{host}:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        """Close the port."""
        self.closing.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def hang(self, seconds: float) -> None:
        """Keep a caller waiting, until the port closes at the latest."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.closing.wait(), seconds)


def marker(name: str) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """For `on_response_prepare`: every answer says that it is emulated."""

    async def mark(_: web.Request, response: web.StreamResponse) -> None:
        response.headers["X-Emulator"] = name

    return mark


async def faulty(
    request: web.Request, fault: LineFault, port: Port, hang_s: float, answer: dict[str, Any]
) -> web.StreamResponse:
    """The answer of a call whose line fails."""
    if fault in _STATUS:
        status = _STATUS[fault]
        headers = {"Retry-After": str(RETRY_AFTER_S)} if status == 429 else {}
        return web.Response(status=status, text="emulated fault", headers=headers)
    if fault == "html":
        page = "<!DOCTYPE html><html><body>Bad gateway</body></html>"
        return web.Response(text=page, content_type="text/html")
    if fault == "timeout":
        await port.hang(hang_s)
    body = json.dumps(answer, ensure_ascii=False).encode()
    return await _cut(request, body, sent=len(body) // 2 if fault == "half_body" else 0)


async def _cut(request: web.Request, body: bytes, *, sent: int) -> web.StreamResponse:
    """Announce the whole body, send a part of it or nothing at all, cut the line."""
    if not sent:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[:sent])
    if request.transport is not None:
        request.transport.close()
    return response
