"""The keys of one web form account. Each key says what it does in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

Role = Literal["name", "phone", "email", "message", "organisation", "subject", "ignore"]

LANGUAGES = ("uk", "en")
MAX_BODY_BYTES = 1024 * 1024
# Names that a honeypot cannot have: every honest form fills them.
_TAKEN = frozenset({"name", "phone", "email", "message", "organisation", "subject", "test", "tranid"})


def _uk(text: str) -> dict[str, Any]:
    return {"description_uk": text}


def is_address(text: str) -> bool:
    """Is this thank-you setting an address to go to, and not a text to show?"""
    return text.startswith(("http://", "https://", "/"))


def _default_title() -> dict[Literal["uk", "en"], str]:
    return {"uk": "Напишіть нам", "en": "Write to us"}


class WebFormSettings(BaseModel):
    """One web form account."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rate_per_minute: int = Field(
        default=120,
        ge=0,
        description="Deliveries a minute from one network address; 0 switches the limit off.",
        json_schema_extra=_uk("Скільки надсилань за хвилину приймати з однієї адреси; 0 вимикає обмеження."),
    )
    honeypot: str = Field(
        default="website",
        max_length=60,
        pattern=r"^[A-Za-z0-9_\-]*$",
        description="Name of the hidden field that only robots fill; empty switches the trap off.",
        json_schema_extra=_uk("Назва прихованого поля, яке заповнюють лише роботи; порожньо вимикає пастку."),
    )
    fields: Mapping[str, Role] = Field(
        default_factory=dict,
        max_length=200,
        description="Your field name = name, phone, email, message, organisation, subject or ignore.",
        json_schema_extra=_uk("Ваше поле = name, phone, email, message, organisation, subject або ignore."),
    )
    title: str | dict[Literal["uk", "en"], str] = Field(
        default_factory=_default_title,
        description="Heading of the hosted form page; one text, or one for each language.",
        json_schema_extra=_uk("Заголовок сторінки з формою; один текст або окремий для кожної мови."),
    )
    thank_you: str | dict[Literal["uk", "en"], str] = Field(
        default="",
        description="After sending: a text to show, or an address to go to (http, https or /path).",
        json_schema_extra=_uk("Після надсилання: текст або адреса переходу (http, https чи /шлях)."),
    )
    max_body_bytes: int = Field(
        default=MAX_BODY_BYTES,
        ge=1024,
        le=MAX_BODY_BYTES,
        description="Largest accepted body, in bytes.",
        json_schema_extra=_uk("Найбільший розмір тіла запиту в байтах."),
    )
    region: str = Field(
        default="UA",
        pattern=r"^[A-Z]{2}$",
        description="Country (ISO 3166) of telephone numbers typed without a country code.",
        json_schema_extra=_uk("Країна (ISO 3166) телефонних номерів, набраних без коду країни."),
    )

    @field_validator("honeypot")
    @classmethod
    def _honeypot_is_free(cls, value: str) -> str:
        if value.lower() in _TAKEN:
            raise ValueError("this name belongs to a real field: choose another one, such as website")
        return value

    @field_validator("thank_you")
    @classmethod
    def _thank_you_is_safe(cls, value: str | dict[str, str]) -> str | dict[str, str]:
        for text in [value] if isinstance(value, str) else value.values():
            _check_thank_you(text)
        return value

    def title_in(self, language: str) -> str:
        """The heading in one of LANGUAGES."""
        return _in_language(self.title, language)

    def thank_you_in(self, language: str) -> str:
        """The text or address after sending; "" where none is set."""
        return _in_language(self.thank_you, language)


def _in_language(value: str | Mapping[Any, str], language: str) -> str:
    if isinstance(value, str):
        return value
    return value.get(language) or next(iter(value.values()), "")


def _check_thank_you(text: str) -> None:
    """Raise ValueError where a browser would be sent somewhere else than http, https or this site."""
    one_word = bool(text) and not any(c.isspace() or not c.isprintable() for c in text)
    if is_address(text):
        if text.startswith("//") or "\\" in text or not one_word:
            raise ValueError("an address begins with https://, http:// or one /, without spaces")
    elif one_word and text.partition(":")[1] and text.partition(":")[0].isascii():
        raise ValueError("only addresses that begin with https://, http:// or / are allowed")
