"""How far each folder of a mailbox is read, as text for the hub. Pure.

    {"INBOX": [uidvalidity, uid]}                          everything up to uid is stored
    {"INBOX": [uidvalidity, uid, until, "2026-11-01"]}     catching up: of what was there at the start (up to `until`)
                                                           only what came since that day
    {"": ["INBOX", uidvalidity, uid], ...}                 beside them: which mail this position belongs to

A UID counts only under its UIDVALIDITY (RFC 3501). Dates are used for catching up alone, never to find new mail.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

MARK = ""


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder's state."""

    uidvalidity: int
    uid: int
    until: int = 0
    since: date | None = None

    def passed(self, uid: int) -> Folder:
        """Everything up to here is stored."""
        if self.since is not None and uid < self.until:
            return replace(self, uid=uid)
        return Folder(self.uidvalidity, uid)

    def caught_up(self) -> Folder:
        """Nothing of the old mail is left."""
        return Folder(self.uidvalidity, max(self.uid, self.until))


@dataclass(frozen=True, slots=True)
class Stored:
    """One mail that the hub has stored."""

    folder: str
    uidvalidity: int
    uid: int


def read(text: str) -> dict[str, Folder]:
    """States by folder; what cannot be read counts as never read, and the hub's keys keep doubles out."""
    return {name: state for name, value in _table(text).items() if name != MARK and (state := _folder(value))}


def stored(text: str) -> Stored | None:
    """Which mail a delivery's position belongs to."""
    match _table(text).get(MARK):
        case [str(folder), int(uidvalidity), int(uid)]:
            return Stored(folder, uidvalidity, uid)
    return None


def write(states: Mapping[str, Folder], mail: Stored | None = None) -> str:
    """The text that `read` and `stored` take."""
    table: dict[str, list[object]] = {}
    if mail is not None:
        table[MARK] = [mail.folder, mail.uidvalidity, mail.uid]
    for name, state in states.items():
        table[name] = [state.uidvalidity, state.uid]
        if state.since is not None:
            table[name] += [state.until, state.since.isoformat()]
    return json.dumps(table, ensure_ascii=False, separators=(",", ":"))


def _table(text: str) -> dict[str, object]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _folder(value: object) -> Folder | None:
    match value:
        case [int(uidvalidity), int(uid)]:
            return Folder(uidvalidity, uid)
        case [int(uidvalidity), int(uid), int(until), str(since)]:
            try:
                return Folder(uidvalidity, uid, until, date.fromisoformat(since))
            except ValueError:
                return Folder(uidvalidity, uid)
    return None
