"""Finds the plugins, lets each register, and remembers why one could not.

Loading never stops the hub: a plugin that cannot be imported, needs another SDK or registers nonsense
is recorded with its reason and shown by `hub plugins` and `hub check`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import pluggy
import structlog

from hub.kernel.bounded import GivenUp, bounded
from hub.sdk import hookspecs
from hub.sdk.carrier import CarrierPlugin
from hub.sdk.channel import ChannelPlugin
from hub.sdk.version import SDK_VERSION

log = structlog.get_logger("hub.loader")

GROUP = "hub.plugins"
IMPORT_WITHIN_S = 30.0
REGISTER_WITHIN_S = 5.0


@dataclass(slots=True)
class Distribution:
    """One entry point: what it registered, or why it stays out."""

    name: str
    origin: str
    channels: list[ChannelPlugin] = field(default_factory=list)
    carriers: list[CarrierPlugin] = field(default_factory=list)
    problem: str | None = None
    root: Path | None = None  # the folder of `plugins_dir` that it is imported from


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


def sdk_problem(needs: object) -> str | None:
    """Why a plugin written for SDK `needs` cannot run here; None if it can."""
    parts = needs.split(".") if isinstance(needs, str) else []
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() for part in parts):
        return (
            f"it names no SDK version: {str(needs)[:40]!r}; needs_sdk is major.minor, such as {SDK_VERSION!r}"
        )
    major, minor = int(parts[0]), int(parts[1])
    ours_major, ours_minor = (int(part) for part in SDK_VERSION.split("."))
    if major < ours_major:
        return f"it was written for SDK {major}.x, this hub offers {SDK_VERSION}: take a newer plugin"
    if major > ours_major:
        return f"it needs SDK {needs}, this hub offers {SDK_VERSION}: take a newer hub, or an older plugin"
    if minor > ours_minor:
        return f"it needs SDK {needs}, this hub offers {SDK_VERSION}: take a newer hub"
    return None


def load_plugins(extra: Iterable[tuple[str, ModuleType]] = (), *, folder: Path | None = None) -> Plugins:
    """Load all entry points of the group, then those of `folder` (plugins_dir), then modules given by hand."""
    plugins = Plugins()
    entry_points = sorted(importlib.metadata.entry_points(group=GROUP), key=lambda e: e.name)
    for entry in {e.name: e for e in entry_points}.values():
        _load(plugins, Distribution(entry.name, entry.value), entry.load)
    for found in _of_folder(folder) if folder is not None else ():
        if any(found.name == one.name for one in plugins.found):
            found.problem = "a plugin of this name is installed already: take one of the two away"
        _load(plugins, found, lambda found=found: _import(found))  # type: ignore[misc]  # a default of a lambda has no type
    for name, module in extra:
        _load(plugins, Distribution(name, module.__name__), lambda module=module: module)  # type: ignore[misc]
    return plugins


def _load(plugins: Plugins, distribution: Distribution, find: Callable[[], object]) -> None:
    """Import one and let it register, or remember why it cannot be."""
    plugins.found.append(distribution)
    if distribution.problem is not None:
        return
    try:
        module = bounded(find, IMPORT_WITHIN_S, "hub-plugin-import")
    except GivenUp:
        distribution.problem = f"cannot be imported: it did not come back within {IMPORT_WITHIN_S:.0f} s"
        log.warning("plugin_not_imported", plugin=distribution.name, error="hung")
        return
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a boundary, see below
        # The boundary of loading: whatever importing a plugin raises is its own matter.
        distribution.problem = f"cannot be imported: {type(error).__name__}: {error}"
        log.warning("plugin_not_imported", plugin=distribution.name, error=type(error).__name__)
        return
    register(plugins, distribution, module)


def _of_folder(folder: Path) -> Iterator[Distribution]:
    """What `plugins_dir` holds: distributions with a pyproject.toml, packages with a plugin.py; by name."""
    if not folder.is_dir():
        yield Distribution("plugins_dir", str(folder), problem=f"there is no folder {folder}")
        return
    for one in sorted(folder.iterdir()):
        if not one.is_dir() or one.name.startswith((".", "_")):
            continue
        if (one / "pyproject.toml").is_file():
            yield from _of_project(one)
        elif (one / "plugin.py").is_file():
            yield Distribution(one.name, f"{one.name}.plugin", root=folder)
        else:
            problem = "it has neither a pyproject.toml nor a plugin.py: `hub plugins new` makes both"
            yield Distribution(one.name, str(one), problem=problem)


def _of_project(folder: Path) -> Iterator[Distribution]:
    """The entry points that a pyproject.toml names, as an installation would leave them."""
    problem = f'its pyproject.toml has no entry point in [project.entry-points."{GROUP}"]'
    entries: object = None
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
        entries = project["project"]["entry-points"][GROUP]
    except (OSError, ValueError) as error:
        problem = f"its pyproject.toml cannot be read: {error}"
    except (KeyError, TypeError):
        pass  # said by `problem`
    if not isinstance(entries, dict) or not entries:
        yield Distribution(folder.name, str(folder), problem=problem)
        return
    for name, module in sorted(entries.items()):
        yield Distribution(name, str(module), root=folder)


def _import(found: Distribution) -> object:
    """Import a plugin of `plugins_dir`. Its folder stands last on the path: it can hide nobody's module."""
    root, package = str(found.root), found.origin.partition(".")[0]
    if root not in sys.path:
        sys.path.append(root)
    importlib.invalidate_caches()
    spec = importlib.util.find_spec(package)
    places = [spec.origin or "", *(spec.submodule_search_locations or ())] if spec is not None else []
    if spec is not None and not any(Path(place).is_relative_to(root) for place in places if place):
        raise ImportError(f"Python has a module {package} already: give the plugin's package another name")
    return importlib.import_module(found.origin)


def register(plugins: Plugins, distribution: Distribution, module: object) -> None:
    """Call one plugin's hook under a guard; a misspelt hook is found by `check_pending`."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(module, name=distribution.name)
        manager.check_pending()
        taken = _Register(distribution, plugins)
        bounded(lambda: manager.hook.hub_register(register=taken), REGISTER_WITHIN_S, "hub-plugin-register")
    except GivenUp:
        _keep_out(distribution, f"it did not come back from hub_register within {REGISTER_WITHIN_S:.0f} s")
        return
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a boundary, see below
        # The boundary of registering: one plugin's mistake keeps only that plugin out.
        _keep_out(distribution, f"{type(error).__name__}: {error}")
        return
    if not distribution.channels and not distribution.carriers:
        distribution.problem = "registers nothing: it needs a hub_register hook"
    plugins.channels.update({p.name: p for p in distribution.channels})
    plugins.carriers.update({p.name: p for p in distribution.carriers})


def _keep_out(distribution: Distribution, why: str) -> None:
    distribution.problem = f"cannot register: {why}"
    distribution.channels.clear()
    distribution.carriers.clear()
    log.warning("plugin_not_registered", plugin=distribution.name, problem=why.partition(":")[0])
