"""The line between the serving process and its scribe: frames of marshalled values behind their length."""

from __future__ import annotations

import marshal
from typing import Any

from hub.intake.model import Result
from hub.kernel.errors import Unavailable
from hub.sdk.errors import DeliveryRejected
from hub.sdk.messages import Outcome

READ = 1 << 20
_HEAD = 4  # bytes of a frame's length

Answer = tuple[Any, ...]


def framed(values: Any) -> bytes:
    """Marshalled values (both ends are the same interpreter) behind their length."""
    content = marshal.dumps(values)
    return len(content).to_bytes(_HEAD, "big") + content


def cut(came: bytearray) -> list[Any]:
    """Take the whole frames off what has come."""
    frames = []
    while len(came) >= _HEAD and len(came) >= (end := _HEAD + int.from_bytes(came[:_HEAD], "big")):
        frames.append(marshal.loads(came[_HEAD:end]))  # noqa: S302 - our own process wrote it
        del came[:end]
    return frames


def said(result: Result | None, error: BaseException | None) -> Answer:
    """An answer as plain values; the reverse of `hub.intake.scribe.settle`."""
    match error:
        case None if isinstance(result, Outcome):
            return ("outcome", result.kind.value, result.request_id, result.repeated)
        case None:
            return ("reused",)
        case DeliveryRejected():
            return ("rejected", error.reason, error.message, error.status)
        case Unavailable():
            return ("unavailable", error.message, error.retry_after_s)
    return ("unavailable", "this delivery cannot be stored right now", 5)
