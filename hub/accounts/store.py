"""SQL of accounts: their rows, health and counters.

What switches an account off stays: neither an answer that was under way nor the next start of the hub takes back what
a person has done. Only `resume` does, and what the hub itself has stopped is tried again at the next start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.engine import Connection

from hub.db.prepared import Prepared
from hub.db.tables import account, delivery, rejection, shipment
from hub.db.tx import Tx
from hub.kernel.clock import SECOND
from hub.kernel.errors import NotFound, RuleSaysNo


class State(StrEnum):
    """Whether an account does anything."""

    ACTIVE = "active"
    STOPPED = "stopped"  # by the hub: its credentials are not taken; the next start tries again
    PAUSED = "paused"  # by a person, until a person resumes it
    OFF = "off"  # its plugin or its settings cannot serve it
    RETIRED = "retired"  # taken away; name, counters and cursor are kept


FILE, WORKSPACE = "file", "workspace"


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """An account with its health. offered = stored + repeated + rejected, by definition of the words."""

    name: str
    kind: str
    plugin: str
    team: str | None
    state: str
    reason: str | None
    created_at: int
    last_ok_at: int | None
    last_error_at: int | None
    last_error: str | None
    stored: int
    repeated: int
    origin: str
    keys: str
    version: int
    rejected: Mapping[str, int]

    @property
    def offered(self) -> int:
        """How many deliveries reached the account and were answered for good."""
        return self.stored + self.repeated + sum(self.rejected.values())


def all_accounts(conn: Connection, kind: str) -> list[AccountRecord]:
    """Accounts of a kind by name, retired ones last."""
    rejected: dict[str, dict[str, int]] = {}
    for row in conn.execute(select(rejection)).mappings():
        rejected.setdefault(row["account"], {})[row["reason"]] = row["count"]
    query = (
        select(account).where(account.c.kind == kind).order_by(account.c.state == "retired", account.c.name)
    )
    return [_record(row, rejected.get(row["name"], {})) for row in conn.execute(query).mappings()]


def everything(conn: Connection) -> list[AccountRecord]:
    """Accounts of both kinds."""
    return [*all_accounts(conn, "channel"), *all_accounts(conn, "carrier")]


def get(conn: Connection, kind: str, name: str) -> AccountRecord:
    """One account. Raises NotFound."""
    found = next((a for a in all_accounts(conn, kind) if a.name == name), None)
    if found is None:
        raise NotFound(f"no {kind} account {name}")
    return found


def find(conn: Connection, name: str) -> AccountRecord | None:
    """The account of this name, of either kind."""
    row = conn.execute(select(account).where(account.c.name == name)).mappings().one_or_none()
    return None if row is None else _record(row, {})


def state(conn: Connection, name: str) -> str:
    """One of `State`; "retired" for an account that is not there."""
    found = conn.execute(select(account.c.state).where(account.c.name == name)).scalar_one_or_none()
    return found or "retired"


def _record(row: Mapping[Any, Any], rejected: Mapping[str, int]) -> AccountRecord:
    return AccountRecord(**row, rejected=rejected)


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits at an account. `deliveries`: stored, not understood yet; `parcels`: due to be asked for."""

    deliveries: Mapping[str, int]
    parcels: Mapping[str, int]

    def of(self, name: str) -> int:
        """Both; an account has only one of them."""
        return self.deliveries.get(name, 0) + self.parcels.get(name, 0)


def backlog(conn: Connection, now: int) -> Backlog:
    """Counted along the indexes of what is due."""
    waiting = (
        select(delivery.c.account, func.count())
        .where(delivery.c.next_try_at.is_not(None))
        .group_by(delivery.c.account)
    )
    due = (
        select(shipment.c.account, func.count())
        .where(shipment.c.next_poll_at <= now)
        .group_by(shipment.c.account)
    )
    return Backlog(
        {row[0]: row[1] for row in conn.execute(waiting)}, {row[0]: row[1] for row in conn.execute(due)}
    )


def silent(record: AccountRecord, silence_s: float, now: int) -> bool:
    """Has an account that should be answering all the time not answered for too long?

    A success is written at most each ten seconds, so so much later counts as in time.
    """
    if record.state != State.ACTIVE:
        return False
    since = record.last_ok_at if record.last_ok_at is not None else record.created_at
    return now - since > silence_s * SECOND + OK_EVERY_S * SECOND


OK_EVERY_S = 15


class AccountOff(RuleSaysNo):
    """This account cannot be switched on from here: mend its settings or its plugin, and start the hub again."""


