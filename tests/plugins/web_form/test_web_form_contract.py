"""The web form passes the checks of every channel."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hub.sdk import Channel, RawDelivery
from hub.testing.contract_channel import JSON, URLENCODED, ChannelContract, post
from hub.testing.host import LoopbackHost
from plugins.web_form.plugin import PLUGIN, WebForm
from plugins.web_form.settings import WebFormSettings

FIXTURES = Path(__file__).parent / "fixtures"


class TestWebForm(ChannelContract):
    plugin = PLUGIN
    pages = ("/form", "/thanks")

    def make(self, **overrides: Any) -> Channel:
        return WebForm("account", WebFormSettings.model_validate(overrides), LoopbackHost())

    def good_deliveries(self) -> Sequence[RawDelivery]:
        recorded = [post(path.read_bytes(), JSON) for path in sorted(FIXTURES.glob("*.json"))]
        recorded += [post(path.read_bytes(), URLENCODED) for path in sorted(FIXTURES.glob("*.form"))]
        body = b'{"name":"Olena Testova","email":"olena.testova@example.com","message":"What does it cost?"}'
        return [
            *recorded,
            post(b"test=test", URLENCODED),
            post(body, JSON, headers={"idempotency-key": "5f0a9d3e"}),
            post(body, "text/plain;charset=UTF-8"),
            post(b"name=Ivan&website=http://spam.example", URLENCODED),
            post(b"name=Ivan+Testenko&phone=0500000000&_nonce=abcDEF123", URLENCODED, query={"lang": "uk"}),
        ]


def test_checks_of_signatures_are_absent_for_a_channel_that_does_not_sign() -> None:
    assert not [
        name
        for name in dir(TestWebForm)
        if name.startswith("test") and "signature" in name and callable(getattr(TestWebForm, name))
    ]
