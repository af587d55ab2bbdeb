"""The real plugin against the emulator over loopback HTTP, and scripted odd answers. V1, V2, V5, V6 among them."""

import asyncio
import json
import logging

import httpx
import pytest

from hub.sdk import (
    AnswerUnreadable,
    AuthenticationFailed,
    Button,
    Conflict,
    EventKind,
    Later,
    Mark,
    Outgoing,
    OutgoingFile,
    OutgoingKind,
    PermanentFailure,
    Refused,
    Sender,
    Sent,
    TemporaryFailure,
    Throttled,
    Uncertain,
)
from hub.testing.host import LoopbackHost
from plugins.viber import outgoing
from plugins.viber.statuses import STATUSES, Meaning
from tests.plugins.viber.conftest import TOKEN, make_channel


def file(name="a.jpg", media_type="image/jpeg", body=b"\xff\xd8 jpeg", url="https://hub.example/f/x/"):
    return OutgoingFile(name=name, media_type=media_type, body=body, url=url and url + name)


def message(to="nobody", text="Так, є", **more):
    return Outgoing(id="1", kind=OutgoingKind.REPLY, to=Sender(channel_id=to), text=text, **more)


# --- registration -------------------------------------------------------------------------------------


async def test_v2_the_web_hook_is_set_while_the_hub_listens_and_is_called_back_at_once(hub, emulator):
    assert emulator.webhook == hub.url
    assert [event.kind for event in hub.taken.values()] == [EventKind.PROBE]
    assert {"delivered", "seen", "failed"} < set(emulator.event_types)
    assert "its web hook leads here" in await hub.channel.check()


async def test_v2_a_refused_web_hook_shows_what_viber_says(hub, emulator):
    hub.status = 419
    with pytest.raises(TemporaryFailure, match="HttpResponse status 419"):
        await hub.channel.open_webhook(hub.url)
    hub.status = 200
    await hub.channel.open_webhook(hub.url)


async def test_v2_a_refusal_without_a_reason_is_said_so():
    answers = [{"status": 0}, {"status": 1, "chat_hostname": "SN-CHAT-06_"}]
    channel = scripted(*answers)
    with pytest.raises(TemporaryFailure, match="it gives no reason"):
        await channel.open_webhook("https://hub.example/in/shop-viber")


async def test_v6_the_web_hook_is_taken_away_and_another_programs_is_left_alone(hub, emulator):
    await hub.channel.close_webhook()
    assert emulator.webhook == ""
    emulator.webhook = "https://other.example/viber/secret-path"
    await hub.channel.close_webhook()
    assert emulator.webhook == "https://other.example/viber/secret-path"


async def test_a_stolen_or_cleared_web_hook_is_a_conflict_that_names_who_has_it(hub, emulator, another):
    emulator.webhook = "https://other.example/viber/secret-path"
    with pytest.raises(Conflict, match=r"https://other\.example") as conflict:
        await hub.channel.check()
    assert "secret-path" not in conflict.value.message
    with pytest.raises(Conflict, match="take_over"):
        await another(base_url=emulator.base_url).open_webhook(hub.url)
    taking = another(base_url=emulator.base_url, take_over=True)
    await taking.open_webhook(hub.url)
    assert emulator.webhook == hub.url
    emulator.webhook = ""
    with pytest.raises(Conflict, match="no web hook"):
        await hub.channel.check()


async def test_a_wrong_token_stops_the_account(emulator, another):
    channel = another(base_url=emulator.base_url, token="wrong")
    with pytest.raises(AuthenticationFailed, match="token"):
        await channel.check()


# --- deliveries with faults ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoiling", "refused"),
    [
        ("wrong_signature", ["signature"]),
        ("no_signature", ["signature"]),
        ("half_body", ["signature"]),
        ("sig_in_query", []),
        ("repeat", []),
        ("lost_answer", []),
    ],
)
async def test_v1_whatever_happens_to_a_delivery_one_message_arrives_once(hub, emulator, spoiling, refused):
    customer = emulator.add_customer()
    emulator.spoil_next(spoiling)
    told = await emulator.say(customer, "Чи є в наявності? 🥾")
    assert told.taken
    assert hub.refused == refused
    (event,) = hub.events(EventKind.MESSAGE)
    assert (event.text, event.message_id) == ("Чи є в наявності? 🥾", str(told.token))


