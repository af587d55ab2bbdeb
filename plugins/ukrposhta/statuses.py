"""Ukrposhta's codes: events of a parcel, scans of containers, eCom's coarser list, transfers of money.

source  status tracking specification (PDF of 04.03.2026, Appendix Б) as quoted by several clients; groups of one
        client for codes without a text; eCom client documentation for lifecycle and transfers. Read 2026-11-22.

Codes are the key, never the text. A code that does not stand here is Status.UNKNOWN with the raw code kept.
"""

from __future__ import annotations

from hub.sdk import MoneyStatus, Status

TO_SENDER = "10"
"""eventReason_id of 41000: handed back to the sender («відправнику»). The code alone says "handed over"."""

HANDED_OVER = "41000"

EVENTS: dict[str, Status] = {
    "10100": Status.ACCEPTED,  # accepted at a post office
    "10600": Status.CANCELLED,  # acceptance cancelled at the request of the sender
    "10601": Status.CREATED,  # made online, waiting for acceptance
    "10602": Status.CANCELLED,  # acceptance cancelled
    "10603": Status.CANCELLED,  # deleted by the client
    "17100": Status.IN_TRANSIT,  # step abroad (grouped so by one client)
    "20700": Status.IN_TRANSIT,  # arrived at a sorting centre
    "20800": Status.IN_TRANSIT,  # left a sorting centre
    "20900": Status.IN_TRANSIT,  # sent to a post office
    "21400": Status.ARRIVED,  # handed to storage
    "21500": Status.IN_TRANSIT,  # sent to the branch
    "21600": Status.IN_TRANSIT,  # no text found, grouped so by one client
    "21700": Status.ARRIVED,  # at the branch
    "24100": Status.IN_TRANSIT,  # step abroad (grouped so by one client)
    "24200": Status.EXCEPTION,  # export cancelled
    "24300": Status.IN_TRANSIT,  # step abroad (grouped so by one client)
    "24400": Status.IN_TRANSIT,  # step abroad (grouped so by one client)
    "24500": Status.IN_TRANSIT,  # import completed
    "27200": Status.IN_TRANSIT,  # step abroad (grouped so by one client)
    "27900": Status.IN_TRANSIT,  # step abroad (grouped so by one client)
    "29200": Status.IN_TRANSIT,  # step abroad (grouped so by one client)
    "29300": Status.IN_TRANSIT,  # step abroad (grouped so by one client)
    "29500": Status.IN_TRANSIT,  # step abroad (grouped so by one client)
    "29700": Status.IN_TRANSIT,  # step abroad (grouped so by one client)
    "31100": Status.DELIVERY_ATTEMPTED,  # not delivered at the delivery attempt
    "31200": Status.RETURNING,  # return of the parcel
    "31300": Status.IN_TRANSIT,  # redirected to another branch
    "31400": Status.DELIVERY_ATTEMPTED,  # failed attempt, handed to storage
    "35100": Status.IN_TRANSIT,  # step abroad (grouped so by one client)
    "35200": Status.IN_TRANSIT,  # step abroad (grouped so by one client)
    "35300": Status.IN_TRANSIT,  # no text found, grouped so by one client
    "35400": Status.IN_TRANSIT,  # step abroad (grouped so by one client)
    "41000": Status.DELIVERED,  # handed over
    "41010": Status.RETURNED,  # handed back to the sender
    "48000": Status.DELIVERED,  # international parcel handed over in the country of destination
    "60700": Status.IN_TRANSIT,  # customs or exchange office step (grouped so by one client)
    "70800": Status.IN_TRANSIT,  # customs or exchange office step (grouped so by one client)
    "71200": Status.IN_TRANSIT,  # customs or exchange office step (grouped so by one client)
    "80700": Status.IN_TRANSIT,  # customs or exchange office step (grouped so by one client)
    "80800": Status.IN_TRANSIT,  # customs or exchange office step (grouped so by one client)
    "82700": Status.IN_TRANSIT,  # customs or exchange office step (grouped so by one client)
    "82800": Status.IN_TRANSIT,  # customs or exchange office step (grouped so by one client)
    "87500": Status.IN_TRANSIT,  # customs or exchange office step (grouped so by one client)
    "89000": Status.IN_TRANSIT,  # customs or exchange office step (grouped so by one client)
    "90700": Status.IN_TRANSIT,  # customs or exchange office step (grouped so by one client)
    "90800": Status.IN_TRANSIT,  # customs or exchange office step (grouped so by one client)
    "100700": Status.IN_TRANSIT,  # customs or exchange office step (grouped so by one client)
    "100800": Status.IN_TRANSIT,  # customs or exchange office step (grouped so by one client)
}

CONTAINERS = frozenset({"2100", "2200", "2201", "3006", "4001"} | {str(code) for code in range(4014, 4083)})
"""Scans of the container and not of the parcel: kept in the history as UNKNOWN, no progress."""

LIFECYCLE: dict[str, Status] = {
    "CREATED": Status.CREATED,  # made
    "REGISTERED": Status.ACCEPTED,  # registered at a post office
    "DELIVERING": Status.IN_TRANSIT,  # on the way
    "IN_DEPARTMENT": Status.ARRIVED,  # at the branch
    "STORAGE": Status.ARRIVED,  # in storage
    "DELIVERED": Status.DELIVERED,  # delivered
    "FORWARDING": Status.IN_TRANSIT,  # forwarded
    "RETURNING": Status.RETURNING,  # on the way back
    "RETURNED": Status.RETURNED,  # returned
    "TRANSFERRED_COURIER": Status.OUT_FOR_DELIVERY,  # given to the courier
    "CANCELED": Status.CANCELLED,  # cancelled (one L)
    "DELETED": Status.CANCELLED,  # deleted
}
"""lifecycle.status of a shipment in eCom, for parcels that tracking does not show yet."""

TRANSFERS: dict[str, MoneyStatus | None] = {
    "OP": MoneyStatus.PAID_OUT,  # paid out (uk: виплачений)
    "DO": MoneyStatus.COLLECTED,  # ready to be paid out
    "OD": MoneyStatus.COLLECTED,  # ready to be paid out
    "NO": None,
    "ZR": None,
    "VO": None,
    "TV": None,
    "DP": None,
    "DL": None,
    "DD": None,
    "PD": None,
    "TD": None,
    "FN": None,
    "TN": None,
    "ON": None,
    "ZO": None,
    "ZN": None,
    "ZP": None,
    "PO": None,
    "ZD": None,
    "DA": None,
    "ZV": None,
    "VA": None,
    "MS": None,
    "MA": None,
    "OZ": None,
    "UP": None,
}
"""lastStatus of a post-payment transfer. None: the code is known, its meaning is not; nothing changes."""


def status_of(event: str, reason: str) -> Status:
    """The shared word for an event with its reason."""
    if event == HANDED_OVER and reason == TO_SENDER:
        return Status.RETURNED
    return EVENTS.get(event, Status.UNKNOWN)
