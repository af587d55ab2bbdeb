"""What a customer asks, normalised: its states, its outcomes, and when a repeated text joins it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hub.kernel import text
from hub.kernel.clock import MINUTE, Instant
from hub.kernel.errors import FieldProblem, InputRejected

SAME_TEXT_JOINS_WITHIN = 10 * MINUTE


class RequestState(StrEnum):
    """Open until somebody closes it with an outcome."""

    OPEN = "open"
    CLOSED = "closed"


class Outcome(StrEnum):
    """How a request ended."""

    ORDER = "order"  # it became an order
    ANSWERED = "answered"  # the question is answered, nothing was to be sold
    DEAD = "dead"  # the customer does not buy
    UNREACHABLE = "unreachable"  # nobody could be reached
    DUPLICATE = "duplicate"  # asked twice
    SPAM = "spam"


NOTHING_SOLD = frozenset({Outcome.DEAD, Outcome.UNREACHABLE})
"""These outcomes want a reason and what was asked for: it is what the demand analysis is made of."""

UNCHARGED = frozenset({Outcome.SPAM, Outcome.DUPLICATE})
"""These give the holder his task back: nobody works off a turn on spam."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """How a request is closed.

    reason                 why nothing was sold, in words
    product, quantity_milli, value_minor, currency   what was asked for
    """

    outcome: Outcome
    reason: str = ""
    product: str = ""
    quantity_milli: int | None = None
    value_minor: int | None = None
    currency: str = "UAH"


def check_closing(closing: Closing) -> None:
    """Refuse a closing without what its outcome needs. Raises InputRejected naming every gap."""
    if closing.outcome not in NOTHING_SOLD:
        return
    problems = []
    if not closing.reason:
        problems.append(FieldProblem("reason", "say why nothing was sold"))
    if not closing.product:
        problems.append(FieldProblem("asked.product", "say what was asked for"))
    if problems:
        raise InputRejected("nothing was sold: the reason and what was asked for are needed", problems)


def subject_of(subject: str, body: str) -> str:
    """One line that names the request in a list."""
    return text.one_line(subject or body.strip().partition("\n")[0], text.SUBJECT)


def says_again(text_key: str, known_text_key: str, known_at: Instant, now: Instant) -> bool:
    """Is this the same text from the same contact, sent again within ten minutes?"""
    return text_key == known_text_key and now - known_at <= SAME_TEXT_JOINS_WITHIN
