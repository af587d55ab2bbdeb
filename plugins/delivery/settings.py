"""The keys of `[carriers.<account>]` with `plugin = "delivery"`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class DeliverySettings(BaseModel):
    """Tracking is public: there is no key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str = Field(
        default="https://www.delivery-auto.com/api/v4/Public/",
        pattern=r"^https?://",
        max_length=300,
        description="Address of the public API, version 4; an emulator's address in tests.",
    )
    calls_per_minute: int = Field(
        default=30, ge=1, le=600, description="Calls a minute, one parcel each; the carrier has no batch."
    )
