"""An account that cannot work any more is an alarm in time, on a real mail server and an emulator; and rescans."""

import contextlib
import json
import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.cli.channels import run_rescan
from hub.cli.integrity import counters
from hub.kernel.errors import InputRejected, NotFound
from hub.runtime import watch
from hub.runtime.silence import EVERY_S
from hub.testing.emulators.viber import ViberEmulator
from tests.dovecot_server import Dovecot, DovecotAbsent, running_dovecot
from tests.integration import chat_plugin
from tests.integration.chat_plugin import PROVIDERS
from tests.integration.hubs import Running, Served, running, until

pytestmark = [pytest.mark.timeout(90)]
POLL_S = 5
SHOP = "shop@example.com"


@pytest.fixture
def dovecot() -> Iterator[Dovecot]:
    try:
        with running_dovecot() as server:
            yield server
    except DovecotAbsent as absent:
        pytest.skip(str(absent))


def account_of(server: Dovecot) -> dict[str, Any]:
    return {
        "plugin": "email", "provider": "own", "address": server.user, "password": server.password,
        "imap_host": "127.0.0.1", "imap_port": server.port, "imap_security": "none", "poll_s": POLL_S,
    }  # fmt: skip


def mail(number: int) -> bytes:
    return (
        f"From: Olena <olena{number}@example.com>\r\nTo: {SHOP}\r\nSubject: n{number}\r\n"
        f"Message-ID: <number-{number}-unique@example.com>\r\nDate: Thu, 05 Mar 2026 10:00:00 +0200\r\n\r\n"
        f"question {number}\r\n"
    ).encode()


def alarms(hub: Running) -> list[str]:
    return [kind for (kind,) in hub.rows("select kind from notice order by id")]


def account(hub: Running, name: str, columns: str) -> tuple[Any, ...]:
    return tuple(hub.rows(f"select {columns} from account where name = :name", name=name)[0])


@pytest.mark.xdist_group("dovecot")
async def test_a_rescan_meets_both_keys_and_moves_no_cursor(
    sqlite_url: str, tmp_path: Path, dovecot: Dovecot
):
    dovecot.append("INBOX", *(mail(n) for n in range(3)))
    channels = {"mail": account_of(dovecot), "form": {"plugin": "web_form"}}
    since = datetime.now(UTC) - timedelta(hours=1)
    async with running(sqlite_url, tmp_path, channels=channels, people_named=["Olena"], ticks=False) as hub:
        told: list[int] = []
        first = await run_rescan(hub.hub, "mail", since, told.append)
        assert first == {"looked_at": 3, "new": 3, "known": 0, "rejected": 0}
        assert told == [3]
        again = await run_rescan(hub.hub, "mail", since, told.append)
        assert again == {"looked_at": 3, "new": 0, "known": 3, "rejected": 0}
        assert hub.rows("select account from cursor") == []
        later = datetime.now(UTC) + timedelta(days=2)
        assert (await run_rescan(hub.hub, "mail", later, told.append))["looked_at"] == 0
        hub.process.listeners.start()
        await until(lambda: account(hub, "mail", "repeated") == (6,))
        assert (hub.one("select count(*) from message"), account(hub, "mail", "stored")) == (3, (3,))
        assert hub.hub.db.read_now(lambda c: list(counters(c))) == []
        with pytest.raises(InputRejected, match="cannot be read again"):
            await run_rescan(hub.hub, "form", since, told.append)
        with pytest.raises(NotFound, match="form, mail"):
            await run_rescan(hub.hub, "nowhere", since, told.append)


@pytest.mark.xdist_group("dovecot")
async def test_e3_a_rescan_by_command_beside_the_running_hub_stores_what_was_missed(
    serve: Callable[..., Served], sqlite_url: str, dovecot: Dovecot
):
    dovecot.append(
        "INBOX", *(mail(n) for n in range(2))
    )  # before the hub's time: the first start leaves them
    keys = {**account_of(dovecot), "history_days": 0}
    toml = "[channels.mail]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
    served = serve(sqlite_url, more=toml)
    database = sqlite3.connect(served.folder / "hub.db")
    with contextlib.closing(database):

        def count(what: str = "*", table: str = "message") -> Any:
            return database.execute(f"select {what} from {table}").fetchone()

        await until(lambda: count("position", "cursor") not in {None, ("",)}, 30)
        dovecot.append("INBOX", mail(2))
        await until(lambda: count("count(*)") == (1,), 30)
        cursor = count("position, fence", "cursor")
        since = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        for expected in ({"new": 2, "known": 1}, {"new": 0, "known": 3}):
            done = served.command("channels", "rescan", "mail", "--since", since, "--json")
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout) == {"looked_at": 3, "rejected": 0, **expected}
        assert count("count(*)") == count("count(distinct message_key)") == (3,)
        assert count("position, fence", "cursor") == cursor
        refused = served.command("channels", "rescan", "mail", "--since", "yesterday")
        assert (refused.returncode, "Traceback" in refused.stderr) == (2, False), refused.stderr


