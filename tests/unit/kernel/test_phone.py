"""Telephone numbers: what people in Ukraine type, and agreement with the general library."""

import random

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.kernel.phone import parse_phone, show_phone

MADE = "+380671234567"


@pytest.mark.parametrize(
    "text",
    [
        "0671234567",
        "067 123 45 67",
        "(067) 123-45-67",
        "067.123.45.67",
        "067/1234567",
        "8 067 123-45-67",
        "8(067)1234567",
        "380671234567",
        "+380671234567",
        "+38 (067) 123-45-67",
        "38 067 123 45 67",
        "00380671234567",
        "00 380 67 123 45 67",
        "671234567",
        "  +380 67\u00a0123\u00a045\u00a067  ",
        "+380 67 123\u201345\u201367",
        "0671234567 доб. 12",
        "+380671234567 ext 5",
        "0671234567 x1",
        "(+380) 67 123 45 67",
        "+380 (0) 67 123 45 67",
    ],
)
def test_ukrainian_spellings_of_one_number_are_one_number(text):
    assert parse_phone(text) == MADE


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("+48 512 345 678", "UA", "+48512345678"),
        ("0048 512 345 678", "UA", "+48512345678"),
        ("512 345 678", "PL", "+48512345678"),
        ("+1 202 456 1111", "UA", "+12024561111"),
        ("(202) 456-1111", "US", "+12024561111"),
        ("+49 30 901820", "UA", "+4930901820"),
        ("030 901820", "DE", "+4930901820"),
        ("+380 44 279 12 34", "PL", "+380442791234"),
        ("0671234567", "PL", None),
    ],
)
def test_foreign_numbers_follow_their_country(text, region, number):
    assert parse_phone(text, region) == number


@pytest.mark.parametrize(
    "text",
    ["", "1", "немає", "067", "06712345", "067123456789", "0001234567", "+380001234567", "0671234567 або 0501234567",
     "call me", "0671234567@", "+", "()-", "9" * 64, "0" * 20],
)  # fmt: skip
def test_what_is_no_number_is_none(text):
    assert parse_phone(text) is None


@pytest.mark.parametrize("text", ["067١٢٣٤٥٦٧", "０６７１２３４５６７", "٠٦٧١٢٣٤٥٦٧"])
def test_digits_of_other_scripts_are_digits_and_never_reach_the_number(text):
    assert parse_phone(text) == MADE


@given(st.text(max_size=40) | st.text(alphabet="0123456789+()- \u00a0٣", max_size=20))
def test_any_text_gives_a_number_or_none(text):
    number = parse_phone(text)
    if number is not None:
        assert number.startswith("+")
        assert number[1:].isascii()
        assert number[1:].isdigit()
        assert parse_phone(number) == number


def general(national):
    """What the library says about nine national digits."""
    number = phonenumbers.parse("+380" + national, "UA")
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def generated(count):
    """Numbers of all two-digit codes, the same each time."""
    dice = random.Random(20261122)
    return [f"{code:02d}{dice.randrange(10**7):07d}" for code in range(100) for _ in range(count)]


def test_the_short_way_agrees_with_the_library_over_all_codes():
    numbers = generated(25)
    assert [n for n in numbers if parse_phone("+380" + n) != general(n)] == []
    valid = [n for n in numbers if general(n)]
    assert {n[:2] for n in valid} > {"39", "50", "67", "73", "99", "32", "44", "48", "57", "65", "69"}
    for prefix in ("", "0", "380", "00380"):
        assert [n for n in valid if parse_phone(prefix + n) != "+380" + n] == []
    # The trunk prefix of the old days is mended for mobile and area codes: nobody writes "8 0800 ..." so.
    ours = [n for n in valid if n[:2] not in {"71", "72", "79", "80", "89", "90"}]
    assert [n for n in ours if parse_phone("8 0" + n) != "+380" + n] == []


def test_a_number_is_shown_in_groups():
    assert show_phone(MADE) == "+380 67 123 45 67"
    assert show_phone("+48512345678") == "+48512345678"
    assert parse_phone(show_phone(MADE)) == MADE
