"""What happens to orders and parcels at random, beside the tasks of `ledger_process`: carriers tell, sellers move.

Both take the same locks from two sides: a carrier's answer comes by the parcels and may end at an order and a
team; a seller comes by the team and the order.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from hub.access.model import Actor
from hub.db import tables as t
from hub.db.database import Database
from hub.kernel.errors import HubError, Unavailable
from hub.orders import service as orders
from hub.orders.model import NewOrder, Payment
from hub.orders.money import Method, NewPayment, PaymentKind
from hub.sdk.carrier import Carrier
from hub.sdk.tracking import (
    Facts,
    Likeness,
    MoneyStatus,
    NotTracked,
    Observation,
    Problem,
    Recognition,
    RelatedNumber,
    RelationKind,
    Status,
    Tracked,
)
from hub.shipments import bulk, joining, store, taking
from hub.shipments.bulk import Line, Shelf
from hub.shipments.service import Pace, Results

NUMBERS, ACCOUNT = 300, "np"
PACE = Pace(ZoneInfo("Europe/Kyiv"))
STATUSES = [
    Status.CREATED,
    Status.IN_TRANSIT,
    Status.ARRIVED,
    Status.REFUSED,
    Status.DELIVERED,
    Status.CANCELLED,
]
STAGES = ["agreed", "packed", "shipped", "arrived", "delivered", "closed"]


class _Silent(Carrier):
    def looks_like(self, text: str) -> Recognition:
        return Recognition(likeness=Likeness.PERHAPS, number=text)

    async def track(self, numbers: Any) -> Any:
        raise NotImplementedError


SHELF = Shelf({ACCOUNT: _Silent()}, {ACCOUNT: "scripted"})


class Parcels:
    """Verbs about orders and parcels of one database."""

    def __init__(self, db: Database, actor: Callable[[random.Random], Actor]) -> None:
        self.db = db
        self.actor = actor

    def verbs(self) -> list[tuple[int, Callable[[random.Random], None]]]:
        """With their weights."""
        return [
            (2, self.order), (3, self.attach), (1, self.attach_many), (7, self.carrier_says), (3, self.move_order),
            (1, self.pay), (1, self.detach), (1, self.join),
        ]  # fmt: skip

    def _some(self, chance: random.Random, column: Any, *conditions: Any, count: int = 1) -> list[int]:
        query = select(column).where(*conditions).order_by(column.desc()).limit(60)
        found = self.db.read_now(lambda conn: [row[0] for row in conn.execute(query)])
        return chance.sample(found, min(count, len(found))) or [0]

    def order(self, chance: random.Random) -> None:
        """A request becomes an order: its task is done, so its team is locked first."""
        actor = self.actor(chance)
        [request_id] = self._some(chance, t.request.c.id)
        new = NewOrder(
            contact_id=None, request_id=request_id, responsible_id=actor.staff_id,
            payment=chance.choice(list(Payment)),
        )  # fmt: skip
        self.db.write_now(lambda tx: orders.create(tx, actor, new))

    def attach(self, chance: random.Random) -> None:
        """A number of a few that everybody types."""
        actor, number = self.actor(chance), f"2045{chance.randrange(NUMBERS):06d}"
        [order_id] = self._some(chance, t.orders.c.id)
        self.db.write_now(lambda tx: joining.attach(tx, actor, order_id, ACCOUNT, "scripted", number, None))

    def attach_many(self, chance: random.Random) -> None:
        """Several orders in one transaction, in any order."""
        actor = self.actor(chance)
        query = select(t.orders.c.number).order_by(t.orders.c.id.desc()).limit(60)
        known = self.db.read_now(lambda conn: [row[0] for row in conn.execute(query)])
        lines = [
            Line(at, f"2045{chance.randrange(NUMBERS):06d}", order)
            for at, order in enumerate(chance.sample(known, min(6, len(known))), 1)
        ]
        heard = SHELF.hear(lines)
        self.db.write_now(lambda tx: bulk.add(tx, actor, lines, heard, default=ACCOUNT, skip_problems=True))

    def carrier_says(self, chance: random.Random) -> None:
        """One answer about many parcels, and the account's budget after them. Never refused: nobody is there to ask."""
        ids = self._some(chance, t.shipment.c.id, count=25)
        rows = self.db.read_now(lambda conn: store.many(conn, ids))
        results = _said(chance, rows)

        def take(tx: Any) -> None:
            taking.take_in(tx, rows, results, PACE)
            store.write_budget(tx, ACCOUNT, store.lock_budget(tx, ACCOUNT))

        try:
            self.db.write_now(take)
        except Unavailable:
            raise
        except HubError as refused:
            raise AssertionError(f"a carrier's answer was refused: {type(refused).__name__}") from refused

    def move_order(self, chance: random.Random) -> None:
        actor, stage = self.actor(chance), chance.choice(STAGES)
        [order_id] = self._some(chance, t.orders.c.id)
        self.db.write_now(lambda tx: orders.move_stage(tx, actor, order_id, stage, "why not"))

    def pay(self, chance: random.Random) -> None:
        actor = self.actor(chance)
        [order_id] = self._some(chance, t.orders.c.id)
        new = NewPayment(kind=PaymentKind.RECEIVED, amount_minor=100, method=Method.CASH, paid_at=1)
        self.db.write_now(lambda tx: orders.record_payment(tx, actor, order_id, new))

    def detach(self, chance: random.Random) -> None:
        actor = self.actor(chance)
        [shipment_id] = self._some(chance, t.shipment.c.id)
        self.db.write_now(lambda tx: joining.detach(tx, actor, shipment_id))

    def join(self, chance: random.Random) -> None:
        actor = self.actor(chance)
        [shipment_id] = self._some(chance, t.shipment.c.id, t.shipment.c.order_id.is_(None))
        [order_id] = self._some(chance, t.orders.c.id)
        self.db.write_now(lambda tx: joining.join(tx, actor, shipment_id, order_id))


def _said(chance: random.Random, rows: Sequence[store.ShipmentRow]) -> Results:
    results = Results()
    for row in rows:
        if chance.random() < 0.15:
            problem = chance.choice([Problem.NOT_FOUND, Problem.BAD_NUMBER, Problem.NO_NEWS])
            results.problems[row.id] = NotTracked(number=row.number, problem=problem)
            continue
        status = chance.choice(STATUSES)
        back = RelatedNumber(number=f"59{row.number}", kind=RelationKind.RETURN)
        facts = Facts(
            money=chance.choice([None, MoneyStatus.EXPECTED, MoneyStatus.PAID_OUT]),
            related=(back,) if status is Status.REFUSED and row.parent_id is None else (),
        )
        clock = datetime(2026, 3, 2, tzinfo=UTC) + timedelta(minutes=chance.randrange(10_000))
        one = Observation(status=status, raw_code=str(status), clock=clock, facts=facts)
        document = f"{row.number} {status} {chance.randrange(3)}".encode()
        results.tracked[row.id] = Tracked(number=row.number, observations=(one,), document=document)
    return results
