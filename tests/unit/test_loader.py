"""A plugin that cannot be loaded harms only itself, and its reason is told."""

import sys
from types import ModuleType

import pytest
from pydantic import BaseModel

from hub.loader import Plugins, load_plugins, sdk_problem
from hub.sdk import SDK_VERSION, CarrierPlugin, ChannelPlugin, hookimpl

MAJOR, MINOR = (int(part) for part in SDK_VERSION.split("."))


class Keys(BaseModel):
    """No keys."""


def build(account, settings, host):
    raise AssertionError("loading builds nothing")


def channel(name="pigeon", needs=SDK_VERSION):
    return ChannelPlugin(name=name, title={"en": name}, settings=Keys, create=build, needs_sdk=needs)


def carrier(name="stork"):
    return CarrierPlugin(name=name, title={"en": name}, settings=Keys, create=build)


def module(hook=None, **names):
    made = ModuleType("some_plugin")
    if hook is not None:
        made.hub_register = hookimpl(hook)  # type: ignore[attr-defined]
    vars(made).update(names)
    return made


def loaded(*modules) -> Plugins:
    return load_plugins([(f"p{n}", m) for n, m in enumerate(modules)])


def problem(plugins, name="p0"):
    return next(d for d in plugins.found if d.name == name).problem


def registers(*kinds):
    def hub_register(register):
        for kind in kinds:
            (register.channel if isinstance(kind, ChannelPlugin) else register.carrier)(kind)

    return module(hub_register)


def test_a_plugin_may_register_several_kinds():
    plugins = loaded(registers(channel(), carrier()))
    assert problem(plugins) is None
    assert "pigeon" in plugins.channels
    assert "stork" in plugins.carriers


def test_our_own_plugins_are_found_by_their_entry_points():
    plugins = load_plugins()
    assert {"web_form"} <= plugins.channels.keys()
    assert {"nova_poshta"} <= plugins.carriers.keys()
    assert [d.problem for d in plugins.found] == [None] * len(plugins.found)


@pytest.mark.parametrize(
    ("needs", "words"),
    [
        (f"{MAJOR + 1}.0", "take a newer hub, or an older plugin"),
        (f"{MAJOR - 1}.9", "take a newer plugin"),
        (f"{MAJOR}.{MINOR + 1}", "take a newer hub"),
        ("", "names no SDK version"),
        ("1", "names no SDK version"),
        ("1.x", "names no SDK version"),
        ("1.0.0", "names no SDK version"),
        ("-1.0", "names no SDK version"),
        ("١.٠", "names no SDK version"),
        (1.1, "names no SDK version"),
        (None, "such as"),
    ],
)
def test_another_sdk_keeps_a_plugin_out_and_says_what_to_do(needs, words):
    plugins = loaded(registers(carrier(), channel(needs=needs)), registers(carrier("crane")))
    assert words in (problem(plugins) or "")
    assert not {"pigeon", "stork"} & (plugins.channels.keys() | plugins.carriers.keys())
    assert "crane" in plugins.carriers


def test_an_older_minor_version_is_fine():
    assert sdk_problem(f"{MAJOR}.0") is None


def test_a_misspelt_hook_is_named():
    misspelt = ModuleType("some_plugin")

    def hub_registr(register):
        register.channel(channel())

    misspelt.hub_registr = hookimpl(hub_registr)  # type: ignore[attr-defined]
    assert "hub_registr" in (problem(loaded(misspelt)) or "")


def test_a_hook_without_its_mark_registers_nothing_and_hears_so():
    plain = ModuleType("some_plugin")
    plain.hub_register = lambda register: register.channel(channel())  # type: ignore[attr-defined]
    assert "registers nothing" in (problem(loaded(plain)) or "")
    assert "registers nothing" in (problem(loaded(module())) or "")


def test_a_plugin_that_raises_is_named_with_its_error_and_takes_nothing_in():
    def hub_register(register):
        register.channel(channel())
        raise ZeroDivisionError

    plugins = loaded(module(hub_register), registers(carrier()))
    assert "ZeroDivisionError" in (problem(plugins) or "")
    assert "pigeon" not in plugins.channels
    assert "stork" in plugins.carriers


