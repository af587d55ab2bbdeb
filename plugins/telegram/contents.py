"""What a message holds beside who wrote it where: text, files, contact, place (pure).

Keys of Bot API 10.0 (read 2026-11). A key that is not listed is a new kind of content, and still reaches a
person; what is listed as service says that something happened to the chat, and asks nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hub.sdk import Attachment

MAX_TEXT: Final = 20_000
MAX_FIELD: Final = 1_000
MAX_NAME: Final = 200

# Name and type of a file whose own are not told.
_FILES: Final = {
    "animation": ("animation.mp4", "video/mp4"),
    "audio": ("audio.mp3", "audio/mpeg"),
    "document": ("file", "application/octet-stream"),
    "video": ("video.mp4", "video/mp4"),
    "video_note": ("video.mp4", "video/mp4"),
    "voice": ("voice.ogg", "audio/ogg"),
}
_FRAME: Final = frozenset(
    {
        "author_signature", "business_connection_id", "chat", "date", "direct_messages_topic", "edit_date",
        "effect_id", "external_reply", "forward_date", "forward_from", "forward_from_chat",
        "forward_from_message_id", "forward_origin", "forward_sender_name", "forward_signature", "from",
        "guest_query_id", "has_media_spoiler", "has_protected_content", "is_automatic_forward", "is_from_offline",
        "is_paid_post", "is_topic_message", "link_preview_options", "media_group_id", "message_id",
        "message_thread_id", "paid_star_count", "quote", "reply_markup", "reply_to_checklist_task_id",
        "reply_to_message", "reply_to_story", "sender_boost_count", "sender_business_bot", "sender_chat",
        "show_caption_above_media", "suggested_post_info", "via_bot",
    }
)  # fmt: skip
_UNDERSTOOD: Final = frozenset(
    {
        "caption", "caption_entities", "contact", "dice", "entities", "location", "photo", "poll", "sticker",
        "text", "venue", "web_app_data", *_FILES,
    }
)  # fmt: skip
_SERVICE: Final = frozenset(
    {
        "boost_added", "channel_chat_created", "chat_background_set", "chat_owner_changed", "chat_owner_left",
        "chat_shared", "checklist_tasks_added", "checklist_tasks_done", "connected_website", "delete_chat_photo",
        "direct_message_price_changed", "forum_topic_closed", "forum_topic_created", "forum_topic_edited",
        "forum_topic_reopened", "general_forum_topic_hidden", "general_forum_topic_unhidden", "giveaway_completed",
        "giveaway_created", "group_chat_created", "left_chat_member", "message_auto_delete_timer_changed",
        "migrate_from_chat_id", "migrate_to_chat_id", "new_chat_member", "new_chat_members", "new_chat_participant",
        "new_chat_photo", "new_chat_title", "left_chat_participant", "paid_message_price_changed", "pinned_message",
        "proximity_alert_triggered", "suggested_post_approved", "suggested_post_approval_failed",
        "suggested_post_declined", "suggested_post_paid", "suggested_post_refunded", "supergroup_chat_created",
        "user_shared", "users_shared", "video_chat_ended", "video_chat_participants_invited", "video_chat_scheduled",
        "video_chat_started", "voice_chat_ended", "voice_chat_participants_invited", "voice_chat_scheduled",
        "voice_chat_started", "write_access_allowed",
    }
)  # fmt: skip
_KNOWN: Final = _FRAME | _UNDERSTOOD | _SERVICE


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a message says.

    own_phone  a number that certainly is the sender's
    unknown    keys of content that this plugin has never heard of
    """

    text: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    attachments: tuple[Attachment, ...] = ()
    own_phone: str = ""
    unknown: tuple[str, ...] = ()

    @property
    def says_something(self) -> bool:
        """Is there anything in it that a person would want to see?"""
        return bool(self.text or self.fields or self.attachments or self.unknown)


def read_content(message: Mapping[str, Any], author_id: int | None) -> Content:
    """The content of a message by its author."""
    fields: dict[str, str] = {}
    texts = [_text(message.get("text")) or _text(message.get("caption"))]
    phone = _contact(message, author_id, texts, fields)
    _place(message, texts, fields)
    _small_kinds(message, texts, fields)
    links = _hidden_links(message)
    if links:
        fields["links"] = links
    attachments = tuple(_attachments(message))
    unknown = sorted(message.keys() - _KNOWN)
    if unknown and not (attachments or any(texts)):
        fields["content"] = ", ".join(unknown[:5])[:MAX_FIELD]
    return Content(
        text="\n".join(text for text in texts if text)[:MAX_TEXT],
        fields=fields,
        attachments=attachments,
        own_phone=phone,
        unknown=tuple(unknown),
    )


