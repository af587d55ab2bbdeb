"""The keys of `[carriers.<account>]` with `plugin = "nova_poshta"`."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from hub.sdk import SettingWrong, TrackingPage, labels, parse_phone

CodKind = Literal["money_back", "payment_control"]


class NovaPoshtaSettings(BaseModel):
    """One account: the key of one counterparty. Everything has a default: tracking works without a key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str = Field(
        default="https://api.novaposhta.ua/v2.0/json/",
        pattern=r"^https?://",
        max_length=300,
        description="Address of API 2.0, JSON form; an emulator's address in tests.",
        json_schema_extra=labels(
            en="Address of the API",
            uk="Адреса API",
            help_uk="Адреса API 2.0 у форматі JSON; у тестах адреса емулятора.",
        ),
    )
    api_key: SecretStr = Field(
        default=SecretStr(""),
        description="Key of the account that owns the waybills; without it sums and return data stay hidden.",
        json_schema_extra=labels(
            en="API key",
            uk="Ключ API",
            help_uk="Ключ облікового запису, якому належать накладні; без нього суми й дані про повернення приховані.",
        ),
    )
    api_key_expires: date | None = Field(
        default=None,
        description="Day on which the key expires (business cabinet); `hub check` warns 14 days before.",
        json_schema_extra=labels(
            en="The key expires on",
            uk="Ключ діє до",
            help_uk="День, коли ключ перестає діяти (бізнес-кабінет); `hub check` попереджає за 14 днів.",
        ),
    )
    phone: str = Field(
        default="",
        repr=False,
        description="Telephone of the sender, +380...; sent where a parcel has none of its own.",
        json_schema_extra=labels(
            en="Telephone of the sender",
            uk="Телефон відправника",
            help_uk="Телефон відправника, +380...; надсилається, якщо в посилки немає свого.",
            first=True,
        ),
    )
    cod_kind: CodKind = Field(
        default="money_back",
        description="Cash on delivery by contract: money_back or payment_control (tracking tells no payout).",
        json_schema_extra=labels(
            en="Cash on delivery by",
            uk="Післяплата за договором",
            help_uk="Післяплата за договором: money_back чи payment_control (відстеження не каже про виплату).",
            choices={
                "money_back": {"en": "money back", "uk": "зворотна доставка грошей"},
                "payment_control": {"en": "payment control", "uk": "контроль оплати"},
            },
        ),
    )
    list_transfers: bool = Field(
        default=True,
        description="Ask for money transfers, a method without documentation; false where it gives errors only.",
        json_schema_extra=labels(
            en="Ask for money transfers",
            uk="Запитувати грошові перекази",
            help_uk="Запитувати грошові перекази, метод без документації; вимкніть, якщо він дає лише помилки.",
        ),
    )
    tracking_page: TrackingPage = "https://novaposhta.ua/tracking/?cargo_number={number}"
    calls_per_minute: int = Field(
        default=60,
        ge=1,
        le=600,
        description="Calls a minute with this key, each of up to 100 parcels.",
        json_schema_extra=labels(
            en="Calls a minute",
            uk="Запитів за хвилину",
            help_uk="Запитів за хвилину з цим ключем, кожен до 100 посилок.",
        ),
    )
    calls_per_day: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="Calls a day with this key; 0: the limit is not known.",
        json_schema_extra=labels(
            en="Calls a day", uk="Запитів за день", help_uk="Запитів за день із цим ключем; 0: межа невідома."
        ),
    )

    @field_validator("phone")
    @classmethod
    def _e164(cls, value: str) -> str:
        if not value:
            return ""
        phone = parse_phone(value)
        if phone is None:
            raise SettingWrong(
                "expected a telephone number such as +380671234567",
                "очікується номер телефону на зразок +380671234567",
            )
        return phone
