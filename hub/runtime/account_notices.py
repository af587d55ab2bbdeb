"""Asks the carriers' plugins what somebody has to do soon, and tells the people who operate the hub.

A key that will end makes no error until it has ended; then parcels go unseen. So one process, the holder of the
lease, asks each hour. A notice is one alarm of its account and its last error; it is told again only after it was
gone, or by another process once a day at most.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence

import structlog

from hub.accounts import store as accounts
from hub.coordination import leases
from hub.db.database import Database
from hub.db.tx import Tx
from hub.kernel.clock import DAY, HOUR
from hub.notices.put import put_alarm
from hub.sdk.carrier import Carrier
from hub.sdk.notices import Notice

log = structlog.get_logger("hub.runtime")

LEASE = "account_notices"
EVERY_S = 3600.0
LASTS = 2 * HOUR
CALL_WITHIN_S = 5.0
MAX_TEXT = 500


class AccountNotices:
    """The carriers of this hub. `language`: the hub's own, in which alarms are written."""

    def __init__(self, db: Database, carriers: Mapping[str, Carrier], language: str) -> None:
        self._db = db
        self._carriers = carriers
        self._language = language
        self._owner = secrets.token_hex(8)
        self._told: set[tuple[str, str]] = set()

    async def tick(self) -> None:
        """Ask all of them once, if no other process does it."""
        if not self._carriers:
            return
        fence = await self._db.write(lambda tx: leases.hold(tx, LEASE, self._owner, LASTS))
        if fence is not None:
            for name, carrier in self._carriers.items():
                await self._look(name, carrier)

    async def release(self) -> None:
        """Let another process go on at once."""
        if self._carriers:
            await self._db.write(lambda tx: leases.release(tx, LEASE, self._owner))

    async def _look(self, name: str, carrier: Carrier) -> None:
        try:
            async with asyncio.timeout(CALL_WITHIN_S):
                found = await carrier.notices()
            texts = {one.key: self._text(one) for one in found}
        except Exception as error:  # noqa: BLE001 - the guard around a plugin
            log.error("plugin_raised", account=name, call="notices", error=type(error).__name__)
            return
        self._told -= {one for one in self._told if one[0] == name and one[1] not in texts}
        new = [text for key, text in texts.items() if (name, key) not in self._told]
        if new:
            await self._db.write(lambda tx: _tell(tx, name, new))
            self._told |= {(name, key) for key in texts}

    def _text(self, notice: Notice) -> str:
        text = notice.text.get(self._language) or notice.text.get("en") or notice.key
        return str(text)[:MAX_TEXT]


def _tell(tx: Tx, name: str, texts: Sequence[str]) -> None:
    """One alarm for what is new; not where the same was told within a day by a process before this one."""
    known = next((a for a in accounts.all_accounts(tx.conn, "carrier") if a.name == name), None)
    if known is None or known.state != "active":
        return
    if known.last_error in texts and known.last_error_at is not None and tx.now - known.last_error_at < DAY:
        return
    accounts.note_error(tx, name, texts[0])
    put_alarm(tx, "account_notice", account=name, reason="\n".join(texts)[:MAX_TEXT])
    log.warning("account_notice", account=name, notices=len(texts))
