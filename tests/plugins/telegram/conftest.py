"""A Telegram channel, its own samples, and an emulator to poll."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from hub.sdk import Event, Outcome, OutcomeKind, RawDelivery
from hub.testing.contract_channel import JSON, RECEIVED_AT, post
from hub.testing.emulators.telegram import TelegramEmulator
from hub.testing.host import LoopbackHost
from plugins.telegram.bot import HEADER, Telegram
from plugins.telegram.plugin import create
from plugins.telegram.settings import TelegramSettings
from plugins.telegram.updates import Reader, load

pytest.importorskip(
    "telegram", reason='python-telegram-bot is not installed (pip install "omni-hub[telegram]")'
)

FIXTURES = Path(__file__).parent / "fixtures"
BOT = "7000000001"
TOKEN = f"{BOT}:emulated-secret_part"
OUTCOME = Outcome(kind=OutcomeKind.ACCEPTED, request_id="1")


def make_channel(host: LoopbackHost | None = None, account: str = "shop-bot", **overrides: Any) -> Telegram:
    return create(
        account, TelegramSettings.model_validate({"token": TOKEN, **overrides}), host or LoopbackHost()
    )


def pulled(body: bytes) -> RawDelivery:
    return RawDelivery(
        account="shop-bot",
        method="PULL",
        path="",
        headers={},
        query={},
        body=body,
        address="",
        received_at=RECEIVED_AT,
    )


def delivered(channel: Telegram, body: bytes) -> RawDelivery:
    return post(body, JSON, headers={HEADER: channel._secret}, account="shop-bot")


def read(name: str, **options: Any) -> Event:
    return read_update(load((FIXTURES / f"made_{name}.json").read_bytes()), **options)


def read_update(update: Any, **options: Any) -> Event:
    (event,) = Reader(bot=BOT, **options).parse(update).events
    return event


class Polling:
    """A hub that polls: stores what came with its position, then goes on from there."""

    def __init__(self, channel: Telegram) -> None:
        self.channel = channel
        self.position = ""
        self.stored: dict[str, Event] = {}

    async def round(self, wait_s: float = 0, *, crash: bool = False) -> list[Event]:
        """One pull; `crash` loses what it brought before it is stored."""
        answer = await self.channel.pull(self.position, wait_s)
        if crash:
            return []
        found = []
        for delivery in answer.deliveries:
            raw = pulled(delivery.body)
            key = self.channel.verify(raw).external_id
            assert key is not None
            (event,) = self.channel.parse(raw).events
            if key not in self.stored:
                self.stored[key] = event
                found.append(event)
            self.position = delivery.position
        if answer.deliveries:
            await self.channel.taken([answer.deliveries[-1].position])
        return found


@pytest.fixture
async def emulator() -> AsyncIterator[TelegramEmulator]:
    emulator = TelegramEmulator(token=TOKEN, retry_s=0.001, hang_s=5)
    await emulator.start()
    yield emulator
    await emulator.stop()


@pytest.fixture
async def connect(emulator: TelegramEmulator) -> AsyncIterator[Callable[..., Telegram]]:
    """Makes channels of the emulated bot; closed afterwards."""
    made: list[Telegram] = []

    def make(**overrides: Any) -> Telegram:
        made.append(make_channel(**{"base_url": emulator.base_url, **overrides}))
        return made[-1]

    yield make
    for channel in made:
        await channel.close()


@pytest.fixture
def polling(connect: Callable[..., Telegram]) -> Polling:
    return Polling(connect())


def as_update(**content: Any) -> bytes:
    return orjson.dumps({"update_id": 1, **content})
