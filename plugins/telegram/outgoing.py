"""A message of the business as calls of the Bot API (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from hub.sdk import Button, Outgoing, OutgoingFile, Refused
from plugins.telegram.address import Address, read_address

MAX_TEXT: Final = 4096
MAX_CAPTION: Final = 1024
MAX_FILE: Final = 50 * 1024 * 1024
MAX_PHOTO: Final = 10 * 1024 * 1024
MAX_ALBUM: Final = 10
MAX_ACTION_BYTES: Final = 64
PHOTOS: Final = frozenset({"image/jpeg", "image/png"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One call: a text, a photo or document with its caption, or an album of photos.

    buttons   rows that stand under it; () for none
    as_files  pictures go as files, since they were refused as pictures
    """

    text: str = ""
    files: tuple[OutgoingFile, ...] = ()
    buttons: tuple[tuple[Button, ...], ...] = ()
    as_files: bool = False

    @property
    def is_photo(self) -> bool:
        """One picture, or several: more than one is an album."""
        return not self.as_files and bool(self.files) and all(_is_photo(file) for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where it goes: a chat, as an answer to a message of it or not, over a business connection or not."""

    chat: int
    answers: int | None = None
    connection: str = ""


def target(message: Outgoing) -> Target | Refused:
    """Private answers go to the person, without a quotation; answers in a group quote what they answer."""
    if not _is_number(message.to.channel_id):
        return Refused("this person has no address in Telegram: he must write to the bot first")
    person = int(message.to.channel_id)
    answered = _nearest(message.replies_to)
    if answered is None:
        return Target(chat=person)
    if answered.connection:
        return Target(chat=answered.chat, connection=answered.connection)
    if answered.chat == person:
        return Target(chat=person)
    return Target(chat=answered.chat, answers=answered.message)


def steps(message: Outgoing, where: Target) -> Sequence[Step] | Refused:
    """The calls in order. The buttons stand under the last text, else under the last file."""
    refusal = _refusal(message, where)
    if refusal is not None:
        return refusal
    planned = list(_contents(message, albums=True))
    if not planned:
        return Refused("the message is empty")
    if message.buttons:
        texts = [index for index, step in enumerate(planned) if not step.files]
        if not texts and len(planned[-1].files) > 1:  # an album takes no buttons: the photos go one by one
            planned = list(_contents(message, albums=False))
        place = texts[-1] if texts else len(planned) - 1
        planned[place] = replace(planned[place], buttons=message.buttons)
    return planned


def _refusal(message: Outgoing, where: Target) -> Refused | None:
    for file in message.files:
        if not file.body:
            return Refused(f"the file {file.name} is empty")
        if len(file.body) > MAX_FILE:
            return Refused(f"the file {file.name} is larger than 50 MB, Telegram takes no larger ones")
    buttons = [button for row in message.buttons for button in row]
    if any(len((button.action or button.label).encode()) > MAX_ACTION_BYTES for button in buttons):
        return Refused("an action of a button is longer than 64 bytes")
    if any(button.share_phone for button in buttons) and (where.chat < 0 or where.connection):
        return Refused("a telephone number can be asked for in a private chat with the bot only")
    return None


def _contents(message: Outgoing, *, albums: bool) -> Iterator[Step]:
    files = message.files
    if len(files) == 1 and utf16_length(message.text) <= MAX_CAPTION:
        yield Step(text=_sendable(message.text), files=files)
        return
    for part in split(message.text):
        yield Step(text=part)
    together: list[OutgoingFile] = []
    for file in files:
        if albums and _is_photo(file):
            together.append(file)
            if len(together) == MAX_ALBUM:
                yield Step(files=tuple(together))
                together = []
            continue
        if together:
            yield Step(files=tuple(together))
            together = []
        yield Step(files=(file,))
    if together:
        yield Step(files=tuple(together))


def _is_photo(file: OutgoingFile) -> bool:
    return file.media_type in PHOTOS and len(file.body) <= MAX_PHOTO


def _nearest(ids: Sequence[str]) -> Address | None:
    """The nearest id that is a message's; a pressed button has none."""
    return next((found for found in map(read_address, ids) if found is not None), None)


def _is_number(text: str) -> bool:
    return text.isascii() and text.removeprefix("-").isdigit() and len(text) <= 20


# --- text ---------------------------------------------------------------------------------------------


def utf16_length(text: str) -> int:
    """Telegram counts in UTF-16 units: an emoji has two."""
    return len(text) + sum(character > "\uffff" for character in text)


def split(text: str, limit: int = MAX_TEXT) -> Iterator[str]:
    """Parts of at most `limit` UTF-16 units, cut at the last paragraph, line or space of each."""
    text = _sendable(text)
    while utf16_length(text) > limit:
        longest = _fitting(text, limit)
        cut = next(
            (
                at
                for at in (text.rfind(mark, longest // 2, longest) for mark in ("\n\n", "\n", " "))
                if at > 0
            ),
            longest,
        )
        yield text[:cut].rstrip()
        text = text[cut:].lstrip()
    if text:
        yield text


def _sendable(text: str) -> str:
    """Half a surrogate pair cannot be sent, and NUL is no character of a text."""
    return text.encode("utf-8", "replace").decode().replace("\0", "").strip()


def _fitting(text: str, limit: int) -> int:
    """How many characters fit into so many units."""
    units = 0
    for index, character in enumerate(text):
        units += 2 if character > "\uffff" else 1
        if units > limit:
            return index
    return len(text)
