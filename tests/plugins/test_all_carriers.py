"""What concerns all carriers together: whose number a text is, and histories of every carrier's own codes."""

import random
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.kernel.clock import Instant
from hub.sdk import RANK, Facts, Likeness, MoneyStatus, Observation, Status
from hub.shipments.model import merge, seen_of
from plugins.delivery import numbers as delivery
from plugins.delivery import receipt as delivery_receipt
from plugins.meest import numbers as meest
from plugins.nova_poshta import numbers as nova_poshta
from plugins.rozetka_delivery import numbers as rozetka_delivery
from plugins.rozetka_delivery import tracking as rozetka_tracking
from plugins.ukrposhta import numbers as ukrposhta
from tests.benchmarks.tracking import TABLES, differing_histories, told_in
from tests.conftest import CHECKOUT
from tests.plugins.pitfalls import NOT_YET, NUMBERS

RECOGNISE = {
    "nova_poshta": nova_poshta.recognise,
    "ukrposhta": ukrposhta.recognise,
    "meest": meest.recognise,
    "delivery": delivery.recognise,
    "rozetka_delivery": rozetka_delivery.recognise,
}
SURE, PERHAPS = Likeness.SURE, Likeness.PERHAPS


@pytest.mark.parametrize(
    ("typed", "proposed"),
    [
        ("20450000000001", {"nova_poshta": SURE}),
        ("59000000000001", {"nova_poshta": SURE}),
        ("10000000000001", {"nova_poshta": PERHAPS}),
        ("204500000000010001", {"nova_poshta": SURE}),
        ("SHPL0123456789", {"nova_poshta": PERHAPS}),
        ("102-12345678", {}),
        ("0500100031143", {"ukrposhta": SURE}),
        ("0500000000001", {"ukrposhta": PERHAPS}),
        ("500100031143", {"ukrposhta": PERHAPS, "meest": PERHAPS}),
        ("123456789012", {"meest": PERHAPS}),
        ("RA067022855UA", {"ukrposhta": SURE}),
        ("RR739685186PL", {"ukrposhta": PERHAPS}),
        ("CV999000001UA", {"ukrposhta": PERHAPS, "meest": PERHAPS}),
        ("CV999000001PL", {"ukrposhta": PERHAPS, "meest": PERHAPS}),
        ("MYCV999000001UA", {"meest": SURE}),
        ("MYCV0000000001", {"nova_poshta": PERHAPS, "meest": PERHAPS}),
        ("001-0255371", {"meest": PERHAPS}),
        ("0830047053", {"delivery": PERHAPS}),
        ("UNK-400975992", {"rozetka_delivery": SURE}),
        ("1Z999AA10123456784", {}),
        ("2045000000002", {"ukrposhta": PERHAPS}),  # a digit of Nova Poshta's lost
        ("замовлення 17", {}),
        ("", {}),
    ],
)
def test_the_carriers_agree_whose_number_it_is(typed, proposed):
    told = {name: recognise(typed).likeness for name, recognise in RECOGNISE.items()}
    assert {name: likeness for name, likeness in told.items() if likeness is not Likeness.NO} == proposed


@given(
    st.text(max_size=30)
    | st.from_regex(r"\d{8,19}", fullmatch=True)
    | st.from_regex(r"(MY)?[A-Z]{2}\d{9,10}([A-Z]{2})?|UNK-?\d{9}|\d{3}-\d{7,8}", fullmatch=True)
)
def test_at_most_one_carrier_is_sure(text):
    sure = [name for name, recognise in RECOGNISE.items() if recognise(text).likeness is SURE]
    assert len(sure) <= 1


# One of each form that is known, and whose it is. No number is anybody's.
FORMS = {
    "nova_poshta": (
        "20450000000001",
        "59000000000001",
        "10000000000001",
        "204500000000010001",
        "SHPL0123456789",
    ),
    "ukrposhta": ("0500100031143", "0500000000001", "500100031143", "RA067022855UA", "RR739685186PL"),
    "meest": ("MYCV999000001UA", "CV999000001UA", "MYCV0000000001", "001-0255371", "123456789012"),
    "delivery": ("0830047053",),
    "rozetka_delivery": ("UNK-400975992",),
}
OWN = [(name, number) for name, numbers in FORMS.items() for number in numbers]
GAPS = st.lists(
    st.sampled_from([" ", "\u00a0", "\u202f", "\t", "\u200b", "\ufeff", ""]), min_size=30, max_size=30
)


