"""Rows of new lines in a plain form: name_0, quantity_0, ... and back to values, problems by field. Pure."""

from __future__ import annotations

import re

from hub.kernel.errors import InputRejected
from hub.kernel.money import MAX_MINOR
from hub.orders.model import NewLine
from hub.web.workspace.forms import Form, take_problems
from hub.web.workspace.words import Words

ROWS, MORE_ROWS, MAX_ROWS = 5, 3, 50
_LINE_FIELD = re.compile(r"(?:name|quantity|unit|price|plan_cost|fact_cost)_(\d{1,2})")
_PROBLEM_PATH = re.compile(r"lines\.(\d+)\.(\w+)")


def rows_of(form: Form, least: int) -> int:
    """How many rows of lines a form shows: as many as were typed in, and never fewer than `least`."""
    typed = [
        int(found.group(1)) + 1
        for key, value in form.values.items()
        if value and (found := _LINE_FIELD.fullmatch(key))
    ]
    return min(MAX_ROWS, max([least, *typed]))


def read_lines(form: Form, currency: str) -> tuple[list[NewLine], list[int]]:
    """The lines of a form, empty rows left out, and which row each came from; problems stand in the form."""
    lines: list[NewLine] = []
    rows: list[int] = []
    for row in range(rows_of(form, 0)):
        if not any(
            form.line(f"{name}_{row}") for name in ("name", "quantity", "price", "plan_cost", "fact_cost")
        ):
            continue
        if not form.line(f"name_{row}"):
            form.problem(f"name_{row}", "a line needs a name")
        price = form.sum(f"price_{row}", currency)
        line = NewLine(
            name=form.line(f"name_{row}"),
            quantity_milli=form.quantity(f"quantity_{row}") or 1000,
            unit=form.line(f"unit_{row}", 20) or "pcs",
            price_minor=price or 0,
            plan_cost_minor=form.sum(f"plan_cost_{row}", currency),
            fact_cost_minor=form.sum(f"fact_cost_{row}", currency),
        )
        if abs(line.total_minor) > MAX_MINOR:
            form.problem(f"price_{row}", "the sum is too large")
        lines.append(line)
        rows.append(row)
    return lines, rows


def place_problems(form: Form, error: InputRejected, rows: list[int], words: Words) -> None:
    """A refusal beside its fields; lines.<n>.<name> becomes the field of the row that it came from."""
    for problem in error.problems:
        found = _PROBLEM_PATH.match(problem.path)
        if found is not None and int(found.group(1)) < len(rows):
            form.problem(f"{found.group(2)}_{rows[int(found.group(1))]}", problem.message)
        elif problem.path.startswith("contact."):
            form.problem(problem.path.removeprefix("contact."), problem.message)
    take_problems(form, error, words)
