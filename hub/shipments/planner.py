"""When a parcel is asked for again: its phase decides how often, jitter spreads, the budget bounds.

    phase      is                                            asked again after (day / night in Kyiv)
    created    waybill made, or not found yet                1 h; 6 h after two days; a day after two weeks
    moving     the carrier has it                            15 min / 1 h
    waiting    can be collected, or is with the courier      15 min / 1 h
    quiet      no news for two days, or an exception         2 h
    returning  refused, on its way back                      3 h
    money      delivered, the money is under way             2 h
    look       ended: one more look for late corrections     a day, then never
    silent     nothing for 30 days, or refused as mistyped   never by itself: the seller is asked

Pure: no SQL, no clock of its own. `speed` makes time run faster for the demonstration.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo
from enum import StrEnum

from hub.kernel.clock import DAY, HOUR, MINUTE, Instant, moment
from hub.sdk.tracking import FINAL, MoneyStatus, Status
from hub.shipments.model import MONEY_SETTLED, is_final

NIGHT_FROM, NIGHT_TO = 22, 7
JITTER = 0.1
RETRY_BASE = MINUTE
SILENT_AFTER = 30 * DAY
QUIET_AFTER = 2 * DAY
YOUNG = 2 * DAY


class Phase(StrEnum):
    """How closely a parcel is watched."""

    CREATED = "created"
    MOVING = "moving"
    WAITING = "waiting"
    QUIET = "quiet"
    RETURNING = "returning"
    MONEY = "money"
    LOOK = "look"
    SILENT = "silent"
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
_EVERY = {
    Phase.MOVING: (15 * MINUTE, HOUR),
    Phase.WAITING: (15 * MINUTE, HOUR),
    Phase.QUIET: (2 * HOUR, 2 * HOUR),
    Phase.RETURNING: (3 * HOUR, 3 * HOUR),
    Phase.MONEY: (2 * HOUR, 2 * HOUR),
}


@dataclass(frozen=True, slots=True)
class Watched:
    """What the planner needs to know of a parcel. Instants; `changed_at` is the last news."""

    status: Status
    money: MoneyStatus
    created_at: int
    changed_at: int | None
    ended_at: int | None
    bad_number: bool = False


def phase_of(parcel: Watched, now: Instant) -> Phase:
    """How closely it is watched right now."""
    if parcel.bad_number:
        return Phase.SILENT
    news_at = parcel.changed_at or parcel.created_at
    if parcel.status in FINAL:
        if not is_final(parcel.status, parcel.money, parcel.ended_at, now):
            return Phase.MONEY
        settled = parcel.money in MONEY_SETTLED
        return Phase.LOOK if settled and now - news_at < DAY else Phase.ENDED
    if now - news_at >= SILENT_AFTER:
        return Phase.SILENT
    phase = _PHASE[parcel.status]
    if phase in {Phase.MOVING, Phase.WAITING} and now - news_at >= QUIET_AFTER:
        return Phase.QUIET
    return phase


def next_poll(parcel: Watched, now: Instant, zone: tzinfo, jitter: float, speed: float = 1.0) -> int | None:
    """When it is asked for again; None: never by itself. `jitter` in 0..1."""
    phase = phase_of(parcel, now)
    if phase in {Phase.SILENT, Phase.ENDED}:
        return None
    if phase is Phase.LOOK:
        every = DAY
    elif phase is Phase.CREATED:
        every = _created_every(now - (parcel.changed_at or parcel.created_at))
    else:
        day, night = _EVERY[phase]
        every = night if is_night(now, zone) else day
    return now + max(500, round(every * (1 - JITTER + 2 * JITTER * jitter) / speed))


def _created_every(age: int) -> int:
    if age < YOUNG:
        return HOUR
    return 6 * HOUR if age < 14 * DAY else DAY


def is_night(now: Instant, zone: tzinfo) -> bool:
    """Between 22 and 7 o'clock, by the carrier's wall clock."""
    hour = moment(now).astimezone(zone).hour
    return hour >= NIGHT_FROM or hour < NIGHT_TO


def retry_after(failures: int, jitter: float, speed: float = 1.0) -> int:
    """Milliseconds until a failed call is tried again: a minute doubling up to an hour."""
    base: int = min(HOUR, RETRY_BASE << min(failures, 10))
    return max(500, int(base * (0.85 + 0.3 * jitter) / speed))


def throttle_pause(slowdowns: int, told_s: float | None) -> int:
    """Milliseconds an account is left alone after "too many requests": told, or 60 s doubling to 15 min."""
    own = min(15 * MINUTE, MINUTE << min(slowdowns, 6))
    return max(own, int((told_s or 0) * 1000))
