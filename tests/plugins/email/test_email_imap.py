"""client.py against a real Dovecot: nothing lost, nothing doubled, dead lines noticed. E1 to E6 of the pitfalls."""

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hub.sdk import AuthenticationFailed, Pulled, TemporaryFailure
from hub.testing.host import START, LoopbackHost
from plugins.email import client as client_module
from plugins.email.plugin import Email
from tests.dovecot_server import Dovecot
from tests.integration.tcp_proxy import Proxy
from tests.plugins.email.conftest import account_of, mail, pulled

pytestmark = [pytest.mark.timeout(90), pytest.mark.xdist_group("dovecot")]
NOW = datetime.fromtimestamp(START / 1000, UTC)


def numbered(n: int, **more: str) -> bytes:
    return mail(f"mail number {n}", subject=f"n{n}", message_id=f"<unique-id-{n:06}@example.com>", **more)


def subjects(found: Pulled) -> list[str]:
    return [one.body.split(b"Subject: ")[1].split(b"\r\n")[0].decode() for one in found.deliveries]


def after(found: Pulled, before: str) -> str:
    """Where the hub stands when all of it is stored."""
    if found.position is not None:
        return found.position
    return found.deliveries[-1].position if found.deliveries else before


async def drain(account: Email, position: str) -> tuple[list[str], str]:
    got: list[str] = []
    for _ in range(50):
        found = await account.pull(position, 0)
        got += subjects(found)
        position = after(found, position)
        if not found.more and not found.deliveries:
            return got, position
    raise AssertionError("it never ends")


async def test_mail_arrives_in_order_once_and_stays_unread(dovecot: Dovecot):
    dovecot.append("INBOX", *(numbered(n) for n in range(5)), at=NOW)
    account = account_of(dovecot)
    got, position = await drain(account, "")
    assert got == ["n0", "n1", "n2", "n3", "n4"]
    assert await drain(account, position) == ([], position)
    assert all(b"\\Seen" not in flags for _, flags in dovecot.mails())
    await account.close()


async def test_e4_mail_read_elsewhere_is_taken_too(dovecot: Dovecot):
    dovecot.append("INBOX", numbered(1), at=NOW)
    with dovecot.client() as other:
        other.select_folder("INBOX")
        other.add_flags(other.search("ALL"), [b"\\Seen"])
    account = account_of(dovecot)
    assert (await drain(account, ""))[0] == ["n1"]
    await account.close()


async def test_each_position_repeats_only_what_came_after_it(dovecot: Dovecot):
    dovecot.append("INBOX", *(numbered(n) for n in range(4)), at=NOW)
    account = account_of(dovecot)
    found = await account.pull("", 0)
    for number, delivery in enumerate(found.deliveries):
        again, _ = await drain(account, delivery.position)
        assert again == [f"n{n}" for n in range(number + 1, 4)]
    await account.close()


async def test_idle_wakes_the_pull_at_once(dovecot: Dovecot):
    account = account_of(dovecot)
    _, position = await drain(account, "")
    waiting = asyncio.create_task(account.pull(position, 20))
    await asyncio.sleep(1.0)
    begun = time.monotonic()
    await asyncio.to_thread(dovecot.append, "INBOX", numbered(7), at=NOW)
    assert subjects(await waiting) == ["n7"]
    assert time.monotonic() - begun < 5
    await account.close()


async def test_e1_a_dead_idle_is_noticed_and_the_line_renewed(dovecot: Dovecot):
    proxy = Proxy(dovecot.port)
    account = account_of(dovecot, port=proxy.port)
    _, position = await drain(account, "")
    waiting = asyncio.create_task(account.pull(position, 20))
    await asyncio.sleep(0.7)
    for one in list(proxy._sockets):  # both directions end without a word
        with suppress(OSError):  # one end may have gone with the other
            one.shutdown(2)
    begun = time.monotonic()
    found = await waiting
    assert found.deliveries == ()
    assert time.monotonic() - begun < 5
    dovecot.append("INBOX", numbered(1), at=NOW)
    assert (await drain(account, position))[0] == ["n1"]
    await account.close()
    proxy.close()


async def test_e1_an_idle_without_news_ends_with_its_time(dovecot: Dovecot):
    account = account_of(dovecot)
    _, position = await drain(account, "")
    begun = time.monotonic()
    assert (await account.pull(position, 1.5)).deliveries == ()
    assert 1.2 < time.monotonic() - begun < 6
    await account.close()


