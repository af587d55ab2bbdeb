"""Which texts are Nova Poshta's numbers. No check digit: only length and beginning tell."""

from __future__ import annotations

import re

from hub.sdk import Likeness, Recognition

MAX_TYPED = 64
WAYBILL_DIGITS = 14
PLACE_DIGITS = 18

_ORDER = re.compile(r"10[25]-\d{8}", re.ASCII)
_INTERNATIONAL = re.compile(r"[A-Z]{4}\d{10}", re.ASCII)
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


def wire_number(text: str) -> str | None:
    """The number as the carrier is asked for it; None where it cannot be one, so that it spoils no batch."""
    if len(text) == WAYBILL_DIGITS and _is_digits(text):  # nearly always
        return text
    number = _compact(text)
    if _is_digits(number) and len(number) in {WAYBILL_DIGITS, PLACE_DIGITS}:
        return number[:WAYBILL_DIGITS]
    return number if _INTERNATIONAL.fullmatch(number) else None


def recognise(text: str) -> Recognition:
    """Is this typed text a number of this carrier? Pure; work is bounded whatever the text."""
    if len(text) <= MAX_TYPED and _ORDER.fullmatch(text.strip()):
        return Recognition(
            likeness=Likeness.NO,
            warning="This is a Nova Poshta order or scan sheet: type the waybill's 14 digits.",
        )
    number = _compact(text)
    if _INTERNATIONAL.fullmatch(number):
        return Recognition(likeness=Likeness.PERHAPS, number=number)
    if not _is_digits(number):
        return _NO
    match len(number):
        case 14:
            return _waybill(number, "")
        case 18 if number.startswith(("20", "59", "1")):
            return _waybill(
                number[:14], "This is the barcode of one place: its first 14 digits are the waybill."
            )
        case 15 | 16 | 17 if number.startswith(("20", "59")):
            return Recognition(
                likeness=Likeness.NO,
                warning=f"A Nova Poshta waybill has 14 digits, this number has {len(number)}.",
            )
    return _NO


def _waybill(number: str, warning: str) -> Recognition:
    if number.startswith(("20", "59")):
        return Recognition(likeness=Likeness.SURE, number=number, warning=warning)
    if not number.startswith("1"):
        warning = "Waybills of Nova Poshta usually begin with 20 or 59: compare the number with the paper."
    return Recognition(likeness=Likeness.PERHAPS, number=number, warning=warning)
