"""What a plugin wants people to know before it hurts. Since SDK 1.1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that somebody has to do soon; the account goes on working meanwhile.

    key   a short word for what it is about, the same for as long as it lasts ("key_expires")
    text  one sentence in each language, {"en": ..., "uk": ...}: what it is and what to do; no secret in it
    """

    key: str
    text: Mapping[str, str]
