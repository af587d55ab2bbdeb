"""What comes in: signatures, every callback, exact tokens. V1, V3, V4, V5, V7 of the list of known pitfalls."""

import json
import pickle
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hub.sdk import DeliveryRejected, EventKind, Mark, Outcome, OutcomeKind, Parsed, PayloadUnreadable
from hub.testing.contract_channel import post
from plugins.viber import events, signature
from tests.plugins.viber.conftest import FIXTURES, TOKEN, make_channel, read, signed

OUTCOME = Outcome(kind=OutcomeKind.NOTED)


# --- signature ----------------------------------------------------------------------------------------


def test_published_signatures_are_reproduced(samples):
    folder = samples / "channels" / "fixtures" / "viber" / "signed"
    for name, pair in json.loads((folder / "signatures.json").read_text()).items():
        body = (folder / pair.get("of", name)).read_bytes()
        told = pair["x_viber_content_signature"]
        assert signature.is_right(pair["token"].encode(), body, told) is (name != "__tampered__")


@given(body=st.binary(max_size=500), at=st.integers(0, 10_000))
def test_a_flipped_bit_of_any_body_is_refused(body, at):
    proof = signature.sign(TOKEN.encode(), body)
    assert signature.is_right(TOKEN.encode(), body, proof)
    if body:
        spoilt = bytearray(body)
        spoilt[at % len(body)] ^= 1 << at % 8
        assert not signature.is_right(TOKEN.encode(), bytes(spoilt), proof)


@given(proof=st.text(max_size=80))
def test_any_proof_but_the_right_one_is_refused(proof):
    assert not signature.is_right(TOKEN.encode(), b"{}", proof + "\ud800")
    assert signature.is_right(TOKEN.encode(), b"{}", proof) is (
        proof == signature.sign(TOKEN.encode(), b"{}")
    )


def test_v3_the_proof_may_stand_in_the_query_and_the_header_comes_first():
    body = (FIXTURES / "made_text.json").read_bytes()
    right = signature.sign(TOKEN.encode(), body)
    channel = make_channel()
    assert channel.verify(post(body, query={"sig": right})) == channel.verify(signed(body))
    with pytest.raises(DeliveryRejected):
        channel.verify(post(body, headers={signature.HEADER: "0" * 64}, query={"sig": right}))


def test_v3_only_the_validation_call_may_come_unsigned_and_all_of_them_are_one_delivery():
    channel = make_channel()
    body = (FIXTURES / "made_webhook.json").read_bytes()
    other = b'{"event":"webhook","message_token":1}'
    assert channel.verify(post(body)) == channel.verify(post(other))
    assert channel.parse(post(body)).events[0].kind is EventKind.PROBE
    for unsigned in (b'{"event":"message"}', b"[]", b"", b'{"event":"webhook","x":"' + b"y" * 3000 + b'"}'):
        with pytest.raises(DeliveryRejected, match="no signature"):
            channel.verify(post(unsigned))


def test_v4_the_account_stands_in_the_path_so_a_lost_query_loses_nothing():
    body = (FIXTURES / "made_text.json").read_bytes()
    raw = signed(body)
    assert make_channel().verify(replace(raw, query={})) == make_channel().verify(
        replace(raw, query={"a": "b"})
    )


# --- keys ---------------------------------------------------------------------------------------------


def test_v1_a_repeat_has_the_key_of_the_first():
    body = (FIXTURES / "made_text.json").read_bytes()
    first, again = make_channel().verify(signed(body)), make_channel().verify(signed(body))
    assert first == again
    assert first.external_id == "message:5741311803571721087"


def test_v7_tokens_keep_all_their_digits():
    assert read("text").message_id == "5741311803571721087"
    for token in (4978563241957515056, 2**63 - 1, 2**64 - 1):
        body = json.dumps({"event": "delivered", "message_token": token, "user_id": "u"}).encode()
        assert events.external_id(events.load(body), body) == f"delivered:{token}:u"
        assert events.parse(events.load(body)).events[0].about == str(token)


def test_marks_of_one_message_are_deliveries_of_their_own():
    keys = {
        events.external_id(events.load(body), body)
        for body in (
            (FIXTURES / f"made_{name}.json").read_bytes() for name in ("delivered", "seen", "failed")
        )
    }
    assert len(keys) == 3


def test_a_signed_body_that_is_no_json_is_kept_under_its_hash():
    channel = make_channel()
    raw = signed(b"\xff not JSON")
    assert (channel.verify(raw).external_id or "").startswith("body:")
    with pytest.raises(PayloadUnreadable):
        channel.parse(raw)


# --- events -------------------------------------------------------------------------------------------


def test_a_text_is_a_message_of_its_sender():
    event = read("text")
    assert (event.kind, event.text) == (EventKind.MESSAGE, "Добрий день! Чи є чоботи 42 розміру? 🥾")
    assert (event.sender.name, event.sender.channel_id, event.sender.language) == (
        "Олена Тестенко",
        "mAdE/0001+A==",
        "uk",
    )
    assert event.thread_token == "k7Qz"
    assert event.sent_at == datetime(2026, 3, 5, 8, 40, 0, 123000, tzinfo=UTC)
    assert event.joins_open


@pytest.mark.parametrize(
    ("name", "file", "media_type", "size"),
    [
        ("picture", "boots.jpg", "image/jpeg", 81234),
        ("video", "video.mp4", "video/mp4", 981234),
        ("file", "Реквізити ТОВ.pdf", "application/pdf", 45678),
        ("sticker", "sticker.png", "image/png", 0),
    ],
)
def test_files_come_as_attachments_with_their_link_as_handle(name, file, media_type, size):
    (attachment,) = read(name).attachments
    assert (attachment.name, attachment.media_type, attachment.size) == (file, media_type, size)
    assert attachment.ref.startswith("https://media.example/")
    assert attachment.body is None


