"""`hub serve` as people start it: what it refuses, in one sentence, and how it stops."""

import asyncio
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import aiohttp
import httpx
import pytest

from tests.integration import ledger_audit
from tests.integration.hubs import Served, command, phone, until


def sentences(done):
    """What a refusal said: on standard error, without a traceback."""
    assert "Traceback" not in done.stderr + done.stdout
    return done.stderr.strip().splitlines()


def test_second_serve_on_one_file_is_refused(serve, sqlite_url):
    served = serve(sqlite_url)
    began = time.monotonic()
    done = served.command("serve", "--port", "0")
    assert done.returncode == 2
    assert len(sentences(done)) == 1
    assert "Another `hub serve`" in done.stderr
    assert time.monotonic() - began < 10
    assert httpx.get(f"{served.base}/readyz").status_code == 200
    served.kill()
    served.start()  # the lock went with the process
    assert httpx.get(f"{served.base}/readyz").status_code == 200


def test_taken_port_is_told_in_one_sentence(sqlite_url, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        served = Served(sqlite_url, tmp_path)
        done = served.command("serve", "--port", str(port))
    assert done.returncode == 2
    assert len(sentences(done)) == 1
    assert f"127.0.0.1:{port}" in done.stderr
    assert "--port" in done.stderr


WRONG = """
[hub]
languge = "uk"
timezone = "Mars/Olympus"
[web]
port = 99999
[channels.Shop]
plugin = "web_form"
[channels.shop]
plugin = "web_from"
[channels.two]
plugin = "web_form"
team = "nobody"
rate = 5
[carriers.np]
plugin = "nova_poshta"
api_key_file = "config/absent.key"
"""


def test_wrong_settings_are_told_all_at_once_with_their_paths(tmp_path):
    config = tmp_path / "config" / "hub.toml"
    config.parent.mkdir()
    config.write_text(WRONG)
    for words in (("serve",), ("check",), ("staff", "list")):
        done = command(*words, "--config", config)
        assert done.returncode == 2, words
        said = "\n".join(sentences(done))
        for path in ("hub.languge", "hub.timezone", "web.port", "channels.Shop", "carriers.np.api_key_file"):
            assert path in said, (words, said)


def test_wrong_accounts_are_told_all_at_once(tmp_path):
    config = tmp_path / "config" / "hub.toml"
    config.parent.mkdir()
    config.write_text(
        '[channels.shop]\nplugin = "web_from"\n[channels.two]\nplugin = "web_form"\nrate = 5\n'
        '[channels.three]\nplugin = "web_form"\nteam = "nobody"\n'
    )
    done = command("serve", "--config", config)
    assert done.returncode == 2
    said = sentences(done)
    assert len(said) == 3
    assert any("channels.shop.plugin" in line and "web_form" in line for line in said)
    assert any("channels.two.rate" in line for line in said)
    assert any("channels.three.team" in line for line in said)


@pytest.mark.parametrize(
    "text",
    [
        "[hub",
        '[database]\nurl = "mysql://x/y"',
        '[database]\nurl = "sqlite://"',
        '[database]\nurl = "nonsense"',
    ],
)
def test_files_and_addresses_that_are_none(tmp_path, text):
    config = tmp_path / "config" / "hub.toml"
    config.parent.mkdir()
    config.write_text(text)
    done = command("serve", "--config", config)
    assert done.returncode == 2
    assert len(sentences(done)) == 1


def test_absent_settings_file(tmp_path):
    done = command("serve", "--config", tmp_path / "none.toml")
    assert done.returncode == 2
    assert len(sentences(done)) == 1
    assert "hub init" in done.stderr


def test_postgresql_without_tables_is_refused(tmp_path, postgres_cluster):
    name = postgres_cluster.create_database()
    served = Served(postgres_cluster.url(name), tmp_path)
    done = served.command("serve")
    assert done.returncode == 2
    assert len(sentences(done)) == 1
    assert "hub db upgrade" in done.stderr
    assert served.command("db", "upgrade").returncode == 0
    served.start()
    assert httpx.get(f"{served.base}/readyz").status_code == 200
    assert served.stop() == 0
    postgres_cluster.drop_database(name)


def test_commands_beside_a_serving_hub(serve, hub_url):
    """People and tokens are made while forms come in; serve sees them at once."""
    served = serve(hub_url)
    statuses = []

    def load():
        with httpx.Client() as client:
            for n in range(150):
                fields = {"name": "A", "phone": phone(n)}
                statuses.append(client.post(f"{served.base}/in/form", json=fields).status_code)

    with ThreadPoolExecutor(3) as pool:
        loading = pool.submit(load)
        added = [pool.submit(served.command, "staff", "add", f"Seller {n}") for n in range(2)]
        token = pool.submit(served.command, "token", "add", "t", "--role", "head", "--json").result()
        for one in added:
            assert one.result().returncode == 0, one.result().stderr
        loading.result()
    assert set(statuses) == {201}
    import json

    secret = json.loads(token.stdout)["token"]
    head = {"Authorization": f"Bearer {secret}"}
    people = httpx.get(f"{served.base}/api/v1/staff", headers=head).json()["items"]
    assert {p["name"] for p in people} >= {f"Seller {n}" for n in range(2)}
    assert served.command("db", "check").returncode == 0
    assert ledger_audit.problems(hub_url) == []


def test_command_that_refuses_ends(sqlite_url, tmp_path):
    """A refusal inside a transaction ends the command; it does not wait for ever."""
    served = Served(sqlite_url, tmp_path)
    assert served.command("staff", "add", "Ann").returncode == 0
    assert served.command("staff", "close", "Ann").returncode == 0
    done = served.command("staff", "invite", "Ann")
    assert done.returncode == 2
    assert len(sentences(done)) == 1


async def test_stop_under_load_is_clean_and_loses_nothing(serve, hub_url):
    served = serve(hub_url)
    await asyncio.to_thread(served.command, "staff", "add", "Ann")
    acknowledged, stop = {}, asyncio.Event()

    async def client(number, session):
        n = 0
        while not stop.is_set():
            key = f"{number}-{n}"
            n += 1
            try:
                async with session.post(
                    f"{served.base}/in/form",
                    json={"name": "A", "phone": phone(number * 10_000 + n)},
                    headers={"Idempotency-Key": key},
                ) as answer:
                    if answer.status == 201:
                        acknowledged[key] = (await answer.json())["request_id"]
                    else:
                        assert answer.status == 503
            except (aiohttp.ClientError, ConnectionError):
                return

    async with aiohttp.ClientSession() as session:
        clients = [asyncio.create_task(client(number, session)) for number in range(16)]
        await until(lambda: len(acknowledged) >= 200, 40)
        began = time.monotonic()
        code = await asyncio.to_thread(served.stop)
        took = time.monotonic() - began
        stop.set()
        await asyncio.gather(*clients)
    assert code == 0
    assert took < 5
    assert "Traceback" not in served.log.read_text()
    assert ledger_audit.delivery_problems(hub_url, acknowledged) == []
    assert ledger_audit.problems(hub_url) == []


async def test_stop_with_a_client_that_hangs(serve, sqlite_url):
    served = serve(sqlite_url)
    port = int(served.base.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /in/form HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    await writer.drain()
    began = time.monotonic()
    assert await asyncio.to_thread(served.stop, 15) == 0
    assert time.monotonic() - began < 15
    writer.close()
    del reader


def test_interrupt_stops_as_well(serve, sqlite_url):
    import signal

    served = serve(sqlite_url)
    assert served._end(signal.SIGINT) == 0
    assert "Traceback" not in served.log.read_text()
