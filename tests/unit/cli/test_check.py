"""`hub check`: every account tried live, at once, and what is wrong said in the hub's language with what to do."""

import socket
import time

import pytest

from hub.accounts import kept
from hub.accounts.kept import Wanted
from hub.app import opened
from hub.cli import checks
from hub.db.tables import webhook
from hub.runtime import roster
from hub.settings import load
from tests.unit.cli.test_setup import checked

BOT = '[channels.bot{n}]\nplugin = "telegram"\nteam = "sales"\ntoken = "{n}:abc"\nbase_url = "{url}"\n'


@pytest.fixture
def nobody():
    """An address where nobody answers: refused at once."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    return f"http://127.0.0.1:{port}"


@pytest.fixture
def hung():
    """An address where somebody listens and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=20) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def write(shop, *accounts, language="en"):
    shop.write(f'[hub]\nlanguage = "{language}"\n' + "".join(accounts))


def test_channels_are_tried_live_like_carriers(shop, nobody):
    write(shop, BOT.format(n=1, url=nobody))
    result, detail = checked(shop, code=1)["channels.bot1"]
    assert result == "wrong"
    assert "try again in some minutes" in detail


def test_all_are_tried_at_once_and_within_their_time(shop, hung, monkeypatch):
    monkeypatch.setattr(roster, "CHECK_WITHIN_S", 1.0)
    write(shop, *(BOT.format(n=n, url=hung) for n in range(1, 7)))
    began = time.monotonic()
    found = checked(shop, code=1)
    assert time.monotonic() - began < 5  # one after the other it would be six at least
    assert {found[f"channels.bot{n}"][1].partition(";")[0] for n in range(1, 7)} == {
        "no answer within 1 seconds"
    }


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("WHAT", "RESULT", "wrong", "no connection", "try again in some minutes", "secret key")),
        ("uk", ("ЩО", "РЕЗУЛЬТАТ", "неправильно", "немає з’єднання", "спробуйте знову", "секретний ключ")),
    ],
)  # fmt: skip
def test_the_table_speaks_the_hubs_language(shop, nobody, language, words):
    write(
        shop,
        f'[carriers.np]\nplugin = "nova_poshta"\napi_key = "x"\nbase_url = "{nobody}/"\n',
        language=language,
    )
    out = shop.hub("check", code=1).out
    for word in words:
        assert word in out, (word, out)


@pytest.mark.parametrize(
    ("language", "says"), [("en", "web.port: is a whole number"), ("uk", "web.port: має бути цілим числом")]
)
def test_wrong_settings_are_told_in_the_language_that_they_name(shop, language, says):
    write(shop, '[web]\nport = "x"\nprot = 1\n', language=language)
    err = shop.hub("check", code=2).err
    assert says in err
    assert "web.prot" in err


def test_wrong_settings_of_accounts_are_told_in_both_languages(shop):
    write(shop, '[channels.mail]\nplugin = "email"\nteam = "sales"\naddress = "nobody"\n', language="uk")
    assert "очікується адреса на зразок shop@example.com" in shop.hub("check", code=1).out


def test_accounts_of_the_workspace_are_tried_and_a_lost_key_is_told(shop, nobody, monkeypatch):
    monkeypatch.setenv("HUB_SECRET_KEY", "k" * 40)
    with opened(load(shop.settings)) as hub:
        wanted = Wanted(
            kind="channel",
            name="bot",
            plugin="telegram",
            team="sales",
            settings={"token": "1:a", "base_url": nobody},
        )
        hub.db.write_now(lambda tx: kept.add(tx, hub.plugins, hub.key, wanted))
    assert checked(shop, code=1)["channels.bot"][0] == "wrong"
    monkeypatch.setenv("HUB_SECRET_KEY", "n" * 40)
    found = checked(shop, code=1)
    assert "put the old secret key back" in found["account bot"][1]
    assert found["channels.bot"][0] == "wrong"
    monkeypatch.setenv("HUB_SECRET_KEY_OLD", "k" * 40)
    found = checked(shop, code=1)
    assert "account bot" not in found
    assert found["old secret key"] == (
        "note",
        "stored secrets that wait for it: 1; the next start seals them",
    )
    with opened(load(shop.settings)) as hub:
        hub.db.write_now(lambda tx: kept.retire(tx, "channel", "bot"))
    assert checked(shop)["old secret key"][1] == "nothing needs it any more: take it away"
    shop.write('[channels.bot]\nplugin = "web_form"\n')
    assert checked(shop)["channels.bot"][0] == "ok"


def test_a_secret_of_a_web_hook_in_plain_text_is_a_finding(shop):
    with opened(load(shop.settings)) as hub:
        hub.db.write_now(
            lambda tx: tx.execute(
                webhook.insert().values(
                    id=1, url="https://x.example/", secret="s" * 20, events="[]", active=True, actor="test",
                    created_at=1, updated_at=1,
                )
            )
        )  # fmt: skip
    assert "restart the hub, it seals them" in checked(shop, code=1)["web hooks"][1]
    (shop.folder / "config" / "secret.key").unlink()
    assert "run `hub init`" in checked(shop, code=1)["web hooks"][1]


def test_every_row_knows_its_three_results():
    rows = [checks.row("database", result, "sqlite") for result in ("ok", "wrong", "note")]
    assert [list(one.values())[1] for one in checks.in_language(rows, "uk")] == [
        "гаразд",
        "неправильно",
        "примітка",
    ]
