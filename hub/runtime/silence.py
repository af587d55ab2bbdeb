"""Notices accounts that say nothing: neither an answer of the provider nor a failure, for longer than they may.

A call that hangs, a thread that died, a process that has the lease and does not work: none of them fails. So one
process of all looks at when each account last had success.

    fetched, or with a web hook   the plugin's own limit (`ChannelCapabilities.silence_s`)
    only delivered to (forms)     `silence_hours` of the account's settings: nothing came for so long; off by default

An alarm begins once and ends once. Whatever has told of a failure of its own tells no silence beside it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

import structlog

from hub.accounts import store as accounts
from hub.accounts.store import AccountRecord
from hub.coordination import leases
from hub.db.database import Database
from hub.db.tx import Tx
from hub.kernel.clock import HOUR, SECOND
from hub.notices.put import put_alarm
from hub.sdk.channel import Channel

log = structlog.get_logger("hub.runtime")

LEASE = "silence"
LASTS = 20 * SECOND
EVERY_S = 2.0


class Silence:
    """The channel accounts. `hours`: by account, for those that nobody can ask."""

    def __init__(self, db: Database, channels: Mapping[str, Channel], hours: Mapping[str, float]) -> None:
        self._db = db
        self._channels = channels
        self._hours = hours
        self._owner = secrets.token_hex(8)
        self._since: int | None = None
        self._told: set[str] = set()

    async def tick(self) -> None:
        """One look at all of them, if no other process does it."""
        limits = {
            name: limit
            for name, one in self._channels.items()
            if (limit := _limit(one, self._hours.get(name, 0.0))) is not None
        }
        if not limits:
            return
        if await self._db.write(lambda tx: leases.hold(tx, LEASE, self._owner, LASTS)) is None:
            self._since = None  # whoever takes over gives everybody his time anew
            return
        now = self._db.clock.now()
        if self._since is None:
            self._since = now
        for record in await self._db.read(lambda conn: accounts.all_accounts(conn, "channel")):
            if record.name in limits:
                await self._look(record, limits[record.name], now, self._since)

    async def _look(self, record: AccountRecord, limit: float, now: int, since: int) -> None:
        heard_at = max(record.last_ok_at or 0, since)
        failing = record.state != "active" or (record.last_error_at or 0) > (record.last_ok_at or 0)
        silent = now - heard_at + EVERY_S * SECOND > limit
        if silent and not failing and record.name not in self._told:
            await self._begin(record.name, record.last_ok_at or since)
        elif record.name in self._told and not silent:
            await self._end(record.name)

    async def _begin(self, name: str, heard_at: int) -> None:
        self._told.add(name)

        def write(tx: Tx) -> None:
            put_alarm(tx, "account_silent", account=name, since=heard_at)

        await self._db.write(write)
        log.warning("account_silent", account=name)

    async def _end(self, name: str) -> None:
        self._told.discard(name)
        await self._db.write(lambda tx: put_alarm(tx, "account_well", account=name))
        log.info("account_heard_again", account=name)


def _limit(channel: Channel, hours: float) -> float | None:
    """Milliseconds of silence that are too long; None where silence says nothing."""
    able = channel.capabilities
    if able.pulls or able.registers:
        return able.silence_s * SECOND
    return hours * HOUR if hours else None
