"""docs/sdk.md against the live SDK: each name, each method with its signature, none too many."""

import re

import pluggy
import pytest

from hub import sdk
from hub.sdk import Carrier, Channel, hookspecs
from tests.conftest import CHECKOUT
from tests.docs.sdk_reference import HIDDEN, hooks, methods, prose, sections, signature

TEXT = (CHECKOUT / "docs" / "sdk.md").read_text(encoding="utf-8")
HEADS = re.findall(r"^### `?(?:async )?([\w.]+)", TEXT, re.MULTILINE)


def test_every_public_name_has_its_place_once_and_there_is_none_too_many():
    named = [name for members in sections().values() for name in members]
    assert sorted(HEADS) == sorted(named)
    public = {name for name in named if not name.startswith("reading.")} - hooks().keys()
    assert public == set(sdk.__all__) - HIDDEN


def test_the_hooks_are_those_that_pluggy_knows():
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    assert set(hooks()) == set(vars(manager.hook)) - {"_plugin2hookcallers"} & set(vars(manager.hook))
    for name, hook in hooks().items():
        assert f"### `{signature(name, hook)}`" in TEXT


@pytest.mark.parametrize("kind", [Channel, Carrier, sdk.HttpClient, sdk.Host, sdk.AccountStore, sdk.Register])
def test_every_method_stands_there_with_its_signature(kind):
    found = methods(kind)
    assert found
    for name, one in found.items():
        assert f"**`{signature(name, one)}`**" in TEXT


@pytest.mark.parametrize("kind", [Channel, Carrier])
def test_every_method_of_a_plugin_says_what_it_is_for(kind):
    for name, one in methods(kind).items():
        assert len(one.__doc__ or "") > 20, name
        assert prose(one).split("\n")[0] in TEXT, name


def test_a_changed_signature_would_be_found():
    def track(self, numbers: str, patience_s: float) -> str:
        return numbers

    assert signature("track", track) == "track(numbers: str, patience_s: float) -> str"
    assert f"**`{signature('track', track)}`**" not in TEXT


def test_versions_are_told_since_when():
    """What is newer than 1.0 says so, where a plugin's author looks."""
    major, minor = map(int, sdk.SDK_VERSION.split("."))
    told = {tuple(map(int, found)) for found in re.findall(r"[Ss]ince SDK (\d+)\.(\d+)", TEXT)}
    assert told
    assert max(told) <= (major, minor)
