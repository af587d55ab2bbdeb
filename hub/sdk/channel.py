"""The contract of a channel: a way by which customers write to the business.

A channel object is built once per account by `ChannelPlugin.create`. The hub then calls its methods one
by one, each under its own guard and time limit: a method that raises, hangs or returns nonsense harms
its own delivery only. `verify`, `parse`, `answer` and `page` are synchronous and pure: no network, no
files, no clock but the one in their arguments. They run in a thread, never while a database lock is held.
`pull`, `send`, `fetch`, `check` and the two of the web hook are asynchronous and do all the input and
output there is; a blocking library has its own thread inside the plugin.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from pydantic import BaseModel

from hub.sdk.errors import DeliveryRejected, PermanentFailure
from hub.sdk.host import Host
from hub.sdk.messages import (
    Fetched,
    HttpAnswer,
    Outcome,
    Outgoing,
    Parsed,
    Pulled,
    RawDelivery,
    SendResult,
    Verified,
)
from hub.sdk.version import SDK_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelLimits:
    """Bounds that the hub holds before it calls the plugin.

    max_body_bytes   larger bodies are answered with 413
    rate_per_minute  deliveries a minute from one sender address; 0 = no limit
    media_types      accepted ones; empty = any. Others are answered with 415
    max_upload_bytes a larger bound for multipart/form-data, which may bring files; 0 = max_body_bytes; since SDK 1.1
    origins          pages of these origins ("https://shop.example") may post by script and read the answers
                     (CORS, without credentials); the hub answers their preflights; since SDK 1.1
    """

    max_body_bytes: int = 1024 * 1024
    rate_per_minute: int = 0
    media_types: frozenset[str] = frozenset()
    max_upload_bytes: int = 0
    origins: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelCapabilities:
    """What a channel can do, as data: the hub asks before it calls.

    receives           accepts deliveries over HTTP
    parses_at_once     `verify` and `parse` run together before the delivery is stored, and `parse` may
                       reject it (forms); otherwise what cannot be parsed is stored as unreadable
    has_page           `page` answers GET below /in/<account>/
    asks               `ask` is called for each delivery before `verify`; since SDK 1.1
    pulls              the hub calls `pull` again and again, in one process at a time; since SDK 1.1
    rescans            `rescan` can read again what came since a moment; since SDK 1.1
    sends              `send` works; since SDK 1.1
    sends_first        can write to somebody who has never written (mail); others only answer; since SDK 1.1
    writes_to          which address of a person `send` needs: "channel_id", "email" or "phone"; since SDK 1.1
    files              the largest file that can be sent, bytes; 0 = none; since SDK 1.1
    files_by_url       the provider fetches files itself: `OutgoingFile.url` must be filled (Viber); since SDK 1.1
    buttons            takes buttons; since SDK 1.1
    registers          has a web hook to set and to take away (`open_webhook`); since SDK 1.1
    silence_s          after so many seconds without a successful pull or check the account alarms; since SDK 1.1
    """

    receives: bool = True
    parses_at_once: bool = False
    has_page: bool = False
    asks: bool = False
    pulls: bool = False
    rescans: bool = False
    sends: bool = False
    sends_first: bool = False
    writes_to: Literal["channel_id", "email", "phone"] = "channel_id"
    files: int = 0
    files_by_url: bool = False
    buttons: bool = False
    registers: bool = False
    silence_s: float = 60.0


class Channel(ABC):
    """One account of a channel plugin."""

    capabilities: ChannelCapabilities = ChannelCapabilities()
    limits: ChannelLimits = ChannelLimits()

    @abstractmethod
    def verify(self, raw: RawDelivery) -> Verified:
        """Is it authentic, and which delivery is it?

        Called once per delivery, before anything is stored; at most 0.2 s together with `parse` for
        forms. `raw.received_at` is the only clock. The same bytes must give the same `external_id`.
        Raise DeliveryRejected(reason, status=...) to refuse: counted, nothing stored.
        """

    @abstractmethod
    def parse(self, raw: RawDelivery) -> Parsed:
        """What does it say?

        Pure and repeatable: it is called again on replay. Raise PayloadUnreadable where the body cannot
        be understood; where `parses_at_once` is set, DeliveryRejected refuses it before it is stored.
        """

    def answer(self, outcome: Outcome, raw: RawDelivery) -> HttpAnswer:
        """The HTTP answer after the commit. Called for each caller, repeats included; never stored."""
        return HttpAnswer(status=200, body=b"{}")

    async def ask(self, raw: RawDelivery) -> str:
        """Ask somebody else about a delivery before anything is stored (is this sender a person?); at most 5 s.

        What it returns stands in `raw.headers["hub-asked"]` for `verify` and `parse`, and is kept with the delivery, so
        that a replay asks nobody. Empty where it raised or took too long: `verify` says what that means.
        DeliveryRejected refuses the delivery; TemporaryFailure answers 503, so that its sender comes again.
        """
        return ""

    def refusal(self, rejected: DeliveryRejected, raw: RawDelivery) -> HttpAnswer | None:
        """How a delivery's sender is told that it was refused, with a status of 4xx; None = a problem document.

        Called for DeliveryRejected, whoever raised it; `raw.body` is empty where the hub refused it unread.
        """
        return None

    def page(self, path: str, query: Mapping[str, str], language: str) -> HttpAnswer | None:
        """A page of the channel's own below /in/<account>, such as a hosted form; None = 404."""
        return None

    async def pull(self, position: str, wait_s: float) -> Pulled:
        """Fetch what came after `position` ("" at the very first), oldest first, at most 100 deliveries.

        With nothing there it may wait for news up to `wait_s`, then returns an empty Pulled; it never
        returns sooner than half a second without news. Called again as soon as what it brought is stored,
        from one process at a time. The same delivery may be fetched again after a crash: `verify` gives it the
        same `external_id`. Connections are kept inside the object, until `close`.
        Raises TemporaryFailure, Throttled, AuthenticationFailed, or Conflict where another consumer reads too.
        Each delivery then passes `verify` and `parse` as a RawDelivery with method "PULL".
        """
        raise PermanentFailure("this channel fetches nothing")

    async def taken(self, positions: Sequence[str]) -> None:  # noqa: B027 - optional
        """These are stored: tidy up at the provider (move the mail). May be called again or never; idempotent."""

    async def rescan(self, since: datetime, after: str) -> Pulled:
        """Fetch again what came since a moment, in pages: `after` is "" first, then the last answer's `position`.

        Ends where `more` is False. Moves no cursor; known deliveries are met by their keys.
        """
        raise PermanentFailure("this channel cannot read again")

    async def send(self, message: Outgoing) -> SendResult:
        """Send one message: Sent, Refused, Later or Uncertain; at most 30 s.

        Never retries by itself. Uncertain where the request may have reached the provider and no answer came.
        Of what it raises, Throttled and NotReached mean that nothing has left (tried again later),
        PermanentFailure that it never will, AuthenticationFailed that the account's credentials are no longer
        taken; everything else counts as Uncertain, because nobody knows.
        """
        raise PermanentFailure("this channel sends nothing")

    async def fetch(self, ref: str, limit_bytes: int) -> Fetched:
        """The file behind an Attachment's `ref`; PermanentFailure where it is gone or larger than the limit."""
        raise PermanentFailure("this channel has no files")

    async def open_webhook(self, url: str) -> None:  # noqa: B027 - optional
        """Tell the provider where to deliver; the hub is listening there already. Called at start; idempotent."""

    async def close_webhook(self) -> None:  # noqa: B027 - optional
        """Take the web hook away: the account is switched off."""

    async def check(self) -> str:
        """Try the credentials, and the web hook where there is one, with the cheapest call.

        A short sentence on success (what the other side answered), raises otherwise: AuthenticationFailed,
        TemporaryFailure, or Conflict where the web hook leads elsewhere. `hub check` and the watch call it.
        """
        return "this channel has no check of its own"

    async def close(self) -> None:  # noqa: B027 - optional
        """Let go of connections and threads: another process takes over. A later `pull` opens them anew."""


class CreateChannel(Protocol):
    """The shape of `ChannelPlugin.create`; a function or the channel's own class."""

    def __call__(self, account: str, settings: Any, host: Host, /) -> Channel: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelPlugin:
    """Registers a kind of channel.

    name            what `plugin = "..."` says in the settings
    title           by language: {"en": "Web form", "uk": "Вебформа"}
    settings        pydantic model of the account's keys, frozen, extra="forbid"
    create          create(account, settings, host) -> Channel; called once per account at start, no I/O.
                    Raise SettingsRejected to stay out.
    needs_sdk       the SDK version it was written for
    """

    name: str
    title: Mapping[str, str]
    settings: type[BaseModel]
    create: CreateChannel
    version: str = "0.0.0"
    needs_sdk: str = SDK_VERSION
    homepage: str = ""
