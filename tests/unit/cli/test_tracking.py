"""hub track, against the emulated carrier."""

import pytest

from hub.kernel.clock import SystemClock
from hub.testing.emulators.meest import MeestEmulator
from tests.unit.cli.conftest import in_a_thread

NUMBER = "20450000000001"


@pytest.fixture
def carrier(folder, nova_poshta):
    """The emulator, and settings that lead to it; there is no database."""
    emulator, address = nova_poshta
    folder.settings.parent.mkdir()
    folder.write(f'[carriers.np]\nplugin = "nova_poshta"\nbase_url = "{address}"\napi_key = "k"\n')
    return emulator


def test_a_parcel_is_found_without_a_database(folder, carrier):
    carrier.add_parcel(NUMBER, cod_minor=125_000)
    found = folder.hub("track", NUMBER, "--carrier", "np", "--json").json
    assert (found["carrier"], found["number"], found["status"], found["problem"]) == (
        "np",
        NUMBER,
        "created",
        None,
    )
    assert found["money_status"] == "expected"
    assert found["facts"]["cod_expected"] == 125_000
    assert not (folder.folder / "var").exists()


def test_the_carrier_is_known_by_its_number(folder, carrier):
    carrier.add_parcel(NUMBER)
    assert folder.hub("track", " 2045 0000 0000 01 ", "--json").json["carrier"] == "np"


def test_the_whole_way_is_told_where_the_carrier_tells_it(folder):
    emulator = MeestEmulator(SystemClock(), seconds_per_step=0.001)
    emulator.add_parcel("MYCV000000001UA")
    folder.settings.parent.mkdir()
    with in_a_thread(emulator) as address:
        keys = f'username = "u"\npassword = "p"\nbase_url = "{address}"'
        folder.write(f'[carriers.meest]\nplugin = "meest"\n{keys}\n')
        found = folder.hub("track", "MYCV000000001UA", "--json").json
        out = folder.hub("track", "MYCV000000001UA").out
    assert [one["raw_code"] for one in found["events"]] == list(emulator.routes["delivered"])
    assert (found["status"], found["events"][-1]["status"]) == ("delivered", "delivered")
    *_, last = [line for line in out.splitlines() if line]
    assert "delivered" in last
    assert "ДОРУЧЕНО" in last
    assert len([line for line in out.splitlines() if line.startswith("  20")]) == 5


def test_a_mistyped_number_is_asked_for_and_warned_of(folder, carrier):
    """A place's barcode has four digits more than its waybill."""
    carrier.add_parcel(NUMBER)
    found = folder.hub("track", NUMBER + "0001", "--json").json
    assert (found["number"], found["status"]) == (NUMBER, "created")
    assert "first 14 digits" in found["warning"]
    assert "first 14 digits" in folder.hub("track", NUMBER + "0001").out


def test_several_carriers_are_proposed_and_none_is_guessed(folder, carrier):
    keys = 'username = "u"\npassword = "p"\nbase_url = "http://127.0.0.1:9/"\n'
    with folder.settings.open("a", encoding="utf-8") as settings:
        settings.write(f'[carriers.meest]\nplugin = "meest"\n{keys}')
        settings.write('[carriers.up]\nplugin = "ukrposhta"\nbearer_tracking = "t"\n')
    said = folder.hub("track", "500100031143", code=2).err
    assert "meest (500100031143)" in said
    assert "up (0500100031143: A spreadsheet seems to have eaten the zero" in said
    assert "--carrier" in said
    assert carrier.asked == []


def test_two_accounts_of_one_carrier_are_no_doubt(folder, carrier):
    address = next(line for line in folder.settings.read_text().splitlines() if line.startswith("base_url"))
    with folder.settings.open("a", encoding="utf-8") as settings:
        settings.write(f'[carriers.np2]\nplugin = "nova_poshta"\n{address}\n')
    carrier.add_parcel(NUMBER)
    assert folder.hub("track", NUMBER, "--json").json["carrier"] == "np"


def test_what_is_wrong_with_a_number_is_said(folder, carrier):
    assert "14 digits, this number has 15" in folder.hub("track", NUMBER + "1", code=2).err


def test_people_read_lines(folder, carrier):
    carrier.add_parcel(NUMBER)
    out = folder.hub("track", NUMBER).out
    assert out.startswith(f"np {NUMBER}: created\n")


def test_a_number_the_carrier_does_not_know_is_a_finding(folder, carrier):
    found = folder.hub("track", NUMBER, "--json", code=1).json
    assert found["status"] == "unknown"
    assert found["problem"]


@pytest.mark.parametrize("fault", ["throttle", "auth", "http_500", "html", "half_body", "http_429"])
def test_a_failing_carrier_is_a_finding_and_a_sentence(folder, carrier, fault):
    carrier.fail_next(3, fault)
    found = folder.hub("track", NUMBER, "--json", code=1).json
    assert found["problem"]
    assert "Traceback" not in found["problem"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("12",), "4 to 40"),
        ((NUMBER, "--carrier", "pigeon"), "there are"),
        (("ABCDEFG",), "name one with --carrier"),
    ],
)
def test_wrong_use_says_what_there_is(folder, carrier, words, says):
    assert says in folder.hub("track", *words, code=2).err
    assert carrier.asked == []


@pytest.mark.parametrize(
    ("number", "title", "keys"),
    [
        ("UB123456785UA", "Ukrposhta", "bearer_tracking"),
        ("MYCV123456789UA", "Meest", "username, password"),
    ],
)
def test_a_carrier_that_is_installed_and_not_set_up_is_proposed_too(folder, carrier, number, title, keys):
    said = folder.hub("track", number, code=2).err
    assert title in said
    assert f"add an account, [carriers.{title.lower()}]" in said
    assert keys in said
    assert carrier.asked == []


def test_a_named_carrier_that_is_not_set_up_says_what_is_missing(folder, carrier):
    said = folder.hub("track", NUMBER, "--carrier", "ukrposhta", code=2).err
    assert said.startswith("add an account, [carriers.ukrposhta]")
