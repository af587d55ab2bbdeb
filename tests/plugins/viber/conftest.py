"""A Viber channel, its own samples, and an emulator that delivers to a server of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from hub.sdk import DeliveryRejected, Event, Outcome, OutcomeKind, RawDelivery
from hub.testing.contract_channel import JSON, RECEIVED_AT, post
from hub.testing.emulators.viber import ViberEmulator
from hub.testing.host import LoopbackHost
from plugins.viber import events, signature
from plugins.viber.plugin import Viber
from plugins.viber.settings import ViberSettings

FIXTURES = Path(__file__).parent / "fixtures"
TOKEN = "4f1f5b3c2d1e0a9b-emulated-token"


def make_channel(host: LoopbackHost | None = None, **overrides: Any) -> Viber:
    keys = {"token": TOKEN, "sender_name": "Крамниця", **overrides}
    return Viber("shop-viber", ViberSettings.model_validate(keys), host or LoopbackHost())


def signed(body: bytes, token: str = TOKEN) -> RawDelivery:
    return post(body, JSON, headers={signature.HEADER: signature.sign(token.encode(), body)})


def read(name: str) -> Event:
    (event,) = events.parse(events.load((FIXTURES / f"made_{name}.json").read_bytes())).events
    return event


class Hub:
    """What stands between the emulator and the plugin: receives, verifies, answers; remembers what came."""

    def __init__(self, channel: Viber) -> None:
        self.channel = channel
        self.url = ""
        self.status = 200
        self.refused: list[str] = []
        self.taken: dict[str, Event] = {}
        self.offered = 0
        self.order: list[str] = []

    async def receive(self, request: web.Request) -> web.Response:
        self.offered += 1
        raw = RawDelivery(
            account="shop-viber",
            method="POST",
            path="",
            headers={key.lower(): value for key, value in request.headers.items()},
            query=dict(request.query),
            body=await request.read(),
            address="127.0.0.1",
            received_at=RECEIVED_AT,
        )
        if self.status != 200:
            return web.Response(status=self.status)
        try:
            key = self.channel.verify(raw).external_id
        except DeliveryRejected as rejected:
            self.refused.append(rejected.reason)
            return web.Response(status=rejected.status)
        assert key is not None
        repeated = key in self.taken
        if not repeated:
            (self.taken[key],) = self.channel.parse(raw).events
            self.order.append(key)
        answer = self.channel.answer(
            Outcome(kind=OutcomeKind.ACCEPTED, request_id="1", repeated=repeated), raw
        )
        return web.Response(status=answer.status, body=answer.body, content_type=answer.media_type)

    def events(self, kind: Any) -> list[Event]:
        return [event for event in self.taken.values() if event.kind is kind]


@pytest.fixture
async def emulator() -> AsyncIterator[ViberEmulator]:
    emulator = ViberEmulator(token=TOKEN, retry_s=0.001, receipts=(), hang_s=5)
    await emulator.start()
    yield emulator
    await emulator.stop()


@pytest.fixture
async def another() -> AsyncIterator[Callable[..., Viber]]:
    """Makes further channels over real connections; closed afterwards."""
    hosts: list[LoopbackHost] = []

    def make(**overrides: Any) -> Viber:
        hosts.append(LoopbackHost(timeout_s=2))
        return make_channel(hosts[-1], **overrides)

    yield make
    for host in hosts:
        await host.http.close()


@pytest.fixture
async def hub(emulator: ViberEmulator, aiohttp_server: Callable[..., Any]) -> AsyncIterator[Hub]:
    """Connected: the plugin has set its web hook at the emulator."""
    async with LoopbackHost(timeout_s=2) as host:
        hub = Hub(make_channel(host, base_url=emulator.base_url))
        app = web.Application()
        app.router.add_post("/in/shop-viber", hub.receive)
        server = await aiohttp_server(app)
        hub.url = str(server.make_url("/in/shop-viber"))
        await hub.channel.open_webhook(hub.url)
        yield hub
