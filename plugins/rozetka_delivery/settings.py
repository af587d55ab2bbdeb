"""The keys of `[carriers.<account>]` with `plugin = "rozetka_delivery"`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class RozetkaDeliverySettings(BaseModel):
    """One seller of the marketplace: the login of its seller API."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str = Field(
        default="https://api-seller.rozetka.com.ua",
        pattern=r"^https?://",
        max_length=300,
        description="Address of the marketplace's seller API; an emulator's address in tests.",
    )
    username: SecretStr = Field(
        min_length=1, description="Login of the seller's cabinet with access to the API."
    )
    password: SecretStr = Field(min_length=1, description="Password of that login.")
    calls_per_minute: int = Field(
        default=30, ge=1, le=600, description="Calls a minute with this login; one parcel or one page each."
    )
