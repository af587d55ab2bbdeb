"""The largest of what was seen lately, kept in three numbers."""

from __future__ import annotations

WINDOW_S = 60.0


class RecentMax:
    """The maximum of the present window and the one before; `now_s` is a monotonic clock."""

    __slots__ = ("_before", "_here", "_window")

    def __init__(self) -> None:
        self._window = 0
        self._here = 0.0
        self._before = 0.0

    def note(self, value: float, now_s: float) -> None:
        """One more value."""
        window = int(now_s / WINDOW_S)
        if window != self._window:
            self._before = self._here if window == self._window + 1 else 0.0
            self._window, self._here = window, value
        elif value > self._here:
            self._here = value

    def read(self, now_s: float) -> float:
        """The maximum of at least one, at most two windows back; 0 where nothing was seen."""
        behind = int(now_s / WINDOW_S) - self._window
        return max(self._here, self._before) if behind == 0 else self._here if behind == 1 else 0.0
