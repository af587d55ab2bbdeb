"""client.py against the emulator of Turnstile: passed, refused, repeated, down."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from hub.kernel.clock import MINUTE, ManualClock
from hub.sdk import AuthenticationFailed, DeliveryRejected, TemporaryFailure
from hub.testing.emulators.turnstile import TurnstileEmulator
from hub.testing.host import START, LoopbackHost
from plugins.web_form.client import PASSED, token_of
from plugins.web_form.plugin import ASKED, WebForm
from plugins.web_form.settings import WebFormSettings
from tests.plugins.web_form.made import multipart, multipart_type

SECRET = "the-turnstile-secret"
FORM = {"name": "Ivan", "phone": "0501234567"}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
async def turnstile(clock) -> AsyncIterator[TurnstileEmulator]:
    emulator = TurnstileEmulator(SECRET, clock)
    emulator.base_url = await emulator.start()  # type: ignore[attr-defined]
    yield emulator
    await emulator.stop()


@pytest.fixture
async def make(turnstile) -> AsyncIterator:
    async with LoopbackHost() as host:

        def make(**overrides):
            settings = {
                "turnstile_site_key": "1x00",
                "turnstile_secret": SECRET,
                "turnstile_base_url": turnstile.base_url,
                "turnstile_timeout_s": 2.0,
                **overrides,
            }
            return WebForm("shop", WebFormSettings.model_validate(settings), host)

        yield make


def with_token(delivery, token: str):
    return delivery(FORM, headers={"cf-turnstile-response": token})


async def test_a_person_passes_and_a_repeat_of_his_post_passes_again(make, turnstile, delivery):
    """The second of two clicks brings the same token: idempotency_key makes Turnstile say the same again."""
    channel, raw = make(), with_token(delivery, turnstile.issue())
    assert await channel.ask(raw) == await channel.ask(raw) == PASSED
    assert turnstile.asked[0]["remoteip"] == raw.address
    heard = replace(raw, headers={**raw.headers, ASKED: PASSED})
    assert "turnstile" not in channel.parse(heard).events[0].source


@pytest.mark.parametrize("token", ["", "invented", "expired"])
async def test_without_a_good_token_nothing_is_taken(make, turnstile, clock, delivery, token):
    if token == "expired":
        token = turnstile.issue()
        clock.move(6 * MINUTE)
    with pytest.raises(DeliveryRejected) as caught:
        await make().ask(with_token(delivery, token))
    assert (caught.value.reason, caught.value.status) == ("captcha", 403)


@pytest.mark.parametrize("fault", ["http_500", "http_429", "timeout", "half_body", "html", "lost_answer"])
async def test_when_cloudflare_is_down_the_request_is_taken_and_marked(make, turnstile, delivery, fault):
    turnstile.fault = fault
    channel, raw = make(turnstile_timeout_s=0.3), with_token(delivery, "any")
    said = await channel.ask(raw)
    assert said == ""
    event = channel.parse(replace(raw, headers={**raw.headers, ASKED: said})).events[0]
    assert event.source["turnstile"] == "not verified"


async def test_when_cloudflare_is_down_it_is_refused_for_the_moment_where_the_owner_wants_that(
    make, turnstile, delivery
):
    turnstile.fault = "http_500"
    channel, raw = make(turnstile_down="refuse"), with_token(delivery, "any")
    with pytest.raises(TemporaryFailure) as caught:
        await channel.ask(raw)
    assert caught.value.retry_after_s
    with pytest.raises(DeliveryRejected):
        channel.verify(replace(raw, headers={**raw.headers, ASKED: ""}))


async def test_a_wrong_secret_loses_no_customer_and_is_told_by_check(make, turnstile, delivery):
    channel = make(turnstile_secret="another-secret")
    assert await channel.ask(with_token(delivery, turnstile.issue())) == ""
    with pytest.raises(AuthenticationFailed, match="turnstile_secret"):
        await channel.check()
    assert "takes the secret" in await make().check()


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"name=Ivan&cf-turnstile-response=0.abc_-X&x=y", ""),
        (multipart({"name": "I", "cf-turnstile-response": "0.abc_-X", "z": "1"}), multipart_type()),
        (b'{"name": "I", "cf-turnstile-response" : "0.abc_-X"}', "application/json"),
    ],
)
def test_the_token_is_found_in_each_kind_of_body(delivery, body, media_type):
    assert token_of(delivery(body, media_type)) == "0.abc_-X"
    assert token_of(delivery(b"cf-turnstile-response", media_type)) == ""


def test_without_keys_nobody_is_asked_and_the_page_loads_nothing(channel, make_channel):
    assert not channel.capabilities.asks
    assert b"<script" not in channel.page("/form", {}, "uk").body
    page = make_channel(turnstile_site_key="1x00AA", turnstile_secret="s" * 20).page("/form", {}, "uk")
    assert b'data-sitekey="1x00AA"' in page.body
    policy = page.headers["Content-Security-Policy"]
    assert "script-src https://challenges.cloudflare.com;" in policy
    assert b"s" * 20 not in page.body
