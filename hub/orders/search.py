"""Words by which an order is found: of the customer's name, and endings of his telephones. Pure.

Kept beside the order (`order_term`), looked up by their beginnings: quick with any number of orders, and
alike on both databases, which would not agree on the lower case of Cyrillic letters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_WORD = re.compile(r"\w+")
_NO_DIGIT = re.compile(r"\D")
ENDINGS = (10, 9, 7, 4)
MAX_WORDS, MAX_TERM = 20, 200
LAST = "\U0010ffff"


def words_of(text: str) -> list[str]:
    """Words in one case and one spelling."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return [word[:MAX_TERM] for word in _WORD.findall(folded)[:MAX_WORDS]]


def digits_of(text: str) -> str:
    """Only the digits."""
    return _NO_DIGIT.sub("", text)


def terms(names: Iterable[str], phones: Iterable[str]) -> set[str]:
    """Everything under which an order is found."""
    found = set(words_of(" ".join(names)))
    for phone in phones:
        digits = digits_of(phone)
        found |= {digits, *(digits[-length:] for length in ENDINGS if len(digits) > length)}
    return found - {""}


def asked(text: str) -> list[str]:
    """The beginnings to look for: a telephone as one run of digits, else each word."""
    digits = digits_of(text)
    if digits and re.fullmatch(r"[\d\s()+./-]+", text) and len(digits) >= 3:
        return [digits]
    return words_of(text)
