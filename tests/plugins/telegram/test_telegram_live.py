"""The real plugin, over python-telegram-bot, against the emulator on loopback. T1 to T6 of the known pitfalls."""

import asyncio
import json
import logging
import warnings

import httpx
import pytest
import respx
from aiohttp import web

from hub.sdk import (
    AnswerUnreadable,
    AuthenticationFailed,
    Button,
    Conflict,
    DeliveryRejected,
    Later,
    Outgoing,
    OutgoingFile,
    OutgoingKind,
    PermanentFailure,
    RawDelivery,
    Refused,
    Sender,
    Sent,
    TemporaryFailure,
    Throttled,
    Uncertain,
)
from hub.testing.contract_channel import RECEIVED_AT
from hub.testing.emulators.telegram import OTHER_POLL, TelegramEmulator
from hub.testing.emulators.telegram_updates import GROUP_ID
from plugins.telegram import outgoing
from tests.plugins.telegram.conftest import BOT, OUTCOME, TOKEN, Polling, make_channel

API = "https://api.telegram.org"


def message(to, text="Так, є", **more):
    channel_id = to if isinstance(to, str) else str(to.id)
    return Outgoing(id="1", kind=OutgoingKind.REPLY, to=Sender(channel_id=channel_id), text=text, **more)


def file(name="a.jpg", media_type="image/jpeg", body=b"\xff\xd8 jpeg"):
    return OutgoingFile(name=name, media_type=media_type, body=body)


# --- polling ------------------------------------------------------------------------------------------


async def test_what_was_fetched_and_not_stored_is_fetched_again(polling, emulator):
    """The position confirms, and it moves with the rows: a crash in between loses nothing and doubles nothing."""
    customer = emulator.add_customer()
    emulator.say(customer, "перше")
    await polling.round(crash=True)
    emulator.say(customer, "друге")
    assert [event.text for event in await polling.round()] == ["перше", "друге"]
    assert len(emulator.updates) == 2  # stored, and not confirmed before the next call
    assert await polling.round() == []
    assert emulator.updates == []


async def test_a_long_poll_ends_with_the_first_news_and_never_at_once_without(polling, emulator):
    customer = emulator.add_customer()
    waiting = asyncio.ensure_future(polling.round(wait_s=20))
    await asyncio.sleep(0.05)
    emulator.say(customer, "є хто?")
    async with asyncio.timeout(5):
        assert [event.text for event in await waiting] == ["є хто?"]
    loop = asyncio.get_running_loop()
    started = loop.time()
    await polling.round(wait_s=0)
    assert loop.time() - started >= 0.45


async def test_more_than_a_hundred_come_in_pieces(polling, emulator):
    customer = emulator.add_customer()
    for number in range(130):
        emulator.say(customer, str(number))
    first = await polling.channel.pull("", 0)
    assert (len(first.deliveries), first.more) == (100, True)
    rest = await polling.channel.pull(first.deliveries[-1].position, 0)
    assert (len(rest.deliveries), rest.more) == (30, False)


async def test_an_update_that_the_library_cannot_read_is_fetched_like_any_other(polling, emulator):
    emulator.push(message={"message_id": "x", "chat": None})
    emulator.push(
        message={"chat": {"id": 5}, "message_id": 1, "from": {"id": 5}, "text": "без is_bot", "photo": [{}]}
    )
    answer = await polling.channel.pull("", 0)
    assert len(answer.deliveries) == 2


async def test_after_a_week_of_silence_numbers_may_begin_anew_and_nothing_is_skipped(connect, emulator):
    channel = connect()
    now_s = channel._clock.now() // 1000
    emulator.push_raw({"update_id": 17, "message": {"message_id": 1, "chat": {"id": 5}}})
    assert (await channel.pull(f"880000099@{now_s - 7 * 86400}", 0)).deliveries[0].position == f"18@{now_s}"


