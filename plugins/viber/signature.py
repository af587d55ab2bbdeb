"""Viber's proof: lower-case hex of HMAC-SHA256 over the raw body, keyed with the token of the bot.

It stands in the header `X-Viber-Content-Signature`, or in the query as `sig`; the header comes first.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping

HEADER = "x-viber-content-signature"
QUERY = "sig"


def sign(token: bytes, body: bytes) -> str:
    """What a delivery with this body must carry."""
    return hmac.digest(token, body, "sha256").hex()


def told(headers: Mapping[str, str], query: Mapping[str, str]) -> str:
    """The proof that came along; "" where there is none."""
    return headers.get(HEADER) or query.get(QUERY, "")


def is_right(token: bytes, body: bytes, proof: str) -> bool:
    """Compared in constant time."""
    return hmac.compare_digest(sign(token, body).encode(), proof.encode("utf-8", "replace"))
