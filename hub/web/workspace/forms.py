"""Reading plain HTML forms: bounded fields, sums, quantities, dates; all problems at once, by field.

Pure. What was typed is kept, so that a refused form comes back as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from hub.kernel import text
from hub.kernel.clock import Instant, instant
from hub.kernel.errors import FieldProblem, InputRejected
from hub.kernel.ids import MAX_ID
from hub.kernel.money import parse_decimal, parse_quantity, to_minor
from hub.web.i18n import N_
from hub.web.workspace.words import Words

NO_SUM = N_("this is no sum, such as 1250,50")
NO_QUANTITY = N_("a quantity is a number above zero, such as 1,5")
NO_DATE = N_("this is no date")
CHOOSE = N_("choose one")
LOOK = N_("something is missing or wrong: see the marked fields")
LONG_TEXT = 20_000
_FIELD_OF = {"asked.product": "product", "assignee_id": "assignee"}


@dataclass(slots=True)
class Form:
    """One posted form. `name` says which of a page's forms it is."""

    name: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    message: str = ""

    def line(self, name: str, limit: int = text.NAME) -> str:
        """One line of text."""
        return text.one_line(self.values.get(name, ""), limit)

    def body(self, name: str) -> str:
        """Several lines of text."""
        return text.clean(self.values.get(name, ""), LONG_TEXT)

    def problem(self, name: str, message: str) -> None:
        """Something is wrong with a field; the first finding stays."""
        self.problems.setdefault(name, message)

    def sum(self, name: str, currency: str) -> int | None:
        """A sum in the minor unit; None where the field is empty."""
        typed = self.line(name)
        if not typed:
            return None
        value = parse_decimal(typed)
        if value is not None:
            with suppress(ValueError):
                return to_minor(value, currency)
        self.problem(name, NO_SUM)
        return None

    def quantity(self, name: str) -> int | None:
        """A quantity in thousandths; None where the field is empty."""
        typed = self.line(name)
        if not typed:
            return None
        with suppress(ValueError):
            return parse_quantity(typed)
        self.problem(name, NO_QUANTITY)
        return None

    def day(self, name: str, zone: ZoneInfo, hour: int = 9) -> int | None:
        """A date, as the morning of that day; None where the field is empty."""
        typed = self.line(name)
        if not typed:
            return None
        with suppress(ValueError, OverflowError):
            return instant(datetime.combine(date.fromisoformat(typed[:10]), time(hour), zone))
        self.problem(name, NO_DATE)
        return None

    def moment(self, name: str, zone: ZoneInfo) -> Instant | None:
        """A date with a time of day, as a browser's own field sends it; None where the field is empty."""
        typed = self.line(name)
        if not typed:
            return None
        with suppress(ValueError, OverflowError):
            return instant(datetime.fromisoformat(typed[:16]).replace(tzinfo=zone))
        self.problem(name, NO_DATE)
        return None

    def identifier(self, name: str) -> int | None:
        """An id out of a select or a hidden field; None where there is none."""
        typed = self.line(name)
        if not (typed.isascii() and typed.isdigit() and len(typed) <= 19):
            return None
        return int(typed) if int(typed) <= MAX_ID else None

    def version(self) -> int | None:
        """The version of the thing that the form was made from."""
        return self.identifier("version")

    def choice(self, name: str, choices: Mapping[str, object] | frozenset[str]) -> str:
        """One of some values; a problem where it is none of them."""
        typed = self.line(name)
        if typed not in choices:
            self.problem(name, CHOOSE)
            return ""
        return typed

    def check(self) -> None:
        """Raise InputRejected where a field has a problem."""
        if self.problems:
            raise InputRejected(LOOK, [FieldProblem(name, words) for name, words in self.problems.items()])


def take_problems(form: Form, error: InputRejected, words: Words) -> None:
    """Put a refusal beside the fields it is about."""
    form.problems = {name: words.sentence(message) for name, message in form.problems.items()}
    for problem in error.problems:
        form.problem(_FIELD_OF.get(problem.path, problem.path), words.problem(problem))
    form.message = words.sentence(error.message)
