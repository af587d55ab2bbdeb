"""Closing a request on the database."""

import pytest

from hub.db import tables as t
from hub.kernel.errors import InputRejected, NotFound, VersionConflict
from hub.requests import service, store
from hub.requests.model import Closing, Outcome


@pytest.fixture
def request_id(world):
    return world.task().request_id


def test_a_closed_request_keeps_what_was_asked_for_and_says_so_in_the_journal(world, request_id):
    closing = Closing(
        outcome=Outcome.DEAD,
        reason="дорого",
        product="плитка",
        quantity_milli=2_500,
        value_minor=90_000,
        currency="EUR",
    )
    row = world.write(service.close, world.admin, request_id, closing)
    assert (row.state, row.joining, row.next_contact_at, row.closed_at) == (
        "closed",
        False,
        None,
        row.updated_at,
    )
    assert (row.asked_quantity_milli, row.asked_value_minor, row.asked_currency) == (2_500, 90_000, "EUR")
    entry = world.journal(request_id)[-1]
    assert (entry.event, entry.reason, entry.body) == ("closed", "дорого", '{"outcome":"dead"}')


def test_closing_again_changes_nothing(world, request_id):
    first = world.write(service.close, world.admin, request_id, Closing(outcome=Outcome.ANSWERED))
    second = world.write(service.close, world.admin, request_id, Closing(outcome=Outcome.SPAM))
    assert second == first
    assert [e.event for e in world.journal(request_id)] == ["opened", "closed"]


def test_a_refused_closing_leaves_the_request_open(world, request_id):
    with pytest.raises(InputRejected):
        world.write(service.close, world.admin, request_id, Closing(outcome=Outcome.UNREACHABLE))
    assert world.read(store.get, request_id).state == "open"


def test_without_a_sum_there_is_no_currency(world, request_id):
    row = world.write(service.close, world.admin, request_id, Closing(outcome=Outcome.ANSWERED))
    assert row.asked_currency is None


def test_a_request_that_does_not_exist_is_not_found(world):
    with pytest.raises(NotFound):
        world.write(service.close, world.admin, 404, Closing(outcome=Outcome.ANSWERED))


def test_of_two_changes_from_the_same_reading_one_is_refused(world, request_id):
    row = world.read(store.get, request_id)
    world.write(store.save, row, priority=1)
    with pytest.raises(VersionConflict):
        world.write(store.save, row, priority=2)
    assert world.read(store.get, request_id).priority == 1


def test_the_conversation_is_read_oldest_first(world, request_id):
    (message,) = world.read(store.messages, request_id)
    assert (message.body, message.request_id) == ("ціна?", request_id)
    assert len(world.rows(t.message)) == 1
