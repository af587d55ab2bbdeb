"""What updates say, without a network."""

import pickle
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.sdk import EventKind, Parsed, PayloadUnreadable
from plugins.telegram.address import Address, read_address
from plugins.telegram.updates import Reader, as_bytes, load
from tests.plugins.telegram.conftest import BOT, FIXTURES, OUTCOME, delivered, make_channel, read, read_update

PERSON = "500000001"


def test_a_private_text_is_a_message_of_its_writer():
    event = read("text")
    assert (event.kind, event.text) == (EventKind.MESSAGE, "Добрий день! Чи є чоботи 42 розміру? 🥾")
    assert (event.sender.name, event.sender.channel_id, event.sender.language) == (
        "Олена Тестенко",
        PERSON,
        "uk",
    )
    assert event.message_id == f"{BOT}:{PERSON}:17"
    assert event.sent_at == datetime.fromtimestamp(1772700000, UTC)
    assert event.fields == {"username": "@olena_test"}
    assert event.group_name == ""


def test_start_is_no_request_and_its_payload_is_the_source():
    assert (read("start").kind, read("start").source) == (EventKind.JOINED, {})
    assert read("start_with_payload").source == {"start": "instagram_bio"}
    asks = read_update({"update_id": 1, "message": message(text="/start скільки коштує?")})
    assert asks.kind is EventKind.MESSAGE


def message(**content):
    person = {"id": 5, "is_bot": False, "first_name": "Олена"}
    return {
        "message_id": 1,
        "date": 1772700000,
        "chat": {"id": 5, "type": "private"},
        "from": person,
        **content,
    }


@pytest.mark.parametrize(
    ("name", "file", "media_type", "text"),
    [
        ("photo", "photo.jpg", "image/jpeg", "Ось такі"),
        ("document", "Реквізити ТОВ.pdf", "application/pdf", ""),
        ("voice", "voice.ogg", "audio/ogg", ""),
        ("video", "v.mp4", "video/mp4", ""),
        ("video_note", "video.mp4", "video/mp4", ""),
        ("animation", "animation.mp4", "video/mp4", ""),
        ("sticker", "sticker.webp", "image/webp", "👍"),
    ],
)
def test_files_come_as_attachments_with_their_file_id(name, file, media_type, text):
    event = read(name)
    (attachment,) = event.attachments
    assert (attachment.name, attachment.media_type, attachment.size, event.text) == (
        file,
        media_type,
        48123,
        text,
    )
    assert attachment.ref.startswith("BQACAgIAAxkBAAI")


def test_of_a_photo_the_largest_size_is_taken():
    assert read("photo").attachments[0].ref.endswith("02")


def test_parts_of_an_album_are_one_group_of_one_sender():
    part = read("album_part")
    assert (part.group, part.text) == (f"{PERSON}:13900000000000001", "Обидва боки")


def test_a_number_is_the_senders_own_only_where_telegram_says_whose_it_is():
    assert read("contact_own").sender.phone == "+380670000001"
    for name, phone in (("contact_of_somebody", "+380670000002"), ("contact_without_user", "+380670000003")):
        event = read(name)
        assert event.sender.phone == ""
        assert event.fields["contact_phone"] == phone
        assert phone in event.text


def test_places_can_be_opened_on_a_map():
    assert read("location").fields["location"] == "50.450001, 30.523333"
    venue = read("venue")
    assert venue.text == "Відділення №5, Львів, вул. Городоцька, 355"
    assert venue.fields["map"].startswith("https://www.openstreetmap.org/")


def test_what_stands_around_the_words_is_kept():
    answer = read("reply_with_quote")
    assert answer.replies_to == (f"{BOT}:{PERSON}:12",)
    assert answer.fields["quote"] == "Ці"
    assert read("forwarded").fields["forwarded_from"] == "Канал магазину"
    assert read("text_with_hidden_link").fields["links"] == "https://shop.example/p/17"


