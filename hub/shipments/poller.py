"""Asks the carriers: due parcels, grouped by account, cut to the carrier's batch, within the budget.

One account's failure touches no other. A call that fails because of some numbers is halved until the
culprit stands alone; "too many requests" leaves its account alone for a while; refused credentials stop
it with one alarm; everything else is put off with back-off. Failures are logged when they begin and end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from hub.accounts import store as accounts
from hub.db.database import Database
from hub.db.tx import Tx
from hub.kernel.clock import MINUTE, SECOND, Instant
from hub.sdk.carrier import Carrier
from hub.sdk.errors import AuthenticationFailed, NumbersRejected, PluginError, Throttled
from hub.sdk.tracking import NotTracked, Problem, TrackAnswer, TrackingNumber
from hub.shipments import service, store
from hub.shipments.planner import throttle_pause
from hub.shipments.service import Pace, Results
from hub.shipments.store import ShipmentRow

log = structlog.get_logger("hub.shipments.poller")

CLAIM_AT_ONCE = 1_000
CALL_TIMEOUT_S = 40.0
HOLD = 3 * MINUTE


class Poller:
    """One process's asking. Budgets and claims stand in the database, shared by all."""

    def __init__(self, db: Database, carriers: Mapping[str, Carrier], pace: Pace) -> None:
        self._db = db
        self._carriers = carriers
        self._pace = pace
        self._failing: dict[str, str] = {}
        self._busy = asyncio.Lock()

    async def run_due(self) -> int:
        """Ask for everything that is due and within budget; returns how many parcels were asked for."""
        if not self._carriers or self._busy.locked():
            return 0
        async with self._busy:
            stopped = {
                a.name
                for a in await self._db.read(lambda c: accounts.all_accounts(c, "carrier"))
                if a.state != "active"
            }
            names = [name for name in self._carriers if name not in stopped]
            hold = Instant(self._db.clock.now() + HOLD)
            rows = await self._db.write(lambda tx: store.claim_due(tx, names, CLAIM_AT_ONCE, hold))
            await asyncio.gather(
                *(self._account(name, [r for r in rows if r.account == name]) for name in names)
            )
            return len(rows)

    async def refresh(self, shipment_id: int) -> ShipmentRow:
        """Ask for one parcel now, within the budget; returns it as it is afterwards."""
        row = await self._db.read(lambda c: store.get(c, shipment_id))
        if row.account in self._carriers:
            await self._account(row.account, [row])
        return await self._db.read(lambda c: store.get(c, shipment_id))

    async def _account(self, name: str, rows: Sequence[ShipmentRow]) -> None:
        """All due parcels of one account, batch by batch."""
        if not rows:
            return
        capabilities = self._carriers[name].capabilities
        size = max(1, capabilities.batch_size)
        batches = [rows[at : at + size] for at in range(0, len(rows), size)]
        granted = await self._db.write(
            lambda tx: store.take_calls(tx, name, len(batches), capabilities.calls_per_minute)
        )
        left = [row for batch in batches[granted:] for row in batch]
        for at, batch in enumerate(batches[:granted]):
            if not await self._batch(name, batch):
                left += [row for later in batches[at + 1 : granted] for row in later]
                break
        if left:
            due = Instant(self._db.clock.now() + 15 * SECOND)
            await self._db.write(lambda tx: service.release(tx, left, due))

    async def _batch(self, name: str, rows: Sequence[ShipmentRow]) -> bool:
        """One call and what it said. False: the account must be left alone for now."""
        try:
            results = await self._ask(name, rows)
        except Throttled as error:
            throttled = error
            await self._db.write(lambda tx: self._throttled(tx, name, throttled))
            await self._put_off(name, rows, throttled)
            return False
        except AuthenticationFailed as error:
            message = error.message
            log.error("carrier_stopped", account=name, error=message)
            await self._db.write(lambda tx: accounts.note_error(tx, name, message, stop=True))
            await self._put_off(name, rows, error)
            return False
        except Exception as error:  # noqa: BLE001 - a boundary, see below
            # The boundary of one account: whatever its plugin raises must not stop the others.
            await self._put_off(name, rows, error)
            return True
        await self._db.write(lambda tx: self._took(tx, name, rows, results))
        if self._failing.pop(name, None) is not None:
            log.info("carrier_answers_again", account=name)
        return True

    async def _ask(self, name: str, rows: Sequence[ShipmentRow]) -> Results:
        """Ask for these parcels; halves the batch where the carrier refuses it because of a number."""
        wanted = {row.number: TrackingNumber(number=row.number, phone=row.phone or "") for row in rows}
        answer = await self._halving(name, list(wanted.values()))
        return match(rows, answer)

    async def _halving(self, name: str, numbers: list[TrackingNumber]) -> TrackAnswer:
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                return await self._carriers[name].track(numbers)
        except NumbersRejected as rejected:
            bad = [n for n in numbers if n.number in set(rejected.numbers)] or (
                numbers if len(numbers) == 1 else []
            )
            message = rejected.message
        good = [n for n in numbers if n not in bad]
        refused = tuple(NotTracked(number=n.number, problem=Problem.BAD_NUMBER, message=message) for n in bad)
        if bad:
            parts = [good] if good else []
        else:
            middle = len(numbers) // 2
            parts = [numbers[:middle], numbers[middle:]]
        capabilities = self._carriers[name].capabilities
        answers = [TrackAnswer(problems=refused)]
        for part in parts:
            granted = await self._db.write(
                lambda tx: store.take_calls(tx, name, 1, capabilities.calls_per_minute)
            )
            if granted:
                answers.append(await self._halving(name, part))
        return TrackAnswer(
            tracked=tuple(one for a in answers for one in a.tracked),
            problems=tuple(one for a in answers for one in a.problems),
        )

    async def _put_off(self, name: str, rows: Sequence[ShipmentRow], error: Exception) -> None:
        reason = error.message if isinstance(error, PluginError) else type(error).__name__
        if self._failing.get(name) != reason:
            log.warning("carrier_fails", account=name, error=reason)
            self._failing[name] = reason

        def write(tx: Tx) -> None:
            service.put_off(tx, rows, reason, self._pace)
            if not isinstance(error, (AuthenticationFailed, Throttled)):
                accounts.note_error(tx, name, reason)

        await self._db.write(write)

    def _throttled(self, tx: Tx, name: str, throttled: Throttled) -> None:
        wait = throttle_pause(store.slowdowns(tx.conn, name), throttled.retry_after_s)
        store.pause(tx, name, tx.now + wait, throttled.message[:200])
        accounts.note_error(tx, name, throttled.message)

    def _took(self, tx: Tx, name: str, rows: Sequence[ShipmentRow], results: Results) -> None:
        service.take_in(tx, rows, results, self._pace)
        accounts.note_ok(tx, name)
        store.recovered(tx, name)


def match(rows: Sequence[ShipmentRow], answer: TrackAnswer) -> Results:
    """Give each parcel its entry, by number; one that the answer leaves out has no news."""
    tracked = {one.number: one for one in answer.tracked}
    problems = {one.number: one for one in answer.problems}
    results = Results()
    for row in rows:
        if row.number in tracked:
            results.tracked[row.id] = tracked[row.number]
        else:
            results.problems[row.id] = problems.get(
                row.number, NotTracked(number=row.number, problem=Problem.NO_NEWS)
            )
    return results
