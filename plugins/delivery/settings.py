"""The keys of `[carriers.<account>]` with `plugin = "delivery"`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from hub.sdk import TrackingPage, labels


class DeliverySettings(BaseModel):
    """Tracking is public: there is no key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str = Field(
        default="https://www.delivery-auto.com/api/v4/Public/",
        pattern=r"^https?://",
        max_length=300,
        description="Address of the public API, version 4; an emulator's address in tests.",
        json_schema_extra=labels(
            en="Address of the API",
            uk="Адреса API",
            help_uk="Адреса публічного API, версія 4; у тестах адреса емулятора.",
        ),
    )
    tracking_page: TrackingPage = ""
    calls_per_minute: int = Field(
        default=30,
        ge=1,
        le=600,
        description="Calls a minute, one parcel each; the carrier has no batch.",
        json_schema_extra=labels(
            en="Calls a minute",
            uk="Запитів за хвилину",
            help_uk="Запитів за хвилину, по одній посилці; кількох одразу перевізник не приймає.",
        ),
    )
