"""Stored secrets: not readable in the database, bound to their account, written once by the quicker one."""

import asyncio

import pytest
from sqlalchemy import select, update

from hub.accounts import secrets
from hub.accounts.secrets import AccountSecrets
from hub.db.tables import account_secret
from hub.kernel.sealing import SecretKey, SecretKeyMissing, SecretKeyUnusable, SecretKeyWrong, read_key
from hub.sdk import AuthenticationFailed

KEY = SecretKey.of("k" * 40)
OTHER = SecretKey.of("o" * 40)


def kept(world, account="mail", key=KEY):
    store = AccountSecrets(account)
    store.attach(world.db, key)
    return store


async def test_a_value_is_kept_for_all_processes_and_stands_nowhere_in_the_clear(both_worlds):
    store = kept(both_worlds)
    assert await store.get("token") is None
    assert await store.put("token", "very-secret-ї", expected=None)
    assert await kept(both_worlds).get("token") == "very-secret-ї"
    stored = await both_worlds.db.read(lambda conn: conn.execute(select(account_secret.c.value)).scalar_one())
    assert "very-secret" not in stored
    assert stored.startswith(f"v1.{KEY.id}.")


async def test_e14_long_tokens_of_oauth_are_kept_whole_on_both_databases(both_worlds):
    token = "ey" + "x" * 8_000
    assert await kept(both_worlds).put("oauth", token, expected=None)
    assert await kept(both_worlds).get("oauth") == token


async def test_only_who_knows_the_present_value_replaces_it(both_worlds):
    store = kept(both_worlds)
    assert not await store.put("token", "b", expected="a")
    assert await store.put("token", "a", expected=None)
    assert not await store.put("token", "c", expected=None)
    assert not await store.put("token", "c", expected="b")
    assert await store.put("token", "c", expected="a")
    assert await store.get("token") == "c"


async def test_of_many_writers_at_once_exactly_one_wins(both_worlds):
    stores = [kept(both_worlds) for _ in range(8)]
    won = await asyncio.gather(*(store.put("token", str(n), expected=None) for n, store in enumerate(stores)))
    assert sum(won) == 1
    assert await stores[0].get("token") == str(won.index(True))


async def test_another_key_is_a_sentence_and_stops_the_account(both_worlds):
    await kept(both_worlds).put("token", "a", expected=None)
    late = kept(both_worlds, key=OTHER)
    with pytest.raises(AuthenticationFailed, match="put the old key back"):
        await late.get("token")
    with pytest.raises(AuthenticationFailed):
        await late.put("token", "b", expected="a")
    found = await both_worlds.db.read(lambda conn: [secrets.unreadable(conn, key) for key in (KEY, OTHER)])
    assert found == [[], ["mail"]]


async def test_a_row_copied_to_another_account_does_not_open(both_worlds):
    await kept(both_worlds).put("token", "a", expected=None)
    await both_worlds.db.write(lambda tx: tx.execute(update(account_secret).values(account="thief")) and None)
    with pytest.raises(AuthenticationFailed):
        await kept(both_worlds, "thief").get("token")


def test_a_damaged_value_is_said_to_be_unreadable():
    sealed = KEY.seal("mail", "token", "a")
    for broken in (sealed[:-4] + "AAA=", sealed.replace(KEY.id, OTHER.id), "", "v1", "v1.x.y", "a.b.c"):
        with pytest.raises(SecretKeyWrong):
            KEY.open("mail", "token", broken)


async def test_without_a_key_values_live_in_memory(world):
    store = AccountSecrets("mail")
    store.attach(world.db, None)
    assert await store.put("token", "a", expected=None)
    assert not await store.put("token", "b", expected=None)
    assert await store.get("token") == "a"
    assert world.db.read_now(lambda conn: conn.execute(select(account_secret)).all()) == []


async def test_too_large_a_value_is_refused(world):
    with pytest.raises(ValueError, match="16 KiB"):
        await kept(world).put("token", "x" * 20_000, expected=None)