@pytest.mark.parametrize("nonsense", [None, "pigeon", object()])
def test_registering_nonsense_is_refused(nonsense):
    def hub_register(register):
        register.channel(nonsense)

    assert "takes a ChannelPlugin" in (problem(loaded(module(hub_register))) or "")


def test_a_name_belongs_to_the_first_that_takes_it():
    plugins = loaded(registers(channel()), registers(channel(), carrier()))
    assert problem(plugins, "p0") is None
    assert "another plugin is called 'pigeon'" in (problem(plugins, "p1") or "")
    assert "stork" not in plugins.carriers
    twice = loaded(registers(channel(), channel()))
    assert "another plugin is called 'pigeon'" in (problem(twice) or "")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import a_module_that_is_not_there", "ModuleNotFoundError"),
        ("def broken(:", "SyntaxError"),
        ("raise RuntimeError('at import')", "RuntimeError: at import"),
        ("import sys; sys.exit('bye')", "SystemExit"),
    ],
)
def test_a_plugin_that_cannot_be_imported_stays_out_with_its_reason(tmp_path, monkeypatch, code, words):
    install(tmp_path, monkeypatch, "broken_plugin", code)
    plugins = load_plugins()
    assert words in (problem(plugins, "broken_plugin") or "")
    assert "web_form" in plugins.channels


def install(folder, monkeypatch, name, code):
    """A distribution with one entry point, as pip would leave it."""
    (folder / f"{name}.py").write_text(code)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[hub.plugins]\n{name} = {name}\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, name, raising=False)


def write_plugin(folder, name, kind="channel", code=""):
    """A plugin of `plugins_dir`: a package with plugin.py."""
    package = folder / name
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "plugin.py").write_text(
        code
        or "from hub.sdk import ChannelPlugin, hookimpl\n"
        "from pydantic import BaseModel\n"
        "@hookimpl\n"
        "def hub_register(register):\n"
        f"    register.channel(ChannelPlugin(name={name!r}, title={{}}, settings=BaseModel, create=print))\n"
    )
    return package


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path / "plugins"
    for name in [one for one in sys.modules if one.partition(".")[0].startswith("own_")]:
        del sys.modules[name]


def test_a_folder_of_own_plugins_is_loaded_without_installing(folder):
    write_plugin(folder, "own_pigeon")
    project = folder / "project"
    write_plugin(project, "own_stork")
    (project / "pyproject.toml").write_text(
        '[project.entry-points."hub.plugins"]\nown_name = "own_stork.plugin"\n'
    )
    (folder / "_not_yet").mkdir()
    (folder / ".git").mkdir()
    plugins = load_plugins(folder=folder)
    assert {"own_pigeon", "own_stork"} <= plugins.channels.keys()
    assert [one.problem for one in plugins.found if one.root or one.problem] == [None, None]


@pytest.mark.parametrize(
    ("name", "files", "words"),
    [
        ("own_empty", {}, "neither a pyproject.toml nor a plugin.py"),
        ("own_words", {"pyproject.toml": "]["}, "cannot be read"),
        ("own_none", {"pyproject.toml": "[project]\n"}, "has no entry point"),
        ("own_text", {"pyproject.toml": '[project]\nentry-points = "x"\n'}, "has no entry point"),
        ("own_broken", {"plugin.py": "def broken(:"}, "SyntaxError"),
        ("json", {"plugin.py": ""}, "Python has a module json already"),
        ("viber", {"plugin.py": ""}, "is installed already"),
    ],
)
def test_an_own_plugin_that_cannot_be_loaded_stays_out_with_its_reason(folder, name, files, words):
    (folder / name).mkdir(parents=True)
    for file, text in files.items():
        (folder / name / file).write_text(text)
    plugins = load_plugins(folder=folder)
    assert words in str([one.problem for one in plugins.found if one.name == name and one.problem])
    assert {"web_form", "viber"} <= plugins.channels.keys()


def test_a_folder_that_is_not_there_is_said_to_be_missing(tmp_path):
    plugins = load_plugins(folder=tmp_path / "nowhere")
    assert "there is no folder" in (problem(plugins, "plugins_dir") or "")
