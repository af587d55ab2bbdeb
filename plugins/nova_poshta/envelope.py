"""The envelope around every answer of API 2.0, read whatever its types are today.

`data`, `errors`, `errorCodes`, `warnings` and `warningCodes` come as a list, as an object or as null;
`warnings` also as a list of objects {"ID_<number>": text}. Errors and their codes do not line up, so they are
kept apart.
source  samples of client libraries' tests; README of the carrier's API 2.0. Read 2026-11-22.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from hub.sdk import AnswerUnreadable

_KEYS = frozenset({"success", "data", "errors", "errorCodes"})
_NUMBERS = frozenset({"Number", "IntDocNumber"})
"""An object in place of a list is one item where it has one of these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One answer.

    success   as told; False where it is not told
    items     the objects of `data`, in the carrier's order
    errors    texts; never shown or logged (they may repeat what was sent)
    codes     codes of errors, 11 digits each as a rule
    warnings  (key, text); key is "" where a warning has none, "ID_<number>" where it concerns one number
    total     how many items a list has over all its pages; None where that is not told
    """

    success: bool
    items: tuple[dict[str, Any], ...]
    errors: tuple[str, ...]
    codes: tuple[str, ...]
    warnings: tuple[tuple[str, str], ...]
    warning_codes: tuple[str, ...]
    total: int | None = None

    @property
    def refused(self) -> bool:
        """Something went wrong, whatever `success` says."""
        return not self.success or bool(self.codes) or bool(self.errors)


def read_envelope(body: bytes) -> Envelope:
    """Read an answer's bytes. Raises AnswerUnreadable where they are no envelope of this API."""
    answer = _decode(body)
    if not isinstance(answer, dict) or not _KEYS & answer.keys():
        raise AnswerUnreadable("the answer is JSON, but no envelope of API 2.0")
    return Envelope(
        success=answer.get("success") in (True, "true", 1),
        items=_items(answer.get("data")),
        errors=tuple(text for _, text in _entries(answer.get("errors"))),
        codes=tuple(text for _, text in _entries(answer.get("errorCodes"))),
        warnings=tuple(_entries(answer.get("warnings"))),
        warning_codes=tuple(text for _, text in _entries(answer.get("warningCodes"))),
        total=_total(answer.get("info")),
    )


def _decode(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except ValueError:
        return _mended(body)


def _mended(body: bytes) -> Any:
    """A mark of byte order, a broken byte or half a surrogate in one text must not cost a whole batch."""
    try:
        answer = json.loads(body.decode("utf-8-sig", "replace"))
        return orjson.loads(
            json.dumps(answer, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
        )
    except (ValueError, RecursionError):
        # The cause is dropped: a decoder's error carries the whole body, and with it people's names.
        raise AnswerUnreadable("the answer is not JSON") from None


def _items(data: Any) -> tuple[dict[str, Any], ...]:
    if isinstance(data, dict):
        data = [data] if _NUMBERS & data.keys() else list(data.values())
    return tuple(item for item in data if isinstance(item, dict)) if isinstance(data, list) else ()


def _total(info: Any) -> int | None:
    """`totalCount` of `info`, which is an object in lists and empty elsewhere."""
    told = info.get("totalCount") if isinstance(info, dict) else None
    if isinstance(told, str) and told.isascii() and told.isdigit():
        told = int(told[:9])
    return told if isinstance(told, int) and not isinstance(told, bool) and told >= 0 else None


def _entries(value: Any) -> Iterator[tuple[str, str]]:
    """(key, text) of a list, an object, a list of objects or a single value; deeper nesting is left out."""
    for outer in value if isinstance(value, list) else (value,):
        if isinstance(outer, dict):
            yield from ((key, str(inner)) for key, inner in outer.items() if _is_told(inner))
        elif _is_told(outer):
            yield "", str(outer)


def _is_told(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""