def test_a_number_is_the_senders_own_only_where_our_button_asked_for_it():
    assert read("contact_asked_for").sender.phone == "+380670000001"
    card = read("contact_of_somebody")
    assert card.sender.phone == ""
    assert card.fields == {"contact_name": "Ігор Тестовий", "contact_phone": "380670000002"}
    assert card.text == "Ігор Тестовий +380670000002"


def test_other_contents_are_readable():
    assert read("location").fields["location"] == "50.450001, 30.523333"
    assert read("url").text == "https://shop.example/p/17"
    assert read("rich_media").text == "Картка товару"
    assert read("text_of_a_button").fields == {"action": "order-7:yes"}


def test_v5_unknown_events_and_unknown_contents_are_kept():
    assert read("client_status").kind is EventKind.IGNORED
    unknown = read("unknown_type")
    assert unknown.kind is EventKind.MESSAGE
    assert (unknown.text, unknown.fields) == ("див. сюди", {"content": "hologram"})


def test_joining_leaving_and_marks():
    assert read("subscribed").kind is EventKind.JOINED
    started = read("conversation_started")
    assert (started.kind, started.source) == (EventKind.JOINED, {"context": "instagram-bio"})
    assert (read("unsubscribed").kind, read("unsubscribed").sender.channel_id) == (
        EventKind.LEFT,
        "mAdE/0001+A==",
    )
    marks = {name: read(name) for name in ("delivered", "seen", "failed")}
    assert [marks[name].mark for name in marks] == [Mark.DELIVERED, Mark.SEEN, Mark.FAILED]
    assert {mark.about for mark in marks.values()} == {"5741311803571721087"}
    assert marks["failed"].text == "the message was not delivered"


def test_recorded_callbacks_are_understood(samples):
    folder = samples / "channels" / "fixtures" / "viber"
    kinds = {}
    for path in sorted(folder.glob("*.json")):
        if not path.name.startswith("api_"):
            body = path.read_bytes()
            (event,) = events.parse(events.load(body)).events
            kinds[path.stem] = event.kind
            assert len(events.external_id(events.load(body), body)) < 100
    messages = {name for name, kind in kinds.items() if kind is EventKind.MESSAGE}
    assert messages == {name for name in kinds if name.startswith("message_")}
    assert kinds["webhook_big_token"] is EventKind.PROBE
    assert kinds["conversation_started_without_optional_fields"] is EventKind.JOINED


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("event", "timestamp", "message_token", "user", "user_id", "sender", "message", "context", "desc")
INNER = (
    "type",
    "text",
    "media",
    "size",
    "file_name",
    "contact",
    "location",
    "sticker_id",
    "tracking_data",
    "id",
    "lat",
)
EVENTS = st.sampled_from(["message", "delivered", "conversation_started", "unsubscribed", "webhook", "x"])
TYPES = st.sampled_from(
    ["text", "picture", "contact", "location", "sticker", "url", "file", "rich_media", "x"]
)


@given(
    document=st.fixed_dictionaries(
        {"event": EVENTS | JUNK},
        optional={
            **dict.fromkeys(KEYS[1:], JUNK),
            "sender": st.fixed_dictionaries({"id": st.text(min_size=1, max_size=20)}, optional={"name": JUNK})
            | JUNK,
            "message": st.fixed_dictionaries({"type": TYPES | JUNK}, optional=dict.fromkeys(INNER[1:], JUNK))
            | JUNK,
        },
    )
)
def test_any_types_in_any_place_give_an_event_or_the_documented_error(document):
    assert events.external_id(document, b"") == events.external_id(document, b"")
    try:
        parsed = events.parse(document)
    except PayloadUnreadable:
        return
    assert isinstance(parsed, Parsed)
    assert pickle.loads(pickle.dumps(parsed)) == parsed


# --- the greeting -------------------------------------------------------------------------------------


def greeting(channel, **more):
    document = json.loads((FIXTURES / "made_conversation_started.json").read_bytes()) | more
    return json.loads(channel.answer(OUTCOME, signed(json.dumps(document).encode())).body)


def test_the_greeting_is_the_answer_to_who_opens_the_chat_for_the_first_time():
    channel = make_channel()
    told = greeting(channel)
    assert told["text"].startswith("Добрий день!")
    assert "receiver" not in told
    assert told["sender"] == {"name": "Крамниця"}
    assert greeting(channel, user={"id": "x", "language": "en"})["text"].startswith("Hello!")
    assert greeting(channel, user={"id": "x"})["text"].startswith("Добрий день!")
    assert greeting(channel, subscribed=True) == {}
    assert greeting(make_channel(welcome="")) == {}


def test_the_greeting_may_ask_for_the_number():
    told = greeting(make_channel(welcome_asks_phone=True))
    (button,) = told["keyboard"]["Buttons"]
    assert (button["ActionType"], button["Columns"], told["min_api_version"]) == ("share-phone", 6, 3)


def test_only_that_event_is_greeted():
    text = json.dumps(
        {"event": "message", "sender": {"id": "1"}, "message": {"text": "conversation_started"}}
    )
    assert make_channel().answer(OUTCOME, signed(text.encode())).body == b"{}"


def test_settings_say_what_is_wrong_and_never_the_token():
    with pytest.raises(ValidationError, match="one word") as error:
        make_channel(token="two words")
    assert "two words" not in str(error.value.errors(include_input=False))
    assert TOKEN not in repr(make_channel()._settings)
