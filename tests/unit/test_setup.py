"""The checkout itself: locks, licence, architecture contracts, and the test databases."""

import itertools
import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from tests.conftest import CHECKOUT

LOCKS = ("requirements.lock", "requirements-dev.lock")
PIN = re.compile(r"^([a-z0-9][a-z0-9-]*)==([^\s;]+)", re.MULTILINE)


def read(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


def project() -> dict:
    return tomllib.loads(read("pyproject.toml"))


def contracts() -> dict[str, dict]:
    return {contract["id"]: contract for contract in project()["tool"]["importlinter"]["contracts"]}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_hashes(lock):
    entries = re.split(r"\n(?=[a-z0-9])", read(lock).strip())
    assert len(entries) > 30
    for entry in entries:
        assert PIN.match(entry), entry.splitlines()[0]
        assert "--hash=sha256:" in entry, entry.splitlines()[0]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_index_host_or_path(lock):
    for line in read(lock).splitlines():
        assert "://" not in line
        assert "/" not in line, line
        assert not line.startswith("-"), line


def test_development_runs_on_the_versions_that_are_shipped():
    runtime, development = (dict(PIN.findall(read(lock))) for lock in LOCKS)
    assert runtime.items() <= development.items()


def test_the_runtime_lock_holds_the_build_backend_and_no_extra():
    pinned = dict(PIN.findall(read("requirements.lock")))
    assert {"hatchling", "editables"} <= pinned.keys()
    assert not {"psycopg", "python-telegram-bot", "greenlet", "pytest"} & pinned.keys()


@pytest.mark.parametrize(
    ("file", "words"),
    [("LICENSE", "Apache License"), ("NOTICE", "Apache License"), ("CHANGELOG.md", "0.1.0")],
)
def test_licence_notice_and_changelog_are_there(file, words):
    assert words in read(file)


def test_every_dependency_is_explained():
    listed = read("docs/dependencies.md")
    table = project()["project"]
    groups = [*table["optional-dependencies"].values(), *project()["dependency-groups"].values()]
    wanted = itertools.chain(table["dependencies"], *groups)
    names = [re.split(r"[\[<>=]", requirement)[0] for requirement in wanted]
    assert [name for name in names if f"| {name} |" not in listed] == []


def test_a_plugin_is_kept_from_every_layer_but_the_sdk():
    layers = {name for row in contracts()["layers"]["layers"] for name in row.split(" | ")}
    assert set(contracts()["plugins-use-the-sdk"]["forbidden_modules"]) == layers - {"hub.sdk"}


def test_no_part_of_the_hub_stands_outside_the_layers():
    layers = {name for row in contracts()["layers"]["layers"] for name in row.split(" | ")}
    parts = {
        f"hub.{entry.stem}"
        for entry in (CHECKOUT / "hub").iterdir()
        if (entry.suffix == ".py" and not entry.stem.startswith("__")) or (entry / "__init__.py").is_file()
    }
    assert parts <= layers


@pytest.mark.parametrize("round_", [1, 2])
def test_each_test_gets_a_fresh_database(database_url, round_):
    engine = sa.create_engine(database_url)
    try:
        with engine.begin() as connection:
            assert connection.scalar(sa.text("SELECT 1")) == 1
            assert "mark" not in sa.inspect(connection).get_table_names()
            connection.execute(sa.text("CREATE TABLE mark (id integer)"))
    finally:
        engine.dispose()


def test_a_database_can_be_copied_from_a_template(postgres_cluster):
    template = postgres_cluster.create_database(name="shape")
    with postgres_cluster.connect(template) as connection:
        connection.execute("CREATE TABLE mark AS SELECT 'є' AS letter")
    copy = postgres_cluster.create_database(template=template)
    with postgres_cluster.connect(copy) as connection:
        assert connection.execute("SELECT upper(letter) FROM mark").fetchall() == [("Є",)]
    postgres_cluster.drop_database(copy)
    postgres_cluster.drop_database(template)


def test_the_server_keeps_what_it_confirmed(postgres_cluster):
    with postgres_cluster.connect() as connection:
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)


KILLED_RUN = """
import os, sys
from tests.postgres_cluster import running_cluster
with running_cluster() as cluster:
    print(cluster.port, cluster.folder, flush=True)
    os.kill(os.getpid(), 9)
"""


def test_a_killed_run_leaves_no_server_behind(postgres_cluster, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", KILLED_RUN],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == -9, done.stderr
    port, folder = done.stdout.split()
    wait_for_absence(Path(folder))
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(host="127.0.0.1", port=int(port), user="hub", dbname="postgres", connect_timeout=5)


def wait_for_absence(folder: Path) -> None:
    subprocess.run(
        ["/bin/sh", "-c", 'while [ -e "$1" ]; do sleep 0.1; done', "wait", folder], timeout=20, check=True
    )


SKIPPING = """
import pytest

def test_asks_for_what_is_absent():
    pytest.skip("no such server")

@pytest.mark.xfail(reason="known")
def test_known_fault():
    raise AssertionError
"""


@pytest.mark.parametrize(("no_skips", "exit_code"), [("", 0), ("1", 1)])
def test_a_skip_fails_the_run_when_asked(tmp_path, monkeypatch, no_skips, exit_code):
    monkeypatch.setenv("HUB_NO_SKIPS", no_skips)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    (tmp_path / "test_skipping.py").write_text(textwrap.dedent(SKIPPING))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider"]
    command += ["--rootdir", str(tmp_path), "-c", "/dev/null", str(tmp_path)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == exit_code, done.stdout + done.stderr
    assert "1 xfailed" in done.stdout
    assert ("no such server" in done.stdout) is bool(no_skips)
