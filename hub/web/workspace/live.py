"""GET /live: tells open pages that something changed; they then fetch their own part again.

Server-sent events carry ids only, so rights are checked where they always are: when a page is asked for.
One look into the database serves all pages: at every commit of this process or, by PostgreSQL's
notifications, of another (rings within a tenth of a second become one), and each second for what commands
wrote. What changed is read from the ledger, whose numbers have no gap within a team, and from the journal, a
few seconds back over again, because an id made earlier may be committed later. Notices to the staff are read in
the same way.

Pages that were told come all at once. What they all show alike (board and table of tasks) is made once for
each change and shared; 200 boards cost one reading and 200 short answers.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import structlog
from aiohttp import web
from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from hub.db.tables import journal, ledger, notice
from hub.kernel.clock import SECOND
from hub.kernel.errors import HubError, TooMany
from hub.kernel.ids import first_at
from hub.web.context import Services
from hub.web.workspace.visit import Visit

log = structlog.get_logger("hub.web")

HEARTBEAT_S = 15.0
LASTS_S = 600.0
POLL_S = 1.0
GATHER_S = 0.05
BACK = 5 * SECOND
A_PERSON = 12
IN_ALL = 2_000
MOST_IDS = 200
SHARED_S = 5.0  # "3 minutes ago" grows old
MOST_SHARED = 500


@dataclass(slots=True)
class Cursor:
    """How far the changes were read: a number a team, and the journal's ids of the last seconds."""

    seqs: dict[int, int] = field(default_factory=dict)
    seen: deque[int] = field(default_factory=lambda: deque(maxlen=20_000))


class Board:
    """One open page: what it has not been told yet."""

    def __init__(self) -> None:
        self.waiting: set[str] = set()
        self.ready = asyncio.Event()

    def tell(self, changed: Sequence[str]) -> None:
        """Add what changed; a page that reads slowly is told once."""
        if len(self.waiting) < MOST_IDS:
            self.waiting.update(changed)
        self.ready.set()

    def take(self) -> list[str]:
        """Everything since the last time."""
        told, self.waiting = sorted(self.waiting), set()
        self.ready.clear()
        return told


