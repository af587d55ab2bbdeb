"""Asks the carriers: due parcels of each account, cut to the carrier's batch, within the account's budget.

Accounts know nothing of each other: each claims its own parcels, has its own budget and its own failures. A
transaction takes the parcels and counts the call, the next one writes what was said, gives the call's place
back and takes the parcels of the next call; so all processes together stay within the budget, whichever of
them dies. A call that fails because of
some numbers is halved until the culprit stands alone; "too many requests" slows its account down; refused
credentials stop it with one alarm; everything else is put off with back-off, and a carrier that is down is
probed by one call now and then (`calls`). Failures are logged when they begin and end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from sqlalchemy.engine import Connection

from hub.db.database import Database
from hub.db.tx import Tx
from hub.kernel.clock import MINUTE, SECOND, Instant
from hub.sdk.carrier import Carrier
from hub.sdk.errors import AuthenticationFailed, NumbersRejected, Throttled
from hub.sdk.tracking import NotTracked, Problem, TrackAnswer, TrackingNumber
from hub.shipments import store, taking
from hub.shipments.calls import CALL_TIMEOUT_S, Calls, reason_of
from hub.shipments.events import Announce, nobody
from hub.shipments.lists import Lists
from hub.shipments.service import Pace, Results
from hub.shipments.store import ShipmentRow

HOLD = 3 * MINUTE
BATCHES_AT_ONCE = 50
FILLS_UP_BY = 10 * MINUTE
"""A batch that is not full takes along what falls due within this time: the call costs the same, and an
account with few parcels asks for them together."""


@dataclass(slots=True)
class Asked:
    """What one batch came to. `left` was not asked for, or its call failed; `suspects` hold a bad number."""

    results: Results = field(default_factory=Results)
    left: list[ShipmentRow] = field(default_factory=list)
    suspects: set[int] = field(default_factory=set)
    error: Exception | None = None
    answered: list[ShipmentRow] = field(default_factory=list)


class Poller:
    """One process's asking. Budgets and claims stand in the database, shared by all."""

    def __init__(
        self, db: Database, carriers: Mapping[str, Carrier], pace: Pace, announce: Announce = nobody
    ) -> None:
        self._db = db
        self._carriers = carriers
        self._pace = pace
        self._announce = announce
        self._calls = Calls(carriers, pace)
        self.lists = Lists(db, self._calls, pace, announce)
        self._asking: dict[str, asyncio.Task[int]] = {}

    async def tick(self) -> None:
        """Begin to ask for what is due; an account that is still being asked holds no other one up.

        Raises what an account's work ended with since the last tick: not what its carrier did, which is
        taken care of, but for example a database that is away.
        """
        ended = [name for name, task in self._asking.items() if task.done()]
        failed = [e for name in ended if (e := self._asking.pop(name).exception()) is not None]
        if failed:
            raise failed[0]
        await self._begin()

    async def run_due(self) -> int:
        """Ask for what is due and within budget, to the end; returns how many parcels were asked for."""
        return sum(await asyncio.gather(*await self._begin()))

    async def stop(self) -> None:
        """Give up what is under way: its parcels fall due again when their claim runs out."""
        under_way = [task for task in self._asking.values() if not task.done()]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, self.lists.stop(), return_exceptions=True)

    async def _begin(self) -> list[asyncio.Task[int]]:
        free = [name for name in self._carriers if (t := self._asking.get(name)) is None or t.done()]
        if not free:
            return []
        now = self._db.clock.now()
        names = await self._db.read(lambda conn: self._with_work(conn, free, now))
        begun = {name: asyncio.create_task(self._account(name)) for name in names}
        self._asking.update(begun)
        return list(begun.values())

    def _with_work(self, conn: Connection, free: Sequence[str], now: Instant) -> list[str]:
        active = self._calls.active(conn)
        due = store.accounts_with_due(conn, [n for n in free if n in active], now)
        return [n for n in due if self._calls.may_ask(conn, n, now)]

    async def refresh(self, shipment_id: int) -> ShipmentRow:
        """Ask for one parcel now, within the budget; returns it as it is afterwards."""
        row = await self._db.read(lambda c: store.get(c, shipment_id))
        if row.account in self._carriers:
            token = await self._db.write(lambda tx: self._calls.take(tx, row.account))
            if token is not None:
                said = await self._ask(row.account, [row])
                await self._db.write(lambda tx: self._took(tx, row.account, token, said, by_hand=True))
        return await self._db.read(lambda c: store.get(c, shipment_id))

    async def _account(self, name: str) -> int:
        """All due parcels of one account, as many calls side by side as it may make."""
        workers = self._calls.limits(name).parallel
        return sum(await asyncio.gather(*(self._work(name) for _ in range(workers))))

    async def _work(self, name: str) -> int:
        asked = 0
        rows, token = await self._db.write(lambda tx: self._claim(tx, name))
        for number in range(1, BATCHES_AT_ONCE + 1):
            if token is None:
                break
            said = await self._ask(name, rows)
            goes_on = number < BATCHES_AT_ONCE
            taken = partial(self._took_and_claimed, name=name, token=token, asked=said, goes_on=goes_on)
            claimed = await self._db.write(taken)
            if _must_rest(said.error):
                break
            asked += len(rows)
            rows, token = claimed
        return asked

    def _took_and_claimed(
        self, tx: Tx, *, name: str, token: int, asked: Asked, goes_on: bool
    ) -> tuple[list[ShipmentRow], int | None]:
        """Write what one call said, and claim the parcels of the next: one commit for both."""
        self._took(tx, name, token, asked, by_hand=False)
        return self._claim(tx, name) if goes_on and not _must_rest(asked.error) else ([], None)

    def _claim(self, tx: Tx, name: str) -> tuple[list[ShipmentRow], int | None]:
        """Parcels of one call and the call's place in the budget, or neither."""
        size = max(1, self._carriers[name].capabilities.batch_size)
        if not store.accounts_with_due(tx.conn, [name], tx.now):
            return [], None
        fills_up = round(FILLS_UP_BY / self._pace.speed)
        token = self._calls.take(tx, name)
        if token is None:
            return [], None
        return store.claim_due(tx, name, size, tx.now + HOLD, tx.now + fills_up), token

    # --- one call --------------------------------------------------------------------------------------

    async def _ask(self, name: str, rows: Sequence[ShipmentRow]) -> Asked:
        """Ask for these parcels; halves the batch where the carrier refuses it because of a number.

        Each further call is out of the budget too. What it does not allow is left for later, the group that
        holds the bad number marked: next time it is asked for apart, so the halving goes on where it ended.
        """
        asked = Asked(suspects={row.id for row in rows if row.problem == taking.REFUSED_TOGETHER})
        queue = apart(rows)
        paid = True
        while queue:
            if not paid and not await self._db.write(lambda tx: self._calls.take_further(tx, name)):
                break
            part, paid = queue.pop(0), False
            try:
                answer = await self._call(name, part)
            except NumbersRejected as rejected:
                refused, further = narrowed(part, rejected)
                asked.results.problems.update(refused)
                asked.suspects = suspected(asked.suspects, part, further)
                queue[:0] = further
            except Exception as error:  # noqa: BLE001 - a boundary, see below
                # The boundary of one account: whatever its plugin raises must not stop the others, and
                # what was read before it is kept.
                asked.error = error
                queue.insert(0, part)
                break
            else:
                found = match(part, answer)
                asked.results.tracked.update(found.tracked)
                asked.results.problems.update(found.problems)
                asked.results.unchanged |= found.unchanged
        asked.left = [row for part in queue for row in part]
        left = {row.id for row in asked.left}
        asked.answered = [row for row in rows if row.id not in left]
        self._calls.tell(name, asked.error)
        return asked

    async def _call(self, name: str, rows: Sequence[ShipmentRow]) -> TrackAnswer:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            return await self._carriers[name].track(wanted(rows))

    def _took(self, tx: Tx, name: str, token: int, asked: Asked, *, by_hand: bool) -> None:
        pace = replace(self._pace, listed=self._carriers[name].capabilities.lists_changes)
        taking.take_in(tx, asked.answered, asked.results, pace, self._announce)
        if asked.error is None or _must_rest(asked.error):
            # These parcels are not to blame: they are due as soon as the account may ask again.
            suspects = asked.suspects if asked.error is None else set()
            taking.release(tx, asked.left, Instant(tx.now + SECOND), suspects)
        else:
            taking.put_off(tx, asked.left, reason_of(asked.error)[:200], self._pace)
        self._calls.ended(tx, name, token, asked.error, by_hand=by_hand)


