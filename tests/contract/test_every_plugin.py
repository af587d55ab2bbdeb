"""A plugin without a kit class, fixtures or a README fails the build."""

import importlib.metadata
import importlib.util
import inspect
import sys
from pathlib import Path

import pytest

from hub.loader import Distribution, Plugins, load_plugins, register
from hub.sdk import CarrierPlugin, ChannelPlugin
from hub.testing.contract_carrier import CarrierContract
from hub.testing.contract_channel import ChannelContract
from tests.conftest import CHECKOUT

BUNDLED = [
    found for found in load_plugins().found if found.origin.startswith("plugins.") and found.problem is None
]
LEAST_CHECKS = 40


def test_every_folder_of_plugins_is_registered():
    folders = {
        one.name
        for one in (CHECKOUT / "plugins").iterdir()
        if (one / "plugin.py").is_file() and one.name[0] != "_"
    }
    entries = importlib.metadata.entry_points(group="hub.plugins")
    registered = {entry.value.split(".")[1] for entry in entries if entry.value.startswith("plugins.")}
    assert folders == registered
    assert len(BUNDLED) == len(folders)


@pytest.mark.parametrize("found", BUNDLED, ids=[one.name for one in BUNDLED])
def test_a_plugin_has_a_kit_class(found: Distribution):
    kits = list(kits_of(found.name))
    registered: list[ChannelPlugin | CarrierPlugin] = [*found.channels, *found.carriers]
    for plugin in registered:
        kind = CarrierContract if isinstance(plugin, CarrierPlugin) else ChannelContract
        own = [kit for kit in kits if issubclass(kit, kind) and kit.plugin == plugin]
        assert own, f"tests/plugins/{found.name}: no kit class with `plugin` = the registered {plugin.name}"
        assert min(len(checks(kit)) for kit in own) >= LEAST_CHECKS


@pytest.mark.parametrize("found", BUNDLED, ids=[one.name for one in BUNDLED])
def test_a_plugin_has_fixtures_that_say_where_they_come_from(found: Distribution):
    folder = CHECKOUT / "tests" / "plugins" / found.name / "fixtures"
    files = [one.name for one in folder.iterdir()] if folder.is_dir() else []
    assert {"README.md", "SOURCES.md"} & set(files), (
        f"{folder}: say of each file whether it is recorded or made"
    )
    assert len(files) > 1


@pytest.mark.parametrize("found", BUNDLED, ids=[one.name for one in BUNDLED])
def test_a_plugin_has_a_readme(found: Distribution):
    readme = CHECKOUT / "plugins" / found.origin.split(".")[1] / "README.md"
    assert readme.is_file()
    assert len(readme.read_text(encoding="utf-8")) > 500


def test_a_plugin_without_all_this_is_found():
    """The three tests above can fail: a name without a folder has no kit class."""
    assert list(kits_of("no_such_plugin")) == []
    plugins, found = Plugins(), Distribution("empty", "plugins.empty")
    register(plugins, found, sys)
    assert found.problem is not None


def kits_of(name: str):
    """Kit classes of the plugin's tests; each test file is loaded under a name of its own."""
    for file in sorted((CHECKOUT / "tests" / "plugins" / name).glob("test_*contract*.py")):
        module = load(file)
        for _, kit in inspect.getmembers(module, inspect.isclass):
            if kit.__name__.startswith("Test") and issubclass(kit, (ChannelContract, CarrierContract)):
                yield kit


def load(file: Path):
    spec = importlib.util.spec_from_file_location(f"kit_of_{file.parent.name}_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def checks(kit: type) -> list[str]:
    """Checks that pytest would collect."""
    made = kit()
    return [
        name
        for name in dir(kit)
        if name.startswith("test_")
        and callable(check := getattr(kit, name))
        and (not hasattr(check, "kit_need") or made.applies(check.kit_need))
    ]
