"""What text from outside must look like before it meets the database.

PostgreSQL refuses NUL, and no UTF-8 encoder takes a lone surrogate; both are legal in JSON. So text is
settled here, once, at the edge: such characters become U+FFFD, line ends become \\n, and each field is
cut to its bound. The original bytes stay in the delivery's body, so nothing is lost by it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

MAX_INT63 = (1 << 63) - 1
REPLACEMENT = "\ufffd"

# Bounds in characters. A name or a subject beyond them is cut, never refused.
NAME = 200
SUBJECT = 300
BODY = 200_000
SHORT = 100
KEY = 200

_UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def clean(text: str, limit: int) -> str:
    """Storable text of at most `limit` characters, line ends normalised, outer space removed."""
    if len(text) > limit:
        text = text[: limit * 2]
    if text.isprintable():  # the usual case, told by one pass in C: no control character, no surrogate
        return text.strip()[:limit].rstrip()
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _UNSTORABLE.sub(REPLACEMENT, text).strip()[:limit].rstrip()


def storable(text: str) -> bool:
    """Can both databases keep it as it is?"""
    return _UNSTORABLE.search(text) is None


def one_line(text: str, limit: int) -> str:
    """As `clean`, and every run of white space is one space."""
    return " ".join(clean(text, limit).split())


def fits_int63(value: int) -> bool:
    """Fits a signed 64-bit column of both databases."""
    return -MAX_INT63 - 1 <= value <= MAX_INT63


def sha256_hex(*parts: bytes) -> str:
    """Digest of parts, each framed by its length, so that ("ab", "c") is not ("a", "bc")."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.hexdigest()


def text_digest(parts: Iterable[str]) -> str:
    """Digest of texts; lone surrogates do not break it."""
    return sha256_hex(*(part.encode("utf-8", "surrogatepass") for part in parts))


def same_text_key(text: str) -> str:
    """Two texts with this key in common say the same: case and white space do not count."""
    return hashlib.sha256(" ".join(text.split()).casefold().encode("utf-8", "surrogatepass")).hexdigest()[:32]
