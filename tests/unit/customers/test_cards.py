"""Cards made and changed by hand; persons of an organisation; finding a card."""

import pytest

from hub.access.model import Actor
from hub.contacts import store as contacts
from hub.contacts.model import EMAIL, IdentityKey, Person
from hub.customers import cards, finding
from hub.customers.cards import CardChange
from hub.customers.merging import merge, unmerge
from hub.db import tables as t
from hub.kernel.errors import AccessDenied, InputRejected, RuleSaysNo, VersionConflict
from tests.unit.customers.test_merging import ask, known, phone
from tests.unit.world import World

MAIL = IdentityKey(EMAIL, "o@a.ua")


def firm(world: World, name: str = "ТОВ Дім", number: int = 90) -> int:
    return known(world, phone(number), organisation=name)


def found(world: World, text: str) -> set[int]:
    return {row.id for row in world.rows(t.contact, finding.matching(text))}


def test_an_unknown_number_makes_a_card_and_a_known_one_names_its_own(both_worlds: World):
    world = both_worlds
    seller = world.worker("Ann").actor
    made = world.write(
        cards.make, seller, Person("Олена", "", None, (phone(1), MAIL)), CardChange(note="з виставки")
    )
    assert (made.row.kind, made.row.note, made.identities) == ("person", "з виставки", (phone(1), MAIL))
    with pytest.raises(RuleSaysNo, match="another contact has this phone") as refused:
        world.write(cards.make, seller, Person("Інша", "", None, (phone(1),)), CardChange())
    assert refused.value.facts == {"contact_id": str(made.own.id)}
    assert len(world.rows(t.contact)) == 1


def test_a_person_is_attached_and_detached(both_worlds: World):
    world = both_worlds
    house, olena = firm(world), known(world, phone(1), name="Олена")
    seller = world.worker("Ann").actor
    version = world.read(contacts.get, olena).row.version
    changed = world.write(
        cards.change, seller, olena, CardChange(organisation_id=house, position="бухгалтерка"), version
    )
    assert (changed.row.organisation_id, changed.row.position) == (house, "бухгалтерка")
    record = world.read(contacts.get, house)
    assert [one.own.id for one in world.read(cards.persons_of, record, 10)] == [olena]
    assert world.read(cards.organisation_of, changed) == record
    with pytest.raises(VersionConflict):
        world.write(cards.change, seller, olena, CardChange(position="директорка"), version)
    changed = world.write(cards.change, seller, olena, CardChange(detached=True))
    assert (changed.row.organisation_id, changed.row.position) == (None, "")
    assert world.read(cards.persons_of, record, 10) == []
    events = [row.event for row in world.journal(olena) if row.entity == "contact"]
    assert events == ["attached", "detached"]


def test_what_a_person_asks_belongs_to_the_organisation_too(both_worlds: World):
    world = both_worlds
    house, olena, other = firm(world), known(world, phone(1)), known(world, phone(2))
    world.write(cards.change, world.admin, olena, CardChange(organisation_id=house))
    asked = {ask(world, house), ask(world, olena)}
    ask(world, other)
    belonging = t.request.c.contact_id.in_(world.read(contacts.belonging, house))
    assert {row.id for row in world.rows(t.request, belonging)} == asked
    second = firm(world, "Дім ТОВ", 91)
    world.write(merge, world.admin, second, house)
    belonging = t.request.c.contact_id.in_(world.read(contacts.belonging, second))
    assert {row.id for row in world.rows(t.request, belonging)} == asked
    assert [one.own.id for one in world.read(cards.persons_of, world.read(contacts.get, second), 9)] == [
        olena
    ]
    assert world.read(cards.organisation_of, world.read(contacts.get, olena)) == world.read(
        contacts.get, second
    )
    world.write(unmerge, world.admin, house)
    assert world.read(cards.persons_of, world.read(contacts.get, second), 9) == []


def test_a_merged_person_is_shown_under_the_card_that_stands_for_him(both_worlds: World):
    world = both_worlds
    house, olena, chat = firm(world), known(world, phone(1)), known(world, phone(2))
    world.write(cards.change, world.admin, olena, CardChange(organisation_id=house, position="директорка"))
    world.write(merge, world.admin, chat, olena)
    record = world.read(contacts.get, chat)
    assert (record.row.organisation_id, record.row.position) == (house, "директорка")
    assert [one.own.id for one in world.read(cards.persons_of, world.read(contacts.get, house), 9)] == [chat]


def test_what_makes_no_sense_is_refused(both_worlds: World):
    world = both_worlds
    house, olena, other = firm(world), known(world, phone(1)), known(world, phone(2))
    with pytest.raises(InputRejected) as refused:
        world.write(cards.change, world.admin, olena, CardChange(organisation_id=other))
    assert refused.value.problems[0].path == "organisation_id"
    with pytest.raises(RuleSaysNo, match="only a person"):
        world.write(cards.change, world.admin, house, CardChange(organisation_id=firm(world, "Б", 92)))
    with pytest.raises(RuleSaysNo, match="another contact has this phone"):
        world.write(cards.change, world.admin, olena, CardChange(further=Person("", "", None, (phone(2),))))
    world.write(cards.change, world.admin, olena, CardChange(organisation_id=house))
    with pytest.raises(RuleSaysNo, match="detach them first"):
        world.write(cards.change, world.admin, house, CardChange(kind="person"))
    with pytest.raises(AccessDenied):
        world.write(cards.change, Actor("nobody", frozenset()), olena, CardChange(name="Х"))
    changed = world.write(cards.change, world.admin, olena, CardChange(kind="organisation"))
    assert (changed.row.kind, changed.row.organisation_id) == ("organisation", None)


def test_a_card_is_found_by_name_telephone_and_mail(both_worlds: World):
    world = both_worlds
    olena = known(world, phone(1234567), MAIL, name="Олена Прізвищенко")
    house = firm(world)
    for text in ("олена", "ОЛЕНА", "прізв", "0501234567", "050 123-45-67", "4567", "O@A"):
        assert found(world, text) == {olena}, text
    assert found(world, "дім") == {house}
    for text in ("%", "_", "99999", "x@"):
        assert found(world, text) == set(), text
    chat = known(world, phone(7))
    world.write(merge, world.admin, chat, olena)
    assert found(world, "олена") == found(world, "4567") == {chat}
