"""Bodies over 64 KiB live as files, named by their hash, on disk before the row that names them commits."""

from __future__ import annotations

import hashlib
import os
import secrets
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
        if path.exists():
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

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / name[2:4] / name
