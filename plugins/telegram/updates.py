"""Updates of the Bot API as events of the hub (pure).

The library's own reading fails on real updates that miss a key it wants, so this one takes each key as it
finds it. Only a body that is no JSON object is unreadable; an update or a content of a new kind is not.

    private chat          MESSAGE; /start alone is JOINED, and its payload is the source
    group, discussion     MESSAGE where the settings say so; otherwise IGNORED
    channel post          MESSAGE of the channel where the settings say so; otherwise IGNORED
    business message      MESSAGE of the customer; what the owner wrote himself is an ECHO in the customer's chat
    edited ...            EDIT of that message
    callback query        MESSAGE: the button's label, with the action in `fields`
    my_chat_member        LEFT (blocked) and JOINED (came back), in private chats
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

import orjson

from hub.sdk import Event, EventKind, Parsed, PayloadUnreadable, Sender
from plugins.telegram.address import Address
from plugins.telegram.contents import MAX_FIELD, MAX_NAME, Content, full_name, integer, read_content

Object = Mapping[str, Any]

# Kind of update -> is it an edit?
MESSAGES: Final = {
    "message": False,
    "edited_message": True,
    "channel_post": False,
    "edited_channel_post": True,
    "business_message": False,
    "edited_business_message": True,
}
ALLOWED: Final = (
    *MESSAGES,
    "business_connection",
    "deleted_business_messages",
    "callback_query",
    "my_chat_member",
)
"""What Telegram is asked for. It remembers the list between calls, so it is always sent whole."""

MAX_BRACKETS: Final = 50_000
LIMIT: Final = 100
"""So many updates at most come with one call."""

_START: Final = re.compile(r"/start(?:@[A-Za-z0-9_]{1,64})?(?:[ \n]([A-Za-z0-9_-]{1,64}))?")
_GROUPS: Final = frozenset({"group", "supergroup"})
_LATEST_S: Final = 4_102_444_800  # the year 2100


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads the updates of one bot, by its settings."""

    bot: str
    groups: bool = False
    channel_posts: bool = False

    def external_id(self, update: Any, body: bytes) -> str:
        """Bot, number and moment: the number alone may begin anew after a week without updates."""
        if isinstance(update, dict):
            number = integer(update.get("update_id"))
            if number is not None:
                return f"{self.bot}:{number}:{_when(update)}"
        return "body:" + sha256(body).hexdigest()

    def parse(self, update: Any) -> Parsed:
        """What an update says. Raises PayloadUnreadable."""
        if not isinstance(update, dict):
            raise PayloadUnreadable("the update is not a JSON object")
        return Parsed(events=(self._event(update),))

    def _event(self, update: Object) -> Event:
        for kind, value in update.items():
            if kind in MESSAGES:
                return self._message(_object(value), edited=MESSAGES[kind])
            if kind == "callback_query":
                return self._pressed(_object(value))
            if kind == "my_chat_member":
                return _membership(_object(value))
        return _ignored("update", ", ".join(key for key in update if key != "update_id"))

    # --- messages -------------------------------------------------------------------------------------

    def _message(self, message: Object, *, edited: bool) -> Event:
        chat = _object(message.get("chat"))
        chat_id, message_id = integer(chat.get("id")), integer(message.get("message_id"))
        if chat_id is None or message_id is None:
            raise PayloadUnreadable("a message without chat or message_id")
        if not self._is_wanted(message, chat):
            return _ignored("chat", _text(chat.get("type")))
        author = _object(message.get("from"))
        content = read_content(message, integer(author.get("id")))
        if not _asks(content, chat):
            return _ignored("service", ", ".join(sorted(message.keys() & _telling(message))))
        connection = _text(message.get("business_connection_id"))[:MAX_NAME]
        address = str(Address(self.bot, chat_id, message_id, connection))
        sender = _sender(message, chat, content)
        if edited:
            return _edit(message, sender, content, address)
        if chat.get("type") == "private" and (start := _START.fullmatch(content.text)):
            payload = start.group(1)
            return Event(
                kind=EventKind.JOINED,
                sender=sender,
                sent_at=_moment(message.get("date")),
                source={"start": payload} if payload else {},
            )
        return Event(
            kind=EventKind.ECHO if _is_owners(message, chat) else EventKind.MESSAGE,
            sender=sender,
            text=content.text,
            message_id=address,
            sent_at=_moment(message.get("date")),
            fields={**content.fields, **_context(message)},
            attachments=content.attachments,
            replies_to=self._replies_to(message, chat_id, connection),
            group=_album(message, chat_id),
            group_name=_group_name(chat),
        )

    def _is_wanted(self, message: Object, chat: Object) -> bool:
        kind = _text(chat.get("type"))
        if kind == "channel":
            return self.channel_posts
        if _object(message.get("from")).get("is_bot") is True and "sender_chat" not in message:
            return False  # another bot, or ourselves: two bots never stop answering each other
        if kind not in _GROUPS:
            return True
        speaks_for = integer(_object(message.get("sender_chat")).get("id"))
        is_own = message.get("is_automatic_forward") is True or (
            speaks_for is not None and speaks_for == integer(chat.get("id"))
        )
        return self.groups and not is_own  # the channel's own post, or an administrator without his name

    def _replies_to(self, message: Object, chat_id: int, connection: str) -> tuple[str, ...]:
        answered = _object(message.get("reply_to_message"))
        if answered.get("is_automatic_forward") is True:
            return ()  # a comment under a post: the post is no message of a conversation
        number = integer(answered.get("message_id"))
        return () if number is None else (str(Address(self.bot, chat_id, number, connection)),)

    # --- buttons --------------------------------------------------------------------------------------

    def _pressed(self, query: Object) -> Event:
        person = _object(query.get("from"))
        if integer(person.get("id")) is None:
            raise PayloadUnreadable("a pressed button without the person who pressed it")
        message = _object(query.get("message"))
        chat = _object(message.get("chat"))
        action = _text(query.get("data"))[:MAX_FIELD]
        chat_id, message_id = integer(chat.get("id")), integer(message.get("message_id"))
        under = (
            () if chat_id is None or message_id is None else (str(Address(self.bot, chat_id, message_id)),)
        )
        return Event(
            kind=EventKind.MESSAGE,
            sender=_person(person),
            text=_label(message, action) or action,
            message_id=f"{self.bot}:callback:{_text(query.get('id'))[:MAX_NAME]}",
            fields={"action": action},
            replies_to=under,
            group_name=_group_name(chat),
        )


