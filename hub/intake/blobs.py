"""Bodies over 64 KiB live as files, named by their hash, on disk before the row that names them commits."""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path

INLINE_UP_TO = 64 * 1024


class BlobStore:
    """Files below one folder, two levels deep. Writing the same bytes twice is one file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, body: bytes) -> str:
        """Store and fsync; the SHA-256 in hex. Raises OSError (disk full, no right)."""
        name = hashlib.sha256(body).hexdigest()
        path = self._path(name)
        with suppress(FileNotFoundError, NotADirectoryError):
            os.utime(path)  # `drop` sees that somebody has need of it
            return name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{name}.{secrets.token_hex(6)}.part")
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
        return name

    def get(self, name: str) -> bytes | None:
        """The bytes, or None where retention has removed them."""
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError:
            return None

    def drop(self, name: str, idle_s: float = 3_600.0) -> bool:
        """Remove what no row names, unless somebody has stored the same bytes lately: his row may be on its way.

        The file is moved aside first and then looked at: whoever stores the same bytes either came before, which
        its time tells, or finds no file and writes another.
        """
        path = self._path(name)
        aside = path.with_name(f"{name}.{secrets.token_hex(6)}.gone")
        try:
            path.rename(aside)
        except FileNotFoundError:
            return False
        if time.time() - aside.stat().st_mtime < idle_s:
            aside.replace(path)
            return False
        aside.unlink()
        return True

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / name[2:4] / name
