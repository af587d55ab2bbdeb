"""All bundled carriers with their emulators, for tests that ask the same of each."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from hub.sdk import Carrier, CarrierPlugin, TrackAnswer, TrackingNumber
from hub.testing.emulators.carrier_server import CarrierServer
from hub.testing.host import LoopbackHost

STEP_S = 3600


@dataclass(frozen=True)
class Kind:
    """One carrier: its settings beside `base_url`, and numbers of its form."""

    name: str
    settings: dict[str, Any]
    numbers: tuple[str, ...]
    shown_from: int = 0

    @property
    def plugin(self) -> CarrierPlugin:
        plugin: CarrierPlugin = importlib.import_module(f"plugins.{self.name}.plugin").PLUGIN
        return plugin

    def emulator(self, clock: Any, step_s: float = STEP_S) -> CarrierServer:
        made: CarrierServer = importlib.import_module(f"hub.testing.emulators.{self.name}").make(
            clock, step_s
        )
        return made


KINDS = (
    Kind("nova_poshta", {"api_key": "the-key"}, ("20450000000001", "20450000000002", "59000000000003")),
    Kind(
        "ukrposhta",
        {"bearer_tracking": "t"},  # with eCom's secrets it answers for what tracking leaves out
        ("0500300000013", "0500300000021", "RA067022855UA"),
        shown_from=1,
    ),
    Kind(
        "meest", {"username": "u", "password": "p"}, ("MYCV000000001UA", "MYCV000000002UA", "MYCV000000003UA")
    ),
    Kind("delivery", {}, ("0830000001", "0830000002", "0830000003")),
    Kind(
        "rozetka_delivery",
        {"username": "u", "password": "p"},
        ("UNK-400000001", "UNK-400000002", "UNK-400000003"),
    ),
)


@dataclass
class Scene:
    """A carrier's emulator, one account of its plugin, and one clock for both."""

    kind: Kind
    emulator: CarrierServer
    host: LoopbackHost
    base_url: str
    carrier: Carrier

    def step(self, steps: float = 1) -> None:
        """Let the parcels move on."""
        self.host.clock.move(round(steps * STEP_S * 1000))

    async def ask(self, *numbers: str) -> TrackAnswer:
        """Ask for numbers in batches as the hub would; by default as many as one call takes."""
        size = self.carrier.capabilities.batch_size
        asked: Sequence[str] = numbers or self.kind.numbers[:size]
        return await self.carrier.track([TrackingNumber(number=one) for one in asked])

    async def newest(self, number: str) -> Any:
        """The newest observation of a number."""
        return (await self.ask(number)).tracked[0].observations[-1]


@asynccontextmanager
async def scene(kind: Kind, timeout_s: float = 5.0) -> AsyncIterator[Scene]:
    """All parcels begun, and far enough to be seen."""
    async with LoopbackHost(timeout_s=timeout_s) as host:
        emulator = kind.emulator(host.clock)
        base_url = await emulator.start()
        settings = kind.plugin.settings.model_validate({"base_url": base_url} | kind.settings)
        carrier = kind.plugin.create(kind.name, settings, host)
        for number in kind.numbers:
            emulator.add_parcel(number, order_reference="800000001")
        made = Scene(kind, emulator, host, base_url, carrier)
        made.step(kind.shown_from)
        try:
            yield made
        finally:
            await carrier.close()
            await emulator.stop()