async def test_e1_a_kicked_session_is_renewed(dovecot: Dovecot):
    account = account_of(dovecot)
    _, position = await drain(account, "")
    waiting = asyncio.create_task(account.pull(position, 20))
    await asyncio.sleep(0.7)
    await asyncio.to_thread(dovecot.kick)
    await waiting
    dovecot.append("INBOX", numbered(1), at=NOW)
    assert (await drain(account, position))[0] == ["n1"]
    await account.close()


async def test_e2_a_server_that_is_away_is_told_every_time_and_met_again(dovecot: Dovecot):
    account = account_of(dovecot)
    _, position = await drain(account, "")
    dovecot.stop()
    for _ in range(3):
        with pytest.raises(TemporaryFailure):
            await account.pull(position, 5)
    dovecot.start()
    dovecot.append("INBOX", numbered(1), at=NOW)
    assert (await drain(account, position))[0] == ["n1"]
    await account.close()


async def test_e2_a_server_that_is_silent_is_given_up(dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch):
    """The bytes arrive, no answer comes: the socket's own time limit ends it."""
    monkeypatch.setattr(client_module, "READ_S", 1.0)
    proxy = Proxy(dovecot.port)
    account = account_of(dovecot, port=proxy.port)
    _, position = await drain(account, "")
    proxy.rule = "delay"
    proxy.on_client = lambda chunk: b"EXAMINE" in chunk
    with pytest.raises(TemporaryFailure):
        await account.pull(position, 0)
    await account.close()
    proxy.close()


async def test_e2_a_hung_call_is_cut_when_the_hub_gives_up(dovecot: Dovecot):
    account = account_of(dovecot)
    _, position = await drain(account, "")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.7):
            await account.pull(position, 30)
    dovecot.append("INBOX", numbered(1), at=NOW)
    assert (await drain(account, position))[0] == ["n1"]
    await account.close()


async def test_e3_after_an_outage_of_72_hours_everything_arrives_in_order(dovecot: Dovecot):
    account = account_of(dovecot)
    _, position = await drain(account, "")
    await account.close()
    for hour in range(72):
        dovecot.append("INBOX", numbered(hour), at=NOW + timedelta(hours=hour))
    later = LoopbackHost()
    later.clock.advance(72 * 3600 * 1000) if hasattr(later.clock, "advance") else None
    account = account_of(dovecot, host=later)
    assert (await drain(account, position))[0] == [f"n{n}" for n in range(72)]
    await account.close()


async def test_e3_rescan_gives_again_what_came_since(dovecot: Dovecot):
    for day in range(6):
        dovecot.append("INBOX", numbered(day), at=NOW - timedelta(days=5 - day))
    account = account_of(dovecot)
    got: list[str] = []
    found = await account.rescan(NOW - timedelta(days=2, hours=1), "")
    while True:
        got += subjects(found)
        if not found.more:
            break
        assert found.position is not None
        found = await account.rescan(NOW - timedelta(days=2, hours=1), found.position)
    assert got == ["n3", "n4", "n5"]
    await account.close()


async def test_e4_a_new_uidvalidity_doubles_nothing_and_loses_nothing(dovecot: Dovecot):
    dovecot.append("INBOX", *(numbered(n) for n in range(3)), at=NOW)
    account = account_of(dovecot)
    found = await account.pull("", 0)
    keys = [account.verify(pulled(one.body)).external_id for one in found.deliveries]
    position = after(found, "")
    dovecot.renumber()
    dovecot.append("INBOX", numbered(3), at=NOW)
    again = await account.pull(position, 0)
    assert subjects(again) == ["n0", "n1", "n2", "n3"]
    assert [account.verify(pulled(one.body)).external_id for one in again.deliveries][:3] == keys
    was, now = json.loads(position)["INBOX"], json.loads(after(again, position))["INBOX"]
    assert was[0] != now[0]
    assert (await drain(account, after(again, position)))[0] == []
    await account.close()


async def test_the_first_start_reads_a_few_days_and_then_by_uid_alone(dovecot: Dovecot):
    dovecot.append("INBOX", numbered(1), at=NOW - timedelta(days=40))
    dovecot.append("INBOX", numbered(2), at=NOW - timedelta(days=1))
    account = account_of(dovecot)
    got, position = await drain(account, "")
    assert got == ["n2"]
    dovecot.append("INBOX", numbered(3), at=NOW - timedelta(days=400))  # moved here from an archive
    assert (await drain(account, position))[0] == ["n3"]
    await account.close()


