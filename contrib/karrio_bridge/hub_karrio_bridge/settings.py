"""The keys of `[carriers.<account>]` with `plugin = "karrio_<extension>"`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class KarrioSettings(BaseModel):
    """One account at one carrier. What `credentials` must hold, the extension's own documentation says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str = Field(default="", description="Not used: karrio's extension knows its carrier's address.")
    credentials: dict[str, SecretStr] = Field(
        default_factory=dict,
        description='The extension\'s own keys, for example {consumer_key = "...", consumer_secret = "..."}.',
    )
    test_mode: bool = Field(default=False, description="Ask the carrier's test system.")
    calls_per_minute: int = Field(default=20, ge=1, le=600, description="Calls a minute, one parcel each.")
    timeout_s: int = Field(default=30, ge=1, le=120, description="How long one call may take, in seconds.")