async def test_t1_one_conflict_is_waited_for_and_two_are_an_alarm_that_names_the_cause(polling, emulator):
    emulator.refuse_next(409, OTHER_POLL)
    with pytest.raises(TemporaryFailure) as first:
        await polling.round()
    assert first.value.retry_after_s == 3.0
    await polling.round()
    for error in (TemporaryFailure, Conflict):
        emulator.refuse_next(409, OTHER_POLL)
        with pytest.raises(error, match="409"):
            await polling.round()
    emulator.refuse_next(409, OTHER_POLL)
    with pytest.raises(Conflict, match="another program"):
        await polling.round()


async def test_t1_a_second_poller_ends_the_first_ones_call(connect):
    first, second = Polling(connect()), Polling(connect())
    waiting = asyncio.ensure_future(first.round(wait_s=20))
    await asyncio.sleep(0.05)
    other = asyncio.ensure_future(second.round(wait_s=20))
    async with asyncio.timeout(5):
        with pytest.raises(TemporaryFailure, match="409"):
            await waiting
    other.cancel()
    await asyncio.gather(other, return_exceptions=True)


async def test_t2_a_hung_call_ends_and_the_next_one_has_a_new_connection(polling, emulator, monkeypatch):
    from plugins.telegram import transport

    customer = emulator.add_customer()
    await polling.round()
    client = polling.channel._client()
    before = client._polls._client
    monkeypatch.setattr(type(client._bot), "get_updates", _short(type(client._bot).get_updates))
    emulator.fail_next(kind="timeout")
    with pytest.raises(TemporaryFailure, match="ReadTimeout"):
        await polling.round()
    assert before.is_closed
    emulator.say(customer, "далі")
    assert [event.text for event in await polling.round()] == ["далі"]
    assert client._polls._client is not before
    assert transport.READ_S < 60


def _short(call):
    async def get_updates(self, **kwargs):
        return await call(self, **{**kwargs, "read_timeout": 0.2})

    return get_updates


async def test_t3_a_network_that_is_not_there_yet_is_waited_for():
    emulator = TelegramEmulator(token=TOKEN)
    base_url = await emulator.start()
    await emulator.stop()
    channel = make_channel(base_url=base_url)
    with pytest.raises(TemporaryFailure, match="ConnectError"):
        await channel.pull("", 0)
    late = TelegramEmulator(token=TOKEN)
    await late.start(port=int(base_url.rpartition(":")[2]))
    late.say(late.add_customer(), "нарешті")
    try:
        assert len((await channel.pull("", 0)).deliveries) == 1
    finally:
        await channel.close()
        await late.stop()


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("http_500", TemporaryFailure),
        ("half_body", TemporaryFailure),
        ("lost_answer", TemporaryFailure),
        ("html", AnswerUnreadable),
        ("http_401", AuthenticationFailed),
    ],
)
async def test_a_failed_poll_says_which_kind_and_loses_nothing(polling, emulator, fault, error):
    emulator.say(emulator.add_customer(), "лишилось")
    emulator.fail_next(kind=fault)
    with pytest.raises(error):
        await polling.round()
    assert [event.text for event in await polling.round()] == ["лишилось"]


async def test_telegrams_own_waiting_time_is_told(polling, emulator):
    emulator.refuse_next(429, "Too Many Requests: retry after 14", retry_after=14)
    with pytest.raises(Throttled) as throttled:
        await polling.round()
    assert throttled.value.retry_after_s == 14


async def test_a_wrong_token_stops_the_account(connect):
    channel = connect(token=f"{BOT}:wrong")
    for call in (channel.pull("", 0), channel.check(), channel.send(message("5"))):
        with pytest.raises(AuthenticationFailed, match="BotFather"):
            await call


async def test_pressed_buttons_are_answered_once_what_they_say_is_stored(polling, emulator):
    customer = emulator.add_customer()
    query = emulator.press(customer, "task:1:accept")["callback_query"]["id"]
    await polling.channel.pull("", 0)
    assert emulator.answered == []
    (event,) = await polling.round()
    assert event.fields["action"] == "task:1:accept"
    assert emulator.answered == [query]
    other = emulator.press(customer, "task:1:later")["callback_query"]["id"]
    answer = await polling.channel.pull(polling.position, 0)
    await polling.channel.pull(answer.deliveries[-1].position, 0)  # `taken` may never be called
    assert emulator.answered == [query, other]


