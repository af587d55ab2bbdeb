"""The compulsory checks of a carrier."""

from collections.abc import Mapping

import httpx

from hub.sdk import Carrier, Host, TrackingNumber
from hub.testing.contract_carrier import CarrierContract
from plugins.delivery.plugin import PLUGIN, Delivery
from plugins.delivery.settings import DeliverySettings
from tests.plugins.delivery.made import NUMBER, OTHER, envelope, receipt


class TestDelivery(CarrierContract):
    plugin = PLUGIN
    numbers = (TrackingNumber(number=NUMBER), TrackingNumber(number=OTHER))
    known_codes = ("0", "7")
    bad_number = "445"

    def make(self, host: Host, base_url: str) -> Carrier:
        return Delivery("delivery", DeliverySettings.model_validate({"base_url": base_url}), host)

    def answer(self, request: httpx.Request, codes: Mapping[str, str]) -> httpx.Response:
        number = request.url.params["number"]
        if number not in codes:
            return httpx.Response(200, content=envelope(None, status=False))
        return httpx.Response(200, content=envelope(receipt(int(codes[number]), number)))
