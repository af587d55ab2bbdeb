"""Settings models as forms: what each field is, what was typed, what is kept, and what is wrong in both languages."""

from typing import Any, Literal
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from hub.accounts import fields
from hub.accounts.fields import FieldKind, checked, fields_of, typed
from hub.kernel.errors import InputRejected
from hub.loader import load_plugins
from hub.sdk import SettingWrong, labels
from hub.web.workspace.words import Words

UTC = ZoneInfo("UTC")
PLUGINS = load_plugins()
MODELS = {
    **{name: kind.settings for name, kind in PLUGINS.channels.items()},
    **{name: kind.settings for name, kind in PLUGINS.carriers.items()},
}
CYRILLIC = set("абвгґдеєжзиіїйклмнопрстуфхцчшщьюя")


class Shop(BaseModel):
    """One of each kind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: str = Field(
        description="Where it is.",
        json_schema_extra=labels(en="Address", uk="Адреса", help_uk="Де воно."),
    )
    token: SecretStr
    other: SecretStr = SecretStr("")
    mode: Literal["poll", "hook"] = Field(
        default="poll",
        json_schema_extra=labels(
            en="Mode", uk="Спосіб", help_uk="", choices={"poll": {"en": "asks", "uk": "запитує"}}
        ),
    )
    limit: int = Field(default=5, ge=1, le=9)
    quick: bool = True
    folders: tuple[str, ...] = ("INBOX",)
    names: dict[str, str] = Field(default_factory=dict)
    greeting: str | dict[Literal["uk", "en"], str] = "Hello"
    trap: str = "website"

    @field_validator("address")
    @classmethod
    def _address(cls, value: str) -> str:
        if value == "nowhere":
            raise SettingWrong("name a place", "назвіть місце")
        return value


SHOP = fields_of(Shop)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_setting_of_every_plugin_has_its_words_in_both_languages(name):
    for one in fields_of(MODELS[name]):
        assert one.label["en"] != one.name, (name, one.name, "no label: see hub.sdk.labels")
        assert all((one.label["uk"], one.help["en"], one.help["uk"])), (name, one.name)
        assert CYRILLIC & set(one.help["uk"].lower()), (name, one.name)
        for value, texts in one.choices.items():
            assert all((texts["en"], texts["uk"])), (name, one.name, value)


def test_a_model_says_what_its_fields_are():
    kinds = {one.name: one.kind for one in SHOP}
    assert kinds == {
        "address": FieldKind.TEXT, "token": FieldKind.SECRET, "other": FieldKind.SECRET, "mode": FieldKind.CHOICE,
        "limit": FieldKind.NUMBER, "quick": FieldKind.SWITCH, "folders": FieldKind.LIST, "names": FieldKind.TABLE,
        "greeting": FieldKind.TEXTS, "trap": FieldKind.TEXT,
    }  # fmt: skip
    assert [one.name for one in SHOP if one.required] == ["address", "token"]
    assert [one.name for one in SHOP if one.first] == ["address", "token", "other"]
    by_name = {one.name: one for one in SHOP}
    assert by_name["address"].label == {"uk": "Адреса", "en": "Address"}
    assert by_name["address"].help == {"uk": "Де воно.", "en": "Where it is."}
    assert by_name["mode"].choices["poll"]["uk"] == "запитує"
    assert by_name["mode"].choices["hook"]["uk"] == "hook"
    assert by_name["token"].default is None


def test_what_was_typed_becomes_keys_and_only_what_differs_is_kept():
    posted = {
        "set_address": " Kyiv ", "set_token": "secret", "set_mode": "hook", "set_limit": "5",
        "set_folders": "INBOX\n Shop \n",
        "set_names": "tel = phone\nmail=email", "set_greeting_uk": "Вітаю", "set_greeting_en": "Hi", "set_trap": "",
        "set_other": "", "forget_other": "1",
    }  # fmt: skip
    keys, forget = typed(SHOP, posted)
    assert forget == ["other"]
    plain, secret = checked(Shop, keys)
    assert secret == {"token": "secret"}
    assert plain == {
        "address": "Kyiv", "mode": "hook", "folders": ["INBOX", "Shop"], "names": {"tel": "phone", "mail": "email"},
        "greeting": {"uk": "Вітаю", "en": "Hi"}, "quick": False, "trap": "",
    }  # fmt: skip
    for one in SHOP:  # shown again as it was typed
        if one.kind in {FieldKind.LIST, FieldKind.TABLE} and one.name in plain:
            assert typed((one,), {f"set_{one.name}": one.shown(plain[one.name])})[0] == {
                one.name: plain[one.name]
            }


def test_an_empty_secret_says_nothing_and_a_form_never_shows_one():
    keys, forget = typed(SHOP, {"set_token": ""})
    assert ("token" not in keys, forget) == (True, [])
    assert {one.shown("secret") for one in SHOP if one.kind is FieldKind.SECRET} == {""}


def test_everything_that_is_wrong_is_told_at_once_in_both_languages():
    keys = {"address": "nowhere", "limit": 12, "mode": "post", "odd": 1, "token": "very-secret"}
    with pytest.raises(InputRejected) as refused:
        checked(Shop, keys)
    english, ukrainian = (Words(language, UTC, 0) for language in ("en", "uk"))
    told = {p.path: (english.problem(p), ukrainian.problem(p)) for p in refused.value.problems}
    assert told == {
        "settings.address": ("Name a place", "Назвіть місце"),
        "settings.limit": ("Is at most 9", "Має бути щонайбільше 9"),
        "settings.mode": ("Is one of poll, hook", "Має бути одним із: poll, hook"),
        "settings.odd": ("Is not a key here", "Такого ключа тут немає"),
    }
    assert "very-secret" not in str(told)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_what_plugins_refuse_is_told_in_ukrainian(name):
    """Every field of every plugin with a value that no field takes: each finding is translated."""
    values: tuple[Any, ...] = ({"odd": []}, -5, "x" * 5000, None)
    for value in values:
        try:
            checked(MODELS[name], dict.fromkeys((one.name for one in fields_of(MODELS[name])), value))
        except InputRejected as error:
            for problem in error.problems:
                said = Words("uk", UTC, 0).problem(problem)
                assert CYRILLIC & set(said.lower()), (name, problem)


def test_a_field_with_a_secret_inside_is_secret_as_a_whole():
    class Nested(BaseModel):
        keys: list[SecretStr] = Field(default_factory=list)

    (one,) = fields_of(Nested)
    assert one.kind is FieldKind.SECRET
    assert checked(Nested, {"keys": ["a", "b"]}) == ({}, {"keys": ["a", "b"]})
    assert fields.MAX_TYPED > 0
