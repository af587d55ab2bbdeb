"""When a parcel is asked for again: its phase has a target age of the newest status, jitter spreads.

    phase      is                                            target age (day / night in Kyiv)
    created    waybill made, or not found yet                1 h
    moving     the carrier has it                            15 min / 1 h
    waiting    can be collected, or is with the courier      15 min / 1 h
    quiet      no news for two days, or an exception         2 h
    returning  refused, on its way back                      3 h
    money      delivered, the money is under way             2 h
    silent     no news for a week: backs off to a day        a day
    look       ended: one more look for late corrections     a day, then never
    given_up   nothing for 30 days, or refused as mistyped   never by itself: the seller is asked

Numbers of the postal union's form (two letters, nine digits, two letters) may go abroad, where steps come late or
not at all: their silence counts from twice as long.

A parcel is asked for at 85 to 100 hundredths of its target, so that in nineteen of twenty moments its status
is younger. In the last quarter of an hour of the night all that is watched closely is asked for once, spread
evenly: the day begins with fresh statuses and without a rush. Where the carrier lists what changed, the list
keeps statuses fresh and single questions only fill gaps.

Pure: no SQL, no clock of its own. `speed` makes time run faster for the demonstration.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from enum import StrEnum

from hub.kernel.clock import DAY, HOUR, MINUTE, Instant, instant, moment
from hub.kernel.frozen import quick
from hub.sdk.tracking import FINAL, MoneyStatus, Status
from hub.shipments.model import MONEY_SETTLED, is_final

NIGHT_FROM, NIGHT_TO = 22, 7
SOONEST, SPREAD = 0.85, 0.15
RETRY_BASE = MINUTE
GIVE_UP_AFTER = 30 * DAY
SILENT_AFTER = 7 * DAY
QUIET_AFTER = 2 * DAY
BACKS_OFF_BY = 28
"""A silent parcel is asked for after a 28th of its silence: 6 h after a week, a day after four."""
LISTED_EVERY = 12 * HOUR
FOREIGN_PATIENCE = 2
_POSTAL = re.compile(r"[A-Z]{2}[0-9]{9}[A-Z]{2}")


class Phase(StrEnum):
    """How closely a parcel is watched."""

    CREATED = "created"
    MOVING = "moving"
    WAITING = "waiting"
    QUIET = "quiet"
    RETURNING = "returning"
    MONEY = "money"
    SILENT = "silent"
    LOOK = "look"
    GIVEN_UP = "given_up"
    ENDED = "ended"


_PHASE = {
    Status.UNKNOWN: Phase.CREATED,
    Status.CREATED: Phase.CREATED,
    Status.ACCEPTED: Phase.MOVING,
    Status.IN_TRANSIT: Phase.MOVING,
    Status.ARRIVED: Phase.WAITING,
    Status.OUT_FOR_DELIVERY: Phase.WAITING,
    Status.DELIVERY_ATTEMPTED: Phase.WAITING,
    Status.EXCEPTION: Phase.QUIET,
    Status.REFUSED: Phase.RETURNING,
    Status.RETURNING: Phase.RETURNING,
}
_BECOMES_QUIET = frozenset({Phase.CREATED, Phase.MOVING, Phase.WAITING})
_TARGET: dict[str, tuple[int, int]] = {
    Phase.CREATED: (HOUR, HOUR),
    Phase.MOVING: (15 * MINUTE, HOUR),
    Phase.WAITING: (15 * MINUTE, HOUR),
    Phase.QUIET: (2 * HOUR, 2 * HOUR),
    Phase.RETURNING: (3 * HOUR, 3 * HOUR),
    Phase.MONEY: (2 * HOUR, 2 * HOUR),
    Phase.SILENT: (DAY, DAY),
    Phase.LOOK: (DAY, DAY),
}


@quick
@dataclass(frozen=True, slots=True)
class Watched:
    """What the planner needs to know of a parcel. Instants; `changed_at` is the last news."""

    status: Status
    money: MoneyStatus
    created_at: int
    changed_at: int | None
    ended_at: int | None
    bad_number: bool = False
    patience: int = 1


def patience_of(number: str) -> int:
    """How many times as long nothing may be heard of a number before somebody is asked."""
    return FOREIGN_PATIENCE if len(number) == 13 and _POSTAL.fullmatch(number) else 1


def phase_of(parcel: Watched, now: Instant) -> Phase:
    """How closely it is watched right now."""
    if parcel.bad_number:
        return Phase.GIVEN_UP
    news_at = parcel.changed_at or parcel.created_at
    if parcel.status in FINAL:
        if not is_final(parcel.status, parcel.money, parcel.ended_at, now):
            return Phase.MONEY
        settled = parcel.money in MONEY_SETTLED
        return Phase.LOOK if settled and now - news_at < DAY else Phase.ENDED
    silence = now - news_at
    if silence >= GIVE_UP_AFTER * parcel.patience:
        return Phase.GIVEN_UP
    if silence >= SILENT_AFTER * parcel.patience:
        return Phase.SILENT
    phase = _PHASE[parcel.status]
    return Phase.QUIET if phase in _BECOMES_QUIET and silence >= QUIET_AFTER else phase


def target_of(phase: str, *, night: bool) -> int | None:
    """How old the newest status of such a parcel may be, in milliseconds; None: it is not watched."""
    targets = _TARGET.get(phase)
    return None if targets is None else targets[night]


@dataclass(frozen=True, slots=True)
class Hours:
    """The carrier's day around one moment. `fresh_from_at`: when the coming day's freshness begins."""

    night: bool
    fresh_from_at: int

    @classmethod
    def at(cls, now: Instant, zone: tzinfo) -> Hours:
        """Between 22 and 7 o'clock by the carrier's wall clock it is night; the last 15 minutes count as day."""
        local = moment(now).astimezone(zone)
        evening = local.hour >= NIGHT_FROM
        day = local.date() + timedelta(days=1) if evening else local.date()
        morning = datetime.combine(day, time(NIGHT_TO), zone)
        fresh_from = instant(morning) - _TARGET[Phase.MOVING][0]
        return cls(evening or now < fresh_from, fresh_from)


def next_poll(
    parcel: Watched, now: Instant, zone: tzinfo, jitter: float, speed: float = 1.0, *, listed: bool = False
) -> int | None:
    """When it is asked for again; None: never by itself. `jitter` in 0..1."""
    return next_of(parcel, phase_of(parcel, now), now, Hours.at(now, zone), jitter, speed, listed=listed)


def next_of(
    parcel: Watched, phase: Phase, now: Instant, hours: Hours, jitter: float, speed: float, *, listed: bool
) -> int | None:
    """As `next_poll`, for many parcels of one moment."""
    target = target_of(phase, night=hours.night)
    if target is None:
        return None
    if phase is Phase.SILENT:
        target = min(target, (now - (parcel.changed_at or parcel.created_at)) // BACKS_OFF_BY)
    if listed:
        target = max(target, LISTED_EVERY)
    at = now + max(500, round(target * (SOONEST + SPREAD * jitter) / speed))
    by_day = target_of(phase, night=False)
    if hours.night and speed == 1.0 and not listed and at > hours.fresh_from_at and target != by_day:
        assert by_day is not None
        return min(at, round(hours.fresh_from_at + by_day * jitter))
    return at


def is_night(now: Instant, zone: tzinfo) -> bool:
    """Between 22 and 7 o'clock, by the carrier's wall clock."""
    hour = moment(now).astimezone(zone).hour
    return hour >= NIGHT_FROM or hour < NIGHT_TO


def day_start(now: Instant, zone: tzinfo) -> int:
    """When the present day began, by the carrier's wall clock."""
    local = moment(now).astimezone(zone)
    return instant(datetime(local.year, local.month, local.day, tzinfo=zone))


def retry_after(failures: int, jitter: float, speed: float = 1.0, longest: int = HOUR) -> int:
    """Milliseconds until a failed question is asked again: a minute doubling up to `longest`."""
    base: int = min(longest, RETRY_BASE << min(failures, 10))
    return max(500, int(base * (0.85 + 0.3 * jitter) / speed))
