"""What can become of a call at a provider, and an HTTP transport that plays it.

A kit never asks the author how a fault looks on the wire: a time-out, a refused connection or half a body
are the same everywhere. It asks only for the answers of the provider's own: all well, nothing new, gone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from enum import StrEnum

import httpx

RETRY_AFTER_S = 7

Answerer = Callable[[httpx.Request], httpx.Response]


class Situation(StrEnum):
    """How the provider is."""

    WELL = "well"  # it answers, and there is something new
    QUIET = "quiet"  # it answers, and there is nothing new
    GONE = "gone"  # what was asked for is not there any more
    UNAUTHORISED = "unauthorised"  # it does not take the credentials
    THROTTLED = "throttled"  # it asks to wait RETRY_AFTER_S
    BROKEN = "broken"  # it fails (HTTP 5xx)
    TIME_OUT = "time-out"  # the call arrived, no answer comes
    UNREACHABLE = "unreachable"  # the call never arrived
    HALF_BODY = "half a body"  # the connection goes during the answer
    UNREADABLE = "unreadable"  # the answer makes no sense


OF_THE_PROVIDER = frozenset({Situation.WELL, Situation.QUIET, Situation.GONE})
FAULTS = tuple(one for one in Situation if one not in OF_THE_PROVIDER)


class HalfBody(httpx.AsyncByteStream):
    """The beginning of a body, then the connection breaks."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._body[: len(self._body) // 2]
        raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")


def scripted(situation: Situation, reply: Callable[[httpx.Request, Situation], httpx.Response]) -> Answerer:
    """Plays one situation; `reply` is asked for the provider's own answers only."""

    def answer(request: httpx.Request) -> httpx.Response:
        if situation in OF_THE_PROVIDER:
            return reply(request, situation)
        if situation is Situation.TIME_OUT:
            raise httpx.ReadTimeout("scripted", request=request)
        if situation is Situation.UNREACHABLE:
            raise httpx.ConnectError("scripted", request=request)
        if situation is Situation.HALF_BODY:
            return httpx.Response(200, stream=HalfBody(reply(request, Situation.WELL).content))
        return _PLAIN[situation]()

    return answer


_PLAIN: dict[Situation, Callable[[], httpx.Response]] = {
    Situation.UNAUTHORISED: lambda: httpx.Response(401, content=b"{}"),
    Situation.THROTTLED: lambda: httpx.Response(429, headers={"retry-after": str(RETRY_AFTER_S)}),
    Situation.BROKEN: lambda: httpx.Response(503, content=b"<html>trouble</html>"),
    Situation.UNREADABLE: lambda: httpx.Response(200, content=b"<!DOCTYPE html><html>Bad gateway</html>"),
}
