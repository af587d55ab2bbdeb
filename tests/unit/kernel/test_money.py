"""Sums and quantities: read tolerantly, computed exactly."""

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.kernel.money import (
    MAX_MINOR,
    MAX_QUANTITY_MILLI,
    Money,
    exponent,
    is_currency,
    line_total,
    parse_decimal,
    parse_quantity,
    show_quantity,
    to_minor,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 250,50", "1250.50"),
        ("1250.5", "1250.5"),
        ("24200.000", "24200"),
        ("1\u00a0250,50", "1250.50"),
        ("1\u202f250", "1250"),
        (" 0 ", "0"),
        ("-12,5", "-12.5"),
        ("\u221212,5", "-12.5"),
        ("+7", "7"),
        (",5", "0.5"),
        ("100", "100"),
    ],
)
def test_numbers_are_read_as_people_and_carriers_write_them(text, value):
    assert parse_decimal(text) == Decimal(value)


@pytest.mark.parametrize(
    "text",
    ["", " ", "-", "грн", "1,250.50", "1,2,3", "1.2.3", "12a", "NaN", "Infinity", "-inf", "0x10", "1e"],
)
def test_what_is_no_number_is_not_told(text):
    assert parse_decimal(text) is None


def test_a_number_that_is_too_long_is_no_number_instead_of_a_shorter_one():
    assert parse_decimal("1" * 41) is None


@given(st.text(max_size=60))
def test_any_text_gives_a_finite_number_or_none(text):
    value = parse_decimal(text)
    assert value is None or value.is_finite()


@given(st.integers(-MAX_MINOR, MAX_MINOR), st.sampled_from(["UAH", "JPY", "KWD"]))
def test_a_sum_survives_the_way_to_decimal_and_back(minor, currency):
    assert to_minor(Money(minor, currency).as_decimal(), currency) == minor


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("1250.50", "UAH", 125_050),
        ("0.005", "UAH", 1),
        ("0.0049", "UAH", 0),
        ("-0.005", "UAH", -1),
        ("2.675", "UAH", 268),
        ("7.5", "JPY", 8),
        ("1.2345", "KWD", 1235),
    ],
)
def test_a_sum_is_rounded_half_up_to_the_minor_unit(amount, currency, minor):
    assert to_minor(Decimal(amount), currency) == minor


@pytest.mark.parametrize("amount", ["NaN", "sNaN", "Infinity", "1e400", "1e26", "10000000000000.01"])
def test_a_sum_that_cannot_be_is_refused(amount):
    with pytest.raises(ValueError):  # noqa: PT011 - the sentence differs, the kind does not
        to_minor(Decimal(amount))


@given(st.integers(1, 10**7), st.integers(-(10**9), 10**9))
def test_a_line_is_quantity_times_price_half_up_away_from_zero(quantity, price):
    exact = Fraction(quantity * price, 1000)
    total = line_total(quantity, price)
    assert isinstance(total, int)
    assert abs(total - exact) <= Fraction(1, 2)
    if abs(total - exact) == Fraction(1, 2):
        assert abs(total) > abs(exact)


@given(st.integers(1, MAX_QUANTITY_MILLI), st.integers(-(1 << 62), 1 << 62))
def test_a_line_of_any_size_is_exact(quantity, price):
    exact = quantity * price
    assert abs(line_total(quantity, price) * 1000 - exact) <= 500


@pytest.mark.parametrize(
    ("quantity", "price", "total"),
    [(1000, 12_550, 12_550), (1500, 333, 500), (500, 1, 1), (499, 1, 0), (500, -1, -1), (333, 100, 33)],
)
def test_known_line_totals(quantity, price, total):
    assert line_total(quantity, price) == total


def test_three_thirds_of_a_kilogram_differ_from_one_by_rounding_only():
    assert sum(line_total(333, 10_000) for _ in range(3)) == 9_990
    assert Decimal("1.005").quantize(Decimal("0.01"), ROUND_HALF_UP) == Decimal(line_total(1005, 100)) / 100


@given(st.integers(1, MAX_QUANTITY_MILLI))
def test_a_quantity_survives_being_shown_and_read(milli):
    assert parse_quantity(show_quantity(milli)) == milli


@pytest.mark.parametrize(("milli", "shown"), [(1500, "1.5"), (2000, "2"), (1, "0.001"), (10_000, "10")])
def test_quantities_are_shown_without_needless_zeros(milli, shown):
    assert show_quantity(milli) == shown


@pytest.mark.parametrize("text", ["0", "-1", "", "x", "1.0001", "1000000000.001", "1e300", "1e-300"])
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(ValueError, match="quantity"):
        parse_quantity(text)


@pytest.mark.parametrize(("code", "digits"), [("UAH", 2), ("JPY", 0), ("KWD", 3), ("EUR", 2)])
def test_currencies_know_their_minor_unit(code, digits):
    assert exponent(code) == digits


def test_a_currency_is_three_latin_capitals():
    assert is_currency("UAH")
    assert not any(is_currency(code) for code in ("uah", "UA", "ГРН", "U4H", ""))
