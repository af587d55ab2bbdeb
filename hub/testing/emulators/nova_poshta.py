"""An emulator of Nova Poshta's tracking call, for tests, for `hub demo` and for plugin authors.

    emulator = NovaPoshtaEmulator(SystemClock(), seconds_per_step=20)
    base_url = await emulator.start()
    emulator.add_parcel("20450000000001", cod_minor=125_000)      # 1 250.00 hryvnias on delivery

A parcel takes one step of its route every `seconds_per_step` of the given clock; every reported date is the
moment of its step, so dates are plausible whatever the speed. Numbers nobody added are made up on first sight
or answered with code 3. Fields have the shape of the carrier's documentation; people in them are invented.

Every answer says that it is emulated: header `X-Emulator`, and `info` and `infoCodes` of the envelope.
What is not known of the carrier, and is invented here: the answer to more than 100 numbers, what a bad number
in a batch does (the whole call fails, with a warning that names it), how return waybills are numbered, and every
field of a money transfer's item.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal, get_args

from aiohttp import web

from hub.kernel.clock import Clock
from hub.testing.emulators.carrier_server import UNKNOWN_CODE, CarrierServer, kept
from hub.testing.emulators.carrier_server import Fault as CommonFault
from hub.testing.emulators.nova_poshta_parcels import (
    KYIV,
    ROUTES,
    TEXTS,
    Parcel,
    listed,
    render,
    return_number,
    transferred,
)

PATH = "/v2.0/json/"
MARK = "nova_poshta"
MAX_DOCUMENTS = 100
PAGE_SIZE = 100

OwnFault = Literal[
    "throttle", "daily_limit", "auth", "expired", "bad_phone", "service", "method_gone", "shuffle",
]  # fmt: skip
Fault = Literal[CommonFault, OwnFault]

_ERRORS = {
    "throttle": ("To many requests", "20000401501"),
    "daily_limit": ("The daily requests limit is exceeded", "20000501331"),
    "auth": ("API auth fail", "20000200068"),
    "expired": ("API key expired", "20000201204"),
    "bad_number": ("Document number is not correct", "20001401442"),
    "bad_phone": ("RecipientPhone has wrong format", "20001401160"),
    "service": ("documentTracking service error", "20000200795"),
    "method_gone": ("Method is not found", ""),
}

_HIDDEN_WITHOUT_KEY = (
    "RecipientFullName", "RecipientFullNameEW", "PhoneRecipient", "RecipientAddress", "AnnouncedPrice",
    "AfterpaymentOnGoodsCost", "RedeliverySum", "RedeliveryNum", "ExpressWaybillPaymentStatus",
    "ExpressWaybillAmountToPay", "CargoDescriptionString", "CounterpartyRecipientDescription",
    "LastCreatedOnTheBasisNumber", "LastCreatedOnTheBasisDocumentType", "LastCreatedOnTheBasisDateTime",
    "LastAmountTransferGM", "OwnerDocumentNumber", "OwnerDocumentType",
)  # fmt: skip
_HIDDEN_WARNING = "Please enter a valid phone number from the express invoice to show full information"


@dataclass(slots=True)
class NovaPoshtaEmulator(CarrierServer):
    """api_key: the key that is accepted; "" accepts any. A call without a key shows no private fields.

    A number nobody added gets a route by its last digit, or code 3 with first_sight="not_found". Faults of its own:
    throttle, daily_limit, auth, expired, bad_phone, service and method_gone refuse the call with the carrier's words;
    shuffle turns the order of the answer round.
    """

    mark: ClassVar[str] = MARK
    path: ClassVar[str] = PATH
    routes: ClassVar[dict[str, tuple[str, ...]]] = ROUTES
    own_faults: ClassVar[tuple[str, ...]] = get_args(OwnFault)

    api_key: str = ""

    # What a test or the demo does ----------------------------------------------------------------------

    def add_parcel(
        self,
        number: str,
        cod_minor: int | None = None,
        route: str | Sequence[str] | None = None,
        *,
        order_reference: str = "",
        fee_minor: int = 0,
        payment_control: bool = False,
        phone: str = "380600000001",
    ) -> Parcel:
        """A parcel that begins now. `route`: a name of ROUTES or codes; default "cod" or "delivered".

        A route with 102 brings its return waybill along: `return_number(number)`, which begins at that step.
        """
        if route is None and payment_control:
            route = "delivered"
        parcel = CarrierServer.add_parcel(
            self, number, cod_minor, route, order_reference=order_reference, fee_minor=fee_minor
        )
        parcel = replace(parcel, payment_control=payment_control, phone=phone.removeprefix("+"))
        self.parcels[number] = parcel
        if "102" in parcel.route:
            self._add_return(parcel)
        return parcel

    def code_of(self, number: str) -> str:
        """The parcel's present code; "3" while it is not there."""
        return CarrierServer.code_of(self, number) or "3"

    def made_up(self, number: str) -> tuple[int | None, str | None]:
        """The last digit decides: 9 is refused, odd ones are cash on delivery, the rest is delivered."""
        digit = int(number[-1])
        if digit == 9:
            return 99_000, "refused"
        return (125_000 if digit % 2 else None), None

    # One call ------------------------------------------------------------------------------------------

    def refused_key(self) -> Any:
        """The body of 401."""
        return _error(*_ERRORS["auth"])

    async def answer(self, request: web.Request, fault: Fault | None) -> Any:
        """One call of any method."""
        call = _read_call(await request.read())
        if call is None:
            return _error("Request is not readable", "")
        key, method, told, asked = call
        if fault in _ERRORS:
            named = [f"Invalid DocumentNumber: {asked[0][0]}"] if fault == "bad_number" and asked else []
            return _error(*_ERRORS[fault], warnings=named)
        wrong = bool(self.api_key) and key not in ("", self.api_key)
        if wrong or (method in _NEED_A_KEY and not key):
            return _error(*_ERRORS["auth"])
        if method == "TrackingDocument.getStatusDocuments":
            self.asked.append(tuple(number for number, _ in asked))
            return self._track(asked, has_key=bool(key), fault=fault)
        match method:
            case "Counterparty.getCounterparties":
                return _envelope([{"Ref": _SENDER_REF, "CounterpartyType": "Organization"}])
            case "InternetDocument.getDocumentList":
                return self._page(self._waybills(told), told, fault)
            case "InternetDocument.getMoneyTransferDocuments":
                return self._page(self._transfers(told), told, fault)
        return _error(f"Method {method} not found", "")

    def _page(self, items: list[dict[str, Any]], told: dict[str, Any], fault: Fault | None) -> dict[str, Any]:
        page = max(1, int(str(told.get("Page", "1"))))
        shown = kept(items[(page - 1) * PAGE_SIZE : page * PAGE_SIZE], fault)
        answer = _envelope(list(shown))
        answer["info"] |= {"totalCount": len(items)}
        return answer

    def _waybills(self, told: dict[str, Any]) -> list[dict[str, Any]]:
        """The account's own waybills of these days; return waybills are made by the carrier."""
        begin, end = _day(told["DateTimeFrom"]), _day(told["DateTimeTo"]) + timedelta(days=1)
        now_ms = self.clock.now()
        return [
            listed(one, now_ms)
            for one in self.parcels.values()
            if not one.owner and one.step(now_ms) >= 0 and begin <= one.moment(0) < end
        ]

    def _transfers(self, told: dict[str, Any]) -> list[dict[str, Any]]:
        begin, end = _moment(told["DateFrom"]), _moment(told["DateTo"])
        now_ms = self.clock.now()
        found = (transferred(one, now_ms) for one in self.parcels.values())
        return [item for at, item in filter(None, found) if begin <= at <= end]

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
        items, warnings = [], []
        asked = list(kept(asked, fault))
        for number, phone in asked[::-1] if fault == "shuffle" else asked:
            item, hidden = self._item(number, phone, has_key=has_key)
            if fault == "unknown_code":
                item.update(StatusCode=UNKNOWN_CODE, Status="Нова мітка")
            items.append(item)
            if hidden:
                warnings.append({f"ID_{number}": _HIDDEN_WARNING})
        return _envelope(items, warnings=warnings)

    def _item(self, number: str, phone: str, *, has_key: bool) -> tuple[dict[str, Any], bool]:
        if not self.seen(number):
            return _not_found(number), not has_key
        parcel = self.parcels[number]
        item = render(parcel, self.clock.now())
        hidden = not has_key and phone != parcel.phone
        if hidden:
            item.update(dict.fromkeys(_HIDDEN_WITHOUT_KEY, ""))
        return item, hidden

    def _add_return(self, parcel: Parcel) -> None:
        number = return_number(parcel.number)
        begun = parcel.begun_ms + parcel.route.index("102") * parcel.step_ms
        self.parcels[number] = Parcel(
            number=number,
            route=ROUTES["return"],
            begun_ms=begun,
            step_ms=parcel.step_ms,
            city_from=parcel.city_to,
            city_to=parcel.city_from,
            phone=parcel.phone,
            owner=parcel.number,
        )


_NEED_A_KEY = frozenset(
    {
        "Counterparty.getCounterparties",
        "InternetDocument.getDocumentList",
        "InternetDocument.getMoneyTransferDocuments",
    }
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


def _read_call(body: bytes) -> tuple[str, str, dict[str, Any], list[tuple[str, str]]] | None:
    """Key, method, its properties, and the documents asked for with their telephones."""
    try:
        call = json.loads(body)
        told: dict[str, Any] = call["methodProperties"]
        asked = [(str(one["DocumentNumber"]), str(one.get("Phone", ""))) for one in told.get("Documents", [])]
        return str(call["apiKey"]), f"{call['modelName']}.{call['calledMethod']}", told, asked
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _day(told: str) -> datetime:
    return datetime.strptime(told, "%d.%m.%Y").replace(tzinfo=KYIV)


def _moment(told: str) -> datetime:
    return datetime.strptime(told, "%d.%m.%Y %H:%M:%S").replace(tzinfo=KYIV)


def make(clock: Clock, seconds_per_step: float) -> NovaPoshtaEmulator:
    """An emulator for the demonstration: accepts any key, makes parcels up at first sight."""
    return NovaPoshtaEmulator(clock, seconds_per_step)
