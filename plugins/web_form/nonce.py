"""The hidden `_nonce` of the hosted page: a repeat of the same view is known, a view of another account is refused.

    n1.<base64url: moment in seconds (5 bytes), random (9), HMAC-SHA256 of both, cut to 12 bytes>

The key belongs to the account and is derived from the hub's secret key, so every process knows it and no account can
make another's. A hub without a secret key hands out nonces that nobody can check: then they only tell repeats.
A `_nonce` of another shape is a site's own; it tells repeats as well and proves nothing.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from datetime import datetime

from hub.sdk import DeliveryRejected

PREFIX = "n1."
PURPOSE = "web_form nonce"
KEPT_S = 24 * 3600
_AHEAD_S = 300  # clocks of two machines of one hub
_MOMENT, _RANDOM, _PROOF = 5, 9, 12


def make(key: bytes | None, now_s: int) -> str:
    """A new one."""
    if key is None:
        return secrets.token_urlsafe(18)
    said = now_s.to_bytes(_MOMENT, "big") + secrets.token_bytes(_RANDOM)
    return PREFIX + base64.urlsafe_b64encode(said + _proof(key, said)).decode()


def check(key: bytes | None, nonce: str, received_at: datetime) -> None:
    """Raises DeliveryRejected 422 `nonce` for a false, foreign or expired one of our shape."""
    if key is None or not nonce.startswith(PREFIX):
        return
    try:
        raw = base64.b64decode(nonce.removeprefix(PREFIX).encode("utf-8", "replace"), b"-_", validate=True)
    except binascii.Error:
        raw = b""
    said, proof = raw[: _MOMENT + _RANDOM], raw[_MOMENT + _RANDOM :]
    if len(proof) != _PROOF or not hmac.compare_digest(proof, _proof(key, said)):
        raise _refused("this form belongs to another page: open the form again and send it from there")
    age_s = received_at.timestamp() - int.from_bytes(said[:_MOMENT], "big")
    if not -_AHEAD_S <= age_s <= KEPT_S:
        raise _refused("this page was open for more than a day: send the form once more")


def _refused(sentence: str) -> DeliveryRejected:
    return DeliveryRejected("nonce", sentence, status=422)


def _proof(key: bytes, said: bytes) -> bytes:
    return hmac.digest(key, said, "sha256")[:_PROOF]
