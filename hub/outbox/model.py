"""What leaving the hub may end in, and when a failed try is repeated. Pure."""

from __future__ import annotations

from enum import StrEnum

from hub.kernel.clock import HOUR, MINUTE, SECOND, Instant
from hub.sdk.messages import Later

LEASE = 60 * SECOND
MAX_ATTEMPTS = 8


class OutboxState(StrEnum):
    """Where an effect stands."""

    READY = "ready"
    SENDING = "sending"  # committed before the call: found so after a crash, nobody knows
    DONE = "done"
    DEAD = "dead"  # refused, or tried too often; a person sees it
    UNCERTAIN = "uncertain"  # a reply whose fate is unknown: a person decides, one click


def backoff(attempts: int, jitter: float) -> int:
    """Milliseconds until the next try: 5 s doubling up to an hour; `jitter` 0..1 spreads by a third."""
    base = min(HOUR, 5 * SECOND * 2 ** min(attempts, 12))
    return int(base * (0.85 + 0.3 * jitter))


REPEATED = frozenset(
    {"notice", "staff_message", "staff_answer", "webhook", "order_message", "staff_bot", "acknowledgement"}
)
GATHERED = frozenset({"notice", "staff_message"})
"""Lanes whose effects of one key that are due together are one call."""


def repeats_after_crash(lane: str) -> bool:
    """Notices and web hooks go again (they carry their id), and whatever is turned into other rows as its row is
    settled; replies to customers never go again by themselves.
    """
    return lane in REPEATED


def next_try(result: Later, attempts: int, now: Instant, jitter: float) -> Instant:
    """When a put-off effect is tried again."""
    wait = max(backoff(attempts, jitter), round(result.seconds * SECOND))
    return Instant(now + min(wait, 24 * HOUR if result.seconds else 60 * MINUTE))