async def test_edits_albums_leavers_and_groups_come_through(connect, emulator):
    polling = Polling(connect(groups=True))
    customer = emulator.add_customer()
    first = emulator.say(customer, "одно")
    emulator.edit(first, "одне")
    emulator.send_photo(customer, b"1" * 50, "Обидва", album="a1")
    emulator.send_photo(customer, b"2" * 60, album="a1")
    emulator.block(customer)
    emulator.unblock(customer)
    post = emulator.post_in_channel("Нова колекція")
    emulator.say_in_group(customer, "А синій є?", reply_to_message=post["message"])
    events = await polling.round()
    assert [event.kind.value for event in events] == [
        "message", "edit", "message", "message", "left", "joined", "ignored", "ignored", "message",
    ]  # fmt: skip
    assert events[1].about == events[0].message_id
    assert events[2].group == events[3].group != ""
    assert events[-1].fields["post"] == "Нова колекція"


async def test_emulated_customers_write_by_themselves(polling, emulator):
    living = asyncio.ensure_future(emulator.live(0.01))
    async with asyncio.timeout(5):
        events = await polling.round(wait_s=5)
    living.cancel()
    assert "(емуляція)" in events[0].sender.name


# --- the web hook -------------------------------------------------------------------------------------


class Hub:
    def __init__(self, channel):
        self.channel, self.status, self.events, self.repeats = channel, 200, {}, 0
        self.url = ""

    async def receive(self, request):
        if self.status != 200:
            return web.Response(status=self.status)
        raw = RawDelivery(
            account="shop-bot",
            method="POST",
            path="",
            headers={key.lower(): value for key, value in request.headers.items()},
            query={},
            body=await request.read(),
            address="",
            received_at=RECEIVED_AT,
        )
        try:
            key = self.channel.verify(raw).external_id
        except DeliveryRejected as rejected:
            return web.Response(status=rejected.status)
        self.repeats += key in self.events
        (self.events[key],) = self.channel.parse(raw).events
        answer = self.channel.answer(OUTCOME, raw)
        return web.Response(status=answer.status, body=answer.body, content_type=answer.media_type)


@pytest.fixture
async def hub(connect, aiohttp_server):
    hub = Hub(connect(mode="webhook"))
    app = web.Application()
    app.router.add_post("/in/shop-bot", hub.receive)
    server = await aiohttp_server(app)
    hub.url = str(server.make_url("/in/shop-bot"))
    await hub.channel.open_webhook(hub.url)
    return hub


async def test_the_web_hook_brings_updates_with_its_secret(hub, emulator):
    assert emulator.webhook == hub.url
    emulator.say(emulator.add_customer(), "Добрий день")
    await emulator.settle()
    assert [event.text for event in hub.events.values()] == ["Добрий день"]
    assert "its web hook leads here" in await hub.channel.check()
    emulator.secret = "stolen"
    emulator.max_tries = 1
    emulator.say(emulator.add_customer(), "підробка")
    await emulator.settle()
    assert len(hub.events) == 1


async def test_t6_what_was_not_acknowledged_comes_again_and_is_known(hub, emulator):
    hub.status = 503
    emulator.max_tries = 3
    customer = emulator.add_customer()
    sent = emulator.say(customer, "Раз")
    await emulator.settle()
    hub.channel._clock.move(emulator.clock.now() - hub.channel._clock.now())
    with pytest.raises(TemporaryFailure, match="cannot deliver"):
        await hub.channel.check()
    hub.status = 200
    emulator.say(customer, "Два")
    await emulator.settle()
    assert [event.text for event in hub.events.values()] == ["Раз", "Два"]
    emulator.push_raw(sent)
    await emulator.settle()
    assert (len(hub.events), hub.repeats) == (2, 1)


async def test_a_pressed_button_is_answered_in_the_answer(hub, emulator):
    query = emulator.press(emulator.add_customer(), "a")["callback_query"]["id"]
    await emulator.settle()
    assert emulator.answered == [query]


