"""The keys of `[carriers.<account>]` with `plugin = "example_carrier"`."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class ExampleCarrierSettings(BaseModel):
    """A key and an address."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str = Field(
        # FILL IN: the address of the carrier's API.
        default="https://api.example.com/v1",
        pattern=r"^https?://",
        max_length=300,
        description="Address of the API; an emulator's address in tests.",
    )
    api_key: SecretStr = Field(min_length=1, max_length=500, description="The key of the API.")
    calls_per_minute: int = Field(
        # FILL IN: what the carrier allows.
        default=30,
        ge=1,
        le=600,
        description="Calls a minute that the hub stays below.",
    )
