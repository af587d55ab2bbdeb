"""Tells the other processes of a hub that something was committed, so that they look again at once.

PostgreSQL's LISTEN/NOTIFY on a connection of its own; it has to be a direct or session-pooled one. What is
told is only that there is something to see, and by whom: what it is stands in the database. Commits that carry a
notification wait for each other in the whole server, so the transactions of the hub carry none: all that
was committed within GATHER_S is told by one NOTIFY after them. A notification may get lost with its
connection; then the others see the change when they look by themselves, within a second. A hub with an
SQLite file is one process and needs none of this.
"""

from __future__ import annotations

import os
import secrets
import selectors
import socket
import threading
from contextlib import suppress
from typing import Any

import structlog

from hub.db.database import Database
from hub.db.engine import open_engine
from hub.db.errors import describe

log = structlog.get_logger("hub.coordination")

CHANNEL = "hub_committed"
GATHER_S = 0.05
AGAIN_S = 1.0


class Wakeups:
    """Starts with `start`, ends with `stop`. `heard` counts what other processes told."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._origin = secrets.token_hex(8)
        self._engine = open_engine(db.url, writes=False, pool_size=1)
        self._bell, self._rope = socket.socketpair()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hub-wakeups", daemon=True)
        self._failing = False
        self.listening = threading.Event()
        self.heard = 0

    def start(self) -> None:
        """Listen, and tell what this process commits."""
        self._rope.setblocking(False)
        self._bell.setblocking(False)
        self._db.writer.on_commit.add(self._committed)
        self._thread.start()

    def stop(self) -> None:
        """Let the connection go; what was just committed is still told."""
        self._db.writer.on_commit.discard(self._committed)
        self._stopping.set()
        self._committed()
        if self._thread.ident is not None:  # else it was never started
            self._thread.join(5.0)
        self._engine.dispose()
        self._bell.close()
        self._rope.close()

    def _committed(self) -> None:
        # A full pipe rings already.
        with suppress(BlockingIOError):
            self._rope.send(b"\0")

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen()
            except Exception as error:  # noqa: BLE001 - whatever the connection says, it is made anew
                self.listening.clear()
                if not self._failing:
                    self._failing = True
                    log.warning("wakeups_away", error=describe(error))
                self._stopping.wait(AGAIN_S)

    def _listen(self) -> None:
        with self._engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            try:
                driver.autocommit = True
                driver.execute(f"LISTEN {CHANNEL}")
                if self._failing:
                    self._failing = False
                    log.info("wakeups_back")
                self._wake()  # nobody told what happened until now
                self.listening.set()
                self._attend(driver)
            finally:
                connection.invalidate()  # it listens: no other use of it

    def _attend(self, driver: Any) -> None:
        with selectors.DefaultSelector() as both:
            both.register(driver.fileno(), selectors.EVENT_READ)
            both.register(self._bell, selectors.EVENT_READ)
            while not self._stopping.is_set():
                ready = {key.fileobj for key, _ in both.select()}
                if self._bell in ready:
                    self._stopping.wait(GATHER_S)
                    with suppress(BlockingIOError):
                        os.read(self._bell.fileno(), 65_536)
                    self._tell(driver)
                # All of them: a generator left half way keeps its lock.
                told = list(driver.notifies(timeout=0))
                if any(notice.payload != self._origin for notice in told):
                    self.heard += 1
                    self._wake()
            self._tell(driver)  # the ring of `stop` may have been taken for that of a commit

    def _tell(self, driver: Any) -> None:
        driver.execute("SELECT pg_notify(%s, %s)", [CHANNEL, self._origin])

    def _wake(self) -> None:
        for watcher in tuple(self._db.writer.on_commit):
            if watcher != self._committed:
                watcher()
