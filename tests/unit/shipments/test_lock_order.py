"""Teams, orders, parcels: what is out of turn is taken first in a second run, on the database where it matters."""

import pytest

from hub.db.locks import lock_orders, lock_teams
from hub.kernel.clock import DAY
from hub.sdk.tracking import NotTracked, Problem, Status
from hub.shipments import store
from tests.unit.shipments.post import Post


@pytest.fixture
def post(both_worlds):
    return Post(both_worlds)


def is_postgresql(post):
    return not post.world.db.is_sqlite


def test_a_lock_that_is_out_of_turn_runs_the_transaction_again_with_it_first(post):
    row, runs = post.parcel("1111"), []

    def late(tx):
        runs.append({kind: set(ids) for kind, ids in tx._held.items()})
        store.lock(tx, [row.id])
        lock_orders(tx, [row.order_id])
        lock_teams(tx, [post.world.team])
        return "done"

    assert post.world.write(late) == "done"
    orders, teams = {"order": {row.order_id}}, {"team": {post.world.team}}
    assert runs == ([{}, orders, orders | teams] if is_postgresql(post) else [{}])


def test_within_a_kind_locks_ascend(post):
    low, high = sorted((post.world.team, post.world.strict))
    runs = []

    def descending(tx):
        runs.append(len(tx._held))
        lock_teams(tx, [high])
        lock_teams(tx, [low])

    post.world.write(descending)
    assert len(runs) == (2 if is_postgresql(post) else 1)


def test_an_answer_that_moves_orders_and_asks_sellers_is_written_whole_and_once(post):
    task = post.world.task()
    order = post.world.order(post.seller, request_id=task.request_id)
    asked = post.parcel("1111", order=order)
    moved = post.parcel("2222")
    post.carrier.says["1111"] = NotTracked(number="1111", problem=Problem.NOT_FOUND)
    post.says("2222", Status.ARRIVED)
    post.poll(6 * DAY)
    assert post.order(moved).stage == "arrived"
    assert [entry.body.count("1111") > 0 for entry in post.questions()] == [True]
    assert post.again(asked).problem == "never_found"
    assert post.world.findings() == []