@given(st.sampled_from(OWN), GAPS, st.booleans())
def test_however_it_was_pasted_it_is_the_same_number(own, gaps, small):
    name, number = own
    typed = "".join(gap + sign for gap, sign in zip(gaps, number, strict=False))
    assert RECOGNISE[name](typed.lower() if small else typed) == RECOGNISE[name](number)


@given(st.sampled_from(OWN))
def test_a_recognised_number_is_recognised_as_itself(own):
    name, number = own
    first = RECOGNISE[name](number)
    again = RECOGNISE[name](first.number)
    assert (first.likeness is not Likeness.NO, again.number) == (True, first.number)
    assert again.likeness in {first.likeness, SURE}, "a number as its carrier writes it is no more doubtful"


@given(st.text(max_size=80))
def test_what_a_plugin_says_of_any_text_is_bounded_and_repeats_nothing_odd(text):
    for recognise in RECOGNISE.values():
        seen = recognise(text)
        assert seen.number.isascii()
        assert len(seen.number) <= 20
        assert len(seen.warning) <= 120
        assert seen.number or seen.likeness is Likeness.NO


@given(st.integers(0, 10**12 - 1), st.integers(0, 12), st.integers(1, 9))
def test_u8_a_wrong_digit_warns_unless_the_check_digit_cannot_tell(twelve, place, more):
    """Remainders 0 and 1 have the same check digit, 0: only such a pair of numbers goes unnoticed."""
    digits = f"{twelve:012d}"
    number = digits + str(ukrposhta.check_digit(digits))
    assert ukrposhta.recognise(number).likeness is SURE
    wrong = number[:place] + str((int(number[place]) + more) % 10) + number[place + 1 :]
    if "0" not in {number[-1], wrong[-1]} or number[-1] != wrong[-1]:
        seen = ukrposhta.recognise(wrong)
        assert (seen.likeness, bool(seen.warning)) == (PERHAPS, True)


@given(st.integers(0, 10**11 - 1))
def test_u8_a_lost_zero_comes_back_with_a_warning_and_never_for_sure(eleven):
    digits = f"0{eleven:011d}"
    number = digits + str(ukrposhta.check_digit(digits))
    seen = ukrposhta.recognise(number[1:])
    assert (seen.likeness, seen.number, bool(seen.warning)) == (PERHAPS, number, True)
    broken = number[1:-1] + str((int(number[-1]) + 1) % 10)
    assert ukrposhta.recognise(broken).number == ""


@given(st.integers(0, 10**8 - 1), st.sampled_from(["RA", "EE", "LB"]), st.integers(1, 9))
def test_a_postal_number_with_a_wrong_check_digit_warns(eight, letters, more):
    right = ukrposhta.s10_check_digit(f"{eight:08d}")
    assert ukrposhta.recognise(f"{letters}{eight:08d}{right}UA").likeness is SURE
    seen = ukrposhta.recognise(f"{letters}{eight:08d}{(right + more) % 10}UA")
    assert (seen.likeness, bool(seen.warning)) == (PERHAPS, True)


def test_each_carriers_table_is_part_of_the_generated_histories():
    assert set(TABLES) == set(RECOGNISE)
    assert all(len({code for code, _ in table}) == len(table) for table in TABLES.values())


def test_histories_of_all_carriers_shuffled_and_repeated_give_one_state():
    told = differing_histories(400, seed=7)
    assert told["histories"] == 400
    assert (told["differing"], told["backward"], told["flaps"], told["announced_back"]) == (0, 0, 0, 0)


def test_the_measure_of_histories_can_fail():
    told = differing_histories(100, seed=7, state_of=lambda parts, cod: parts[-1][-1] if parts[-1] else None)
    assert told["differing"] > 0


# Traps -------------------------------------------------------------------------------------------------


def named_by_tests():
    """The traps that tests of the plugins name, in capitals."""
    texts = (file.read_text(encoding="utf-8") for file in (CHECKOUT / "tests").rglob("test_*.py"))
    found = (re.findall(r"^(?:async )?def test_([numdi]\d{1,2})_", text, re.MULTILINE) for text in texts)
    return {name.upper() for names in found for name in names}


