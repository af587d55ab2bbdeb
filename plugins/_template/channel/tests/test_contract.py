"""The compulsory checks of a channel, without an account and without the Internet."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from hub.sdk import Channel, Host, RawDelivery, Sender
from hub.testing.contract_channel import ChannelContract, Signature, post
from hub.testing.host import LoopbackHost
from hub.testing.situations import Situation
from plugins._template.channel.example_channel.plugin import PLUGIN, ExampleChannel
from plugins._template.channel.example_channel.settings import ExampleChannelSettings
from plugins._template.channel.example_channel.signature import HEADER, proof

FIXTURES = Path(__file__).parent / "fixtures"
KEYS = {"token": "the-token-of-the-tests", "secret": "the-secret-of-the-tests"}


def sign(raw: RawDelivery, secret: str) -> RawDelivery:
    return replace(raw, headers={**raw.headers, HEADER: proof(raw.body, secret)})


class TestExampleChannel(ChannelContract):
    plugin = PLUGIN
    settings = KEYS
    secrets = tuple(KEYS.values())
    signature = Signature(header=HEADER, secret=KEYS["secret"], sign=sign, setting="secret")
    to = Sender(channel_id="u-17")

    def make(self, **overrides: Any) -> Channel:
        settings = ExampleChannelSettings.model_validate({**KEYS, **overrides})
        return ExampleChannel("account", settings, LoopbackHost())

    def wired(self, host: Host) -> Channel:
        return ExampleChannel("account", ExampleChannelSettings.model_validate(KEYS), host)

    def good_deliveries(self) -> Sequence[RawDelivery]:
        return [post((FIXTURES / "message.json").read_bytes())]

    def strange_deliveries(self) -> Sequence[RawDelivery]:
        return [post((FIXTURES / "unknown.json").read_bytes())]

    def reply(self, request: httpx.Request, situation: Situation) -> httpx.Response:
        """The service's own answers, as its documentation has them."""
        # FILL IN: the answer for somebody who cannot be written to, to `check`, and to a message.
        if situation is Situation.GONE:
            return httpx.Response(404, json={"error": "no such person"})
        if request.url.path.endswith("/me"):
            return httpx.Response(200, json={"name": "My shop"})
        return httpx.Response(201, json={"id": "m-2001"})


def test_the_message_says_what_the_service_told() -> None:
    [event] = TestExampleChannel().make().parse(post((FIXTURES / "message.json").read_bytes())).events
    # FILL IN: what stands in message.json.
    assert (event.sender.channel_id, event.text) == ("u-17", "Good day! Is size 42 there?")
