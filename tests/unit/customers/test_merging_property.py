"""Random histories of arrivals, merges and undos against a model of a few lines.

The model knows for each row only its home, and for each card into which one it was merged: where a row stands is the
end of that chain. Nothing in it moves, so nothing in it can be lost.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.contacts import store as contacts
from hub.contacts.model import PHONE, IdentityKey, Person
from hub.customers.merging import merge, unmerge
from hub.db import tables as t
from hub.intake.byhand import ByHand, open_by_hand
from hub.kernel.errors import RuleSaysNo
from hub.requests import service as requests
from hub.requests.model import Closing, Outcome
from tests.unit.customers.test_merging import everything
from tests.unit.world import World

CARDS = 4
card = st.integers(0, CARDS - 1)
arrival = st.tuples(st.just("asks"), card, st.integers(0, 1))
step = st.one_of(
    arrival,
    arrival,
    st.tuples(st.just("merge"), card, card),
    st.tuples(st.just("merge"), card, card),
    st.tuples(st.just("undo"), card, st.just(0)),
    st.tuples(st.just("undo"), card, st.just(0)),
    st.tuples(st.just("close"), st.integers(0, 30), st.just(0)),
    st.tuples(st.just("number"), card, st.just(0)),
    st.tuples(st.just("order"), card, st.just(0)),
)
histories = st.lists(step, min_size=4, max_size=22)


@dataclass
class Asked:
    home: int
    team: int
    number: int
    open: bool = True
    joining: bool = True
    noted: bool = False


@dataclass
class Model:
    """What must be true."""

    into: dict[int, int] = field(default_factory=dict)
    requests: dict[int, Asked] = field(default_factory=dict)
    numbers: dict[IdentityKey, int] = field(default_factory=dict)
    orders: dict[int, int] = field(default_factory=dict)

    def root(self, one: int) -> int:
        while one in self.into:
            one = self.into[one]
        return one

    def of(self, one: int, team: int) -> list[Asked]:
        return [r for r in self.requests.values() if self.root(r.home) == one and r.team == team and r.open]

    def asks(self, one: int, team: int, request_id: int) -> None:
        for other in self.of(self.root(one), team):
            other.joining = False
        self.requests[request_id] = Asked(self.root(one), team, len(self.requests))

    def merge(self, one: int, other: int, teams: list[int]) -> None:
        for team in teams:
            both = [r for c in (one, other) for r in self.of(c, team) if r.joining]
            for r in both:
                r.noted = True
                r.joining = r is max(both, key=lambda x: x.number)
        self.into[other] = one

    def undo(self, other: int, teams: list[int]) -> None:
        was = self.root(other)
        del self.into[other]
        for one in (was, other):
            for team in teams:
                here = self.of(one, team)
                noted = [r for r in here if r.noted]
                if noted and not any(r.joining for r in here):
                    max(noted, key=lambda r: r.number).joining = True
            if one not in self.into.values():
                for r in self.requests.values():
                    if self.root(r.home) == one:
                        r.noted = False


class History:
    """The hub and the model, step by step."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.model = Model()
        self.seller = world.worker("Ann")
        self.teams = [world.team, world.strict]
        self.cards = []
        for n in range(CARDS):
            key = IdentityKey(PHONE, f"+38050000000{n}")
            found = world.write(contacts.find_or_add, Person(f"N{n}", "", None, (key,)))
            self.cards.append(found)
            self.model.numbers[key] = found

    def run(self, steps: list[tuple[str, int, int]]) -> None:
        for verb, first, second in steps:
            getattr(self, verb)(first, second)
            self.check()

    def asks(self, first: int, second: int) -> None:
        """As the intake does: who it is says the identity, not the card."""
        key = IdentityKey(PHONE, f"+38050000000{first}")
        contact_id = self.world.write(contacts.find_or_add, Person("", "", None, (key,)))
        assert contact_id == self.model.root(self.cards[first])
        taken = ByHand(contact_id, self.teams[second], "ціна?", "", "phone")
        made = self.world.write(open_by_hand, self.world.admin, taken)
        self.model.asks(self.cards[first], self.teams[second], made.id)

    def number(self, first: int, _second: int) -> None:
        known = IdentityKey(PHONE, f"+38050000000{first}")
        key = IdentityKey(PHONE, f"+3806700000{len(self.model.numbers):02d}")
        found = self.world.write(contacts.find_or_add, Person("", "", None, (known, key)))
        self.model.numbers[key] = found

    def order(self, first: int, _second: int) -> None:
        made = self.world.order(self.seller, contact_id=self.cards[first])
        self.model.orders[made.id] = self.model.root(self.cards[first])

    def close(self, first: int, _second: int) -> None:
        if not self.model.requests:
            return
        request_id = list(self.model.requests)[first % len(self.model.requests)]
        self.world.write(requests.close, self.world.admin, request_id, Closing(outcome=Outcome.ANSWERED))
        found = self.model.requests[request_id]
        found.open = found.joining = False

    def merge(self, first: int, second: int) -> None:
        one, other = self.cards[first], self.cards[second]
        if first == second or one in self.model.into or other in self.model.into:
            return
        self.world.write(merge, self.world.admin, one, other)
        self.model.merge(one, other, self.teams)

    def undo(self, first: int, _second: int) -> None:
        one = self.cards[first]
        if one not in self.model.into:
            with pytest.raises(RuleSaysNo):
                self.world.write(unmerge, self.world.admin, one)
            return
        self.world.write(unmerge, self.world.admin, one)
        self.model.undo(one, self.teams)

    def check(self) -> None:
        model, root = self.model, self.model.root
        cards = {row.id: row.merged_into_id or row.id for row in self.world.rows(t.contact)}
        assert {one: cards[one] for one in self.cards} == {one: root(one) for one in self.cards}
        asked = {row.id: (row.contact_id, row.joining) for row in self.world.rows(t.request)}
        assert asked == {one: (root(r.home), r.joining) for one, r in model.requests.items()}
        numbers = {IdentityKey(row.kind, row.value): row.contact_id for row in self.world.rows(t.identity)}
        mine = {key: owner for key, owner in numbers.items() if key in model.numbers}
        assert mine == {key: root(home) for key, home in model.numbers.items()}
        found = {row.id: row.contact_id for row in self.world.rows(t.orders)}
        assert {one: found[one] for one in model.orders} == {one: root(h) for one, h in model.orders.items()}

    def take_all_apart(self, order: list[int]) -> None:
        for first in order:
            self.undo(first, 0)
            self.check()


