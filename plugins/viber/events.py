"""Viber's callback events as events of the hub (pure).

Nothing here raises on what it does not know: an unknown event is kept and counted, an unknown kind of
message still reaches a person. Only a body that is no JSON object, or a message of nobody, is unreadable.
Tokens of messages are 64-bit integers; they are read as integers and kept as text, digit for digit.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

import orjson

from hub.sdk import (
    Attachment,
    Event,
    EventKind,
    Mark,
    Parsed,
    PayloadUnreadable,
    Sender,
)
from plugins.viber import tracking_data

ACTION_PREFIX: Final = "hub:"
"""What `outgoing` puts before a button's action: Viber sends a press as an ordinary text."""

MAX_TEXT = 20_000
MAX_ID = 200
MAX_ADDRESS = 2_000
_LATEST_MS = 4_102_444_800_000  # the year 2100: later than any real timestamp

Document = Mapping[str, Any]


def load(body: bytes) -> Any:
    """The JSON of a body, or None where it is none."""
    try:
        return orjson.loads(body)
    except ValueError:
        return None


def external_id(document: Any, body: bytes) -> str:
    """Event, token and, for marks of several receivers, the person: the same in every repeat."""
    if isinstance(document, dict):
        event, token = _text(document.get("event")), token_of(document)
        if event and token:
            person = _text(document.get("user_id")) if event in _MARKS else ""
            key = f"{event}:{token}:{person}" if person else f"{event}:{token}"
            if len(key) <= MAX_ID and key.isprintable():
                return key
    return "body:" + sha256(body).hexdigest()


def token_of(document: Document) -> str:
    """`message_token` as text; "" where there is none."""
    return _text(document.get("message_token"))


def parse(document: Any) -> Parsed:
    """What a callback says. Raises PayloadUnreadable."""
    if not isinstance(document, dict):
        raise PayloadUnreadable("the body is not a JSON object")
    read = _READERS.get(_text(document.get("event")), _of_no_interest)
    return Parsed(events=(read(document),))


# --- events -------------------------------------------------------------------------------------------


def _probe(document: Document) -> Event:
    """The validation call during `set_webhook`; its clock and token may be anything."""
    return Event(kind=EventKind.PROBE)


def _of_no_interest(document: Document) -> Event:
    name = _text(document.get("event"))[:MAX_ID]
    return Event(kind=EventKind.IGNORED, fields={"event": name} if name else {})


def _joined(document: Document) -> Event:
    """`subscribed`, `conversation_started`: no request, but the person and where he came from are known."""
    context = _text(document.get("context"))[:1000]
    return Event(
        kind=EventKind.JOINED,
        sender=_person(document.get("user")),
        sent_at=_moment(document),
        source={"context": context} if context else {},
    )


def _left(document: Document) -> Event:
    return Event(kind=EventKind.LEFT, sender=_of_user_id(document), sent_at=_moment(document))


_MARKS: Final = {"delivered": Mark.DELIVERED, "seen": Mark.SEEN, "failed": Mark.FAILED}


def _receipt(document: Document) -> Event:
    return Event(
        kind=EventKind.RECEIPT,
        sender=_of_user_id(document),
        sent_at=_moment(document),
        about=token_of(document),
        mark=_MARKS[document["event"]],
        text=_text(document.get("desc"))[:1000],
    )


def _message(document: Document) -> Event:
    sender = _person(document.get("sender"))
    if not sender.channel_id:
        raise PayloadUnreadable("a message without its sender's id")
    message = document.get("message")
    message = message if isinstance(message, dict) else {}
    tracking = tracking_data.read(message.get("tracking_data"))
    kind = _text(message.get("type"))
    content = _CONTENTS.get(kind, _unknown)(message)
    text, fields, phone = content.text, content.fields, ""
    if kind == "text" and text.startswith(ACTION_PREFIX):
        text = text.removeprefix(ACTION_PREFIX)
        fields = {"action": text}
    if kind == "contact" and tracking.asked_phone:
        phone = _number(fields.get("contact_phone", ""))
    return Event(
        kind=EventKind.MESSAGE,
        sender=Sender(name=sender.name, phone=phone, channel_id=sender.channel_id, language=sender.language),
        text=text,
        message_id=token_of(document)[:MAX_ID],
        sent_at=_moment(document),
        fields=fields,
        attachments=content.attachments,
        thread_token=tracking.thread_token[:MAX_ID],
    )


_READERS: Final[Mapping[str, Callable[[Document], Event]]] = {
    "webhook": _probe,
    "message": _message,
    "subscribed": _joined,
    "conversation_started": _joined,
    "unsubscribed": _left,
    **dict.fromkeys(_MARKS, _receipt),
}


