"""What passes through the door of the intake."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hub.contacts.model import Person
from hub.intake.extras import Extra, Signal
from hub.kernel.clock import Instant
from hub.sdk.messages import Event, Outcome, RawDelivery

READ_BY_HAND_AT = 3
"""The try at which a delivery that nobody can read becomes a task for a person."""


class DeliveryState(StrEnum):
    """What became of a raw delivery."""

    STORED = "stored"  # understood; a request holds it
    NOTED = "noted"  # understood; nothing to do (probe, receipt, echo)
    SPAM = "spam"  # a trap was hit; can be released
    PENDING = "pending"  # not understood yet: the plugin was too slow or is switched off
    UNREADABLE = "unreadable"  # the plugin cannot understand it
    FAILED = "failed"  # the database refused what it says


UNFINISHED = frozenset({DeliveryState.PENDING, DeliveryState.UNREADABLE, DeliveryState.FAILED})


# Not frozen: one of each is made for every delivery, and freezing costs twice the making. Nobody changes them.
@dataclass(slots=True)
class Message:
    """One event, settled for storage: bounded text, normalised person."""

    event: Event
    person: Person
    text: str
    text_key: str
    subject: str
    fields: str
    source: str
    extra: Extra | None = None
    task_title: str = ""
    reaction_ms: int | None = None


@dataclass(slots=True)
class Prepared:
    """A delivery as it enters the group commit. Nothing in it needs the plugin any more.

    external_id  None where each delivery is new
    state        STORED if `messages` hold what it says, else why not
    earlier      id of the stored row when it is replayed, else None; `attempts` counts this try
    """

    raw: RawDelivery
    team_id: int
    external_id: str | None
    digest: str
    state: DeliveryState
    messages: tuple[Message, ...] = ()
    reason: str | None = None
    earlier: int | None = None
    attempts: int = 1
    headers: str = "{}"
    query: str = "{}"
    blob: str | None = None
    signals: tuple[Signal, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyReused:
    """The same key with another body: 422, nothing stored."""


Result = Outcome | KeyReused


def retry_at(attempts: int, now: Instant) -> Instant | None:
    """When an unfinished delivery is tried again: a task exists within 30 s of the 2xx at the latest."""
    if attempts >= READ_BY_HAND_AT:
        return None
    return Instant(now + 8_000)
