"""The keys of `[carriers.<account>]` with `plugin = "ukrposhta"`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class UkrposhtaSettings(BaseModel):
    """One contract: three secrets that look alike (each a UUID) and are not interchangeable."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str = Field(
        default="https://www.ukrposhta.ua",
        pattern=r"^https?://",
        max_length=300,
        description="Address of the services; https://dev.ukrposhta.ua is the carrier's test system.",
    )
    bearer_tracking: SecretStr = Field(
        min_length=1,
        description="Production bearer StatusTracking: all tracking needs it.",
    )
    bearer_ecom: SecretStr = Field(
        default=SecretStr(""),
        description="Production bearer eCom: with counterparty_token, tells payouts and parcels not yet accepted.",
    )
    counterparty_token: SecretStr = Field(
        default=SecretStr(""),
        description="Counterparty token of the contract; used together with bearer_ecom.",
    )
    calls_per_minute: int = Field(
        default=60, ge=10, le=600, description="Calls a minute to the carrier, over all its services."
    )