def test_content_of_a_new_kind_reaches_a_person_in_private_and_nobody_in_groups():
    story = read("paid_story")
    assert (story.kind, story.fields["content"]) == (EventKind.MESSAGE, "story")
    group = {"id": -1001, "type": "supergroup", "title": "G"}
    ignored = read_update({"update_id": 1, "message": {**message(hologram={}), "chat": group}}, groups=True)
    assert ignored.kind is EventKind.IGNORED


def test_an_edit_names_its_message_and_opens_nothing():
    edit = read("edited")
    assert (edit.kind, edit.about, edit.message_id) == (EventKind.EDIT, f"{BOT}:{PERSON}:17", "")
    assert edit.text == "Добрий день! Чи є чоботи 43 розміру?"


def test_groups_speak_by_setting():
    assert read("group").kind is EventKind.IGNORED
    event = read("group", groups=True)
    assert (event.kind, event.group_name) == (EventKind.MESSAGE, "Обговорення магазину")
    assert event.message_id == f"{BOT}:-1001000000002:17"
    for name in ("group_joined", "group_migrated", "group_anonymous_admin", "discussion_post"):
        assert read(name, groups=True).kind is EventKind.IGNORED, name


def test_a_comment_under_a_post_says_which_post():
    event = read("discussion_comment", groups=True)
    assert (event.kind, event.fields["post"], event.replies_to) == (
        EventKind.MESSAGE,
        "Нова колекція светрів",
        (),
    )


def test_channel_posts_speak_by_setting():
    assert read("channel_post").kind is EventKind.IGNORED
    event = read("channel_post", channel_posts=True)
    assert (event.kind, event.sender.name, event.sender.channel_id) == (
        EventKind.MESSAGE,
        "Канал магазину",
        "-1001000000001",
    )
    assert read("channel_post_edited", channel_posts=True).kind is EventKind.EDIT


def test_business_messages_are_the_customers_and_the_owners_own_are_echoes():
    event = read("business_message")
    assert (event.kind, event.sender.channel_id) == (EventKind.MESSAGE, PERSON)
    assert event.message_id == f"{BOT}:{PERSON}:17:conn_1"
    echo = read("business_message_of_owner")
    assert (echo.kind, echo.text, echo.sender.name) == (EventKind.ECHO, "Так, до 15:00", "Олена Тестенко")
    assert read("business_edited").about == f"{BOT}:{PERSON}:17:conn_1"
    assert {read(name).kind for name in ("business_connection", "business_deleted")} == {EventKind.IGNORED}


def test_a_pressed_button_says_its_label_and_carries_its_action():
    event = read("callback")
    assert (event.kind, event.text, event.fields) == (
        EventKind.MESSAGE,
        "Прийняти",
        {"action": "task:41:accept"},
    )
    assert event.replies_to == (f"{BOT}:{PERSON}:15",)
    assert read("callback_inaccessible").text == "task:41:accept"


def test_the_answer_of_a_web_hook_stops_the_pressed_button():
    channel = make_channel(mode="webhook")
    answer = channel.answer(OUTCOME, delivered(channel, (FIXTURES / "made_callback.json").read_bytes()))
    assert orjson.loads(answer.body) == {
        "method": "answerCallbackQuery",
        "callback_query_id": "4382bfdwdsb323b2d9",
    }
    text = delivered(channel, (FIXTURES / "made_text.json").read_bytes())
    assert channel.answer(OUTCOME, text).body == b"{}"


def test_who_blocks_the_bot_has_left_and_may_come_back():
    assert (read("blocked").kind, read("blocked").sender.channel_id) == (EventKind.LEFT, PERSON)
    assert read("came_back").kind is EventKind.JOINED
    assert read("added_to_group").kind is EventKind.IGNORED


def test_other_bots_and_unknown_updates_are_kept_and_ask_nothing():
    assert read("other_bot").kind is EventKind.IGNORED
    assert read("unknown_kind").fields == {"update": "purchased_hologram"}


