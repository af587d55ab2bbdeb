"""Reading providers' answers: values out of JSON whose types wander. Pure; since SDK 1.1.

A field may be missing or of another type: then it is not told, and never costs the rest of the answer.
"" is not told, 0 is zero.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import DecimalException
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson

from hub.kernel.money import parse_decimal, to_minor
from hub.sdk.errors import AnswerUnreadable

MAX_WHOLE = 10**12
FIRST_YEAR, LAST_YEAR = 2000, 2199
"""Outside of them a date is a placeholder (0001-01-01)."""

MAX_LENGTH = 40
_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ]+(\d\d):(\d\d)(?::(\d\d)(?:\.\d{1,9})?)?)?(Z|[+-]\d\d:\d\d)?", re.ASCII
)
_DOTTED = re.compile(r"(\d\d)\.(\d\d)\.(\d{4})(?: +(\d\d):(\d\d)(?::(\d\d))?)?", re.ASCII)


def read_json(body: bytes) -> Any:
    """The JSON of an answer. Raises AnswerUnreadable for a page of HTML, an XML error, half a document."""
    try:
        return orjson.loads(body)
    except ValueError:
        return _mended(body)


def _mended(body: bytes) -> Any:
    """A mark of byte order or a broken character in one text must not cost a whole batch."""
    try:
        answer = json.loads(body.decode("utf-8-sig", "replace"))
        return orjson.loads(
            json.dumps(answer, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
        )
    except (ValueError, RecursionError):
        # The cause is dropped: a decoder's error carries the whole body, and with it people's names.
        raise AnswerUnreadable("the answer is not JSON") from None


def read_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object of a delivery or an answer; None where it is anything else. Quick on any bytes.

    Unlike `read_json` it mends nothing but a mark of byte order. Since SDK 1.1.
    """
    try:
        read = orjson.loads(body.removeprefix(b"\xef\xbb\xbf"))
    except ValueError:
        return None
    return read if isinstance(read, dict) else None


def told_text(value: object, limit: int) -> str:
    """Text or a whole number as text without outer space, at most `limit` characters; "" for the rest."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return value.strip()[:limit] if isinstance(value, str) else ""


def told_minor(value: object) -> int | None:
    """A sum in minor units from int, float or text; None for "", for what is no sum and below zero."""
    if value == "" or value is None or isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value * 100 if 0 <= value < MAX_WHOLE else None
    if not isinstance(value, (str, float)):
        return None
    amount = parse_decimal(str(value))
    if amount is None or not 0 <= amount < MAX_WHOLE:
        return None
    try:
        return to_minor(amount)
    except (ValueError, DecimalException):
        return None


def raw_document(value: object, limit: int = 64 * 1024) -> bytes:
    """The raw document as JSON; empty where it is larger than the hub keeps."""
    written = orjson.dumps(value)
    return written if len(written) <= limit else b""


@cache
def local_zone(name: str) -> ZoneInfo:
    """A zone by its name; Kyiv's in old tables too."""
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:
        return ZoneInfo({"Europe/Kyiv": "Europe/Kiev"}[name])  # zone tables older than 2022


def told_time(value: object, zone_name: str) -> datetime | None:
    """Aware UTC of a told time; `zone_name`'s wall clock where no zone is told; None for what is no time.

    2026-03-04 11:32:17    2026-03-04T11:32:17.5+03:00    2026-03-04    2016-06-25 15:05: 53    04.03.2026 11:32

    In the repeated hour of autumn the first one counts. A day alone is its midnight.
    """
    if not isinstance(value, str) or len(value) > MAX_LENGTH:
        return None
    text = re.sub(r"\s*:\s*", ":", value.strip())
    iso = _ISO.fullmatch(text)
    dotted = None if iso else _DOTTED.fullmatch(text)
    try:
        if iso is not None:
            year, month, day, hour, minute, second, zone = iso.groups()
        elif dotted is not None:
            (day, month, year, hour, minute, second), zone = dotted.groups(), None
        else:
            return None
        wall = datetime.fromisoformat(
            f"{year}-{month}-{day}T{hour or '00'}:{minute or '00'}:{second or '00'}{zone or ''}"
        )
        if not FIRST_YEAR <= wall.year <= LAST_YEAR:
            return None
        return (wall if zone else wall.replace(tzinfo=local_zone(zone_name), fold=0)).astimezone(UTC)
    except ValueError:
        return None
