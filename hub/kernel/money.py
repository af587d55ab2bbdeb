"""Money is an integer of the minor unit with its ISO 4217 code; quantities are integer thousandths.

No float touches a sum. Reading is tolerant of what people and carriers write ("1 250,50", "1250.5"),
writing is exact. Line totals round half up to the minor unit, as invoices do.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, Overflow

MAX_MINOR = 10**15
MAX_QUANTITY_MILLI = 10**12
DEFAULT_CURRENCY = "UAH"

_THREE_DECIMALS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
_NO_DECIMALS = frozenset({"CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF", "XPF"})


def exponent(currency: str) -> int:
    """How many digits the minor unit of a currency has: 2 for UAH, 0 for JPY."""
    if currency in _NO_DECIMALS:
        return 0
    return 3 if currency in _THREE_DECIMALS else 2


def is_currency(code: str) -> bool:
    """Has the shape of an ISO 4217 code."""
    return len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()


@dataclass(frozen=True, slots=True)
class Money:
    """A sum: 125000 UAH is 1 250.00 hryvnias."""

    amount_minor: int
    currency: str = DEFAULT_CURRENCY

    def as_decimal(self) -> Decimal:
        """The sum in the major unit, with all its digits."""
        return Decimal(self.amount_minor).scaleb(-exponent(self.currency))


def to_minor(amount: Decimal, currency: str = DEFAULT_CURRENCY) -> int:
    """Major units to minor, half up. Raises ValueError where no such sum can exist."""
    try:
        minor = amount.scaleb(exponent(currency)).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    except (InvalidOperation, Overflow) as error:
        raise ValueError("this is not a sum") from error
    value = int(minor)
    if abs(value) > MAX_MINOR:
        raise ValueError("the sum is too large")
    return value


def parse_decimal(text: str) -> Decimal | None:
    """Read a number as people and carriers write it; None where there is none.

    "1 250,50", "1250.5", "24200.000" are numbers; "", "-", "грн" are not told.
    """
    cleaned = "".join(text.split()).replace("\u2212", "-")
    if len(cleaned) > 40:
        return None
    if cleaned.count(",") == 1 and "." not in cleaned:
        cleaned = cleaned.replace(",", ".")
    try:
        value = Decimal(cleaned)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def parse_quantity(text: str) -> int:
    """ "1.5" to 1500 thousandths. Raises ValueError for anything that is not a quantity above zero."""
    value = parse_decimal(text)
    if value is None or value <= 0:
        raise ValueError('a quantity is a number above zero, such as "1.5"')
    if value > MAX_QUANTITY_MILLI // 1000:
        raise ValueError("the quantity is too large")
    milli = value.scaleb(3)
    if milli != milli.to_integral_value():
        raise ValueError("a quantity has at most three decimals")
    return int(milli)


def show_quantity(milli: int) -> str:
    """1500 to "1.5", 2000 to "2"."""
    text = f"{Decimal(milli).scaleb(-3):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def line_total(quantity_milli: int, price_minor: int) -> int:
    """Quantity times price, half up to the minor unit, away from zero for negative prices."""
    exact = Decimal(quantity_milli) * Decimal(price_minor) / 1000
    return int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))
