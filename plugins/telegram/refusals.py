"""Telegram's refusals as sentences for whoever reads them (pure).

Telegram tells the reason in words only; the words are those of its server (Bot API 10.0, read 2026-11).
"""

from __future__ import annotations

from typing import Final

# The first entry whose words stand in the description holds.
_SENTENCES: Final[tuple[tuple[str, str], ...]] = (
    ("bot was blocked by the user", "the customer has blocked the bot"),
    ("user is deactivated", "the customer has deleted the Telegram account"),
    ("can't initiate conversation", "this person has never written to the bot: he must write first"),
    ("bot was kicked", "the bot was removed from this group"),
    ("bot is not a member", "the bot is not in this group any more"),
    ("group chat was deleted", "this group does not exist any more"),
    ("can't send messages to bots", "this is a bot: bots cannot be written to"),
    ("chat not found", "Telegram knows no such chat: this person has never written to this bot"),
    ("peer_id_invalid", "Telegram knows no such chat: this person has never written to this bot"),
    ("not enough rights", "the bot may not write in this group: an administrator must allow it"),
    ("chat_write_forbidden", "the bot may not write in this group: an administrator must allow it"),
    ("topic_closed", "this topic of the group is closed"),
    ("business connection", "the business account is not linked to the bot any more"),
    ("business_connection", "the business account is not linked to the bot any more"),
    ("file is too big", "a file is too large for Telegram"),
    ("request entity too large", "a file is too large for Telegram"),
    ("file must be non-empty", "a file is empty"),
    ("message text is empty", "the message is empty"),
    ("button_data_invalid", "an action of a button is longer than 64 bytes"),
    ("voice_messages_forbidden", "the customer takes no voice messages"),
)
_PICTURE: Final = ("photo_invalid_dimensions", "image_process_failed", "photo_save_file_invalid")


def sentence(description: str) -> str:
    """What it means, or Telegram's own words."""
    words = description.lower()
    for needle, meaning in _SENTENCES:
        if needle in words:
            return meaning
    own = description.removeprefix("Bad Request: ").removeprefix("Forbidden: ")[:200]
    return f"Telegram refuses it: {own or 'no reason given'}"


def is_of_the_picture(description: str) -> bool:
    """Was it refused as a photo only? As a file it passes."""
    words = description.lower()
    return any(needle in words for needle in _PICTURE)
