"""Bodies over 64 KiB and files lie in a blob store, named by their hash, there before the row that names them commits.

Two kinds with one narrow interface: a folder for one machine (here), and a bucket of S3-compatible storage, for several
(`hub.intake.bucket`). The folder is written by our own lines and not by obstore, whose local store renames a file
into its place without an fsync before or after it: a power cut could leave the row and take the file.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from hub.kernel.errors import Unavailable

INLINE_UP_TO = 64 * 1024
IDLE_S = 3_600.0
"""What was stored within so long stays, though no row names it: the row may be on its way."""


class BlobsAway(Unavailable):
    """The store of large bodies and files cannot be used right now: repeat the same call later."""


class BlobStore(Protocol):
    """Bytes by the SHA-256 of themselves. Every call may take its time (a disk, a network): never in the event loop."""

    def put(self, body: bytes) -> str:
        """Store for good; the name. The same bytes twice are one object. Raises BlobsAway, then nothing is promised."""

    def get(self, name: str) -> bytes | None:
        """The bytes, or None where retention has removed them. Raises BlobsAway."""

    def drop(self, name: str, idle_s: float = IDLE_S) -> bool:
        """Remove what no row names, unless somebody has stored the same bytes lately. Raises BlobsAway."""

    def names(self) -> Iterator[str]:
        """Of everything that is stored, for a backup. Raises BlobsAway."""

    def probe(self) -> str:
        """Try to write, read and remove; where it is, for people. Raises BlobsAway with one sentence on what to do."""


class Folder:
    """Files below one folder, two levels deep. Writing the same bytes twice is one file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, body: bytes) -> str:
        """Store and fsync."""
        name = hashlib.sha256(body).hexdigest()
        path = self._path(name)
        with self._telling():
            with suppress(FileNotFoundError, NotADirectoryError):
                os.utime(path)  # `drop` sees that somebody has need of it
                return name
            self._write(path, body)
        return name

    def get(self, name: str) -> bytes | None:
        """Read the file."""
        with self._telling():
            try:
                return self._path(name).read_bytes()
            except FileNotFoundError:
                return None

    def drop(self, name: str, idle_s: float = IDLE_S) -> bool:
        """The file is moved aside first and then looked at: whoever stores the same bytes either came before, which
        its time tells, or finds no file and writes another.
        """
        path = self._path(name)
        aside = path.with_name(f"{name}.{secrets.token_hex(6)}.gone")
        with self._telling():
            try:
                path.rename(aside)
            except FileNotFoundError:
                return False
            if time.time() - aside.stat().st_mtime < idle_s:
                aside.replace(path)
                return False
            aside.unlink()
        return True

    def names(self) -> Iterator[str]:
        """Sorted."""
        for path in sorted(self._folder.glob("??/??/*")):
            if is_name(path.name):
                yield path.name

    def probe(self) -> str:
        """A file is written, read and removed."""
        path = self._folder / f"probe.{secrets.token_hex(6)}"
        with self._telling():
            self._write(path, b"probe")
            try:
                path.read_bytes()
            finally:
                path.unlink()
        return str(self._folder)

    def _write(self, path: Path, body: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{secrets.token_hex(6)}.part")
        try:
            with part.open("xb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise BlobsAway(f"{self._folder}: {error.strerror or type(error).__name__}") from error

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / name[2:4] / name


def is_name(name: str) -> bool:
    """Could this be the name of a blob?"""
    return len(name) == 64 and all(c in "0123456789abcdef" for c in name)
