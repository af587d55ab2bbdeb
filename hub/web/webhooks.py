"""`/in/<account>`: deliveries from outside. Knows sizes and time limits, and no channel.

Scripts of other sites may read answers where the account names their origin (CORS): exactly that origin, no
wildcard, no cookies. That protects nobody from posts, since a plain form needs no permission; it lets a page of
the business know what became of what it sent.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import structlog
from aiohttp import web

from hub.accounts import store as accounts
from hub.accounts.guard import PluginMisbehaved, guarded, in_the_loop
from hub.intake.door import Door, check_answer
from hub.intake.parser import ChannelAccount
from hub.kernel.clock import moment
from hub.kernel.errors import Unavailable
from hub.sdk.channel import Channel, ChannelLimits
from hub.sdk.errors import DeliveryRejected
from hub.sdk.messages import HttpAnswer, RawDelivery
from hub.web.context import SERVICES, Services, client_address
from hub.web.problems import of_error, of_rejection, problem

log = structlog.get_logger("hub.web.webhooks")

BODY_TIMEOUT_S = 10
UPLOAD_TIMEOUT_S = 120  # files, over a telephone
UPLOAD = "multipart/form-data"
_CORS_HEADERS = "content-type, idempotency-key, cf-turnstile-response"
_CORS_KEPT_S = "3600"
MAX_HEADERS_BYTES = 16 * 1024
_PAGE = (HttpAnswer, type(None))
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def routes() -> list[web.RouteDef]:
    """Below /in."""
    return [
        web.post("/in/{account}", receive),
        web.post("/in/{account}/{tail:.*}", receive),
        web.options("/in/{account}", preflight),
        web.get("/in/{account}/{tail:.*}", page),
    ]


async def receive(request: web.Request) -> web.Response:
    """Take one delivery. 2xx only after the commit."""
    services = request.app[SERVICES]
    name = request.match_info["account"]
    account = services.door.accounts.get(name)
    if name in services.door.off:
        return problem(503, "this channel is switched off for the moment", headers={"Retry-After": "60"})
    if account is None or not account.channel.capabilities.receives:
        return problem(404, "there is no such channel account here")
    origins = account.channel.limits.origins
    if not origins:
        return await _taken(request, services, account)
    try:
        response = await _taken(request, services, account)
    except Unavailable as error:  # the page shall know that it may come again, and when
        response = of_error(error)
    return _readable(request, response, origins)


async def _taken(request: web.Request, services: Services, account: ChannelAccount) -> web.Response:
    name, limits = account.name, account.channel.limits
    body = b""
    try:
        body = await _body(request, limits, services.door, name)
        raw = _raw(request, services, name, body)
        if limits.media_types and raw.media_type not in limits.media_types:
            raise _rejected(
                services.door, name, "media_type", f"send one of {sorted(limits.media_types)}", 415
            )
        answer = await services.door.take(raw)
    except DeliveryRejected as rejected:
        return _refused(account, rejected, _raw(request, services, name, body))
    return _response(answer)


def _raw(request: web.Request, services: Services, account: str, body: bytes) -> RawDelivery:
    return RawDelivery(
        account=account,
        method=request.method,
        path=_tail(request),
        headers={key.lower(): value for key, value in request.headers.items()},
        query=dict(request.query) if request.query_string else {},
        body=body,
        address=client_address(request, services.proxies),
        received_at=moment(services.clock.now()),
    )


def _refused(account: ChannelAccount, rejected: DeliveryRejected, raw: RawDelivery) -> web.Response:
    """In the plugin's words where it has some; the status stays one of 4xx, and Retry-After stays."""
    plain = of_rejection(rejected)
    if getattr(account.channel.refusal, "__func__", None) is Channel.refusal:
        return plain
    try:
        answer = in_the_loop("refusal", account.channel.refusal, rejected, raw)
        if answer is None:
            return plain
        check_answer(answer)
        assert isinstance(answer, HttpAnswer)
    except Exception as error:  # noqa: BLE001 - the guard around a plugin
        log.error("plugin_raised", account=account.name, call="refusal", error=type(error).__name__)
        return plain
    response = _response(answer)
    if not 400 <= response.status <= 499:
        response.set_status(plain.status)
    for header, value in _PAGE_HEADERS.items():
        response.headers.setdefault(header, value)
    if "Retry-After" in plain.headers:
        response.headers["Retry-After"] = plain.headers["Retry-After"]
    return response


