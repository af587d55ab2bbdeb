"""The scribe's clerk: what it does while a commit waits for the disk, and what it says when."""

import socket
import threading
import time
from typing import cast

import pytest

from hub.db.writer import BatchHandler, Writer
from hub.intake.blobs import INLINE_UP_TO, BlobStore
from hub.intake.clerk import Clerk, Desk
from hub.intake.parser import ChannelAccount
from hub.intake.wire import READ, cut, framed
from hub.sdk import Channel, ChannelCapabilities, Event, EventKind, Parsed, RawDelivery, Verified
from hub.sdk.messages import Outcome, OutcomeKind
from tests.unit.intake.test_stowing import Slow


class Told(Channel):
    """Notes what it was asked to understand."""

    capabilities = ChannelCapabilities(parses_at_once=True)

    def __init__(self) -> None:
        self.understood: list[bytes] = []

    def verify(self, raw: RawDelivery) -> Verified:
        self.understood.append(raw.body)
        return Verified(external_id=None)

    def parse(self, raw: RawDelivery) -> Parsed:
        return Parsed(events=(Event(kind=EventKind.PROBE),))


class Disk:
    """A writer whose commits last until they are let go; `stored` is what is behind a finished commit."""

    def __init__(self) -> None:
        self.committing = lambda commit: commit()
        self.let_go = threading.Semaphore(0)
        self.begun = threading.Semaphore(0)
        self.stored: list[list[bytes]] = []
        self.full = False

    def commit_here(self, works):
        if not works:
            return
        batch = [work.item.raw.body for work in works]

        def commit() -> None:
            self.begun.release()
            assert self.let_go.acquire(timeout=10)
            if self.full:
                raise OSError("the disk is full")
            self.stored.append(batch)

        try:
            self.committing(commit)
        except OSError as error:
            for work in works:
                work.waiter.settle(None, error)
            return
        for work in works:
            work.waiter.settle(Outcome(kind=OutcomeKind.NOTED, request_id="", repeated=False), None)


class Line:
    """The serving process's end."""

    def __init__(self, ours: socket.socket) -> None:
        self._ours = ours
        self._came = bytearray()
        ours.settimeout(10)

    def send(self, *numbers: int, more: bytes = b"") -> None:
        now = 1_764_000_000_000
        self._ours.sendall(framed([(n, "a", "POST", "", {}, {}, b"%d" % n + more, "", now) for n in numbers]))

    def said(self) -> list[tuple[int, str]]:
        """(serial, kind of answer)"""
        while not (frames := cut(self._came)):
            self._came += self._ours.recv(READ)
        return [(serial, kind) for frame in frames for serial, kind, *_ in frame]

    def answers(self) -> list[int]:
        return [serial for serial, _ in self.said()]

    def is_silent(self) -> bool:
        self._ours.settimeout(0.1)
        try:
            self._came += self._ours.recv(READ)
        except TimeoutError:
            return True
        finally:
            self._ours.settimeout(10)
        return False


@pytest.fixture
def at_work():
    """(line, disk, channel) of a clerk that works in this test's main thread: run it with `work`."""
    ours, theirs = socket.socketpair()
    disk, channel = Disk(), Told()
    accounts = {"a": ChannelAccount("a", 1, channel)}
    desk = Desk(cast("Writer", disk), cast("BatchHandler", None), accounts, cast("BlobStore", Slow()))
    clerk = Clerk(theirs, desk, bytearray())
    disk.committing = clerk.commit
    yield Line(ours), disk, channel, clerk
    ours.close()
    theirs.close()


def work(clerk, line, play):
    """Run the clerk here, where its timer's signals come, and `play` the other side in a thread."""
    failed = []

    def run() -> None:
        try:
            play()
        except BaseException as error:  # noqa: BLE001 - raised in the test
            failed.append(error)
        finally:
            line._ours.shutdown(socket.SHUT_WR)

    other = threading.Thread(target=run)
    other.start()
    while clerk.read():
        clerk.write_down()
    other.join(10)
    if failed:
        raise failed[0]


def test_what_comes_during_a_commit_is_understood_then_and_answered_after_its_own(at_work):
    line, disk, channel, clerk = at_work

    def play() -> None:
        line.send(1, 2)
        assert disk.begun.acquire(timeout=10)
        line.send(3)
        line.send(4)
        deadline = time.monotonic() + 10
        while channel.understood != [b"1", b"2", b"3", b"4"]:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert disk.stored == []
        assert line.is_silent()  # nothing is answered before it is stored
        disk.let_go.release()
        assert line.answers() == [1, 2]
        assert disk.begun.acquire(timeout=10)
        assert disk.stored == [[b"1", b"2"]]
        assert line.is_silent()
        disk.let_go.release()
        assert line.answers() == [3, 4]

    work(clerk, line, play)
    assert disk.stored == [[b"1", b"2"], [b"3", b"4"]]


