"""Viber passes the checks of every channel."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import httpx

from hub.sdk import Channel, Host, RawDelivery
from hub.testing.contract_channel import JSON, ChannelContract, Signature, post
from hub.testing.situations import Situation
from plugins.viber import plugin as module
from plugins.viber import signature
from plugins.viber.settings import ViberSettings
from tests.plugins.viber.conftest import FIXTURES, TOKEN, make_channel


def sign(raw: RawDelivery, secret: str) -> RawDelivery:
    proof = signature.sign(secret.encode(), raw.body)
    return replace(raw, headers={**raw.headers, signature.HEADER: proof})


class TestViber(ChannelContract):
    plugin = module.PLUGIN
    settings: ClassVar[dict[str, Any]] = {"token": TOKEN, "sender_name": "Крамниця"}
    secrets = (TOKEN,)
    signature = Signature(header=signature.HEADER, secret=TOKEN, sign=sign, setting="token")
    file_ref = "https://chatapi.viber.com/media/1.jpg"

    def make(self, **overrides: Any) -> Channel:
        return make_channel(**overrides)

    def good_deliveries(self) -> Sequence[RawDelivery]:
        # The validation call may come unsigned; it has tests of its own.
        files = [path for path in sorted(FIXTURES.glob("*.json")) if path.stem != "made_webhook"]
        return [post(path.read_bytes(), JSON) for path in files]

    def strange_deliveries(self) -> Sequence[RawDelivery]:
        return [post(b'{"event":"brand_new","message_token":7,"x":[{}]}', JSON)]

    def wired(self, host: Host) -> Channel:
        return module.Viber("account", ViberSettings.model_validate(self.settings), host)

    def reply(self, request: httpx.Request, situation: Situation) -> httpx.Response:
        if request.method == "GET":
            found = situation is not Situation.GONE
            return httpx.Response(200 if found else 404, content=b"jpeg" if found else b"")
        if request.url.path.endswith("send_message") and situation is Situation.GONE:
            return httpx.Response(200, json={"status": 6, "status_message": "receiverNotSubscribed"})
        told = {"status": 0, "status_message": "ok", "message_token": 5741311803571721087, "name": "Крамниця"}
        return httpx.Response(200, json={**told, "webhook": "https://hub.example/in/account"})


def test_the_hook_registers_the_channel():
    registered = []

    class Register:
        def channel(self, plugin, /):
            registered.append(plugin)

        def carrier(self, plugin, /):
            raise AssertionError("this plugin offers no carrier")

    module.hub_register(Register())
    assert [plugin.name for plugin in registered] == ["viber"]
