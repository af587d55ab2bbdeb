"""The keys of `[carriers.<account>]` with `plugin = "nova_poshta"`."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from hub.sdk import parse_phone

CodKind = Literal["money_back", "payment_control"]


class NovaPoshtaSettings(BaseModel):
    """One account: the key of one counterparty. Everything has a default: tracking works without a key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str = Field(
        default="https://api.novaposhta.ua/v2.0/json/",
        pattern=r"^https?://",
        max_length=300,
        description="Address of API 2.0, JSON form; an emulator's address in tests.",
    )
    api_key: SecretStr = Field(
        default=SecretStr(""),
        description="Key of the account that owns the waybills; without it sums and return data stay hidden.",
    )
    api_key_expires: date | None = Field(
        default=None,
        description="Day on which the key expires (business cabinet); `hub check` warns 14 days before.",
    )
    phone: str = Field(
        default="",
        repr=False,
        description="Telephone of the sender, +380...; sent where a parcel has none of its own.",
    )
    cod_kind: CodKind = Field(
        default="money_back",
        description="Cash on delivery by contract: money_back or payment_control (tracking tells no payout).",
    )
    list_transfers: bool = Field(
        default=True,
        description="Ask for money transfers, a method without documentation; false where it gives errors only.",
    )
    calls_per_minute: int = Field(
        default=60, ge=1, le=600, description="Calls a minute with this key, each of up to 100 parcels."
    )
    calls_per_day: int = Field(
        default=0, ge=0, le=1_000_000, description="Calls a day with this key; 0: the limit is not known."
    )

    @field_validator("phone")
    @classmethod
    def _e164(cls, value: str) -> str:
        if not value:
            return ""
        phone = parse_phone(value)
        if phone is None:
            raise ValueError("expected a telephone number such as +380671234567")
        return phone
