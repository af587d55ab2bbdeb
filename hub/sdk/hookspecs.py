"""The hooks of the hub. They only register: the hub then calls the methods of what was registered."""

from __future__ import annotations

from typing import Protocol

import pluggy

from hub.sdk.carrier import CarrierPlugin
from hub.sdk.channel import ChannelPlugin

PROJECT = "hub"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Register(Protocol):
    """What a registering hook calls, once for each kind it offers."""

    def channel(self, plugin: ChannelPlugin, /) -> None: ...

    def carrier(self, plugin: CarrierPlugin, /) -> None: ...


@hookspec
def hub_register(register: Register) -> None:
    """Hand over the channels and carriers that this plugin offers.

    Called once, at start, before the settings of accounts are read; no I/O here.
    register.channel(ChannelPlugin(...)), register.carrier(CarrierPlugin(...)): any number of calls.
    An exception keeps this plugin out and is shown by `hub plugins`; the hub and other plugins go on.
    Since SDK 1.0.
    """
