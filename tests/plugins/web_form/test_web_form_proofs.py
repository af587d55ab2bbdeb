"""signature.py and nonce.py: who signed, and from which view of our page a form comes."""

from dataclasses import replace
from datetime import timedelta

import pytest

from hub.sdk import DeliveryRejected, EventKind, HttpAnswer
from hub.testing.contract_channel import RECEIVED_AT
from plugins.web_form import nonce, signature

NEW, OLD = "the-new-secret-of-the-shop", "the-old-secret-of-the-shop"
KEY, OTHER_KEY = b"k" * 32, b"o" * 32
NOW_S = int(RECEIVED_AT.timestamp())


def signed(raw, secret: str, timestamp: str = str(NOW_S)):
    proof = signature.sign(secret.encode(), timestamp, raw.body)
    return replace(raw, headers={**raw.headers, "x-timestamp": timestamp, "x-signature": proof})


def refused(channel, raw) -> DeliveryRejected:
    with pytest.raises(DeliveryRejected) as caught:
        channel.verify(raw)
    return caught.value


# Signatures ----------------------------------------------------------------------------------------------


def test_while_a_secret_is_exchanged_both_are_valid(make_channel, delivery):
    channel = make_channel(secret=NEW, old_secret=OLD)
    raw = delivery({"name": "Ivan", "phone": "0501234567"})
    for secret in (NEW, OLD):
        channel.verify(signed(raw, secret))
    assert refused(channel, signed(raw, "another-secret-altogether")).reason == "signature"
    assert refused(make_channel(secret=NEW), signed(raw, OLD)).status == 401


@pytest.mark.parametrize("off_s", [-301, 301, -86_400])
def test_a_time_outside_of_the_window_is_refused(make_channel, delivery, off_s):
    channel, raw = make_channel(secret=NEW), delivery({"name": "Ivan"})
    assert refused(channel, signed(raw, NEW, str(NOW_S + off_s))).reason == "timestamp"
    channel.verify(signed(raw, NEW, str(NOW_S + (299 if off_s > 0 else -299))))


@pytest.mark.parametrize("timestamp", ["", "soon", "1" * 30, "²", "-5", "12.5"])
def test_a_time_that_is_none_is_refused_though_signed(make_channel, delivery, timestamp):
    assert refused(make_channel(secret=NEW), signed(delivery({"name": "I"}), NEW, timestamp)).status == 401


def test_w6_the_signature_is_over_raw_bytes(make_channel, delivery):
    """[W6] emoji and accents: the same text in other bytes does not match, in its own bytes it does."""
    channel = make_channel(secret=NEW)
    plain = delivery('{"name":"Їжак 🦔"}'.encode(), "application/json")
    channel.verify(signed(plain, NEW))
    escaped = b'{"name":"\\u0407\\u0436\\u0430\\u043a \\ud83e\\udd94"}'
    assert refused(channel, replace(signed(plain, NEW), body=escaped)).reason == "signature"


def test_an_overheard_delivery_is_known_as_a_repeat(make_channel, delivery):
    channel, raw = make_channel(secret=NEW), delivery({"name": "Ivan"})
    first = channel.verify(signed(raw, NEW))
    assert first.external_id is not None
    assert first == channel.verify(signed(raw, NEW))
    assert first != channel.verify(signed(raw, NEW, str(NOW_S + 1)))


def test_a_signed_account_shows_no_form(make_channel):
    channel = make_channel(secret=NEW)
    assert not channel.capabilities.has_page
    assert channel.page("/form", {}, "uk") is None


# Nonces --------------------------------------------------------------------------------------------------


def later(seconds: float):
    return RECEIVED_AT + timedelta(seconds=seconds)


def test_a_nonce_is_good_for_a_day():
    made = nonce.make(KEY, NOW_S)
    for seconds in (-299, 0, nonce.KEPT_S):
        nonce.check(KEY, made, later(seconds))
    for seconds in (-301, nonce.KEPT_S + 1):
        with pytest.raises(DeliveryRejected) as caught:
            nonce.check(KEY, made, later(seconds))
        assert (caught.value.reason, caught.value.status) == ("nonce", 422)


def test_a_nonce_of_another_account_is_refused():
    with pytest.raises(DeliveryRejected, match="another page"):
        nonce.check(OTHER_KEY, nonce.make(KEY, NOW_S), RECEIVED_AT)


@pytest.mark.parametrize(
    "change",
    [lambda n: n[:-1], lambda n: n[:-3] + "AAA", lambda n: "n1.", lambda n: "n1.ж", lambda n: n + "="],
)
def test_a_changed_nonce_is_refused(change):
    with pytest.raises(DeliveryRejected):
        nonce.check(KEY, change(nonce.make(KEY, NOW_S)), RECEIVED_AT)


def test_a_sites_own_nonce_tells_repeats_and_proves_nothing():
    nonce.check(KEY, "3f0c9a51-a-site-drew-this", RECEIVED_AT)
    assert not nonce.make(None, NOW_S).startswith(nonce.PREFIX)
    nonce.check(None, nonce.make(KEY, NOW_S), later(10 * nonce.KEPT_S))


def page_nonce(channel) -> str:
    body = channel.page("/form", {}, "uk").body.decode()
    return body.partition('name="_nonce" value="')[2].partition('"')[0]


def test_w3_the_nonce_of_our_page_is_repeat_safe(channel, delivery):
    """[W3] the same click twice is one delivery; the form is taken."""
    fields = f"name=Ivan&phone=0501234567&_nonce={page_nonce(channel)}".encode()
    first = channel.verify(delivery(fields))
    assert first == channel.verify(delivery(fields))
    assert channel.parse(delivery(fields)).events[0].kind is EventKind.MESSAGE


def test_after_a_day_the_form_comes_back_filled_in(channel, delivery):
    """Nobody's words are lost: one more press on the button sends them."""
    browser = {"accept": "text/html"}
    body = f"name=Ivan+%3Cb%3E&phone=0501234567&message=Is+it%3F&_nonce={page_nonce(channel)}".encode()
    raw = delivery(body, headers=browser, received_at=later(nonce.KEPT_S + 60), query={"lang": "en"})
    answer: HttpAnswer | None = channel.refusal(refused(channel, raw), raw)
    assert answer is not None
    shown = answer.body.decode()
    assert answer.status == 422
    assert "Press Send once more" in shown
    assert 'value="Ivan &lt;b&gt;"' in shown
    assert ">Is it?</textarea>" in shown
    assert channel.refusal(refused(channel, raw), replace(raw, headers={"accept": "*/*"})) is None
