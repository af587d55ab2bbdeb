"""`hub serve --reload-plugins`: while a plugin is edited, broken and mended, every 2xx has its task."""

import asyncio
import hashlib
import hmac
import json
import sqlite3

import aiohttp
import pytest
from click.testing import CliRunner

from hub.cli import main
from hub.testing.scaffold import new_plugin
from tests.integration.hubs import Served, until

SECRET = "the-secret"
KEYS = f'[channels.pigeon]\nplugin = "pigeon_post"\nteam = "sales"\ntoken = "t"\nsecret = "{SECRET}"\n'


@pytest.fixture
def served(tmp_path, sqlite_url):
    new_plugin("channel", "pigeon_post", tmp_path / "plugins" / "pigeon_post")
    served = Served(sqlite_url, tmp_path, more=KEYS, flags=["--reload-plugins"])
    text = served.config.read_text().replace("[hub]\n", f'[hub]\nplugins_dir = "{tmp_path / "plugins"}"\n')
    served.config.write_text(text)
    yield served
    served.stop()


class Sender:
    """A provider that delivers each message until it gets a 2xx."""

    def __init__(self, base):
        self.base, self.taken, self.refused, self.stopped = base, [], 0, False

    async def deliver(self, number):
        body = json.dumps(
            {"type": "message", "id": f"m-{number}", "from": f"u-{number}", "text": "hello"}
        ).encode()
        headers = {"x-signature": hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as http:
            while True:
                try:
                    async with http.post(f"{self.base}/in/pigeon", data=body, headers=headers) as answer:
                        if answer.status < 300:
                            self.taken.append(f"m-{number}")
                            return
                        assert answer.status == 503, await answer.text()
                except aiohttp.ClientConnectionError:
                    pass
                self.refused += 1
                await asyncio.sleep(0.1)

    async def keep_on(self, first):
        while not self.stopped:
            await self.deliver(first)
            first += 4
            await asyncio.sleep(0.02)


async def test_no_message_is_lost_while_a_plugin_is_edited_broken_and_mended(served, tmp_path):
    served.start()
    sender = Sender(served.base)
    working = [asyncio.create_task(sender.keep_on(first)) for first in range(4)]
    file = tmp_path / "plugins" / "pigeon_post" / "pigeon_post" / "message.py"
    source = file.read_text()
    await until(lambda: len(sender.taken) > 20)
    file.write_text("def broken(:")
    await until(lambda: sender.refused > 4, within_s=30)  # 503: switched off for the moment, please try again
    file.write_text(source.replace('text=told_text(document.get("text"), 20_000)', 'text="second version"'))
    before = len(sender.taken)
    await until(lambda: len(sender.taken) > before + 20, within_s=30)
    sender.stopped = True
    await asyncio.wait_for(asyncio.gather(*working), 20)
    assert served.stop() == 0
    with sqlite3.connect(tmp_path / "hub.db") as database:
        tasks = database.execute(
            "SELECT d.external_id FROM delivery d JOIN task t ON t.request_id = d.request_id"
        ).fetchall()
        texts = {row[0] for row in database.execute("SELECT body FROM message")}
    assert sorted(row[0] for row in tasks) == sorted(sender.taken)
    assert texts == {"hello", "second version"}


def test_without_a_folder_to_watch_it_is_refused_in_a_sentence(sqlite_url, tmp_path):
    config = Served(sqlite_url, tmp_path).config
    done = CliRunner().invoke(main, ["serve", "--reload-plugins", "--config", str(config)])
    assert done.exit_code == 2
    assert "name one that is there" in done.output
    assert "Traceback" not in done.output
