"""Texts for replies with variables from a fixed list, filled by plain substitution. Pure.

Nothing in a template is executed: `{{ contact.name }}` is looked up in a table, any other word between the
braces is refused when the template is saved.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from hub.kernel import text
from hub.kernel.errors import FieldProblem, InputRejected

VARIABLES = (
    "order.number",
    "order.total",
    "order.paid",
    "order.due",
    "order.stage",
    "contact.name",
    "parcel.number",
    "parcel.carrier",
    "responsible.name",
)
NOTICE_VARIABLES = ("parcel.place", "parcel.storage", "parcel.pay", "parcel.link", "shop.name")
"""Filled in notices about parcels (texts named parcel-...) only."""
NOTICE_PREFIX = "parcel-"
LANGUAGES = ("uk", "en")
MAX_TEMPLATE = 4_000
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_BRACES = re.compile(r"\{\{([^{}\n]{0,60})\}\}")


def variables_of(body: str) -> list[str]:
    """The words between braces, in order."""
    return [found.group(1).strip() for found in _BRACES.finditer(body)]


def check(name: str, language: str, body: str) -> str:
    """The text as it is kept. Raises InputRejected naming every fault."""
    problems = []
    if not NAME.fullmatch(name):
        problems.append(FieldProblem("name", "a name has lower-case letters, digits, - and _ only"))
    if language not in LANGUAGES:
        problems.append(FieldProblem("language", "one of uk, en"))
    kept = text.clean(body, MAX_TEMPLATE)
    if not kept.strip():
        problems.append(FieldProblem("text", "a template needs a text"))
    known = (*VARIABLES, *NOTICE_VARIABLES) if name.startswith(NOTICE_PREFIX) else VARIABLES
    unknown = [one for one in dict.fromkeys(variables_of(kept)) if one not in known]
    if unknown:
        problems.append(FieldProblem("text", f"there is no variable {', '.join(unknown)}"))
    elif "{{" in _BRACES.sub("", kept) or "}}" in _BRACES.sub("", kept):
        problems.append(FieldProblem("text", "braces are not closed: a variable is {{ order.number }}"))
    if problems:
        raise InputRejected("this template cannot be kept", problems)
    return kept


def fill(body: str, values: Mapping[str, str]) -> str:
    """The text with its variables filled in; one that has no value becomes nothing."""
    return _BRACES.sub(lambda found: values.get(found.group(1).strip(), ""), body)
