"""Is a delivery the service's own? Pure."""

import hashlib
import hmac

from hub.sdk import DeliveryRejected, RawDelivery

# FILL IN: the header with the signature, its name in lower case.
HEADER = "x-signature"


def proof(body: bytes, secret: str) -> str:
    """What the service writes into the header for this body."""
    # FILL IN: how the service signs.
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def check(raw: RawDelivery, secret: str) -> None:
    """Raises DeliveryRejected where the signature does not fit these bytes. Compares in constant time."""
    told = raw.headers.get(HEADER, "").encode("utf-8", "replace")
    if not hmac.compare_digest(proof(raw.body, secret).encode(), told):
        raise DeliveryRejected("signature", "the signature is not right for this body")