def test_every_trap_is_named_by_a_test_or_cannot_be_met_yet():
    named = named_by_tests()
    assert NUMBERS - named == NOT_YET.keys()
    assert named <= NUMBERS, "a test names a trap that no list has"


def test_the_readme_says_which_traps_cannot_be_met_yet():
    readme = (CHECKOUT / "plugins" / "nova_poshta" / "README.md").read_text(encoding="utf-8")
    assert all(f"| {number} |" in readme for number in NOT_YET)


def test_the_list_of_traps_is_the_references(samples):
    text = (samples / "carriers" / "PITFALLS.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| ([A-Z]\d+) \|", text, re.MULTILINE)) == NUMBERS


# The ways of the money ----------------------------------------------------------------------------------


def state_of(*observations, cod=True):
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    seen = [
        seen_of(one, Instant(int((begin + timedelta(hours=hour)).timestamp() * 1000)))
        for hour, one in enumerate(observations)
    ]
    random.Random(3).shuffle(seen)
    return told_in([seen, seen], cod=cod)


def delivery_receipts(*codes):
    return [delivery_receipt.observe({"codcost": 1500, "status": code}, str(code)) for code in codes]


def rozetka_models(*codes, back=""):
    steps = {"cod_amount": "1500", "carrier_return_track_num": back}
    return [
        rozetka_tracking.observe(steps | {"status_updated_at": f"2026-03-0{n} 10:00:00"}, code)
        for n, code in enumerate(codes, 1)
    ]


@pytest.mark.parametrize(
    ("observations", "status", "money"),
    [
        (delivery_receipts(8, 6, 7), Status.ARRIVED, MoneyStatus.EXPECTED),
        (delivery_receipts(8, 6, 7, 0), Status.DELIVERED, MoneyStatus.UNKNOWN),
        (delivery_receipts(8, 5), Status.CANCELLED, MoneyStatus.NOT_COLLECTED),
        (delivery_receipts(8, 6, 7, 4), Status.EXCEPTION, MoneyStatus.NOT_COLLECTED),
        (rozetka_models("10010", "10030"), Status.ACCEPTED, MoneyStatus.EXPECTED),
        (rozetka_models("10010", "10030", "60030"), Status.DELIVERED, MoneyStatus.UNKNOWN),
        (rozetka_models("10030", "40070", back="UNK-1"), Status.EXCEPTION, MoneyStatus.NOT_COLLECTED),
    ],
)
def test_money_ends_where_it_should(observations, status, money):
    state = state_of(*observations)
    assert (state.status, state.money) == (status, money)
    assert state.facts["cod_expected"] == 150_000


def ukrposhta_told(code, status, day, **facts):
    return Observation(
        status=status, raw_code=code, clock=datetime(2026, 3, day, tzinfo=UTC), facts=Facts(**facts)
    )


@pytest.mark.parametrize(
    ("transfer", "money"),
    [
        ({}, MoneyStatus.UNKNOWN),
        ({"money": MoneyStatus.COLLECTED, "cod_collected": 150_000}, MoneyStatus.COLLECTED),
        ({"money": MoneyStatus.PAID_OUT, "cod_paid_out": 149_000}, MoneyStatus.PAID_OUT),
    ],
)
def test_ukrposhtas_money_follows_the_transfer(transfer, money):
    state = state_of(
        ukrposhta_told("21700", Status.ARRIVED, 1),
        ukrposhta_told("41000", Status.DELIVERED, 2),
        ukrposhta_told("41000", Status.DELIVERED, 2, **transfer),
    )
    assert (state.status, state.money) == (Status.DELIVERED, money)


def test_ukrposhtas_returned_parcel_is_not_collected():
    state = state_of(ukrposhta_told("21700", Status.ARRIVED, 1), ukrposhta_told("41000", Status.RETURNED, 2))
    assert (state.status, state.money) == (Status.RETURNED, MoneyStatus.NOT_COLLECTED)


def test_meest_tells_no_money_so_it_is_unknown_where_our_order_expects_some():
    told = [ukrposhta_told("1622", Status.DELIVERED, 2)]
    assert state_of(*told).money is MoneyStatus.UNKNOWN
    assert state_of(*told, cod=False).money is MoneyStatus.NONE
    assert merge([], cod=True).money is MoneyStatus.UNKNOWN
    assert RANK[Status.RETURNED] > RANK[Status.DELIVERED]
