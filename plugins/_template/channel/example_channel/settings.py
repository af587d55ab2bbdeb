"""The keys of `[channels.<account>]` with `plugin = "example_channel"`."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class ExampleChannelSettings(BaseModel):
    """Two secrets and an address."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str = Field(
        # FILL IN: the address of the service's API.
        default="https://api.example.com/v1",
        pattern=r"^https?://",
        max_length=300,
        description="Address of the API; an emulator's address in tests.",
    )
    token: SecretStr = Field(min_length=1, max_length=500, description="The key of the API.")
    secret: SecretStr = Field(
        min_length=1, max_length=500, description="What the service signs its web hooks with."
    )
