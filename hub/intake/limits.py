"""How often one sender address may deliver: a token bucket an address, kept in memory.

A bucket holds a whole minute's worth, so bursts up to the limit pass (a shop that relays its forms, an
office behind one address); beyond it the answer is 429 with the seconds to wait, and nothing is stored.
"""

from __future__ import annotations

from collections import OrderedDict
from math import ceil

MAX_ADDRESSES = 10_000


class RateLimit:
    """Deliveries a minute from one address; `per_minute` 0 = no limit."""

    __slots__ = ("_buckets", "_per_minute")

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, address: str, now_s: float) -> int:
        """0: go on (and one token is gone); else after how many seconds to try again."""
        if not self._per_minute:
            return 0
        rate = self._per_minute / 60
        tokens, since = self._buckets.pop(address, (float(self._per_minute), now_s))
        tokens = min(float(self._per_minute), tokens + max(0.0, now_s - since) * rate)
        wait = 0 if tokens >= 1 else max(1, ceil((1 - tokens) / rate))
        self._buckets[address] = (tokens - 1 if not wait else tokens, now_s)
        if len(self._buckets) > MAX_ADDRESSES:
            self._buckets.popitem(last=False)
        return wait
