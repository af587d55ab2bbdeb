"""What the emulated carriers share: a port, parcels that move with a clock, faults on command.

A carrier's emulator subclasses CarrierServer, names its routes in `routes`, and answers in `answer`. Faults come
in three ways: `fail_next` for the next calls (they queue up; logins use up none), `chance` for a share of all
calls, and the switches `is_down` and `key_revoked`, which last until they are put back. Every answer says that it
is emulated: header `X-Emulator` always, and a word in the body wherever the provider's form has room for one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from abc import abstractmethod
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeVar, get_args

from aiohttp import web

from hub.kernel.clock import Clock
from hub.testing.emulators.nova_poshta_parcels import Parcel, cities

Fault = Literal[
    "http_401", "http_429", "http_500", "timeout", "delay", "half_body", "html", "malformed", "down",
    "bad_number", "unknown_code", "drop_numbers",
]  # fmt: skip
"""Of all carriers: malformed is JSON with a value of another type, another one each time; down breaks the
connection; bad_number refuses the call because of its first number; unknown_code tells a code that no table
lists; drop_numbers leaves out every second number; delay answers after `delay_s`; the rest says what it is."""

FAULTS: tuple[str, ...] = get_args(Fault)
UNKNOWN_CODE = "99991"
RETRY_AFTER_S = 7
_HTTP = {"http_401": 401, "http_429": 429, "http_500": 500}


class Answered(Exception):
    """An answer from deep inside, with its HTTP status."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