class Boards:
    """All open pages of this process, and the one task that watches for them."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._boards: set[Board] = set()
        self._people: Counter[int] = Counter()
        self._bell = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self._cursor = Cursor()
        self._shared: dict[str, tuple[float, asyncio.Task[str]]] = {}
        self.closed = False

    @asynccontextmanager
    async def open(self, staff_id: int) -> AsyncIterator[Board]:
        """A page is open for as long as this is. Raises TooMany beyond the bounds."""
        if self._people[staff_id] >= A_PERSON or len(self._boards) >= IN_ALL:
            raise TooMany(int(HEARTBEAT_S))
        board = Board()
        self._boards.add(board)
        self._people[staff_id] += 1
        try:
            await self._watch()
            yield board
        finally:
            self._boards.discard(board)
            self._people[staff_id] -= 1

    async def close(self) -> None:
        """The process ends: every page is let go."""
        self.closed = True
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
        for board in self._boards:
            board.ready.set()

    async def shared(self, key: str, make: Callable[[], Awaitable[str]]) -> str:
        """What `make` gives, once for all who ask between two changes.

        It may miss what was committed since the last look; the next look tells everybody to come again.
        While nothing is watched here nobody would be told, and nothing is shared.
        """
        if self._watching is None or self._watching.done():
            return await make()
        now = asyncio.get_running_loop().time()
        made_at, task = self._shared.get(key, (0.0, None))
        if (
            task is None
            or now - made_at > SHARED_S
            or (task.done() and (task.cancelled() or task.exception()))
        ):
            if len(self._shared) >= MOST_SHARED:
                self._shared.clear()
            task = asyncio.ensure_future(make())
            self._shared[key] = (now, task)
        return await asyncio.shield(task)

    async def _watch(self) -> None:
        if self._watching is None or self._watching.done():
            self._cursor = await self._services.db.read(self._begin)
            self._watching = asyncio.create_task(self._run())

    async def _run(self) -> None:
        """Look at each ring, and each second; ends with the last page."""
        loop = asyncio.get_running_loop()

        def ring() -> None:
            loop.call_soon_threadsafe(self._bell.set)

        callbacks = self._services.db.writer.on_commit
        callbacks.add(ring)
        try:
            while self._boards:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._bell.wait(), POLL_S)
                await asyncio.sleep(GATHER_S)
                self._bell.clear()
                await self._look()
        finally:
            callbacks.discard(ring)
            self._shared.clear()

    async def _look(self) -> None:
        try:
            changed = await self._services.db.read(self._changes)
        except HubError as error:
            log.warning("boards_wait_for_database", error=type(error).__name__)
            return
        if changed:
            self._shared.clear()
            for board in self._boards:
                board.tell(changed)

    def _begin(self, conn: Connection) -> Cursor:
        """Where the present is; called in a reader's thread."""
        heads = select(ledger.c.team_id, func.max(ledger.c.seq)).group_by(ledger.c.team_id)
        cursor = Cursor({row[0]: row[1] for row in conn.execute(heads)})
        cursor.seen.extend(self._journal(conn))
        return cursor

    def _journal(self, conn: Connection) -> dict[int, str]:
        since = first_at(self._services.clock.now() - BACK)
        query = select(journal.c.id, journal.c.entity, journal.c.entity_id).where(journal.c.id >= since)
        rows = conn.execute(query.order_by(journal.c.id.desc()).limit(5_000))
        found = {row.id: f"{row.entity}:{row.entity_id}" for row in rows}
        told = select(notice.c.id, notice.c.staff_id).where(notice.c.id >= since).limit(5_000)
        return found | {row.id: f"notice:{row.staff_id}" for row in conn.execute(told)}

    def _changes(self, conn: Connection) -> list[str]:
        """Ids of what changed since the last look; called in a reader's thread, one at a time."""
        cursor, changed = self._cursor, set()
        known = set(cursor.seen)
        for number, what in self._journal(conn).items():
            if number not in known:
                cursor.seen.append(number)
                changed.add(what)
        heads = select(ledger.c.team_id, func.max(ledger.c.seq)).group_by(ledger.c.team_id)
        for team_id, seq in conn.execute(heads).all():
            before = cursor.seqs.get(team_id, 0)
            if seq > before:
                cursor.seqs[team_id] = seq
                query = select(ledger.c.task_id).where(ledger.c.team_id == team_id, ledger.c.seq > before)
                rows = conn.execute(query.order_by(ledger.c.seq.desc()).limit(MOST_IDS))
                changed |= {f"task:{task_id}" for task_id in rows.scalars()}
        return sorted(changed)


BOARDS = web.AppKey("boards", Boards)


async def live(visit: Visit) -> web.StreamResponse:
    """The stream of one page. An event is a line of ids; a comment each 15 s keeps proxies awake.

    It ends by itself after a while; the browser then comes again, and its session is looked at again.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + LASTS_S
    boards = visit.request.app[BOARDS]
    async with boards.open(visit.staff_id) as board:
        answer = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",
                "X-Content-Type-Options": "nosniff",
            }
        )
        await answer.prepare(visit.request)
        await answer.write(b"retry: 2000\n: here\n\n")
        while not boards.closed and not visit.services.life.stopping and loop.time() < until:
            with suppress(TimeoutError):
                await asyncio.wait_for(board.ready.wait(), HEARTBEAT_S)
            told = board.take()
            line = f"event: changed\ndata: {' '.join(told)}\n\n" if told else ": still here\n\n"
            try:
                await answer.write(line.encode())
            except (ConnectionError, RuntimeError):
                break  # the page was closed
        return answer
