"""The contract of a channel: a way by which customers write to the business.

A channel object is built once per account by `ChannelPlugin.create`. The hub then calls its methods one
by one, each under its own guard and time limit: a method that raises, hangs or returns nonsense harms
its own delivery only. `verify`, `parse`, `answer` and `page` are synchronous and pure: no network, no
files, no clock but the one in their arguments. They run in a thread, never while a database lock is held.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel

from hub.sdk.host import Host
from hub.sdk.messages import HttpAnswer, Outcome, Parsed, RawDelivery, Verified
from hub.sdk.version import SDK_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelLimits:
    """Bounds that the hub holds before it calls the plugin.

    max_body_bytes   larger bodies are answered with 413
    rate_per_minute  deliveries a minute from one sender address; 0 = no limit
    media_types      accepted ones; empty = any. Others are answered with 415
    """

    max_body_bytes: int = 1024 * 1024
    rate_per_minute: int = 0
    media_types: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelCapabilities:
    """What a channel can do, as data: the hub asks before it calls.

    receives           accepts deliveries over HTTP
    parses_at_once     `verify` and `parse` run together before the delivery is stored, and `parse` may
                       reject it (forms); otherwise what cannot be parsed is stored as unreadable
    has_page           `page` answers GET below /in/<account>/
    sends              replies can be sent (`send`; since SDK 1.1)
    """

    receives: bool = True
    parses_at_once: bool = False
    has_page: bool = False
    sends: bool = False


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

    def page(self, path: str, query: Mapping[str, str], language: str) -> HttpAnswer | None:
        """A page of the channel's own below /in/<account>, such as a hosted form; None = 404."""
        return None


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
