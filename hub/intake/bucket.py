"""Blobs in a bucket of S3-compatible storage, which several machines share.

An object lies at `<prefix>/<SHA-256>/<half hour>`: the half hour in which it was stored. S3 knows no "touch" and no
"delete unless somebody has written it meanwhile", so two rules stand in for both:

* `put` takes an object for its own only while that is younger than FRESH_S; an older one it stores anew, under the
  present half hour, and takes the old one away. The same bytes are one object all the same.
* `drop` removes the objects that it has seen, by their full keys, if all of them are older than `idle_s` (an hour).

So a late or repeated deletion can never hit what somebody stores meanwhile: that has another key. It holds while the
clocks of the machines and of the storage differ by less than half an hour. A read takes whichever object is there.

One request may last `timeout_s`; what was cut is tried once more. When the storage does not answer at all, calls
fail at once for PAUSE_S, so that a dead storage costs a delivery its 503 and nobody else his time.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from hub.intake.blobs import IDLE_S, BlobsAway, is_name
from hub.kernel.errors import FieldProblem, SettingsRejected
from hub.settings import BlobsSection

if TYPE_CHECKING:
    from obstore.store import S3Store

log = structlog.get_logger("hub.intake.blobs")

HALF_HOUR_S = 1_800
FRESH_S = HALF_HOUR_S
PAUSE_S = 2.0
CONNECT_S = 3.0
READS = 3
T = TypeVar("T")
_CODE = re.compile(r"<Code>([A-Za-z0-9]{1,60})</Code>")
_RIGHTS = "the key may not list, read, write and delete there: give it these rights"
_REGION = "the bucket is in another region: correct [blobs] region"
_UNKNOWN_KEY = "the access key is not known there: correct [blobs] access_key_id"
SENTENCES: Mapping[str, str] = {
    "NoSuchBucket": "there is no such bucket: make it, or correct [blobs] url",
    "InvalidBucketName": "there is no such bucket: make it, or correct [blobs] url",
    "InvalidAccessKeyId": _UNKNOWN_KEY,
    "401": _UNKNOWN_KEY,
    "SignatureDoesNotMatch": "the secret does not fit the access key: correct [blobs] secret_access_key",
    "AccessDenied": _RIGHTS,
    "403": _RIGHTS,
    "AuthorizationHeaderMalformed": _REGION,
    "PermanentRedirect": _REGION,
    "RequestTimeTooSkewed": "the clock of this machine is wrong: set it",
    "404": "there is no such thing at this address: see [blobs] endpoint and url",
    "SlowDown": "the storage is overloaded",
    "Timeout": "the storage does not answer in time",
    "Connect": "the storage cannot be reached: see [blobs] endpoint",
    "no answer": "the storage does not answer",
}
"""What people are told, by the code of S3, the HTTP status or the kind of failure."""
MISSING = "needs the extra s3: pip install 'omni-hub[s3]'"
_SILENT = frozenset({"Timeout", "Connect", "no answer"})


class _Missing(BlobsAway):
    """There is no object of this key."""


class Bucket:
    """The store of `[blobs] url`. Its texts of errors name no key: they hold our sentences, not the storage's."""

    def __init__(self, section: BlobsSection, store: S3Store | None = None) -> None:
        self._url = section.url
        self._store = store or _open(section)
        self._silent_until = 0.0

    def put(self, body: bytes) -> str:
        """One request to look and, unless the same bytes were stored lately, one to store."""
        name, now = hashlib.sha256(body).hexdigest(), time.time()
        found = self._objects(name)
        if any(age_s < FRESH_S for _key, age_s in found):
            return name
        key = f"{name}/{int(now) // HALF_HOUR_S}"
        self._call(lambda: self._store.put(key, body, use_multipart=False))
        self._remove([old for old, _age in found if old != key])
        return name

    def get(self, name: str) -> bytes | None:
        """Look and read; what is not what its name says counts as not to be had."""
        for _ in range(READS):
            found = self._objects(name)
            if not found:
                return None
            key = found[-1][0]
            try:
                body = self._call(lambda key=key: bytes(self._store.get(key).bytes()))  # type: ignore[misc]
            except _Missing:  # stored anew meanwhile, under another key
                continue
            if hashlib.sha256(body).hexdigest() != name:
                log.error("blob_damaged", name=name)
                raise BlobsAway("an object of the storage is not what its name says")
            return body
        raise BlobsAway("an object of the storage cannot be read")

    def drop(self, name: str, idle_s: float = IDLE_S) -> bool:
        """Remove exactly what was seen and is old."""
        found = self._objects(name)
        if not found or any(age_s < idle_s for _key, age_s in found):
            return False
        self._remove([key for key, _age in found])
        return True

    def names(self) -> Iterator[str]:
        """Page by page, in the storage's order, which is that of the names."""
        pages = iter(self._call(self._store.list))
        keys = (one["path"] for page in iter(lambda: self._call(lambda: next(pages, [])), []) for one in page)
        for name, _objects in groupby(keys, lambda key: key.split("/", 1)[0]):
            if is_name(name):
                yield name

    def probe(self) -> str:
        """An object of a name of its own is written, listed, read and removed."""
        key = f"probe/{secrets.token_hex(8)}"
        self._silent_until = 0.0
        self._call(lambda: self._store.put(key, b"probe", use_multipart=False))
        self._call(lambda: self._store.list("probe").collect())
        self._call(lambda: bytes(self._store.get(key).bytes()))
        self._remove([key])
        return self._url

    def _objects(self, name: str) -> list[tuple[str, float]]:
        """(key, age in seconds) of what lies under a name, oldest half hour first."""
        now = datetime.now(UTC)
        listed = self._call(lambda: self._store.list(name).collect())
        return sorted((one["path"], (now - one["last_modified"]).total_seconds()) for one in listed)

    def _remove(self, keys: list[str]) -> None:
        for key in keys:
            self._call(lambda key=key: self._store.delete(key))  # type: ignore[misc]

    def _call(self, call: Callable[[], T]) -> T:
        """Raises BlobsAway; _Missing is one of them."""
        from obstore.exceptions import BaseError  # noqa: PLC0415 - a folder does without obstore

        if time.monotonic() < self._silent_until:
            raise BlobsAway(SENTENCES["no answer"])
        try:
            return call()
        except (BaseError, OSError) as error:
            code = code_of(error)
            if code == "NoSuchKey":
                raise _Missing("an object of the storage is not there") from None
            if code in _SILENT:
                self._silent_until = time.monotonic() + PAUSE_S
            raise BlobsAway(SENTENCES.get(code) or f"the storage refuses: {code}", code=code) from None


