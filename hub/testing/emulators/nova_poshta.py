"""An emulator of Nova Poshta's tracking call, for tests, for `hub demo` and for plugin authors.

    emulator = NovaPoshtaEmulator(SystemClock(), seconds_per_step=20)
    base_url = await emulator.start()
    emulator.add_parcel("20450000000001", cod_minor=125_000)      # 1 250.00 hryvnias on delivery

A parcel takes one step of its route every `seconds_per_step` of the given clock; every reported date is the
moment of its step, so dates are plausible whatever the speed. Numbers nobody added are made up on first sight
or answered with code 3. Fields have the shape of the carrier's documentation; people in them are invented.

Every answer says that it is emulated: header `X-Emulator`, and `info` and `infoCodes` of the envelope.
What is not known of the carrier, and is invented here: the answer to more than 100 numbers, what a bad number
in a batch does (the whole call fails, with a warning that names it), and how return waybills are numbered.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from aiohttp import web

from hub.kernel.clock import Clock
from hub.testing.emulators.nova_poshta_parcels import ROUTES, TEXTS, Parcel, cities, render, return_number

PATH = "/v2.0/json/"
MARK = "nova_poshta"
MAX_DOCUMENTS = 100


Fault = Literal[
    "throttle", "daily_limit", "auth", "expired", "bad_number", "bad_phone", "service",
    "http_401", "http_429", "http_500", "timeout", "half_body", "html", "drop_numbers", "shuffle",
]  # fmt: skip
"""drop_numbers leaves out every second number, shuffle turns the order round; the rest says what it is."""

_ERRORS = {
    "throttle": ("To many requests", "20000401501"),
    "daily_limit": ("The daily requests limit is exceeded", "20000501331"),
    "auth": ("API auth fail", "20000200068"),
    "expired": ("API key expired", "20000201204"),
    "bad_number": ("Document number is not correct", "20001401442"),
    "bad_phone": ("RecipientPhone has wrong format", "20001401160"),
    "service": ("documentTracking service error", "20000200795"),
}
_HTTP_FAULTS = {"http_401": 401, "http_429": 429, "http_500": 500}
_RETRY_AFTER_S = 7

_HIDDEN_WITHOUT_KEY = (
    "RecipientFullName", "RecipientFullNameEW", "PhoneRecipient", "RecipientAddress", "AnnouncedPrice",
    "AfterpaymentOnGoodsCost", "RedeliverySum", "RedeliveryNum", "ExpressWaybillPaymentStatus",
    "ExpressWaybillAmountToPay", "CargoDescriptionString", "CounterpartyRecipientDescription",
    "LastCreatedOnTheBasisNumber", "LastCreatedOnTheBasisDocumentType", "LastCreatedOnTheBasisDateTime",
    "LastAmountTransferGM", "OwnerDocumentNumber", "OwnerDocumentType",
)  # fmt: skip
_HIDDEN_WARNING = "Please enter a valid phone number from the express invoice to show full information"


@dataclass(slots=True)
class NovaPoshtaEmulator:
    """The carrier in this process. Faults and parcels may be added at any time.

    clock             milliseconds since 1970; the speed of the world is the clock's and `seconds_per_step`
    api_key           the key that is accepted; "" accepts any. No key shows no private fields
    first_sight       a number nobody added: "create" makes a parcel up (its last digit decides the route),
                      "not_found" answers code 3
    hang_s            how long the fault "timeout" keeps a call waiting
    asked             the numbers of each tracking call so far
    """

    clock: Clock
    seconds_per_step: float = 60.0
    api_key: str = ""
    first_sight: Literal["create", "not_found"] = "create"
    hang_s: float = 30.0
    asked: list[tuple[str, ...]] = field(default_factory=list)
    _parcels: dict[str, Parcel] = field(default_factory=dict)
    _faults: deque[Fault] = field(default_factory=deque)
    _runner: web.AppRunner | None = None
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    # What a test or the demo does ----------------------------------------------------------------------

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen; returns the address for the plugin's `base_url`. Port 0 takes a free one."""
        self._stopping.clear()
        self._runner = web.AppRunner(self.application(), access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        return f"http://{host}:{self._runner.addresses[0][1]}{PATH}"

    async def stop(self) -> None:
        """Close the port; hanging calls are let go."""
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def application(self) -> web.Application:
        """The aiohttp application, to be mounted elsewhere."""
        app = web.Application(client_max_size=1024 * 1024)
        app.router.add_post("/", self._handle)
        app.router.add_post(PATH.rstrip("/"), self._handle)
        app.router.add_post(PATH, self._handle)
        app.on_response_prepare.append(_mark)
        return app

    def add_parcel(
        self,
        number: str,
        cod_minor: int | None = None,
        route: str | Sequence[str] | None = None,
        *,
        payment_control: bool = False,
        order_reference: str = "",
        phone: str = "380600000001",
    ) -> Parcel:
        """A parcel that begins now. `route`: a name of ROUTES or codes; default "cod" or "delivered".

        A route with 102 brings its return waybill along: `return_number(number)`, which begins at that step.
        """
        if route is None:
            route = "cod" if cod_minor and not payment_control else "delivered"
        city_from, city_to = cities(number)
        parcel = Parcel(
            number=number,
            route=ROUTES[route] if isinstance(route, str) else tuple(route),
            begun_ms=self.clock.now(),
            step_ms=max(1, round(self.seconds_per_step * 1000)),
            cod_minor=cod_minor or 0,
            payment_control=payment_control,
            order_reference=order_reference,
            phone=phone.removeprefix("+"),
            city_from=city_from,
            city_to=city_to,
        )
        self._parcels[number] = parcel
        if "102" in parcel.route:
            self._add_return(parcel)
        return parcel

    def fail_next(self, n: int = 1, kind: Fault = "throttle") -> None:
        """The next `n` calls fail in this way; kinds queue up."""
        if kind not in get_args(Fault):
            raise ValueError(f"no fault of the name {kind}; there are {', '.join(get_args(Fault))}")
        self._faults.extend([kind] * n)

    def code_of(self, number: str) -> str:
        """The parcel's present code; "3" while it is not there."""
        parcel = self._parcels.get(number)
        step = -1 if parcel is None else parcel.step(self.clock.now())
        return "3" if parcel is None or step < 0 else parcel.route[step]

    # One call ------------------------------------------------------------------------------------------

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        fault = self._faults.popleft() if self._faults else None
        if fault in _HTTP_FAULTS:
            return _http_fault(_HTTP_FAULTS[fault])
        if fault == "html":
            return web.Response(
                text="<!DOCTYPE html><html><body>Bad gateway</body></html>", content_type="text/html"
            )
        if fault == "timeout":
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self.hang_s)
        answer = self._answer(await request.read(), fault)
        body = json.dumps(answer, ensure_ascii=False).encode()
        if fault == "half_body":
            return await _half(request, body)
        return web.Response(body=body, content_type="application/json")

    def _answer(self, body: bytes, fault: Fault | None) -> dict[str, Any]:
        try:
            call = json.loads(body)
            documents = call["methodProperties"].get("Documents", [])
            asked = [(str(one["DocumentNumber"]), str(one.get("Phone", ""))) for one in documents]
            key, method = str(call["apiKey"]), f"{call['modelName']}.{call['calledMethod']}"
        except (ValueError, KeyError, TypeError, AttributeError):
            return _error("Request is not readable", "")
        if fault in _ERRORS:
            named = [f"Invalid DocumentNumber: {asked[0][0]}"] if fault == "bad_number" and asked else []
            return _error(*_ERRORS[fault], warnings=named)
        if self.api_key and key not in ("", self.api_key):
            return _error(*_ERRORS["auth"])
        if method == "Counterparty.getCounterparties":
            return (
                _envelope([{"Ref": _SENDER_REF, "CounterpartyType": "Organization"}])
                if key
                else _error(*_ERRORS["auth"])
            )
        if method != "TrackingDocument.getStatusDocuments":
            return _error(f"Method {method} not found", "")
        self.asked.append(tuple(number for number, _ in asked))
        return self._track(asked, has_key=bool(key), fault=fault)

    def _track(self, asked: list[tuple[str, str]], *, has_key: bool, fault: Fault | None) -> dict[str, Any]:
        if not asked:
            return _error("No documents to track", "20001401203")
        if len(asked) > MAX_DOCUMENTS:
            return _error("Too many documents", "")
        bad = [number for number, _ in asked if not (number.isdigit() and len(number) == 14)]
        if bad:
            return _error(*_ERRORS["bad_number"], warnings=[f"Invalid DocumentNumber: {one}" for one in bad])
        if any(phone and not phone.isdigit() for _, phone in asked):
            return _error(*_ERRORS["bad_phone"])
        if fault == "drop_numbers":
            asked = asked[1::2]
        if fault == "shuffle":
            asked = asked[::-1]
        items, warnings = [], []
        for number, phone in asked:
            item, hidden = self._item(number, phone, has_key=has_key)
            items.append(item)
            if hidden:
                warnings.append({f"ID_{number}": _HIDDEN_WARNING})
        return _envelope(items, warnings=warnings)

    def _item(self, number: str, phone: str, *, has_key: bool) -> tuple[dict[str, Any], bool]:
        if number not in self._parcels and self.first_sight == "create":
            self._make_up(number)
        parcel = self._parcels.get(number)
        now_ms = self.clock.now()
        if parcel is None or parcel.step(now_ms) < 0:
            return _not_found(number), not has_key
        item = render(parcel, now_ms)
        hidden = not has_key and phone != parcel.phone
        if hidden:
            item.update(dict.fromkeys(_HIDDEN_WITHOUT_KEY, ""))
        return item, hidden

    def _make_up(self, number: str) -> None:
        """The last digit decides: 9 is refused, odd ones are cash on delivery, the rest is delivered."""
        digit = int(number[-1])
        if digit == 9:
            self.add_parcel(number, 99_000, "refused")
        else:
            self.add_parcel(number, 125_000 if digit % 2 else None)

    def _add_return(self, parcel: Parcel) -> None:
        number = return_number(parcel.number)
        begun = parcel.begun_ms + parcel.route.index("102") * parcel.step_ms
        self._parcels[number] = Parcel(
            number=number,
            route=ROUTES["return"],
            begun_ms=begun,
            step_ms=parcel.step_ms,
            city_from=parcel.city_to,
            city_to=parcel.city_from,
            phone=parcel.phone,
            owner=parcel.number,
        )


