"""Finding cards by one line: a name, an organisation, a telephone or its end, an e-mail or a part of it."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select

from hub.contacts.model import EMAIL, PHONE
from hub.db.tables import contact, identity

_NUMBER = re.compile(r"[\d\s()+./-]{3,40}")
MIN_DIGITS = 3


def matching(text: str) -> ColumnElement[bool]:
    """A condition on `contact`: cards that stand for what is looked for, also where a merged card says it."""
    digits = "".join(c for c in text if c.isdigit() and c.isascii())
    if _NUMBER.fullmatch(text) and len(digits) >= MIN_DIGITS:
        return contact.c.id.in_(_owners(PHONE, identity.c.value.endswith(digits, autoescape=True)))
    if "@" in text:
        return contact.c.id.in_(_owners(EMAIL, identity.c.value.contains(text.lower(), autoescape=True)))
    return named(text)


def named(text: str) -> ColumnElement[bool]:
    """Cards with these letters in the name or the organisation.

    SQLite knows upper and lower case of Latin letters only, so the usual spellings of the others are asked for.
    """
    spellings = {text.lower(), text.upper(), text.capitalize(), text.title()} if not text.isascii() else set()
    columns = (contact.c.name, contact.c.organisation)
    hits = [column.icontains(text, autoescape=True) for column in columns]
    hits += [
        column.contains(one, autoescape=True) for column in columns for one in sorted(spellings - {text})
    ]
    return contact.c.id.in_(select(func.coalesce(contact.c.merged_into_id, contact.c.id)).where(or_(*hits)))


def _owners(kind: str, hit: ColumnElement[bool]) -> Any:
    return select(identity.c.contact_id).where(identity.c.kind == kind, hit)
