"""Which texts are Delivery's receipt numbers: ten digits, a leading zero counts. No check digit is known."""

from __future__ import annotations

from hub.sdk import Likeness, Recognition

MAX_TYPED = 64
DIGITS = 10

_HIDDEN = dict.fromkeys(map(ord, "\u200b\u2060\ufeff"))


def wire_number(text: str) -> str | None:
    """The number as the carrier is asked for it; None where it cannot be one."""
    if len(text) > MAX_TYPED:
        return None
    number = "".join(text.split()).translate(_HIDDEN)
    return number if len(number) == DIGITS and number.isascii() and number.isdigit() else None


def recognise(text: str) -> Recognition:
    """Is this typed text a number of this carrier? Others (DHL Express) have ten digits too."""
    number = wire_number(text)
    if number is None:
        return Recognition(likeness=Likeness.NO)
    return Recognition(likeness=Likeness.PERHAPS, number=number)
