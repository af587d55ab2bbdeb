"""The carrier kit against the bridge, with a karrio that speaks HTTP to the kit's scripted answers.

The stand-in has karrio's face (gateway, Tracking.fetch, parse) and does what karrio's connectors do: refusals become
messages, whatever goes wrong on the wire is raised. It is no proof of karrio's behaviour. Two checks of the kit
are met in another way, each with its reason, because karrio hides what they ask for.
"""

import asyncio
import importlib
import itertools
import sys
import threading
import types
from collections.abc import Mapping
from types import SimpleNamespace

import httpx
import pytest

from hub.sdk import Carrier, Host, Throttled, TrackingNumber
from hub.testing.contract_carrier import BASE_URL, CarrierContract
from hub.testing.host import LoopbackHost

bridge = importlib.import_module("hub_karrio_bridge.plugin")  # of another distribution

SECRET = "the-consumer-secret"
NUMBER = "1234567890"
OTHER = "1234567891"

NO_TIME = {"date": None, "time": None, "timestamp": None}
_transports: dict[str, httpx.BaseTransport] = {}
_turn = itertools.count()


def fetch(number, keys):
    """(details, messages) of one number, over the transport of the account that asks."""
    with httpx.Client(transport=_transports[keys["transport"]]) as client:
        reply = client.get(f"{BASE_URL}track/{number}", headers={"DHL-API-Key": keys["consumer_secret"]})
    if reply.status_code >= 400:
        return [], [SimpleNamespace(code=str(reply.status_code), message=reply.text)]
    details = [
        SimpleNamespace(
            tracking_number=one["number"],
            status="in_transit",
            estimated_delivery=None,
            events=[
                SimpleNamespace(**{"date": None, "time": None, "timestamp": None} | event)
                for event in one["events"]
            ],
        )
        for one in reply.json()["shipments"]
    ]
    return details, []


@pytest.fixture(autouse=True)
def karrio(monkeypatch):
    def create(keys):
        return keys

    gateway = SimpleNamespace(create=create)
    sdk = types.ModuleType("karrio.sdk")
    sdk.__dict__.update(
        gateway={"dhl_universal": gateway},
        Tracking=SimpleNamespace(
            fetch=lambda asked: SimpleNamespace(
                from_=lambda keys: SimpleNamespace(parse=lambda: fetch(asked["tracking_numbers"][0], keys))
            )
        ),
    )
    monkeypatch.setitem(sys.modules, "karrio", types.ModuleType("karrio"))
    monkeypatch.setitem(sys.modules, "karrio.sdk", sdk)
    yield
    _transports.clear()


class TestKarrioBridge(CarrierContract):
    plugin = bridge.plugin_of("dhl_universal", "DHL")
    settings = {"credentials": {"consumer_key": "k", "consumer_secret": SECRET}}
    numbers = (TrackingNumber(number=NUMBER), TrackingNumber(number=OTHER))
    known_codes = ("picked_up", "delivered", "out_for_delivery")
    secrets = (SECRET,)
    asks_on_check = False

    def make(self, host: Host, base_url: str) -> Carrier:
        token = str(next(_turn))
        transport = getattr(host.http, "_transport", None)
        _transports[token] = (
            transport if isinstance(transport, httpx.MockTransport) else httpx.MockTransport(nowhere)
        )
        keys = {"consumer_key": "k", "consumer_secret": SECRET, "transport": token}
        settings = bridge.KarrioSettings.model_validate({"credentials": keys})
        carrier: Carrier = bridge.KarrioCarrier("dhl_universal", settings)
        return carrier

    def answer(self, request: httpx.Request, codes: Mapping[str, str]) -> httpx.Response:
        asked = request.url.path.rsplit("/", 1)[-1]
        return httpx.Response(
            200,
            json={
                "shipments": [
                    {"number": number, "events": [shown(code)]}
                    for number, code in codes.items()
                    if number == asked
                ]
            },
        )

    def test_429_is_throttled_for_as_long_as_the_carrier_says(self) -> None:
        """karrio keeps the header to itself: the hub's own pause counts."""
        with pytest.raises(Throttled) as caught:
            self.track(lambda _: httpx.Response(429, headers={"retry-after": "7"}))
        assert caught.value.retry_after_s is None

    def test_a_call_can_be_stopped(self) -> None:
        """The thread goes on to karrio's own end; whoever asked is free at once."""
        let_go = threading.Event()

        def hang(request: httpx.Request) -> httpx.Response:
            let_go.wait(20)
            return httpx.Response(503)

        async def run() -> bool:
            async with LoopbackHost(transport=httpx.MockTransport(hang)) as host:
                asking = asyncio.ensure_future(self.make(host, BASE_URL).track(self.batch()))
                await asyncio.sleep(0.05)
                asking.cancel()
                await asyncio.wait({asking}, timeout=2)
                let_go.set()
                return asking.cancelled()

        assert asyncio.run(run())


def shown(code: str) -> dict[str, str]:
    """An event of a carrier whose word for the status is its code."""
    return {
        "code": code,
        "status": code,
        "description": "text",
        "location": "Berlin",
        "timestamp": "2026-03-04T12:00:00Z",
    }


def nowhere(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("no network here", request=request)
