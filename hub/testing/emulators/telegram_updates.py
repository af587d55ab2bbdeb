"""Updates as Telegram makes them of what people do, with invented people (pure)."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

BOT_ID = 7_000_000_001
NAME = "emulated_shop_bot"
CHANNEL_ID = -1_001_000_000_001
GROUP_ID = -1_001_000_000_002


@dataclass(slots=True)
class Customer:
    """One invented person. `can_be_written_to`: he has written to the bot, and has not blocked it."""

    id: int
    name: str = "Олена (емуляція)"
    language: str = "uk"
    blocked: bool = False
    can_be_written_to: bool = False

    def user(self) -> dict[str, Any]:
        """As `from`."""
        first, _, last = self.name.partition(" ")
        return {
            "id": self.id,
            "is_bot": False,
            "first_name": first,
            "last_name": last,
            "username": f"emulated_{self.id}",
            "language_code": self.language,
        }

    def chat(self) -> dict[str, Any]:
        """As the private chat with him."""
        first, _, last = self.name.partition(" ")
        return {"id": self.id, "type": "private", "first_name": first, "last_name": last}


@dataclass(slots=True)
class Made:
    """Makes messages; numbers count per chat, as Telegram's do in private chats."""

    numbers: dict[int, itertools.count[int]] = field(default_factory=dict)

    def message(self, chat: dict[str, Any], now_s: int, **content: Any) -> dict[str, Any]:
        """A message of the next number."""
        number = next(self.numbers.setdefault(chat["id"], itertools.count(1)))
        return {"message_id": number, "date": now_s, "chat": chat, **content}


def bot() -> dict[str, Any]:
    """The answer of getMe."""
    return {"id": BOT_ID, "is_bot": True, "first_name": "Емульований магазин", "username": NAME}


def group() -> dict[str, Any]:
    """A group that discusses the channel."""
    return {"id": GROUP_ID, "type": "supergroup", "title": "Обговорення (емуляція)"}


def channel() -> dict[str, Any]:
    """A channel of the business."""
    return {"id": CHANNEL_ID, "type": "channel", "title": "Канал магазину (емуляція)"}


def file_of(file_id: str, size: int) -> dict[str, Any]:
    """What names a file."""
    return {"file_id": file_id, "file_unique_id": f"u{file_id}"[:30], "file_size": size}


def membership(customer: Customer, now_s: int, state: str) -> dict[str, Any]:
    """`my_chat_member`: the customer blocked the bot (kicked) or let it in again (member)."""
    before = "member" if state == "kicked" else "kicked"
    return {
        "chat": customer.chat(),
        "from": customer.user(),
        "date": now_s,
        "old_chat_member": {"user": bot(), "status": before},
        "new_chat_member": {"user": bot(), "status": state}
        | ({"until_date": 0} if state == "kicked" else {}),
    }
