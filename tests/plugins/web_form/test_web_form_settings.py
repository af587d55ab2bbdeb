"""settings.py and the manifest: every key is described, in both languages and in the README."""

from pathlib import Path

import pytest
from pydantic import ValidationError

import plugins.web_form.plugin as module
from hub.sdk import CarrierPlugin, ChannelPlugin
from plugins.web_form.settings import WebFormSettings

README = (Path(module.__file__).parent / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("key", sorted(WebFormSettings.model_fields))
def test_every_key_is_described_in_both_languages_and_in_the_readme(key):
    field = WebFormSettings.model_fields[key]
    assert field.description
    assert isinstance(field.json_schema_extra, dict)
    ukrainian = field.json_schema_extra["description_uk"]
    assert isinstance(ukrainian, str)
    assert README.count(f"| `{key}` |") == 2
    assert field.description in README
    assert ukrainian in README


@pytest.mark.parametrize(
    "wrong",
    [
        {"unknown": 1},
        {"rate_per_minute": -1},
        {"max_body_bytes": 1023},
        {"max_body_bytes": 1024 * 1024 + 1},
        {"honeypot": "phone"},
        {"honeypot": "a b"},
        {"fields": {"x": "telephone"}},
        {"region": "Ukraine"},
        {"title": {"pl": "x"}},
        {"thank_you": "javascript:alert(1)"},
        {"thank_you": "//evil.example"},
        {"thank_you": "/\\evil.example"},
        {"thank_you": "https://shop.example/a b"},
        {"thank_you": "https://shop.example/\r\nX:y"},
        {"thank_you": {"uk": "data:text/html,x"}},
    ],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValidationError):
        WebFormSettings.model_validate(wrong)


def test_defaults():
    settings = WebFormSettings()
    assert (settings.rate_per_minute, settings.honeypot, settings.region) == (120, "website", "UA")
    assert settings.max_body_bytes == 1024 * 1024


def test_limits_follow_the_settings(make_channel):
    limits = make_channel(rate_per_minute=0, max_body_bytes=2048).limits
    assert (limits.rate_per_minute, limits.max_body_bytes) == (0, 2048)


def test_the_plugin_registers_itself():
    class Registered:
        def __init__(self) -> None:
            self.channels: list[ChannelPlugin] = []

        def channel(self, plugin: ChannelPlugin, /) -> None:
            self.channels.append(plugin)

        def carrier(self, plugin: CarrierPlugin, /) -> None:
            raise AssertionError(plugin)

    registered = Registered()
    module.hub_register(registered)
    (plugin,) = registered.channels
    assert plugin.name == "web_form"
    assert plugin.title == {"en": "Web form", "uk": "Вебформа"}
    assert plugin.settings is WebFormSettings
