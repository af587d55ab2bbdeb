"""The template is a working plugin, and what is made of it becomes a proven one in few lines."""

import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib

import pytest
from click.testing import CliRunner

from hub.cli import main
from hub.cli.kit import findings, locate, run
from hub.loader import load_plugins
from hub.testing.scaffold import MARK, files, new_plugin, places_left

# The template's own checks run here too, as it stands.
from plugins._template.carrier.tests.test_contract import TestExampleCarrier  # noqa: F401
from plugins._template.channel.tests.test_contract import TestExampleChannel  # noqa: F401
from tests.conftest import CHECKOUT
from tests.contract import authors

OTHERS = (
    "schemathesis",
    "playwright",
    "asyncio",
    "aiohttp",
    "base_url",
    "respx",
    "xdist",
    "timeout",
    "anyio",
    "benchmark",
)
QUICK = f'addopts = "{" ".join(f"-p no:{one}" for one in OTHERS)}"\n'
"""pytest plugins of our own tests, which a plugin's author does not have: they only cost time here."""


def invoke(*arguments):
    return CliRunner().invoke(main, ["plugins", *map(str, arguments)])


@pytest.mark.parametrize(
    ("kind", "name", "edits", "must"),
    [("channel", "pigeon_post", authors.CHANNEL, 100), ("carrier", "stork_express", authors.CARRIER, 120)],
)
def test_an_author_gets_a_green_kit_in_few_lines(tmp_path, kind, name, edits, must):
    """Goals 60 and 80; measured when it was written: 38 and 42."""
    folder = tmp_path / name
    made = invoke("new", kind, name, folder)
    assert made.exit_code == 0, made.output
    left = len(places_left(folder))
    assert f"{left} places are marked {MARK}" in made.output
    lines = authors.write(folder, edits)
    assert lines <= must, f"{lines} lines"
    assert places_left(folder) == []
    project = folder / "pyproject.toml"
    project.write_text(project.read_text() + QUICK)
    tried = invoke("test", folder, "--json")
    assert tried.exit_code == 0, tried.output
    told = json.loads(tried.output)
    assert told["checks"] >= 40
    assert told["failed"] == told["missing"] == told["left"] == []


def test_a_new_plugin_can_be_installed_and_is_found_by_its_entry_point(tmp_path):
    new_plugin("carrier", "stork_express", tmp_path / "source")
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "-q",
    ]
    subprocess.run([*install, "--target", tmp_path / "site", tmp_path / "source"], check=True)
    [found] = importlib.metadata.distributions(path=[str(tmp_path / "site")])
    assert found.metadata["Name"] == "hub-stork-express"
    [entry] = found.entry_points.select(group="hub.plugins")
    assert (entry.name, entry.value) == ("stork_express", "stork_express.plugin")


def test_the_kit_comes_with_the_hub_alone():
    """An entry point of pytest: no conftest.py, and nothing that a hub without pytest would miss."""
    [entry] = importlib.metadata.entry_points(group="pytest11", name="hub_contract")
    assert entry.value == "hub.testing.pytest_plugin"
    code = "import sys, hub.testing.pytest_plugin; print(sorted({'hypothesis', 'httpx', 'hub.sdk'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    extras = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert sorted(re.split("[>=<]", one)[0] for one in extras["kit"]) == ["hypothesis", "pytest"]


def test_a_failing_check_is_told_in_plain_words(tmp_path):
    folder = tmp_path / "stork_express"
    new_plugin("carrier", "stork_express", folder)
    tracking = folder / "stork_express" / "tracking.py"
    guess = tracking.read_text().replace(
        "STATUSES.get(code, Status.UNKNOWN)", "STATUSES.get(code, Status.CREATED)"
    )
    tracking.write_text(guess)
    (folder / "README.md").unlink()
    project = folder / "pyproject.toml"
    project.write_text(
        project.read_text() + QUICK.replace('"\n', " -k 'unlisted_code_is or statuses_are'\"\n")
    )
    tried = invoke("test", folder)
    assert tried.exit_code == 1, tried.output
    assert "failed: An unlisted code is unknown and kept" in tried.output
    assert "never guess what an unlisted code means" in tried.output
    assert "missing: no README.md" in tried.output
    assert "2 checks of the kit: 1 failed" in tried.output
    assert "Traceback" not in tried.output


def test_a_plugin_without_a_kit_or_fixtures_and_one_that_cannot_be_imported_are_told_so(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_broken.py").write_text("import a_module_that_is_not_there\n")
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n" + QUICK)
    [broken, *others] = run(locate(str(tmp_path))).missing
    assert "ModuleNotFoundError" in broken
    assert [line.partition(":")[0] for line in others] == [
        "no fixtures",
        "no README.md of at least 200 characters",
    ]
    [kit, *_] = findings(locate(str(tmp_path)), {"tests": [], "broken": []}).missing
    assert kit.startswith("no kit: make a class that inherits")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("viber", "another plugin is called viber already"),
        ("My-Shop", "such as my_shop"),
        ("1st", "is no name for a plugin"),
        ("x" * 41, "is no name for a plugin"),
        ("a__b", "is no name for a plugin"),
        ("приклад", "is no name for a plugin"),
        ("class", "Python has a module class already"),
        ("json", "Python has a module json already"),
        ("httpx", "Python has a module httpx already"),
        ("hub", "Python has a module hub already"),
    ],
)
def test_a_name_that_cannot_be_is_refused_in_a_sentence(tmp_path, name, words):
    refused = invoke("new", "channel", name, tmp_path / "there")
    assert refused.exit_code == 2
    assert words in refused.output
    assert not (tmp_path / "there").exists()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    refused = invoke("new", "channel", "my_shop", tmp_path)
    assert refused.exit_code == 2
    assert "is there already" in refused.output
    assert [one.name for one in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("what", "words"), [("no_such_plugin", "neither a folder nor a plugin"), (".", "has no folder `tests`")]
)
def test_what_cannot_be_tested_is_said_in_a_sentence(tmp_path, monkeypatch, what, words):
    monkeypatch.chdir(tmp_path)
    refused = invoke("test", what)
    assert refused.exit_code == 2
    assert words in refused.output


def test_a_bundled_plugin_is_located_by_its_name():
    project = locate("web_form")
    assert project.tests.parts[-3:] == ("tests", "plugins", "web_form")
    assert project.readme.is_file()


@pytest.mark.parametrize("kind", ["channel", "carrier"])
def test_nothing_of_the_template_s_own_name_is_left_in_a_new_plugin(kind):
    for path, text in files(kind, "pigeon_post"):
        assert "example_" not in f"{path}{text}"
        assert "_template" not in text
        assert "Example" not in text.replace("example.com", "")


def test_the_template_itself_is_no_plugin_of_the_hub():
    assert not [found for found in load_plugins().found if "_template" in found.origin]
