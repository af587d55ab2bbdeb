"""The keys of `[channels.<account>]` with `plugin = "telegram"`. Each key says what it does in both languages."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from hub.sdk import SettingWrong, labels

_TOKEN = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_-]{1,100}")


class TelegramSettings(BaseModel):
    """One bot."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    token: SecretStr = Field(
        description="Token of the bot, from BotFather: digits, a colon, letters.",
        json_schema_extra=labels(
            en="Token", uk="Токен", help_uk="Токен бота від BotFather: цифри, двокрапка, літери."
        ),
    )
    mode: Literal["poll", "webhook"] = Field(
        default="poll",
        description="How messages come: poll asks for them; webhook needs a public https address of the hub.",
        json_schema_extra=labels(
            en="How messages come",
            uk="Як надходять повідомлення",
            help_uk="Як надходять повідомлення: poll запитує сам; webhook потребує адреси https.",
            choices={
                "poll": {"en": "the hub asks", "uk": "хаб запитує сам"},
                "webhook": {"en": "web hook", "uk": "вебхук"},
            },
        ),
    )
    groups: bool = Field(
        default=False,
        description="Takes messages of groups and of a channel's discussion, as far as BotFather lets the bot see.",
        json_schema_extra=labels(
            en="Messages of groups",
            uk="Повідомлення груп",
            help_uk="Приймати повідомлення груп і обговорень каналу, наскільки їх бачить бот.",
        ),
    )
    channel_posts: bool = Field(
        default=False,
        description="Takes posts of channels in which the bot is an administrator as requests.",
        json_schema_extra=labels(
            en="Posts of channels",
            uk="Дописи каналів",
            help_uk="Вважати зверненнями дописи каналів, де бот є адміністратором.",
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
        default="https://api.telegram.org",
        pattern=r"^https?://",
        max_length=300,
        description="Address of the Bot API; a server of your own, or an emulator's address in tests.",
        json_schema_extra=labels(
            en="Address of the Bot API",
            uk="Адреса Bot API",
            help_uk="Адреса Bot API; власний сервер або адреса емулятора у тестах.",
        ),
    )

    @field_validator("token")
    @classmethod
    def _token_has_its_shape(cls, value: SecretStr) -> SecretStr:
        if not _TOKEN.fullmatch(value.get_secret_value()):
            raise SettingWrong(
                "expected the token as BotFather writes it: digits, a colon, letters",
                "очікується токен, як його пише BotFather: цифри, двокрапка, літери",
            )
        return value

    @property
    def bot_id(self) -> str:
        """The bot's own id: the digits of the token."""
        return self.token.get_secret_value().partition(":")[0]
