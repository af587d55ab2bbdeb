"""How a plugin's settings speak to people: a label, a help line and choices in each language, and errors in both.

A field of the settings model says its English help as `description`; the rest stands in `json_schema_extra`:

    token: SecretStr = Field(
        description="Token of the bot, from BotFather.",
        json_schema_extra=labels(en="Token", uk="Токен", help_uk="Токен бота від BotFather."),
    )

The hub makes forms, `hub check` and documents of it. A field without labels is shown by its key.
Since SDK 1.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field


def labels(
    *,
    en: str,
    uk: str,
    help_uk: str,
    choices: Mapping[str, Mapping[str, str]] | None = None,
    first: bool = False,
) -> dict[str, Any]:
    """For `Field(json_schema_extra=...)`: the label in both languages, the help in Ukrainian.

    choices   for a field with fixed values: value -> {"en": ..., "uk": ...}
    first     most people fill it in: it stands in sight, as required and secret fields do
    """
    found: dict[str, Any] = {"label": {"en": en, "uk": uk}, "description_uk": help_uk, "first": first}
    if choices is not None:
        found["choices"] = {value: dict(texts) for value, texts in choices.items()}
    return found


TrackingPage = Annotated[
    str,
    Field(
        pattern=r"^(https://\S+)?$",
        max_length=300,
        description="Address of the carrier's own page of a parcel, {number} for the number; empty: no link.",
        json_schema_extra=labels(
            en="Page of a parcel",
            uk="Сторінка посилки",
            help_uk="Адреса сторінки посилки в перевізника, {number} замість номера; порожньо: без посилання.",
        ),
    ),
]
"""The setting that a carrier has beside its `base_url`: `tracking_page: TrackingPage = "https://..."`. Since SDK 1.2"""


class SettingWrong(ValueError):
    """What a validator of settings raises: says what to do, in both languages; never the value, it may be secret."""

    def __init__(self, en: str, uk: str) -> None:
        super().__init__(en)
        self.en = en
        self.uk = uk