def test_the_key_holds_bot_number_and_moment():
    body = (FIXTURES / "made_text.json").read_bytes()
    update = load(body)
    reader = Reader(bot=BOT)
    assert reader.external_id(update, body) == f"{BOT}:{update['update_id']}:1772700000"
    # The same update through the other way, with other spaces, is the same delivery.
    assert reader.external_id(load(as_bytes(update)), as_bytes(update)) == reader.external_id(update, body)
    # After a week of silence the numbers begin anew: another moment is another delivery.
    update["message"]["date"] += 700_000
    assert reader.external_id(update, body) != f"{BOT}:{update['update_id']}:1772700000"
    assert reader.external_id(load(b"no JSON"), b"no JSON").startswith("body:")


@given(
    st.integers(1, 1 << 50), st.integers(-(1 << 50), 1 << 50), st.integers(0, 1 << 40), st.text(max_size=20)
)
def test_addresses_are_read_as_they_were_written(bot, chat, number, connection):
    address = Address(str(bot), chat, number, connection)
    assert read_address(str(address)) == address


@given(st.text(max_size=80))
def test_any_text_is_an_address_or_none(text):
    found = read_address(text)
    assert found is None or isinstance(found.chat, int)


def test_recorded_updates_are_understood(samples):
    kinds = {}
    for path in sorted((samples / "channels" / "fixtures" / "telegram" / "updates").glob("*.json")):
        event = read_update(load(path.read_bytes()), groups=True, channel_posts=True)
        kinds[path.stem] = event.kind
    joined = {name for name, kind in kinds.items() if kind is EventKind.JOINED}
    assert joined == {"command_message"}
    assert kinds["teloxide_my_chat_member_0"] is EventKind.LEFT
    assert kinds["edited_message"] is EventKind.EDIT
    ignored = {name for name, kind in kinds.items() if kind is EventKind.IGNORED}
    assert ignored == {
        "business_connection", "chat_join_request", "guest_message", "left_chat_member", "migrate_to_chat_id",
        "my_chat_member", "new_chat_members", "poll_answer", "teloxide_chat_boost_0", "teloxide_message_1",
        "teloxide_message_4", "teloxide_message_reaction_0", "teloxide_message_reaction_1",
        "teloxide_new_update_kind_0", "teloxide_removed_chat_boost_0", "users_shared",
    }  # fmt: skip


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
PARTS = (
    "text", "caption", "photo", "document", "voice", "sticker", "contact", "location", "venue", "entities",
    "reply_to_message", "forward_origin", "quote", "media_group_id", "sender_chat", "business_connection_id",
    "new_chat_members", "poll", "story", "edit_date", "reply_markup",
)  # fmt: skip
CHAT = st.fixed_dictionaries(
    {"id": st.integers()}, optional={"type": st.sampled_from(["private", "group"]) | JUNK}
)
MESSAGE = st.fixed_dictionaries(
    {"message_id": st.integers(), "chat": CHAT | JUNK},
    optional={"from": CHAT | JUNK, "date": JUNK, **dict.fromkeys(PARTS, JUNK)},
)


@given(
    kind=st.sampled_from(
        ["message", "edited_message", "channel_post", "business_message", "callback_query", "x"]
    ),
    value=MESSAGE | JUNK,
    number=st.integers() | JUNK,
)
def test_any_types_in_any_place_give_an_event_or_the_documented_error(kind, value, number):
    update = {"update_id": number, kind: value}
    reader = Reader(bot=BOT, groups=True, channel_posts=True)
    assert reader.external_id(update, b"") == reader.external_id(update, b"")
    try:
        parsed = reader.parse(update)
    except PayloadUnreadable:
        return
    assert isinstance(parsed, Parsed)
    assert pickle.loads(pickle.dumps(parsed)) == parsed


@given(JUNK)
def test_an_update_keeps_its_values_on_the_way_into_the_store(value):
    import json

    update = {"update_id": 1, "x": value, "half": "\ud83e"}
    assert json.dumps(json.loads(as_bytes(update))) == json.dumps(update)
