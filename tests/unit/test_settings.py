"""The settings: every problem at once, with its path, and never a secret."""

import pytest

from hub.kernel.clock import SystemClock
from hub.kernel.errors import SettingsRejected
from hub.loader import load_plugins
from hub.runtime.building import read_accounts
from hub.sdk import CarrierPlugin, ChannelPlugin
from hub.settings import (
    DatabaseSection,
    HubSection,
    Settings,
    TeamSection,
    WebSection,
    base_of,
    build,
    load,
    settings_file,
)

SECRET = "s3cr3t-of-the-shop"


def problems(table, base):
    with pytest.raises(SettingsRejected) as rejected:
        build(table, base)
    return {p.path: p.message for p in rejected.value.problems}


def test_an_empty_file_is_enough(tmp_path):
    settings = build({}, tmp_path).settings
    assert (settings.hub.language, settings.hub.timezone, settings.web.port) == ("uk", "Europe/Kyiv", 8080)


def test_all_errors_are_found_at_once_each_with_its_path(tmp_path):
    found = problems(
        {
            "hub": {"language": "de", "timezone": "Europe/Kiew", "colour": "red"},
            "web": {"port": 70_000, "trusted_proxies": ["10.0.0.0/8", "proxy"]},
            "teams": {"Продажі": {}, "sales": {"reaction_minutes": 0}},
            "channels": {"Shop Form": {"plugin": "web_form"}, "x": {"key_file": "missing.key"}},
            "carriers": {"np": 5},
            "colours": {},
        },
        tmp_path,
    )
    assert found.keys() == {
        "hub.language", "hub.timezone", "hub.colour", "web.port", "web.trusted_proxies", "teams.Продажі",
        "teams.sales.reaction_minutes", "channels.Shop Form", "channels.x.key_file", "carriers.np", "colours",
    }  # fmt: skip
    assert found["hub.colour"] == found["colours"] == "is not a key here"
    assert found["hub.timezone"] == "is no time zone, such as Europe/Kyiv"
    assert found["web.trusted_proxies"].startswith("proxy is no address")
    assert found["channels.x.key_file"].startswith("cannot be read")


@pytest.mark.parametrize("name", ["", "-x", "Shop", "a b", "магазин", "a" * 64, "a.b"])
def test_a_name_of_an_account_is_plain(tmp_path, name):
    assert f"channels.{name}" in problems({"channels": {name: {}}}, tmp_path)


@pytest.mark.parametrize("section", ["hub", "web", "database", "teams", "channels", "carriers"])
@pytest.mark.parametrize("value", [5, "text", [1]])
def test_a_section_that_is_no_table_is_one_error(tmp_path, section, value):
    assert set(problems({section: value}, tmp_path)) == {section}


# --- the environment ----------------------------------------------------------------------------------


def test_the_environment_stands_above_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("HUB_WEB__PORT", "9090")
    monkeypatch.setenv("HUB_HUB__LANGUAGE", "en")
    monkeypatch.setenv("HUB_CHANNELS__shop-form__TEAM", "retail")
    monkeypatch.setenv("HUB_WEB__TRUSTED_PROXIES", "10.0.0.1, 192.168.0.0/16")
    table = {
        "web": {"port": 1, "host": "0.0.0.0"},
        "channels": {"shop-form": {"plugin": "web_form", "team": "sales"}},
    }
    settings = build(table, tmp_path).settings
    assert (settings.web.port, settings.web.host, settings.hub.language) == (9090, "0.0.0.0", "en")
    assert settings.channels == {"shop-form": {"plugin": "web_form", "team": "retail"}}
    assert settings.web.trusted_proxies == ("10.0.0.1", "192.168.0.0/16")


def test_an_unknown_key_in_the_environment_is_an_error_too(tmp_path, monkeypatch):
    monkeypatch.setenv("HUB_WEB__PROT", "1")
    assert set(problems({}, tmp_path)) == {"web.prot"}


def test_a_secret_from_a_file_can_be_named_in_the_environment(tmp_path, monkeypatch):
    (tmp_path / "np.key").write_text(f"{SECRET}\n")
    monkeypatch.setenv("HUB_CARRIERS__np__API_KEY_FILE", "np.key")
    settings = build({"carriers": {"np": {"plugin": "nova_poshta"}}}, tmp_path).settings
    assert settings.carriers["np"] == {"plugin": "nova_poshta", "api_key": SECRET}


