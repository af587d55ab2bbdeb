"""Alarms of accounts: begin once, end once. Liveness is success, not "connected".

The people who are told are those who operate the hub (admins), else the heads.
"""

from __future__ import annotations

import orjson
import structlog
from sqlalchemy import select

from hub.access.model import Role
from hub.accounts import store as accounts
from hub.db.database import Database
from hub.db.rows import OutboxRow
from hub.db.tables import outbox, staff, staff_role
from hub.db.tx import Tx

log = structlog.get_logger("hub.runtime")

OK_EVERY_S = 10.0


class AccountHealth:
    """One account's, in one process: writes when something changes, and now and then that all is well."""

    def __init__(self, db: Database, account: str) -> None:
        self._db = db
        self.account = account
        self._failing: str | None = None
        self._told_ok_at = 0.0

    async def well(self, now_s: float) -> None:
        """The provider answered. Written at most each ten seconds, at once after a failure."""
        if self._failing is None and now_s - self._told_ok_at < OK_EVERY_S:
            return
        ended, self._failing = self._failing is not None, None
        self._told_ok_at = now_s

        def write(tx: Tx) -> None:
            accounts.note_ok(tx, self.account)
            if ended:
                put_alarm(tx, "account_well", self.account)

        await self._db.write(write)
        if ended:
            log.info("account_well", account=self.account)

    async def ill(self, reason: str, *, stop: bool = False, alarm: bool = True) -> None:
        """The provider failed. `alarm`: people are told, once until it is well again."""
        first = self._failing is None or (alarm and not self._failing.startswith("!"))
        if not first and not stop:
            return
        self._failing = f"!{reason}" if alarm else reason

        def write(tx: Tx) -> None:
            accounts.note_error(tx, self.account, reason, stop=stop)
            if alarm:
                put_alarm(tx, "account_ill", self.account)

        await self._db.write(write)
        log.warning("account_ill", account=self.account, stopped=stop)


def put_alarm(tx: Tx, kind: str, account: str) -> None:
    """A notice to everybody who operates the hub."""
    query = (
        select(staff_role.c.staff_id, staff_role.c.role)
        .join(staff, staff.c.id == staff_role.c.staff_id)
        .where(staff.c.state == "active", staff_role.c.role.in_([Role.ADMIN, Role.HEAD]))
    )
    rows = tx.execute(query).all()
    told = {row.staff_id for row in rows if row.role == Role.ADMIN} or {row.staff_id for row in rows}
    effects = [
        OutboxRow(
            tx.new_id(), "notice", kind, f"staff:{staff_id}",
            orjson.dumps({"staff_id": str(staff_id), "task_ids": [], "account": account}).decode(), "ready", 0,
            tx.now, tx.now, None, None, None, None, None, tx.correlation_id,
        )
        for staff_id in sorted(told)
    ]  # fmt: skip
    tx.insert({outbox: effects})
