"""The proof of a server that posts forms: an HMAC over the time and the raw bytes.

    X-Timestamp: 1772700000                          seconds since 1970, at most five minutes off
    X-Signature: sha256=<hex HMAC-SHA256(secret, timestamp + "." + raw body)>

Two secrets are valid while one is being exchanged for another. Both are always compared, in constant time.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from hub.sdk import DeliveryRejected, RawDelivery

HEADER = "x-signature"
TIMESTAMP = "x-timestamp"
WINDOW_S = 300
_PREFIX = "sha256="
_DIGITS = 12


def sign(secret: bytes, timestamp: str, body: bytes) -> str:
    """What X-Signature must say."""
    return _PREFIX + hmac.digest(secret, timestamp.encode("utf-8", "replace") + b"." + body, "sha256").hex()


def check(raw: RawDelivery, secrets: Sequence[bytes]) -> str:
    """The proof that was found right. Raises DeliveryRejected 401 `signature`, `timestamp`."""
    told = raw.headers.get(HEADER, "")
    timestamp = raw.headers.get(TIMESTAMP, "")
    proofs = [
        hmac.compare_digest(sign(secret, timestamp, raw.body).encode(), told.encode("utf-8", "replace"))
        for secret in secrets
    ]
    if not any(proofs):
        raise DeliveryRejected(
            "signature",
            "this form must be signed: X-Timestamp, and X-Signature over timestamp.body",
            status=401,
        )
    plain = timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _DIGITS
    if not plain or abs(raw.received_at.timestamp() - int(timestamp)) > WINDOW_S:
        raise DeliveryRejected("timestamp", f"X-Timestamp is more than {WINDOW_S} seconds off", status=401)
    return told.removeprefix(_PREFIX)
