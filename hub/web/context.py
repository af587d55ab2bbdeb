"""What request handlers need, in one typed place."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from aiohttp import web

from hub.db.database import Database
from hub.intake.door import Door
from hub.kernel.clock import Clock
from hub.kernel.sealing import SecretKey
from hub.loader import Plugins
from hub.notices.model import NamedAccounts, StaffAccounts
from hub.requests.replies import Writer
from hub.sdk.carrier import Carrier, CarrierPlugin
from hub.settings import Loaded
from hub.shipments.poller import Poller

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(slots=True)
class Lifecycle:
    """What the process is about to do."""

    stopping: bool = False


class Tried(Protocol):
    """What a live try of an account brought."""

    @property
    def ok(self) -> bool: ...
    @property
    def said(self) -> str: ...
    @property
    def took_ms(self) -> int: ...


class LiveAccounts(Protocol):
    """The accounts that this process serves."""

    async def apply(self) -> None:
        """Follow the database at once."""

    async def check(self, name: str) -> Tried:
        """Ask the other side now."""


@dataclass(frozen=True, slots=True)
class Services:
    """One process of the hub, as its web side sees it. `demo`: every page says so."""

    db: Database
    door: Door
    loaded: Loaded
    clock: Clock
    carriers: Mapping[str, Carrier]
    carrier_plugins: Mapping[str, CarrierPlugin]
    account_plugins: Mapping[str, str]
    poller: Poller
    proxies: Sequence[Network]
    life: Lifecycle
    demo: bool = False
    writers: Mapping[str, Writer] = field(default_factory=dict)
    key: SecretKey | None = None
    roster: LiveAccounts | None = None
    plugins: Plugins = field(default_factory=Plugins)
    staff_accounts: StaffAccounts = field(default_factory=NamedAccounts)


SERVICES = web.AppKey("services", Services)


def parse_networks(texts: Sequence[str]) -> list[Network]:
    """Networks out of settings that were checked already."""
    return [ipaddress.ip_network(text, strict=False) for text in texts]


def client_address(request: web.Request, proxies: Sequence[Network]) -> str:
    """The caller's address: X-Forwarded-For is believed as far as its chain consists of trusted proxies."""
    remote = request.remote or ""
    if not proxies or not _trusted(remote, proxies):
        return remote
    hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",")]
    for hop in reversed(hops):
        if not hop:
            continue
        if not _trusted(hop, proxies):
            return hop[:64]
        remote = hop
    return remote


def _trusted(address: str, proxies: Sequence[Network]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in proxies)
