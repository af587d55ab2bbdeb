"""The compulsory checks of a carrier, and the registration."""

import json
from collections.abc import Mapping, Sequence
from typing import ClassVar

import httpx

from hub.sdk import Carrier, Host, TrackingNumber
from hub.testing.contract_carrier import CarrierContract
from plugins.ukrposhta import plugin as module
from plugins.ukrposhta.plugin import PLUGIN, Ukrposhta
from plugins.ukrposhta.settings import UkrposhtaSettings
from tests.plugins.ukrposhta.made import ECOM, NUMBER, OTHER, POSTAL, TOKEN, TRACKING, event


class TestUkrposhta(CarrierContract):
    plugin = PLUGIN
    numbers = tuple(TrackingNumber(number=number) for number in (NUMBER, OTHER, POSTAL))
    known_codes = ("10100", "21700", "41010")
    bad_number = "445"
    secrets: ClassVar[Sequence[str]] = (TRACKING, ECOM, TOKEN)

    def make(self, host: Host, base_url: str) -> Carrier:
        keys = {"bearer_tracking": TRACKING, "bearer_ecom": ECOM, "counterparty_token": TOKEN}
        return Ukrposhta("up", UkrposhtaSettings.model_validate({"base_url": base_url} | keys), host)

    def answer(self, request: httpx.Request, codes: Mapping[str, str]) -> httpx.Response:
        if "/ecom/" in request.url.path:
            return httpx.Response(404, json={"code": "UPE02000", "message": "Shipment not found"})
        asked = json.loads(request.content)
        found = {number: [event(code, number)] for number, code in codes.items() if number in asked}
        return httpx.Response(
            200, json={"found": found, "notFound": [one for one in asked if one not in found]}
        )

    def refusal(self, request: httpx.Request, number: str) -> httpx.Response | None:
        # It repeats what was sent, as gateways do: the secrets test looks whether that leaks.
        return httpx.Response(400, json={"code": "UPE02001", "message": f"{number} for {TRACKING}"})


class TestWithTrackingAlone(TestUkrposhta):
    """The same without eCom's two secrets."""

    secrets = (TRACKING,)

    def make(self, host: Host, base_url: str) -> Carrier:
        settings = UkrposhtaSettings.model_validate({"base_url": base_url, "bearer_tracking": TRACKING})
        return Ukrposhta("up", settings, host)


def test_the_hook_registers_the_carrier():
    registered = []

    class Register:
        def carrier(self, plugin, /):
            registered.append(plugin)

        def channel(self, plugin, /):
            raise AssertionError("this plugin offers no channel")

    module.hub_register(Register())
    assert [plugin.name for plugin in registered] == ["ukrposhta"]
