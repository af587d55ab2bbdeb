"""Delivery's status codes.

source  the carrier's API document v3.5.1, section 8.1, as quoted by one client; 0 and 8 in samples too.
        Read 2026-11-22.

Codes are the key, never the text. A code that does not stand here is Status.UNKNOWN with the raw code kept.
"""

from __future__ import annotations

from hub.sdk import Status

STATUSES: dict[str, Status] = {
    "0": Status.DELIVERED,  # issued; a real value, never to be tested for truth
    "1": Status.ARRIVED,  # issued in part
    "2": Status.ACCEPTED,  # registered
    "3": Status.EXCEPTION,  # disposed of
    "4": Status.EXCEPTION,  # sold
    "5": Status.CANCELLED,  # cancelled
    "6": Status.IN_TRANSIT,  # on the way
    "7": Status.ARRIVED,  # ready to be issued
    "8": Status.CREATED,  # reserved
    "9": Status.IN_TRANSIT,  # redirected to another warehouse
    "10": Status.IN_TRANSIT,  # being unloaded at the warehouse
    "11": Status.IN_TRANSIT,  # arrived at a transit warehouse
    "12": Status.IN_TRANSIT,  # prepared for delivery by courier
    "13": Status.OUT_FOR_DELIVERY,  # with the courier
}