async def test_t4_a_stolen_or_cleared_web_hook_is_a_conflict_that_names_who_has_it(hub, emulator, connect):
    emulator.webhook = "https://other.example/secret-path"
    with pytest.raises(Conflict, match=r"https://other\.example") as conflict:
        await hub.channel.check()
    assert "secret-path" not in conflict.value.message
    with pytest.raises(Conflict, match="take_over"):
        await connect(mode="webhook").open_webhook(hub.url)
    await hub.channel.close_webhook()
    assert emulator.webhook == "https://other.example/secret-path"
    await connect(mode="webhook", take_over=True).open_webhook(hub.url)
    assert emulator.webhook == hub.url
    await hub.channel.close_webhook()
    assert emulator.webhook == ""
    with pytest.raises(Conflict, match="no web hook"):
        await hub.channel.check()


async def test_t4_polling_is_told_which_web_hook_stands_in_its_way(connect, emulator):
    emulator.webhook = "https://other.example/secret-path"
    channel = connect()
    for call in (channel.pull("", 0), channel.check()):
        with pytest.raises(Conflict, match=r"https://other\.example"):
            await call


async def test_t5_an_address_that_telegram_refuses_is_said_in_its_words(connect):
    with pytest.raises(PermanentFailure, match="HTTPS URL must be provided"):
        await connect(mode="webhook").open_webhook("http://hub.example/in/shop-bot")


async def test_a_check_says_what_telegram_answered(connect):
    assert "@emulated_shop_bot: it is polled, 0 updates wait" in await connect().check()


# --- replies ------------------------------------------------------------------------------------------


@pytest.fixture
async def customer(polling, emulator):
    customer = emulator.add_customer()
    emulator.say(customer, "Добрий день")
    await polling.round()
    return customer


@pytest.fixture
def channel(polling):
    return polling.channel


async def test_a_reply_is_sent_and_its_id_is_that_of_a_message(channel, emulator, customer):
    result = await channel.send(message(customer))
    assert result == Sent(f"{BOT}:{customer.id}:2")
    ((method, told),) = emulator.sent
    assert (method, told["text"], told["chat_id"]) == ("sendMessage", "Так, є", str(customer.id))
    assert "reply_parameters" not in told


async def test_long_texts_are_cut_where_words_end_and_counted_as_telegram_counts(channel, emulator, customer):
    text = "🥾слово " * 1500
    assert isinstance(await channel.send(message(customer, text)), Sent)
    parts = [told["text"] for _, told in emulator.sent]
    assert len(parts) == 3
    assert " ".join(parts).split() == text.split()
    assert all(outgoing.utf16_length(part) <= 4096 for part in parts)


async def test_files_go_with_their_caption_or_after_the_text(channel, emulator, customer):
    await channel.send(message(customer, "Ось", files=(file(),)))
    invoice = file("Рахунок.pdf", "application/pdf")
    await channel.send(message(customer, "Усе", files=(file(), file("b.jpg"), invoice)))
    assert [method for method, _ in emulator.sent] == [
        "sendPhoto", "sendMessage", "sendMediaGroup", "sendDocument",
    ]  # fmt: skip
    photo, document = emulator.sent[0][1], emulator.sent[-1][1]
    assert (photo["caption"], photo["photo"]) == ("Ось", {"file_name": "a.jpg", "size": 7})
    assert document["document"]["file_name"] == "Рахунок.pdf"


async def test_a_picture_that_is_refused_as_a_photo_goes_as_a_file(channel, emulator, customer):
    emulator.refuse_next(400, "Bad Request: PHOTO_INVALID_DIMENSIONS")
    assert isinstance(await channel.send(message(customer, "Ось", files=(file(),))), Sent)
    assert [method for method, _ in emulator.sent] == ["sendDocument"]


async def test_the_number_is_asked_for_with_a_keyboard(polling, emulator, customer):
    rows = ((Button(label="Поділитися номером", share_phone=True),),)
    assert isinstance(await polling.channel.send(message(customer, "Ваш номер?", buttons=rows)), Sent)
    keyboard = json.loads(emulator.sent[-1][1]["reply_markup"])
    assert keyboard["keyboard"] == [[{"text": "Поділитися номером", "request_contact": True}]]
    emulator.share_phone(customer, "380670000001")
    assert (await polling.round())[0].sender.phone == "+380670000001"
    in_group = message(customer, buttons=rows, replies_to=(f"{BOT}:{GROUP_ID}:4",))
    assert "private chat" in (await polling.channel.send(in_group)).reason


