"""Which texts are Meest's numbers. No check digit is known for them."""

from __future__ import annotations

import re

from hub.sdk import Likeness, Recognition

MAX_TYPED = 64

_SURE = re.compile(r"MYCV\d{9}[A-Z]{2}", re.ASCII)
_PERHAPS = re.compile(r"CV\d{9}[A-Z]{2}|MYCV\d{10}|\d{12}|\d{3}-\d{7}", re.ASCII)
_WIRE = re.compile(r"[A-Z0-9]{8,30}|\d{3}-\d{7}", re.ASCII)
_HIDDEN = dict.fromkeys(map(ord, "\u200b\u2060\ufeff"))
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"), "-")


def _compact(text: str) -> str:
    """Without spaces, in capitals, one kind of dash; "" for what is too long to be a number."""
    if len(text) > MAX_TYPED:
        return ""
    return "".join(text.split()).translate(_HIDDEN).translate(_DASHES).upper()


def wire_number(text: str) -> str | None:
    """The number as the carrier is asked for it; None for what must not stand in an address."""
    number = _compact(text)
    return number if _WIRE.fullmatch(number) else None


def recognise(text: str) -> Recognition:
    """Is this typed text a number of this carrier? CV... is a postal number too, 12 digits may be anybody's."""
    number = _compact(text)
    if _SURE.fullmatch(number):
        return Recognition(likeness=Likeness.SURE, number=number)
    if _PERHAPS.fullmatch(number):
        return Recognition(likeness=Likeness.PERHAPS, number=number)
    return Recognition(likeness=Likeness.NO)
