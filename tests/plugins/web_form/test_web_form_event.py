"""event.py and plugin.py: one delivery -> its id and its event. [W..] are entries of PITFALLS.md."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from hub.sdk import DeliveryRejected, Event, EventKind, Verified
from plugins.web_form.event import NAME, TEXT, read

PAGE = b"name=Ivan&phone=0501234567&_nonce=n0nce"


def refusal(channel, raw) -> DeliveryRejected:
    with pytest.raises(DeliveryRejected) as of_verify:
        channel.verify(raw)
    with pytest.raises(DeliveryRejected) as of_parse:
        channel.parse(raw)
    assert (of_verify.value.reason, of_verify.value.status) == (of_parse.value.reason, of_parse.value.status)
    return of_verify.value


# Events -------------------------------------------------------------------------------------------


def test_tilda_lead(channel, fixture):
    event: Event = channel.parse(fixture("tilda_lead_full.form")).events[0]
    assert event.kind is EventKind.MESSAGE
    assert (event.sender.name, event.sender.phone) == ("Іван Тестенко", "+38 (050) 000-00-00")
    assert event.text == "Хочу замовити"
    assert event.source == {
        "utm_source": "facebook",
        "utm_medium": "cpc",
        "utm_campaign": "test",
        "form_id": "form123456789",
        "form": "Cart",
        "builder": "Tilda",
    }
    assert event.fields == {}
    assert event.joins_open is False


def test_google_form(channel, fixture):
    event = channel.parse(fixture("google_forms_apps_script.json")).events[0]
    assert (event.sender.name, event.sender.phone) == ("Іван", "050 000 00 00")
    assert event.fields == {"Що цікавить?": "Доставка, Оплата"}
    assert event.text == "Що цікавить?: Доставка, Оплата"
    assert event.sent_at == datetime(2025, 11, 5, 12, 22, 10, 123_000, tzinfo=UTC)
    assert event.source == {"form_id": "1FAIpQLSfTEST", "form": "Замовлення", "builder": "Google Forms"}


def test_elementor_simple(channel, fixture):
    event = channel.parse(fixture("elementor_simple.form")).events[0]
    assert (event.sender.name, event.sender.phone, event.text) == ("Олена", "0500000000", "Передзвоніть")
    assert event.source == {"form_id": "a1b2c3d", "form": "New Form", "builder": "Elementor"}


def test_elementor_advanced(channel, fixture):
    event = channel.parse(fixture("elementor_advanced.form")).events[0]
    assert (event.sender.name, event.sender.phone) == ("Олена Тестова", "050 000 00 00")
    assert event.text == "Чи є в наявності?"
    assert event.fields == {"Місто": "Львів"}
    assert event.source["page"].startswith("https://shop.example/contacts")
    assert event.source["utm_medium"] == "cpc"


def test_contact_form_7(channel, fixture):
    event = channel.parse(fixture("cf7_posted.form")).events[0]
    assert (event.sender.name, event.sender.email) == ("Олена Тестова", "o@example.com")
    assert (event.subject, event.text) == ("Доставка", "Скільки коштує доставка?")
    assert event.fields == {}


def test_contact_form_7_with_a_file(channel, fixture):
    event = channel.parse(fixture("cf7.multipart")).events[0]
    assert (event.sender.name, event.sender.email) == ("Олена Тестова", "o@example.com")
    assert (event.text, event.fields) == ("Скільки коштує доставка?", {})
    assert event.source == {"form_id": "42", "builder": "Contact Form 7"}
    (file,) = event.attachments
    assert (file.name, file.media_type, file.body) == ("фото.txt", "text/plain", b"abc")


@pytest.mark.parametrize("name", ["tilda_cart.json", "tilda_cart_nested.form"])
def test_tilda_cart_shows_its_goods(channel, fixture, name):
    event = channel.parse(fixture(name)).events[0]
    assert event.sender.name == "Іван Тестенко"
    assert event.fields["payment.amount"] == "350"
    assert "Чашка" in event.text
    assert channel.verify(fixture(name)).external_id == "tranid:1:2"


def test_hand_written_relay(channel, fixture):
    event = channel.parse(fixture("nested_relay.json")).events[0]
    assert (event.sender.name, event.sender.phone) == ("Олена", "0500000000")
    assert event.fields == {"order.name": "Набір", "order.sizes": "S, M"}
    assert (event.source["utm_source"], event.source["utm_campaign"]) == ("google", "spring")


def test_repeated_keys_and_unexpanded_macro(channel, fixture):
    event = channel.parse(fixture("plain_utm_duplicates.form")).events[0]
    assert event.kind is EventKind.MESSAGE
    assert event.fields == {"option": "a, b"}
    assert event.source["utm_campaign"] == "{campaign}"


def test_windows_1251(channel, fixture):
    event = channel.parse(fixture("legacy_cp1251.form")).events[0]
    assert event.sender.name == "Іван Тестенко"
    assert "ґрн" in event.text


def test_without_a_message_the_other_fields_are_the_text(event):
    said = event({"name": "I", "Місто": "Львів", "Скільки\nштук": 3})
    assert said.text == "Місто: Львів\nСкільки штук: 3"
    assert list(said.fields) == ["Місто", "Скільки\nштук"]


def test_name_and_telephone_alone_are_enough(event):
    assert event({"name": "I", "phone": "0501234567"}).text == ""


def test_texts_are_bounded(event):
    said = event({"name": "x" * 9_999, "message": "y" * 300_000, "city": "z" * 99_999})
    assert (len(said.sender.name), len(said.text), len(said.fields["city"])) == (NAME, TEXT, 10_000)


def test_region_of_the_account_reads_national_numbers(make_channel, delivery):
    event = make_channel(region="PL").parse(delivery({"phone": "512 345 678"})).events[0]
    assert event.sender.phone == "+48512345678"


def test_language_of_the_hosted_page_is_the_senders(event):
    assert event(PAGE, query={"lang": "en"}).sender.language == "en"
    assert event(PAGE, query={"lang": "<x>"}).sender.language == ""


# Probes, spam, refusals ---------------------------------------------------------------------------


def test_tildas_test_is_a_probe_and_not_a_task(event):
    assert event(b"test=test").kind is EventKind.PROBE
    assert event({"test": "test"}).kind is EventKind.PROBE


def test_a_field_called_test_does_not_hide_a_customer(event):
    assert event(b"test=test&phone=0501234567").kind is EventKind.MESSAGE
    assert event({"name": "I", "test": "так"}).fields == {"test": "так"}


def test_filled_honeypot_is_spam_and_keeps_what_it_said(event):
    said = event(b"name=Ivan&message=buy&website=http%3A%2F%2Fspam.example")
    assert said.kind is EventKind.SPAM
    assert (said.sender.name, said.text) == ("Ivan", "buy")
    assert event(b"website=x").kind is EventKind.SPAM


def test_empty_honeypot_is_an_honest_form(event):
    assert event(b"name=Ivan&website=&Website=shop.example").kind is EventKind.MESSAGE


def test_honeypot_can_be_renamed_or_switched_off(make_channel, delivery):
    raw = delivery(b"name=Ivan&website=shop.example&fax=")
    assert make_channel(honeypot="").parse(raw).events[0].kind is EventKind.MESSAGE
    assert make_channel(honeypot="fax").parse(raw).events[0].fields == {"website": "shop.example"}


@pytest.mark.parametrize("body", [b"message=hello", b"test=other", b"a=b", b"name=&phone=+", b"utm_source=x"])
def test_without_any_contact_the_form_is_refused_and_told_what_is_missing(channel, delivery, body):
    rejection = refusal(channel, delivery(body))
    assert (rejection.reason, rejection.status) == ("contact", 422)
    assert "neither a name nor a telephone nor an e-mail" in rejection.message


# Which delivery is it? ----------------------------------------------------------------------------


def test_w3_double_click_on_our_page_is_one_delivery(channel, delivery):
    """[W3] random duplicates: the same page sends the same nonce and the same body."""
    first, second = channel.verify(delivery(PAGE)), channel.verify(delivery(PAGE))
    assert first == second
    assert first.external_id is not None
    assert first.external_id.startswith("nonce:n0nce:")


def test_a_corrected_form_of_the_same_page_is_another_delivery(channel, delivery):
    """Back, mend the number, send again: refusing that would lose the right number."""
    mended = PAGE.replace(b"0501234567", b"0501234568")
    assert channel.verify(delivery(mended)).external_id != channel.verify(delivery(PAGE)).external_id


def test_w9_google_forms_firing_twice_is_one_delivery(channel, fixture):
    """[W9] triggers fire twice or are sent again by hand: the response id tells."""
    verified = channel.verify(fixture("google_forms_apps_script.json"))
    assert verified == Verified(external_id="gforms:2_ABaOnudTEST", digest="")


def test_w1_tildas_three_tries_are_one_delivery_by_a_key_not_by_a_lock(channel, fixture):
    """[W1] the id is a value for the hub's unique key; Tilda's own id allows another body (no digest)."""
    assert channel.verify(fixture("tilda_lead_full.form")) == Verified(external_id="tranid:1234567:7654321")


def test_w6_digest_is_over_raw_bytes(channel, delivery):
    """[W6] the same JSON written otherwise is another body."""
    headers = {"idempotency-key": "k"}
    plain = delivery('{"name":"Їжак 🦔"}'.encode(), "application/json", headers=headers)
    escaped = delivery(
        b'{"name":"\\u0407\\u0436\\u0430\\u043a \\ud83e\\udd94"}', "application/json", headers=headers
    )
    assert channel.parse(plain) == channel.parse(escaped)
    assert channel.verify(plain).external_id == channel.verify(escaped).external_id == "key:k"
    assert channel.verify(plain).digest != channel.verify(escaped).digest


def test_key_of_the_caller_wins_and_brings_a_digest(channel, delivery):
    raw = delivery(b"name=I&tranid=1&_nonce=n", headers={"idempotency-key": "abc"})
    verified = channel.verify(raw)
    assert verified.external_id == "key:abc"
    assert len(verified.digest) == 64
    other = delivery({"name": "I"}, headers={"idempotency-key": "abc"})
    assert channel.verify(other).digest != verified.digest


def test_charset_of_the_media_type_does_not_change_the_digest(channel, delivery):
    headers = {"idempotency-key": "abc"}
    plain = delivery(PAGE, headers=headers)
    named = delivery(PAGE, "application/x-www-form-urlencoded; charset=UTF-8", headers=headers)
    assert channel.verify(plain) == channel.verify(named)


def test_kinds_of_ids_never_collide(channel, delivery):
    ids = {
        channel.verify(delivery({"name": "I"}, headers={"idempotency-key": "1"})).external_id,
        channel.verify(delivery({"name": "I", "tranid": "1"})).external_id,
        channel.verify(delivery({"name": "I", "responseId": "1"})).external_id,
        channel.verify(delivery({"name": "I", "_nonce": "1"})).external_id,
    }
    assert len(ids) == 4


def test_without_any_id_each_delivery_is_new(channel, delivery):
    assert channel.verify(delivery({"name": "I"})) == Verified(external_id=None, digest="")


@pytest.mark.parametrize("key", ["", "x" * 201, "ключ", "a\tb", "a\x7f"])
def test_bad_idempotency_key_is_refused_with_400(channel, delivery, key):
    rejection = refusal(channel, delivery({"name": "I"}, headers={"idempotency-key": key}))
    assert (rejection.reason, rejection.status) == ("idempotency_key", 400)


@pytest.mark.parametrize("identifier", ["x" * 5_000, "ї", "a\x00b", "\ud800"])
def test_odd_ids_of_builders_become_digests(channel, delivery, identifier):
    body = orjson.dumps({"name": "I", "tranid": "@"}).replace(b"@", _escaped(identifier))
    external_id = channel.verify(delivery(body, "application/json")).external_id
    assert external_id is not None
    assert len(external_id) == len("tranid:") + 64
    assert external_id.isascii()


def _escaped(text: str) -> bytes:
    return "".join(f"\\u{ord(c):04x}" for c in text).encode()


# Nothing depends on the memory of the last delivery -----------------------------------------------


def test_the_body_is_read_once_and_not_kept(channel, delivery, monkeypatch):
    reads: list[Any] = []

    def counting(*arguments, **named):
        reads.append(arguments)
        return read(*arguments, **named)

    monkeypatch.setattr("plugins.web_form.plugin.read", counting)
    raw = delivery(PAGE)
    channel.verify(raw)
    channel.parse(raw)
    assert len(reads) == 1
    assert channel._last is None
    channel.parse(raw)
    assert len(reads) == 2


def test_an_equal_but_other_delivery_gives_the_same(channel, delivery):
    channel.verify(delivery({"name": "A"}))
    assert channel.parse(delivery({"name": "B"})).events[0].sender.name == "B"


# The recorded samples beside the checkout ---------------------------------------------------------


def test_recorded_samples_are_understood(channel, samples, sample):
    folder = samples / "channels" / "fixtures" / "webforms"
    expected = {
        "tilda_lead.form": ("Jake Smith", EventKind.MESSAGE),
        "tilda_test_ping.form": ("", EventKind.PROBE),
        "tilda_lead_full.form": ("Іван Тестенко", EventKind.MESSAGE),
        "utm_json_relay.json": ("Олена", EventKind.MESSAGE),
    }
    for name, (sender, kind) in expected.items():
        event = channel.parse(sample(folder / name)).events[0]
        assert (event.sender.name, event.kind) == (sender, kind), name


def test_recorded_lead_with_a_number_that_is_none_shows_it(channel, samples, sample):
    raw = sample(samples / "channels" / "fixtures" / "webforms" / "tilda_lead.form")
    event = channel.parse(raw).events[0]
    assert event.fields["Phone"] == "+11111111"
    assert event.sender.email == "jake.smith@example.com"
