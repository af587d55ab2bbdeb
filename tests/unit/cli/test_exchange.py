"""hub import and hub export: all faults at once with their lines, no doubles, no formulas, back and forth."""

import json

import pytest

from hub.kernel.sheets import read_rows

CONTACTS = """\
ПІБ;Телефон;E-mail;Примітка
Леся Українка;067 123 45 67;lesia@example.com;=SUM(1)
Іван Франко;+380671112233, 0501112233;;
"""
ORDERS = """\
number,name,phone,payment,item,quantity,price,paid
2001,Lesia,+380671234567,cod,Coffee machine,1,11890.00,
2001,,,,Filter,2,"100,10",
2002,Ivan,+380671112233,prepaid,Cups,1.5,50,25
"""


@pytest.fixture
def file(shop):
    """Writes a file; gives its name."""

    def write(text, name="in.csv"):
        (shop.folder / name).write_text(text, encoding="utf-8")
        return name

    return write


def exported(shop, what, form="jsonl"):
    shop.hub("export", what, "--format", form, "--output", f"{what}.{form}")
    body = (shop.folder / f"{what}.{form}").read_bytes()
    (shop.folder / f"{what}.{form}").unlink()
    return [json.loads(line) for line in body.splitlines()] if form == "jsonl" else body


def test_contacts_come_in_once_however_often_they_are_imported(shop, file):
    name = file(CONTACTS)
    counted = shop.hub("import", "contacts", name, "--json").json
    assert counted == {"read": 2, "added": 2, "changed": 0, "known": 0}
    assert shop.hub("import", "contacts", name, "--json").json["known"] == 2
    found = exported(shop, "contacts")
    assert [(one["name"], one["phone"], one["email"]) for one in found] == [
        ("Леся Українка", "+380671234567", "lesia@example.com"),
        ("Іван Франко", "+380501112233 +380671112233", ""),
    ]


def test_what_is_empty_is_filled_in_and_what_is_there_stays(shop, file):
    shop.hub("import", "contacts", file("phone\n+380671234567\n"))
    counted = shop.hub(
        "import", "contacts", file("phone,name,email\n0671234567,Lesia,l@example.com\n"), "--json"
    )
    assert counted.json["changed"] == 1
    shop.hub("import", "contacts", file("phone,name\n0671234567,Somebody\n"))
    (one,) = exported(shop, "contacts")
    assert (one["name"], one["email"]) == ("Lesia", "l@example.com")


def test_every_fault_is_named_with_its_line_and_nothing_is_written(shop, file):
    name = file("name,phone,email\nLesia,0671234567,\nIvan,12,\nOlha,,nonsense\nTaras,,\n")
    ran = shop.hub("import", "contacts", name, code=1)
    assert [line.partition(":")[0] for line in ran.err.splitlines()[:3]] == ["line 3", "line 4", "line 5"]
    assert "nothing was written" in ran.err
    assert exported(shop, "contacts") == []
    errors = shop.hub("import", "contacts", name, "--json", code=1).json["errors"]
    assert [one["line"] for one in errors] == [3, 4, 5]


def test_orders_come_in_with_their_lines_and_numbers_once(shop, file):
    shop.hub("staff", "add", "Olena")
    name = file(ORDERS)
    for added in (2, 0):
        counted = shop.hub("import", "orders", name, "--responsible", "Olena", "--json").json
        assert (counted["added"], counted["known"]) == (added, 2 - added)
    found = {one["number"]: one for one in exported(shop, "orders")}
    assert (found["2001"]["total"], found["2001"]["payment"], found["2001"]["name"]) == (
        "12090.20",
        "cod",
        "Lesia",
    )
    assert (found["2002"]["total"], found["2002"]["paid"]) == ("75.00", "25.00")
    assert found["2001"]["responsible"] == "Olena"
    shop.hub("db", "check")


def test_numbers_of_ours_go_on_above_imported_ones(shop, file):
    from hub.db.database import Database
    from hub.db.engine import parse_url
    from hub.kernel.clock import SystemClock
    from hub.kernel.ids import IdSource
    from hub.orders import store

    shop.hub("staff", "add", "Olena")
    shop.hub("import", "orders", file(ORDERS), "--responsible", "Olena")
    clock = SystemClock()
    db = Database(parse_url("sqlite:///var/hub.db", shop.folder), IdSource(900, clock.now), clock)
    try:
        assert db.write_now(store.next_number) == "2003"
    finally:
        db.close()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("number,phone\n,0671234567\n", "needs its number"),
        ("number,phone,responsible\n1,0671234567,Nobody\n", "nobody called Nobody"),
        ("number,phone,payment\n1,0671234567,beads\n", "the payment beads"),
        ("number,phone,item,price\n1,0671234567,Cup,much\n", "much is no sum"),
        ("number,phone,item,quantity\n1,0671234567,Cup,0\n", "a quantity is a number above zero"),
        ("number,phone\n1,\n", "a telephone or an e-mail is needed"),
    ],
)
def test_faults_of_orders_are_told_in_words(shop, file, text, words):
    shop.hub("staff", "add", "Olena")
    ran = shop.hub("import", "orders", file(text), "--responsible", "Olena", code=1)
    assert words in ran.err
    assert "line 2" in ran.err


def test_a_file_that_names_no_column_says_which_there_are(shop, file):
    assert "there are number, name" in shop.hub("import", "contacts", file("a,b\n1,2\n"), code=2).err
    assert "--responsible: there is no X" in shop.hub(
        "import", "orders", file(ORDERS), "--responsible", "X", code=2
    ).err  # fmt: skip


def test_a_dry_run_writes_nothing(shop, file):
    assert "checked, nothing written" in shop.hub("import", "contacts", file(CONTACTS), "--dry-run").out
    assert exported(shop, "contacts") == []


@pytest.mark.parametrize("form", ["csv", "xlsx", "jsonl"])
def test_what_was_exported_can_be_imported_and_holds_no_formula(shop, file, form):
    shop.hub("import", "contacts", file(CONTACTS))
    body = exported(shop, "contacts", form)
    if form == "csv":
        assert b"'=SUM(1)" in body
        assert read_rows(body)[1][6] == "=SUM(1)"
    shop.hub("export", "contacts", "--format", form, "--output", f"again.{form}")
    assert shop.hub("import", "contacts", f"again.{form}", "--json").json["known"] == 2


def test_an_export_overwrites_nothing(shop, file):
    name = file("mine", "out.csv")
    assert "is there already" in shop.hub("export", "orders", "--output", name, code=2).err
    assert (shop.folder / name).read_text() == "mine"


@pytest.mark.parametrize("what", ["requests", "orders", "shipments", "contacts"])
def test_empty_tables_have_their_heads(shop, what):
    assert len(read_rows(exported(shop, what, "csv"))) == 1
