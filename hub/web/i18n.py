"""Which language a page speaks, and its catalogue.

Source texts are English and stand in code (`N_`, `Words.t`) and templates; Ukrainian comes from
`locale/uk/LC_MESSAGES/hub.mo`. `python -m hub.web.locale.update` collects and compiles.
"""

from __future__ import annotations

import gettext
from functools import cache
from pathlib import Path

LOCALE = Path(__file__).with_name("locale")
DOMAIN = "hub"
SOURCE = "en"
LANGUAGES = {"uk": "Українська", "en": "English"}


def N_(text: str) -> str:  # noqa: N802 - gettext's own name for "mark, translate later"
    """Mark a text for the catalogue."""
    return text


@cache
def catalogue(language: str) -> gettext.NullTranslations:
    """The translations of a language; the source language needs none."""
    if language == SOURCE:
        return gettext.NullTranslations()
    return gettext.translation(DOMAIN, LOCALE, [language])


def accepted(header: str) -> str | None:
    """The first language of ours that an Accept-Language header prefers."""
    wanted: list[tuple[float, str]] = []
    for part in header[:500].split(","):
        tag, _, rest = part.strip().partition(";")
        try:
            weight = float(rest.strip().removeprefix("q=")) if rest else 1.0
        except ValueError:
            continue
        language = tag.strip().lower().partition("-")[0]
        if language in LANGUAGES and weight > 0:
            wanted.append((-weight, language))
    return min(wanted, key=lambda found: found[0])[1] if wanted else None


def choose(person: str | None, cookie: str | None, header: str, default: str) -> str:
    """The person's own language, else the cookie's, else the browser's, else the settings'."""
    for language in (person, cookie):
        if language in LANGUAGES:
            return language
    return accepted(header) or default
