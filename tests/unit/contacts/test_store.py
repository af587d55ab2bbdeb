"""Contacts and their identities."""

import pytest
from sqlalchemy.exc import IntegrityError

from hub.contacts import store
from hub.contacts.model import EMAIL, PHONE, IdentityKey, Person, identities
from hub.db import tables as t
from hub.kernel.errors import NotFound, VersionConflict


def person(*keys, name="Ірина", organisation=""):
    return Person(name, organisation, None, keys)


PHONE_1, PHONE_2 = IdentityKey(PHONE, "+380671112233"), IdentityKey(PHONE, "+380501112233")
MAIL = IdentityKey(EMAIL, "a@b.ua")


def test_identities_are_normalised_strongest_first_and_unreadable_ones_left_out():
    found = identities("067 111 22 33", "A@B.ua", " u\n1 ", "viber", "UA")
    assert found == (PHONE_1, IdentityKey("channel:viber", "u 1"), MAIL)
    assert identities("нема", "нема", "", "viber", "UA") == ()


def test_a_firm_without_a_person_is_an_organisation():
    assert person(name="", organisation="ТОВ Дім").kind == "organisation"
    assert person(name="Ірина", organisation="ТОВ Дім").kind == "person"
    assert person(name="").kind == "person"


def test_the_strongest_known_identity_decides_and_new_ones_are_added(world):
    first = world.write(store.find_or_add, person(PHONE_1))
    assert world.write(store.find_or_add, person(PHONE_1, MAIL)) == first
    assert world.write(store.find_or_add, person(MAIL)) == first
    second = world.write(store.find_or_add, person(PHONE_2, MAIL))
    assert second == first, "the mail is known, the number is new: it is hers"
    record = world.read(store.get, first)
    assert record.identities == (PHONE_1, MAIL, PHONE_2)
    assert record.first(EMAIL) == "a@b.ua"
    assert record.first("channel:viber") == ""


def test_identities_of_somebody_else_stay_where_they_are(world):
    by_phone = world.write(store.find_or_add, person(PHONE_1))
    by_mail = world.write(store.find_or_add, person(MAIL))
    assert world.write(store.find_or_add, person(PHONE_1, MAIL)) == by_phone
    assert world.read(store.owners, [PHONE_1, MAIL]) == {PHONE_1: by_phone, MAIL: by_mail}


def test_without_an_identity_everybody_is_new(world):
    assert world.write(store.find_or_add, person()) != world.write(store.find_or_add, person())


def test_a_value_of_another_kind_is_another_identity(world):
    viber, telegram = IdentityKey("channel:viber", "1"), IdentityKey("channel:telegram", "1")
    assert world.write(store.find_or_add, person(viber)) != world.write(store.find_or_add, person(telegram))
    assert len(world.read(store.owners, [viber])) == 1


def test_a_change_needs_the_present_version(world):
    contact = world.write(store.find_or_add, person(PHONE_1))
    changed = world.write(store.save, contact, 1, note="VIP")
    assert (changed.row.note, changed.row.version) == ("VIP", 2)
    with pytest.raises(VersionConflict) as refused:
        world.write(store.save, contact, 1, note="")
    assert refused.value.facts["version"] == 2


def test_an_identity_of_somebody_else_cannot_be_added(world):
    world.write(store.find_or_add, person(PHONE_1))
    other = world.write(store.find_or_add, person(PHONE_2))
    with pytest.raises(IntegrityError):
        world.write(store.add_identity, other, PHONE_1)
    world.write(store.add_identity, other, MAIL)
    assert world.read(store.get, other).identities == (PHONE_2, MAIL)


def test_a_contact_that_does_not_exist_is_not_found(world):
    with pytest.raises(NotFound):
        world.read(store.get, 404)
    assert world.read(store.many, []) == {}
    assert world.rows(t.contact) == []
