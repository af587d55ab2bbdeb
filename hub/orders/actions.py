"""What happens by itself when an order enters a stage. Data, with one line of text for people. Pure.

notify responsible | notify heads     a notice to staff
task TITLE                            a dealt task for the order's team
send TEMPLATE                         a text to the customer, through the channel he wrote from
next contact DAYS                     the date of the next contact, so many days from now
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

WHO = ("responsible", "heads")
MAX_DAYS = 366


class Do(StrEnum):
    """What an action does."""

    NOTIFY = "notify"
    TASK = "task"
    SEND = "send"
    NEXT_CONTACT = "next_contact"


@dataclass(frozen=True, slots=True)
class Action:
    """One action; `what` is whom, the title, the template's name, or the number of days."""

    do: Do
    what: str

    @property
    def days(self) -> int:
        """The days of NEXT_CONTACT."""
        return int(self.what)

    def body(self) -> dict[str, str]:
        """As a route keeps it."""
        return {"do": str(self.do), "what": self.what}

    def line(self) -> str:
        """As people write it."""
        return f"{self.do.replace('_', ' ')} {self.what}"


def of_body(body: Mapping[str, object]) -> Action:
    """Out of a route. Raises ValueError with what to do."""
    what = " ".join(str(body.get("what", "")).split())
    try:
        do = Do(str(body.get("do", "")))
    except ValueError:
        raise ValueError("an action begins with notify, task, send or next contact") from None
    if do is Do.NOTIFY and what not in WHO:
        raise ValueError("say whom to notify: responsible or heads")
    if do is Do.NEXT_CONTACT and not (what.isascii() and what.isdigit() and 0 < int(what[:4]) <= MAX_DAYS):
        raise ValueError("say in how many days the next contact is, 1 to 366")
    if not what:
        raise ValueError("say what to do: the title of the task, or the name of the template")
    return Action(do, what[:200])


def of_line(line: str) -> Action:
    """Out of what a person wrote. Raises ValueError with what to do."""
    words = line.split()
    two = " ".join(words[:2]).lower() == "next contact"
    do = "next_contact" if two else words[0].lower() if words else ""
    return of_body({"do": do, "what": " ".join(words[2 if two else 1 :])})
