"""What a number of this carrier looks like. Pure, and quick on any text."""

import re

from hub.sdk import Likeness, Recognition

# FILL IN: the form of a number, spaces taken out; SURE only where no other carrier has the same form.
NUMBER = re.compile(r"[0-9]{12}", re.ASCII)
LIKENESS = Likeness.PERHAPS

_TYPED = 60


def written(text: str) -> str:
    """A typed number as the carrier writes it."""
    return "".join(text[:_TYPED].split()).replace("-", "").upper()


def recognise(text: str) -> Recognition:
    """Is this one of ours?"""
    number = written(text.strip())
    if len(text.strip()) > _TYPED or not NUMBER.fullmatch(number):
        return Recognition(likeness=Likeness.NO)
    return Recognition(likeness=LIKENESS, number=number)
