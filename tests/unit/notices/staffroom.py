"""Notices of a small hub without a network: sinks in order, a bot that keeps what it was to send."""

import asyncio
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import select

from hub.db.rows import OutboxRow
from hub.db.tables import outbox
from hub.intake.blobs import BlobStore
from hub.intake.staffside import LANE, staff_row
from hub.kernel.clock import SECOND
from hub.notices import store
from hub.notices.acknowledgement import AcknowledgementSink
from hub.notices.bot import BotSink
from hub.notices.model import NamedAccounts
from hub.notices.put import ANSWER, MESSAGE, alarm_of_dead
from hub.notices.sink import NoticeSink
from hub.outbox.runner import OutboxRunner, Sink
from hub.requests.replies import Writer
from hub.runtime.staff_files import StaffFiles
from hub.runtime.staff_messages import StaffMessages
from hub.sdk import (
    Channel,
    ChannelCapabilities,
    Fetched,
    Outgoing,
    Parsed,
    PluginError,
    RawDelivery,
    SendResult,
    Sent,
    Verified,
)
from hub.web.workspace.words import Words
from tests.unit.world import Worker, World

KYIV = ZoneInfo("Europe/Kyiv")
WRITERS = {
    "chat": Writer("chat", "channel_id", first=False, files=1_000),
    "mail": Writer("mail", "email", first=True, files=0),
}


class Kept(Channel):
    """Keeps what it is to send; `answers` is what the next sends give."""

    def __init__(self, writes_to: Any = "channel_id") -> None:
        self.capabilities = ChannelCapabilities(sends=True, writes_to=writes_to, buttons=True)
        self.sent: list[Outgoing] = []
        self.answers: list[SendResult] = []
        self.files: dict[str, bytes | PluginError] = {}
        self.fetches: list[str] = []

    def verify(self, raw: RawDelivery) -> Verified:
        raise NotImplementedError

    def parse(self, raw: RawDelivery) -> Parsed:
        raise NotImplementedError

    async def send(self, message: Outgoing) -> SendResult:
        self.sent.append(message)
        return self.answers.pop(0) if self.answers else Sent(f"bot:{len(self.sent)}")

    async def fetch(self, ref: str, limit_bytes: int) -> Fetched:
        self.fetches.append(ref)
        found = self.files[ref]
        if isinstance(found, PluginError):
            raise found
        return Fetched(body=found, media_type="application/octet-stream")


def file(ref: str, name: str = "photo.jpg") -> dict[str, Any]:
    """A file of a message to the bot."""
    return {"name": name, "media_type": "image/jpeg", "size": 3, "ref": ref, "blob": None}


@dataclass
class Staffroom:
    """A world with a staff bot `crew` and a mailbox `mail`."""

    world: World
    blobs: BlobStore
    crew: Kept = field(default_factory=Kept)
    mail: Kept = field(default_factory=lambda: Kept("email"))
    numbers: int = 0

    def __post_init__(self) -> None:
        world = self.world

        def speak(language: str) -> Words:
            return Words(language, KYIV, world.clock.now())

        messages = StaffMessages(
            world.db, {"crew": self.crew, "mail": self.mail}, NamedAccounts("crew", "mail"), speak, "en",
            "https://hub.example",
        )  # fmt: skip
        sinks: dict[str, Sink] = {
            "notice": NoticeSink(KYIV),
            MESSAGE: messages,
            ANSWER: messages,
            LANE: BotSink(WRITERS, speak, KYIV, "en", StaffFiles(world.db, {"crew": self.crew}, self.blobs)),
            "acknowledgement": AcknowledgementSink(WRITERS, speak, "uk"),
        }
        self.runner = OutboxRunner(world.db, sinks, "me", alarm_of_dead)

    def deliver(self, seconds: int = 3) -> None:
        """Let some seconds pass, and everything that is due leave."""
        self.world.clock.move(seconds * SECOND)

        async def drain() -> None:
            for _ in range(3):
                for lane in self.runner.lanes:
                    await self.runner.drain(lane)

        asyncio.run(drain())

    def link(self, worker: Worker, channel_id: str = "500") -> None:
        """The person has sent his code to the bot."""
        code = self.world.write(store.make_code, worker.id)
        self.say(channel_id, kind="joined", start=code)
        self.crew.sent.clear()

    def say(self, channel_id: str, text: str = "", **more: Any) -> str:
        """Somebody writes to the bot; what it answers."""
        told = {
            "kind": "message", "channel_id": channel_id, "language": "en", "text": text, "action": "", "replies_to": [],
            "start": "", "files": [], **more,
        }  # fmt: skip
        before = len(self.crew.sent)

        def put(tx: Any) -> None:
            tx.insert({outbox: [staff_row(tx.new_id(), "crew", told, tx.now, 1)]})

        self.world.write(put)
        self.deliver(1)
        said = {str(row.id) for row in self.rows(ANSWER)}  # a notice may leave meanwhile
        answers = [
            one for one in self.crew.sent[before:] if one.id in said and one.to.channel_id == channel_id
        ]
        return answers[0].text if answers else ""

    def texts(self, channel_id: str = "500") -> list[str]:
        """What the bot wrote to somebody."""
        return [one.text for one in self.crew.sent if one.to.channel_id == channel_id]

    def rows(self, lane: str) -> list[OutboxRow]:
        """The outbox of a lane."""
        query = select(outbox).where(outbox.c.lane == lane).order_by(outbox.c.id)
        return self.world.db.read_now(lambda c: [OutboxRow._make(row) for row in c.execute(query)])

    def kinds(self, worker: Worker, *, unread: bool = False) -> list[str]:
        """The kinds of a person's list, newest first."""
        return [one.kind for one in self.world.read(store.page, worker.id, unread=unread)]


def payload(row: OutboxRow) -> Any:
    """What an effect is about."""
    return orjson.loads(row.payload)