def code_of(error: BaseException) -> str:
    """S3's own code, else the HTTP status, else the kind of failure. The text itself may hold names of keys."""
    said = str(error)[:20_000]
    if found := _CODE.search(said):
        return found[1]
    if "redirect without LOCATION" in said:
        return "PermanentRedirect"
    if found := re.search(r"status code: (\d{3})", said):
        return found[1]
    for kind in ("Timeout", "Connect"):
        if f"kind: {kind}" in said:
            return kind
    return "no answer"


def _open(section: BlobsSection) -> S3Store:
    try:
        from obstore.store import S3Store  # noqa: PLC0415 - a folder does without obstore
    except ImportError:
        raise SettingsRejected([FieldProblem("blobs.url", MISSING)]) from None
    bucket, _, prefix = section.url.removeprefix("s3://").partition("/")
    keys: dict[str, Any] = {}
    if section.access_key_id:
        keys["access_key_id"] = section.access_key_id
        keys["secret_access_key"] = section.secret_access_key.get_secret_value()
    if section.endpoint:
        keys["endpoint"] = section.endpoint.rstrip("/")
    limit = timedelta(seconds=section.timeout_s)
    return S3Store(
        bucket,
        prefix=prefix.strip("/") or None,
        region=section.region,
        disable_bulk_delete=True,  # not every S3-compatible storage has it
        client_options={
            "allow_http": section.endpoint.startswith("http://"),
            "connect_timeout": timedelta(seconds=min(CONNECT_S, section.timeout_s)),
            "timeout": limit,
        },
        retry_config={"max_retries": 1, "retry_timeout": limit},
        **keys,
    )
