"""Short, counting forms of the figures of tracking; the long ones are in tests/benchmarks."""

from hub.kernel.clock import HOUR
from hub.sdk.tracking import Status
from tests.benchmarks import week
from tests.benchmarks.week import Ages, Week
from tests.unit.shipments.post import Post


def test_a_simulated_morning_keeps_ages_within_targets_and_accounts_within_budgets():
    found = week.measure(4_000, 9 / 24)
    assert found["late"] == []
    assert found["over_budget"] == 0
    assert found["fewer_calls"] >= week.MUST
    assert found["accounts"] == 50


def test_the_simulation_would_show_late_parcels_and_broken_budgets(monkeypatch):
    monkeypatch.setattr(week, "next_of", lambda parcel, phase, now, *_, **__: now + 3 * HOUR)
    slow = Week(2_000)
    slow.run(5 * HOUR)
    assert any("moving" in one for one in slow.late())
    for account in slow.accounts:
        for _ in range(200):
            account.count(week.BEGIN)
    assert slow.over_budget() == 50


def test_ages_between_two_answers_are_counted_through_time():
    ages = Ages()
    for _ in range(10):
        ages.add(0, 20 * 60_000, 1)
    assert 18.5 <= ages.p95() <= 19.5


def statements(post, order, count):
    """How often the database is asked something while `count` parcels say something new."""
    seen: list[str] = []
    for n in range(count):
        post.parcel(f"{count:04d}{n:04d}", order=order)
        post.says(f"{count:04d}{n:04d}", Status.IN_TRANSIT, n)
    post.world.db.write_now(lambda tx: tx.conn.connection.driver_connection.set_trace_callback(seen.append))
    post.poll()
    post.world.db.write_now(lambda tx: tx.conn.connection.driver_connection.set_trace_callback(None))
    return sum(one.lstrip().startswith(("SELECT", "BEGIN", "COMMIT")) for one in seen)


def test_a_batch_costs_as_many_questions_to_the_database_whatever_its_size(world):
    post = Post(world)
    order = world.order(post.seller)
    statements(post, order, 1)  # the first call makes the account's budget
    few = statements(post, order, 10)
    assert statements(post, order, 95) == few
    assert few <= 40
