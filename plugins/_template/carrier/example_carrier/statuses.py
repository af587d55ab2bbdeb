"""The carrier's codes. One that is not listed becomes UNKNOWN, with the code kept: never guess."""

from hub.sdk import Status

# FILL IN: the address of the carrier's own table, and the day it was read; then its codes.
STATUSES: dict[str, Status] = {
    "10": Status.CREATED,
    "20": Status.ACCEPTED,
    "30": Status.IN_TRANSIT,
    "40": Status.ARRIVED,
    "50": Status.DELIVERED,
}
