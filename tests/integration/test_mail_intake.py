"""Mail ids that two mails share, links that opened a chat, and the staff's bot, through the real group commit."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration import chat_plugin
from tests.integration.chat_plugin import PROVIDERS, Provider
from tests.integration.hubs import Running, running, until


@pytest.fixture
def provider() -> Provider:
    PROVIDERS.clear()
    return PROVIDERS["chat"]


@pytest.fixture
async def hub(hub_url: str, tmp_path: Path, provider: Provider) -> AsyncIterator[Running]:
    channels = {"chat": {"plugin": "chat"}}
    extra = [("chat", chat_plugin.MODULE)]
    async with running(hub_url, tmp_path, channels=channels, people_named=["Olena"], extra=extra) as one:
        yield one


def texts(hub: Running) -> list[tuple[Any, ...]]:
    return hub.rows("select body, request_id from message order by id")


async def test_another_mail_under_a_known_id_is_shown_in_the_same_conversation(
    hub: Running, provider: Provider
):
    provider.say(message="shared@example.com", text="перший лист", shared=True)
    provider.say(message="shared@example.com", text="інший лист", shared=True)
    provider.say(message="shared@example.com", text="Інший  лист", shared=True)  # the same once more
    await until(lambda: hub.one("select count(*) from delivery") == 3)
    provider.say(message="shared@example.com", text="третій лист", shared=True)
    provider.say(message="shared@example.com", text="перший лист", shared=True)
    await until(lambda: hub.one("select count(*) from delivery") == 5)
    request_id = hub.one("select id from request")
    shown = [(text, request_id) for text in ("перший лист", "інший лист", "третій лист")]
    assert texts(hub) == shown, "each once, and all in one conversation"
    provider.say(message="answer@example.com", text="відповідь", replies_to=["shared@example.com"], who="c9")
    await until(lambda: hub.one("select count(*) from delivery") == 6)
    assert texts(hub)[-1] == ("відповідь", request_id), "an answer still finds it by the id alone"


async def test_where_ids_are_not_shared_another_text_is_no_second_message(hub: Running, provider: Provider):
    provider.say(message="m1", text="перше")
    provider.say(message="m1", text="друге")
    await until(lambda: hub.one("select count(*) from delivery") == 2)
    assert [body for body, _ in texts(hub)] == ["перше"]


@pytest.mark.parametrize("together", [False, True])
async def test_the_link_that_opened_a_chat_is_the_source_of_the_next_request_alone(
    hub: Running, provider: Provider, together: bool
):
    provider.say(kind="joined", who="c5", source={"start": "instagram"})
    if not together:
        await until(lambda: hub.rows("select source from start_source"))
    provider.say(who="c5", text="ціна?")
    await until(lambda: hub.rows("select id from request"))
    assert hub.one("select source from request") == '{"start": "instagram"}'
    await until(lambda: hub.rows("select source from start_source") == [])
    provider.say(who="c6", text="хто?")
    await until(lambda: hub.one("select count(*) from request") == 2)
    assert hub.rows("select source from request order by id")[1] == ("{}",)
