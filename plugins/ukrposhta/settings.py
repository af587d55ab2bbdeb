"""The keys of `[carriers.<account>]` with `plugin = "ukrposhta"`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from hub.sdk import TrackingPage, labels


class UkrposhtaSettings(BaseModel):
    """One contract: three secrets that look alike (each a UUID) and are not interchangeable."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str = Field(
        default="https://www.ukrposhta.ua",
        pattern=r"^https?://",
        max_length=300,
        description="Address of the services; https://dev.ukrposhta.ua is the carrier's test system.",
        json_schema_extra=labels(
            en="Address of the services",
            uk="Адреса сервісів",
            help_uk="Адреса сервісів; https://dev.ukrposhta.ua — тестова система перевізника.",
        ),
    )
    bearer_tracking: SecretStr = Field(
        min_length=1,
        description="Production bearer StatusTracking: all tracking needs it.",
        json_schema_extra=labels(
            en="Bearer StatusTracking",
            uk="Bearer StatusTracking",
            help_uk="Робочий bearer StatusTracking: без нього немає відстеження.",
        ),
    )
    bearer_ecom: SecretStr = Field(
        default=SecretStr(""),
        description="Production bearer eCom: with counterparty_token, tells payouts and parcels not yet accepted.",
        json_schema_extra=labels(
            en="Bearer eCom",
            uk="Bearer eCom",
            help_uk="Робочий bearer eCom: разом із counterparty_token каже про виплати й ще не прийняті посилки.",
        ),
    )
    counterparty_token: SecretStr = Field(
        default=SecretStr(""),
        description="Counterparty token of the contract; used together with bearer_ecom.",
        json_schema_extra=labels(
            en="Counterparty token",
            uk="Counterparty token",
            help_uk="Counterparty token договору; працює разом із bearer_ecom.",
        ),
    )
    tracking_page: TrackingPage = "https://track.ukrposhta.ua/tracking_UA.html?barcode={number}"
    calls_per_minute: int = Field(
        default=60,
        ge=10,
        le=600,
        description="Calls a minute to the carrier, over all its services.",
        json_schema_extra=labels(
            en="Calls a minute",
            uk="Запитів за хвилину",
            help_uk="Запитів за хвилину до перевізника, разом за всіма сервісами.",
        ),
    )
