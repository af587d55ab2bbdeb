"""`tracking_data`: what the bot's last message carried comes back with the person's next one.

The hub puts in the token of the conversation, and whether that message asked for the telephone number:
Viber does not tell a number that was shared by the button from a contact card of somebody else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

MAX_LENGTH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracking:
    """What our last message said about itself."""

    thread_token: str = ""
    asked_phone: bool = False


def write(tracking: Tracking) -> str:
    """A string, never null: Viber refuses null."""
    return orjson.dumps({"hub": 1, "t": tracking.thread_token, "p": tracking.asked_phone}).decode()


def read(told: Any) -> Tracking:
    """Ours, or an empty one: other programs of the same bot write here too."""
    if not isinstance(told, str) or not 0 < len(told) <= MAX_LENGTH:
        return Tracking()
    try:
        found = orjson.loads(told)
    except ValueError:
        return Tracking()
    if not isinstance(found, dict) or found.get("hub") != 1:
        return Tracking()
    token = found.get("t")
    return Tracking(thread_token=token if isinstance(token, str) else "", asked_phone=found.get("p") is True)
