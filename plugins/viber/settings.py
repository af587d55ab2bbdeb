"""The keys of `[channels.<account>]` with `plugin = "viber"`. Each key says what it does in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from hub.sdk import SettingWrong, labels

LANGUAGES = ("uk", "en")


def _default_welcome() -> dict[Literal["uk", "en"], str]:
    return {
        "uk": "Добрий день! Напишіть, що вас цікавить, і ми відповімо тут.",
        "en": "Hello! Write what you would like to know, and we will answer here.",
    }


class ViberSettings(BaseModel):
    """One bot."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    token: SecretStr = Field(
        description="Token of the bot, from partners.viber.com or from your Viber partner.",
        json_schema_extra=labels(
            en="Token", uk="Токен", help_uk="Токен бота з partners.viber.com або від партнера Viber."
        ),
    )
    sender_name: str = Field(
        min_length=1,
        max_length=28,
        description="Name under which your answers appear.",
        json_schema_extra=labels(
            en="Name of the sender",
            uk="Ім'я відправника",
            help_uk="Ім'я, під яким клієнт бачить ваші відповіді.",
        ),
    )
    sender_avatar: str = Field(
        default="",
        max_length=1000,
        pattern=r"^(https://\S+)?$",
        description="Address of a picture shown beside the name (https, square, up to 100 kB).",
        json_schema_extra=labels(
            en="Picture of the sender",
            uk="Зображення відправника",
            help_uk="Адреса зображення поряд з ім'ям (https, квадратне, до 100 кБ).",
        ),
    )
    welcome: str | dict[Literal["uk", "en"], str] = Field(
        default_factory=_default_welcome,
        description="Greets who opens the chat for the first time; one text or one a language, empty: none.",
        json_schema_extra=labels(
            en="Greeting",
            uk="Вітання",
            help_uk="Вітання тому, хто вперше відкрив чат; один текст або за мовами, порожньо: без нього.",
            first=True,
        ),
    )
    welcome_asks_phone: bool = Field(
        default=False,
        description="Adds a button to the greeting that shares the customer's own number.",
        json_schema_extra=labels(
            en="Greeting asks for the number",
            uk="Вітання просить номер",
            help_uk="Додає до вітання кнопку, якою клієнт ділиться своїм номером.",
        ),
    )
    receipts: bool = Field(
        default=True,
        description="Takes marks delivered and seen; switch off where they are too many.",
        json_schema_extra=labels(
            en="Marks delivered and seen",
            uk="Позначки доставки й перегляду",
            help_uk="Приймати позначки «доставлено» й «переглянуто»; вимкніть, якщо їх забагато.",
        ),
    )
    take_over: bool = Field(
        default=False,
        description="Moves the web hook here although another program has it at present.",
        json_schema_extra=labels(
            en="Take the web hook over",
            uk="Перебрати вебхук",
            help_uk="Перенести вебхук сюди, хоч зараз ним користується інша програма.",
        ),
    )
    base_url: str = Field(
        default="https://chatapi.viber.com",
        pattern=r"^https?://",
        max_length=300,
        description="Address of the API; an emulator's address in tests.",
        json_schema_extra=labels(
            en="Address of the API", uk="Адреса API", help_uk="Адреса API; у тестах адреса емулятора."
        ),
    )

    @field_validator("token")
    @classmethod
    def _token_is_one_word(cls, value: SecretStr) -> SecretStr:
        token = value.get_secret_value()
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise SettingWrong(
                "expected the token as Viber shows it: one word of letters, digits and dashes",
                "очікується токен, як його показує Viber: одне слово з літер, цифр і дефісів",
            )
        return value

    def welcome_in(self, language: str) -> str:
        """The greeting in a language of ours, else in the first one that is written."""
        if isinstance(self.welcome, str):
            return self.welcome
        texts: Mapping[Any, str] = self.welcome
        return texts.get(language[:2].lower()) or next(iter(texts.values()), "")
