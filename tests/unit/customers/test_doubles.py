"""Probable doubles: who says so, what is shown, and what a person decides."""

from typing import Any

import pytest

from hub.contacts import store as contacts
from hub.contacts.model import EMAIL, IdentityKey
from hub.customers import doubles
from hub.customers.merging import merge, unmerge
from hub.db import tables as t
from hub.db.rows import ContactDoubtRow
from hub.kernel.email import mailbox
from hub.kernel.errors import AccessDenied, InputRejected, NotFound, RuleSaysNo
from tests.unit.customers.test_merging import ask, known, phone
from tests.unit.world import World


def doubt(world: World, request_id: int, one: int, other: int) -> None:
    """As the intake writes it."""

    def write(tx: Any) -> None:
        row = ContactDoubtRow(tx.new_id(), request_id, one, other, "two contacts", tx.now)
        tx.insert({t.contact_doubt: [row]})

    world.write(write)


def shown(world: World) -> list[tuple[int, int]]:
    return [(one.one.own.id, one.other.own.id) for one in world.read(doubles.listed, 50)[0]]


@pytest.fixture
def pair(both_worlds: World) -> tuple[World, int, int, int]:
    one, other = known(both_worlds, phone(1)), known(both_worlds, IdentityKey(EMAIL, "o@a.ua"))
    asked = ask(both_worlds, one)
    doubt(both_worlds, asked, one, other)
    doubt(both_worlds, asked, other, one)
    return both_worlds, one, other, asked


def test_a_pair_is_shown_once_however_often_it_was_named(pair: tuple[World, int, int, int]):
    world, one, other, asked = pair
    [found], further = world.read(doubles.listed, 50)
    assert (found.one.own.id, found.other.own.id) == (one, other)
    assert (found.reason, found.request_id, found.times, further) == ("two contacts", asked, 2, None)
    assert len(world.read(doubles.of_card, other)) == 1
    assert world.read(contacts.doubts_of, asked) == [other, one]


def test_merging_settles_it_and_an_undo_shows_it_again(pair: tuple[World, int, int, int]):
    world, one, other, asked = pair
    world.write(merge, world.admin, one, other)
    assert shown(world) == []
    assert world.read(contacts.doubts_of, asked) == []
    assert world.read(doubles.of_card, one) == []
    world.write(unmerge, world.admin, other)
    assert shown(world) == [(one, other)]


def test_two_different_people_are_not_asked_about_again(pair: tuple[World, int, int, int]):
    world, one, other, asked = pair
    world.write(doubles.are_different, world.admin, other, one, "сестри")
    assert shown(world) == []
    assert world.read(contacts.doubts_of, asked) == []
    doubt(world, asked, one, other)
    assert shown(world) == [], "a further message does not ask again"
    assert world.read(contacts.doubts_of, asked) == []
    world.write(doubles.are_different, world.admin, one, other)
    rows = world.rows(t.contact_doubt, t.contact_doubt.c.decision == "different")
    assert {(row.settled_by, row.decision) for row in rows} == {("test", "different")}
    assert [row.reason for row in world.journal(one) if row.event == "different"] == ["сестри", None]


def test_the_decision_holds_for_cards_merged_since(pair: tuple[World, int, int, int]):
    world, one, other, asked = pair
    world.write(doubles.are_different, world.admin, one, other)
    third = known(world, phone(3))
    world.write(merge, world.admin, third, one)
    doubt(world, asked, third, other)
    assert shown(world) == []
    world.write(unmerge, world.admin, one)
    assert shown(world) == [(other, third)], "about these two nobody has decided"


def test_only_who_leads_decides_and_only_where_there_is_a_doubt(pair: tuple[World, int, int, int]):
    world, one, other, _ = pair
    third = known(world, phone(3))
    with pytest.raises(AccessDenied):
        world.write(doubles.are_different, world.worker("Ann").actor, one, other)
    with pytest.raises(RuleSaysNo, match="no doubt"):
        world.write(doubles.are_different, world.admin, one, third)
    with pytest.raises(InputRejected):
        world.write(doubles.are_different, world.admin, one, one)
    with pytest.raises(NotFound):
        world.write(doubles.are_different, world.admin, one, 404)
    assert shown(world) == [(one, other)]


def test_pages_go_on_where_the_one_before_ended(both_worlds: World):
    world = both_worlds
    asked = ask(world, known(world, phone(0)))
    for n in range(5):
        doubt(world, asked, known(world, phone(10 + n)), known(world, phone(20 + n)))
    first, further = world.read(doubles.listed, 3)
    rest, end = world.read(doubles.listed, 3, further)
    assert [len(first), len(rest), end] == [3, 2, None]
    assert len({one.id for one in (*first, *rest)}) == 5


async def test_two_addresses_of_one_mailbox_are_found_once(both_worlds: World):
    world = both_worlds
    first = known(world, IdentityKey(EMAIL, "olena.p@gmail.com"), name="Олена")
    second = known(world, IdentityKey(EMAIL, "olenap+shop@googlemail.com"))
    known(world, IdentityKey(EMAIL, "olena.p@ukr.net"), name="Олена")
    known(world, IdentityKey(EMAIL, "olenap@ukr.net"), name="Олена")
    assert await doubles.look_for(world.db) == {"same mailbox": 1}
    assert await doubles.look_for(world.db) == {"same mailbox": 0}
    assert shown(world) == [(first, second)]
    world.write(doubles.are_different, world.admin, first, second)
    assert await doubles.look_for(world.db) == {"same mailbox": 0}
    assert shown(world) == []


def test_the_mailbox_of_an_address():
    assert mailbox("a.b+c@gmail.com") == mailbox("ab@googlemail.com") == "ab@gmail.com"
    assert mailbox("a.b+c@firm.ua") == "a.b@firm.ua"
    assert mailbox("+a@firm.ua") == "+a@firm.ua"
