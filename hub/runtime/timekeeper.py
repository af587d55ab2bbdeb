"""The one clock of the staff's work: shifts, snoozed tasks, reactions. One process of all keeps it.

Four times a second the holder of the lease asks which teams have something due, which costs one indexed
read; a second process that looks meanwhile would do no harm, only work.
"""

from __future__ import annotations

import secrets

import structlog

from hub.assignment import timer
from hub.coordination import leases
from hub.db.database import Database
from hub.kernel.clock import SECOND
from hub.kernel.errors import HubError

log = structlog.get_logger("hub.runtime")

LEASE = "timekeeper"
LASTS = 5 * SECOND
RENEW = 2 * SECOND


class Timekeeper:
    """Run `tick` often; it does nothing while another process keeps the time."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._owner = secrets.token_hex(8)
        self._looked_at = 0
        self._mine = False

    async def tick(self) -> int:
        """Do what is due now; returns how many tasks were touched."""
        if not await self._holds():
            return 0
        now = self._db.clock.now()
        touched = 0
        for team_id in await self._db.read(lambda conn: timer.due_teams(conn, now)):
            touched += await self._run(team_id)
        return touched

    async def _run(self, team_id: int) -> int:
        """One team; a rule that fails there stops no other team."""
        try:
            return await self._db.write(lambda tx: timer.run_team(tx, team_id))
        except HubError as error:
            log.error("team_not_settled", team=team_id, error=type(error).__name__)
            return 0

    async def _holds(self) -> bool:
        now = self._db.clock.now()
        if not 0 <= now - self._looked_at < RENEW:
            self._looked_at = now
            fence = await self._db.write(lambda tx: leases.hold(tx, LEASE, self._owner, LASTS))
            self._mine = fence is not None
        return self._mine

    async def release(self) -> None:
        """Let another process go on at once."""
        if self._mine:
            self._mine = False
            await self._db.write(lambda tx: leases.release(tx, LEASE, self._owner))