@dataclass(slots=True)
class CarrierServer:
    """A carrier in this process. Faults and parcels may be added at any time.

    clock             milliseconds since 1970; the speed of the world is the clock's and `seconds_per_step`
    first_sight       a number nobody added: "create" makes a parcel up, "not_found" knows nothing of it
    hang_s, delay_s   how long the faults "timeout" and "delay" keep a call waiting
    asked             the numbers of each tracking call so far; `calls` every call's path, logins too
    is_down           every connection is broken off
    key_revoked       every call is refused as one with a wrong key, logins too
    chance            by fault, the share of calls that fail in this way (0.01: one in a hundred)
    """

    mark: ClassVar[str]
    own_faults: ClassVar[tuple[str, ...]] = ()
    path: ClassVar[str] = "/"
    routes: ClassVar[Mapping[str, tuple[str, ...]]]

    clock: Clock
    seconds_per_step: float = 60.0
    first_sight: Literal["create", "not_found"] = "create"
    hang_s: float = 30.0
    delay_s: float = 0.2
    asked: list[tuple[str, ...]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    parcels: dict[str, Parcel] = field(default_factory=dict)
    is_down: bool = False
    key_revoked: bool = False
    chance: dict[str, float] = field(default_factory=dict)
    _luck: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311 - the same each run
    _spoilt: int = 0
    _faults: deque[str] = field(default_factory=deque)
    _runner: web.AppRunner | None = None
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    # What a test or the demo does ----------------------------------------------------------------------

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen; returns the address for the plugin's `base_url`. Port 0 takes a free one."""
        self._stopping.clear()
        self._runner = web.AppRunner(self.application(), access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        return f"http://{host}:{self._runner.addresses[0][1]}{self.path}"

    async def stop(self) -> None:
        """Close the port; hanging calls are let go."""
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def application(self) -> web.Application:
        """The aiohttp application, to be mounted elsewhere."""
        app = web.Application(client_max_size=1024 * 1024)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        app.on_response_prepare.append(self._say_so)
        return app

    def add_parcel(
        self,
        number: str,
        cod_minor: int | None = None,
        route: str | Sequence[str] | None = None,
        *,
        order_reference: str = "",
        fee_minor: int = 0,
    ) -> Parcel:
        """A parcel that begins now. `route`: a name of `routes` or codes; default by cash on delivery."""
        if route is None:
            route = "cod" if cod_minor and "cod" in self.routes else "delivered"
        city_from, city_to = cities(number)
        parcel = Parcel(
            number=number,
            route=self.routes[route] if isinstance(route, str) else tuple(route),
            begun_ms=self.clock.now(),
            step_ms=max(1, round(self.seconds_per_step * 1000)),
            cod_minor=cod_minor or 0,
            fee_minor=fee_minor,
            order_reference=order_reference,
            city_from=city_from,
            city_to=city_to,
        )
        self.parcels[number] = parcel
        return parcel

    def give_out_again(self, number: str, cod_minor: int | None = None, route: str | None = None) -> Parcel:
        """The carrier gives a used number to another parcel, which begins now."""
        if number not in self.parcels:
            raise ValueError(f"{number} was never given out")
        return self.add_parcel(number, cod_minor, route)

    def fail_next(self, n: int = 1, kind: str = "http_500") -> None:
        """The next `n` calls fail in this way; kinds queue up."""
        known = (*FAULTS, *self.own_faults)
        if kind not in known:
            raise ValueError(f"no fault of the name {kind}; there are {', '.join(known)}")
        self._faults.extend([kind] * n)

    def code_of(self, number: str) -> str:
        """The parcel's present code; "" while it is not there."""
        parcel = self.parcels.get(number)
        step = -1 if parcel is None else parcel.step(self.clock.now())
        return "" if parcel is None or step < 0 else parcel.route[step]

    # What a carrier's emulator writes ------------------------------------------------------------------

    @abstractmethod
    async def answer(self, request: web.Request, fault: Any) -> Any:
        """The JSON body of one call; `fault` is a name or None. Raises Answered for another status than 200."""

    def is_login(self, request: web.Request) -> bool:
        """A login uses up no fault."""
        return False

    def refused_key(self) -> Any:
        """The body of 401."""
        return {"emulator": self.mark}

    # What it gets for that -----------------------------------------------------------------------------

    def seen(self, number: str, fault: str | None = None) -> list[tuple[int, str]]:
        """(step, code) of what has happened to a parcel so far, oldest first; empty where it is not known."""
        if number not in self.parcels and self.first_sight == "create":
            self.add_parcel(number, *self.made_up(number))
        parcel = self.parcels.get(number)
        step = -1 if parcel is None else parcel.step(self.clock.now())
        if parcel is None or step < 0:
            return []
        steps = list(enumerate(parcel.route[: step + 1]))
        if fault == "unknown_code":
            steps[-1] = (step, UNKNOWN_CODE)
        return steps

    def made_up(self, number: str) -> tuple[int | None, str | None]:
        """Sum and route of a number nobody added; its last digit decides."""
        digits = [one for one in number if one.isdigit()]
        digit = int(digits[-1]) if digits else 0
        if digit == 9 and "returned" in self.routes:
            return 99_000, "returned"
        return (125_000 if digit % 2 else None), None

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.calls.append(request.path)
        fault = "down" if self.is_down else self._next_fault(request)
        if fault == "down":
            return _broken_off(request)
        if fault in _HTTP or self.key_revoked:
            return self._http_fault(_HTTP.get(fault or "", 401))
        if fault == "html":
            return web.Response(
                text="<!DOCTYPE html><html><body>Bad gateway</body></html>", content_type="text/html"
            )
        if fault in {"timeout", "delay"}:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(
                    self._stopping.wait(), self.hang_s if fault == "timeout" else self.delay_s
                )
        try:
            status, answer = 200, await self.answer(request, fault)
        except Answered as told:
            status, answer = told.status, told.body
        if fault == "malformed":
            self._spoilt += 1
            answer = malformed(answer, self._spoilt)
        body = json.dumps(answer, ensure_ascii=False).encode()
        if fault == "half_body":
            return await _half(request, body)
        return web.Response(status=status, body=body, content_type="application/json")

    def _next_fault(self, request: web.Request) -> str | None:
        if self.is_login(request):
            return None
        if self._faults:
            return self._faults.popleft()
        return next((kind for kind, share in self.chance.items() if self._luck.random() < share), None)

    def _http_fault(self, status: int) -> web.Response:
        if status == 401:
            return web.json_response(self.refused_key(), status=401)
        headers = {"Retry-After": str(RETRY_AFTER_S)} if status == 429 else {}
        return web.Response(status=status, text="emulated fault", headers=headers)

    async def _say_so(self, _: web.Request, response: web.StreamResponse) -> None:
        response.headers["X-Emulator"] = self.mark


T = TypeVar("T")


def kept(answered: Sequence[T], fault: str | None) -> Sequence[T]:
    """What is answered: every second one with the fault drop_numbers."""
    return answered[1::2] if fault == "drop_numbers" else answered


_ODD: tuple[Any, ...] = (None, [], {}, [[{}]], -1, "", True, "9" * 400, "\u202e", 1e300)


def malformed(answer: Any, turn: int) -> Any:
    """A copy with one value of another type; `turn` decides by lot which value, and what stands in its place."""
    copy = json.loads(json.dumps(answer))
    places = list(_places(copy))
    if not places:
        return []
    lot = random.Random(turn)  # noqa: S311 - the same each run
    holder, key = lot.choice(places)
    holder[key] = lot.choice(_ODD)
    return copy


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Everything that can be replaced: (what holds it, its key or index)."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in list(inner):
        yield value, key
        yield from _places(one)


def _broken_off(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _half(request: web.Request, body: bytes) -> web.StreamResponse:
    """Announce the whole body, send half of it, cut the line."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response
