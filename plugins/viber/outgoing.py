"""A message of the business as calls of `send_message` (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from hub.sdk import Button, Outgoing, OutgoingFile, Refused
from plugins.viber import tracking_data
from plugins.viber.events import ACTION_PREFIX
from plugins.viber.settings import ViberSettings

MAX_TEXT: Final = 7_000
MAX_CAPTION: Final = 512
MAX_PICTURE: Final = 1024 * 1024
MAX_FILE: Final = 50 * 1024 * 1024
MAX_FILE_NAME: Final = 256
MAX_BUTTONS_IN_A_ROW: Final = 6
PICTURES: Final = frozenset({"image/jpeg", "image/png"})

# Which version of the API the receiver's app must know.
PLAIN_VERSION: Final = 1
PHONE_VERSION: Final = 3
SILENT_VERSION: Final = 6

Payload = dict[str, Any]


def plan(message: Outgoing, settings: ViberSettings) -> Sequence[Payload] | Refused:
    """One payload for each call, in order; the buttons stand under the last one."""
    if not message.to.channel_id:
        return Refused("this person has no address in Viber: he must write to the bot first")
    refusal = _refusal(message)
    if refusal is not None:
        return refusal
    contents = list(_contents(message))
    if not contents:
        return Refused("the message is empty")
    asks_phone = any(button.share_phone for row in message.buttons for button in row)
    tracking = tracking_data.write(
        tracking_data.Tracking(thread_token=message.thread_token, asked_phone=asks_phone)
    )
    common: Payload = {
        "receiver": message.to.channel_id,
        "min_api_version": PLAIN_VERSION,
        "sender": sender(settings),
        "tracking_data": tracking,
    }
    payloads = [{**common, **content} for content in contents]
    if message.buttons:
        payloads[-1] |= {"min_api_version": version(message.buttons), "keyboard": keyboard(message.buttons)}
    return payloads


def plain(payload: Payload) -> Payload | None:
    """The same for an old app: no buttons, the lowest version. None where it is plain already."""
    if "keyboard" not in payload and payload["min_api_version"] == PLAIN_VERSION:
        return None
    bare = {key: value for key, value in payload.items() if key != "keyboard"}
    return {**bare, "min_api_version": PLAIN_VERSION}


def welcome(settings: ViberSettings, language: str) -> Payload | None:
    """The greeting: like a message, without a receiver. None where there is none."""
    text = settings.welcome_in(language)
    if not text:
        return None
    payload: Payload = {
        "sender": sender(settings),
        "tracking_data": tracking_data.write(tracking_data.Tracking(asked_phone=settings.welcome_asks_phone)),
        "type": "text",
        "text": text[:MAX_TEXT],
        "min_api_version": PLAIN_VERSION,
    }
    if settings.welcome_asks_phone:
        label = "Share my number" if language[:2].lower() == "en" else "Поділитися номером"
        buttons = ((Button(label=label, share_phone=True),),)
        payload |= {"min_api_version": PHONE_VERSION, "keyboard": keyboard(buttons)}
    return payload


def sender(settings: ViberSettings) -> Payload:
    """Who answers."""
    avatar = {"avatar": settings.sender_avatar} if settings.sender_avatar else {}
    return {"name": settings.sender_name, **avatar}


# --- contents -----------------------------------------------------------------------------------------


def _refusal(message: Outgoing) -> Refused | None:
    for file in message.files:
        if not file.body:
            return Refused(f"the file {file.name} is empty")
        if len(file.body) > MAX_FILE:
            return Refused(f"the file {file.name} is larger than 50 MB, Viber takes no larger ones")
        if not file.url:
            return Refused(
                "Viber fetches files from a public address, and the hub has none for them: send a link instead"
            )
    return None


def _contents(message: Outgoing) -> Iterator[Payload]:
    """Text and files; a short text stands under its only picture."""
    files = message.files
    if len(files) == 1 and _is_picture(files[0]) and len(message.text) <= MAX_CAPTION:
        yield _picture(files[0], _sendable(message.text))
        return
    for part in split(message.text):
        yield {"type": "text", "text": part}
    for file in files:
        yield _picture(file, "") if _is_picture(file) else _document(file)


def _is_picture(file: OutgoingFile) -> bool:
    return file.media_type in PICTURES and len(file.body) <= MAX_PICTURE


def _picture(file: OutgoingFile, caption: str) -> Payload:
    return {"type": "picture", "text": caption, "media": file.url}


def _document(file: OutgoingFile) -> Payload:
    return {
        "type": "file",
        "media": file.url,
        "size": len(file.body),
        "file_name": _short_name(file.name),
    }


def _short_name(name: str) -> str:
    """At most 256 characters, the extension kept: the app opens the file by it."""
    if len(name) <= MAX_FILE_NAME:
        return name
    stem, dot, extension = name.rpartition(".")
    kept = dot + extension if stem and len(extension) < 16 else ""
    return name[: MAX_FILE_NAME - len(kept)] + kept


def split(text: str, limit: int = MAX_TEXT) -> Iterator[str]:
    """Parts of at most `limit` characters, cut at the last paragraph, line or space of each."""
    text = _sendable(text)
    while len(text) > limit:
        cut = max(text.rfind("\n\n", limit // 2, limit), 0) or text.rfind("\n", limit // 2, limit)
        if cut <= 0:
            cut = text.rfind(" ", limit // 2, limit)
        if cut <= 0:
            cut = limit
        yield text[:cut].rstrip()
        text = text[cut:].lstrip()
    if text:
        yield text


def _sendable(text: str) -> str:
    """Half a surrogate pair cannot be sent, and NUL is no character of a text."""
    return text.encode("utf-8", "replace").decode().replace("\0", "").strip()


# --- keyboard -----------------------------------------------------------------------------------------


def version(rows: Sequence[Sequence[Button]]) -> int:
    """What the buttons ask of the receiver's app."""
    buttons = [button for row in rows for button in row]
    if any(not button.share_phone and not button.url for button in buttons):
        return SILENT_VERSION
    return PHONE_VERSION if any(button.share_phone for button in buttons) else PLAIN_VERSION


def keyboard(rows: Sequence[Sequence[Button]]) -> Payload:
    """Rows of at most six; the widths of a row fill its six columns, or the next row would flow into it."""
    buttons: list[Payload] = []
    for row in rows:
        for start in range(0, len(row), MAX_BUTTONS_IN_A_ROW):
            few = row[start : start + MAX_BUTTONS_IN_A_ROW]
            width, wider = divmod(6, len(few))
            buttons += [
                {"Columns": width + (index < wider), "Rows": 1, "Text": button.label, **_action(button)}
                for index, button in enumerate(few)
            ]
    return {"Type": "keyboard", "DefaultHeight": False, "Buttons": buttons}


def _action(button: Button) -> Payload:
    if button.share_phone:
        return {"ActionType": "share-phone", "ActionBody": "phone"}
    if button.url:
        return {"ActionType": "open-url", "ActionBody": button.url}
    return {
        "ActionType": "reply",
        "ActionBody": ACTION_PREFIX + (button.action or button.label),
        "Silent": True,
    }
