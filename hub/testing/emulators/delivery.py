"""An emulator of Delivery's public tracking: one receipt a call.

    emulator = DeliveryEmulator(SystemClock(), seconds_per_step=20)
    base_url = await emulator.start()
    emulator.add_parcel("0830000001", cod_minor=150_000)

Casing of keys changes from call to call, as it does between the carrier's versions. Invented here: what "not
found" and a refused number answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from aiohttp import web

from hub.kernel.clock import Clock
from hub.testing.emulators.carrier_server import Answered, CarrierServer, Fault
from hub.testing.emulators.nova_poshta_parcels import Parcel

MARK = "delivery"

TEXTS = {
    "0": "Видана",
    "2": "Оформлено",
    "4": "Продано",
    "5": "Скасовано",
    "6": "В дорозі",
    "7": "Доступна до видачі",
    "8": "Зарезервована",
    "10": "На розвантаженні на складі",
    "13": "Доставляється кур'єром",
}


@dataclass(slots=True)
class DeliveryEmulator(CarrierServer):
    """There is no key."""

    mark: ClassVar[str] = MARK
    path: ClassVar[str] = "/api/v4/Public/"
    routes: ClassVar[dict[str, tuple[str, ...]]] = {
        "delivered": ("8", "2", "6", "10", "7", "0"),
        "courier": ("8", "2", "6", "10", "13", "0"),
        "cancelled": ("8", "5"),
        "sold": ("8", "2", "6", "10", "7", "4"),
    }

    async def answer(self, request: web.Request, fault: Fault | None) -> Any:
        """One call."""
        call = request.path.removeprefix(self.path)
        if call == "GetRegionList":
            return _envelope([{"id": "1", "name": "Київська"}])
        if call != "GetReceiptDetails":
            raise Answered(404, _refused("no such call"))
        number = request.query.get("number", "")
        self.asked.append((number,))
        if fault == "bad_number" or not (number.isdigit() and len(number) == 10):
            return _refused("Невірний номер квитанції")
        steps = [] if fault == "drop_numbers" else self.seen(number, fault)
        if not steps:
            return _refused("Квитанцію не знайдено")
        receipt = _receipt(self.parcels[number], steps[-1][1])
        old = len(self.asked) % 2 == 0
        return _envelope(
            {key[0].upper() + key[1:]: value for key, value in receipt.items()} if old else receipt
        )


def _receipt(parcel: Parcel, code: str) -> dict[str, Any]:
    return {
        "id": "045905c9-b17b-4ccb-8e85-000000000001",
        "number": parcel.number,
        "SendDate": parcel.moment(1).strftime("%Y-%m-%dT%H:%M:%S"),
        "ReceiveDate": parcel.moment(4).isoformat(timespec="seconds"),
        "SenderWarehouseName": f"{parcel.city_from.upper()}-1",
        "RecepientWarehouseName": f"{parcel.city_to.upper()}-1",
        "CitySendName": parcel.city_from,
        "CityReceiveName": parcel.city_to,
        "Status": int(code),
        "StatusesDecoding": TEXTS.get(code, ""),
        "Weight": 12.0,
        "Sites": 1,
        "TotalCost": 180.0,
        "PaymentStatus": False,
        "Currency": 100000000,
        "codCost": parcel.cod_minor / 100,
        "codCurrency": 100000000,
        "SenderPhone": "380600000001",
        "ReceiverPhone": "380600000002",
    }


def _envelope(data: Any) -> dict[str, Any]:
    return {"status": True, "message": f"emulator:{MARK}", "data": data}


def _refused(message: str) -> dict[str, Any]:
    return {"status": False, "message": f"emulator:{MARK}: {message}", "data": None}


def make(clock: Clock, seconds_per_step: float) -> DeliveryEmulator:
    """An emulator for the demonstration: makes parcels up at first sight."""
    return DeliveryEmulator(clock, seconds_per_step)