async def preflight(request: web.Request) -> web.Response:
    """A browser asks whether the script of another site may post here."""
    account = request.app[SERVICES].door.accounts.get(request.match_info["account"])
    origins = account.channel.limits.origins if account is not None else frozenset()
    if request.headers.get("Origin", "") not in origins:
        return problem(403, "this site may not post here by script: name its origin under allowed_origins")
    headers = {
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": _CORS_HEADERS,
        "Access-Control-Max-Age": _CORS_KEPT_S,
    }
    return _readable(request, web.Response(status=204, headers=headers), origins)


def _readable(request: web.Request, response: web.Response, origins: frozenset[str]) -> web.Response:
    """Let the script of a named origin read the answer."""
    response.headers["Vary"] = "Origin"
    origin = request.headers.get("Origin", "")
    if origin in origins:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = "Retry-After"
    return response


async def _body(request: web.Request, limits: ChannelLimits, door: Door, account: str) -> bytes:
    """The whole body within its limits of size and time; what is cut off counts as rejected."""
    limit, timeout_s = limits.max_body_bytes, BODY_TIMEOUT_S
    if limits.max_upload_bytes and request.headers.get("Content-Type", "")[:19].lower() == UPLOAD:
        limit, timeout_s = limits.max_upload_bytes, UPLOAD_TIMEOUT_S
    if (request.content_length or 0) > limit:
        raise _rejected(door, account, "too_large", f"the body may have {limit} bytes at most", 413)
    content = request.content
    if content.is_eof() and content.total_bytes <= limit:  # all of it came with the headers: the usual case
        return content.read_nowait()
    try:
        async with asyncio.timeout(timeout_s):
            body = bytearray()
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > limit:
                    raise _rejected(
                        door, account, "too_large", f"the body may have {limit} bytes at most", 413
                    )
            return bytes(body)
    except TimeoutError:
        sentence = f"the body did not come within {timeout_s} seconds"
        raise _rejected(door, account, "too_slow", sentence, 408) from None
    except (web.RequestPayloadError, ConnectionError):
        raise _rejected(door, account, "cut_off", "the body is not complete", 400) from None


def _rejected(door: Door, account: str, reason: str, message: str, status: int) -> DeliveryRejected:
    """Count it, and say it."""
    door.reject(account, reason)
    return DeliveryRejected(reason, message, status=status)


def _tail(request: web.Request) -> str:
    tail = request.match_info.get("tail")
    return f"/{tail}" if tail else ""


async def page(request: web.Request) -> web.Response:
    """A page of the channel's own, such as a hosted form."""
    services: Services = request.app[SERVICES]
    account = services.door.accounts.get(request.match_info["account"])
    if account is None or not account.channel.capabilities.has_page:
        return problem(404, "there is no such page here")
    if account.pending_only is not None:
        return problem(503, "this page is switched off for the moment", headers={"Retry-After": "60"})
    path, query, language = _tail(request), dict(request.query), services.loaded.settings.hub.language
    try:
        answer = await guarded("page", lambda: account.channel.page(path, query, language), _PAGE)
        if answer is not None:
            check_answer(answer)
    except (PluginMisbehaved, TypeError, ValueError) as error:
        await _note_page(services, account, error)
        return problem(500, "this page cannot be shown right now")
    if answer is None:
        return problem(404, "there is no such page here")
    response = _response(answer)
    for name, value in _PAGE_HEADERS.items():
        response.headers.setdefault(name, value)
    origins = account.channel.limits.origins
    return _readable(request, response, origins) if origins else response


async def _note_page(services: Services, account: ChannelAccount, error: Exception) -> None:
    """Record it on the account; a page that hangs counts as any hung call of its plugin."""
    log.error("plugin_page_failed", account=account.name, error=type(error).__name__)
    if isinstance(error, PluginMisbehaved) and error.how == "hung":
        account.note_hung(time.monotonic())
    message = error.message if isinstance(error, PluginMisbehaved) else "its page was no HTTP answer"
    with suppress(Unavailable):  # while the database is away the log has it
        await services.db.write(lambda tx: accounts.note_error(tx, account.name, f"page: {message}"))


def _response(answer: HttpAnswer) -> web.Response:
    headers = {"Content-Type": answer.media_type}
    if answer.headers:
        headers |= dict(answer.headers)
    return web.Response(status=answer.status, body=answer.body, headers=headers)
