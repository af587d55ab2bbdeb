"""The staff bot from outside: people of the staff write to an emulated Telegram, and the hub does what they may."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hub.notices import store
from hub.testing.emulators.telegram import TelegramEmulator
from hub.testing.emulators.telegram_updates import Customer, file_of
from tests.integration import chat_plugin
from tests.integration.chat_plugin import PROVIDERS, Provider
from tests.integration.hubs import Running, running, until

pytest.importorskip(
    "telegram", reason='python-telegram-bot is not installed (pip install "omni-hub[telegram]")'
)


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramEmulator]:
    emulator = TelegramEmulator()
    await emulator.start()
    yield emulator
    await emulator.stop()


@pytest.fixture
def provider() -> Provider:
    PROVIDERS.clear()
    return PROVIDERS["chat"]


@pytest.fixture
async def hub(
    hub_url: str, tmp_path: Path, telegram: TelegramEmulator, provider: Provider
) -> AsyncIterator[Running]:
    bot = {"plugin": "telegram", "token": telegram.token, "base_url": telegram.base_url, "staff": True}
    channels = {"crew": bot, "chat": {"plugin": "chat"}}
    extra = [("chat", chat_plugin.MODULE)]
    async with running(hub_url, tmp_path, channels=channels, people_named=["Olena"], extra=extra) as one:
        yield one


def staff_id(hub: Running, name: str = "Olena") -> int:
    return int(hub.one("select id from staff where name = :name", name=name))


def said(telegram: TelegramEmulator, person: Customer) -> list[dict[str, Any]]:
    return [told for _, told in telegram.sent if told["chat_id"] == str(person.id)]


async def linked(hub: Running, telegram: TelegramEmulator, name: str = "Olena") -> Customer:
    """A person of the staff who has sent the code of his own page to the bot."""
    person = telegram.add_customer(name)
    code = hub.hub.db.write_now(lambda tx: store.make_code(tx, staff_id(hub, name)))
    telegram.start_chat(person, code)
    await until(lambda: said(telegram, person))
    return person


def buttons(told: dict[str, Any]) -> dict[str, str]:
    import json

    rows = json.loads(told.get("reply_markup", "{}")).get("inline_keyboard", [])
    return {one["text"]: one["callback_data"] for row in rows for one in row}


async def noticed(telegram: TelegramEmulator, person: Customer, words: str) -> dict[str, Any]:
    """The message of the bot that holds these words."""

    def found() -> dict[str, Any] | None:
        return next((told for told in said(telegram, person) if words in told["text"]), None)

    return await until(found)


async def test_a_new_task_is_told_accepted_and_its_customer_answered_from_the_messenger(
    hub: Running, telegram: TelegramEmulator, provider: Provider
):
    olena = await linked(hub, telegram)
    provider.say(text="Чи є чоботи 42?", name="Ірина")
    told = await noticed(telegram, olena, "Чи є чоботи 42?")
    assert "Ірина" in told["text"]
    task_id = hub.one("select id from task")
    assert set(buttons(told).values()) == {f"accept:{task_id}", f"later:{task_id}", f"pass:{task_id}"}

    for _ in range(2):  # pressed twice: nothing is done twice
        telegram.press(olena, f"accept:{task_id}")
    await until(lambda: hub.one("select state from task") == "accepted")
    await until(lambda: len(telegram.answered) == 2)

    about = hub.one("select about from staff_message where task_id = :id", id=task_id)
    number = int(str(about).split(":")[2])
    telegram.say(olena, "Так, є", reply_to_message={"message_id": number, "chat": olena.chat()})
    sent = await until(lambda: provider.sent)
    assert (sent[0].text, sent[0].to.channel_id) == ("Так, є", "c1")
    assert hub.one("select staff_id from message where direction = 'out'") == staff_id(hub)
    assert hub.one("select count(*) from request") == 1, "what the staff writes is no request"

    bill = {**file_of(telegram.add_file(b"%PDF"), 4), "file_name": "bill.pdf", "mime_type": "application/pdf"}
    answered = {"message_id": number, "chat": olena.chat()}
    telegram.write(olena, document=bill, caption="Рахунок", reply_to_message=answered)
    sent = await until(lambda: provider.sent[1:])
    assert [(one.name, one.media_type, one.body) for one in sent[0].files] == [
        ("bill.pdf", "application/pdf", b"%PDF")
    ]
    assert sent[0].text == "Рахунок"