def _must_rest(error: Exception | None) -> bool:
    """The account must be left alone for now."""
    return isinstance(error, Throttled | AuthenticationFailed)


def apart(rows: Sequence[ShipmentRow]) -> list[list[ShipmentRow]]:
    """The calls to begin with: those that were refused together do not spoil the others' call again."""
    suspects = [row for row in rows if row.problem == taking.REFUSED_TOGETHER]
    others = [row for row in rows if row.problem != taking.REFUSED_TOGETHER]
    return [part for part in (others, *halves(suspects)) if part]


def suspected(
    before: set[int], refused: Sequence[ShipmentRow], further: Sequence[Sequence[ShipmentRow]]
) -> set[int]:
    """Among whom a bad number is known to be, after one more refusal: the smaller group takes the place of
    the one it is a part of."""
    narrower = {row.id for part in further for row in part}
    return narrower if before & {row.id for row in refused} else before | narrower


def halves(rows: Sequence[ShipmentRow]) -> list[list[ShipmentRow]]:
    """Two parts."""
    middle = len(rows) // 2
    return [list(rows[:middle]), list(rows[middle:])]


def narrowed(
    rows: Sequence[ShipmentRow], rejected: NumbersRejected
) -> tuple[dict[int, NotTracked], list[list[ShipmentRow]]]:
    """After a refused call: the parcels that are known to be the cause, and what is asked for next."""
    named = set(rejected.numbers)
    bad = [row for row in rows if row.number in named] or (list(rows) if len(rows) == 1 else [])
    refused = {
        row.id: NotTracked(number=row.number, problem=Problem.BAD_NUMBER, message=rejected.message)
        for row in bad
    }
    if bad:
        good = [row for row in rows if row.id not in refused]
        return refused, [good] if good else []
    return refused, halves(rows)


def wanted(rows: Sequence[ShipmentRow]) -> list[TrackingNumber]:
    """What to ask for; a number that two parcels have is asked for once, by what both know."""
    asked: dict[str, TrackingNumber] = {}
    for row in rows:
        known = row.fingerprint if taking.says_all(row) else ""
        other = asked.get(row.number)
        if other is not None and other.known != known:
            known = ""
        asked[row.number] = TrackingNumber(number=row.number, phone=row.phone or "", known=known)
    return list(asked.values())


def match(rows: Sequence[ShipmentRow], answer: TrackAnswer) -> Results:
    """Give each parcel its entry, by number; one that the answer leaves out has no news."""
    tracked = {one.number: one for one in answer.tracked}
    problems = {one.number: one for one in answer.problems}
    unchanged = set(answer.unchanged)
    results = Results()
    for row in rows:
        if row.number in tracked:
            results.tracked[row.id] = tracked[row.number]
        elif row.number in unchanged and row.fingerprint:
            results.unchanged.add(row.id)
        else:
            results.problems[row.id] = problems.get(
                row.number, NotTracked(number=row.number, problem=Problem.NO_NEWS)
            )
    return results
