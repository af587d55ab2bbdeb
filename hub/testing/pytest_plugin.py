"""The kits as a pytest plugin (entry point `pytest11`): leaves out the checks that do not apply.

A check marked with `requires(...)` exists only where the plugin's capabilities say so. It is not collected
at all otherwise: a run of a kit shows what was checked, never a row of skips. Where the kit cannot build
its object every check stays in, and fails with the reason.
"""

from __future__ import annotations

import pytest

for _module in ("face", "contract_channel", "contract_carrier", "channel_network", "carrier_lists"):
    pytest.register_assert_rewrite(f"hub.testing.{_module}")


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