async def test_a_notice_to_staff_carries_buttons_and_is_answered_by_replying(polling, emulator, customer):
    """What the staff bot stands on: buttons with actions, and an answer that names the notice."""
    rows = (
        (
            Button(label="Прийняти", action="task:41:accept"),
            Button(label="Сторінка", url="https://h.example"),
        ),
    )
    notice = Outgoing(
        id="9",
        kind=OutgoingKind.STAFF,
        to=Sender(channel_id=str(customer.id)),
        text="Нове завдання",
        buttons=rows,
    )
    sent = await polling.channel.send(notice)
    inline = json.loads(emulator.sent[-1][1]["reply_markup"])["inline_keyboard"]
    assert inline == [
        [
            {"text": "Прийняти", "callback_data": "task:41:accept"},
            {"text": "Сторінка", "url": "https://h.example"},
        ]
    ]
    number = int(sent.provider_id.rpartition(":")[2])
    emulator.say(
        customer, "Відповідь", reply_to_message={"message_id": number, "chat": customer.chat(), "date": 1}
    )
    assert (await polling.round())[0].replies_to == (sent.provider_id,)


async def test_an_answer_in_a_group_quotes_what_it_answers(connect, emulator):
    polling = Polling(connect(groups=True))
    customer = emulator.add_customer()
    emulator.say_in_group(customer, "Скільки коштує?")
    (event,) = await polling.round()
    sent = await polling.channel.send(message(customer, replies_to=(event.message_id,)))
    told = emulator.sent[-1][1]
    assert told["chat_id"] == str(GROUP_ID)
    assert json.loads(told["reply_parameters"])["message_id"] == 1
    assert isinstance(sent, Sent)
    assert sent.provider_id == f"{BOT}:{GROUP_ID}:2"


async def test_a_business_customer_is_answered_over_the_connection(channel, emulator):
    customer = emulator.add_customer()
    sent = await channel.send(message(customer, replies_to=(f"{BOT}:{customer.id}:3:conn_1",)))
    assert emulator.sent[-1][1]["business_connection_id"] == "conn_1"
    assert isinstance(sent, Sent)
    assert sent.provider_id.endswith(":conn_1")


async def test_a_group_that_has_moved_is_followed(channel, emulator):
    emulator.migrated[-4001] = GROUP_ID
    sent = await channel.send(message("5", replies_to=(f"{BOT}:-4001:3",)))
    assert isinstance(sent, Sent)
    assert sent.provider_id.startswith(f"{BOT}:{GROUP_ID}:")


async def test_who_cannot_be_written_to_is_told_in_words(channel, emulator, customer):
    emulator.block(customer)
    assert await channel.send(message(customer)) == Refused("the customer has blocked the bot")
    stranger = emulator.add_customer()
    assert "must write first" in (await channel.send(message(stranger))).reason
    assert "no such chat" in (await channel.send(message("77"))).reason
    assert "no address" in (await channel.send(message("@name"))).reason
    for odd in (message(customer, ""), message(customer, files=(file(body=b""),))):
        assert isinstance(await channel.send(odd), Refused)
    long = ((Button(label="x", action="я" * 33),),)
    assert "64 bytes" in (await channel.send(message(customer, buttons=long))).reason


async def test_flood_control_keeps_the_whole_bot_quiet_for_as_long_as_it_says(channel, emulator, customer):
    emulator.refuse_next(429, "Too Many Requests: retry after 14", retry_after=14)
    assert await channel.send(message(customer)) == Later(14.0)
    calls = len(emulator.calls)
    assert await channel.send(message(customer)) == Later(14.0)
    assert len(emulator.calls) == calls
    channel._clock.move(14_000)
    assert isinstance(await channel.send(message(customer)), Sent)


async def test_parts_that_were_sent_are_told_when_the_rest_is_not(channel, emulator, customer):
    emulator.flood = 1
    result = await channel.send(message(customer, "слово " * 1500))
    assert isinstance(result, Uncertain)
    assert "1 of 3 parts" in result.reason


