"""Finds the plugins, lets each register, and remembers why one could not.

Loading never stops the hub: a plugin that cannot be imported, needs another SDK or registers nonsense
is recorded with its reason and shown by `hub plugins` and `hub check`.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import ModuleType

import pluggy
import structlog

from hub.sdk import hookspecs
from hub.sdk.carrier import CarrierPlugin
from hub.sdk.channel import ChannelPlugin
from hub.sdk.version import SDK_VERSION

log = structlog.get_logger("hub.loader")

GROUP = "hub.plugins"


@dataclass(slots=True)
class Distribution:
    """One entry point: what it registered, or why it stays out."""

    name: str
    origin: str
    channels: list[ChannelPlugin] = field(default_factory=list)
    carriers: list[CarrierPlugin] = field(default_factory=list)
    problem: str | None = None


@dataclass(slots=True)
class Plugins:
    """Everything that was found."""

    found: list[Distribution] = field(default_factory=list)
    channels: dict[str, ChannelPlugin] = field(default_factory=dict)
    carriers: dict[str, CarrierPlugin] = field(default_factory=dict)


class _Register:
    """Takes what one plugin registers; checks it before it counts."""

    def __init__(self, into: Distribution, taken: Plugins) -> None:
        self._into = into
        self._taken = taken

    def channel(self, plugin: ChannelPlugin, /) -> None:
        if not isinstance(plugin, ChannelPlugin):
            raise TypeError("register.channel takes a ChannelPlugin")
        self._check(plugin.name, plugin.needs_sdk, [*self._taken.channels, *_names(self._into.channels)])
        self._into.channels.append(plugin)

    def carrier(self, plugin: CarrierPlugin, /) -> None:
        if not isinstance(plugin, CarrierPlugin):
            raise TypeError("register.carrier takes a CarrierPlugin")
        self._check(plugin.name, plugin.needs_sdk, [*self._taken.carriers, *_names(self._into.carriers)])
        self._into.carriers.append(plugin)

    def _check(self, name: str, needs_sdk: str, taken: Iterable[str]) -> None:
        problem = sdk_problem(needs_sdk)
        if problem is not None:
            raise ValueError(problem)
        if name in taken:
            raise ValueError(f"another plugin is called {name!r} already")


def _names(kinds: Iterable[ChannelPlugin | CarrierPlugin]) -> list[str]:
    return [kind.name for kind in kinds]


def sdk_problem(needs: str) -> str | None:
    """Why a plugin written for SDK `needs` cannot run here; None if it can."""
    try:
        major, minor = (int(part) for part in needs.split("."))
    except ValueError:
        return f"it names no SDK version: {needs!r}"
    ours_major, ours_minor = (int(part) for part in SDK_VERSION.split("."))
    if major != ours_major:
        return f"it needs SDK {major}.x, this hub offers {SDK_VERSION}: take another version of the plugin"
    if minor > ours_minor:
        return f"it needs SDK {needs}, this hub offers {SDK_VERSION}: take a newer hub"
    return None


def load_plugins(extra: Iterable[tuple[str, ModuleType]] = ()) -> Plugins:
    """Load all entry points of the group, then the modules given by hand (tests, development)."""
    plugins = Plugins()
    entry_points = sorted(importlib.metadata.entry_points(group=GROUP), key=lambda e: e.name)
    for entry in {e.name: e for e in entry_points}.values():
        distribution = Distribution(entry.name, entry.value)
        plugins.found.append(distribution)
        try:
            module = entry.load()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a boundary, see below
            # The boundary of loading: whatever importing a plugin raises is its own matter.
            distribution.problem = f"cannot be imported: {type(error).__name__}: {error}"
            log.warning("plugin_not_imported", plugin=entry.name, error=type(error).__name__)
            continue
        register(plugins, distribution, module)
    for name, module in extra:
        distribution = Distribution(name, module.__name__)
        plugins.found.append(distribution)
        register(plugins, distribution, module)
    return plugins


def register(plugins: Plugins, distribution: Distribution, module: object) -> None:
    """Call one plugin's hook under a guard; a misspelt hook is found by `check_pending`."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(module, name=distribution.name)
        manager.check_pending()
        manager.hook.hub_register(register=_Register(distribution, plugins))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a boundary, see below
        # The boundary of registering: one plugin's mistake keeps only that plugin out.
        distribution.problem = f"cannot register: {type(error).__name__}: {error}"
        distribution.channels.clear()
        distribution.carriers.clear()
        log.warning("plugin_not_registered", plugin=distribution.name, error=type(error).__name__)
        return
    if not distribution.channels and not distribution.carriers:
        distribution.problem = "registers nothing: it needs a hub_register hook"
    plugins.channels.update({p.name: p for p in distribution.channels})
    plugins.carriers.update({p.name: p for p in distribution.carriers})
