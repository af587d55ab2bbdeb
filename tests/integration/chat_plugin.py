"""A channel whose provider lives in this process: deliveries to pull, messages that were sent, faults on command.

`PROVIDERS[account]` is the provider of an account; the plugin reaches it as a real one reaches the network.
"""

import asyncio
import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from types import ModuleType
from typing import Any

from pydantic import BaseModel, ConfigDict

from hub.sdk import (
    Attachment,
    Channel,
    ChannelCapabilities,
    ChannelPlugin,
    Conflict,
    Event,
    EventKind,
    Fetched,
    Host,
    Mark,
    Outgoing,
    Parsed,
    PermanentFailure,
    Pulled,
    PulledDelivery,
    RawDelivery,
    Register,
    Sender,
    SendResult,
    Sent,
    Verified,
    hookimpl,
)


@dataclass
class Provider:
    """What stands at the other side."""

    updates: list[dict[str, Any]] = field(default_factory=list)
    sent: list[Outgoing] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)  # what the next sends give: a SendResult or an exception
    files: dict[str, bytes] = field(default_factory=dict)
    failing: Exception | None = None
    taken: list[str] = field(default_factory=list)
    webhook: str = ""
    pulls: int = 0

    def say(self, **update: Any) -> None:
        """Somebody writes."""
        self.updates.append({"id": len(self.updates) + 1, **update})


PROVIDERS: dict[str, Provider] = defaultdict(Provider)


class Settings(BaseModel):
    """Whether it is pushed to or pulled."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    pushed: bool = False


class Chat(Channel):
    """One account."""

    def __init__(self, account: str, settings: Settings, _host: Host) -> None:
        self._account = account
        self.capabilities = ChannelCapabilities(
            receives=True, pulls=not settings.pushed, registers=settings.pushed, rescans=True, sends=True,
            files=1000, silence_s=5,
        )  # fmt: skip

    @property
    def _provider(self) -> Provider:
        return PROVIDERS[self._account]

    def verify(self, raw: RawDelivery) -> Verified:
        return Verified(external_id=f"u{json.loads(raw.body)['id']}")

    def parse(self, raw: RawDelivery) -> Parsed:
        given = json.loads(raw.body)
        mark = given.get("mark")
        event = Event(
            kind=EventKind(given.get("kind", "message")),
            sender=Sender(name=given.get("name", "Ірина"), channel_id=given.get("who", "c1")),
            text=given.get("text", ""),
            message_id=given.get("message", f"m{given['id']}"),
            replies_to=tuple(given.get("replies_to", ())),
            thread_token=given.get("token", ""),
            about=given.get("about", ""),
            mark=Mark(mark) if mark else None,
            group=given.get("group", ""),
            html=given.get("html", ""),
            full_text=given.get("full_text", ""),
            source=given.get("source", {}),
            shared_id=given.get("shared", False),
            automatic=given.get("automatic", False),
            attachments=tuple(
                Attachment(name=name, media_type="image/png", ref=f"file:{name}", size=3)
                for name in given.get("files", ())
            )
            + tuple(
                Attachment(name=name, media_type="text/html", body=body.encode())
                for name, body in given.get("bodies", {}).items()
            ),
        )
        return Parsed(events=(event,))

    async def pull(self, position: str, wait_s: float) -> Pulled:
        provider = self._provider
        provider.pulls += 1
        if provider.failing is not None:
            raise provider.failing
        at = int(position or 0)
        fresh = provider.updates[at : at + 50]
        if not fresh:
            await asyncio.sleep(min(wait_s, 0.05))
        return Pulled(
            deliveries=tuple(
                PulledDelivery(body=json.dumps(u).encode(), position=str(at + n))
                for n, u in enumerate(fresh, 1)
            )
        )

    async def taken(self, positions: Any) -> None:
        self._provider.taken += positions

    async def rescan(self, since: datetime, after: str) -> Pulled:
        return Pulled(
            deliveries=tuple(
                PulledDelivery(body=json.dumps(u).encode(), position="") for u in self._provider.updates
            )
        )

    async def send(self, message: Outgoing) -> SendResult:
        self._provider.sent.append(message)
        answer = self._provider.answers.pop(0) if self._provider.answers else Sent(f"out-{message.id}")
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def fetch(self, ref: str, limit_bytes: int) -> Fetched:
        if ref not in self._provider.files:
            raise PermanentFailure("the file is gone")
        return Fetched(body=self._provider.files[ref], media_type="image/png")

    async def open_webhook(self, url: str) -> None:
        self._provider.webhook = url

    async def close_webhook(self) -> None:
        self._provider.webhook = ""

    async def check(self) -> str:
        if self._provider.failing is not None:
            raise self._provider.failing
        if not self._provider.webhook.endswith(f"/in/{self._account}"):
            raise Conflict("the web hook leads elsewhere")
        return "well"


@hookimpl
def hub_register(register: Register) -> None:
    register.channel(
        ChannelPlugin(name="chat", title={"en": "Chat", "uk": "Чат"}, settings=Settings, create=Chat)
    )


MODULE = ModuleType("chat_plugin_for_tests")
MODULE.hub_register = hub_register  # type: ignore[attr-defined]
