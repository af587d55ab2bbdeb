"""An emulator of Meest's OpenAPI v3: login, single tracking, windows of two hours, whole days.

    emulator = MeestEmulator(SystemClock(), seconds_per_step=20)
    base_url = await emulator.start()
    emulator.add_parcel("MYCV000000001UA")

Parcels are known under their number; the barcode beside it is the same without "MY". Invented here: how long a
token lives, what a window of more than two hours answers, and that the windows hold events by their own moment.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import unquote

from aiohttp import web

from hub.kernel.clock import Clock
from hub.testing.emulators.carrier_server import Answered, CarrierServer, Fault
from hub.testing.emulators.nova_poshta_parcels import KYIV, Parcel

MARK = "meest"
TOKEN_S = 3600

TEXTS = {
    "606": "НАДХОДЖЕННЯ НА ПІДРОЗДІЛ ВІДПРАВНИКА",
    "8081": "ВІДПРАВКА З ПІДРОЗДІЛУ ВІДПРАВНИКА",
    "808": "ВІДПРАВКА З СОРТУВАЛЬНОГО ЦЕНТРУ У НАПРЯМКУ МІСТА ДОСТАВКИ",
    "1214": "НАДХОДЖЕННЯ НА ПІДРОЗДІЛ ДОРУЧЕННЯ",
    "1315": "ВИДАНО КУР`ЄРУ",
    "1620": "ВІДМОВА",
    "1622": "ДОРУЧЕНО",
    "1625": "ВІДСУТНІЙ КОНТАКТ З ОТРИМУВАЧЕМ",
    "1825": "ПОВЕРНЕННЯ ВІДПРАВНИКУ",
}


@dataclass(slots=True)
class MeestEmulator(CarrierServer):
    """username, password: what is accepted; "" accepts any. `tokens`: those given out, newest last."""

    mark: ClassVar[str] = MARK
    path: ClassVar[str] = "/v3.0/openAPI"
    routes: ClassVar[dict[str, tuple[str, ...]]] = {
        "delivered": ("606", "8081", "808", "1214", "1622"),
        "courier": ("606", "8081", "808", "1315", "1625", "1315", "1622"),
        "returned": ("606", "8081", "808", "1214", "1620", "1825"),
    }

    username: str = ""
    password: str = ""
    tokens: list[tuple[str, int]] = field(default_factory=list)

    def is_login(self, request: web.Request) -> bool:
        """Faults are for the calls after it."""
        return request.path.endswith(("/auth", "/refreshToken"))

    def revoke(self) -> None:
        """No token given out so far is accepted any more."""
        self.tokens.clear()

    def refused_key(self) -> Any:
        """The body of 401."""
        return _error("token", "Unauthorized")

    async def answer(self, request: web.Request, fault: Fault | None) -> Any:
        """One call."""
        call, *rest = [
            unquote(part) for part in request.raw_path.removeprefix(self.path).strip("/").split("/")
        ]
        if call == "auth":
            return self._login(json.loads(await request.read()))
        now = self.clock.now()
        if call == "refreshToken":
            known = {f"refresh-{token}" for token, _ in self.tokens}
            if json.loads(await request.read()).get("refreshToken") not in known:
                raise Answered(401, self.refused_key())
            return self._token()
        if not any(token == request.headers.get("token") and now < ends for token, ends in self.tokens):
            raise Answered(401, self.refused_key())
        if fault == "bad_number":
            raise Answered(400, _error("parcelID", "Value is wrong"))
        match call, rest:
            case "tracking", [number]:
                return self._single(number, fault)
            case "trackingByDate", [day]:
                begin = datetime.combine(date.fromisoformat(day), datetime.min.time(), KYIV)
                return _ok(self._between(begin, begin + timedelta(days=1), fault))
            case "trackingByPeriod", [begins, ends]:
                begin, end = _moment(begins), _moment(ends)
                if end - begin > timedelta(hours=2):
                    raise Answered(400, _error("dateTo", "Period must not exceed 2 hours"))
                return _ok(self._between(begin, end, fault))
        raise Answered(404, _error("", "No such call"))

    def _login(self, told: dict[str, Any]) -> Any:
        if (self.username and told.get("username") != self.username) or (
            self.password and told.get("password") != self.password
        ):
            raise Answered(401, _error("username", "Wrong login or password"))
        return self._token()

    def _token(self) -> Any:
        token = f"token-{len(self.calls)}"
        self.tokens.append((token, self.clock.now() + TOKEN_S * 1000))
        return _ok({"token": token, "refreshToken": f"refresh-{token}", "expiresIn": TOKEN_S})

    def _single(self, number: str, fault: Fault | None) -> Any:
        self.asked.append((number,))
        if fault == "drop_numbers":
            return _ok([])
        events = [_event(self.parcels[number], step, code) for step, code in self.seen(number, fault)]
        if not events:
            raise Answered(404, _error("parcelID", "Data not found"))
        return _ok(events)

    def _between(self, begin: datetime, end: datetime, fault: Fault | None) -> list[dict[str, Any]]:
        found: Iterable[tuple[Parcel, int, str]] = (
            (parcel, step, code)
            for parcel in self.parcels.values()
            for step, code in self.seen(parcel.number, fault)
        )
        events = [
            _event(parcel, step, code) for parcel, step, code in found if begin <= parcel.moment(step) <= end
        ]
        return events[1::2] if fault == "drop_numbers" else events


def _event(parcel: Parcel, step: int, code: str) -> dict[str, Any]:
    away = step >= len(parcel.route) - 2 and code != "1825"
    return {
        "parcelNumber": parcel.number,
        "barCode": parcel.number.removeprefix("MY"),
        "eventDateTime": parcel.moment(step).strftime("%Y-%m-%d %H:%M:%S"),
        "eventCode": int(code),
        "eventCodeUPU": "",
        "eventPlaces": "1/1",
        "eventCountryDescr": _descr("УКРАЇНА"),
        "eventCityDescr": _descr(parcel.city_to if away else parcel.city_from),
        "eventDescr": _descr(TEXTS.get(code, "")),
        "eventDetailDescr": _descr(""),
    }


def _descr(words: str) -> dict[str, str]:
    return {"descrUA": words, "descrRU": "", "descrEN": ""}


def _moment(told: str) -> datetime:
    try:
        return datetime.strptime(told, "%Y-%m-%d %H:%M:%S").replace(tzinfo=KYIV)
    except ValueError:
        raise Answered(400, _error("dateFrom", "Wrong date")) from None


def _ok(result: Any) -> dict[str, Any]:
    info = {"fieldName": "", "message": "", "messageDetails": f"emulator:{MARK}"}
    return {"status": "OK", "info": info, "result": result}


def _error(field_name: str, message: str) -> dict[str, Any]:
    info = {"fieldName": field_name, "message": message, "messageDetails": f"emulator:{MARK}"}
    return {"status": "error", "info": info, "result": None}


def make(clock: Clock, seconds_per_step: float) -> MeestEmulator:
    """An emulator for the demonstration: accepts any login, makes parcels up at first sight."""
    return MeestEmulator(clock, seconds_per_step)