_SENDER_REF = "32c445a1-dec8-11ed-a60f-48df37b921db"


def _not_found(number: str) -> dict[str, Any]:
    """The short item of an unknown number: private fields are there, and empty."""
    return dict.fromkeys(_HIDDEN_WITHOUT_KEY, "") | {
        "Number": number,
        "StatusCode": "3",
        "Status": TEXTS["3"],
        "SecurePayment": False,
    }


def _envelope(items: Sequence[dict[str, Any]], *, warnings: Sequence[Any] = ()) -> dict[str, Any]:
    return {
        "success": True,
        "data": list(items),
        "errors": [],
        "warnings": list(warnings),
        "info": {"emulator": MARK},
        "messageCodes": [],
        "errorCodes": [],
        "warningCodes": ["30001402739"] * len(warnings),
        "infoCodes": [f"emulator:{MARK}"],
    }


def _error(text: str, code: str, *, warnings: Sequence[str] = ()) -> dict[str, Any]:
    codes = [code] if code else []
    failed = {"success": False, "errors": [text], "errorCodes": codes, "warningCodes": []}
    return _envelope([], warnings=warnings) | failed


def _http_fault(status: int) -> web.Response:
    headers = {"Retry-After": str(_RETRY_AFTER_S)} if status == 429 else {}
    return web.Response(status=status, text="emulated fault", headers=headers)


async def _half(request: web.Request, body: bytes) -> web.StreamResponse:
    """Announce the whole body, send half of it, cut the line."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


async def _mark(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["X-Emulator"] = MARK
