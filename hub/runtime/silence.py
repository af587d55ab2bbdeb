"""An account that should be answering all the time and has not for longer than its own limit: an alarm, once.

What fails says so itself (`AccountHealth`); this is for what does not even fail: a listener that hangs, a process that
is gone and left its work to nobody. One process looks at a time; the alarm ends with the next success.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

import structlog

from hub.accounts import store as accounts
from hub.coordination import leases
from hub.db.database import Database
from hub.db.tx import Tx
from hub.kernel.clock import SECOND
from hub.runtime.health import put_alarm
from hub.sdk.channel import Channel

log = structlog.get_logger("hub.runtime")

LEASE = "silence"
EVERY_S = 10.0
LASTS = 30 * SECOND


class Silence:
    """The channels that are pulled, or whose web hook is watched."""

    def __init__(self, db: Database, channels: Mapping[str, Channel]) -> None:
        self._db = db
        self._channels = channels
        self._owner = secrets.token_hex(8)

    async def tick(self) -> None:
        """Look at all of them, if no other process does it."""
        limits = {
            name: one.capabilities.silence_s
            for name, one in self._channels.items()
            if one.capabilities.pulls or one.capabilities.registers
        }
        if limits and await self._db.write(lambda tx: leases.hold(tx, LEASE, self._owner, LASTS)) is not None:
            found = await self._db.write(lambda tx: _note_silent(tx, limits))
            for name in found:
                log.warning("account_silent", account=name)


def _note_silent(tx: Tx, limits: Mapping[str, float]) -> list[str]:
    """Write the failure, tell people; an account that has failed since its last success was told already."""
    found = []
    for record in accounts.all_accounts(tx.conn, "channel"):
        limit_s = limits.get(record.name)
        since = record.last_ok_at or record.created_at
        told = record.last_error_at is not None and record.last_error_at >= since
        if limit_s is None or told or not accounts.silent(record, limit_s, tx.now):
            continue
        accounts.note_error(tx, record.name, f"the other side has not answered for {limit_s:.0f} seconds")
        put_alarm(tx, "account_ill", record.name)
        found.append(record.name)
    return found
