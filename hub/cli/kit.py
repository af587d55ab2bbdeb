"""`hub plugins test`: finds a plugin's tests, runs them apart, and says in plain words what failed.

The tests run in a process of their own with the plugin's folder as working directory, so a plugin that
spins or ends its process harms nothing here, and one that is not installed yet can be tested all the same.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub.kernel.errors import InputRejected
from hub.loader import load_plugins
from hub.testing.scaffold import places_left

TEST_FOR_S = 900.0
LEAST_README = 200
MAX_LINES = 3


@dataclass(frozen=True, slots=True)
class Project:
    """Where a plugin is: the folder to run in, its tests, its README."""

    folder: Path
    tests: Path
    readme: Path
    marks: Path


@dataclass(slots=True)
class Findings:
    """What a run has shown. `checks`: those of the kit that ran; `left`: notes that fail nothing."""

    checks: int = 0
    failed: list[dict[str, str]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Nothing failed and nothing is missing."""
        return not self.failed and not self.missing


def locate(what: str) -> Project:
    """A folder, or the name of a plugin that is installed from one. Raises InputRejected."""
    folder = Path(what)
    if folder.is_dir():
        folder = folder.resolve()
        if not (folder / "tests").is_dir():
            raise InputRejected(
                f"{folder} has no folder `tests`: name the folder with the plugin's pyproject.toml"
            )
        return Project(folder, folder / "tests", folder / "README.md", folder)
    found = next((one for one in load_plugins().found if one.name == what), None)
    if found is None:
        raise InputRejected(f"{what} is neither a folder nor a plugin: see `hub plugins`")
    package = _package(found.origin)
    for above in package.parents:
        own = above / "tests" / "plugins" / what
        tests = own if own.is_dir() else above / "tests"
        if (above / "pyproject.toml").is_file() and tests.is_dir():
            readme = package / "README.md" if own.is_dir() else above / "README.md"
            return Project(above, tests, readme, package if own.is_dir() else above)
    raise InputRejected(f"{what} is installed without its tests: name the folder of its source")


def _package(origin: str) -> Path:
    spec = importlib.util.find_spec(origin.partition(":")[0].rpartition(".")[0])
    if spec is None or not spec.submodule_search_locations:
        raise InputRejected(f"{origin} cannot be found: name the folder of the plugin's source")
    return Path(next(iter(spec.submodule_search_locations))).resolve()


def run(project: Project) -> Findings:
    """Run the tests. Raises InputRejected where there is nothing to run them with."""
    for needed in ("pytest", "hypothesis"):
        if importlib.util.find_spec(needed) is None:
            raise InputRejected(f'the kit needs {needed}: pip install "omni-hub[kit]"')
    with tempfile.TemporaryDirectory(prefix="hub-kit-") as temporary:
        report = Path(temporary) / "report.json"
        said = _pytest(project, report)
        if not report.is_file():
            raise InputRejected(f"the tests could not be run:\n{said}")
        told = json.loads(report.read_text(encoding="utf-8"))
    return findings(project, told)


def _pytest(project: Project, report: Path) -> str:
    """What pytest said last; its exit code says less than its report."""
    paths = [str(project.folder), os.environ.get("PYTHONPATH", "")]
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")},
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-m", "pytest", str(project.tests), "-q", "-p", "no:cacheprovider"]
    try:
        ended = subprocess.run(  # noqa: S603 - our own interpreter
            [*command, "--kit-report", str(report)], cwd=project.folder, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TEST_FOR_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise InputRejected(
            f"the tests did not end within {TEST_FOR_S:.0f} s: something waits for ever"
        ) from None
    return "\n".join(ended.stdout.splitlines()[-15:])


def findings(project: Project, told: dict[str, Any]) -> Findings:
    """What the report of a run means, and what the plugin lacks besides."""
    checks = [one for one in told["tests"] if one["kit"]]
    found = Findings(checks=len(checks))
    found.failed = [_plain(one) for one in told["tests"] if one["outcome"] == "failed"]
    for one in told["broken"]:
        found.missing.append(f"{one['file'] or 'the tests'} cannot be read: {_last_line(one['why'])}")
    found.missing += _missing(project, kit=bool(checks) or bool(told["broken"]))
    marks = places_left(project.marks)
    if marks:
        first = marks[0]
        found.left.append(
            f"{len(marks)} places are still marked FILL IN, the first in "
            f"{first.file.relative_to(project.marks)}:{first.line}: {first.words}"
        )
    return found


def _missing(project: Project, *, kit: bool) -> Iterator[str]:
    """What every plugin has."""
    if not kit:
        yield "no kit: make a class that inherits ChannelContract or CarrierContract (see docs/plugins.md)"
    fixtures = project.tests / "fixtures"
    names = {one.name for one in fixtures.iterdir()} if fixtures.is_dir() else set()
    if not names & {"SOURCES.md", "README.md"} or len(names) < 2:
        yield "no fixtures: put answers of the service below tests/fixtures, and say in SOURCES.md where they come from"
    if not project.readme.is_file() or len(project.readme.read_text(encoding="utf-8")) < LEAST_README:
        yield f"no README.md of at least {LEAST_README} characters: say what it does, its settings, its limits"


def _plain(test: dict[str, Any]) -> dict[str, str]:
    """One failure: the check as a sentence, and why."""
    name, bracket, case = test["name"].partition("[")
    words = name.removeprefix("test_").replace("_", " ")
    case = f" ({case.removesuffix(']')})" if bracket else ""
    why = _why(test["why"]) or "the check does not hold, and says no more"
    if test["error"] not in {"AssertionError", "Failed"}:
        why = f"{test['error']}: {why}"
    return {
        "check": words[:1].upper() + words[1:] + case,
        "meaning": test["meaning"],
        "why": why,
        "where": test["where"],
    }


def _why(message: str) -> str:
    """The first lines of an assertion; pytest's drawing below it is left out."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    kept = [line for line in lines if not re.match(r"(\+|where|and  )", line)][:MAX_LINES]
    return "; ".join(line[:300] for line in kept)


def _last_line(report: str) -> str:
    lines = [line.removeprefix("E").strip() for line in report.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "no reason was told"
