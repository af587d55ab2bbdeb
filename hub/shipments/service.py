"""Use cases of shipments: attach a number, ask the seller. What a carrier said is taken in by `taking`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import tzinfo

import structlog

from hub.access.model import Actor, May, system
from hub.assignment.service import open_task
from hub.db.tx import Tx
from hub.kernel import text
from hub.kernel.clock import DAY
from hub.kernel.errors import FieldProblem, InputRejected, RuleSaysNo
from hub.orders import service as orders
from hub.orders import store as order_store
from hub.orders.model import Payment
from hub.requests import store as requests
from hub.sdk.tracking import MoneyStatus, NotTracked, Status, Tracked
from hub.shipments import questions, store, telling
from hub.shipments.planner import Phase
from hub.shipments.store import ShipmentRow

log = structlog.get_logger("hub.shipments")

TRACKING = system("tracking")
OUTBOUND = "outbound"
USED_AGAIN_AFTER = 90 * DAY


@dataclass(frozen=True, slots=True)
class Pace:
    """How the planner reads time: the carrier's wall clock, and how fast it runs (1; more in the demo)."""

    zone: tzinfo
    speed: float = 1.0
    listed: bool = False  # the carrier lists what changed: single questions only fill gaps


def attach(
    tx: Tx, actor: Actor, order_id: int, account: str, plugin: str, number: str, phone: str | None
) -> ShipmentRow:
    """A waybill number joins an order; it is due at once. The same again gives the same shipment.

    Raises RuleSaysNo where another order has this number.
    """
    actor.require(May.WORK)
    order = order_store.get(tx.conn, order_id)
    for other in store.with_number(tx.conn, number, account):
        if other.order_id == order_id:
            return other
        ended_at = other.happened_at or other.changed_at or other.created_at
        if other.final and tx.now - ended_at >= USED_AGAIN_AFTER:
            continue  # carriers give numbers out again after a while
        number_of = order_store.get(tx.conn, other.order_id).number if other.order_id is not None else "-"
        raise RuleSaysNo(
            f"order {number_of} has this number already: check it, one waybill belongs to one order",
            order_number=number_of,
        )
    row = new_row(
        tx, actor, number, account, plugin, order_id=order_id, phone=phone, cod=order.payment == Payment.COD
    )
    store.add(tx, row)
    orders.remark(tx, actor, order_id, "shipment_attached", {"carrier": account, "number": number})
    telling.tell_one(tx, telling.ATTACHED, row)
    return row


def new_row(
    tx: Tx,
    actor: Actor,
    number: str,
    account: str,
    plugin: str,
    *,
    order_id: int | None,
    phone: str | None = None,
    cod: bool = False,
    parent_id: int | None = None,
    relation: str = OUTBOUND,
    currency: str = "UAH",
) -> ShipmentRow:
    """A parcel that is due at once."""
    money = MoneyStatus.UNKNOWN if cod else MoneyStatus.NONE
    return ShipmentRow(
        id=tx.new_id(), number=number, account=account, plugin=plugin, order_id=order_id, parent_id=parent_id,
        relation=relation, phone=phone, status=Status.UNKNOWN, raw_code=None, raw_text=None, clock_at=None,
        happened_at=None, place=None, money_status=money, cod=cod, currency=currency, cod_expected_minor=None,
        cod_collected_minor=None, cod_paid_out_minor=None, facts="{}", estimated_at=None, paid_storage_at=None,
        final=False, phase=Phase.CREATED, next_poll_at=tx.now, polled_at=None, changed_at=None, misses=0,
        problem=None, problem_text=None, created_at=tx.now, updated_at=tx.now, actor=actor.label,
        correlation_id=tx.correlation_id, version=1,
    )  # fmt: skip


def check_number(number: str) -> str:
    """A number as it may be stored. Raises InputRejected."""
    cleaned = text.one_line(number, text.SHORT).replace(" ", "")
    if not 4 <= len(cleaned) <= 40 or not cleaned.isascii():
        raise InputRejected(
            "this is no waybill number", [FieldProblem("number", "4 to 40 Latin letters and digits")]
        )
    return cleaned.upper()


# --- what a carrier said ---------------------------------------------------------------------------------


@dataclass(slots=True)
class Results:
    """What one or several calls said about claimed parcels."""

    tracked: dict[int, Tracked] = field(default_factory=dict)
    problems: dict[int, NotTracked] = field(default_factory=dict)
    unchanged: set[int] = field(default_factory=set)


def ask_seller(tx: Tx, row: ShipmentRow, question: str) -> None:
    """A question about a parcel, one of `questions`: a task for the order's team, and into the order's journal."""
    telling.tell_one(tx, telling.QUESTION, row, question=questions.NAMES[question])
    if row.order_id is None:
        return
    title = questions.about(row.number, question)
    order = order_store.get(tx.conn, row.order_id)
    if order.request_id is not None:  # first: it locks the team
        team_id = requests.get(tx.conn, order.request_id).team_id
        open_task(tx, TRACKING, team_id, kind="question", title=title, subject_id=row.id)
    orders.remark(tx, TRACKING, row.order_id, "question", {"number": row.number, "question": title})