def broken(world: World) -> list[Any]:
    """What `hub db check` finds, but for requests that were closed without their task."""
    return [one for one in world.findings() if "merge" in one["finding"] or "identit" in one["finding"]]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=histories, order=st.permutations(range(CARDS)))
def test_any_history_is_what_the_model_says(
    make_world: Callable[[], World], steps: list[tuple[str, int, int]], order: list[int]
):
    world = make_world()
    try:
        history = History(world)
        history.run(steps)
        history.take_all_apart(order)
        assert broken(world) == []
        assert world.rows(t.joined_before) == []
    finally:
        world.db.close()


move = st.one_of(st.tuples(st.just("merge"), card, card), st.tuples(st.just("undo"), card, st.just(0)))
only_moves = st.lists(move, min_size=2, max_size=12)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(first=st.lists(arrival, min_size=2, max_size=8), moves=only_moves, order=st.permutations(range(CARDS)))
def test_merges_and_undos_alone_leave_everything_as_it_was(
    make_world: Callable[[], World], first: Any, moves: Any, order: list[int]
):
    world = make_world()
    try:
        history = History(world)
        history.run(first)
        before = everything(world)
        history.run(moves)
        history.take_all_apart(order)
        assert everything(world) == before
    finally:
        world.db.close()


HISTORIES: list[list[tuple[str, int, int]]] = [
    [("asks", 0, 0), ("asks", 1, 0), ("merge", 0, 1), ("asks", 1, 0), ("undo", 1, 0), ("asks", 0, 0)],
    [("asks", 0, 0), ("asks", 1, 0), ("asks", 2, 1), ("merge", 1, 0), ("merge", 2, 1), ("order", 0, 0),
     ("asks", 0, 1), ("close", 0, 0), ("undo", 0, 0), ("number", 1, 0), ("merge", 3, 2), ("undo", 1, 0)],
    [("merge", 0, 1), ("asks", 1, 0), ("merge", 0, 2), ("asks", 2, 0), ("undo", 1, 0), ("asks", 1, 0), ("undo", 2, 0)],
]  # fmt: skip


@pytest.mark.parametrize("steps", HISTORIES)
def test_a_few_histories_on_both_databases(both_worlds: World, steps: list[tuple[str, int, int]]):
    history = History(both_worlds)
    history.run(steps)
    history.take_all_apart([2, 0, 3, 1])
    assert broken(both_worlds) == []
