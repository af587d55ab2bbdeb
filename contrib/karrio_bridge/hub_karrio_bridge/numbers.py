"""Which texts are numbers of a carrier that comes through karrio. Most forms are nobody's alone: not recognised.

source  general knowledge of UPS's and DHL Express's forms, not checked against their documents. Read 2026-11-25.
"""

from __future__ import annotations

import re

from hub.sdk import Likeness, Recognition

MAX_TYPED = 64

_UPS = re.compile(r"1Z[0-9A-Z]{16}", re.ASCII)
_TEN_DIGITS = re.compile(r"\d{10}", re.ASCII)
_HIDDEN = dict.fromkeys(map(ord, "\u200b\u2060\ufeff"))


def recognise(extension: str, text: str) -> Recognition:
    """1Z... is UPS's for sure, ten digits perhaps DHL's: others have ten digits too."""
    number = "".join(text.split()).translate(_HIDDEN).upper() if len(text) <= MAX_TYPED else ""
    if extension.startswith("ups") and _UPS.fullmatch(number):
        return Recognition(likeness=Likeness.SURE, number=number)
    if extension.startswith("dhl") and _TEN_DIGITS.fullmatch(number):
        return Recognition(likeness=Likeness.PERHAPS, number=number)
    return Recognition(likeness=Likeness.NO)
