"""The intake without HTTP: items for the group commit, put into the writer's queue in one go."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import text

from hub.app import Hub, open_hub
from hub.db.writer import Batched, Single, ThreadWaiter
from hub.intake.commit import IntakeCommit
from hub.intake.model import Prepared
from hub.intake.prepare import prepare
from hub.sdk.messages import Event, EventKind, Parsed, RawDelivery, Sender, Verified
from hub.staff import store as staff
from tests.integration.hubs import add_person, phone, settings


def raw(body: bytes = b"{}", account: str = "form") -> RawDelivery:
    """A delivery as it came."""
    return RawDelivery(
        account=account, method="POST", path="", headers={"content-type": "application/json"}, query={},
        body=body, address="203.0.113.7", received_at=datetime.now(UTC),
    )  # fmt: skip


class Desk:
    """An opened hub with a team and people, and its intake's commit."""

    def __init__(self, url: str, folder: Path, people: int = 3) -> None:
        self.url = url
        self.hub: Hub = open_hub(settings(url, folder))
        self.db = self.hub.db
        self.commit = IntakeCommit()
        self.team_id = self.db.read_now(lambda conn: staff.team_by_name(conn, "sales")).id
        for n in range(people):
            self.db.write_now(partial(add_person, name=f"Seller {n}"))

    def item(self, number: int, words: str = "", key: str | None = "") -> Prepared:
        """A form of a person of its own. `key` None: the provider names nothing."""
        words = words or f"order {number}"
        event = Event(
            kind=EventKind.MESSAGE, sender=Sender(name=f"N{number}", phone=phone(number)), text=words,
            joins_open=False,
        )  # fmt: skip
        external_id = f"key:{number}" if key == "" else key
        verified = Verified(external_id=external_id, digest="d" if external_id else "")
        return prepare(raw(words.encode()), self.team_id, "UA", verified, Parsed(events=(event,)))

    def put(self, items: Sequence[Prepared]) -> "list[Future[Any]]":
        """Queue items; their futures."""
        waiters = [ThreadWaiter() for _ in items]
        self.db.commit_all(
            [
                Batched(self.commit, item, len(item.raw.body) + 500, waiter)
                for item, waiter in zip(items, waiters, strict=True)
            ]
        )
        return [waiter.future for waiter in waiters]

    def put_together(self, items: Sequence[Prepared]) -> "list[Future[Any]]":
        """As `put`, and all of them meet one batch (up to 200)."""
        with self.held():
            return self.put(items)

    @contextmanager
    def held(self) -> Iterator[None]:
        """The writer stands still meanwhile, outside of any work."""
        entered, go_on = threading.Event(), threading.Event()

        def hold(_tx: Any) -> None:
            entered.set()
            go_on.wait(30)

        waiter = ThreadWaiter()
        self.db.writer.put([Single(hold, waiter)])
        entered.wait(10)
        try:
            yield
        finally:
            go_on.set()
        waiter.future.result(10)

    def refuse(self, word: str) -> None:
        """The database refuses messages with this word, by a trigger (SQLite) or a CHECK (PostgreSQL)."""
        if self.db.is_sqlite:
            sql = (
                f"CREATE TRIGGER refuse_{word} BEFORE INSERT ON message WHEN NEW.body LIKE '%{word}%' "
                "BEGIN SELECT RAISE(ABORT, 'refused'); END"
            )
        else:
            sql = f"ALTER TABLE message ADD CONSTRAINT refuse_{word} CHECK (body NOT LIKE '%{word}%')"
        self.db.write_now(lambda tx: tx.execute(text(sql)) and None)

    def rows(self, sql: str) -> list[Any]:
        """Read."""
        return self.db.read_now(lambda conn: [tuple(row) for row in conn.execute(text(sql))])

    def close(self) -> None:
        """Close the hub."""
        self.hub.close()
