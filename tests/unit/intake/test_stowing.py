"""stowing.py, in the parser and in the scribe's clerk: a slow or dead store holds up nobody but who needs it."""

import asyncio
import threading

import pytest

from hub.intake.blobs import INLINE_UP_TO, BlobsAway
from hub.intake.model import Prepared
from hub.intake.parser import ChannelAccount, Job, Parser
from hub.kernel.errors import Unavailable
from hub.testing.contract_channel import post
from hub.testing.host import LoopbackHost
from plugins.web_form.plugin import WebForm
from plugins.web_form.settings import WebFormSettings
from tests.plugins.web_form.made import PNG, multipart, multipart_type


class Slow:
    """A blob store that waits until it is let go; `away`: then it cannot be used."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.go = threading.Event()
        self.away = False
        self.bodies: list[bytes] = []

    def put(self, body: bytes) -> str:
        self.asked.set()
        assert self.go.wait(10)
        if self.away:
            raise BlobsAway("not now", retry_after_s=7)
        self.bodies.append(body)
        return "a" * 64


def small():
    return post(b'{"name": "Ivan"}', "application/json", account="shop")


def with_file():
    return post(multipart({"name": "Ivan"}, [("files", "a.png", PNG)]), multipart_type(), account="shop")


def large():
    return post(
        b'{"name": "Ivan", "message": "%s"}' % (b"x" * INLINE_UP_TO), "application/json", account="shop"
    )


class Told:
    """A parser, and what it has said of each job, in that order."""

    def __init__(self, store: Slow) -> None:
        self.parser = Parser(self._done, store)  # type: ignore[arg-type]
        self.account = ChannelAccount("shop", 1, WebForm("shop", WebFormSettings(), LoopbackHost()))
        self.results: list = []
        self.changed = threading.Event()

    def _done(self, results):
        self.results += results
        self.changed.set()

    def ask(self, raw) -> Job:
        job = Job(self.account, raw)
        self.parser.put(job)
        return job

    async def until(self, count):
        while len(self.results) < count:
            assert await asyncio.to_thread(self.changed.wait, 10)
            self.changed.clear()
        return self.results


@pytest.mark.parametrize("slow", [with_file, large])
async def test_others_are_understood_while_the_store_is_slow_and_its_account_stays_trusted(slow):
    store = Slow()
    told = Told(store)
    told.parser.start()
    first, second = told.ask(slow()), told.ask(small())
    assert [job for job, _ in await told.until(1)] == [second]
    assert await asyncio.to_thread(store.asked.wait, 10)
    await asyncio.sleep(0.3)  # longer than a plugin may take
    store.go.set()
    [_, (job, result)] = await told.until(2)
    assert job is first
    assert isinstance(result, Prepared)
    assert not told.account.hung_at
    assert store.bodies == [PNG if slow is with_file else slow().body]
    told.parser.stop()


async def test_what_cannot_be_stored_is_unavailable_and_the_next_is_not(monkeypatch):
    store = Slow()
    store.away = True
    store.go.set()
    told = Told(store)
    told.parser.start()
    told.ask(large())
    [(_, result)] = await told.until(1)
    assert isinstance(result, Unavailable)
    assert result.retry_after_s == 7
    store.away = False
    told.ask(large())
    [_, (_, result)] = await told.until(2)
    assert isinstance(result, Prepared)
    assert result.blob == "a" * 64
    told.parser.stop()


async def test_a_stop_waits_for_what_is_being_stored():
    store = Slow()
    told = Told(store)
    told.parser.start()
    told.ask(large())
    assert await asyncio.to_thread(store.asked.wait, 10)
    told.parser.stop()
    store.go.set()
    [(_, result)] = await told.until(1)
    assert isinstance(result, Prepared)
