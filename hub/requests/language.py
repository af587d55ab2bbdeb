"""Which language a request is in: what the account says, else the provider's hint, else the script.

Only what the letters prove is claimed: і ї є ґ are Ukrainian, ы э ё ъ are not, Cyrillic without either
may be both and is left open, and so is a text too short to tell.
"""

from __future__ import annotations

import re

_UKRAINIAN = re.compile("[іїєґ]", re.IGNORECASE)
_RUSSIAN = re.compile("[ыэёъ]", re.IGNORECASE)
_CYRILLIC = re.compile("[а-яё]", re.IGNORECASE)
_LATIN = re.compile("[a-z]{3}", re.IGNORECASE)
_LOOKED_AT = 500


def language_of(account: str, hint: str | None, text: str) -> str:
    """A code such as "uk", or "" where nothing tells."""
    if account:
        return account
    if hint:
        return hint.partition("-")[0].partition("_")[0].casefold()
    return by_script(text[:_LOOKED_AT])


def by_script(text: str) -> str:
    """What the letters prove: "uk", "ru", "en" (Latin letters alone), else ""."""
    if _UKRAINIAN.search(text):
        return "uk"
    if _RUSSIAN.search(text):
        return "ru"
    if _CYRILLIC.search(text):
        return ""
    return "en" if _LATIN.search(text) else ""
