"""What an account's carrier lists by itself: what changed, the waybills that were made, the money paid out.

    changes    statuses of all parcels of the account; single questions only fill gaps
    documents  waybills that the hub does not know yet: proposed for the order they belong to
    transfers  money on its way to the shipper: the money line of the parcels

A list is read from where it was read to the end the last time, a little earlier (`OVERLAP`), page by page, each
page one call of the account's budget and one transaction. The position moves in the transaction of the LAST
page: whoever dies in between leaves it where it was, and the list is read again. Nothing is doubled by that: an
observation is known by its identity, a waybill by its number. One process reads a list at a time: it takes it
with one conditional update of `next_at`, and moves the position only while that is still its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any, NamedTuple

from hub.db.database import Database
from hub.db.tx import Tx
from hub.kernel.clock import DAY, HOUR, MINUTE, Instant, instant, moment
from hub.sdk.carrier import CarrierCapabilities
from hub.sdk.errors import AuthenticationFailed, PermanentFailure, Throttled
from hub.sdk.tracking import Changes, Documents, Tracked, Transfers
from hub.shipments import finding, positions, store, taking
from hub.shipments.calls import CALL_TIMEOUT_S, Calls, reason_of
from hub.shipments.events import Announce, nobody
from hub.shipments.model import observation_of
from hub.shipments.planner import Hours
from hub.shipments.positions import Position
from hub.shipments.service import Pace, Results

HOLD = 3 * MINUTE
MOST_PAGES = 500
NO_CALL_LEFT = MINUTE
AGAIN_AFTER_FAILURE = 10 * MINUTE
NOT_OFFERED = 6 * HOUR


class Kind(StrEnum):
    """Which list."""

    CHANGES = "changes"
    DOCUMENTS = "documents"
    TRANSFERS = "transfers"


class Rhythm(NamedTuple):
    """How often a list is read by day and by night, how far back at first, and how much of it again."""

    day: int
    night: int
    first: int
    overlap: int


RHYTHM = {
    Kind.CHANGES: Rhythm(13 * MINUTE, 50 * MINUTE, 2 * HOUR, 10 * MINUTE),
    Kind.DOCUMENTS: Rhythm(30 * MINUTE, 2 * HOUR, 3 * DAY, DAY),
    Kind.TRANSFERS: Rhythm(2 * HOUR, 6 * HOUR, 14 * DAY, 2 * DAY),
}


def wait_of(rhythm: Rhythm, now: Instant, hours: Hours) -> int:
    """Milliseconds until a list is read again; the day begins with fresh statuses, as `planner` has it."""
    if not hours.night:
        return rhythm.day
    return min(rhythm.night, max(MINUTE, hours.fresh_from_at - now))


Page = Changes | Documents | Transfers


def offered(capabilities: CarrierCapabilities) -> list[Kind]:
    """The lists that a carrier has."""
    has = {
        Kind.CHANGES: capabilities.lists_changes,
        Kind.DOCUMENTS: capabilities.lists_documents,
        Kind.TRANSFERS: capabilities.lists_transfers,
    }
    return [kind for kind in Kind if has[kind]]


class Lists:
    """One process's reading of lists."""

    def __init__(self, db: Database, calls: Calls, pace: Pace, announce: Announce = nobody) -> None:
        self._db = db
        self._calls = calls
        self._pace = pace
        self._announce = announce
        self._reading: dict[str, asyncio.Task[int]] = {}

    async def tick(self) -> None:
        """Begin to read what is due; an account that is still being read holds no other one up."""
        ended = [name for name, task in self._reading.items() if task.done()]
        failed = [e for name in ended if (e := self._reading.pop(name).exception()) is not None]
        if failed:
            raise failed[0]
        await self._begin()

    async def run_due(self) -> int:
        """Read what is due, to the end; returns how many pages were read."""
        return sum(await asyncio.gather(*await self._begin()))

    async def stop(self) -> None:
        """Give up what is under way: it is read again from where it began."""
        under_way = [task for task in self._reading.values() if not task.done()]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def _begin(self) -> list[asyncio.Task[int]]:
        wanted = {n: kinds for n, c in self._calls.carriers.items() if (kinds := offered(c.capabilities))}
        if not wanted:
            return []
        active = await self._db.read(self._calls.active)
        free = [n for n in wanted if n in active and ((t := self._reading.get(n)) is None or t.done())]
        begun = {name: asyncio.create_task(self._account(name, wanted[name])) for name in free}
        self._reading.update(begun)
        return list(begun.values())

    async def _account(self, name: str, kinds: Sequence[Kind]) -> int:
        """The lists of one account, one after the other: together they would want more calls than it has."""
        return sum([await self._read(name, kind) for kind in kinds])

    async def _read(self, name: str, kind: Kind) -> int:
        """One list from its position to its end, as far as the budget allows; returns the pages read."""
        rhythm = RHYTHM[kind]
        now = self._db.clock.now()
        if not await self._db.read(lambda c: positions.is_due(c, name, kind, now)):
            return 0
        mine = await self._db.write(lambda tx: positions.take(tx, name, kind, rhythm.first, HOLD))
        page: str | None = ""
        pages = 0
        while mine is not None and page is not None and pages < MOST_PAGES:
            mine, page = await self._page(mine, page)
            pages += 1
        return pages

    async def _page(self, mine: Position, page: str) -> tuple[Position | None, str | None]:
        """One page: the list, where it is still ours, and its next page, where there is one."""
        token = await self._db.write(lambda tx: self._calls.take(tx, mine.account))
        if token is None:
            await self._db.write(lambda tx: self._later(tx, mine, NO_CALL_LEFT))
            return None, None
        error, answer = await self._ask(mine, page)
        self._calls.tell(mine.account, error)
        kept = await self._db.write(lambda tx: self._took(tx, _Taken(mine, token, error, answer)))
        return kept, (answer.next_page or None) if answer is not None else None

    async def _ask(self, mine: Position, page: str) -> tuple[Exception | None, Page | None]:
        carrier, kind = self._calls.carriers[mine.account], Kind(mine.kind)
        since = moment(Instant(mine.reached_at - RHYTHM[kind].overlap))
        calls: dict[Kind, Callable[[], Awaitable[Page]]] = {
            Kind.CHANGES: lambda: carrier.changes(since, moment(Instant(mine.taken_at)), page),
            Kind.DOCUMENTS: lambda: carrier.documents(since, page),
            Kind.TRANSFERS: lambda: carrier.transfers(since, page),
        }
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                return None, await calls[kind]()
        except Exception as error:  # noqa: BLE001 - the boundary of one account, as in `poller`
            return error, None

    # --- what a page says ------------------------------------------------------------------------------

    def _took(self, tx: Tx, taken: _Taken) -> Position | None:
        """Write one page. None: it failed, or the list is another process's by now, which reads it itself."""
        kept = self._kept(tx, taken)
        self._calls.ended(tx, taken.mine.account, taken.token, taken.error)  # the budget is locked last
        return kept

    def _kept(self, tx: Tx, taken: _Taken) -> Position | None:
        mine, error, page = taken.mine, taken.error, taken.page
        if page is None:
            assert error is not None
            wait = NOT_OFFERED if isinstance(error, PermanentFailure) else AGAIN_AFTER_FAILURE
            if isinstance(error, Throttled | AuthenticationFailed):
                wait = MINUTE  # the account's own pause is what counts
            self._later(tx, mine, wait, reason_of(error)[:200])
            return None
        kept = positions.renew(tx, mine, HOLD)
        if kept is None:
            return None
        if isinstance(page, Changes):
            self._take_in(tx, mine.account, page.tracked)
        elif isinstance(page, Documents):
            finding.take_in(tx, mine.account, page.documents)
        else:
            self._take_in(tx, mine.account, transfers_of(page))
        if not page.next_page:
            self._move(tx, kept, page)
        return kept

    def _take_in(self, tx: Tx, account: str, tracked: Sequence[Tracked]) -> None:
        """What a list says about parcels that are followed; others are not ours to know."""
        by_number = together(tracked)
        rows = store.newest_with_numbers(tx.conn, list(by_number), account)
        pace = replace(self._pace, listed=self._calls.carriers[account].capabilities.lists_changes)
        results = Results({row.id: by_number[row.number] for row in rows})
        taking.take_in(tx, rows, results, pace, self._announce)

    def _move(self, tx: Tx, mine: Position, page: Page) -> None:
        """The end of the list: from here it is read the next time."""
        reached = mine.taken_at
        if isinstance(page, Changes) and page.until is not None:
            reached = min(reached, instant(page.until))
        behind = mine.taken_at - reached > MINUTE and reached > mine.reached_at
        wait = 0 if behind else wait_of(RHYTHM[Kind(mine.kind)], tx.now, Hours.at(tx.now, self._pace.zone))
        positions.move(tx, mine, max(reached, mine.reached_at), tx.now + round(wait / self._pace.speed))

    def _later(self, tx: Tx, mine: Position, wait: int, reason: str | None = None) -> None:
        positions.put_off(tx, mine, tx.now + round(wait / self._pace.speed), reason)


class _Taken(NamedTuple):
    mine: Position
    token: int
    error: Exception | None
    page: Any


def together(tracked: Sequence[Tracked]) -> dict[str, Tracked]:
    """All that a page says, by number: a list of events names a number as often as it moved."""
    found: dict[str, Tracked] = {}
    for one in tracked:
        before = found.get(one.number)
        if before is not None:
            one = replace(one, observations=(*before.observations, *one.observations))  # noqa: PLW2901
        found[one.number] = one
    return found


def transfers_of(page: Transfers) -> list[Tracked]:
    """Money transfers as observations of the money line, no step of the parcel."""
    return [Tracked(number=one.number, observations=(observation_of(one),)) for one in page.transfers]