# --- contents of a message ----------------------------------------------------------------------------


class _Content:
    """What one type of message brings."""

    __slots__ = ("attachments", "fields", "text")

    def __init__(
        self,
        text: str = "",
        fields: Mapping[str, str] | None = None,
        attachments: tuple[Attachment, ...] = (),
    ) -> None:
        self.text = text
        self.fields = fields or {}
        self.attachments = attachments


def _words(message: Document) -> _Content:
    return _Content(_caption(message))


def _picture(message: Document) -> _Content:
    return _Content(_caption(message), attachments=_file(message, "picture.jpg", "image/jpeg"))


def _video(message: Document) -> _Content:
    return _Content(_caption(message), attachments=_file(message, "video.mp4", "video/mp4"))


def _document(message: Document) -> _Content:
    name = _text(message.get("file_name"))[:256] or "file"
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return _Content(_caption(message), attachments=_file(message, name, media_type))


def _sticker(message: Document) -> _Content:
    fields = {"sticker": _text(message.get("sticker_id"))[:MAX_ID]}
    return _Content(fields=fields, attachments=_file(message, "sticker.png", "image/png"))


def _contact(message: Document) -> _Content:
    """A contact card. Whose number it is, the caller decides."""
    contact = message.get("contact")
    contact = contact if isinstance(contact, dict) else {}
    name, phone = _text(contact.get("name"))[:MAX_ID], _text(contact.get("phone_number"))[:64]
    fields = {"contact_name": name, "contact_phone": phone}
    return _Content(f"{name} {_number(phone)}".strip(), {k: v for k, v in fields.items() if v})


def _location(message: Document) -> _Content:
    location = message.get("location")
    location = location if isinstance(location, dict) else {}
    lat, lon = location.get("lat"), location.get("lon")
    if not (_is_number(lat) and _is_number(lon)):
        return _unknown(message)
    place = f"{lat:.6f}, {lon:.6f}"
    page = f"https://www.openstreetmap.org/?mlat={lat:.6f}&mlon={lon:.6f}#map=17/{lat:.6f}/{lon:.6f}"
    return _Content(place, {"location": place, "map": page})


def _address(message: Document) -> _Content:
    return _Content(_text(message.get("media"))[:MAX_ADDRESS])


def _rich(message: Document) -> _Content:
    return _Content(_text(message.get("alt_text"))[:MAX_TEXT], {"content": "rich_media"})


def _unknown(message: Document) -> _Content:
    """A kind that is not known: a person looks at it, with what text there is."""
    kind = _text(message.get("type"))[:MAX_ID]
    return _Content(_caption(message), {"content": kind or "unknown"})


_CONTENTS: Final[Mapping[str, Callable[[Document], _Content]]] = {
    "text": _words,
    "picture": _picture,
    "video": _video,
    "file": _document,
    "sticker": _sticker,
    "contact": _contact,
    "location": _location,
    "url": _address,
    "rich_media": _rich,
}


def _caption(message: Document) -> str:
    return _text(message.get("text"))[:MAX_TEXT]


def _file(message: Document, name: str, media_type: str) -> tuple[Attachment, ...]:
    """The file behind `media`: a link that is good for about an hour, and is therefore fetched at once."""
    address = _text(message.get("media"))
    if not address.startswith(("https://", "http://")) or len(address) > MAX_ADDRESS:
        return ()
    size = message.get("size")
    told = _text(message.get("file_name"))[:256]
    return (
        Attachment(
            name=told or name,
            media_type=media_type,
            size=size if isinstance(size, int) and 0 < size < 1 << 40 else 0,
            ref=address,
        ),
    )


# --- small things -------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    """A text or an integer as text; anything else is not told."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 360


def _number(phone: str) -> str:
    """Viber tells numbers with the country and without the plus."""
    return f"+{phone}" if phone.isascii() and phone.isdigit() else phone


def _person(user: Any) -> Sender:
    if not isinstance(user, dict):
        return Sender()
    return Sender(
        name=_text(user.get("name"))[:MAX_ID],
        channel_id=_text(user.get("id"))[:MAX_ID],
        language=_text(user.get("language"))[:20],
    )


def _of_user_id(document: Document) -> Sender:
    return Sender(channel_id=_text(document.get("user_id"))[:MAX_ID])


def _moment(document: Document) -> datetime | None:
    told = document.get("timestamp")
    if not isinstance(told, int) or isinstance(told, bool) or not 0 < told < _LATEST_MS:
        return None
    return datetime.fromtimestamp(told / 1000, UTC)
