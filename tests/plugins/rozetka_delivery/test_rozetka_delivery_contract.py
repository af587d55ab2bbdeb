"""The compulsory checks of a carrier: before the login, and with a token in the store."""

import base64
import json
from collections.abc import Mapping

import httpx

from hub.sdk import Carrier, Host, TrackingNumber
from hub.testing.contract_carrier import CarrierContract
from hub.testing.host import LoopbackHost
from hub.testing.situations import Situation
from plugins.rozetka_delivery.client import STORE_KEY
from plugins.rozetka_delivery.plugin import PLUGIN, STATUS_LIST, RozetkaDelivery
from plugins.rozetka_delivery.settings import RozetkaDeliverySettings
from tests.plugins.rozetka_delivery.made import (
    NUMBER,
    OTHER,
    PASSWORD,
    PHONE,
    TOKEN,
    USER,
    content,
    listed,
    model,
)


class TestRozetkaDelivery(CarrierContract):
    plugin = PLUGIN
    numbers = (TrackingNumber(number=NUMBER), TrackingNumber(number=OTHER))
    known_codes = ("10030", "60030")
    bad_number = "??"
    secrets = (USER, PASSWORD, base64.b64encode(PASSWORD.encode()).decode(), TOKEN, PHONE)

    def make(self, host: Host, base_url: str) -> Carrier:
        settings = RozetkaDeliverySettings.model_validate(
            {"base_url": base_url, "username": USER, "password": PASSWORD}
        )
        return RozetkaDelivery("rozetka", settings, host)

    def answer(self, request: httpx.Request, codes: Mapping[str, str]) -> httpx.Response:
        if request.url.path == "/sites":
            told = json.loads(request.content)
            assert base64.b64decode(told["password"]).decode() == PASSWORD
            return httpx.Response(200, content=content({"access_token": TOKEN}))
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        number = request.url.params["ttn"]
        models = [model(codes[number], number)] if number in codes else []
        return httpx.Response(200, content=listed(*models))

    def reply(self, request: httpx.Request, situation: Situation) -> httpx.Response:
        if request.url.path == "/sites":
            return httpx.Response(200, content=content({"access_token": TOKEN}))
        if request.url.path == STATUS_LIST:
            return httpx.Response(200, content=content({}))
        return httpx.Response(200, content=listed(*([model("10030")] if situation is Situation.WELL else [])))


class TestRozetkaDeliveryLoggedIn(TestRozetkaDelivery):
    """Every fault meets the list itself, not the login."""

    def make(self, host: Host, base_url: str) -> Carrier:
        assert isinstance(host, LoopbackHost)
        host.store._values[STORE_KEY] = TOKEN
        return super().make(host, base_url)
