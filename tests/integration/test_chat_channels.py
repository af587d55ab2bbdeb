"""Telegram and Viber in a real hub: a customer of the emulator writes, gets a task, a reply, and his marks."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from hub.intake.blobs import BlobsAway
from hub.opening import CLI
from hub.requests.replies import Letter, NewFile, Writer
from hub.requests.replies import reply as reply_to
from hub.runtime.replies import ReplySink
from hub.testing.emulators.telegram import TelegramEmulator
from hub.testing.emulators.viber import ViberEmulator
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
async def viber() -> AsyncIterator[ViberEmulator]:
    emulator = ViberEmulator(retry_s=0.01)
    await emulator.start()
    yield emulator
    await emulator.stop()


@pytest.fixture
async def hub(
    hub_url: str, tmp_path: Path, telegram: TelegramEmulator, viber: ViberEmulator
) -> AsyncIterator[Running]:
    channels = {
        "bot": {"plugin": "telegram", "token": telegram.token, "base_url": telegram.base_url},
        "shop-viber": {
            "plugin": "viber", "token": viber.token, "sender_name": "Крамниця", "base_url": viber.base_url,
        },
    }  # fmt: skip
    async with running(hub_url, tmp_path, channels=channels, people_named=["Olena"]) as one:
        yield one


async def reply(hub: Running, words: str) -> None:
    """The seller answers the only request; waits until it has left (marks may be quicker than this look)."""
    token = hub.token("seller", hub.one("select id from staff where name = 'Olena'"))
    request_id = hub.one("select id from request")
    status, said = await hub.api("POST", f"/requests/{request_id}/messages", token, {"text": words})
    assert status == 201, said
    left = "select id from message where body = :words and state in ('sent', 'delivered', 'seen')"
    await until(lambda: hub.rows(left, words=words))


async def test_a_telegram_customer_asks_edits_and_is_answered(hub: Running, telegram: TelegramEmulator):
    customer = telegram.add_customer()
    telegram.start_chat(customer, "instagram")
    asked = telegram.say(customer, "Чи є чоботи 42?")
    telegram.edit(asked, "Чи є чоботи 43?")
    await until(lambda: hub.rows("select id from message where body = 'Чи є чоботи 43?'"))
    assert (hub.one("select count(*) from request"), hub.one("select count(*) from task")) == (1, 1)
    await reply(hub, "Так, є")
    ((method, told),) = telegram.sent
    assert (method, told["chat_id"], told["text"]) == ("sendMessage", str(customer.id), "Так, є")
    # Answered and confirmed: the emulator keeps no update that the hub has stored.
    await until(lambda: not telegram.updates)


async def test_a_customer_who_blocked_the_bot_cannot_be_answered_and_the_seller_is_told(
    hub: Running, telegram: TelegramEmulator
):
    customer = telegram.add_customer()
    telegram.say(customer, "Скільки коштує?")
    await until(lambda: hub.rows("select id from task"))
    customer.blocked = True
    token = hub.token("seller", hub.one("select id from staff where name = 'Olena'"))
    request_id = hub.one("select id from request")
    await hub.api("POST", f"/requests/{request_id}/messages", token, {"text": "120 грн"})
    await until(lambda: hub.rows("select id from message where body = '120 грн' and state = 'failed'"))
    _, shown = await hub.api("GET", f"/requests/{request_id}/messages", token)
    assert "the customer has blocked the bot" in str(shown)


async def test_a_viber_customer_asks_is_answered_and_sees_it(hub: Running, viber: ViberEmulator):
    await hub.process.door.accounts["shop-viber"].channel.open_webhook(f"{hub.base}/in/shop-viber")
    customer = viber.add_customer()
    greeting = await viber.open_chat(customer)
    assert greeting is not None
    viber.spoil_next("lost_answer")
    told = await viber.say(customer, "Чи є лампи?")
    assert told.taken
    viber.spoil_next("wrong_signature")
    assert (await viber.say(customer, "Алло?")).statuses == (401, 200)
    await until(lambda: hub.one("select count(*) from message") == 2)
    assert (hub.one("select count(*) from request"), hub.one("select count(*) from task")) == (1, 1)
    await reply(hub, "Так, 625 грн")
    assert viber.sent[0]["text"] == "Так, 625 грн"
    await viber.settle()
    await until(lambda: hub.rows("select id from message where body = 'Так, 625 грн' and state = 'seen'"))


async def test_a_file_to_viber_is_fetched_from_an_address_that_nobody_guesses_and_that_ends(
    hub: Running, viber: ViberEmulator
):
    sink = hub.process._outbox._sinks["reply"]
    assert isinstance(sink, ReplySink)
    sink._base_url = hub.base  # the port is known only now
    await hub.process.door.accounts["shop-viber"].channel.open_webhook(f"{hub.base}/in/shop-viber")
    customer = viber.add_customer()
    await viber.open_chat(customer)
    await viber.say(customer, "Надішліть рахунок")
    ((request_id,),) = await until(lambda: hub.rows("select id from request"))
    blob = hub.process.door.blobs.put(b"%PDF-1.4 rahunok")
    letter = Letter(text="Ось рахунок", files=[NewFile("рахунок 5.pdf", "application/pdf", 16, blob)])
    writers = {"shop-viber": Writer("shop-viber", "channel_id", first=False, files=10**6)}
    hub.hub.db.write_now(lambda tx: reply_to(tx, CLI, request_id, letter, writers))
    await until(lambda: viber.fetched)
    ((url, got),) = viber.fetched.items()
    assert got == (200, "application/octet-stream", b"%PDF-1.4 rahunok")
    assert url.endswith("/%D1%80%D0%B0%D1%85%D1%83%D0%BD%D0%BE%D0%BA%205.pdf")
    async with hub.http.get(url) as answer:
        told = {
            name: answer.headers[name]
            for name in ("X-Robots-Tag", "Content-Disposition", "Content-Security-Policy")
        }
    assert "noindex" in told["X-Robots-Tag"]
    assert told["Content-Disposition"].startswith("attachment;")
    assert "sandbox" in told["Content-Security-Policy"]
    wrong = url.replace("/files/", "/files/x", 1)
    hub.hub.db.write_now(lambda tx: tx.execute(text("update file_link set expires_at = 1")))
    for address in (wrong, url):
        async with hub.http.get(address) as answer:
            assert answer.status == 404


async def test_a_file_is_fetched_again_when_the_blob_store_is_back_and_no_try_is_counted(
    hub: Running, viber: ViberEmulator, monkeypatch: pytest.MonkeyPatch
):
    await hub.process.door.accounts["shop-viber"].channel.open_webhook(f"{hub.base}/in/shop-viber")
    blobs = hub.process.door.blobs

    def away(_body: bytes) -> str:
        raise BlobsAway

    with monkeypatch.context() as broken:
        broken.setattr(blobs, "put", away)
        await viber.send_file(viber.add_customer(), b"a picture")
        await until(lambda: hub.rows("select id from attachment where reason is not null"))
    assert hub.rows("select state, attempts from attachment") == [("pending", 0)]
    hub.hub.db.write_now(lambda tx: tx.execute(text("update attachment set next_try_at = 1")) and None)
    await until(lambda: hub.rows("select id from attachment where state = 'stored'"))
    assert blobs.get(hub.one("select blob from attachment")) == b"a picture"


async def test_a_reply_with_a_file_waits_while_the_blob_store_is_away(
    hub: Running, viber: ViberEmulator, monkeypatch: pytest.MonkeyPatch
):
    await hub.process.door.accounts["shop-viber"].channel.open_webhook(f"{hub.base}/in/shop-viber")
    await viber.say(viber.add_customer(), "Надішліть рахунок")
    ((request_id,),) = await until(lambda: hub.rows("select id from request"))
    blob = hub.process.door.blobs.put(b"%PDF-1.4 rahunok")
    letter = Letter(text="Ось рахунок", files=[NewFile("r.pdf", "application/pdf", 16, blob)])
    writers = {"shop-viber": Writer("shop-viber", "channel_id", first=False, files=10**6)}

    def away(_name: str) -> bytes:
        raise BlobsAway

    monkeypatch.setattr(hub.process.door.blobs, "get", away)
    hub.hub.db.write_now(lambda tx: reply_to(tx, CLI, request_id, letter, writers))
    await until(
        lambda: hub.rows("select id from outbox where lane = 'reply' and state = 'ready' and attempts > 0")
    )
    assert viber.sent == []
    assert hub.one("select state from message where direction = 'out'") == "sending"
