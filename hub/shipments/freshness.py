"""How fresh statuses are: parcels that are watched, their age and who is older than the target, by account and phase.

One grouped query over the partial index of followed parcels. Where a carrier lists what changed, its list keeps all
statuses of the account fresh: their age is that of the list, where it is younger. A status that nobody ever told is
as old as its parcel.
"""

from __future__ import annotations

from datetime import tzinfo
from typing import NamedTuple

from sqlalchemy import and_, case, func, select
from sqlalchemy.engine import Connection

from hub.db.tables import call_budget, carrier_list, shipment, unknown_code
from hub.kernel.clock import SECOND, Instant
from hub.shipments.budget import FULL_PACE
from hub.shipments.planner import Phase, day_start, is_night, target_of


class Freshness(NamedTuple):
    """Parcels of one account in one phase; seconds. `late`: how many are older than the target."""

    account: str
    phase: str
    parcels: int
    age_s: float
    oldest_s: float
    target_s: float
    late: int


class Asking(NamedTuple):
    """What an account asks. `pace`: 1, and less after "too many requests"."""

    account: str
    calls_today: int
    pace: float
    paused: bool


def freshness(conn: Connection, now: Instant, zone: tzinfo) -> list[Freshness]:
    """All accounts and phases with a parcel that is asked for again."""
    night = is_night(now, zone)
    targets = {phase: found for phase in Phase if (found := target_of(phase, night=night)) is not None}
    answered_at = func.coalesce(shipment.c.polled_at, shipment.c.created_at)
    listed_at = func.coalesce(carrier_list.c.reached_at, 0)
    age = now - case((listed_at > answered_at, listed_at), else_=answered_at)
    target = case(*((shipment.c.phase == phase, value) for phase, value in targets.items()), else_=None)
    of_list = and_(carrier_list.c.account == shipment.c.account, carrier_list.c.kind == "changes")
    query = (
        select(
            shipment.c.account, shipment.c.phase, func.count(), func.avg(age), func.max(age),
            func.sum(case((age > target, 1), else_=0)),
        )
        .select_from(shipment.outerjoin(carrier_list, of_list))
        .where(shipment.c.next_poll_at.is_not(None))
        .group_by(shipment.c.account, shipment.c.phase)
    )  # fmt: skip
    return [
        Freshness(
            name, phase, count, float(mean) / SECOND, oldest / SECOND, targets[phase] / SECOND, int(late)
        )
        for name, phase, count, mean, oldest, late in conn.execute(query)
        if phase in targets
    ]


def asking(conn: Connection, now: Instant, zone: tzinfo) -> list[Asking]:
    """The budgets of all accounts that were ever asked."""
    today = day_start(now, zone)
    return [
        Asking(
            row.account,
            row.used if row.window_at == today else 0,
            row.pace / FULL_PACE,
            row.paused_until_at is not None and row.paused_until_at > now,
        )
        for row in conn.execute(select(call_budget).order_by(call_budget.c.account))
    ]


def unlisted_codes(conn: Connection) -> list[tuple[str, int]]:
    """How many codes stand in no table, by plugin."""
    query = select(unknown_code.c.plugin, func.count()).group_by(unknown_code.c.plugin)
    return [(row[0], row[1]) for row in conn.execute(query)]
