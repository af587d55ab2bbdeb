"""The bridge as a distribution of its own: built, installed beside the hub, and found by it."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile

import pytest

from tests.conftest import CHECKOUT

BRIDGE = CHECKOUT / "contrib" / "karrio_bridge"

KARRIO = {
    "__init__.py": "",
    "references.py": "def collect_references():\n    return {'carriers': {'dhl_universal': 'DHL', 'ups': 'UPS'}}\n",
}
"""As much of karrio as the bridge asks at start; karrio itself is not in the lock."""


def run(*words, folder, code=0):
    told = {key: value for key, value in os.environ.items() if not key.startswith(("HUB_", "PYTHON", "COV"))}
    done = subprocess.run(
        [str(word) for word in words],
        cwd=folder,
        env=told,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Wheel and source archive, by the build back-end that is in the lock, from a copy of the folder."""
    folder = tmp_path_factory.mktemp("bridge")
    source = folder / "source"
    shutil.copytree(BRIDGE, source, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    run(sys.executable, "-m", "hatchling", "build", "-d", folder / "dist", folder=source)
    return {file.suffix: file for file in (folder / "dist").iterdir()}


@pytest.fixture(scope="module")
def python(built, tmp_path_factory):
    """An environment with the bridge and without its requirements; the hub is lent to it."""
    home = tmp_path_factory.mktemp("venv") / "env"
    venv.create(home, with_pip=False, symlinks=True)
    python = home / "bin" / "python"
    words = ("install", "-q", "--no-deps", "--no-index", "--no-compile", built[".whl"])
    run(sys.executable, "-m", "pip", "--python", python, *words, folder=home)
    packages = next((home / "lib").glob("python*")) / "site-packages"
    lent = f"import site; site.addsitedir({sysconfig.get_paths()['purelib']!r})\n"
    (packages / "the_hub.pth").write_text(lent, encoding="utf-8")
    return python


def plugins_of(python, code=0):
    """What `hub plugins` shows; it ends with 1 where a plugin has a problem."""
    rows = json.loads(run(python, "-m", "hub", "plugins", "--json", folder=python.parent, code=code))
    return {row["plugin"]: row for row in rows}


def test_the_wheel_holds_the_package_and_its_entry_point(built):
    with zipfile.ZipFile(built[".whl"]) as wheel:
        names = {name.split("/")[-1]: name for name in wheel.namelist()}
        assert {"plugin.py", "reading.py", "settings.py"} <= names.keys()
        assert wheel.read(names["entry_points.txt"]).decode().split() == [
            "[hub.plugins]", "karrio_bridge", "=", "hub_karrio_bridge.plugin",
        ]  # fmt: skip
        metadata = wheel.read(names["METADATA"]).decode()
    assert "Requires-Dist: karrio>=" in metadata
    assert "Requires-Dist: omni-hub" in metadata
    assert "How it was tested" in metadata, "the README is its long description"


def test_the_source_archive_can_be_built_again(built):
    with tarfile.open(built[".gz"]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "hub_karrio_bridge/plugin.py"} <= names


def test_installed_without_karrio_it_is_shown_and_says_what_is_missing(python):
    row = plugins_of(python, code=1)["karrio_bridge"]
    assert row["offers"] == []
    assert "pip install karrio-" in row["problem"]


def test_installed_beside_karrio_each_extension_is_a_kind_of_carrier(python):
    packages = next((python.parent.parent / "lib").glob("python*")) / "site-packages" / "karrio"
    packages.mkdir()
    for name, text in KARRIO.items():
        (packages / name).write_text(text, encoding="utf-8")
    try:
        row = plugins_of(python)["karrio_bridge"]
    finally:
        shutil.rmtree(packages)
    assert row["problem"] is None
    assert row["offers"] == ["carrier karrio_dhl_universal", "carrier karrio_ups"]