async def test_v1_a_hub_that_is_away_gets_it_again_up_to_13_times(hub, emulator):
    customer = emulator.add_customer()
    hub.status, before = 503, hub.offered
    told = await emulator.say(customer, "Є хтось?")
    assert (told.taken, hub.offered - before) == (False, 13)


async def test_deliveries_out_of_order_are_all_taken(hub, emulator):
    customer = emulator.add_customer()
    emulator.spoil_next("hold")
    first = await emulator.say(customer, "перше")
    second = await emulator.say(customer, "друге")
    assert hub.order[-2:] == [f"message:{second.token}", f"message:{first.token}"]


async def test_v5_unknown_events_are_answered_with_200(hub, emulator):
    assert (await emulator.tell("client_status", {})).statuses == (200,)
    assert (await emulator.tell("brand_new_event", {"x": [1]})).statuses == (200,)


async def test_who_opens_the_chat_is_greeted_and_every_event_is_marked_as_emulated(hub, emulator):
    customer = emulator.add_customer(language="en")
    greeting = await emulator.open_chat(customer, "instagram-bio")
    assert greeting["text"].startswith("Hello!")
    (joined,) = hub.events(EventKind.JOINED)
    assert joined.source == {"context": "instagram-bio"}
    await emulator.unsubscribe(customer)
    assert hub.events(EventKind.LEFT)[0].sender.channel_id == customer.id


async def test_emulated_customers_write_by_themselves(hub, emulator):
    living = asyncio.ensure_future(emulator.live(0.01))
    async with asyncio.timeout(5):
        while not hub.events(EventKind.MESSAGE):  # noqa: ASYNC110 - the emulator writes when it likes
            await asyncio.sleep(0.01)
    living.cancel()
    assert "(емуляція)" in hub.events(EventKind.MESSAGE)[0].sender.name


# --- replies ------------------------------------------------------------------------------------------


@pytest.fixture
async def customer(hub, emulator):
    customer = emulator.add_customer()
    await emulator.say(customer, "Добрий день")
    return customer


async def test_a_reply_is_sent_and_its_marks_name_it(hub, emulator, customer):
    emulator.receipts = ("delivered", "seen")
    result = await hub.channel.send(message(customer.id, thread_token="k7"))
    assert isinstance(result, Sent)
    (sent,) = emulator.sent
    assert (sent["text"], sent["sender"]["name"], sent["receiver"]) == ("Так, є", "Крамниця", customer.id)
    assert result.provider_id == str(sent["message_token"])
    await emulator.settle()
    marks = hub.events(EventKind.RECEIPT)
    assert [mark.mark for mark in marks] == [Mark.DELIVERED, Mark.SEEN]
    assert {mark.about for mark in marks} == {result.provider_id}
    await emulator.say(customer, "Дякую")
    assert hub.events(EventKind.MESSAGE)[-1].thread_token == "k7"


async def test_a_number_that_was_asked_for_is_the_customers_own(hub, emulator, customer):
    ask = message(customer.id, "Ваш номер?", buttons=((Button(label="Поділитися", share_phone=True),),))
    assert isinstance(await hub.channel.send(ask), Sent)
    await emulator.share_phone(customer, "380670000001")
    assert hub.events(EventKind.MESSAGE)[-1].sender.phone == "+380670000001"


async def test_buttons_come_back_as_actions(hub, emulator, customer):
    rows = (
        (
            Button(label="Так", action="yes:7"),
            Button(label="Ні", action="no:7"),
            Button(label="Сайт", url="https://s.example"),
        ),
    )
    assert isinstance(await hub.channel.send(message(customer.id, buttons=rows)), Sent)
    yes = emulator.sent[-1]["keyboard"]["Buttons"][0]
    await emulator.press(customer, yes["ActionBody"])
    assert hub.events(EventKind.MESSAGE)[-1].fields == {"action": "yes:7"}


