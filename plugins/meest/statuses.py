"""Meest's status codes.

source  the carrier's wiki table as kept by a client, one real answer of the old XML interface (2016), Meest Polska's
        table. Read 2026-11-22. 3 and 5700: one client ends polling on them, nobody knows what they mean.

Codes are the key, never the text. A code that does not stand here is Status.UNKNOWN with the raw code kept.
"""

from __future__ import annotations

from hub.sdk import Status

STATUSES: dict[str, Status] = {
    "2": Status.CREATED,  # made (draft)
    "3": Status.UNKNOWN,  # meaning unknown
    "101": Status.ACCEPTED,  # posting / collection
    "202": Status.IN_TRANSIT,  # arrived at the international sorting centre of origin
    "303": Status.IN_TRANSIT,  # left the international sorting centre
    "404": Status.IN_TRANSIT,  # arrived at a transit sorting centre
    "505": Status.IN_TRANSIT,  # arrived at the sorting centre of destination
    "606": Status.ACCEPTED,  # arrived at the office of the sender
    "707": Status.ACCEPTED,  # taken from the courier
    "808": Status.IN_TRANSIT,  # left the sorting centre towards the city of delivery
    "1214": Status.ARRIVED,  # arrived at the office of delivery; see `status_of`
    "1315": Status.OUT_FOR_DELIVERY,  # given to the courier
    "1521": Status.IN_TRANSIT,  # direction changed
    "1620": Status.REFUSED,  # refused
    "1621": Status.IN_TRANSIT,  # redirected
    "1622": Status.DELIVERED,  # delivered
    "1624": Status.EXCEPTION,  # delivery data not correct
    "1625": Status.DELIVERY_ATTEMPTED,  # recipient cannot be reached
    "1626": Status.IN_TRANSIT,  # delivery date changed
    "1627": Status.DELIVERY_ATTEMPTED,  # courier did not make it
    "1628": Status.EXCEPTION,  # recipient data not correct
    "1825": Status.RETURNED,  # returned to the sender
    "2028": Status.IN_TRANSIT,  # grouped for transport to the sorting centre
    "2129": Status.IN_TRANSIT,  # ungrouped for sorting
    "2230": Status.IN_TRANSIT,  # customs
    "2331": Status.EXCEPTION,  # delivery stopped
    "2432": Status.IN_TRANSIT,  # restriction removed
    "2533": Status.IN_TRANSIT,  # recipient data verified
    "5051": Status.EXCEPTION,  # parcel did not arrive
    "5700": Status.UNKNOWN,  # meaning unknown
    "8081": Status.IN_TRANSIT,  # left the office of the sender
}

DELIVERY_OFFICE = "1214"
_SORTING = ("сортувальн", "сортировочн", "sorting")


def status_of(code: str, words: str) -> Status:
    """The shared word. 1214 is ambiguous: the table says delivery office, a real answer said sorting centre."""
    if code == DELIVERY_OFFICE and any(word in words.casefold() for word in _SORTING):
        return Status.IN_TRANSIT
    return STATUSES.get(code, Status.UNKNOWN)
