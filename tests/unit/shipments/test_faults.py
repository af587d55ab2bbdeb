"""Faults of carriers while parcels are followed: the real poller on a real database, the clock moved by hand.

Six accounts with twenty parcels each for some hours; in each test one thing goes wrong. No parcel of another account
may get older than its target, everything catches up afterwards, and nothing that is stored is wrong.
"""

import asyncio
import random
from dataclasses import dataclass

import pytest

from hub.accounts import store as accounts
from hub.db import tables as t
from hub.kernel.clock import HOUR, MINUTE
from hub.sdk.carrier import CarrierCapabilities
from hub.sdk.errors import AnswerUnreadable, AuthenticationFailed, NotReached, Throttled
from hub.sdk.tracking import Status, TrackAnswer
from hub.shipments.planner import is_night, target_of
from tests.unit.shipments.post import Post, Scripted

S = Status
ACCOUNTS = ("a", "b", "c", "d", "e", "f")
PARCELS = 20
STEP = MINUTE
WAY = (S.CREATED, S.ACCEPTED, S.IN_TRANSIT, S.ARRIVED)


class Faulty(Scripted):
    """Parcels that move on by themselves, and a fault that is asked before each call."""

    def __init__(self, post):
        super().__init__()
        self.post = post
        self.capabilities = CarrierCapabilities(batch_size=10, calls_per_minute=6, parallel_calls=2)
        self.fault = None

    async def track(self, numbers):
        if self.fault is not None:
            replaced = self.fault(numbers)
            if isinstance(replaced, Exception):
                self.calls.append([])
                raise replaced
            numbers = replaced
        return await super().track(numbers)


@dataclass
class Late:
    """Moments of parcels: all, and those older than their target."""

    moments: int = 0
    late: int = 0

    @property
    def share(self):
        return self.late / self.moments


