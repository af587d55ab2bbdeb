"""Leases: one holder, a fence that only grows, and clocks that lie."""

from hub.coordination import leases
from hub.kernel.clock import HOUR, MINUTE, SECOND

LASTS = 5 * SECOND


def hold(world, owner):
    return world.db.write_now(lambda tx: leases.hold(tx, "work", owner, LASTS))


def test_one_holds_and_the_next_follows_when_it_is_over(both_worlds):
    world = both_worlds
    assert hold(world, "a") == 1
    assert hold(world, "b") is None
    assert hold(world, "a") == 1  # kept
    world.clock.move(LASTS - 1)
    assert hold(world, "b") is None
    world.clock.move(1)
    assert hold(world, "b") == 2
    assert hold(world, "a") is None


def test_what_is_given_back_is_free_at_once(both_worlds):
    world = both_worlds
    assert hold(world, "a") == 1
    world.db.write_now(lambda tx: leases.release(tx, "work", "a"))
    assert hold(world, "b") == 2


def test_a_clock_that_ran_ahead_stops_nobody(both_worlds):
    world = both_worlds
    world.clock.move(6 * HOUR)
    assert hold(world, "ahead") == 1
    world.clock.move(-6 * HOUR)
    assert hold(world, "b") == 2
    assert hold(world, "ahead") is None


def test_clocks_that_differ_a_little_take_nothing_from_each_other(both_worlds):
    world = both_worlds
    world.clock.move(4 * MINUTE)
    assert hold(world, "ahead") == 1
    world.clock.move(-4 * MINUTE)
    assert hold(world, "b") is None
