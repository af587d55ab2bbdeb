"""What the seller is asked about a parcel: what is odd, and what to do now.

One place for all of them, because each is also a text that people read in their own language
(`hub.web.workspace.labels` marks them for translation, and a test compares the two).
"""

from __future__ import annotations

BAD_NUMBER = "%(number)s: the carrier refuses this number, check it"
NEVER_FOUND = (
    "%(number)s: the carrier has not known this number for days, compare it with the paper "
    "and check whether the parcel was handed over"
)
RENUMBERED = (
    "%(number)s: the carrier uses this number for another waybill now, compare it with the paper "
    "and attach the right one"
)
TOO_OLD = (
    "%(number)s: this waybill was made long before it was attached, compare it with the paper: "
    "the number may be mistyped"
)
DELETED = "%(number)s: this waybill was deleted, attach the new one if there is one"
CORRECTED = "%(number)s: the carrier took a status back, check the order"
SILENT = "%(number)s: nothing new for 30 days, ask the carrier"
NO_MONEY = "%(number)s: ended two weeks ago without its money, ask the carrier"
ODD_SUM = "%(number)s: the carrier's cash on delivery does not fit the order at all, compare the sums"

NAMES = {
    BAD_NUMBER: "bad_number",
    NEVER_FOUND: "never_found",
    RENUMBERED: "renumbered",
    TOO_OLD: "too_old",
    DELETED: "deleted",
    CORRECTED: "corrected",
    SILENT: "silent",
    NO_MONEY: "no_money",
    ODD_SUM: "odd_sum",
}
"""What web hooks call them."""
QUESTIONS = tuple(NAMES)


def about(number: str, question: str) -> str:
    """The question with its number."""
    return question % {"number": number}
