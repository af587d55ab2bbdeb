"""The keys of `[carriers.<account>]` with `plugin = "meest"`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from hub.sdk import TrackingPage, labels


class MeestSettings(BaseModel):
    """One contract: the login of its OpenAPI user."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str = Field(
        default="https://api.meest.com/v3.0/openAPI",
        pattern=r"^https?://",
        max_length=300,
        description="Address of the OpenAPI, version 3; an emulator's address in tests.",
        json_schema_extra=labels(
            en="Address of the API",
            uk="Адреса API",
            help_uk="Адреса OpenAPI, версія 3; у тестах адреса емулятора.",
        ),
    )
    username: SecretStr = Field(
        min_length=1,
        description="Login of the OpenAPI user, given with the contract.",
        json_schema_extra=labels(
            en="Login", uk="Логін", help_uk="Логін користувача OpenAPI, його дають разом із договором."
        ),
    )
    password: SecretStr = Field(
        min_length=1,
        description="Password of the OpenAPI user.",
        json_schema_extra=labels(en="Password", uk="Пароль", help_uk="Пароль користувача OpenAPI."),
    )
    tracking_page: TrackingPage = "https://t.meest-group.com/"
    calls_per_minute: int = Field(
        default=30,
        ge=1,
        le=600,
        description="Calls a minute with this login; one parcel or one window each.",
        json_schema_extra=labels(
            en="Calls a minute",
            uk="Запитів за хвилину",
            help_uk="Запитів за хвилину з цим логіном; кожен про одну посилку або один проміжок.",
        ),
    )
