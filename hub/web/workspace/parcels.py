"""A parcel as pages show it: where it is, its steps, its money, what has to be looked after. Read model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy.engine import Connection

from hub.kernel.clock import DAY
from hub.sdk.tracking import FINAL, RANK, Status
from hub.shipments import store
from hub.shipments.model import Seen
from hub.shipments.pages import page_of
from hub.shipments.store import ShipmentRow

WARNED_BEFORE = 2 * DAY
_NOT_THERE = frozenset({"unknown", "created", "accepted", "in_transit", *FINAL})


class Storage(StrEnum):
    """How near paid storage is, while somebody can still do something about it."""

    LATER = "later"
    SOON = "soon"
    RUNS = "runs"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a timeline. `correction`: the carrier took an earlier step back with it."""

    seen: Seen
    correction: bool

    @property
    def at(self) -> int:
        """When it happened, as far as anybody tells."""
        told = self.seen.happened_at or self.seen.clock_at
        return told if told is not None else self.seen.first_seen_at


@dataclass(frozen=True, slots=True)
class Parcel:
    """A parcel as the page of its order shows it: its steps newest first, its further waybills."""

    row: ShipmentRow
    steps: Sequence[Step]
    related: Sequence[ShipmentRow]
    carrier: str
    now: int
    page: str = ""  # the carrier's own, of this number

    @property
    def facts(self) -> dict[str, Any]:
        """What the carrier tells besides the status."""
        found: dict[str, Any] = json.loads(self.row.facts)
        return found

    @property
    def hidden(self) -> bool:
        """Does the carrier keep sums and names from us?"""
        return bool(self.facts.get("hidden"))

    @property
    def where(self) -> str:
        """Where it is now, in the carrier's words."""
        if self.row.place:
            return self.row.place
        told = self.facts
        return str(told.get("branch") or "") if self.row.status == Status.ARRIVED else ""

    @property
    def storage(self) -> Storage | None:
        """How near paid storage is; None where it does not matter (any more)."""
        at = self.row.paid_storage_at
        if at is None or self.row.final or self.row.status in FINAL:
            return None
        if at <= self.now:
            return Storage.RUNS
        return Storage.SOON if at - self.now <= WARNED_BEFORE else Storage.LATER

    @property
    def expected_at(self) -> int | None:
        """When it should be at the recipient; None once it is there."""
        return self.row.estimated_at if self.row.status in _NOT_THERE - FINAL else None

    @property
    def difference_minor(self) -> int | None:
        """What came against what was expected; None while one of the two is not told."""
        came = (
            self.row.cod_paid_out_minor
            if self.row.cod_paid_out_minor is not None
            else self.row.cod_collected_minor
        )
        if came is None or self.row.cod_expected_minor is None:
            return None
        return came - self.row.cod_expected_minor

    @property
    def has_money(self) -> bool:
        """Is there a money line to show?"""
        row = self.row
        told = (row.cod_expected_minor, row.cod_collected_minor, row.cod_paid_out_minor)
        return row.money_status != "none" or any(told)


def timeline(seen: Sequence[Seen]) -> list[Step]:
    """Steps oldest first, each event once, whatever facts came with it."""
    ordered = list({one.event: one for one in sorted(seen, key=lambda o: o.order_key)}.values())
    steps, before = [], Status.UNKNOWN
    for one in ordered:
        known = one.status is not Status.UNKNOWN
        back = known and one.clock_at is not None and RANK[one.status] < RANK[before]
        steps.append(Step(one, back))
        before = one.status if known else before
    return steps


def parcels_of(
    conn: Connection,
    rows: Sequence[ShipmentRow],
    titles: Mapping[str, str],
    now: int,
    pages: Mapping[str, str] | None = None,
) -> list[Parcel]:
    """Parcels with their timelines; further legs stand with the parcel that they belong to.

    pages  by account the address of the carrier's page of a number
    """
    seen = store.observations(conn, [r.id for r in rows])
    known = {r.id for r in rows}
    return [
        Parcel(
            parcel,
            timeline(seen[parcel.id])[::-1],
            [r for r in rows if r.parent_id == parcel.id],
            titles.get(parcel.account, parcel.account),
            now,
            page_of((pages or {}).get(parcel.account, ""), parcel.number),
        )
        for parcel in rows
        if parcel.parent_id not in known
    ]
