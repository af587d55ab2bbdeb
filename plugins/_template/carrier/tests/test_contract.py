"""The compulsory checks of a carrier, without an account and without the Internet."""

import json
from collections.abc import Mapping
from pathlib import Path

import httpx

from hub.sdk import Carrier, Host, Status, TrackingNumber
from hub.testing.contract_carrier import CarrierContract
from hub.testing.situations import Situation
from plugins._template.carrier.example_carrier.plugin import PLUGIN, ExampleCarrier
from plugins._template.carrier.example_carrier.settings import ExampleCarrierSettings
from plugins._template.carrier.example_carrier.tracking import read_answer

FIXTURES = Path(__file__).parent / "fixtures"
KEYS = {"api_key": "the-key-of-the-tests"}


class TestExampleCarrier(CarrierContract):
    plugin = PLUGIN
    settings = KEYS
    secrets = tuple(KEYS.values())
    # FILL IN: two well-formed numbers, made up, and codes of the table.
    numbers = (TrackingNumber(number="100000000001"), TrackingNumber(number="100000000002"))
    known_codes = ("30", "40")

    def make(self, host: Host, base_url: str) -> Carrier:
        settings = ExampleCarrierSettings.model_validate({**KEYS, "base_url": base_url})
        return ExampleCarrier("account", settings, host)

    def answer(self, request: httpx.Request, codes: Mapping[str, str]) -> httpx.Response:
        """The carrier's answer to this call, as its documentation has it."""
        # FILL IN: what was asked, and the answer.
        asked = json.loads(request.content)["numbers"]
        parcels = [
            {"number": number, "code": code, "text": "x", "at": "2026-03-04T11:32:17", "place": "Lviv"}
            for number, code in codes.items()
            if number in asked
        ]
        return httpx.Response(200, json={"parcels": parcels})

    def reply(self, request: httpx.Request, situation: Situation) -> httpx.Response:
        """The carrier's answer to `check`."""
        # FILL IN: that answer.
        return httpx.Response(200, json={"name": "My shop"})


def test_an_answer_says_what_the_carrier_told() -> None:
    # FILL IN: what stands in answer.json.
    answer = read_answer((FIXTURES / "answer.json").read_bytes(), ["100000000001"])
    [newest] = answer.tracked[0].observations
    assert (newest.status, newest.place) == (Status.ARRIVED, "Lviv")
    assert newest.facts.cod_expected == 125_000
