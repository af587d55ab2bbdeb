"""hub db, hub fairness, hub replay."""

import sqlite3
from contextlib import closing
from functools import partial

import pytest

from hub.access.model import system
from hub.contacts.model import PHONE, IdentityKey, Person
from hub.contacts.store import find_or_add
from hub.staff.store import team_by_name


def break_database(shop, statement):
    with closing(sqlite3.connect(shop.folder / "var" / "hub.db")) as connection, connection:
        connection.execute(statement)


def test_a_healthy_database_has_no_findings(shop):
    shop.hub("staff", "add", "Олена")
    assert shop.hub("db", "check", "--json").json == []
    assert shop.hub("db", "check").out == "all is well\n"


def test_a_broken_database_is_a_finding(shop):
    shop.hub("staff", "add", "Олена")
    break_database(shop, "UPDATE ledger_head SET state = replace(state, '\"house\":0', '\"house\":7')")
    (row,) = shop.hub("db", "check", "--json", code=1).json
    assert row["finding"] == "credits do not add up to zero"
    assert "FINDING" in shop.hub("db", "check", code=1).out


def test_upgrading_twice_changes_nothing(folder):
    folder.hub("init")
    first = folder.hub("db", "upgrade", "--json").json
    assert folder.hub("db", "upgrade", "--json").json == first


def test_fairness_shows_received_and_due(shop):
    assert "hub staff add" in shop.hub("fairness", "report").out
    shop.hub("staff", "add", "Олена", "--share", "2")
    (row,) = shop.hub("fairness", "report", "--json").json
    numbers = {key: row.pop(key) for key in list(row) if key not in {"name", "share"}}
    assert row == {"name": "Олена", "share": 2}
    assert set(numbers.values()) == {0}
    assert shop.hub("fairness", "report", "--csv").out.splitlines()[1].startswith("Олена,2,0")
    assert "no team moon" in shop.hub("fairness", "report", "--team", "moon", code=2).err


def some_history(shop, count=8):
    """Two people, and so many requests dealt to them."""
    from hub.cli.frame import hub_of
    from hub.intake.byhand import ByHand, open_by_hand

    for name in ("Олена", "Богдан"):
        shop.hub("staff", "add", name)

    def deal(tx, number):
        person = Person("Ірина", "", None, (IdentityKey(PHONE, f"+38067{number:07d}"),))
        team = team_by_name(tx.conn, "sales").id
        open_by_hand(tx, system("test"), ByHand(find_or_add(tx, person), team, "ціна?", "", "phone"))

    with hub_of(None) as hub:
        for number in range(count):
            hub.db.write_now(partial(deal, number=number))


def test_a_report_covers_the_days_asked_for(shop):
    some_history(shop)
    whole = shop.hub("fairness", "report", "--from", "2020-01-01", "--to", "2099-12-31", "--json").json
    assert [(row["received"], row["due"]) for row in whole] == [(4, 4), (4, 4)]
    past = shop.hub("fairness", "report", "--to", "2020-01-01", "--json").json
    assert [(row["received"], row["due"]) for row in past] == [(0, 0), (0, 0)]


def test_what_if_shows_what_a_change_would_have_done(shop):
    some_history(shop)

    def tried(*words):
        rows = shop.hub("fairness", "what-if", "Олена", *words, "--json").json
        return {row["name"]: (row["received"], row["would_have_received"]) for row in rows}

    assert tried("--share", "3") == {"Олена": (4, 6), "Богдан": (4, 2)}
    assert tried("--limit", "1") == {"Олена": (4, 1), "Богдан": (4, 7)}
    told = shop.hub("fairness", "what-if", "Олена", "--share", "3").out
    assert "WOULD_HAVE_RECEIVED" in told
    nothing = shop.hub("fairness", "what-if", "Олена", "--share", "3", "--to", "2020-01-01").out
    assert "nothing was dealt" in nothing
    assert {row["received"] for row in shop.hub("fairness", "report", "--json").json} == {4}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("Олена",), "share"), (("Олена", "--share", "0"), "share"), (("Олена", "--limit", "x"), "limit"),
        (("Олена", "--shift", "mon 9"), "shift"), (("Нікого", "--share", "2"), "Нікого"),
        (("Олена", "--share", "2", "--team", "moon"), "moon"), (("Олена", "--share", "2", "--from", "soon"), "--from"),
    ],
)  # fmt: skip
def test_what_if_names_what_is_wrong(shop, words, says):
    shop.hub("staff", "add", "Олена")
    assert says in shop.hub("fairness", "what-if", *words, code=2).err


def test_replay_of_nothing_is_nothing(shop):
    assert shop.hub("replay", "--json").json == {"tried": 0, "understood": 0}
    assert "tried 0" in shop.hub("replay", "--since", "2026-01-01T00:00:00Z", "--state", "failed").out


@pytest.mark.parametrize("since", ["yesterday", "2026-01-01"])
def test_replay_names_a_wrong_moment(shop, since):
    assert "--since" in shop.hub("replay", "--since", since, code=2).err


def test_an_export_is_verified_without_the_database(shop):
    shop.hub("staff", "add", "Олена", "--share", "2")
    shop.hub("fairness", "export", "out.jsonl")
    told = shop.hub("fairness", "verify", "out.jsonl", "--json").json
    assert (told["entries"], told["facts"], told["members"]) == (0, 1, 1)
    lines = (shop.folder / "out.jsonl").read_text().replace('\\"share\\":2', '\\"share\\":3')
    (shop.folder / "changed.jsonl").write_text(lines)
    err = shop.hub("fairness", "verify", "changed.jsonl", code=1).err
    assert "line 2: hash is" in err
    (shop.folder / "cut.jsonl").write_text("\n".join(lines.splitlines()[:1]))
    assert "cut off" in shop.hub("fairness", "verify", "cut.jsonl", code=1).err
