"""settings.py, tokens.py and the manifest: every key described in both languages and in the README; OAuth refreshed."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from pydantic import ValidationError

import plugins.email.plugin as module
from hub.sdk import AuthenticationFailed, TemporaryFailure
from hub.testing.host import LoopbackHost
from plugins.email.settings import EmailSettings
from plugins.email.tokens import KEY, Tokens
from tests.plugins.email.conftest import SETTINGS

README = (Path(module.__file__).parent / "README.md").read_text(encoding="utf-8")
OAUTH = {"address": "a@b.example", "provider": "gmail", "client_id": "an-id", "refresh_token": "first"}


@pytest.mark.parametrize("key", sorted(EmailSettings.model_fields))
def test_every_key_is_described_in_both_languages_and_in_the_readme(key):
    field = EmailSettings.model_fields[key]
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
        {"address": "nobody"},
        {"imap_host": ""},
        {"password": ""},
        {"folders": []},
        {"folders": ["INBOX", "INBOX"]},
        {"move_to": "INBOX"},
        {"password": "", "client_id": "x", "refresh_token": "y"},
        {"imap_port": 70_000},
        {"aliases": ["x"]},
        {"form_senders": ["@"]},
        {"unknown": 1},
    ],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValidationError):
        EmailSettings.model_validate({**SETTINGS, **wrong})


def test_known_providers_need_no_hosts():
    made = EmailSettings(address="a@gmail.com", provider="gmail", password="p")
    assert made.smtp is not None
    assert (made.imap.host, made.smtp.host, made.imap.security) == ("imap.gmail.com", "smtp.gmail.com", "tls")
    assert "'p'" not in repr(made)


def host_of(*replies: tuple[int, dict[str, Any]]) -> tuple[LoopbackHost, list[dict[str, list[str]]]]:
    asked: list[dict[str, list[str]]] = []
    rest = list(replies)

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(parse_qs(request.content.decode()))
        status, body = rest.pop(0)
        return httpx.Response(status, json=body)

    return LoopbackHost(transport=httpx.MockTransport(answer)), asked


async def test_a_token_is_fetched_once_and_a_rotated_refresh_token_is_used_next():
    fresh = {"access_token": "one", "expires_in": 3600, "refresh_token": "second"}
    host, asked = host_of((200, fresh), (200, {"access_token": "two", "expires_in": 3600}))
    tokens = Tokens(EmailSettings.model_validate(OAUTH), host)
    assert [await tokens.current(), await tokens.current()] == ["one", "one"]
    assert await tokens.current(refused="one") == "two"
    assert [one["refresh_token"] for one in asked] == [["first"], ["second"]]
    stored = json.loads(await host.store.get(KEY) or "")
    assert stored["refresh_token"] == "second"


async def test_of_two_processes_the_quicker_ones_token_is_used():
    host, _ = host_of((200, {"access_token": "late"}))
    tokens = Tokens(EmailSettings.model_validate(OAUTH), host)
    put = host.store.put

    async def beaten(key: str, value: str, *, expected: str | None) -> bool:
        await put(key, value.replace("late", "quick"), expected=expected)
        return await put(key, value, expected=expected)

    host.store.put = beaten  # type: ignore[method-assign]
    assert await tokens.current() == "quick"


async def test_an_application_without_refresh_token_uses_its_own_right():
    host, asked = host_of((200, {"access_token": "app"}))
    made = {"address": "a@b.example", "provider": "outlook", "client_id": "an-id", "client_secret": "s"}
    assert await Tokens(EmailSettings.model_validate(made), host).current() == "app"
    assert asked[0]["grant_type"] == ["client_credentials"]


async def test_a_refused_refresh_is_told_without_its_secrets():
    host, _ = host_of((400, {"error": "invalid_grant", "error_description": "first"}), (500, {}))
    tokens = Tokens(EmailSettings.model_validate(OAUTH), host)
    with pytest.raises(AuthenticationFailed) as refusal:
        await tokens.current()
    assert "invalid_grant" in str(refusal.value)
    assert "first" not in str(refusal.value)
    with pytest.raises(TemporaryFailure):
        await tokens.current()


async def test_e14_long_tokens_fit_the_store():
    host, _ = host_of((200, {"access_token": "x" * 4_000, "refresh_token": "y" * 4_000}))
    assert len(await Tokens(EmailSettings.model_validate(OAUTH), host).current()) == 4_000
