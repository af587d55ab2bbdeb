"""People on the database."""

import pytest

from hub.assignment import members
from hub.kernel.errors import InputRejected, NotFound
from hub.staff import service, store


def test_people_of_one_name_get_numbered_logins(world):
    ids = [world.write(service.add_person, "Олена Коваль", ["seller"]) for _ in range(3)]
    assert [world.read(store.get, i).login for i in ids] == ["olena.koval", "olena.koval2", "olena.koval3"]


def test_a_login_that_is_taken_or_none_is_refused_at_its_path(world):
    world.write(service.add_person, "А", ["seller"], "olena")
    for login in ("olena", "Олена", "a b", ".x", "x" * 41):
        with pytest.raises(InputRejected) as refused:
            world.write(service.add_person, "Б", ["seller"], login)
        assert [p.path for p in refused.value.problems] == ["login"]


@pytest.mark.parametrize("name", ["", "  ", "\n"])
def test_a_person_needs_a_name(world, name):
    with pytest.raises(InputRejected):
        world.write(service.add_person, name, ["seller"])


def test_a_person_is_found_by_id_login_and_name_but_never_by_guess(world):
    first = world.write(service.add_person, "Олена", ["seller"])
    assert [world.read(store.find, text).id for text in (str(first), "olena", "Олена")] == [first] * 3
    world.write(service.add_person, "Олена", ["seller"])
    with pytest.raises(InputRejected, match="login"):
        world.read(store.find, "Олена")
    with pytest.raises(NotFound, match="hub staff list"):
        world.read(store.find, "Оле")


def test_a_record_shows_roles_and_open_memberships_only(world):
    olena = world.worker("Олена", share=3, limit=5)
    (record,) = world.read(store.all_staff)
    assert record.roles == {"seller"}
    assert [(m.team, m.share, m.limit) for m in record.memberships] == [("sales", 3, 5)]
    world.write(members.leave_team, world.admin, world.team, olena.id)
    assert world.read(store.get, olena.id).memberships == ()


def test_roles_given_replace_those_before(world):
    olena = world.worker("Олена")
    world.write(store.give_roles, olena.id, ["head", "admin", "head"])
    assert world.read(store.get, olena.id).roles == {"head", "admin"}


def test_a_team_that_does_not_exist_names_those_that_do(world):
    with pytest.raises(NotFound, match="sales, strict"):
        world.read(store.team_by_name, "support")


def test_a_closed_person_is_kept(world):
    olena = world.worker("Олена", member=False)
    world.write(store.close, olena.id)
    record = world.read(store.get, olena.id)
    assert (record.state, record.version) == ("closed", 2)
