"""What names a message: bot, chat, message and, for business chats, the connection.

An id of a message is unique within its chat only, and private chats of two bots count alike.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Address:
    """One message of one chat."""

    bot: str
    chat: int
    message: int
    connection: str = ""

    def __str__(self) -> str:
        end = f":{self.connection}" if self.connection else ""
        return f"{self.bot}:{self.chat}:{self.message}{end}"


def read_address(text: str) -> Address | None:
    """The address that `str` wrote; None for anything else."""
    bot, _, rest = text.partition(":")
    chat, _, rest = rest.partition(":")
    message, _, connection = rest.partition(":")
    if not bot.isdigit() or not message.isdigit() or not chat.removeprefix("-").isdigit():
        return None
    if max(len(chat), len(message)) > 20:
        return None
    return Address(bot, int(chat), int(message), connection)
