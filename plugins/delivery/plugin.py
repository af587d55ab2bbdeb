"""Delivery (Делівері): follows cargo by its receipt number, one call each, without a key."""

from __future__ import annotations

from collections.abc import Sequence

from hub.sdk import (
    Carrier,
    CarrierCapabilities,
    CarrierPlugin,
    Host,
    NotTracked,
    Problem,
    Recognition,
    Register,
    TrackAnswer,
    Tracked,
    TrackingNumber,
    hookimpl,
)
from plugins.delivery.client import DeliveryClient
from plugins.delivery.numbers import recognise, wire_number
from plugins.delivery.receipt import read_receipt
from plugins.delivery.settings import DeliverySettings


class Delivery(Carrier):
    """The public tracking; an account has no credentials."""

    def __init__(self, account: str, settings: DeliverySettings, host: Host) -> None:
        self.account = account
        self.capabilities = CarrierCapabilities(
            batch_size=1,
            calls_per_minute=settings.calls_per_minute,
            parallel_calls=1,
            tracks_without_key=True,
            reports_money=True,
            tracking_page=settings.tracking_page,
        )
        self._client = DeliveryClient(settings, host.http)

    def looks_like(self, text: str) -> Recognition:
        """Ten digits may be ours."""
        return recognise(text)

    async def track(self, numbers: Sequence[TrackingNumber]) -> TrackAnswer:
        """One call a number; the hub spreads them by `calls_per_minute`."""
        found: list[Tracked] = []
        problems: list[NotTracked] = []
        for number in dict.fromkeys(one.number for one in numbers):
            wire = wire_number(number)
            if wire is None:
                problems.append(
                    NotTracked(
                        number=number,
                        problem=Problem.BAD_NUMBER,
                        message="a Delivery receipt has 10 digits; a zero in front belongs to it",
                    )
                )
                continue
            entry = read_receipt(number, await self._client.receipt(wire))
            if isinstance(entry, Tracked):
                found.append(entry)
            else:
                problems.append(entry)
        return TrackAnswer(tracked=tuple(found), problems=tuple(problems))

    async def check(self) -> str:
        """Is the service there? There are no credentials to try."""
        await self._client.regions()
        return "the public tracking answers; it needs no key"


PLUGIN = CarrierPlugin(
    name="delivery",
    title={"en": "Delivery", "uk": "Делівері"},
    settings=DeliverySettings,
    create=Delivery,
    version="1.0.0",
    homepage="https://www.delivery-auto.com/",
)


@hookimpl
def hub_register(register: Register) -> None:
    """Offer the carrier."""
    register.carrier(PLUGIN)