async def test_long_texts_pictures_and_files_are_sent_in_order(hub, emulator, customer):
    text = "слово " * 2500
    files = (file(), file("Рахунок.pdf", "application/pdf"))
    assert isinstance(await hub.channel.send(message(customer.id, text, files=files)), Sent)
    assert [one["type"] for one in emulator.sent] == ["text", "text", "text", "picture", "file"]
    assert " ".join(one["text"] for one in emulator.sent[:3]).split() == text.split()
    assert emulator.sent[-1]["file_name"] == "Рахунок.pdf"
    await hub.channel.send(message(customer.id, "Ось", files=(file(),)))
    assert (emulator.sent[-1]["type"], emulator.sent[-1]["text"]) == ("picture", "Ось")


async def test_what_cannot_be_sent_is_refused_in_words(hub, emulator, customer):
    refused = [
        message("", "x"),
        message(customer.id, ""),
        message(customer.id, files=(file(body=b""),)),
        message(customer.id, files=(file(url=""),)),
        message("somebody unknown"),
    ]
    for one in refused:
        result = await hub.channel.send(one)
        assert isinstance(result, Refused)
        assert result.reason
    await emulator.unsubscribe(customer)
    assert "subscribed" in (await hub.channel.send(message(customer.id))).reason


async def test_too_many_requests_keep_the_whole_bot_quiet_for_a_while(hub, emulator, customer):
    emulator.fail_next(kind=12)
    assert await hub.channel.send(message(customer.id)) == Later(10.0)
    calls = len(emulator.calls)
    assert isinstance(await hub.channel.send(message(customer.id)), Later)
    assert len(emulator.calls) == calls
    hub.channel._clock.move(10_001)
    assert isinstance(await hub.channel.send(message(customer.id)), Sent)
    emulator.fail_next(kind="http_429")
    assert await hub.channel.send(message(customer.id)) == Later(7.0)


async def test_an_old_app_gets_the_text_without_buttons(hub, emulator, customer):
    customer.api_version = 2
    result = await hub.channel.send(message(customer.id, buttons=((Button(label="Так", action="y"),),)))
    assert isinstance(result, Sent)
    assert "keyboard" not in emulator.sent[-1]


async def test_a_web_hook_that_is_gone_is_set_again_before_the_message_is(hub, emulator, customer):
    emulator.webhook = ""
    assert isinstance(await hub.channel.send(message(customer.id)), Sent)
    assert emulator.webhook == hub.url


@pytest.mark.parametrize("fault", ["lost_answer", "half_body", "html", "http_500", "timeout"])
async def test_a_lost_answer_is_uncertain_and_is_not_repeated(hub, emulator, customer, fault):
    hub.channel._client._http._timeout_s = 0.3
    calls = emulator.calls.count("send_message")
    emulator.fail_next(kind=fault)
    assert isinstance(await hub.channel.send(message(customer.id)), Uncertain)
    assert emulator.calls.count("send_message") == calls + 1


async def test_what_certainly_did_not_leave_is_tried_later(another):
    channel = another(base_url="http://127.0.0.1:9")
    assert await channel.send(message("somebody")) == Later(0)


async def test_parts_that_were_sent_are_told_when_the_rest_is_not(hub, emulator, customer):
    files = (file(), file("b.pdf", "application/pdf"))

    class Failing:
        def __init__(self, client):
            self.client, self.left = client, 2

        async def send(self, payload):
            self.left -= 1
            if not self.left:
                emulator.fail_next(kind=7)
            return await self.client.send(payload)

    hub.channel._client = Failing(hub.channel._client)
    with pytest.raises(AuthenticationFailed, match="blocked"):
        await hub.channel.send(message(customer.id, files=files))
    hub.channel._client.left = 0
    emulator.fail_next(kind=0)
    emulator.fail_next(kind=3)
    result = await hub.channel.send(message(customer.id, files=files))
    assert isinstance(result, Uncertain)
    assert "1 of 3" in result.reason


def scripted(*answers):
    """A channel whose calls are answered by these, in turn; bytes, JSON or a status."""
    left = list(answers)

    def answer(request):
        one = left.pop(0)
        if isinstance(one, int):
            return httpx.Response(one)
        return httpx.Response(200, content=one if isinstance(one, bytes) else json.dumps(one).encode())

    return make_channel(LoopbackHost(transport=httpx.MockTransport(answer)))