def test_the_environment_goes_before_the_file(tmp_path):
    file = tmp_path / "secret.key"
    assert read_key(file, {}) is None
    file.write_text("k" * 40 + "\n")
    kept_in_file, given = read_key(file, {}), read_key(file, {"HUB_SECRET_KEY": "o" * 40})
    assert kept_in_file is not None
    assert given is not None
    assert (kept_in_file.id, given.id) == (KEY.id, OTHER.id)
    assert "k" * 8 not in repr(read_key(file, {}))
    with pytest.raises(SecretKeyUnusable):
        read_key(file, {"HUB_SECRET_KEY": "short"})


async def test_a_key_is_changed_without_losing_a_secret(both_worlds):
    await kept(both_worlds).put("token", "a", expected=None)
    both_worlds.write(secrets.keep_settings, KEY, "mail", {"password": "p"})
    both = SecretKey.of("o" * 40, "k" * 40)
    during = kept(both_worlds, key=both)
    assert await during.get("token") == "a"
    assert both_worlds.read(secrets.sealed_before, both) == 2
    assert both_worlds.write(secrets.seal_anew, both) == 2
    assert both_worlds.write(secrets.seal_anew, both) == 0
    assert both_worlds.read(secrets.sealed_before, both) == 0
    assert await kept(both_worlds, key=OTHER).get("token") == "a"
    assert both_worlds.read(secrets.settings_of, OTHER, "mail") == {"password": "p"}
    with pytest.raises(AuthenticationFailed):
        await kept(both_worlds).get("token")


async def test_what_no_key_opens_stays_and_is_named(both_worlds):
    both_worlds.write(secrets.keep_settings, SecretKey.of("x" * 40), "lost", {"password": "p"})
    both = SecretKey.of("o" * 40, "k" * 40)
    assert both_worlds.write(secrets.seal_anew, both) == 0
    assert both_worlds.read(secrets.unreadable, both) == ["lost"]


async def test_secret_settings_are_replaced_as_a_whole_and_out_of_a_plugins_reach(both_worlds):
    both_worlds.write(secrets.keep_settings, KEY, "mail", {"password": "p", "token": "t"})
    both_worlds.write(secrets.keep_settings, KEY, "mail", {"password": "q"})
    assert both_worlds.read(secrets.settings_of, KEY, "mail") == {"password": "q"}
    assert both_worlds.read(secrets.names_of_settings, "mail") == {"password"}
    store = kept(both_worlds)
    assert await store.get("setting:password") is None
    with pytest.raises(ValueError, match="16 KiB"):
        await store.put("setting:password", "x", expected=None)
    both_worlds.write(secrets.forget, "mail")
    assert both_worlds.read(secrets.names_of_settings, "mail") == set()


def test_without_a_key_no_secret_setting_is_taken(world):
    with pytest.raises(SecretKeyMissing, match="hub init"):
        world.write(secrets.keep_settings, None, "mail", {"password": "p"})
    world.write(secrets.keep_settings, None, "form", {})
    world.write(secrets.keep_settings, KEY, "mail", {"password": "p"})
    with pytest.raises(SecretKeyMissing):
        world.read(secrets.settings_of, None, "mail")


def test_the_old_key_stands_beside_the_new_one(tmp_path):
    file = tmp_path / "secret.key"
    file.write_text("o" * 40)
    (tmp_path / "secret.key.old").write_text("k" * 40)
    sealed = KEY.seal("mail", "token", "a")
    for found in (
        read_key(file, {}),
        read_key(tmp_path / "no", {"HUB_SECRET_KEY": "o" * 40, "HUB_SECRET_KEY_OLD": "k" * 40}),
    ):
        assert found is not None
        assert (found.id, found.open("mail", "token", sealed)) == (OTHER.id, "a")
        assert not found.wrote(sealed)