async def test_without_history_only_new_mail_counts(dovecot: Dovecot):
    dovecot.append("INBOX", numbered(1), at=NOW)
    account = account_of(dovecot, history_days=0)
    got, position = await drain(account, "")
    assert got == []
    dovecot.append("INBOX", numbered(2), at=NOW)
    assert (await drain(account, position))[0] == ["n2"]
    await account.close()


async def test_a_large_mailbox_comes_in_pages(dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(client_module, "WIDE", 50)
    dovecot.append("INBOX", *(numbered(n) for n in range(230)), at=NOW)
    account = account_of(dovecot)
    found = await account.pull("", 0)
    assert (len(found.deliveries), found.more) == (100, True)
    assert len(found.deliveries[-1].position.encode()) < 4096
    got, _ = await drain(account, after(found, ""))
    assert subjects(found) + got == [f"n{n}" for n in range(230)]
    await account.close()


async def test_several_folders_are_merged_by_time(dovecot: Dovecot):
    with dovecot.client() as other:
        other.create_folder("Замовлення")
    dovecot.append("INBOX", numbered(1), at=NOW)
    dovecot.append("Замовлення", numbered(2), at=NOW + timedelta(minutes=1))
    dovecot.append("INBOX", numbered(3), at=NOW + timedelta(minutes=2))
    account = account_of(dovecot, folders=["INBOX", "Замовлення"])
    assert (await drain(account, ""))[0] == ["n1", "n2", "n3"]
    await account.close()


async def test_stored_mail_is_moved_and_a_second_time_changes_nothing(dovecot: Dovecot):
    dovecot.append("INBOX", numbered(1), numbered(2), at=NOW)
    account = account_of(dovecot, move_to="Taken")
    found = await account.pull("", 0)
    first = [one.position for one in found.deliveries][:1]
    await account.taken(first)
    await account.taken(first)
    assert [uid for uid, _ in dovecot.mails("INBOX")] == [2]
    assert len(dovecot.mails("Taken")) == 1
    assert (await drain(account, after(found, "")))[0] == []
    await account.close()


async def test_of_a_mail_beyond_the_limit_the_beginning_comes_and_says_so(dovecot: Dovecot):
    large = mail("x" * 70 + "\r\n" + ("y" * 76 + "\r\n") * 20_000, subject="large")
    dovecot.append("INBOX", large, numbered(2), at=NOW)
    account = account_of(dovecot, max_message_bytes=1024 * 1024)
    found = await account.pull("", 0)
    assert subjects(found) == ["large", "n2"]
    assert len(found.deliveries[0].body) == 1024 * 1024
    raw = replace(pulled(found.deliveries[0].body), headers=found.deliveries[0].headers)
    [event] = account.parse(raw).events
    assert "truncated" in event.fields
    await account.close()


async def test_e6_a_mail_that_cannot_be_read_moves_the_position_too(dovecot: Dovecot):
    dovecot.append("INBOX", b"\xff\xfe no header at all \x80\r\n", numbered(2), at=NOW)
    account = account_of(dovecot)
    found = await account.pull("", 0)
    assert len(found.deliveries) == 2
    assert (await drain(account, found.deliveries[1].position))[0] == []
    await account.close()


async def test_a_wrong_password_is_told_as_one_and_holds_no_secret(dovecot: Dovecot):
    account = account_of(dovecot, password="wrong-secret")
    with pytest.raises(AuthenticationFailed) as refusal:
        await account.pull("", 5)
    assert "wrong-secret" not in str(refusal.value)
    await account.close()


async def test_a_line_cut_during_the_login_is_no_wrong_password(dovecot: Dovecot):
    proxy = Proxy(dovecot.port)
    proxy.once(b"LOGIN", "drop")
    account = account_of(dovecot, port=proxy.port)
    with pytest.raises(TemporaryFailure):
        await account.pull("", 0)
    assert await account.pull("", 0)
    await account.close()
    proxy.close()


async def test_check_says_what_the_server_answered(dovecot: Dovecot):
    account = account_of(dovecot)
    dovecot.append("INBOX", numbered(1), at=NOW)
    assert (await account.check()).startswith("logged in, INBOX: 1 messages; the server announces new mail")
    missing = account_of(dovecot, folders=["No such folder"])
    with pytest.raises(TemporaryFailure):
        await missing.check()
    await account.close()
    await missing.close()


async def test_a_server_without_tls_is_not_spoken_to_in_clear(dovecot: Dovecot):
    for security in ("tls", "starttls"):
        account = account_of(dovecot, imap_security=security)
        with pytest.raises(TemporaryFailure):
            await account.pull("", 0)
        await account.close()
