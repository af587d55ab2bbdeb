"""Looks after the channels that are pushed to: sets their web hooks, and notices when one was taken away.

A pushed channel that has gone silent looks like one where nobody writes. So the process that holds the
lease asks each such provider every few seconds whether the web hook still leads here; a cleared or stolen
one is an alarm within a minute, and is set again where nobody else has it.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping

import structlog

from hub.accounts import store as accounts
from hub.coordination import leases
from hub.db.database import Database
from hub.kernel.clock import SECOND
from hub.runtime.health import AccountHealth
from hub.sdk.channel import Channel
from hub.sdk.errors import AuthenticationFailed, Conflict, PluginError, TemporaryFailure

log = structlog.get_logger("hub.runtime")

LEASE = "watch"
EVERY_S = 15.0
LASTS = 40 * SECOND
CALL_WITHIN_S = 20.0


class Watch:
    """The pushed channels with a web hook of their own. `base_url`: where the world reaches this hub."""

    def __init__(self, db: Database, channels: Mapping[str, Channel], base_url: str) -> None:
        self._db = db
        self._channels = {n: c for n, c in channels.items() if c.capabilities.registers}
        self._base_url = base_url.rstrip("/")
        self._owner = secrets.token_hex(8)
        self._health = {
            name: AccountHealth(db, name, one.capabilities.silence_s / 3)
            for name, one in self._channels.items()
        }
        self._opened: set[str] = set()
        self._closed: set[str] = set()

    def look_after(self, name: str, channel: Channel) -> None:
        """An account that was added, changed or switched on again: its web hook is set at the next tick."""
        if not channel.capabilities.registers:
            return
        self._channels[name] = channel
        self._health.setdefault(name, AccountHealth(self._db, name))
        self._opened.discard(name)
        self._closed.discard(name)

    async def tick(self) -> None:
        """One look at all of them, if no other process does it."""
        if not self._channels:
            return
        fence = await self._db.write(lambda tx: leases.hold(tx, LEASE, self._owner, LASTS))
        if fence is None:
            self._opened.clear()  # whoever takes over sets them anew; so do we, if it comes back to us
            return
        await asyncio.gather(*(self._look(name) for name in list(self._channels)))

    async def release(self) -> None:
        """Let another process go on at once."""
        if self._channels:
            await self._db.write(lambda tx: leases.release(tx, LEASE, self._owner))

    async def _look(self, name: str) -> None:
        state = await self._db.read(lambda conn: accounts.state(conn, name))
        channel, health = self._channels[name], self._health[name]
        try:
            async with asyncio.timeout(CALL_WITHIN_S):
                if state != accounts.State.ACTIVE:
                    await self._take_away(name, channel)
                    return
                self._closed.discard(name)
                await self._open(name, channel)
                await channel.check()
            await health.well(time.monotonic())
        except Conflict as error:
            self._opened.discard(name)
            await health.ill(error.message)
        except AuthenticationFailed as error:
            self._opened.discard(name)
            await health.ill(error.message, stop=True)
        except (TemporaryFailure, TimeoutError) as error:
            await health.ill(getattr(error, "message", "") or "the other side does not answer")
        except PluginError as error:
            await health.ill(error.message)
        except Exception as error:  # noqa: BLE001 - the guard around a plugin
            log.error("plugin_raised", account=name, call="check", error=type(error).__name__)
            await health.ill(f"its plugin raised {type(error).__name__}")

    async def _open(self, name: str, channel: Channel) -> None:
        if name in self._opened:
            return
        if not self._base_url.startswith("https://") and not self._base_url.startswith("http://127.0.0.1"):
            raise Conflict("set [hub] base_url to the https address under which the world reaches this hub")
        await channel.open_webhook(f"{self._base_url}/in/{name}")
        self._opened.add(name)

    async def _take_away(self, name: str, channel: Channel) -> None:
        """The account is switched off: its provider must not go on delivering."""
        if name in self._closed:
            return
        await channel.close_webhook()
        self._opened.discard(name)
        self._closed.add(name)
