"""Whose turn it is to begin a transaction on SQLite, among all processes that write to one file.

SQLite's own waiting is not fair: it looks again after 1, 2, 5, .. 100 ms, and a process that commits one
batch after another holds the file nearly always. So whoever wants to begin takes this lock first: while
one process waits for the file, the other, which has it, cannot begin its next transaction.
"""

from __future__ import annotations

import fcntl
from pathlib import Path


class Turn:
    """A file beside the database; held only while a transaction begins, thus at most for the busy time-out."""

    def __init__(self, database: Path) -> None:
        self._file = database.with_name(f"{database.name}.turn").open("a")

    def __enter__(self) -> None:
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """No transaction begins any more."""
        self._file.close()
