"""A hub with parcels at a carrier that says what the test wrote down."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import orjson

from hub.accounts import store as accounts
from hub.db import tables as t
from hub.orders import store as order_store
from hub.orders.model import Payment
from hub.sdk.carrier import Carrier, CarrierCapabilities
from hub.sdk.errors import NumbersRejected
from hub.sdk.tracking import (
    Facts,
    Likeness,
    NotTracked,
    Observation,
    Problem,
    Recognition,
    TrackAnswer,
    Tracked,
    TrackingNumber,
)
from hub.shipments import service, store
from hub.shipments.events import nobody
from hub.shipments.poller import Poller
from hub.shipments.service import Pace

NP = "np"


class Scripted(Carrier):
    """Says of each number what `says` holds; `fails` are raised first, one a call."""

    def __init__(self, batch_size=100, calls_per_minute=1_000):
        self.capabilities = CarrierCapabilities(batch_size=batch_size, calls_per_minute=calls_per_minute)
        self.says: dict[str, Observation | NotTracked] = {}
        self.fails: list[Exception] = []
        self.poison: set[str] = set()
        self.leaves_out: set[str] = set()
        self.shuffles = False
        self.calls: list[list[str]] = []

    def looks_like(self, text: str) -> Recognition:
        return Recognition(likeness=Likeness.PERHAPS, number=text)

    async def track(self, numbers: Sequence[TrackingNumber]) -> TrackAnswer:
        asked = [n.number for n in numbers]
        self.calls.append(asked)
        if self.fails:
            raise self.fails.pop(0)
        if self.poison & set(asked):
            raise NumbersRejected(message="one of them is wrong")
        if self.shuffles:
            random.Random(1).shuffle(asked)
        tracked, problems = [], []
        for number in asked:
            said = self.says.get(number, NotTracked(number=number, problem=Problem.NOT_FOUND))
            if number in self.leaves_out:
                continue
            if isinstance(said, NotTracked):
                problems.append(replace(said, number=number))
            else:
                document = orjson.dumps([number, said.raw_code])
                tracked.append(Tracked(number=number, observations=(said,), document=document))
        return TrackAnswer(tracked=tuple(tracked), problems=tuple(problems))


class Post:
    """A hub with one carrier account (or several), its poller, and one seller."""

    def __init__(self, world, *names, announce=nobody):
        self.world = world
        self.carriers = {name: Scripted() for name in (names or (NP,))}
        self.carrier = self.carriers[(names or (NP,))[0]]
        self.poller = Poller(world.db, self.carriers, Pace(ZoneInfo("Europe/Kyiv")), announce)
        world.write(
            accounts.sync, [accounts.Configured(n, "carrier", "scripted", None) for n in self.carriers]
        )
        self.seller = world.worker("Олена")

    def parcel(self, number, *, order=None, cod=False, account=NP):
        order = order or self.world.order(self.seller, payment=Payment.COD if cod else Payment.OTHER)
        return self.world.write(
            service.attach, self.seller.actor, order.id, account, "scripted", number, "+380671234567"
        )

    def poll(self, later=0):
        self.world.clock.move(later)
        return asyncio.run(self.poller.run_due())

    def says(self, number, status, minutes=0, *, code="", account=NP, clock=True, **facts):
        """From now on the carrier says this; its clock is noon plus minutes."""
        start = datetime(2026, 3, 2, 10, tzinfo=UTC) + timedelta(minutes=minutes)
        self.carriers[account].says[number] = Observation(
            status=status, raw_code=code or status.value, raw_text=f"текст {status.value}",
            clock=start if clock else None, happened_at=start, place="Львів", facts=Facts(**facts),
        )  # fmt: skip

    def again(self, row):
        return self.world.read(store.get, row.id)

    def order(self, row):
        return self.world.read(order_store.get, row.order_id)

    def journal(self, row):
        return [(e.event, e.stage) for e in self.world.read(order_store.journal, row.order_id)]

    def questions(self):
        return [r for r in self.world.rows(t.order_journal) if r.event == "question"]
