"""SQL of accounts: their rows, health and counters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, insert, literal_column, null, select, update
from sqlalchemy.engine import Connection

from hub.db.prepared import Prepared
from hub.db.tables import account, rejection
from hub.db.tx import Tx
from hub.kernel.errors import NotFound, RuleSaysNo


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


def get(conn: Connection, kind: str, name: str) -> AccountRecord:
    """One account. Raises NotFound."""
    found = next((a for a in all_accounts(conn, kind) if a.name == name), None)
    if found is None:
        raise NotFound(f"no {kind} account {name}")
    return found


def state(conn: Connection, name: str) -> str:
    """active | stopped | off | retired; "retired" for an account that is not there."""
    found = conn.execute(select(account.c.state).where(account.c.name == name)).scalar_one_or_none()
    return found or "retired"


def _record(row: Mapping[Any, Any], rejected: Mapping[str, int]) -> AccountRecord:
    return AccountRecord(**row, rejected=rejected)


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

    `restart`: what had stopped is tried again.
    """
    known = {row.name: row for row in tx.execute(select(account))}
    for one in configured:
        values: dict[str, Any] = {"kind": one.kind, "plugin": one.plugin, "team": one.team}
        row = known.get(one.name)
        if one.off is not None:
            values |= {"state": "off", "reason": one.off[:500]}
        elif row is None or restart or row.state in {"retired", "off"}:
            values |= {"state": "active", "reason": None}
        if row is None:
            tx.execute(insert(account).values(name=one.name, created_at=tx.now, **values))
        else:
            tx.execute(update(account).where(account.c.name == one.name).values(**values))
    names = {one.name for one in configured}
    for name in sorted(known.keys() - names):
        tx.execute(update(account).where(account.c.name == name).values(state="retired", reason=None))


def resume(tx: Tx, kind: str, name: str) -> None:
    """Switch an account on again that had stopped. Raises NotFound, AccountOff for one that nobody can resume."""
    found = get(tx.conn, kind, name)
    if found.state in {"off", "retired"}:
        raise AccountOff(found.reason or "it is not in the settings any more")
    tx.execute(update(account).where(account.c.name == name).values(state="active", reason=None))


def note_ok(tx: Tx, name: str, *, only_active: bool = False) -> None:
    """The account's provider answered; an account that had stopped works again.

    only_active  not this one: an answer that was under way when the account stopped proves nothing
    """
    (_OK_IF_ACTIVE if only_active else _OK).run(tx.conn, which=name, at=tx.now)


_OK = Prepared(
    update(account)
    .where(account.c.name == bindparam("which"))
    .values(last_ok_at=bindparam("at"), state=literal_column("'active'"), reason=null())
)
_OK_IF_ACTIVE = Prepared(
    update(account)
    .where(account.c.name == bindparam("which"), account.c.state == literal_column("'active'"))
    .values(last_ok_at=bindparam("at"))
)


def note_error(tx: Tx, name: str, message: str, *, stop: bool = False) -> None:
    """The account's provider failed; `stop`: it is not asked again until somebody looks."""
    values: dict[str, Any] = {"last_error_at": tx.now, "last_error": message[:500]}
    if stop:
        values |= {"state": "stopped", "reason": message[:500]}
    tx.execute(update(account).where(account.c.name == name).values(**values))
