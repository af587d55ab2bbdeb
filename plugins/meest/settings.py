"""The keys of `[carriers.<account>]` with `plugin = "meest"`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class MeestSettings(BaseModel):
    """One contract: the login of its OpenAPI user."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str = Field(
        default="https://api.meest.com/v3.0/openAPI",
        pattern=r"^https?://",
        max_length=300,
        description="Address of the OpenAPI, version 3; an emulator's address in tests.",
    )
    username: SecretStr = Field(
        min_length=1, description="Login of the OpenAPI user, given with the contract."
    )
    password: SecretStr = Field(min_length=1, description="Password of the OpenAPI user.")
    calls_per_minute: int = Field(
        default=30, ge=1, le=600, description="Calls a minute with this login; one parcel or one window each."
    )
