"""The web form passes the checks of every channel: as anybody's form, signed, and with Turnstile."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from hub.sdk import Channel, Host, RawDelivery
from hub.testing.contract_channel import JSON, RECEIVED_AT, URLENCODED, ChannelContract, Signature, post
from hub.testing.host import LoopbackHost
from hub.testing.situations import Situation
from plugins.web_form import signature
from plugins.web_form.plugin import PLUGIN, WebForm
from plugins.web_form.settings import WebFormSettings
from tests.plugins.web_form.made import PDF, PNG, multipart, multipart_type

FIXTURES = Path(__file__).parent / "fixtures"
SECRET = "a-secret-of-the-shop-and-its-hub"
TURNSTILE = "0x4AAAAAAA-turnstile-secret"
BODY = b'{"name":"Olena Testova","email":"olena.testova@example.com","message":"What does it cost?"}'


def deliveries() -> list[RawDelivery]:
    recorded = [post(path.read_bytes(), JSON) for path in sorted(FIXTURES.glob("*.json"))]
    recorded += [post(path.read_bytes(), URLENCODED) for path in sorted(FIXTURES.glob("*.form"))]
    recorded += [
        post(path.read_bytes(), multipart_type("X")) for path in sorted(FIXTURES.glob("*.multipart"))
    ]
    fields = {"name": "Ivan Testenko", "phone": "0500000000", "_kind": "order"}
    return [
        *recorded,
        post(b"test=test", URLENCODED),
        post(b"webhook_id=7", URLENCODED),
        post(BODY, JSON, headers={"idempotency-key": "5f0a9d3e"}),
        post(BODY, "text/plain;charset=UTF-8"),
        post(b"name=Ivan&website=http://spam.example", URLENCODED),
        post(b"name=Ivan+Testenko&phone=0500000000&_nonce=abcDEF123", URLENCODED, query={"lang": "uk"}),
        post(multipart(fields, [("files", "a.png", PNG), ("files", "b.pdf", PDF)]), multipart_type()),
    ]


class TestWebForm(ChannelContract):
    plugin = PLUGIN
    pages = ("/form", "/thanks", "/form.js", "/form.json")

    def make(self, **overrides: Any) -> Channel:
        return WebForm("account", WebFormSettings.model_validate(overrides), LoopbackHost())

    def good_deliveries(self) -> Sequence[RawDelivery]:
        return deliveries()

    def applies(self, need: str) -> bool:
        return need != "checks" and super().applies(need)  # without Turnstile there is nothing to call


def sign(raw: RawDelivery, secret: str) -> RawDelivery:
    timestamp = str(int(raw.received_at.timestamp()))
    proof = signature.sign(secret.encode(), timestamp, raw.body)
    return replace(raw, headers={**raw.headers, "x-timestamp": timestamp, "x-signature": proof})


class TestSignedWebForm(ChannelContract):
    """With a secret: server to server, no pages."""

    plugin = PLUGIN
    settings = {"secret": SECRET}
    secrets = (SECRET,)
    signature = Signature(
        header="x-signature", secret=SECRET, sign=sign, window_s=signature.WINDOW_S, setting="secret"
    )
    depends_on_settings = frozenset({"has_page"})

    def make(self, **overrides: Any) -> Channel:
        settings = WebFormSettings.model_validate({"secret": SECRET, **overrides})
        return WebForm("account", settings, LoopbackHost())

    def good_deliveries(self) -> Sequence[RawDelivery]:
        return deliveries()

    def applies(self, need: str) -> bool:
        return need != "checks" and super().applies(need)


class TestWebFormWithTurnstile(ChannelContract):
    """With Turnstile: calls Cloudflare, in `ask` and `check` only."""

    plugin = PLUGIN
    settings = {"turnstile_site_key": "1x00000000000000000000AA", "turnstile_secret": TURNSTILE}
    secrets = (TURNSTILE,)
    pages = ("/form", "/thanks", "/form.js", "/form.json")

    def make(self, **overrides: Any) -> Channel:
        return WebForm(
            "account", WebFormSettings.model_validate({**self.settings, **overrides}), LoopbackHost()
        )

    def good_deliveries(self) -> Sequence[RawDelivery]:
        return deliveries()[-3:]  # how a body is read does not depend on Turnstile

    def wired(self, host: Host) -> Channel:
        settings = {**self.settings, "turnstile_base_url": "https://challenges.invalid"}
        return WebForm("account", WebFormSettings.model_validate(settings), host)

    def reply(self, request: httpx.Request, situation: Situation) -> httpx.Response:
        return httpx.Response(200, json={"success": False, "error-codes": ["missing-input-response"]})


def test_checks_of_signatures_are_absent_for_a_channel_that_does_not_sign() -> None:
    assert not [
        name
        for name in dir(TestWebForm)
        if name.startswith("test") and "signature" in name and callable(getattr(TestWebForm, name))
    ]


def test_the_moment_of_the_kit_is_the_moment_of_the_host() -> None:
    """Nonces of the hosted page are made by the host's clock and checked by the delivery's."""
    assert LoopbackHost().clock.now() == RECEIVED_AT.timestamp() * 1000
