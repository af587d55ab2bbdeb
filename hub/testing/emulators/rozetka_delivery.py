"""An emulator of the marketplace's seller API as far as Rozetka Delivery goes: login, waybills, status list.

    emulator = RozetkaDeliveryEmulator(SystemClock(), seconds_per_step=20)
    base_url = await emulator.start()
    emulator.add_parcel("UNK-400000001", cod_minor=50_000, order_reference="800000001")

Invented here: the paging's `_meta`, how long a token lives (until `revoke`), and codes for the way between
acceptance and issue, of which the documentation names none: a parcel stays "accepted" until it is issued.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any, ClassVar

from aiohttp import web

from hub.kernel.clock import Clock
from hub.testing.emulators.carrier_server import Answered, CarrierServer, Fault
from hub.testing.emulators.nova_poshta_parcels import Parcel

MARK = "rozetka_delivery"
PAGE_SIZE = 20

TEXTS = {
    "10010": "Заплановані відправлення",
    "10020": "Замовлення пройшло реєстр передачі. Реєстр завершено",
    "10030": "Прийнято від продавця",
    "40050": "Клієнт відмовився",
    "40070": "Вийшов термін зберігання",
    "60030": "Замовлення видано отримувачу",
}


@dataclass(slots=True)
class RozetkaDeliveryEmulator(CarrierServer):
    """username, password: what is accepted; "" accepts any. `statuses`: the live list of codes."""

    mark: ClassVar[str] = MARK
    path: ClassVar[str] = ""
    routes: ClassVar[dict[str, tuple[str, ...]]] = {
        "delivered": ("10010", "10020", "10030", "60030"),
        "refused": ("10010", "10020", "10030", "40050"),
        "returned": ("10010", "10020", "10030", "40070"),
    }

    username: str = ""
    password: str = ""
    tokens: set[str] = field(default_factory=set)
    statuses: dict[str, str] = field(default_factory=lambda: dict(TEXTS))

    def is_login(self, request: web.Request) -> bool:
        """Faults are for the calls after it."""
        return request.path == "/sites"

    def revoke(self) -> None:
        """No token given out so far is accepted any more."""
        self.tokens.clear()

    def refused_key(self) -> Any:
        """The body of 401."""
        return _refused("incorrect_access_token", 1020)

    async def answer(self, request: web.Request, fault: Fault | None) -> Any:
        """One call."""
        if request.path == "/sites":
            return self._login(json.loads(await request.read()))
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return self.refused_key()  # with HTTP 200, as this API does
        if request.path == "/delivery-rozetka/search-data":
            return _content({"delivery_statuses": [{"id": c, "name": n} for c, n in self.statuses.items()]})
        if request.path != "/delivery-rozetka/ttn-list":
            raise Answered(404, _refused("not_found", 404))
        return self._list(dict(request.query), fault)

    def _login(self, told: dict[str, Any]) -> Any:
        password = base64.b64decode(str(told.get("password", ""))).decode()
        if (self.username and told.get("username") != self.username) or (
            self.password and password != self.password
        ):
            return _refused("incorrect_username_or_password", 1010)
        token = f"token-{len(self.calls)}"
        self.tokens.add(token)
        return _content({"id": 165, "access_token": token})

    def _list(self, query: dict[str, str], fault: Fault | None) -> Any:
        if fault == "bad_number":
            return _refused("validation_error", 1001)
        if "ttn" in query:
            self.asked.append((query["ttn"],))
            numbers = [query["ttn"]] if self.seen(query["ttn"]) else []
        else:
            numbers = [number for number in self.parcels if self.seen(number)]
        if fault == "drop_numbers":
            numbers = numbers[1::2]
        page = int(query.get("page", "1"))
        models = [
            self._model(self.parcels[number], fault)
            for number in numbers[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
        ]
        pages = max(1, -(-len(numbers) // PAGE_SIZE))
        meta = {"totalCount": len(numbers), "pageCount": pages, "currentPage": page, "perPage": PAGE_SIZE}
        return _content({"models": models, "_meta": meta})

    def _model(self, parcel: Parcel, fault: Fault | None) -> dict[str, Any]:
        step, code = self.seen(parcel.number, fault)[-1]
        return {
            "id": 313,
            "ttn": parcel.number,
            "order_id": int(parcel.order_reference) if parcel.order_reference.isdigit() else 800000001,
            "delivery_status_id": code,
            "delivery_status_title": TEXTS.get(code, ""),
            "status_updated_at": parcel.moment(step).strftime("%Y-%m-%d %H:%M:%S") if step else None,
            "oriented_delivery_date": parcel.moment(3).strftime("%Y-%m-%d %H:%M:%S"),
            "cod_amount": f"{parcel.cod_minor / 100:.2f}" if parcel.cod_minor else 0,
            "delivery_price": "0.00",
            "receiver_fio": "Тестовий Отримувач",
            "receiver_phone": "380600000001",
            "is_carrier_meest": False,
            "carrier_track_num": None,
            "carrier_return_track_num": _return_number(parcel.number) if code == "40070" else None,
            "created_at": parcel.moment(0).strftime("%Y-%m-%d %H:%M:%S"),
        }


def _return_number(number: str) -> str:
    return f"UNK-9{number[5:]}"


def _content(content: Any) -> dict[str, Any]:
    return {"success": True, "content": content, "emulator": MARK}


def _refused(message: str, code: int) -> dict[str, Any]:
    return {"success": False, "errors": {"message": message, "code": code}, "emulator": MARK}


def make(clock: Clock, seconds_per_step: float) -> RozetkaDeliveryEmulator:
    """An emulator for the demonstration: accepts any login, makes parcels up at first sight."""
    return RozetkaDeliveryEmulator(clock, seconds_per_step)
