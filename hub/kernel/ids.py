"""Ids are made in the process: 41 bits of milliseconds since 2025, 10 of node, 12 of counter.

Why so: parents and children are written in one statement without asking the database for a key, ids
sort by time, and a repeated COMMIT can be recognised. The node number comes from a lease row
(`hub.coordination.nodes`), which is what makes ids of two processes differ. A clock that steps back
does not matter: the generator never goes back, it runs ahead of the clock for a while.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from hub.kernel.clock import Instant

EPOCH_2025 = 1_735_689_600_000
NODES = 1 << 10
_COUNTER_BITS = 12
_NODE_BITS = 10

MAX_ID = (1 << 63) - 1


class IdSource:
    """Hands out ids of one node, each larger than the last. Safe to use from several threads.

    `not_before` is an instant up to which another holder of this node number may have issued ids.
    """

    def __init__(self, node: int, now: Callable[[], Instant], not_before: int = 0) -> None:
        if not 0 <= node < NODES:
            raise ValueError(f"a node number is 0..{NODES - 1}")
        self._node = node << _COUNTER_BITS
        self._now = now
        self._last = max(0, not_before - EPOCH_2025) << _COUNTER_BITS
        self._lock = threading.Lock()

    def next(self) -> int:
        """One id."""
        return self.take(1)[0]

    def take(self, count: int) -> list[int]:
        """`count` ids, ascending; the clock is asked once."""
        floor = (self._now() - EPOCH_2025) << _COUNTER_BITS
        with self._lock:
            first = max(self._last + 1, floor)
            self._last = first + count - 1
        node = self._node
        return [
            (n >> _COUNTER_BITS << (_COUNTER_BITS + _NODE_BITS)) | node | (n & 0xFFF)
            for n in range(first, first + count)
        ]

    def reached(self) -> Instant:
        """The instant inside the newest id: no holder after us may begin before it."""
        return Instant((self._last >> _COUNTER_BITS) + EPOCH_2025)


def issued_at(identifier: int) -> Instant:
    """When an id was made, as told by the id itself."""
    return Instant((identifier >> (_COUNTER_BITS + _NODE_BITS)) + EPOCH_2025)


def first_at(at: int) -> int:
    """The smallest id that can be made at an instant."""
    return max(0, at - EPOCH_2025) << (_COUNTER_BITS + _NODE_BITS)


def parse_id(text: str) -> int:
    """An id as it stands in a URL or a JSON string. Raises ValueError."""
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise ValueError("an id is a string of digits")
    value = int(text)
    if value > MAX_ID:
        raise ValueError("an id is a string of digits")
    return value
