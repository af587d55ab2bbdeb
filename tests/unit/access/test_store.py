"""Sessions, one-time links, tokens, failures and repeated calls on a real database."""

import pytest

from hub.access import store
from hub.access.model import Role, system
from hub.db import tables as t
from hub.kernel.clock import DAY, HOUR, MINUTE
from hub.kernel.errors import NotFound
from hub.staff import store as staff


@pytest.fixture
def olena(world):
    return world.worker("Олена", role=Role.HEAD)


def session(world, token):
    return world.read(store.find_session, token, world.clock.now())


def link(world, token):
    return world.read(store.find_link, token, world.clock.now())


# --- sessions -----------------------------------------------------------------------------------------


def test_a_session_is_its_person_with_the_present_roles(world, olena):
    token = world.write(store.open_session, olena.id, "Firefox" * 100)
    found = session(world, token)
    assert (found.actor.staff_id, found.actor.label, found.actor.roles, found.name) == (
        olena.id, f"staff:{olena.id}", {Role.HEAD}, "Олена",
    )  # fmt: skip
    world.write(staff.give_roles, olena.id, ["seller"])
    assert session(world, token).actor.roles == {Role.SELLER}


def test_a_session_lasts_fourteen_days_and_ends_when_it_is_closed(world, olena):
    first, second = (world.write(store.open_session, olena.id, "") for _ in range(2))
    world.write(store.close_session, session(world, first).id)
    assert session(world, first) is None
    assert session(world, second) is not None
    world.clock.move(14 * DAY)
    assert session(world, second) is None


def test_a_closed_person_is_signed_out_everywhere(world, olena):
    token = world.write(store.open_session, olena.id, "")
    world.write(staff.close, olena.id)
    assert session(world, token) is None


def test_secrets_are_kept_as_hashes_only(world, olena):
    secrets = [
        world.write(store.open_session, olena.id, ""),
        world.write(store.make_link, olena.id, "invite"),
        world.write(store.add_token, "shop", Role.SELLER, None)[1],
    ]
    rows = [str(row) for table in (t.session, t.one_time_link, t.api_token) for row in world.rows(table)]
    assert not [s for s in secrets if any(s in row for row in rows)]


@pytest.mark.parametrize("token", ["", "x", "\x00", "\ud800", "x" * 10_000])
def test_a_made_up_secret_is_nobody(world, olena, token):
    assert session(world, token) is None
    assert link(world, token) is None
    assert world.read(store.find_token, token) is None


# --- links --------------------------------------------------------------------------------------------


def test_a_link_works_once(world, olena):
    token = world.write(store.make_link, olena.id, "invite")
    assert link(world, token) == olena.id
    assert world.write(store.use_link, token) == olena.id
    assert link(world, token) is None
    with pytest.raises(NotFound, match="ask for a new one"):
        world.write(store.use_link, token)


def test_a_link_lasts_two_days(world, olena):
    token = world.write(store.make_link, olena.id, "invite")
    world.clock.move(2 * DAY)
    assert link(world, token) is None
    with pytest.raises(NotFound):
        world.write(store.use_link, token)


def test_a_new_link_ends_the_earlier_ones(world, olena):
    first = world.write(store.make_link, olena.id, "invite")
    second = world.write(store.make_link, olena.id, "reset")
    assert link(world, first) is None
    assert link(world, second) == olena.id


def test_a_link_of_somebody_who_left_is_dead(world, olena):
    token = world.write(store.make_link, olena.id, "invite")
    world.write(staff.close, olena.id)
    with pytest.raises(NotFound):
        world.write(store.use_link, token)


# --- tokens -------------------------------------------------------------------------------------------


def test_a_token_acts_by_its_role_or_for_its_person(world, olena):
    _, shop = world.write(store.add_token, "shop", Role.SELLER, None)
    _, hers = world.write(store.add_token, "phone", Role.SELLER, olena.id)
    assert shop.startswith("hub_")
    actor = world.read(store.find_token, shop)
    assert (actor.label, actor.roles, actor.staff_id) == ("token:shop", {Role.SELLER}, None)
    actor = world.read(store.find_token, hers)
    assert (actor.label, actor.roles, actor.staff_id) == (f"staff:{olena.id}", {Role.SELLER}, olena.id)


def test_a_revoked_token_is_dead_and_cannot_be_revoked_twice(world):
    token_id, secret = world.write(store.add_token, "shop", Role.ADMIN, None)
    world.write(store.revoke_token, token_id)
    assert world.read(store.find_token, secret) is None
    with pytest.raises(NotFound):
        world.write(store.revoke_token, token_id)
    assert [r.revoked_at is not None for r in world.read(store.tokens)] == [True]


