"""What Nova Poshta's error codes mean for us: the kind of failure, by what has to happen next.

source  published list of error codes (Common.getMessageCodeText, as kept by client libraries) and samples
        of answers. Read 2026-11-22. Codes are stable, texts are not; the few texts below serve answers
        that carry an error without its code.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from enum import IntEnum

from hub.sdk import (
    AuthenticationFailed,
    NumbersRejected,
    PermanentFailure,
    PluginError,
    TemporaryFailure,
    Throttled,
)
from plugins.nova_poshta.dates import seconds_to_midnight
from plugins.nova_poshta.envelope import Envelope

THROTTLED_S = 60.0
"""How long to wait after "to many requests": the carrier publishes no number."""


class Refusal(IntEnum):
    """Why a call was refused; where an answer names several, the smallest one decides."""

    KEY_EXPIRED = 1
    KEY_REFUSED = 2
    DAILY_LIMIT = 3
    THROTTLED = 4
    PHONE = 5  # a telephone in a wrong form
    NUMBERS = 6  # at least one number is refused
    NOTHING_ASKED = 7  # an empty list was sent
    METHOD_GONE = 8  # "Method ... not found": it comes back by itself, as a rule
    SERVICE = 9  # their trouble, or a code that stands in no table


REFUSALS: dict[str, Refusal] = {
    "20000401501": Refusal.THROTTLED,  # To many requests
    "20000501331": Refusal.DAILY_LIMIT,  # The daily requests limit is exceeded
    "20000200068": Refusal.KEY_REFUSED,  # API auth fail
    "20000200069": Refusal.KEY_REFUSED,  # apiKey is empty
    "20000201204": Refusal.KEY_EXPIRED,  # API key expired
    "20000102694": Refusal.KEY_EXPIRED,  # API key expired
    "20000401354": Refusal.KEY_REFUSED,  # auth failed
    "20000401355": Refusal.KEY_REFUSED,  # key auth failed
    "20000401360": Refusal.KEY_REFUSED,  # key invalid
    "20000401361": Refusal.KEY_REFUSED,  # key not found
    "20000401362": Refusal.KEY_REFUSED,  # key inactive
    "20000402692": Refusal.KEY_EXPIRED,  # token expired
    "20002603099": Refusal.KEY_REFUSED,  # not authorised
    "20001401442": Refusal.NUMBERS,  # Document number is not correct
    "20001401158": Refusal.NUMBERS,  # wrong form of a number
    "20000200157": Refusal.NUMBERS,  # empty number
    "20000200158": Refusal.NUMBERS,  # incorrect number
    "20001401160": Refusal.PHONE,  # wrong form of RecipientPhone
    "20001401203": Refusal.NOTHING_ASKED,  # No documents to track
    "20000200795": Refusal.SERVICE,  # documentTracking service error
    "20000100016": Refusal.SERVICE,  # service unavailable
    "20000500608": Refusal.SERVICE,  # service unavailable
    "20001701795": Refusal.SERVICE,  # service unavailable
}

_TEXTS: dict[str, Refusal] = {
    "many requests": Refusal.THROTTLED,
    "daily requests limit": Refusal.DAILY_LIMIT,
    "api key expired": Refusal.KEY_EXPIRED,
    "api auth fail": Refusal.KEY_REFUSED,
    "apikey is empty": Refusal.KEY_REFUSED,
    "document number is not correct": Refusal.NUMBERS,
}

_INVALID_NUMBER = re.compile(r"Invalid DocumentNumber:\s*([0-9A-Za-z-]{1,40})", re.ASCII)


_METHOD_GONE = re.compile(r"method\b.{0,80}\bnot found|метод\b.{0,80}\bне (?:знайдено|найден)", re.DOTALL)


class MethodGone(TemporaryFailure):
    """The carrier says that it has no such method: temporary for a day, then people are told."""


class PhonesRefused(TemporaryFailure):
    """The carrier refused the form of a telephone: the same numbers are asked once more without."""


def reason(envelope: Envelope) -> Refusal | None:
    """Why the carrier refused, or None where it did not."""
    if not envelope.refused:
        return None
    known = [REFUSALS[code] for code in envelope.codes if code in REFUSALS]
    if not known:
        texts = " ".join(envelope.errors)[:2000].casefold()
        known = [kind for words, kind in _TEXTS.items() if words in texts]
        if _METHOD_GONE.search(texts):
            known.append(Refusal.METHOD_GONE)
    return min(known, default=Refusal.SERVICE)


def named_numbers(envelope: Envelope, asked: Collection[str]) -> tuple[str, ...]:
    """The asked numbers that errors and warnings call invalid, as the carrier writes them."""
    texts = [*envelope.errors, *(text for _, text in envelope.warnings)]
    named = {number for text in texts for number in _INVALID_NUMBER.findall(text)}
    return tuple(number for number in asked if number in named)


def failure(
    envelope: Envelope, refusal: Refusal, *, now_ms: int, culprits: Sequence[str] = ()
) -> PluginError:
    """The error to raise for a refusal. Its text holds codes only, never the carrier's words.

    culprits  numbers to name where numbers were refused; none lets the hub halve the batch
    """
    codes = (
        ", ".join(code[:20] for code in envelope.codes[:5] if code.isascii() and code.isdigit()) or "no code"
    )
    match refusal:
        case Refusal.KEY_EXPIRED:
            return AuthenticationFailed(
                f"the API key has expired ({codes}): make a new one in the business cabinet"
            )
        case Refusal.KEY_REFUSED:
            return AuthenticationFailed(f"the API key is invalid or inactive ({codes}): check api_key")
        case Refusal.DAILY_LIMIT:
            return Throttled(
                f"the key's limit of this day is used up ({codes})", retry_after_s=seconds_to_midnight(now_ms)
            )
        case Refusal.THROTTLED:
            return Throttled(f"too many requests ({codes})", retry_after_s=THROTTLED_S)
        case Refusal.PHONE:
            return PhonesRefused(f"a telephone was refused ({codes})")
        case Refusal.NUMBERS:
            return NumbersRejected(culprits, f"the carrier refuses a number ({codes})")
        case Refusal.NOTHING_ASKED:
            return PermanentFailure(f"an empty list of numbers was sent ({codes}): a fault of this plugin")
        case Refusal.METHOD_GONE | Refusal.SERVICE:
            gone = refusal is Refusal.METHOD_GONE
            kind, words = (MethodGone, "has no such method") if gone else (TemporaryFailure, "failed")
            return kind(f"the carrier's service {words} ({codes})")
