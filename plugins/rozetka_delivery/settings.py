"""The keys of `[carriers.<account>]` with `plugin = "rozetka_delivery"`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from hub.sdk import TrackingPage, labels


class RozetkaDeliverySettings(BaseModel):
    """One seller of the marketplace: the login of its seller API."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str = Field(
        default="https://api-seller.rozetka.com.ua",
        pattern=r"^https?://",
        max_length=300,
        description="Address of the marketplace's seller API; an emulator's address in tests.",
        json_schema_extra=labels(
            en="Address of the API",
            uk="Адреса API",
            help_uk="Адреса API продавця на маркетплейсі; у тестах адреса емулятора.",
        ),
    )
    username: SecretStr = Field(
        min_length=1,
        description="Login of the seller's cabinet with access to the API.",
        json_schema_extra=labels(
            en="Login", uk="Логін", help_uk="Логін кабінету продавця з доступом до API."
        ),
    )
    password: SecretStr = Field(
        min_length=1,
        description="Password of that login.",
        json_schema_extra=labels(en="Password", uk="Пароль", help_uk="Пароль цього логіна."),
    )
    tracking_page: TrackingPage = "https://rozetka.delivery/tracking/parcel?parcel_id={number}"
    calls_per_minute: int = Field(
        default=30,
        ge=1,
        le=600,
        description="Calls a minute with this login; one parcel or one page each.",
        json_schema_extra=labels(
            en="Calls a minute",
            uk="Запитів за хвилину",
            help_uk="Запитів за хвилину з цим логіном; кожен про одну посилку або одну сторінку.",
        ),
    )