@pytest.mark.xdist_group("dovecot")
async def test_e2_a_dead_login_and_a_hung_mail_server_are_alarms_within_two_poll_periods(
    sqlite_url: str, tmp_path: Path, dovecot: Dovecot
):
    channels = {"mail": account_of(dovecot)}
    async with running(sqlite_url, tmp_path, channels=channels) as hub:
        hub.person("Admin", role="admin")
        await until(lambda: account(hub, "mail", "last_ok_at") != (None,))
        assert dovecot.process is not None
        group = os.getpgid(dovecot.process.pid)
        os.killpg(group, signal.SIGSTOP)  # connections stand, nobody answers
        try:
            await until(
                lambda: hub.rows("select id from outbox where kind like 'account_%'"), 2 * POLL_S + EVERY_S
            )
        finally:
            os.killpg(group, signal.SIGCONT)
        await until(lambda: "account_well" in alarms(hub), 40)

        users = dovecot.folder / "users"
        users.write_text(users.read_text().replace(dovecot.password, "another-secret"))
        dovecot.kick()
        await until(lambda: account(hub, "mail", "state") == ("stopped",), 2 * POLL_S)
        await until(lambda: alarms(hub)[-1] == "account_ill")
        assert dovecot.password not in str(hub.rows("select body from notice"))


async def test_t4_a_cleared_web_hook_is_an_alarm_and_is_set_again(sqlite_url: str, tmp_path: Path):
    """Looked at each 15 s, 20 s at most for a look: within 60 s."""
    assert watch.EVERY_S + watch.CALL_WITHIN_S < 60
    viber = ViberEmulator(receipts=())
    await viber.start()
    channels = {
        "viber": {"plugin": "viber", "token": viber.token, "sender_name": "Shop", "base_url": viber.base_url}
    }
    async with running(sqlite_url, tmp_path, channels=channels, ticks=False) as hub:
        hub.person("Admin", role="admin")
        hub.process._watch._base_url = hub.base
        await hub.process._watch.tick()
        assert viber.webhook == f"{hub.base}/in/viber"
        viber.webhook = ""
        await hub.process._watch.tick()
        assert hub.one("select count(*) from outbox where kind = 'account_ill'") == 1
        await hub.process._watch.tick()
        assert viber.webhook == f"{hub.base}/in/viber"
        await hub.process._watch.tick()
        assert hub.one("select count(*) from outbox where kind = 'account_well'") == 1
    await viber.stop()


@pytest.fixture
async def chat(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    PROVIDERS.clear()
    channels = {"chat": {"plugin": "chat"}, "form": {"plugin": "web_form"}}
    extra = [("chat", chat_plugin.MODULE)]
    async with running(sqlite_url, tmp_path, channels=channels, extra=extra, ticks=False) as one:
        one.person("Admin", role="admin")
        yield one


async def test_counters_that_were_changed_by_hand_are_found(chat: Running):
    from sqlalchemy import text

    PROVIDERS["chat"].say(text="ціна?")
    chat.process.listeners.start()
    await until(lambda: chat.rows("select id from delivery"))
    assert chat.hub.db.read_now(lambda c: list(counters(c))) == []
    chat.hub.db.write_now(lambda tx: tx.execute(text("update account set stored = stored + 1")))
    found = [one["detail"] for one in chat.hub.db.read_now(lambda c: list(counters(c)))]
    assert found == [
        "account chat: stored 2, repeated 0; there are 1 and 0",
        "account form: stored 1, repeated 0; there are 0 and 0",
        "account np: stored 1, repeated 0; there are 0 and 0",
    ]