@dataclass(frozen=True, slots=True)
class Configured:
    """An account as the settings name it."""

    name: str
    kind: str
    plugin: str
    team: str | None
    off: str | None = None  # why its plugin cannot serve it


def sync(tx: Tx, configured: list[Configured], *, restart: bool = False) -> None:
    """Make the rows agree with the file: new ones appear, missing ones retire, cursors stay.

    Accounts of the workspace keep what they are. `restart`: what the hub had stopped is tried again.
    """
    if restart:
        tx.execute(
            update(account)
            .where(account.c.origin == WORKSPACE, account.c.state.in_([State.STOPPED, State.OFF]))
            .values(state=State.ACTIVE, reason=None)
        )
    known = {row.name: row for row in tx.execute(select(account))}
    for one in configured:
        row = known.get(one.name)
        if row is not None and row.origin == WORKSPACE and row.state != State.RETIRED:
            continue  # the name is taken: `hub serve` refuses it, `hub check` says so
        values: dict[str, Any] = {
            "kind": one.kind, "plugin": one.plugin, "team": one.team, "origin": FILE, "keys": "{}",
        }  # fmt: skip
        values |= _state_at_start(None if row is None else row.state, one.off, restart=restart)
        if row is None:
            tx.execute(insert(account).values(name=one.name, created_at=tx.now, **values))
        else:
            tx.execute(update(account).where(account.c.name == one.name).values(**values))
    names = {one.name for one in configured}
    gone = sorted(name for name, row in known.items() if row.origin == FILE and name not in names)
    for name in gone:
        tx.execute(update(account).where(account.c.name == name).values(state=State.RETIRED, reason=None))


def _state_at_start(state: str | None, off: str | None, *, restart: bool) -> dict[str, Any]:
    if state == State.PAUSED:
        return {}
    if off is not None:
        return {"state": State.OFF, "reason": off[:500]}
    again = {State.RETIRED, State.OFF, *({State.STOPPED} if restart else ())}
    return {"state": State.ACTIVE, "reason": None} if state is None or state in again else {}


def resume(tx: Tx, kind: str, name: str) -> None:
    """Switch an account on again that had stopped. Raises NotFound, AccountOff for one that nobody can resume."""
    found = get(tx.conn, kind, name)
    if found.state in {State.OFF, State.RETIRED}:
        raise AccountOff(found.reason or "it is not in the settings any more")
    set_state(tx, name, State.ACTIVE)


def pause(tx: Tx, kind: str, name: str, reason: str) -> None:
    """Switch an account off until a person resumes it. Raises NotFound, AccountOff for a retired one."""
    if get(tx.conn, kind, name).state == State.RETIRED:
        raise AccountOff("this account was taken away")
    set_state(tx, name, State.PAUSED, reason)


def set_state(tx: Tx, name: str, state: State, reason: str | None = None) -> None:
    """Write the state, whatever it was."""
    tx.execute(
        update(account).where(account.c.name == name).values(state=state, reason=reason and reason[:500])
    )


def try_again(tx: Tx, name: str, version: int) -> None:
    """Settings that were not tried yet: a stop by the hub does not count for them. A person's own stop stays."""
    tx.execute(
        update(account)
        .where(account.c.name == name, account.c.version == version, account.c.state == State.STOPPED)
        .values(state=State.ACTIVE, reason=None)
    )


def note_ok(tx: Tx, name: str) -> None:
    """The account's provider answered. It switches nothing on: the call may have begun before the stop."""
    _OK.run(tx.conn, which=name, at=tx.now)


def works_again(tx: Tx, name: str) -> None:
    """A person tried a stopped account and its provider answered; what a person switched off stays off."""
    stopped = update(account).where(account.c.name == name, account.c.state == State.STOPPED)
    tx.execute(stopped.values(state=State.ACTIVE, reason=None))


_OK = Prepared(update(account).where(account.c.name == bindparam("which")).values(last_ok_at=bindparam("at")))


def note_error(tx: Tx, name: str, message: str, *, stop: bool = False) -> None:
    """The account's provider failed; `stop`: an active one is not asked again until somebody looks."""
    values: dict[str, Any] = {"last_error_at": tx.now, "last_error": message[:500]}
    tx.execute(update(account).where(account.c.name == name).values(**values))
    if stop:
        tx.execute(
            update(account)
            .where(account.c.name == name, account.c.state == State.ACTIVE)
            .values(state=State.STOPPED, reason=message[:500])
        )
