"""Calls to a carrier's account: each out of the budget that all processes share, each with its end written down.

Used by what asks for parcels (`poller`) and by what reads an account's lists (`lists`): to the carrier they are
the same account. What a failure means for the account is decided here: "too many requests" slows it down,
refused credentials stop it with one alarm, other failures in a row make it wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import structlog
from sqlalchemy.engine import Connection

from hub.accounts import store as accounts
from hub.db.tx import Tx
from hub.kernel.clock import SECOND, Instant
from hub.sdk.carrier import Carrier
from hub.sdk.errors import AuthenticationFailed, PluginError, Throttled
from hub.shipments import budget, store
from hub.shipments.budget import Budget, Limits
from hub.shipments.planner import day_start
from hub.shipments.service import Pace

log = structlog.get_logger("hub.shipments.calls")

CALL_TIMEOUT_S = 40.0
IN_FLIGHT = 50 * SECOND


class Calls:
    """The accounts of one process and what they may ask."""

    def __init__(self, carriers: Mapping[str, Carrier], pace: Pace) -> None:
        self.carriers = carriers
        self.pace = pace
        self._failing: dict[str, str] = {}

    def limits(self, name: str) -> Limits:
        """What the account's carrier allows."""
        return Limits.of(self.carriers[name].capabilities)

    def active(self, conn: Connection) -> list[str]:
        """Accounts that may be asked at all."""
        known = {a.name for a in accounts.all_accounts(conn, "carrier") if a.state == "active"}
        return [name for name in self.carriers if name in known]

    def may_ask(self, conn: Connection, name: str, now: Instant) -> bool:
        """Would the budget allow a call now? `take` decides."""
        known = store.budget_of(conn, name)
        return budget.refusal(known, self.limits(name), now, self._day(now)) is None

    def take(self, tx: Tx, name: str) -> int | None:
        """One call out of the budget, to be given to `ended`; None: not now."""
        token = tx.new_id()
        taken = self._taken(tx, name, self.limits(name), token, tx.now + IN_FLIGHT)
        return token if taken else None

    def take_further(self, tx: Tx, name: str) -> bool:
        """One more call of somebody who has a place already: counted, and beside nobody."""
        limits = self.limits(name)
        return self._taken(tx, name, replace(limits, parallel=limits.parallel + 1), 0, tx.now)

    def ended(self, tx: Tx, name: str, token: int, error: Exception | None, *, by_hand: bool = False) -> None:
        """A call is over: give its place back, and write down how the account does.

        by_hand  a person asked: that the carrier answers opens a stopped account again
        """
        known = store.lock_budget(tx, name)
        if error is None:
            accounts.note_ok(tx, name)
            if by_hand:
                accounts.works_again(tx, name)
            store.write_budget(tx, name, budget.done(known, tx.now, token, well=True))
            return
        reason = reason_of(error)[:200]
        accounts.note_error(tx, name, reason, stop=isinstance(error, AuthenticationFailed))
        store.write_budget(tx, name, after_failure(known, tx.now, token, error), reason)

    def tell(self, name: str, error: Exception | None) -> None:
        """Log when failing begins, changes and ends; not at each call."""
        if error is None:
            if self._failing.pop(name, None) is not None:
                log.info("carrier_answers_again", account=name)
            return
        reason = reason_of(error)
        if self._failing.get(name) == reason:
            return
        self._failing[name] = reason
        if isinstance(error, AuthenticationFailed):
            log.error("carrier_stopped", account=name, error=reason)
        else:
            log.warning("carrier_fails", account=name, error=reason)

    def _taken(self, tx: Tx, name: str, limits: Limits, token: int, until: int) -> bool:
        known = store.lock_budget(tx, name)
        taken = budget.take(known, limits, tx.now, self._day(tx.now), token, until)
        if taken is not None:
            store.write_budget(tx, name, taken)
        return taken is not None

    def _day(self, now: Instant) -> int:
        return day_start(now, self.pace.zone)


def after_failure(known: Budget, now: Instant, token: int, error: Exception) -> Budget:
    """Where an account stands after a failed call."""
    if isinstance(error, Throttled):
        return budget.done(budget.slow_down(known, now, error.retry_after_s), now, token, well=False)
    if isinstance(error, AuthenticationFailed):
        return budget.done(known, now, token, well=False)
    return budget.stumble(known, now, token)


def reason_of(error: Exception) -> str:
    """Why a call failed; of an error that is not the contract's own only its kind, it may quote anything."""
    return error.message if isinstance(error, PluginError) else type(error).__name__
