"""Rozetka Delivery's status codes.

source  sample of GET /delivery-rozetka/search-data in the documentation of the marketplace's seller API. The list is
        an example and may be incomplete: `hub check` compares it with the live one. Read 2026-11-22.

Codes are the key, never the text. A code that does not stand here is Status.UNKNOWN with the raw code kept.
"""

from __future__ import annotations

from hub.sdk import Status

STATUSES: dict[str, Status] = {
    "10010": Status.CREATED,  # planned
    "10020": Status.CREATED,  # passed the hand-over register, register closed
    "10030": Status.ACCEPTED,  # accepted from the seller
    "40050": Status.REFUSED,  # client refused
    "40070": Status.EXCEPTION,  # storage time is over
    "60030": Status.DELIVERED,  # issued to the recipient
}
