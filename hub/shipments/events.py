"""What customers may be told: a step forward of the parcel or of its money, each once.

Called in the transaction of the change. What goes back is a correction: shown to people here and part of the
web hooks, never announced to a customer, so that nobody outside sees a parcel flap.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hub.db.tx import Tx
from hub.sdk.tracking import RANK, MoneyStatus, Status

STATUS, MONEY = "shipment.status", "shipment.money"

_MONEY_RANK = {
    MoneyStatus.NONE: 0,
    MoneyStatus.UNKNOWN: 0,
    MoneyStatus.EXPECTED: 1,
    MoneyStatus.COLLECTED: 2,
    MoneyStatus.NOT_COLLECTED: 3,
    MoneyStatus.PAID_OUT: 4,
}


@dataclass(frozen=True, slots=True)
class ShipmentChange:
    """One step.

    row     the shipment as it now is (hub.shipments.store.ShipmentRow)
    before  the status or money status that was announced last; "" for none
    """

    event: str
    row: Any
    before: str


Announce = Callable[[Tx, ShipmentChange], None]


def nobody(tx: Tx, change: ShipmentChange) -> None:
    """Nobody listens."""


def is_step(status: str, announced: str) -> bool:
    """Is this status further than everything that was announced?"""
    return RANK[Status(status)] > (RANK[Status(announced)] if announced else 0)


def is_money_step(money: str, announced: str) -> bool:
    """Is the money further than everything that was announced?"""
    return _MONEY_RANK[MoneyStatus(money)] > (_MONEY_RANK[MoneyStatus(announced)] if announced else 0)
