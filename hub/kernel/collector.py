"""How often a process looks for garbage."""

from __future__ import annotations

import gc

_EVERY = 100_000, 50, 50


def starting() -> None:
    """Loading modules makes nothing but what stays; looking for garbage meanwhile costs a tenth of a start."""
    gc.set_threshold(*_EVERY)


def calm_collector() -> None:
    """What lives as long as the process is not looked at again, and the rest less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_EVERY)
