"""The contract of a carrier: who moves the parcels and says where they are.

A carrier object is built once per account by `CarrierPlugin.create`. `looks_like` is synchronous and
pure; `track` is asynchronous and does its network calls through `host.http` only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel

from hub.sdk.host import Host
from hub.sdk.tracking import Recognition, TrackAnswer, TrackingNumber
from hub.sdk.version import SDK_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierCapabilities:
    """What a carrier can do, as data.

    batch_size           numbers a call, at most
    calls_per_minute     what one account may ask; the hub stays below it over all its processes
    parallel_calls       calls of one account at the same time
    tracks_without_key   works with no credentials (`hub track` uses this)
    reports_money        the answers tell about cash on delivery
    """

    batch_size: int = 1
    calls_per_minute: int = 60
    parallel_calls: int = 1
    tracks_without_key: bool = False
    reports_money: bool = False


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

    async def check(self) -> str:
        """Try the credentials with the cheapest call; a short sentence on success, raises otherwise."""
        return "this carrier has no check of its own"


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
