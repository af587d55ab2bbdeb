"""Telegram passes the checks of every channel."""

import importlib.util
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, ClassVar

import httpx
import pytest
import respx

from hub.sdk import Channel, RawDelivery, SettingsRejected
from hub.testing.contract_channel import JSON, ChannelContract, Signature, post
from hub.testing.situations import Situation, scripted
from plugins.telegram import plugin as module
from plugins.telegram.bot import HEADER
from tests.plugins.telegram.conftest import BOT, FIXTURES, TOKEN, make_channel

KIT_TOKEN = f"{BOT}:86420097531"
"""Turned round it is a token too: the kit does so."""


def sign(raw: RawDelivery, token: str) -> RawDelivery:
    return replace(raw, headers={**raw.headers, HEADER: make_channel(account="account", token=token)._secret})


class TestPolledTelegram(ChannelContract):
    """Over python-telegram-bot, whose calls respx answers."""

    plugin = module.PLUGIN
    settings: ClassVar[dict[str, Any]] = {"token": KIT_TOKEN}
    secrets = (KIT_TOKEN, KIT_TOKEN.partition(":")[2])
    file_ref = "AgACAgIAAxkBAAI000001"

    def make(self, **overrides: Any) -> Channel:
        return make_channel(
            account="account", **{**self.settings, "groups": True, "channel_posts": True, **overrides}
        )

    def good_deliveries(self) -> Sequence[RawDelivery]:
        paths = sorted(FIXTURES.glob("*.json"))
        return [replace(post(path.read_bytes(), JSON), method="PULL") for path in paths]

    def strange_deliveries(self) -> Sequence[RawDelivery]:
        return [
            replace(raw, body=b'{"update_id":9,"brand_new":{"x":[]}}') for raw in self.good_deliveries()[:1]
        ]

    @asynccontextmanager
    async def facing(self, situation: Situation) -> AsyncIterator[Channel]:
        answer = scripted(situation, self.reply)
        self.calls = 0

        def counted(request: httpx.Request) -> httpx.Response:
            self.calls += 1
            return answer(request)

        with respx.mock(assert_all_called=False) as router:
            router.route().mock(side_effect=counted)
            channel = self.make()
            try:
                yield channel
            finally:
                await channel.close()

    def reply(self, request: httpx.Request, situation: Situation) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, content=b"%PDF-1.7")
        method = request.url.path.rpartition("/")[2]
        if situation is Situation.GONE:
            words = {
                "sendMessage": (403, "Forbidden: bot was blocked by the user"),
                "getFile": (400, "Bad Request: wrong file_id or the file is temporarily unavailable"),
            }
            code, description = words[method]
            return httpx.Response(code, json={"ok": False, "error_code": code, "description": description})
        update = json.loads((FIXTURES / "made_text.json").read_bytes())
        results: dict[str, Any] = {
            "getMe": {"id": 1, "is_bot": True, "first_name": "Bot", "username": "shop_bot"},
            "getWebhookInfo": {
                "url": self.webhook,
                "pending_update_count": 0,
                "has_custom_certificate": False,
            },
            "getUpdates": [] if situation is Situation.QUIET else [update],
            "getFile": {
                "file_id": "x",
                "file_unique_id": "x",
                "file_size": 8,
                "file_path": "documents/file_1.pdf",
            },
        }
        return httpx.Response(200, json={"ok": True, "result": results.get(method, update["message"])})

    webhook = ""


class TestHookedTelegram(TestPolledTelegram):
    settings: ClassVar[dict[str, Any]] = {"token": KIT_TOKEN, "mode": "webhook"}
    signature = Signature(header=HEADER, secret=KIT_TOKEN, sign=sign, covers_body=False, setting="token")
    webhook = "https://hub.example/in/account"

    def good_deliveries(self) -> Sequence[RawDelivery]:
        return [replace(raw, method="POST") for raw in super().good_deliveries()]


def test_the_hook_registers_the_channel():
    registered = []

    class Register:
        def channel(self, plugin, /):
            registered.append(plugin)

        def carrier(self, plugin, /):
            raise AssertionError("this plugin offers no carrier")

    module.hub_register(Register())
    assert [plugin.name for plugin in registered] == ["telegram"]


def test_without_the_library_the_account_stays_off_and_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SettingsRejected, match=r"omni-hub\[telegram\]"):
        make_channel()


def test_the_mode_says_what_the_hub_has_to_do():
    poll, webhook = make_channel().capabilities, make_channel(mode="webhook").capabilities
    assert (poll.pulls, poll.receives, poll.registers) == (True, False, False)
    assert (webhook.pulls, webhook.receives, webhook.registers) == (False, True, True)


def test_settings_never_show_the_token():
    with pytest.raises(ValueError, match="BotFather") as error:
        make_channel(token="no colon here")
    assert "no colon" not in str(error.value.errors(include_input=False))  # type: ignore[attr-defined]
    assert TOKEN not in repr(make_channel()._settings)
