"""The envelope of the seller API: {"success": true, "content": ...} or {"success": false, "errors": ...}. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hub.sdk import AnswerUnreadable
from hub.sdk.reading import read_json, told_text

TOKEN_WORDS = ("access_token", "unauthor", "not authorized")
"""In the words of errors about the token; the documentation sample is "incorrect_access_token"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One answer. `words` are the errors': read here, never logged."""

    good: bool
    content: Any
    words: str

    @property
    def token_refused(self) -> bool:
        """The token is not accepted (any more); it may come with HTTP 200."""
        return not self.good and any(word in self.words for word in TOKEN_WORDS)


def read_envelope(body: bytes) -> Envelope:
    """Read an answer's bytes. Raises AnswerUnreadable where they are no envelope of this API."""
    answer = read_json(body)
    if not isinstance(answer, dict) or not isinstance(answer.get("success"), bool):
        raise AnswerUnreadable("the answer is JSON, but no envelope of the seller API")
    return Envelope(good=answer["success"], content=answer.get("content"), words=_words(answer.get("errors")))


def _words(errors: Any) -> str:
    """Errors come as an object with `message`, as a list of them, or as text."""
    if isinstance(errors, dict):
        errors = [errors]
    if not isinstance(errors, list):
        return told_text(errors, 300).casefold()
    texts = (told_text(one.get("message") if isinstance(one, dict) else one, 300) for one in errors[:5])
    return " ".join(texts).casefold()