def test_a_token_of_somebody_who_left_is_dead(world, olena):
    _, secret = world.write(store.add_token, "phone", Role.SELLER, olena.id)
    world.write(staff.close, olena.id)
    assert world.read(store.find_token, secret) is None


def test_signing_out_everywhere_ends_tokens_too(world, olena):
    _, secret = world.write(store.add_token, "phone", Role.SELLER, olena.id)
    token = world.write(store.open_session, olena.id, "")
    world.write(lambda tx: store.close_sessions_of(tx, olena.id, tokens_too=True))
    assert world.read(store.find_token, secret) is None
    assert session(world, token) is None


# --- passwords, failures ------------------------------------------------------------------------------


def test_a_password_belongs_to_an_active_login(world, olena):
    assert world.read(store.password_of, "olena") == (olena.id, None)
    world.write(store.set_password, olena.id, "$argon2id$x")
    assert world.read(store.password_of, "olena") == (olena.id, "$argon2id$x")
    world.write(staff.close, olena.id)
    assert world.read(store.password_of, "olena") is None
    assert world.read(store.password_of, "nobody") is None


def test_a_new_password_ends_other_sessions(world, olena):
    token = world.write(store.open_session, olena.id, "")
    world.write(store.set_password, olena.id, "$argon2id$x")
    assert session(world, token) is None


def test_a_new_password_leaves_programs_at_work(world, olena):
    _, secret = world.write(store.add_token, "shop", Role.SELLER, olena.id)
    world.write(store.set_password, olena.id, "$argon2id$x")
    assert world.read(store.find_token, secret) is not None


def too_many(world, *keys):
    return world.read(store.too_many_failures, list(keys), world.clock.now())


def test_an_office_behind_one_address_may_fail_fifty_times(world):
    for _ in range(49):
        world.write(store.note_failure, ["address:203.0.113.9"])
    assert not too_many(world, "address:203.0.113.9")
    world.write(store.note_failure, ["address:203.0.113.9"])
    assert too_many(world, "address:203.0.113.9")


def test_ten_failures_of_a_login_are_too_many_for_fifteen_minutes(world):
    for _ in range(9):
        world.write(store.note_failure, ["login:olena", "address:203.0.113.9"])
    assert not too_many(world, "login:olena")
    world.write(store.note_failure, ["login:olena"])
    assert too_many(world, "login:olena", "address:198.51.100.1")
    assert not too_many(world, "address:203.0.113.9")
    world.clock.move(15 * MINUTE)
    assert not too_many(world, "login:olena")
    world.write(store.note_failure, ["login:olena"])
    assert not too_many(world, "login:olena"), "a new window begins at one"


def test_a_sign_in_that_succeeds_forgets_the_failures(world):
    for _ in range(10):
        world.write(store.note_failure, ["login:olena"])
    world.write(store.forget_failures, ["login:olena"])
    assert not too_many(world, "login:olena")
    assert world.rows(t.sign_in_failure) == []


def test_failures_name_nobody(world):
    world.write(store.note_failure, ["login:olena"])
    assert "olena" not in str(world.rows(t.sign_in_failure))


# --- repeated calls -----------------------------------------------------------------------------------


def test_an_answer_is_kept_forty_eight_hours_under_its_key(world):
    answer = store.Replay("digest", 201, '{"id": "1"}')
    world.write(store.store_replay, "scope", answer)
    assert world.read(store.find_replay, "scope", world.clock.now()) == answer
    assert world.read(store.find_replay, "other", world.clock.now()) is None
    world.clock.move(48 * HOUR)
    assert world.read(store.find_replay, "scope", world.clock.now()) is None
    world.write(store.store_replay, "scope", answer)
    assert len(world.rows(t.api_replay)) == 1


def test_of_two_answers_under_one_key_only_the_first_is_kept(world):
    from sqlalchemy.exc import IntegrityError

    world.write(store.store_replay, "scope", store.Replay("a", 201, "1"))
    with pytest.raises(IntegrityError):
        world.write(store.store_replay, "scope", store.Replay("b", 201, "2"))
    assert world.read(store.find_replay, "scope", world.clock.now()).answer == "1"


def test_the_audit_says_who_did_what(world):
    world.write(store.write_audit, system("cli"), "token_added", "5")
    (row,) = world.rows(t.audit)
    assert (row.actor, row.action, row.target) == ("cli", "token_added", "5")


def test_access_behaves_alike_on_both_databases(both_worlds):
    world = both_worlds
    olena = world.worker("Олена", role=Role.ADMIN)
    token = world.write(store.make_link, olena.id, "invite")
    assert world.write(store.use_link, token) == olena.id
    secret = world.write(store.open_session, olena.id, "Firefox")
    assert session(world, secret).actor.staff_id == olena.id
    for _ in range(10):
        world.write(store.note_failure, ["login:olena"])
    assert too_many(world, "login:olena")
