"""Alarms of accounts: begin once, end once. Liveness is success, not "connected".

The people who are told are those who operate the hub (admins), else the heads.
"""

from __future__ import annotations

import structlog

from hub.accounts import store as accounts
from hub.db.database import Database
from hub.db.tx import Tx
from hub.notices.put import put_alarm

log = structlog.get_logger("hub.runtime")

OK_EVERY_S = 10.0


class AccountHealth:
    """One account's, in one process: writes when something changes, and now and then that all is well."""

    def __init__(self, db: Database, account: str, ok_every_s: float = OK_EVERY_S) -> None:
        """`ok_every_s`: how often at most it is written that all is well."""
        self._db = db
        self._ok_every_s = min(ok_every_s, OK_EVERY_S)
        self.account = account
        self._failing: str | None = None
        self._told_ok_at = 0.0

    async def well(self, now_s: float) -> None:
        """The provider answered. Written at most each ten seconds, at once after a failure."""
        if self._failing is None and now_s - self._told_ok_at < self._ok_every_s:
            return
        failed, self._failing = self._failing, None
        ended = failed is not None
        told = failed is not None and failed.startswith("!")  # people were told that it fails
        self._told_ok_at = now_s

        def write(tx: Tx) -> None:
            accounts.note_ok(tx, self.account)
            if told:
                put_alarm(tx, "account_well", account=self.account)

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
                put_alarm(tx, "account_ill", account=self.account, reason=reason[:500])

        await self._db.write(write)
        log.warning("account_ill", account=self.account, stopped=stop)
