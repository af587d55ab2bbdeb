"""Example carrier: follows parcels by their numbers, a batch a call."""

from collections.abc import Sequence

from hub.sdk import (
    AnswerUnreadable,
    Carrier,
    CarrierCapabilities,
    CarrierPlugin,
    Host,
    Recognition,
    Register,
    TrackAnswer,
    TrackingNumber,
    hookimpl,
)
from hub.sdk.reading import read_object

from plugins._template.carrier.example_carrier.client import ExampleCarrierClient
from plugins._template.carrier.example_carrier.numbers import recognise
from plugins._template.carrier.example_carrier.settings import ExampleCarrierSettings
from plugins._template.carrier.example_carrier.tracking import read_answer


class ExampleCarrier(Carrier):
    """One account of the carrier."""

    def __init__(self, account: str, settings: ExampleCarrierSettings, host: Host) -> None:
        self.account = account
        # FILL IN: how many numbers a call takes, and what else the carrier can do.
        self.capabilities = CarrierCapabilities(
            batch_size=50, calls_per_minute=settings.calls_per_minute, reports_money=True
        )
        self._client = ExampleCarrierClient(settings, host.http)

    def looks_like(self, text: str) -> Recognition:
        """By its form alone."""
        return recognise(text)

    async def track(self, numbers: Sequence[TrackingNumber]) -> TrackAnswer:
        """One call for the whole batch."""
        asked = [one.number for one in numbers]
        return read_answer(await self._client.track(asked), asked) if asked else TrackAnswer()

    async def check(self) -> str:
        """Try the key."""
        if read_object(await self._client.ping()) is None:
            raise AnswerUnreadable("the answer is no JSON object")
        return "the key is accepted"


PLUGIN = CarrierPlugin(
    name="example_carrier",
    # FILL IN: the name in both languages, and the carrier's page.
    title={"en": "Example carrier", "uk": "Example carrier"},
    settings=ExampleCarrierSettings,
    create=ExampleCarrier,
    version="0.1.0",
    needs_sdk="1.1",
    homepage="",
)


@hookimpl
def hub_register(register: Register) -> None:
    """Offer the carrier."""
    register.carrier(PLUGIN)
