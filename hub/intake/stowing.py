"""Puts what is large into the blob store before its row is written, in threads of its own.

A disk may take its time, and a bucket takes a line and another machine. Whoever understands deliveries (the parser's
thread, the scribe) hands those with large bodies or files over and goes on with the next; they join the
writer's queue when their bytes are safe. So the storage can hold up nobody but who has need of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog

from hub.intake.blobs import INLINE_UP_TO, BlobStore
from hub.intake.extras import Extra
from hub.intake.model import Prepared
from hub.kernel.errors import Unavailable
from hub.sdk.messages import RawDelivery

log = structlog.get_logger("hub.intake.stowing")

AT_ONCE = 8


class Stowing:
    """Its threads begin with the first thing to store. `waiting`: what was handed over and has not come back."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="hub-stowing")
        self.waiting = 0

    def put(
        self, raw: RawDelivery, prepared: Prepared, done: Callable[[Prepared | Unavailable], None]
    ) -> None:
        """`done` is called in another thread; whoever hands over counts `waiting` down when he takes the result."""
        self.waiting += 1
        self._pool.submit(lambda: done(stow(raw, prepared, self._blobs)))


def is_large(raw: RawDelivery, prepared: Prepared) -> bool:
    """Has it something that belongs into the blob store? A body that was stored before is there already."""
    return (prepared.earlier is None and len(raw.body) > INLINE_UP_TO) or any(
        file.body is not None
        for message in prepared.messages
        if message.extra is not None
        for file in message.extra.files
    )


def stow(raw: RawDelivery, prepared: Prepared, blobs: BlobStore) -> Prepared | Unavailable:
    """Store what is large; the delivery with the names. Never raises: what cannot be stored is answered 503."""
    try:
        for message in prepared.messages:
            if message.extra is not None:
                _stow_files(message.extra, blobs)
        if prepared.earlier is None and len(raw.body) > INLINE_UP_TO:
            return dataclasses.replace(prepared, blob=blobs.put(raw.body))
    except Unavailable as away:
        code = away.facts.get("code", type(away).__name__)
        log.error("blob_not_stored", account=raw.account, error=code)
        return Unavailable("the hub cannot store anything right now", retry_after_s=away.retry_after_s)
    except Exception as error:  # noqa: BLE001 - the boundary of one delivery: its sender comes again
        log.error("blob_not_stored", account=raw.account, error=type(error).__name__)
        return Unavailable("the hub cannot store anything right now")
    return prepared


def _stow_files(extra: Extra, blobs: BlobStore) -> None:
    for file in extra.files:
        if file.body is not None:
            file.blob, file.body = blobs.put(file.body), None