def _contact(
    message: Mapping[str, Any], author_id: int | None, texts: list[str], fields: dict[str, str]
) -> str:
    """A contact card; the number is the sender's own only where Telegram says whose card it is."""
    contact = _object(message.get("contact"))
    if contact is None:
        return ""
    told = _text(contact.get("phone_number"))[:64]
    phone = f"+{told}" if told.isascii() and told.isdigit() and len(told) > 6 else told
    name = full_name(contact)
    texts.append(f"{name} {phone}".strip())
    fields |= {key: value for key, value in (("contact_name", name), ("contact_phone", phone)) if value}
    whose = integer(contact.get("user_id"))
    return phone if whose is not None and whose == author_id else ""


def _place(message: Mapping[str, Any], texts: list[str], fields: dict[str, str]) -> None:
    venue = _object(message.get("venue")) or {}
    location = _object(message.get("location")) or _object(venue.get("location")) or {}
    lat, lon = location.get("latitude"), location.get("longitude")
    if not (_is_degree(lat) and _is_degree(lon)):
        return
    place = f"{lat:.6f}, {lon:.6f}"
    title = ", ".join(part for part in (_text(venue.get("title")), _text(venue.get("address"))) if part)
    texts.append(title[:MAX_FIELD] or place)
    fields["location"] = place
    fields["map"] = f"https://www.openstreetmap.org/?mlat={lat:.6f}&mlon={lon:.6f}#map=17/{lat:.6f}/{lon:.6f}"


def _small_kinds(message: Mapping[str, Any], texts: list[str], fields: dict[str, str]) -> None:
    """Stickers and dice say their sign, a poll its question, a page inside Telegram what it sent."""
    for key, inner in (
        ("sticker", "emoji"),
        ("dice", "emoji"),
        ("poll", "question"),
        ("web_app_data", "data"),
    ):
        value = _object(message.get(key))
        if value is None:
            continue
        texts.append(_text(value.get(inner))[:MAX_TEXT])
        fields["content"] = key


def _hidden_links(message: Mapping[str, Any]) -> str:
    """Addresses that stand behind words; the rest of the formatting says nothing."""
    found: list[str] = []
    for key in ("entities", "caption_entities"):
        entities = message.get(key)
        for entity in entities[:100] if isinstance(entities, list) else ():
            address = _text(entity.get("url")) if isinstance(entity, dict) else ""
            if address and address not in found:
                found.append(address)
    return "\n".join(found)[:MAX_FIELD]


# --- files --------------------------------------------------------------------------------------------


def _attachments(message: Mapping[str, Any]) -> Iterator[Attachment]:
    sizes = message.get("photo")
    pictures = [one for one in sizes if isinstance(one, dict)] if isinstance(sizes, list) else []
    if pictures:
        yield from _file(max(pictures, key=_area), "photo.jpg", "image/jpeg")
    for key, (name, media_type) in _FILES.items():
        value = _object(message.get(key))
        # An animation comes as a document too, for old programs: one file is enough.
        if value is not None and not (key == "document" and "animation" in message):
            yield from _file(value, name, media_type)
    sticker = _object(message.get("sticker"))
    if sticker is not None and sticker.get("is_animated") is not True:  # an animated one is no picture
        moving = sticker.get("is_video") is True
        yield from _file(
            sticker, *(("sticker.webm", "video/webm") if moving else ("sticker.webp", "image/webp"))
        )


def _file(file: Mapping[str, Any], name: str, media_type: str) -> Iterator[Attachment]:
    """`file_id` names the file for this bot; the address that it leads to holds the token and is never kept."""
    file_id = _text(file.get("file_id"))
    if not file_id or len(file_id) > MAX_FIELD:
        return
    yield Attachment(
        name=_text(file.get("file_name"))[:MAX_NAME] or name,
        media_type=_text(file.get("mime_type"))[:MAX_NAME] or media_type,
        size=max(0, min(integer(file.get("file_size")) or 0, 1 << 40)),
        ref=file_id,
    )


def _area(picture: Mapping[str, Any]) -> int:
    return (integer(picture.get("width")) or 0) * (integer(picture.get("height")) or 0)


# --- small things -------------------------------------------------------------------------------------


def full_name(person: Mapping[str, Any]) -> str:
    """First and last name, or the title of a chat."""
    names = (_text(person.get("first_name")), _text(person.get("last_name")))
    return (" ".join(name for name in names if name) or _text(person.get("title")))[:MAX_NAME]


def integer(value: Any) -> int | None:
    """An integer of at most 63 bits; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63:
        return value
    return None


def _object(value: Any) -> Mapping[str, Any] | None:
    return value if isinstance(value, dict) else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _is_degree(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 360
