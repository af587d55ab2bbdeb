"""hub init, plugins, check, and what every command does with wrong settings."""

import os
import socket
import stat
import subprocess
import sys
import tomllib

import pytest

from hub.app import opened
from hub.opening import CLI
from hub.orders import routes
from hub.orders import store as orders
from hub.orders.settings import edit_route
from hub.settings import load
from tests.unit.test_loader import install


def test_init_writes_starter_settings_that_are_right_and_leaves_them_alone_afterwards(folder):
    made = folder.hub("init", "shop", "--json").json
    settings = folder.folder / "shop" / "config" / "hub.toml"
    key = folder.folder / "shop" / "config" / "secret.key"
    assert made["written"] == ["shop/config/hub.toml", "shop/config/secret.key"]
    assert "channels" in tomllib.loads(settings.read_text())
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    secret = key.read_text()
    settings.write_text("# mine\n")
    assert folder.hub("init", "shop", "--json").json["written"] == []
    assert "there already" in folder.hub("init", "shop").out
    assert (settings.read_text(), key.read_text()) == ("# mine\n", secret)


def test_init_where_it_cannot_write_is_a_sentence(folder):
    (folder.folder / "config").write_text("a file")
    assert "config" in folder.hub("init", code=2).err


@pytest.mark.parametrize(
    "words",
    [
        ("staff", "list"),
        ("token", "list"),
        ("check",),
        ("db", "check"),
        ("db", "upgrade"),
        ("fairness", "report"),
        ("replay",),
        ("serve", "--port", "0"),
        ("track", "20450000000001"),
    ],
)
def test_every_command_tells_all_that_is_wrong_with_the_settings(folder, words):
    (folder.folder / "bad.toml").write_text('[web]\nport = "x"\nprot = 1\n[hub]\nlanguage = "de"\n')
    err = folder.hub(*words, "--config", "bad.toml", code=2).err
    assert {line.partition(":")[0] for line in err.splitlines()} == {"web.port", "web.prot", "hub.language"}


def test_without_settings_a_command_says_how_to_make_them(folder):
    assert "run `hub init`" in folder.hub("staff", "list", code=2).err


def test_the_settings_may_be_named_in_the_environment(shop, monkeypatch):
    monkeypatch.setenv("HUB_CONFIG", str(shop.settings))
    monkeypatch.chdir("/")
    assert shop.hub("staff", "list", "--json").json == []


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://x", "database.url: only sqlite"),
        ("sqlite://", "database.url: an SQLite database needs a file"),
        ("nonsense", "database.url: is not a database address"),
    ],
)
def test_a_wrong_database_address_is_a_sentence(shop, url, says):
    shop.write(f'[database]\nurl = "{url}"\n')
    assert says in shop.hub("staff", "list", code=2).err
    assert "database" in shop.hub("check", code=2).err


def test_a_database_that_does_not_answer_is_a_sentence_without_its_password(shop):
    pytest.importorskip("psycopg")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    shop.write(f'[database]\nurl = "postgresql://hub:s3cr3t@127.0.0.1:{port}/hub"\n')
    for words in (("staff", "list"), ("db", "upgrade"), ("db", "check")):
        ran = shop.hub(*words, code=2)
        assert "database" in ran.err
        assert "s3cr3t" not in ran.err + ran.out
    assert checked(shop, code=1)["database"][0] == "wrong"


def test_a_file_that_is_no_database_is_a_sentence(shop):
    (shop.folder / "var" / "hub.db").write_bytes(b"this is no database, but it is long enough" * 50)
    assert "database" in shop.hub("staff", "list", code=2).err
    assert checked(shop, code=1)["database"][0] == "wrong"


# --- plugins ------------------------------------------------------------------------------------------


def test_plugins_are_listed_with_what_they_offer(folder):
    rows = {row["plugin"]: row for row in folder.hub("plugins", "--json").json}
    assert rows["web_form"]["offers"] == ["channel web_form"]
    assert rows["nova_poshta"]["offers"] == ["carrier nova_poshta"]
    assert {row["problem"] for row in rows.values()} == {None}


def test_one_plugin_shows_its_keys_with_their_meaning(folder):
    out = folder.hub("plugins", "nova_poshta").out
    assert "base_url" in out
    assert "api_key" in out
    assert [row["plugin"] for row in folder.hub("plugins", "nova_poshta", "--json").json] == ["nova_poshta"]
    assert "hub plugins" in folder.hub("plugins", "pigeon", code=2).err


