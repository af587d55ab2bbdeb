"""The kits as a pytest plugin (entry point `pytest11`): leaves out the checks that do not apply.

A check marked with `requires(...)` exists only where the plugin's capabilities say so. It is not collected
at all otherwise: a run of a kit shows what was checked, never a row of skips. Where the kit cannot build
its object every check stays in, and fails with the reason.

    --kit-report FILE    writes what became of each check as JSON, for `hub plugins test`
"""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

for _module in ("face", "contract_channel", "contract_carrier", "channel_network", "carrier_lists"):
    pytest.register_assert_rewrite(f"hub.testing.{_module}")


def pytest_addoption(parser: pytest.Parser) -> None:
    """One option."""
    group = parser.getgroup("hub")
    group.addoption("--kit-report", metavar="FILE", help="write what became of each check, as JSON")


def pytest_configure(config: pytest.Config) -> None:
    """Take notes where a report is wanted."""
    file = config.getoption("--kit-report")
    if file:
        config.pluginmanager.register(Notes(Path(file)), "hub-kit-notes")


def pytest_pycollect_makeitem(
    collector: pytest.Module | pytest.Class, name: str, obj: object
) -> list[pytest.Item] | None:
    """None lets pytest go on as usual."""
    need = getattr(obj, "kit_need", None)
    if need is None or not isinstance(collector, pytest.Class):
        return None
    return None if _applies(collector.obj, need) else []


def _applies(kit: type, need: str) -> bool:
    try:
        return bool(kit().applies(need))
    except Exception:  # noqa: BLE001 - the check itself then fails, and says why
        return True


class Notes:
    """Takes down what became of each test, and writes it at the end."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._tests: dict[str, dict[str, Any]] = {}
        self._broken: list[dict[str, str]] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Failures of set-up and tear-down count as the test's own."""
        report = yield
        noted = self._tests.setdefault(item.nodeid, _about(item))
        if report.failed and noted["outcome"] != "failed":
            error = call.excinfo.value if call.excinfo is not None else None
            noted |= {"outcome": "failed", "error": type(error).__name__, "why": str(error)}
            noted["where"] = _where(call, Path(str(item.config.rootpath)))
        return report

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that cannot be imported."""
        if report.failed:
            self._broken.append({"file": report.nodeid, "why": str(report.longrepr)})

    def pytest_sessionfinish(self) -> None:
        """Write it."""
        whole = {"tests": list(self._tests.values()), "broken": self._broken}
        self._file.write_text(json.dumps(whole), encoding="utf-8")


def _about(item: pytest.Item) -> dict[str, Any]:
    from hub.testing.face import Face  # noqa: PLC0415 - only where a report is wanted

    kit = getattr(item, "cls", None)
    function = getattr(item, "function", None)
    return {
        "name": item.name,
        "kit": kit.__name__ if isinstance(kit, type) and issubclass(kit, Face) else "",
        "meaning": (getattr(function, "__doc__", None) or "").strip().partition("\n")[0],
        "outcome": "passed",
    }


def _where(call: pytest.CallInfo[None], root: Path) -> str:
    """The innermost line of the plugin's own files; "" where the failure is the kit's word alone."""
    here = Path(__file__).parent
    for entry in reversed(call.excinfo.traceback if call.excinfo is not None else []):
        path = Path(str(entry.path))
        if path.is_relative_to(root) and here not in path.parents and "site-packages" not in path.parts:
            return f"{path.relative_to(root)}:{entry.lineno + 1}"
    return ""