def load(body: bytes) -> Any:
    """The JSON of a body, or None where it is none, or has more brackets than any update."""
    if len(body) > MAX_BRACKETS and body.count(b"[") + body.count(b"{") > MAX_BRACKETS:
        return None
    try:
        return orjson.loads(body)
    except ValueError:
        return None


def as_bytes(update: dict[str, Any]) -> bytes:
    """One update of a list, as it came but for the spaces."""
    try:
        return json.dumps(update, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # half of a surrogate pair can only be written as an escape
        return json.dumps(update, separators=(",", ":")).encode()


def callback_id(update: Any) -> str:
    """The id of a pressed button that spins until it is answered; "" where none was pressed."""
    query = update.get("callback_query") if isinstance(update, dict) else None
    return _text(_object(query).get("id"))[:MAX_NAME]


# --- parts of an event --------------------------------------------------------------------------------


def _membership(change: Object) -> Event:
    """The person blocked the bot, or came back. What happens to the bot in groups is of no interest."""
    chat = _object(change.get("chat"))
    state = _text(_object(change.get("new_chat_member")).get("status"))
    person = _person(_object(change.get("from")))
    kinds = {"kicked": EventKind.LEFT, "left": EventKind.LEFT, "member": EventKind.JOINED}
    if chat.get("type") != "private" or state not in kinds or not person.channel_id:
        return _ignored("membership", state)
    return Event(kind=kinds[state], sender=person, sent_at=_moment(change.get("date")))


def _edit(message: Object, sender: Sender, content: Content, address: str) -> Event:
    return Event(
        kind=EventKind.EDIT,
        sender=sender,
        text=content.text,
        sent_at=_moment(message.get("edit_date") or message.get("date")),
        fields=content.fields,
        about=address,
    )


def _asks(content: Content, chat: Object) -> bool:
    """Does it reach a person? Content of a kind nobody knows does in private only: groups are full of it."""
    if _text(chat.get("type")) in _GROUPS:
        return bool(content.text or content.attachments or set(content.fields) - {"content"})
    return content.says_something


def _sender(message: Object, chat: Object, content: Content) -> Sender:
    """Who is answered: the author; in a business chat the customer, whoever wrote; else the channel."""
    author = _object(message.get("from"))
    if _is_owners(message, chat):
        return _person(chat)
    speaks_for = _object(message.get("sender_chat"))
    if integer(author.get("id")) is None or integer(speaks_for.get("id")) is not None:
        return _person(speaks_for or chat)
    person = _person(author)
    return Sender(
        name=person.name, phone=content.own_phone, channel_id=person.channel_id, language=person.language
    )


def _is_owners(message: Object, chat: Object) -> bool:
    """In a business chat the chat is the customer: what another one wrote was written by our side."""
    if "business_connection_id" not in message and "sender_business_bot" not in message:
        return False
    author = integer(_object(message.get("from")).get("id"))
    return author is not None and author != integer(chat.get("id"))


def _person(person: Object) -> Sender:
    number = integer(person.get("id"))
    return Sender(
        name=full_name(person),
        channel_id="" if number is None else str(number),
        language=_text(person.get("language_code"))[:20],
    )


def _context(message: Object) -> dict[str, str]:
    """What stands around the words: whose they are, which words they answer, how the writer is called."""
    found: dict[str, str] = {}
    username = _text(_object(message.get("from")).get("username"))
    if username:
        found["username"] = f"@{username}"[:MAX_NAME]
    origin = _object(message.get("forward_origin"))
    if origin:
        whose = _object(origin.get("sender_user") or origin.get("sender_chat") or origin.get("chat"))
        found["forwarded_from"] = full_name(whose) or _text(origin.get("sender_user_name"))[:MAX_NAME] or "?"
    quote = _text(_object(message.get("quote")).get("text"))
    if quote:
        found["quote"] = quote[:MAX_FIELD]
    answered = _object(message.get("reply_to_message"))
    if answered.get("is_automatic_forward") is True:
        post = _text(answered.get("text")) or _text(answered.get("caption"))
        found["post"] = post[:MAX_FIELD] or "?"
    return found


def _album(message: Object, chat_id: int) -> str:
    album = _text(message.get("media_group_id"))[:MAX_NAME]
    return f"{chat_id}:{album}" if album else ""


def _group_name(chat: Object) -> str:
    if _text(chat.get("type")) in {"private", ""}:
        return ""
    return full_name(chat) or _text(chat.get("username"))[:MAX_NAME] or str(integer(chat.get("id")) or "?")


def _label(message: Object, action: str) -> str:
    """The words on the pressed button, where Telegram sends the message along."""
    rows = _object(message.get("reply_markup")).get("inline_keyboard")
    for row in rows[:100] if isinstance(rows, list) else ():
        for button in row[:100] if isinstance(row, list) else ():
            if isinstance(button, dict) and button.get("callback_data") == action:
                return _text(button.get("text"))[:MAX_NAME]
    return ""


def _telling(message: Object) -> set[str]:
    """Keys of a message that say what kind it is."""
    return {key for key in message if key not in {"message_id", "from", "chat", "date"}}


def _ignored(name: str, what: str) -> Event:
    return Event(kind=EventKind.IGNORED, fields={name: what[:MAX_NAME]} if what else {})


def _when(update: Object) -> str:
    """The moment that an update tells, as it stands there; "" where it tells none."""
    for value in update.values():
        if isinstance(value, dict):
            told = value.get("edit_date") or value.get("date") or value.get("id")
            return (
                str(told)[:60] if isinstance(told, int) or (isinstance(told, str) and told.isalnum()) else ""
            )
    return ""


def _moment(told: Any) -> datetime | None:
    seconds = integer(told)
    if seconds is None or not 0 < seconds < _LATEST_S:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def _object(value: Any) -> Object:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
