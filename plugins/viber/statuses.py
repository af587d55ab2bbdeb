"""What the `status` of Viber's answers means for a message. It comes with HTTP 200, whatever happened.

Codes 0 to 20 agree in six SDKs (read 2026-11); 21 to 24 are from general knowledge. Every other value counts
as a refusal with Viber's own words: the message did not leave.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class Meaning(StrEnum):
    """What follows from a status."""

    OK = "ok"  # it left
    REFUSED = "refused"  # this message will never be taken
    LATER = "later"  # slow down and try again
    PLAIN = "plain"  # the receiver's app is too old for it: once more without buttons
    WEBHOOK = "webhook"  # no web hook is set: set it again, then once more
    STOPPED = "stopped"  # the token or the whole bot is not accepted: the operator must act


class Status(NamedTuple):
    """Viber's name of it, what follows, and a sentence for whoever reads it."""

    name: str
    meaning: Meaning
    sentence: str


STATUSES: Final[dict[int, Status]] = {
    0: Status("ok", Meaning.OK, ""),
    1: Status("invalidUrl", Meaning.REFUSED, "Viber does not accept an address in it"),
    2: Status("invalidAuthToken", Meaning.STOPPED, "Viber does not accept the token: check `token`"),
    3: Status("badData", Meaning.REFUSED, "Viber cannot read the message"),
    4: Status("missingData", Meaning.REFUSED, "Viber misses something in the message"),
    5: Status("receiverNotRegistered", Meaning.REFUSED, "this person has no Viber any more"),
    6: Status(
        "receiverNotSubscribed",
        Meaning.REFUSED,
        "this person has not subscribed to the bot, or left it: he must write first",
    ),
    7: Status("publicAccountBlocked", Meaning.STOPPED, "Viber has blocked the bot: write to its support"),
    8: Status("publicAccountNotFound", Meaning.STOPPED, "Viber does not know the bot: check `token`"),
    9: Status("publicAccountSuspended", Meaning.STOPPED, "Viber has suspended the bot: write to its support"),
    10: Status("webhookNotSet", Meaning.WEBHOOK, "the bot has no web hook at Viber"),
    11: Status(
        "receiverNoSuitableDevice", Meaning.REFUSED, "this person has no device that can show the message"
    ),
    12: Status("tooManyRequests", Meaning.LATER, "Viber asks to send more slowly"),
    13: Status("apiVersionNotSupported", Meaning.PLAIN, "this person's Viber is too old for the message"),
    14: Status("incompatibleWithVersion", Meaning.PLAIN, "this person's Viber is too old for the message"),
    15: Status(
        "publicAccountNotAuthorized", Meaning.STOPPED, "Viber does not authorise the bot: see its admin panel"
    ),
    16: Status("inchatReplyMessageNotAllowed", Meaning.REFUSED, "Viber takes no such answer in this chat"),
    17: Status("publicAccountIsNotInline", Meaning.REFUSED, "Viber takes no such answer from this bot"),
    18: Status("noPublicChat", Meaning.REFUSED, "the bot has no public chat"),
    19: Status("cannotSendBroadcast", Meaning.REFUSED, "the bot may not broadcast"),
    20: Status("broadcastNotAllowed", Meaning.REFUSED, "the bot may not broadcast"),
    21: Status("unsupportedCountry", Meaning.REFUSED, "Viber does not deliver to this person's country"),
    22: Status("paymentUnsupported", Meaning.REFUSED, "this person's Viber cannot pay"),
    23: Status(
        "freeMessagesExceeded", Meaning.STOPPED, "the bot's free messages are used up: see the contract"
    ),
    24: Status("noBalance", Meaning.STOPPED, "the bot's balance is used up: pay in at Viber or the partner"),
}


def status_of(code: int, words: str) -> Status:
    """A listed status, or a refusal in Viber's words."""
    listed = STATUSES.get(code)
    if listed is not None:
        return listed
    return Status("unlisted", Meaning.REFUSED, f"Viber refuses it: {words[:200] or 'no reason given'}")