class Fleet(Post):
    def __init__(self, world):
        super().__init__(world, *ACCOUNTS)
        self.random = random.Random(7)
        order = world.order(self.seller)
        for name in ACCOUNTS:
            self.carriers[name] = Faulty(self)
            for n in range(PARCELS):
                self.parcel(f"{name.upper()}{n:04d}", order=order, account=name)
        self.ages = {name: Late() for name in ACCOUNTS}
        self.step = 0
        self.truth = {}

    def pass_time(self, span):
        """Let parcels move and the poller work; look at the age of each status."""
        for _ in range(span // STEP):
            self.step += 1
            if self.step % 10 == 1:
                self._move_some()
            self.world.clock.move(STEP)
            asyncio.run(self.poller.run_due())
            if self.step % 2:
                self._look()

    def _move_some(self):
        for name in self.carriers:
            for n in range(PARCELS):
                at = min(len(WAY) - 1, (self.step + 7 * n) // 30)
                number = f"{name.upper()}{n:04d}"
                if self.truth.get(number) != WAY[at]:
                    self.truth[number] = WAY[at]
                    self.says(number, WAY[at], self.step, account=name)

    def _look(self):
        now = self.world.clock.now()
        night = is_night(now, self.poller._pace.zone)
        for row in self.world.rows(t.shipment):
            target = target_of(row.phase, night=night)
            assert target is not None
            asked_at = row.polled_at or row.created_at
            self.ages[row.account].moments += 1
            self.ages[row.account].late += now - asked_at > target

    def nobody_else_is_late(self, *hit):
        for name in ACCOUNTS:
            if name not in hit:
                assert self.ages[name].share <= 0.05, (name, self.ages[name])

    def everything_has_caught_up(self):
        """Every parcel is where its carrier says, at the latest when the longest target has gone by."""
        for _ in range(16):
            self.world.clock.move(4 * MINUTE)
            asyncio.run(self.poller.run_due())
        stored = {row.number: row.status for row in self.world.rows(t.shipment)}
        assert stored == self.truth

    def nobody_went_over_budget(self):
        for row in self.world.rows(t.call_budget):
            assert row.used <= 4 * HOUR // MINUTE * 6


@pytest.fixture
def fleet(world):
    fleet = Fleet(world)
    fleet.pass_time(5 * MINUTE)
    yield fleet
    fleet.everything_has_caught_up()
    fleet.nobody_went_over_budget()
    assert world.findings() == []


def test_one_answer_in_a_hundred_malformed_makes_nobody_late(fleet):
    for carrier in fleet.carriers.values():
        carrier.fault = lambda n: AnswerUnreadable("html") if fleet.random.random() < 0.01 else n
    fleet.pass_time(HOUR)
    fleet.nobody_else_is_late()
    for carrier in fleet.carriers.values():
        carrier.fault = None
    fleet.pass_time(20 * MINUTE)


def test_one_throttled_account_and_one_dead_key_are_nobody_elses_matter(fleet):
    fleet.carriers["a"].fault = lambda n: Throttled("slow down") if fleet.random.random() < 0.7 else n
    fleet.carriers["b"].fault = lambda n: AuthenticationFailed("the key is refused")
    fleet.pass_time(HOUR)
    fleet.nobody_else_is_late("a", "b")
    assert fleet.world.read(accounts.get, "carrier", "b").state == "stopped"
    assert len(fleet.carriers["b"].calls) < 10, "no storm with a dead key"
    fleet.carriers["a"].fault = fleet.carriers["b"].fault = None
    fleet.world.write(accounts.resume, "carrier", "b")
    fleet.pass_time(30 * MINUTE)


def test_half_of_a_batch_missing_is_asked_for_again_and_makes_nobody_late(fleet):
    missing = {"on": True}

    def half(numbers):
        return numbers[::2] if missing["on"] and fleet.random.random() < 0.1 else numbers

    for carrier in fleet.carriers.values():
        carrier.fault = half
    fleet.pass_time(HOUR)
    fleet.nobody_else_is_late()
    missing["on"] = False
    fleet.pass_time(20 * MINUTE)


def test_a_carrier_down_for_an_hour_is_probed_and_then_catches_up_within_minutes(fleet):
    for name in ("a", "b"):
        fleet.carriers[name].fault = lambda n: NotReached("no connection")
    before = len(fleet.carriers["a"].calls)
    fleet.pass_time(HOUR)
    fleet.nobody_else_is_late("a", "b")
    assert len(fleet.carriers["a"].calls) - before <= 60
    for name in ("a", "b"):
        fleet.carriers[name].fault = None
    fleet.pass_time(15 * MINUTE)


def test_a_storm_of_429_slows_all_down_and_ends_well(fleet):
    storm = {"on": True}
    for carrier in fleet.carriers.values():
        carrier.fault = lambda n: Throttled("HTTP 429", retry_after_s=20) if storm["on"] else n
    before = sum(len(c.calls) for c in fleet.carriers.values())
    fleet.pass_time(HOUR)
    asked = sum(len(c.calls) for c in fleet.carriers.values()) - before
    assert asked <= len(ACCOUNTS) * 14, "each account asks less and less"
    storm["on"] = False
    fleet.pass_time(40 * MINUTE)


def test_a_key_revoked_in_flight_loses_nothing(fleet):
    revoked = {"after": 3}

    def revoke(numbers):
        revoked["after"] -= 1
        return AuthenticationFailed("revoked") if revoked["after"] < 0 else numbers

    fleet.carriers["a"].fault = revoke
    fleet.pass_time(40 * MINUTE)
    fleet.nobody_else_is_late("a")
    assert fleet.world.read(accounts.get, "carrier", "a").state == "stopped"
    fleet.carriers["a"].fault = None
    fleet.world.write(accounts.resume, "carrier", "a")
    fleet.pass_time(20 * MINUTE)


def test_an_empty_answer_is_not_an_empty_world(fleet, monkeypatch):
    async def nothing(numbers):
        return TrackAnswer()

    told = {r.number: r.status for r in fleet.world.rows(t.shipment, t.shipment.c.account == "a")}
    monkeypatch.setattr(fleet.carriers["a"], "track", nothing)
    fleet.pass_time(20 * MINUTE)
    assert {r.number: r.status for r in fleet.world.rows(t.shipment, t.shipment.c.account == "a")} == told
    monkeypatch.undo()
    fleet.pass_time(20 * MINUTE)