def test_a_commit_that_fails_fails_its_own_batch_only(at_work):
    line, disk, _channel, clerk = at_work

    def play() -> None:
        line.send(1)
        assert disk.begun.acquire(timeout=10)
        line.send(2)
        disk.full = True
        disk.let_go.release()
        assert line.answers() == [1]
        assert disk.begun.acquire(timeout=10)
        disk.full = False
        disk.let_go.release()
        assert line.answers() == [2]

    work(clerk, line, play)
    assert disk.stored == [[b"2"]]


LARGE = b"x" * INLINE_UP_TO


def test_a_slow_blob_store_holds_up_its_own_delivery_only(at_work):
    line, disk, _channel, clerk = at_work
    store = clerk._desk.blobs

    def play() -> None:
        for _ in range(3):
            disk.let_go.release()
        line.send(1, more=LARGE)
        line.send(2)
        assert line.answers() == [2]
        assert store.asked.wait(10)
        line.send(3)
        assert line.answers() == [3]
        store.go.set()
        assert line.answers() == [1]

    work(clerk, line, play)
    assert disk.stored == [[b"2"], [b"3"], [b"1" + LARGE]]
    assert store.bodies == [b"1" + LARGE]


def test_while_it_waits_for_a_slow_blob_store_it_says_that_it_lives(at_work, monkeypatch):
    """Else the serving process would end it after a while, and everything under way with it."""
    line, disk, _channel, clerk = at_work
    monkeypatch.setattr("hub.intake.clerk.HEARTBEAT_S", 0.01)

    def play() -> None:
        line.send(1, more=LARGE)
        assert line.answers() == []
        assert line.answers() == []
        disk.let_go.release()
        clerk._desk.blobs.go.set()
        while not (said := line.answers()):
            pass
        assert said == [1]

    work(clerk, line, play)


def test_a_hung_database_is_given_no_sign_of_life(at_work, monkeypatch):
    line, disk, _channel, clerk = at_work
    monkeypatch.setattr("hub.intake.clerk.HEARTBEAT_S", 0.01)

    def play() -> None:
        line.send(1)
        line.send(2, more=LARGE)
        assert disk.begun.acquire(timeout=10)
        assert line.is_silent()
        disk.let_go.release()
        disk.let_go.release()
        clerk._desk.blobs.go.set()

    work(clerk, line, play)
    assert [b[:1] for batch in disk.stored for b in batch] == [b"1", b"2"]


def test_a_blob_that_comes_home_during_a_commit_is_answered_with_the_next(at_work):
    line, disk, _channel, clerk = at_work
    store = clerk._desk.blobs

    def play() -> None:
        line.send(1, more=LARGE)
        line.send(2)
        assert disk.begun.acquire(timeout=10)
        store.go.set()
        assert line.is_silent()
        disk.let_go.release()
        assert line.answers() == [2]
        disk.let_go.release()
        assert line.answers() == [1]

    work(clerk, line, play)
    assert disk.stored == [[b"2"], [b"1" + LARGE]]


def test_a_dead_blob_store_is_said_and_the_end_waits_for_what_is_under_way(at_work):
    line, disk, _channel, clerk = at_work
    store = clerk._desk.blobs
    store.away = True

    def play() -> None:
        line.send(1, more=LARGE)
        assert store.asked.wait(10)
        store.go.set()
        assert line.said() == [(1, "unavailable")]
        store.away = False
        line.send(2, more=LARGE)
        disk.let_go.release()

    work(clerk, line, play)
    assert line.said() == [(2, "outcome")]
    assert disk.stored == [[b"2" + LARGE]]


def test_what_came_before_the_end_is_written_after_it(at_work):
    line, disk, _channel, clerk = at_work

    def play() -> None:
        line.send(1)
        assert disk.begun.acquire(timeout=10)
        line.send(2)
        disk.let_go.release()
        disk.let_go.release()

    work(clerk, line, play)
    assert disk.stored == [[b"1"], [b"2"]]
    said = line.answers()
    assert (said if len(said) == 2 else [*said, *line.answers()]) == [1, 2]