@pytest.mark.parametrize("fault", ["lost_answer", "half_body", "html", "http_500"])
async def test_a_lost_answer_is_uncertain_and_is_not_repeated(channel, emulator, customer, fault):
    emulator.fail_next(kind=fault)
    calls = len(emulator.calls)
    assert isinstance(await channel.send(message(customer)), Uncertain)
    assert len(emulator.calls) == calls + 1


async def test_what_certainly_did_not_leave_is_tried_later():
    channel = make_channel(base_url="http://127.0.0.1:9")
    assert await channel.send(message("5")) == Later(0)


@respx.mock
async def test_an_answer_that_the_library_cannot_read_is_still_an_answer():
    respx.post(f"{API}/bot{TOKEN}/sendMessage").respond(json={"ok": True, "result": {"message_id": 8}})
    channel = make_channel()
    assert await channel.send(message("5")) == Sent(f"{BOT}:5:8")
    await channel.close()


@respx.mock
@pytest.mark.parametrize("body", [b"", b"[]", b'{"ok":true}', b'{"ok":true,"result":true}', b"{" * 50])
async def test_an_odd_answer_is_never_taken_for_success(body):
    respx.post(url__startswith=API).respond(content=body)
    channel = make_channel()
    assert isinstance(await channel.send(message("5")), Uncertain)
    with pytest.raises(AnswerUnreadable):
        await channel.pull("", 0)
    await channel.close()


@respx.mock
async def test_neither_token_nor_words_stand_in_logs_and_errors(caplog):
    respx.post(url__startswith=API).mock(side_effect=httpx.ReadError(f"{API}/bot{TOKEN}/getUpdates"))
    channel = make_channel()
    with caplog.at_level(logging.DEBUG), pytest.raises(TemporaryFailure) as failure:
        await channel.pull("", 0)
    respx.post(url__startswith=API).respond(content=b"<html>" + TOKEN.encode() + "особисті слова".encode())
    with caplog.at_level(logging.DEBUG):
        result = await channel.send(message("5", "особисті слова"))
    told = "".join(record.getMessage() for record in caplog.records) + repr(failure.value) + repr(result)
    told += repr(failure.value.__cause__)
    assert TOKEN.partition(":")[2] not in told
    assert "особисті" not in told
    await channel.close()


async def test_no_warning_of_the_library_reaches_the_hub(channel, emulator, customer):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        emulator.refuse_next(429, "Too Many Requests", retry_after=1)
        assert await channel.send(message(customer)) == Later(1.0)


# --- files --------------------------------------------------------------------------------------------


async def test_a_customers_file_is_fetched(polling, emulator):
    emulator.send_document(emulator.add_customer(), b"%PDF-1.7", "Реквізити.pdf")
    (event,) = await polling.round()
    (attachment,) = event.attachments
    assert attachment.name == "Реквізити.pdf"
    assert TOKEN not in attachment.ref
    assert (await polling.channel.fetch(attachment.ref, 1000)).body == b"%PDF-1.7"
    with pytest.raises(PermanentFailure, match="larger than 3 bytes"):
        await polling.channel.fetch(attachment.ref, 3)


async def test_a_file_above_20_mb_is_refused_and_a_lost_one_is_said_so(channel, emulator):
    large = emulator.add_file(bytes(20 * 1024 * 1024 + 1))
    with pytest.raises(PermanentFailure, match="too large"):
        await channel.fetch(large, 1 << 40)
    with pytest.raises(PermanentFailure, match="wrong file_id"):
        await channel.fetch("nothing", 1000)


@respx.mock
async def test_a_file_that_is_larger_than_it_says_is_cut_off():
    answer = {"ok": True, "result": {"file_id": "x", "file_unique_id": "x", "file_path": "d/f.bin"}}
    respx.post(f"{API}/bot{TOKEN}/getFile").respond(json=answer)
    respx.get(f"{API}/file/bot{TOKEN}/d/f.bin").respond(content=bytes(5000))
    channel = make_channel()
    with pytest.raises(PermanentFailure, match="larger than 1000 bytes"):
        await channel.fetch("x", 1000)
    await channel.close()
