"""A web form channel and its deliveries, as every test here needs them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from hub.sdk import Channel, Event, RawDelivery
from hub.testing.contract_channel import JSON, URLENCODED, post
from hub.testing.host import LoopbackHost
from plugins.web_form.plugin import WebForm
from plugins.web_form.settings import WebFormSettings

FIXTURES = Path(__file__).parent / "fixtures"
MEDIA_TYPES = {".json": JSON, ".form": URLENCODED, ".multipart": "multipart/form-data; boundary=X"}


def make_channel(**overrides: Any) -> Channel:
    return WebForm("shop", WebFormSettings.model_validate(overrides), LoopbackHost())


def delivery(body: bytes | dict[str, Any], media_type: str = "", **more: Any) -> RawDelivery:
    """A dict becomes JSON; bytes are urlencoded unless told otherwise."""
    if isinstance(body, dict):
        return post(orjson.dumps(body), media_type or JSON, account="shop", **more)
    return post(body, media_type or URLENCODED, account="shop", **more)


def sample(path: Path) -> RawDelivery:
    return delivery(path.read_bytes(), MEDIA_TYPES[path.suffix])


@pytest.fixture
def channel() -> Channel:
    return make_channel()


@pytest.fixture
def fixture() -> Callable[[str], RawDelivery]:
    return lambda name: sample(FIXTURES / name)


@pytest.fixture
def event(channel: Channel) -> Callable[..., Event]:
    """The event of a body."""

    def read(body: bytes | dict[str, Any], media_type: str = "", **more: Any) -> Event:
        (only,) = channel.parse(delivery(body, media_type, **more)).events
        return only

    return read


@pytest.fixture(name="make_channel")
def make_channel_fixture() -> Callable[..., Channel]:
    return make_channel


@pytest.fixture(name="delivery")
def delivery_fixture() -> Callable[..., RawDelivery]:
    return delivery


@pytest.fixture(name="sample")
def sample_fixture() -> Callable[[Path], RawDelivery]:
    return sample