def test_a_broken_value_in_the_environment_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("HUB_WEB", "{not json")
    assert "HUB_WEB" in str(problems({}, tmp_path)) or "web" in problems({}, tmp_path)


def test_a_bad_name_in_the_environment_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("HUB_CHANNELS__shop form__PLUGIN", "web_form")
    assert "channels.shop form" in problems({}, tmp_path)


# --- secrets ------------------------------------------------------------------------------------------


def test_a_secret_may_stand_in_a_file_beside(tmp_path):
    (tmp_path / "np.key").write_text(f"  {SECRET}\n")
    table = {"carriers": {"np": {"plugin": "nova_poshta", "api_key_file": "np.key"}}}
    assert build(table, tmp_path).settings.carriers["np"]["api_key"] == SECRET


def test_a_secret_file_that_is_no_text_is_named(tmp_path):
    (tmp_path / "np.key").write_bytes(b"\xff\xfe\x00")
    found = problems({"carriers": {"np": {"api_key_file": "np.key"}}}, tmp_path)
    assert set(found) == {"carriers.np.api_key_file"}


def test_a_secret_given_twice_is_an_error(tmp_path):
    (tmp_path / "np.key").write_text(SECRET)
    found = problems({"carriers": {"np": {"api_key": "other", "api_key_file": "np.key"}}}, tmp_path)
    assert set(found) == {"carriers.np.api_key_file"}


def test_no_message_holds_a_secret(tmp_path):
    (tmp_path / "np.key").write_text(SECRET)
    table = {
        "hub": {"language": SECRET, "timezone": SECRET, SECRET.upper(): 1},
        "web": {"port": SECRET},
        "carriers": {"np": {"plugin": "nova_poshta", "api_key_file": "np.key"}},
    }
    with pytest.raises(SettingsRejected) as rejected:
        build(table, tmp_path)
    assert SECRET not in str(rejected.value)


def test_the_message_about_an_account_holds_no_secret(tmp_path):
    keys = {"plugin": "nova_poshta", "api_key": [SECRET], "phone": SECRET, "token": SECRET}
    loaded = build({"carriers": {"np": keys}}, tmp_path)
    found = read_accounts(loaded, load_plugins(), SystemClock()).problems
    assert {p.path for p in found} == {"carriers.np.api_key", "carriers.np.phone", "carriers.np.token"}
    assert SECRET not in str(found)


# --- accounts -----------------------------------------------------------------------------------------


def account_problems(table, tmp_path):
    found = read_accounts(build(table, tmp_path), load_plugins(), SystemClock())
    return {p.path: p.message for p in found.problems}, found


def test_an_account_names_its_plugin_or_hears_the_nearest(tmp_path):
    found, _ = account_problems(
        {"channels": {"a": {"plugin": "webform"}, "b": {}, "c": {"plugin": "nova_poshta"}}}, tmp_path
    )
    assert found.keys() == {"channels.a.plugin", "channels.b.plugin", "channels.c.plugin"}
    assert "did you mean 'web_form'?" in found["channels.a.plugin"]
    assert "web_form" in found["channels.b.plugin"]


def test_an_account_of_a_team_that_is_not_there_is_named(tmp_path):
    found, _ = account_problems({"channels": {"a": {"plugin": "web_form", "team": "retail"}}}, tmp_path)
    assert found == {"channels.a.team": "there is no [teams.retail] in the settings"}


def test_one_name_for_two_accounts_is_an_error(tmp_path):
    table = {"channels": {"x": {"plugin": "web_form"}}, "carriers": {"x": {"plugin": "nova_poshta"}}}
    found, _ = account_problems(table, tmp_path)
    assert found == {"carriers.x": "this name is taken by another account"}


def test_good_accounts_are_built_beside_bad_ones(tmp_path):
    table = {"channels": {"good": {"plugin": "web_form"}, "bad": {"plugin": "web_form", "colour": 1}}}
    found, accounts = account_problems(table, tmp_path)
    assert list(accounts.channels) == ["good"]
    assert found == {"channels.bad.colour": "is not a key here"}


# --- files --------------------------------------------------------------------------------------------


def rejected(file):
    with pytest.raises(SettingsRejected) as refused:
        load(file)
    return str(refused.value)


