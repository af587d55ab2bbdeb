"""Which texts are Rozetka Delivery's numbers: UNK- and nine digits."""

from __future__ import annotations

import re

from hub.sdk import Likeness, Recognition

MAX_TYPED = 64

_NUMBER = re.compile(r"UNK-?(\d{9})", re.ASCII)
_WIRE = re.compile(r"[A-Z0-9-]{6,40}", re.ASCII)
_HIDDEN = dict.fromkeys(map(ord, "\u200b\u2060\ufeff"))
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"), "-")


def _compact(text: str) -> str:
    if len(text) > MAX_TYPED:
        return ""
    return "".join(text.split()).translate(_HIDDEN).translate(_DASHES).upper()


def wire_number(text: str) -> str | None:
    """The number as the seller API is asked for it: only one form was seen, others are asked as they are."""
    number = _compact(text)
    own = _NUMBER.fullmatch(number)
    if own is not None:
        return f"UNK-{own[1]}"
    return number if _WIRE.fullmatch(number) else None


def recognise(text: str) -> Recognition:
    """Is this typed text a number of this carrier?"""
    own = _NUMBER.fullmatch(_compact(text))
    if own is None:
        return Recognition(likeness=Likeness.NO)
    return Recognition(likeness=Likeness.SURE, number=f"UNK-{own[1]}")
