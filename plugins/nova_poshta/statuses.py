"""Nova Poshta's status codes of tracking, and what each says about parcel and money.

source  developers.novaposhta.ua, TrackingDocument.getStatusDocuments, table of StatusCode, as quoted by three
        client libraries; 14, 107, 108 from the table of 2016; 80, 115, 121 seen on the wire in 2026
        without a meaning. Read 2026-11-22.

Codes are the key, never the text: texts change over the years. A code that does not stand here is
Status.UNKNOWN with the raw code kept.
"""

from __future__ import annotations

from hub.sdk import MoneyStatus, Status

NOT_FOUND = "3"
"""The number is not known: not a state of the parcel."""

STATUSES: dict[str, Status] = {
    "1": Status.CREATED,  # waybill made by the sender, parcel not handed over
    "2": Status.CANCELLED,  # waybill deleted
    "3": Status.UNKNOWN,  # number not found: answered as a problem, never as an observation
    "4": Status.IN_TRANSIT,  # in city X, between regions
    "41": Status.IN_TRANSIT,  # in city X, delivery inside one city
    "5": Status.IN_TRANSIT,  # on its way to city Y
    "6": Status.IN_TRANSIT,  # in the recipient's city, not yet collectable
    "7": Status.ARRIVED,  # at the branch
    "8": Status.ARRIVED,  # in a parcel locker
    "9": Status.DELIVERED,  # received
    "10": Status.DELIVERED,  # received, the money transfer is on its way
    "11": Status.DELIVERED,  # received, the money was handed to the seller
    "12": Status.ACCEPTED,  # the carrier packs it (fulfilment)
    "14": Status.ARRIVED,  # handed out for inspection: not a delivery
    "80": Status.UNKNOWN,  # seen once, a stub of nine keys
    "101": Status.OUT_FOR_DELIVERY,  # with the courier
    "102": Status.RETURNING,  # refused, a return is ordered
    "103": Status.REFUSED,  # refused by the recipient; 102 may follow
    "104": Status.IN_TRANSIT,  # address changed, a new number usually takes over
    "105": Status.EXCEPTION,  # storage ended
    "106": Status.DELIVERED,  # received, a reverse waybill (money or papers) was made
    "107": Status.ARRIVED,  # paid storage is charged
    "108": Status.REFUSED,  # refused, another kind
    "111": Status.DELIVERY_ATTEMPTED,  # nobody there or not reachable
    "112": Status.IN_TRANSIT,  # date of delivery moved by the recipient
    "115": Status.UNKNOWN,  # seen in flight on export parcels
    "121": Status.UNKNOWN,  # seen in flight on export parcels
}

MONEY: dict[str, MoneyStatus] = {
    "10": MoneyStatus.COLLECTED,  # its text speaks of a transfer, whatever the sums say
    "11": MoneyStatus.PAID_OUT,  # "одержувач" of its text is the receiver of the money: the seller
}
"""Codes that tell the money by themselves. 106 does so only with a money-back sum: facts.py."""

RECEIVED = frozenset({"9", "10", "11", "106"})
"""Their moment is RecipientDateTime."""

AT_COLLECTION_POINT = frozenset({"7", "8"})
"""Their moment is ActualDeliveryDate, which is the arrival (never the receipt)."""
