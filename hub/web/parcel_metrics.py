"""The part of /metrics about parcels: age of their status by account and phase beside its target, calls, odd codes.

The grouped query walks all followed parcels (a second for a million), so its answer is kept for half a minute.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import tzinfo

from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy.engine import Connection

from hub.kernel.clock import Instant
from hub.shipments.freshness import Asking, Freshness, asking, freshness, unlisted_codes

KEPT_S = 30.0


@dataclass(eq=False)
class ParcelMetrics:
    """What was read last, and when."""

    zone: tzinfo
    fresh: list[Freshness] = field(default_factory=list)
    asked: list[Asking] = field(default_factory=list)
    codes: list[tuple[str, int]] = field(default_factory=list)
    _read_at: float = -KEPT_S

    def read(self, conn: Connection, now: Instant) -> None:
        """Read anew, unless that was just done."""
        if time.monotonic() - self._read_at < KEPT_S:
            return
        self.fresh = freshness(conn, now, self.zone)
        self.asked = asking(conn, now, self.zone)
        self.codes = unlisted_codes(conn)
        self._read_at = time.monotonic()

    def families(self) -> Iterator[Metric]:
        """The gauges."""
        labels = ("carrier", "phase")
        age = GaugeMetricFamily("hub_status_age_seconds", "mean age of the newest status", labels=labels)
        oldest = GaugeMetricFamily(
            "hub_status_age_oldest_seconds", "age of the oldest of them", labels=labels
        )
        target = GaugeMetricFamily(
            "hub_status_age_target_seconds", "how old it may be at this hour", labels=labels
        )
        late = GaugeMetricFamily("hub_shipments_late", "parcels whose status is older", labels=labels)
        count = GaugeMetricFamily("hub_shipments", "parcels that are followed", labels=labels)
        for one in self.fresh:
            key = (one.account, one.phase)
            values = (one.age_s, one.oldest_s, one.target_s, one.late, one.parcels)
            for family, value in zip((age, oldest, target, late, count), values, strict=True):
                family.add_metric(key, value)
        yield from (age, oldest, target, late, count)
        calls = GaugeMetricFamily("hub_carrier_calls_today", "calls of this day", labels=("carrier",))
        pace = GaugeMetricFamily(
            "hub_carrier_pace", "1, and less after a carrier said slower", labels=("carrier",)
        )
        paused = GaugeMetricFamily("hub_carrier_paused", "1 while it is left alone", labels=("carrier",))
        for account in self.asked:
            calls.add_metric((account.account,), account.calls_today)
            pace.add_metric((account.account,), account.pace)
            paused.add_metric((account.account,), float(account.paused))
        codes = GaugeMetricFamily("hub_unlisted_codes", "codes that no table lists", labels=("plugin",))
        for plugin, number in self.codes:
            codes.add_metric((plugin,), number)
        yield from (calls, pace, paused, codes)
