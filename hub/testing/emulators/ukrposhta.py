"""An emulator of Ukrposhta: status tracking with its with-not-found calls, and two calls of eCom.

    emulator = UkrposhtaEmulator(SystemClock(), seconds_per_step=20)
    base_url = await emulator.start()
    emulator.add_parcel("0500300000013", cod_minor=125_000)

A route step "41000/10" is the event with its reason; "DO" and "OP" are states of the money transfer, after the
parcel was handed over. The first step is not shown by tracking, as before a counter accepts a parcel: eCom alone
knows it. Steps are numbered out of time order, as in the carrier's own sample. Invented here: the text of errors,
what a wrongly formed barcode answers (HTTP 400), and the answers about money for parcels without any.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from aiohttp import web

from hub.kernel.clock import Clock
from hub.testing.emulators.carrier_server import Answered, CarrierServer, Fault, kept
from hub.testing.emulators.nova_poshta_parcels import Parcel

MARK = "ukrposhta"
MAX_HISTORY, MAX_LAST = 50, 100

TEXTS = {
    "10100": "Відправлення прийняте у відділенні",
    "20700": "Надходження на сортувальний центр",
    "20800": "Відправлення посилки",
    "21400": "Передано на зберігання",
    "21700": "Відправлення у відділенні",
    "31100": "Відправлення не вручено під час доставки",
    "31200": "Повернення відправлення",
    "41000": "Відправлення вручено",
    "41000/10": "Відправлення вручено: відправнику",
}
TRANSFER_TEXTS = {"DO": "готовий до виплати", "OP": "виплачений"}
_ON_LINE = "10601"


@dataclass(slots=True)
class UkrposhtaEmulator(CarrierServer):
    """bearer_tracking, bearer_ecom, token: what is accepted; "" accepts any."""

    mark: ClassVar[str] = MARK
    path: ClassVar[str] = ""
    routes: ClassVar[dict[str, tuple[str, ...]]] = {
        "delivered": (_ON_LINE, "10100", "20700", "20800", "21700", "41000"),
        "cod": (_ON_LINE, "10100", "20700", "20800", "21700", "41000", "DO", "OP"),
        "attempted": (_ON_LINE, "10100", "20700", "31100", "21400", "41000"),
        "returned": (_ON_LINE, "10100", "20700", "20800", "21700", "31200", "41000/10"),
    }

    bearer_tracking: str = ""
    bearer_ecom: str = ""
    token: str = ""

    def refused_key(self) -> Any:
        """The body of 401."""
        return {"code": "UPE05001", "message": "Unauthorized", "emulator": MARK}

    async def answer(self, request: web.Request, fault: Fault | None) -> Any:
        """One call of either service."""
        if request.path.startswith("/status-tracking/0.0.1/statuses/"):
            self._key(request, self.bearer_tracking)
            last = request.path.endswith("/last/with-not-found")
            return self._statuses(json.loads(await request.read()), fault, last=last)
        self._key(request, self.bearer_ecom)
        if self.token and request.query.get("token") != self.token:
            raise Answered(401, self.refused_key())
        *_, kind, barcode = request.path.removesuffix("/with-recipient").split("/")
        if kind == "barcode":
            return self._shipment(barcode)
        if kind == "shipment-postpays":
            return self._transfer(barcode)
        raise Answered(404, {"error": "no such call", "emulator": MARK})

    def _key(self, request: web.Request, accepted: str) -> None:
        if accepted and request.headers.get("authorization") != f"Bearer {accepted}":
            raise Answered(401, self.refused_key())

    def _statuses(self, asked: list[str], fault: Fault | None, *, last: bool) -> Any:
        if len(asked) > (MAX_LAST if last else MAX_HISTORY) or fault == "bad_number":
            raise Answered(400, {"code": "UPE02001", "message": "Barcode not supported", "emulator": MARK})
        self.asked.append(tuple(asked))
        found: dict[str, list[dict[str, Any]]] = {}
        missing = []
        for barcode in kept(asked, fault):
            events = self._events(barcode, fault)
            if events:
                found[barcode] = events[-1:] if last else events
            else:
                missing.append(barcode)
        return {"found": found, "notFound": missing, "emulator": MARK}

    def _events(self, barcode: str, fault: Fault | None) -> list[dict[str, Any]]:
        steps = [
            one for one in self.seen(barcode, fault) if one[1] != _ON_LINE and one[1] not in TRANSFER_TEXTS
        ]
        return [_event(self.parcels[barcode], step, code) for step, code in steps]

    def _shipment(self, barcode: str) -> Any:
        if not self.seen(barcode):
            raise Answered(404, {"code": "UPE02000", "message": "Shipment not found", "emulator": MARK})
        parcel = self.parcels[barcode]
        created = parcel.step(self.clock.now()) == 0
        return {
            "barcode": barcode,
            "lifecycle": {"status": "CREATED" if created else "REGISTERED"},
            "postPay": parcel.cod_minor / 100,
            "externalId": parcel.order_reference,
            "emulator": MARK,
        }

    def _transfer(self, barcode: str) -> Any:
        states = [one for one in self.seen(barcode) if one[1] in TRANSFER_TEXTS]
        if not states:
            raise Answered(404, {"code": "UPE02000", "message": "Shipment not found", "emulator": MARK})
        step, state = states[-1]
        parcel = self.parcels[barcode]
        return {
            "recipientName": "Тестовий Одержувач",
            "number": "0202200001",
            "sum": parcel.payout_minor / 100,
            "lastStatus": state,
            "lastStatusNameUa": TRANSFER_TEXTS[state],
            "lastStatusTime": _local(parcel.moment(step)),
            "emulator": MARK,
        }


def _event(parcel: Parcel, step: int, code: str) -> dict[str, Any]:
    event, _, reason = code.partition("/")
    home = code == "41000/10" or step < 3
    return {
        "barcode": parcel.number,
        "step": step + 10 if step == 1 else step,  # the acceptance is numbered after what follows it
        "date": _local(parcel.moment(step)),
        "index": "01001" if home else "79000",
        "name": (parcel.city_from if home else parcel.city_to).upper() + " 1",
        "event": event if step % 2 else int(event),  # text in some answers, a number in newer ones
        "eventName": TEXTS.get(code, ""),
        "country": "Україна",
        "eventReason": "відправнику" if reason else None,
        "eventReason_id": int(reason or 1),
        "mailType": 4096,
        "indexOrder": 1,
        "emulator": MARK,
    }


def _local(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S")


def make(clock: Clock, seconds_per_step: float) -> UkrposhtaEmulator:
    """An emulator for the demonstration: accepts any secret, makes parcels up at first sight."""
    return UkrposhtaEmulator(clock, seconds_per_step)
