"""Which work is put at which hour of the night, once over all processes.

A tick looks for the last planned moment and puts its work unless some process did. Where all of them slept
through it, the work is put when the first one wakes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta, tzinfo
from functools import partial

from hub.db.database import Database
from hub.kernel.clock import Instant, instant, moment
from hub.outbox.jobs.port import enqueue_planned


class Nightly:
    """`tick` often; `plan` says at which time of the day, by the hub's zone, which kind of work begins."""

    def __init__(self, db: Database, zone: tzinfo, plan: Mapping[str, time]) -> None:
        self._db = db
        self._zone = zone
        self._plan = plan
        self._put: dict[str, Instant] = {}

    async def tick(self) -> None:
        """Put what is due and was not put yet."""
        now = self._db.clock.now()
        for kind, at in self._plan.items():
            planned_at = last_moment(at, now, self._zone)
            if self._put.get(kind) != planned_at:
                await self._db.write(partial(enqueue_planned, kind=kind, at=planned_at))
                self._put[kind] = planned_at


def last_moment(at: time, now: Instant, zone: tzinfo) -> Instant:
    """When the clocks of this zone last showed this time; an hour that a day does not have counts from before."""
    here = moment(now).astimezone(zone)
    for day in (here.date(), here.date() - timedelta(days=1)):
        planned = datetime.combine(day, at, zone)
        if instant(planned) <= now:
            return instant(planned)
    raise AssertionError("unreachable: yesterday's time has passed")