@pytest.mark.parametrize("code", sorted(STATUSES))
async def test_every_status_has_its_consequence(code):
    channel = scripted(*[{"status": code, "status_message": "words", "message_token": 2**62 + 1}] * 3)
    meaning = STATUSES[code].meaning
    if meaning is Meaning.STOPPED:
        with pytest.raises(AuthenticationFailed, match=f"status {code}"):
            await channel.send(message("r"))
        return
    result = await channel.send(message("r"))
    expected = {Meaning.OK: Sent, Meaning.LATER: Later, Meaning.WEBHOOK: Later}.get(meaning, Refused)
    assert isinstance(result, expected)
    if isinstance(result, Sent):
        assert result.provider_id == str(2**62 + 1)
    if isinstance(result, Refused):
        assert STATUSES[code].sentence in result.reason


async def test_an_unlisted_status_is_refused_in_vibers_words():
    result = await scripted({"status": 99, "status_message": "newRule"}).send(message("r"))
    assert result == Refused("Viber refuses it: newRule (status 99)")


@pytest.mark.parametrize("odd", [b"", b"[]", b'{"status":"0"}', b'{"status":true}', b"<html>"])
async def test_an_odd_answer_is_never_taken_for_success(odd):
    assert isinstance(await scripted(odd).send(message("r")), Uncertain)
    with pytest.raises(AnswerUnreadable):
        await scripted(odd).check()


async def test_http_401_and_403_stop_and_429_waits():
    for status in (401, 403):
        with pytest.raises(AuthenticationFailed):
            await scripted(status).send(message("r"))
    with pytest.raises(Throttled):
        await scripted({"status": 12}).check()


def test_a_row_of_buttons_fills_its_six_columns():
    for count in range(1, 9):
        rows = (tuple(Button(label=str(n), action=str(n)) for n in range(count)),)
        widths = [one["Columns"] for one in outgoing.keyboard(rows)["Buttons"]]
        assert len(widths) == count
        assert sum(widths) % 6 == 0


# --- files --------------------------------------------------------------------------------------------


async def test_a_customers_file_is_fetched_and_a_lost_or_large_one_is_said_so(hub, emulator, customer):
    await emulator.send_file(customer, b"\xff\xd8 jpeg", "a.jpg", "Ось")
    event = hub.events(EventKind.MESSAGE)[-1]
    (attachment,) = event.attachments
    fetched = await hub.channel.fetch(attachment.ref, 1000)
    assert (fetched.body, fetched.media_type, event.text) == (b"\xff\xd8 jpeg", "image/jpeg", "Ось")
    with pytest.raises(PermanentFailure, match="larger"):
        await hub.channel.fetch(attachment.ref, 3)
    with pytest.raises(PermanentFailure, match="gone"):
        await hub.channel.fetch(attachment.ref + "x", 1000)


@pytest.mark.parametrize(
    "address",
    [
        "https://127.0.0.1/a", "https://10.1.2.3/a", "http://169.254.169.254/latest", "https://[::1]/a",
        "https://[::ffff:10.0.0.1]/a", "https://localhost/a", "file:///etc/passwd", "https://[", "x", "",
    ],
)  # fmt: skip
async def test_files_are_fetched_from_public_addresses_only(address):
    def never(request):
        raise AssertionError("it was asked")

    host = LoopbackHost(transport=httpx.MockTransport(never))
    with pytest.raises(PermanentFailure):
        await make_channel(host).fetch(address, 1000)


async def test_a_redirect_leads_to_no_private_address_either():
    asked = []

    def answer(request):
        asked.append((request.url.host, request.headers["host"]))
        return httpx.Response(302, headers={"location": "http://10.0.0.1/secret"})

    with pytest.raises(PermanentFailure):
        await make_channel(LoopbackHost(transport=httpx.MockTransport(answer))).fetch(
            "https://8.8.8.8/a", 1000
        )
    assert asked == [("8.8.8.8", "8.8.8.8")]


async def test_neither_token_nor_words_are_logged_when_sending(hub, emulator, customer, caplog):
    with caplog.at_level(logging.DEBUG):
        await hub.channel.send(message(customer.id, "особисті слова"))
    told = "".join(record.getMessage() for record in caplog.records)
    assert TOKEN not in told
    assert "особисті" not in told
