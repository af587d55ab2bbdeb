"""Which texts are Ukrposhta's numbers, and their check digits.

The check digit of domestic barcodes was found by looking at barcodes; no source of the carrier states it. So it
warns of a typing error and restores a zero that a spreadsheet ate, and rejects nothing.
"""

from __future__ import annotations

import re

from hub.sdk import Likeness, Recognition

MAX_TYPED = 64
DIGITS = 13

_WEIGHTS = (7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
_S10_WEIGHTS = (8, 6, 4, 2, 3, 5, 9, 7)
_S10 = re.compile(r"[A-Z]{2}\d{9}[A-Z]{2}", re.ASCII)
_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_DROPPED = dict.fromkeys(map(ord, _DASHES + "\u200b\u2060\ufeff"))

_NO = Recognition(likeness=Likeness.NO)


def _compact(text: str) -> str:
    """Without spaces and dashes, in capitals; "" for what is too long to be a number."""
    if len(text) > MAX_TYPED:
        return ""
    return "".join(text.split()).translate(_DROPPED).upper()


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def check_digit(twelve: str) -> int:
    """The thirteenth digit that belongs to the first twelve."""
    total = sum(int(digit) * weight for digit, weight in zip(twelve, _WEIGHTS, strict=True))
    return (11 - total % 11) % 11 % 10


def s10_check_digit(eight: str) -> int:
    """The ninth digit of a postal number (UPU standard S10)."""
    total = sum(int(digit) * weight for digit, weight in zip(eight, _S10_WEIGHTS, strict=True))
    return {10: 0, 11: 5}.get(11 - total % 11, 11 - total % 11)


def fits(number: str) -> bool:
    """13 digits whose last one is the check digit of the others."""
    return len(number) == DIGITS and _is_digits(number) and check_digit(number[:12]) == int(number[12])


def _restored(number: str) -> str:
    """13 digits of 12 whose leading zero was lost, where the check digit then fits; "" otherwise."""
    return f"0{number}" if len(number) == DIGITS - 1 and fits(f"0{number}") else ""


def wire_number(text: str) -> str | None:
    """The number as the carrier is asked for it; None where it cannot be one, so that it spoils no batch."""
    number = _compact(text)
    if _is_digits(number):
        return number if len(number) == DIGITS else _restored(number) or None
    return number if _S10.fullmatch(number) else None


def recognise(text: str) -> Recognition:
    """Is this typed text a number of this carrier? Pure; work is bounded whatever the text."""
    number = _compact(text)
    if _is_digits(number):
        return _barcode(number)
    return _postal(number) if _S10.fullmatch(number) else _NO


def _barcode(number: str) -> Recognition:
    if len(number) == DIGITS - 1:
        restored = _restored(number)
        if restored:
            return Recognition(
                likeness=Likeness.PERHAPS,
                number=restored,
                warning="A spreadsheet seems to have eaten the zero in front: compare the number with the paper.",
            )
        return Recognition(
            likeness=Likeness.NO,
            warning="A Ukrposhta barcode has 13 digits, this number has 12.",
        )
    if len(number) != DIGITS:
        return _NO
    if fits(number):
        return Recognition(likeness=Likeness.SURE, number=number)
    return Recognition(
        likeness=Likeness.PERHAPS,
        number=number,
        warning="The check digit does not fit a Ukrposhta barcode: compare the number with the paper.",
    )


def _postal(number: str) -> Recognition:
    """Ours where it ends in UA, apart from CV..., which Meest gives out too; other posts' perhaps."""
    if not number.endswith("UA") or number.startswith("CV"):
        return Recognition(likeness=Likeness.PERHAPS, number=number)
    if s10_check_digit(number[2:10]) == int(number[10]):
        return Recognition(likeness=Likeness.SURE, number=number)
    return Recognition(
        likeness=Likeness.PERHAPS,
        number=number,
        warning="The check digit does not fit a postal number: compare the number with the paper.",
    )
