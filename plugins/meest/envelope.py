"""The envelope of OpenAPI v3: {"status": "OK" | "error", "info": {...}, "result": ...}. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hub.sdk import AnswerUnreadable
from hub.sdk.reading import read_json, told_text

NOT_FOUND = "data not found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One answer. `message` and `field` are the carrier's words: read here, never logged."""

    good: bool
    message: str
    field: str
    result: Any

    @property
    def not_found(self) -> bool:
        """The carrier knows nothing of what was asked for."""
        return not self.good and NOT_FOUND in self.message.casefold()


def read_envelope(body: bytes) -> Envelope:
    """Read an answer's bytes. Raises AnswerUnreadable where they are no envelope of this API."""
    answer = read_json(body)
    status = told_text(answer.get("status"), 20).casefold() if isinstance(answer, dict) else ""
    if status not in {"ok", "error"}:
        raise AnswerUnreadable("the answer is JSON, but no envelope of OpenAPI v3")
    info = answer.get("info")
    info = info if isinstance(info, dict) else {}
    return Envelope(
        good=status == "ok",
        message=told_text(info.get("message"), 200),
        field=told_text(info.get("fieldName"), 50),
        result=answer.get("result"),
    )


def is_envelope(body: bytes) -> bool:
    """Is it one, whatever it says?"""
    try:
        read_envelope(body)
    except AnswerUnreadable:
        return False
    return True
