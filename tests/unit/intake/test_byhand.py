"""A request that was taken by hand."""

import json

import pytest

from hub.access.model import Actor
from hub.db import tables as t
from hub.intake.byhand import ByHand, open_by_hand
from hub.kernel.errors import AccessDenied


def test_a_call_becomes_a_request_with_a_dealt_task_and_its_note(world):
    olena = world.worker("Олена")
    contact = world.customer()
    taken = ByHand(contact, world.team, "Питала про плитку\nпередзвонити", "", "phone", priority=2)
    row = world.write(open_by_hand, olena.actor, taken)
    assert (row.subject, row.joining, row.priority, json.loads(row.source)) == (
        "Питала про плитку", True, 2, {"source": "phone"},
    )  # fmt: skip
    (message,) = world.rows(t.message)
    assert (message.direction, message.staff_id, message.request_id) == ("in", olena.id, row.id)
    (task,) = world.rows(t.task)
    assert (task.request_id, task.assignee_id) == (row.id, olena.id)
    assert world.findings() == []


def test_it_becomes_the_joining_request_of_its_contact(world):
    contact = world.customer()
    first = world.task(contact=contact)
    second = world.task(contact=contact)
    joining = {r.id: r.joining for r in world.rows(t.request)}
    assert joining == {first.request_id: False, second.request_id: True}
    assert world.findings() == []


def test_without_a_word_the_source_is_the_subject_and_no_message_is_made(world):
    row = world.write(open_by_hand, world.admin, ByHand(world.customer(), world.team, "", "", "visit"))
    assert row.subject == "visit"
    assert world.rows(t.message) == []


def test_who_may_not_work_opens_nothing(world):
    taken = ByHand(world.customer(), world.team, "x", "", "phone")
    with pytest.raises(AccessDenied):
        world.write(open_by_hand, Actor("nobody", frozenset()), taken)
