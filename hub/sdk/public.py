"""Which network addresses content may lead the hub to: public ones only.

An address that stands in a message or comes from a customer may name the hub's own neighbours (a database, the
metadata service of a cloud). The name is resolved once, every answer must be public, and the connection goes to the
very address that was looked at: a name that changes its mind in between (DNS rebinding) leads nowhere.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from hub.sdk.errors import NotReached, PermanentFailure

_PORTS = {"http": 80, "https": 443}
# Public by their number, and leading to an IPv4 address that stands inside them: translation (NAT64), 6to4, Teredo.
_TUNNELS = tuple(
    ipaddress.ip_network(one) for one in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")
)


class AddressRefused(PermanentFailure):
    """This address is not public: the hub does not go there."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a call goes: the address that was looked at, and the name it is called by."""

    scheme: str
    host: str
    port: int
    address: str
    path: str

    @property
    def url(self) -> str:
        """The pinned address, to be called with `Host: host`."""
        shown = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.scheme}://{shown}:{self.port}{self.path}"

    @property
    def authority(self) -> str:
        """The Host header."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return shown if self.port == _PORTS[self.scheme] else f"{shown}:{self.port}"


def is_public(text: str) -> bool:
    """Is this an address of the Internet, and of nobody's own network?"""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(str(address.ipv4_mapped))
        if any(address in network for network in _TUNNELS):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


async def resolve_public(url: str) -> Target:
    """Look an address up once. Raises AddressRefused, or NotReached where the name is not known now."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise AddressRefused("this is no address") from None
    if parts.scheme not in _PORTS or not host or parts.username is not None:
        raise AddressRefused("only http and https addresses without a login are called")
    port = port or _PORTS[parts.scheme]
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NotReached("the name of this address cannot be found") from None
    addresses = [str(one[4][0]) for one in found]
    if not addresses or not all(is_public(one) for one in addresses):
        raise AddressRefused
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port, addresses[0], path)
