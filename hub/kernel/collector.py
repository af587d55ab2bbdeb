"""How often a serving process looks for garbage."""

from __future__ import annotations

import gc


def calm_collector() -> None:
    """What lives as long as the process is not looked at again, and the rest less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