def test_a_missing_file_says_how_to_make_one(tmp_path):
    assert "run `hub init`" in rejected(tmp_path / "hub.toml")


@pytest.mark.parametrize("content", [b"[hub", b"a = ", b"\xff\xfe", b"[hub]\n[hub]\n"])
def test_a_file_that_is_no_toml_says_so(tmp_path, content):
    (tmp_path / "hub.toml").write_bytes(content)
    assert "is no TOML" in rejected(tmp_path / "hub.toml")


def test_a_folder_instead_of_a_file_is_a_sentence(tmp_path):
    assert str(tmp_path) in rejected(tmp_path)


def test_relative_paths_start_above_config(tmp_path):
    (tmp_path / "config").mkdir()
    file = tmp_path / "config" / "hub.toml"
    file.write_text("[hub]\nlanguage = 'en'\n")
    loaded = load(file)
    assert loaded.path("var/hub.db") == tmp_path / "var" / "hub.db"
    assert loaded.path("/srv/hub") == (tmp_path / "/srv/hub")
    assert base_of(tmp_path / "hub.toml") == tmp_path


def test_the_option_wins_over_the_environment(monkeypatch):
    monkeypatch.setenv("HUB_CONFIG", "/etc/hub.toml")
    assert str(settings_file(None)) == "/etc/hub.toml"
    assert str(settings_file("x.toml")) == "x.toml"
    monkeypatch.delenv("HUB_CONFIG")
    assert str(settings_file(None)) == "config/hub.toml"


@pytest.mark.parametrize("section", [HubSection, DatabaseSection, WebSection, TeamSection])
def test_every_key_of_every_section_says_what_it_is(section):
    assert [name for name, field in section.model_fields.items() if not field.description] == []


def test_every_key_of_every_plugin_says_what_it_is():
    loaded = load_plugins()
    kinds: list[ChannelPlugin | CarrierPlugin] = [*loaded.channels.values(), *loaded.carriers.values()]
    assert kinds
    missing = [
        (kind.name, name)
        for kind in kinds
        for name, field in kind.settings.model_fields.items()
        if not field.description
    ]
    assert missing == []


def test_settings_cannot_be_changed_afterwards():
    from pydantic import ValidationError

    settings = Settings()
    with pytest.raises(ValidationError):
        settings.web.port = 1  # type: ignore[misc]


# --- blobs -------------------------------------------------------------------------------------------


def test_the_secret_of_the_bucket_comes_from_a_file_or_the_environment_and_is_never_shown(
    tmp_path, monkeypatch
):
    (tmp_path / "s3").write_text("very-secret\n")
    table = {"blobs": {"url": "s3://bucket/p", "access_key_id": "A", "secret_access_key_file": "s3"}}
    loaded = build(table, tmp_path)
    assert loaded.settings.blobs.secret_access_key.get_secret_value() == "very-secret"
    assert "very-secret" not in repr(loaded) + loaded.model_dump_json()
    monkeypatch.setenv("HUB_BLOBS__SECRET_ACCESS_KEY", "other")
    monkeypatch.setenv("HUB_BLOBS__ACCESS_KEY_ID", "A")
    monkeypatch.setenv("HUB_BLOBS__URL", "s3://bucket")
    assert build({}, tmp_path).settings.blobs.secret_access_key.get_secret_value() == "other"


@pytest.mark.parametrize(
    ("blobs", "path", "says"),
    [
        ({"url": "https://b/p"}, "blobs.url", "s3://bucket/prefix"),
        ({"url": "s3://b"}, "blobs.url", "s3://bucket/prefix"),
        ({"url": "s3://bucket", "endpoint": "minio:9000"}, "blobs.endpoint", "https://"),
        ({"url": "s3://bucket", "access_key_id": "A"}, "blobs", "stand together"),
        ({"access_key_id": "A", "secret_access_key": "very-secret"}, "blobs", "without url"),
        ({"url": "s3://bucket", "timeout_s": 60}, "blobs.timeout_s", "at most 12"),
    ],
)
def test_wrong_settings_of_the_bucket_are_one_sentence_each(tmp_path, blobs, path, says):
    with pytest.raises(SettingsRejected) as told:
        build({"blobs": blobs}, tmp_path)
    [problem] = told.value.problems
    assert problem.path == path
    assert says in problem.message
    assert "very-secret" not in problem.message