def test_a_plugin_that_stays_out_is_a_finding_with_its_reason(folder, monkeypatch):
    install(folder.folder, monkeypatch, "broken_plugin", "raise RuntimeError('no feathers')")
    out = folder.hub("plugins", code=1).out
    assert "no feathers" in out
    assert "stays out" in folder.hub("plugins", "broken_plugin", code=1).out
    rows = {row["plugin"]: row for row in folder.hub("plugins", "--json", code=1).json}
    assert rows["broken_plugin"]["problem"] == "cannot be imported: RuntimeError: no feathers"
    assert rows["web_form"]["problem"] is None


# --- check --------------------------------------------------------------------------------------------


def checked(shop, code=0):
    return {
        row["what"]: (row["result"], row["detail"]) for row in shop.hub("check", "--json", code=code).json
    }


def with_carrier(shop, base_url, more=""):
    shop.write(f'[carriers.np]\nplugin = "nova_poshta"\nbase_url = "{base_url}"\n{more}')


def test_all_is_well_with_the_emulated_carrier(shop, nova_poshta):
    emulator, address = nova_poshta
    emulator.api_key = "right"
    with_carrier(shop, address, 'api_key = "right"\n[channels.form]\nplugin = "web_form"\n')
    found = checked(shop)
    assert found["carriers.np"] == ("ok", "the key works")
    assert found["database"][0] == found["channels.form"][0] == found["plugin web_form"][0] == "ok"


def test_a_wrong_key_is_a_finding_that_names_the_account_and_not_the_key(shop, nova_poshta):
    emulator, address = nova_poshta
    emulator.api_key = "right"
    with_carrier(shop, address, 'api_key = "wr0ng-key"\n')
    found = checked(shop, code=1)
    assert found["carriers.np"][0] == "wrong"
    assert "wr0ng-key" not in str(found)


def test_a_carrier_that_cannot_be_reached_is_a_finding(shop):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with_carrier(shop, f"http://127.0.0.1:{port}/v2.0/json/", 'api_key = "x"\n')
    result, detail = checked(shop, code=1)["carriers.np"]
    assert (result, detail.partition(";")[0]) == ("wrong", "no connection: ConnectError")
    assert "try again in some minutes" in detail


def test_accounts_that_are_not_valid_are_findings_with_their_paths(shop):
    shop.write(
        '[carriers.np]\nplugin = "nova_posta"\n[channels.form]\nplugin = "web_form"\nrate = 1\n'
        '[channels.other]\nplugin = "web_form"\nteam = "moon"\n'
    )
    found = checked(shop, code=1)
    wrong = {what for what, (result, _) in found.items() if result == "wrong"}
    assert wrong == {"carriers.np.plugin", "channels.form.rate", "channels.other.team"}
    assert "nova_poshta" in found["carriers.np.plugin"][1]


def test_a_database_that_is_not_there_yet_is_a_note(folder):
    folder.hub("init")
    assert checked(folder)["database"][0] == "note"


def test_a_schema_of_another_program_is_a_finding(shop):
    import sqlite3

    with sqlite3.connect(shop.folder / "var" / "hub.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '29990101_future'")
    connection.close()
    assert "29990101_future" in checked(shop, code=1)["database"][1]
    assert "newer" in shop.hub("staff", "list", code=2).err


# --- the rest of the frame ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [("nonsense",), ("staff",), ("serve", "--port", "70000"), ("--nonsense",), ("replay", "--since", "x")],
)
def test_wrong_use_is_two(shop, words):
    shop.hub(*words, code=2)


def test_several_processes_need_postgresql_and_it_says_so(shop):
    assert "PostgreSQL" in shop.hub("serve", "--role", "web", code=2).err


def test_the_program_starts_as_a_process_and_tells_its_version(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-m", "hub", "--version"],
        capture_output=True, text=True, cwd=tmp_path, check=True, timeout=30, env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
    assert "hub" in ran.stdout
    refused = subprocess.run(
        [sys.executable, "-m", "hub", "staff", "list"],
        capture_output=True, text=True, cwd=tmp_path, check=False, timeout=30,
    )  # fmt: skip
    assert refused.returncode == 2
    assert "hub init" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_check_tells_where_the_database_differs_from_what_the_file_and_the_program_seed(shop):
    shop.hub("staff", "list")
    with opened(load(shop.settings)) as hub:
        body = routes.body_of(hub.db.read_now(lambda conn: orders.newest_route(conn, "service")))
        body["stages"][1]["title"] = {"en": "Talked over", "uk": "Обговорено"}
        hub.db.write_now(lambda tx: edit_route(tx, CLI, "service", body))
    shop.write("[teams.sales]\nreaction_minutes = 77\n")
    told = {row["what"]: row for row in shop.hub("check", "--json").json}
    assert told["route service"]["result"] == "note"
    assert "stage agreed differs in title" in told["route service"]["detail"]
    assert "77 in the file" in told["teams.sales.reaction_minutes"]["detail"]
    assert "route parcel" not in told
