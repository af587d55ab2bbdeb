"""The default route, as data."""

import itertools

import pytest

from hub.kernel.errors import TransitionRefused
from hub.orders.routes import default_body
from hub.orders.stages import PARCEL, parse

ROUTE = parse(PARCEL, 1, default_body())
WAY = ("new", "agreed", "confirmed", "packed", "shipped", "arrived", "delivered", "paid", "closed")


def allowed(source, target):
    try:
        ROUTE.check_move(source, target)
    except TransitionRefused:
        return False
    return True


def test_an_order_begins_as_new():
    assert ROUTE.first == "new"


def test_every_later_stage_can_be_reached_at_once():
    assert all(allowed(a, b) for a, b in itertools.combinations(WAY, 2))


def test_one_step_back_is_possible_and_two_are_not():
    for here, back in itertools.pairwise(reversed(WAY[:-1])):
        assert allowed(here, back)
    assert not allowed("packed", "agreed")
    assert not allowed("closed", "paid")


def test_before_shipping_an_order_is_cancelled_afterwards_it_comes_back():
    for stage in WAY[:4]:
        assert (allowed(stage, "cancelled"), allowed(stage, "returned")) == (True, False)
    for stage in WAY[4:]:
        assert (allowed(stage, "cancelled"), allowed(stage, "returned")) == (False, True)
    assert allowed("cancelled", "new")
    assert allowed("returned", "closed")


def test_a_refusal_names_both_stages_and_what_is_possible():
    with pytest.raises(TransitionRefused) as refused:
        ROUTE.check_move("returned", "new")
    assert refused.value.message == "an order that is returned cannot become new; possible: closed"
    assert refused.value.facts == {"stage": "returned", "wanted": "new"}


def test_every_stage_has_titles_in_both_languages_and_every_move_leads_to_a_stage():
    assert all(set(s.title) == {"en", "uk"} and all(s.title.values()) for s in ROUTE.stages.values())
    assert set(ROUTE.moves) == set(ROUTE.stages)
    assert {target for targets in ROUTE.moves.values() for target in targets} <= set(ROUTE.stages)


def test_ahead_is_further_along_the_way():
    assert all(ROUTE.is_ahead(b, a) and not ROUTE.is_ahead(a, b) for a, b in itertools.combinations(WAY, 2))
    assert not ROUTE.is_ahead("new", "new")
