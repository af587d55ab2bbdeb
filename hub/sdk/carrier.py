"""The contract of a carrier: who moves the parcels and says where they are.

A carrier object is built once per account by `CarrierPlugin.create`. `looks_like` is synchronous and
pure; `track` is asynchronous and does its network calls through `host.http` only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from pydantic import BaseModel

from hub.sdk.errors import PermanentFailure
from hub.sdk.host import Host
from hub.sdk.notices import Notice
from hub.sdk.tracking import Changes, Documents, Recognition, TrackAnswer, TrackingNumber, Transfers
from hub.sdk.version import SDK_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierCapabilities:
    """What a carrier can do, as data.

    batch_size           numbers a call, at most
    calls_per_minute     what one account may ask; the hub stays below it over all its processes
    parallel_calls       calls of one account at the same time
    tracks_without_key   works with no credentials (`hub track` uses this)
    reports_money        the answers tell about cash on delivery
    calls_per_day        what one account may ask a day; 0 = no limit known; since SDK 1.1
    needs_phone          private fields need the consignee's or shipper's telephone; since SDK 1.1
    lists_changes        `changes` lists what changed: cheaper than asking number by number; since SDK 1.1
    lists_documents      the account's own waybills can be listed (`documents`); since SDK 1.1
    lists_transfers      money transfers to the shipper can be listed (`transfers`); since SDK 1.1
    tracking_page        address of the carrier's own page of a parcel, {number} in the place of the number, which the
                         hub escapes; without {number} people type it there; "" = none known; since SDK 1.2
    creates_waybills, prints_labels, quotes_prices, has_directories   reserved: no hub calls them yet
    """

    batch_size: int = 1
    calls_per_minute: int = 60
    parallel_calls: int = 1
    tracks_without_key: bool = False
    reports_money: bool = False
    calls_per_day: int = 0
    needs_phone: bool = False
    lists_changes: bool = False
    lists_documents: bool = False
    lists_transfers: bool = False
    tracking_page: str = ""
    creates_waybills: bool = False
    prints_labels: bool = False
    quotes_prices: bool = False
    has_directories: bool = False


class Carrier(ABC):
    """One account of a carrier plugin."""

    capabilities: CarrierCapabilities = CarrierCapabilities()

    @abstractmethod
    def looks_like(self, text: str) -> Recognition:
        """Is this typed text one of your numbers? Pure; called while a seller types."""

    @abstractmethod
    async def track(self, numbers: Sequence[TrackingNumber]) -> TrackAnswer:
        """Ask the carrier for at most `capabilities.batch_size` numbers.

        Returns exactly one entry for each number asked, matched by number and never by position.
        Raises NumbersRejected where the call failed because of some numbers (the hub halves the batch),
        Throttled or TemporaryFailure to be asked later, AuthenticationFailed to stop the account,
        AnswerUnreadable where the answer is not of the documented shape.
        """

    async def changes(self, since: datetime, until: datetime, page: str) -> Changes:
        """What changed between two moments, for all parcels of the account; `page` is "" first.

        The plugin cuts the span to what its provider takes and says in `Changes.until` how far it got.
        Numbers that nobody follows are dropped by the hub. Raises as `track`.
        """
        raise PermanentFailure("this carrier lists no changes")

    async def documents(self, since: datetime, page: str) -> Documents:
        """Waybills that the account itself has made since a moment, in pages. Raises as `track`."""
        raise PermanentFailure("this carrier lists no documents")

    async def transfers(self, since: datetime, page: str) -> Transfers:
        """Money that the carrier paid out to the account since a moment, in pages. Raises as `track`."""
        raise PermanentFailure("this carrier lists no money transfers")

    async def check(self) -> str:
        """Try the credentials with the cheapest call; a short sentence on success, raises otherwise."""
        return "this carrier has no check of its own"

    async def notices(self) -> tuple[Notice, ...]:
        """What somebody has to do before this account fails, such as a key that ends soon. No network.

        Asked each hour; each notice is one alarm of the account, for as long as it is among them. Since SDK 1.1.
        """
        return ()

    async def close(self) -> None:  # noqa: B027 - optional
        """Let go of connections and threads."""


class CreateCarrier(Protocol):
    """The shape of `CarrierPlugin.create`; a function or the carrier's own class."""

    def __call__(self, account: str, settings: Any, host: Host, /) -> Carrier: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierPlugin:
    """Registers a kind of carrier.

    name            what `plugin = "..."` says in the settings
    title           by language: {"en": "Nova Poshta", "uk": "Нова пошта"}
    settings        pydantic model of the account's keys, frozen, extra="forbid"; has `base_url`
    create          create(account, settings, host) -> Carrier; called once per account at start, no I/O
    needs_sdk       the SDK version it was written for
    """

    name: str
    title: Mapping[str, str]
    settings: type[BaseModel]
    create: CreateCarrier
    version: str = "0.0.0"
    needs_sdk: str = SDK_VERSION
    homepage: str = ""
