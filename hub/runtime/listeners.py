"""Listens to the channels that must be fetched: one process an account, and nothing twice or never.

    lease     who pulls: renewed while he lives, taken over a few seconds after he is gone
    fence     written into the cursor's own row, so that a holder who slept through his lease stores nothing
    position  moves in the transaction of what it covers; a crash anywhere fetches again, and the keys of
              deliveries and messages meet what is stored already

Failures touch their own account only: back-off with jitter, the provider's own Retry-After honoured;
credentials that are no longer taken stop the account until a person has looked; a second consumer is an
alarm that names it.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress

import structlog

from hub.accounts import cursors
from hub.accounts import store as accounts
from hub.accounts.cursors import FenceLost
from hub.coordination import leases
from hub.db.database import Database
from hub.intake.door import Door
from hub.intake.pulled import Move
from hub.kernel.clock import SECOND
from hub.kernel.errors import HubError, Unavailable
from hub.runtime.health import AccountHealth
from hub.sdk.channel import Channel
from hub.sdk.errors import AuthenticationFailed, Conflict, PluginError, TemporaryFailure
from hub.sdk.messages import Pulled

log = structlog.get_logger("hub.runtime")

LASTS = 4 * SECOND
RENEW_S = 1.2
LOOK_S = 1.0
WAIT_S = 20.0
PULL_WITHIN_S = WAIT_S + 60.0
TIDY_WITHIN_S = 30.0
MAX_BACKOFF_S = 60.0
STOPPED_LOOK_S = 3.0
CLOSE_WITHIN_S = 3.0
CONFLICT_WAIT_S = 15.0


class LeaseLost(Exception):
    """Another process has the source now."""


class Listener:
    """One account. `run` ends when it is cancelled."""

    def __init__(
        self, db: Database, door: Door, account: str, channel: Channel, *, wait_s: float = WAIT_S
    ) -> None:
        self._db = db
        self._door = door
        self._account = account
        self._channel = channel
        self._wait_s = wait_s
        self._lease = f"listen:{account}"
        self._owner = secrets.token_hex(8)
        self._health = AccountHealth(db, account, channel.capabilities.silence_s / 3)
        self._failures = 0

    async def run(self) -> None:
        """Take the lease whenever it is free, and pull while it is ours."""
        try:
            while True:
                try:
                    fence = await self._take()
                    if fence is None:
                        await asyncio.sleep(LOOK_S)
                        continue
                    await self._hold(fence)
                except (LeaseLost, FenceLost):
                    log.warning("listener_lost_its_source", account=self._account)
                    await asyncio.sleep(LOOK_S)
                except HubError as error:  # the database is away: nothing was stored, nothing is lost
                    if not isinstance(error, Unavailable):
                        log.error("listener_stumbled", account=self._account, error=type(error).__name__)
                    await asyncio.sleep(LOOK_S)
        finally:
            with suppress(Exception):  # going away: another process may go on at once, or when the lease ends
                await asyncio.shield(self._release())

    async def _take(self) -> int | None:
        return await self._db.write(lambda tx: leases.hold(tx, self._lease, self._owner, LASTS))

    async def _release(self) -> None:
        async with asyncio.timeout(CLOSE_WITHIN_S):
            await self._db.write(lambda tx: leases.release(tx, self._lease, self._owner))

    async def _hold(self, fence: int) -> None:
        """Pull under a fence, and keep the lease meanwhile; whichever ends first ends both."""
        keeping = asyncio.create_task(self._keep(fence))
        pulling = asyncio.create_task(self._pull_on(fence))
        try:
            await asyncio.wait({keeping, pulling}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (keeping, pulling):
                task.cancel()
            done = await asyncio.gather(keeping, pulling, return_exceptions=True)
            with suppress(
                Exception
            ):  # the guard around a plugin: its connections must not stand in the next one's way
                async with asyncio.timeout(CLOSE_WITHIN_S):
                    await self._channel.close()
        for ended in done:
            if isinstance(ended, Exception):
                raise ended

    async def _keep(self, fence: int) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            if await self._take() != fence:
                raise LeaseLost

    async def _pull_on(self, fence: int) -> None:
        position = await self._db.write(lambda tx: cursors.take(tx, self._account, fence))
        while True:
            await self._while_stopped()
            try:
                async with asyncio.timeout(PULL_WITHIN_S):
                    pulled = await self._channel.pull(position, self._wait_s)
                position = await self._store(fence, position, pulled)
                self._failures = 0
                await self._health.well(time.monotonic())
            except HubError:
                raise
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - the guard around a plugin: any failure is its account's
                await asyncio.sleep(await self._failed(error))

    async def _store(self, fence: int, position: str, pulled: Pulled) -> str:
        """Write what came; the position afterwards."""
        if pulled.deliveries:
            await self._door.take_pulled(
                self._account, pulled.deliveries, Move(self._account, fence, position)
            )
            position = pulled.deliveries[-1].position
        if pulled.position is not None and pulled.position != position:
            start, end = position, pulled.position
            await self._db.write(lambda tx: cursors.move(tx, self._account, fence, start, end))
            position = end
        if pulled.deliveries:
            async with asyncio.timeout(TIDY_WITHIN_S):
                await self._channel.taken([one.position for one in pulled.deliveries])
        return position

    async def _failed(self, error: Exception) -> float:
        """Say what is wrong; how long to wait."""
        self._failures += 1
        reason = (
            error.message if isinstance(error, PluginError) else f"its plugin raised {type(error).__name__}"
        )
        if isinstance(error, TimeoutError):
            reason = "the other side does not answer"
        stop = isinstance(error, AuthenticationFailed)
        alarm = stop or isinstance(error, Conflict) or self._failures > 1
        await self._health.ill(reason, stop=stop, alarm=alarm)
        if not isinstance(error, PluginError):
            log.error("plugin_raised", account=self._account, call="pull", error=type(error).__name__)
        if isinstance(error, Conflict):
            return CONFLICT_WAIT_S
        wait = min(MAX_BACKOFF_S, 2.0 ** min(self._failures - 1, 10)) * random.uniform(0.75, 1.25)  # noqa: S311 - jitter
        asked = error.retry_after_s if isinstance(error, TemporaryFailure) else None
        return max(wait, asked or 0.0)

    async def _while_stopped(self) -> None:
        """An account that is switched off is not asked again until a person has switched it on."""
        while await self._db.read(lambda conn: accounts.state(conn, self._account)) != accounts.State.ACTIVE:
            self._failures = 0
            await asyncio.sleep(STOPPED_LOOK_S)


class Listeners:
    """All pulled accounts of this process."""

    def __init__(self, db: Database, door: Door, channels: Mapping[str, Channel]) -> None:
        self._db = db
        self._door = door
        self._channels = {name: one for name, one in channels.items() if one.capabilities.pulls}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._started = False

    def start(self) -> None:
        """Call it in the event loop."""
        self._started = True
        for name in self._channels:
            self._listen(name)

    def _listen(self, name: str) -> None:
        listener = Listener(self._db, self._door, name, self._channels[name])
        self._tasks[name] = asyncio.create_task(listener.run())

    def add(self, name: str, channel: Channel) -> None:
        """One more; nothing where it is not pulled."""
        if channel.capabilities.pulls:
            self._channels[name] = channel
            if self._started:
                self._listen(name)

    async def remove(self, name: str) -> None:
        """One less: what it is storing is finished, its lease is given back."""
        self._channels.pop(name, None)
        await self._end([name])

    async def stop(self) -> None:
        """What is being stored is finished; leases are given back."""
        self._started = False
        await self._end(list(self._tasks))

    async def _end(self, names: list[str]) -> None:
        tasks = [task for name in names if (task := self._tasks.pop(name, None)) is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
