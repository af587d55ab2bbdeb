"""A customer writes on a pulled channel and is answered: nothing twice, nothing lost, doubtful ones decided."""

import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from hub.accounts import cursors
from hub.accounts.cursors import FenceLost
from hub.sdk import (
    AuthenticationFailed,
    Conflict,
    Later,
    NotReached,
    PermanentFailure,
    Refused,
    Sent,
    TemporaryFailure,
    Throttled,
    Uncertain,
)
from tests.integration import chat_plugin
from tests.integration.chat_plugin import PROVIDERS, Provider
from tests.integration.hubs import Running, running, until


def chat_hub(url: str, folder: Path, **more: Any) -> AbstractAsyncContextManager[Running]:
    channels = more.pop("channels", {"chat": {"plugin": "chat", "team": "sales"}})
    return running(
        url, folder, channels=channels, extra=[("chat", chat_plugin.MODULE)], people_named=["Olena"], **more
    )


@pytest.fixture(autouse=True)
def provider() -> Provider:
    PROVIDERS.clear()
    return PROVIDERS["chat"]


@pytest.fixture
async def hub(hub_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    async with chat_hub(hub_url, tmp_path) as one:
        yield one


@pytest.fixture
async def lite(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    async with chat_hub(sqlite_url, tmp_path) as one:
        yield one


async def ask(hub: Running, provider: Provider, **update: Any) -> int:
    """A customer asks; the id of his request."""
    provider.say(**{"text": "Скільки коштує?", **update})
    found = await until(lambda: hub.rows("select id from request"))
    return int(found[0][0])


async def state(hub: Running, message_id: str, wanted: str) -> None:
    await until(lambda: hub.one("select state from message where id = :id", id=int(message_id)) == wanted)


async def write(hub: Running, request_id: int, words: str = "120 грн", **body: Any) -> tuple[int, Any]:
    staff_id = hub.one("select id from staff where name = 'Olena'")
    token = hub.token("seller", staff_id)
    return await hub.api("POST", f"/requests/{request_id}/messages", token, {"text": words, **body})


async def test_what_is_pulled_opens_a_task_and_moves_the_cursor_with_it(hub: Running, provider: Provider):
    for number in range(120):
        provider.say(text=f"питання {number}", who=f"c{number}")
    await until(lambda: hub.one("select count(*) from task") == 120)
    assert hub.one("select position from cursor where account = 'chat'") == "120"
    assert hub.rows("select stored, repeated from account where name = 'chat'") == [(120, 0)]
    await until(lambda: len(provider.taken) == 120)


async def test_a_position_that_was_lost_doubles_nothing(hub: Running, provider: Provider):
    for number in range(10):
        provider.say(text=f"питання {number}", who=f"c{number}")
    await until(lambda: hub.one("select count(*) from task") == 10)
    await hub.process.listeners.stop()
    hub.hub.db.write_now(lambda tx: tx.execute(text("update cursor set position = '3'")))
    hub.process.listeners.start()
    await until(lambda: hub.one("select position from cursor") == "10")
    assert hub.one("select count(*) from task") == 10
    assert hub.rows("select stored, repeated from account where name = 'chat'") == [(10, 7)]


async def test_t1_who_slept_through_his_lease_stores_nothing(hub: Running, provider: Provider):
    await ask(hub, provider)
    await hub.process.listeners.stop()
    fence = hub.one("select fence from cursor")
    hub.hub.db.write_now(lambda tx: cursors.take(tx, "chat", fence + 1))
    with pytest.raises(FenceLost):
        hub.hub.db.write_now(lambda tx: cursors.move(tx, "chat", fence, "1", "2"))
    with pytest.raises(FenceLost):
        hub.hub.db.write_now(lambda tx: cursors.take(tx, "chat", fence))
    assert hub.one("select position from cursor") == "1"


async def test_the_answer_goes_back_the_way_the_customer_came(hub: Running, provider: Provider):
    request_id = await ask(hub, provider, who="c77")
    status, made = await write(hub, request_id)
    assert status == 201
    assert made["state"] == "sending"
    await state(hub, made["id"], "sent")
    [sent] = provider.sent
    assert (sent.to.channel_id, sent.text, sent.replies_to) == ("c77", "120 грн", ("m1",))
    assert sent.thread_token
    provider.say(text="беру", who="c77", replies_to=[f"out-{made['id']}"])
    await until(lambda: hub.one("select count(*) from message") == 3)
    assert hub.one("select count(distinct request_id) from message") == 1
    assert hub.one("select count(*) from task") == 1


async def test_a_colleague_who_answers_our_mail_joins_its_request(lite: Running, provider: Provider):
    request_id = await ask(lite, provider)
    await write(lite, request_id)
    await until(lambda: provider.sent)
    provider.say(text="я від Ірини", who="c2", name="Петро", token=provider.sent[0].thread_token)
    await until(lambda: lite.one("select count(*) from message") == 3)
    assert lite.one("select count(distinct contact_id) from message") == 2
    assert lite.one("select count(*) from request") == 1


async def test_a_foreign_thread_or_token_joins_nothing(lite: Running, provider: Provider):
    await ask(lite, provider)
    provider.say(text="інше", who="c2", token="nobody-gave-this", replies_to=["m999"])
    await until(lambda: lite.one("select count(*) from request") == 2)


@pytest.mark.parametrize(
    ("answer", "ends"),
    [
        (Sent("p1"), "sent"),
        (Refused("he has blocked us"), "failed"),
        (Uncertain("cut"), "uncertain"),
        (PermanentFailure("no such chat"), "failed"),
        (TemporaryFailure("time-out after the request"), "uncertain"),
        (RuntimeError("a bug"), "uncertain"),
        (None, "uncertain"),
        ("nonsense", "uncertain"),
    ],
)
async def test_how_a_message_ends(lite: Running, provider: Provider, answer: Any, ends: str):
    request_id = await ask(lite, provider)
    provider.answers = [answer]
    _status, made = await write(lite, request_id)
    await state(lite, made["id"], ends)
    assert len(provider.sent) == 1


@pytest.mark.parametrize("answer", [Later(0), Throttled("429", retry_after_s=0), NotReached("no connection")])
async def test_what_has_not_left_is_tried_again(lite: Running, provider: Provider, answer: Any):
    request_id = await ask(lite, provider)
    provider.answers = [answer]
    _status, made = await write(lite, request_id)
    row = "select attempts, state from outbox where id = :id"
    await until(lambda: lite.rows(row, id=int(made["id"])) == [(1, "ready")])
    lite.hub.db.write_now(
        lambda tx: tx.execute(text("update outbox set next_try_at = 1 where lane = 'reply'"))
    )
    await state(lite, made["id"], "sent")
    assert [one.id for one in provider.sent] == [made["id"]] * 2


async def test_a_doubtful_message_is_decided_by_a_person(lite: Running, provider: Provider):
    request_id = await ask(lite, provider)
    provider.answers = [Uncertain("cut"), Sent("p2")]
    _status, made = await write(lite, request_id)
    await state(lite, made["id"], "uncertain")
    token = lite.token("seller", lite.one("select id from staff where name = 'Olena'"))
    status, again = await lite.api("POST", f"/messages/{made['id']}/decide", token, {"arrived": False})
    assert (status, again["state"]) == (200, "sending")
    await state(lite, made["id"], "sent")
    assert (await lite.api("POST", f"/messages/{made['id']}/decide", token, {"arrived": True}))[0] == 409


async def test_a_crash_during_the_call_leaves_it_doubtful(
    sqlite_url: str, tmp_path: Path, provider: Provider
):
    async with chat_hub(sqlite_url, tmp_path) as hub:
        request_id = await ask(hub, provider)
        await hub.process.stop()
        _status, made = await write(hub, request_id)
        hub.hub.db.write_now(
            lambda tx: tx.execute(
                text(
                    "update outbox set state = 'sending', lease_until_at = 5, lease_owner = 'dead' where lane = 'reply'"
                )
            )
        )
    async with chat_hub(sqlite_url, tmp_path) as hub:
        await state(hub, made["id"], "uncertain")
    assert provider.sent == []


async def test_receipts_move_a_message_forward_only(lite: Running, provider: Provider):
    request_id = await ask(lite, provider)
    _status, made = await write(lite, request_id)
    await state(lite, made["id"], "sent")
    about = f"out-{made['id']}"
    provider.say(kind="receipt", about=about, mark="seen")
    await state(lite, made["id"], "seen")
    provider.say(kind="receipt", about=about, mark="delivered")
    provider.say(kind="receipt", about=about, mark="failed", text="late")
    provider.say(kind="receipt", about="unknown", mark="seen")
    await until(lambda: lite.one("select count(*) from delivery") == 5)
    assert lite.one("select state from message where id = :id", id=int(made["id"])) == "seen"
    assert lite.one("select count(*) from task") == 1


async def test_a_receipt_may_be_quicker_than_the_answer_of_the_call(lite: Running, provider: Provider):
    request_id = await ask(lite, provider)
    provider.say(kind="receipt", about="early", mark="delivered")
    await until(lambda: lite.one("select count(*) from message_mark") == 1)
    provider.answers = [Sent("early")]
    _status, made = await write(lite, request_id)
    await state(lite, made["id"], "delivered")


async def test_a_message_that_failed_later_tells_its_seller(lite: Running, provider: Provider):
    request_id = await ask(lite, provider)
    _status, made = await write(lite, request_id)
    await state(lite, made["id"], "sent")
    provider.say(kind="receipt", about=f"out-{made['id']}", mark="failed", text="no such number")
    await state(lite, made["id"], "failed")
    assert lite.one("select problem from message_extra where message_id = :id", id=int(made["id"]))
    assert lite.one("select count(*) from outbox where kind = 'message_failed'") == 1


async def test_an_edit_changes_the_message_and_keeps_the_earlier_text(lite: Running, provider: Provider):
    await ask(lite, provider, text="2 штуки")
    provider.say(kind="edit", about="m1", text="3 штуки")
    provider.say(kind="edit", about="m999", text="нічого")
    await until(lambda: lite.rows("select body from message") == [("3 штуки",)])
    [(edits,)] = lite.rows("select edits from message_extra")
    assert [one["text"] for one in json.loads(edits)] == ["2 штуки"]
    assert lite.one("select count(*) from task") == 1


async def test_what_we_wrote_elsewhere_stands_in_the_conversation_and_opens_nothing(
    lite: Running, provider: Provider
):
    provider.say(kind="echo", text="ми першими", who="stranger")
    await ask(lite, provider)
    provider.say(kind="echo", text="з телефона", who="c1")
    await until(lambda: lite.one("select count(*) from message") == 2)
    assert lite.rows("select direction, state from message order by id") == [
        ("in", "received"),
        ("out", "sent"),
    ]
    assert lite.one("select count(*) from task") == 1


async def test_who_has_left_cannot_be_written_to(lite: Running, provider: Provider):
    request_id = await ask(lite, provider)
    provider.say(kind="left", who="c1")
    provider.say(kind="left", who="never seen")
    await until(lambda: lite.one("select count(*) from reachability") == 1)
    status, problem = await write(lite, request_id)
    assert status == 409
    assert "left" in problem["detail"]
    provider.say(kind="joined", who="c1")
    await until(lambda: lite.one("select state from reachability") == "open")
    assert (await write(lite, request_id))[0] == 201


async def test_files_are_fetched_or_kept_and_never_run(lite: Running, provider: Provider):
    provider.files["file:a.png"] = b"\x89PNG"
    await ask(lite, provider, files=["a.png", "gone.png"], bodies={"../x.html": "<script>alert(1)</script>"})
    await until(lambda: lite.one("select count(*) from attachment where state = 'pending'") == 0)
    found = lite.rows("select name, state, size from attachment order by id")
    assert found == [("a.png", "stored", 4), ("gone.png", "refused", 3), (".._x.html", "stored", 25)]


async def test_w2_an_album_is_one_message_to_a_person(lite: Running, provider: Provider):
    for number in range(3):
        provider.say(text="фото" if not number else "", group="album-1", files=[f"{number}.png"])
    await until(lambda: lite.one("select count(*) from message") == 3)
    assert lite.one("select count(*) from request") == 1


async def test_dead_credentials_stop_the_account_with_one_alarm(lite: Running, provider: Provider):
    lite.person("Admin", role="admin")
    provider.failing = AuthenticationFailed("the token was revoked")
    await until(lambda: lite.one("select state from account where name = 'chat'") == "stopped")
    assert lite.one("select last_error from account where name = 'chat'") == "the token was revoked"
    pulls = provider.pulls
    assert lite.one("select count(*) from outbox where kind = 'account_ill'") == 1
    provider.failing = None
    lite.hub.db.write_now(
        lambda tx: tx.execute(text("update account set state = 'active' where name = 'chat'"))
    )
    await until(lambda: provider.pulls > pulls)


async def test_a_second_consumer_is_an_alarm_that_names_it(lite: Running, provider: Provider):
    provider.failing = Conflict("another program reads these updates too")
    await until(lambda: lite.one("select last_error from account where name = 'chat'") is not None)
    assert lite.one("select state from account where name = 'chat'") == "active"


async def test_t3_a_bug_of_the_plugin_is_its_accounts_alone(lite: Running, provider: Provider):
    provider.failing = RuntimeError("boom")
    await until(
        lambda: (lite.one("select last_error from account where name = 'chat'") or "").endswith(
            "RuntimeError"
        )
    )
    provider.failing = None
    await ask(lite, provider)


async def test_the_web_hook_is_set_watched_and_taken_away(sqlite_url: str, tmp_path: Path):
    channels = {"push": {"plugin": "chat", "team": "sales", "pushed": True}}
    async with chat_hub(sqlite_url, tmp_path, channels=channels, base_url="https://hub.example") as hub:
        provider = PROVIDERS["push"]
        await until(lambda: provider.webhook == "https://hub.example/in/push")
        provider.webhook = "https://thief.example/"
        await hub.process._watch.tick()
        assert hub.one("select last_error from account where name = 'push'") == "the web hook leads elsewhere"
        await hub.process._watch.tick()
        assert provider.webhook == "https://hub.example/in/push"
        hub.hub.db.write_now(lambda tx: tx.execute(text("update account set state = 'stopped'")))
        await hub.process._watch.tick()
        assert provider.webhook == ""


async def test_a_form_customer_can_be_called_only(sqlite_url: str, tmp_path: Path):
    async with running(sqlite_url, tmp_path, people_named=["Olena"]) as hub:
        await hub.form({"name": "Ірина", "phone": "+380671112233", "text": "ціна?"})
        request_id = await until(lambda: hub.one("select id from request"))
        status, problem = await write(hub, request_id)
        assert status == 409
        assert "call him" in problem["detail"]


async def test_wrong_words_are_told(lite: Running, provider: Provider):
    request_id = await ask(lite, provider)
    assert (await write(lite, request_id, ""))[0] == 422
    assert (await write(lite, request_id, "x", channel="mail"))[0] == 422
    assert (await write(lite, 5))[0] == 404
