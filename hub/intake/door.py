"""The door through which every delivery enters, whatever its channel: parse, commit, answer.

offered = stored + repeated + rejected(reason), counted per account. Stored and repeated are counted
in the transaction, rejections in memory and flushed each second; a 503 is not offered.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from sqlalchemy import select, update
from sqlalchemy.engine import Connection

from hub.accounts.guard import PluginMisbehaved, in_the_loop
from hub.db.database import Database
from hub.db.tables import delivery, delivery_body, rejection
from hub.db.tx import Tx
from hub.db.writer import Batched, LoopWaiter, Settled, settle
from hub.intake.blobs import BlobStore
from hub.intake.commit import IntakeCommit
from hub.intake.limits import RateLimit
from hub.intake.model import KeyReused, Prepared, Result
from hub.intake.parser import ChannelAccount, Job, Parsed, Parser
from hub.intake.pulled import Move, Understood, store
from hub.intake.scribe import NotHere, Scribe
from hub.kernel.clock import moment
from hub.kernel.errors import NotFound, Unavailable
from hub.sdk.errors import DeliveryRejected, TemporaryFailure
from hub.sdk.messages import HttpAnswer, Outcome, PulledDelivery, RawDelivery

log = structlog.get_logger("hub.intake.door")

REPLAY_BATCH = 50
ASK_WITHIN_S = 5.0
ASKED = "hub-asked"
"""The header of a delivery that holds what `Channel.ask` brought; from outside it is never believed."""
_STORED = HttpAnswer(status=200, body=b"{}")


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A stored delivery that waits for another try."""

    id: int
    external_id: str | None
    account: str
    attempts: int
    raw: RawDelivery
    blob: str | None = None  # what holds the bytes of `raw`, where they are not in the row


class Door:
    """Takes deliveries of the configured channel accounts."""

    def __init__(
        self,
        db: Database,
        accounts: Mapping[str, ChannelAccount],
        blobs: BlobStore,
        off: Mapping[str, str] | None = None,
        scribe: Scribe | None = None,
    ) -> None:
        """`off`: accounts whose plugin cannot serve them, with the reason; `scribe`: does the work while it lives."""
        self._db = db
        self.accounts = accounts
        self.off = {} if off is None else off
        self.blobs = blobs
        self.scribe = scribe
        self._routes = {name: one.route for name, one in accounts.items()}
        self._commit = IntakeCommit(self._routes)
        self._own: set[str] = set()
        self._parser = Parser(self._parsed, blobs)
        self._limits = {
            name: RateLimit(account.channel.limits.rate_per_minute) for name, account in accounts.items()
        }
        self.rejections: Counter[tuple[str, str]] = Counter()

    def start(self) -> None:
        """Start the parser."""
        self._parser.start()

    def stop(self) -> None:
        """Finish what is queued."""
        self._parser.stop()

    def serve(self, account: ChannelAccount, *, changed: bool) -> None:
        """Take deliveries of an account from now on. `changed`: the scribe does not know it, we do its work."""
        if changed:
            self._own.add(account.name)
        self._routes[account.name] = account.route
        self._limits[account.name] = RateLimit(account.channel.limits.rate_per_minute)

    def reject(self, account: str, reason: str) -> None:
        """Count one delivery that is not accepted."""
        self.rejections[account, reason] += 1

    async def take(self, raw: RawDelivery) -> HttpAnswer:
        """Store one delivery and answer it, after the commit.

        Raises NotFound (no such account), DeliveryRejected (counted here), Unavailable (nothing stored).
        """
        account = self.accounts.get(raw.account)
        if account is None:
            raise NotFound("no such channel account")
        wait_s = self._limits[raw.account].wait_s(raw.address, time.monotonic())
        if wait_s:
            self.reject(raw.account, "rate")
            raise TooMany(wait_s)
        if account.channel.capabilities.asks:
            raw = await self._asked(account, raw)
        try:
            result = await self._stored(account, raw)
        except DeliveryRejected as rejected:
            self.reject(raw.account, rejected.reason)
            raise
        if isinstance(result, KeyReused):
            self.reject(raw.account, "key_reused")
            raise DeliveryRejected(
                "key_reused", "this key was used before with another body: take a new one", status=422
            )
        return self._answer(account, result, raw)

    async def _asked(self, account: ChannelAccount, raw: RawDelivery) -> RawDelivery:
        """The delivery with what its plugin was told elsewhere; nothing where that failed."""
        said: object = ""
        try:
            async with asyncio.timeout(ASK_WITHIN_S):
                said = await account.channel.ask(raw)
        except DeliveryRejected as rejected:
            self.reject(raw.account, rejected.reason)
            raise
        except TemporaryFailure as failure:
            raise Unavailable(failure.message, retry_after_s=int(failure.retry_after_s or 30)) from failure
        except Exception as error:  # noqa: BLE001 - the guard around a plugin: `verify` decides what silence means
            log.error("plugin_raised", account=account.name, call="ask", error=type(error).__name__)
        headers = {**raw.headers, ASKED: said if isinstance(said, str) else ""}
        return dataclasses.replace(raw, headers=headers)

    async def _stored(self, account: ChannelAccount, raw: RawDelivery) -> Result:
        """By the scribe where it knows the account as it is now, else by this process."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        if self.scribe is not None and self.scribe.works and raw.account not in self._own:
            self.scribe.put(raw, future)
            try:
                return await future
            except NotHere:
                self._own.add(raw.account)
                future = loop.create_future()
        self._parser.put(Job(account, raw, LoopWaiter(loop, future)))
        return await future

    def _answer(self, account: ChannelAccount, result: Outcome, raw: RawDelivery) -> HttpAnswer:
        if account.silent:
            return _STORED
        try:
            answer = in_the_loop("answer", account.channel.answer, result, raw)
            check_answer(answer)
            return answer  # type: ignore[return-value]  # checked
        except PluginMisbehaved:
            account.note_hung(time.monotonic())
            account.silent = account.pending_only is not None
            log.error("plugin_hung", account=account.name, call="answer")
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a boundary, see below
            # It is stored: the sender must hear so, whatever the plugin makes of the answer.
            log.error("plugin_answer_raised", account=account.name, error=type(error).__name__)
        return _STORED

    def _parsed(self, results: Sequence[tuple[Job, Parsed]]) -> None:
        """Called in the parser's thread: what is understood goes to the writer, the rest is answered."""
        works: list[Batched] = []
        refused: list[Settled] = []
        for job, result in results:
            waiter = job.waiter
            assert waiter is not None
            if isinstance(result, Prepared) and job.held:
                refused.append((waiter, result, None))
            elif isinstance(result, Prepared):
                works.append(Batched(self._commit, result, len(job.raw.body) + 500, waiter))
            else:
                refused.append((waiter, None, result))
        if works:
            self._db.commit_all(works)
        if refused:
            settle(refused)

    # --- pulled ones ---------------------------------------------------------------------------------

    async def take_pulled(
        self, name: str, pulled: Sequence[PulledDelivery], move: Move | None
    ) -> list[Result | None]:
        """Store what was fetched, in order; `move`: the cursor that goes along (None: a rescan).

        Raises FenceLost, Unavailable (nothing is lost: fetch again from the stored position).
        """
        account = self.accounts[name]
        loop = asyncio.get_running_loop()
        received_at = moment(self._db.clock.now())
        futures: list[asyncio.Future[Prepared]] = []
        for one in pulled:
            raw = RawDelivery(
                account=name, method="PULL", path="", headers=one.headers, query={}, body=one.body,
                address="", received_at=received_at,
            )  # fmt: skip
            futures.append(loop.create_future())
            self._parser.put(Job(account, raw, LoopWaiter(loop, futures[-1]), held=True))
        found = await asyncio.gather(*futures, return_exceptions=True)
        items = []
        for one, result in zip(pulled, found, strict=True):
            if isinstance(result, DeliveryRejected):
                self.reject(name, result.reason)
            elif isinstance(result, BaseException):
                raise result
            items.append(Understood(result if isinstance(result, Prepared) else None, one.position))
        return await store(self._db, self._commit, items, move)

    # --- unfinished ones -----------------------------------------------------------------------------

    async def replay(self, found: Sequence[Unfinished]) -> list[Result | None]:
        """Try stored deliveries again, through the same parser and commit. None: nothing could be stored."""
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Result]] = []
        for one in await asyncio.to_thread(self._with_bodies, found):
            account = self.accounts.get(one.account)
            if account is None:
                continue
            future: asyncio.Future[Result] = loop.create_future()
            futures.append(future)
            self._parser.put(
                Job(
                    account,
                    one.raw,
                    LoopWaiter(loop, future),
                    earlier=one.id,
                    attempts=one.attempts + 1,
                    known_id=one.external_id,
                )
            )
        answers = await asyncio.gather(*futures, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                log.warning("replay_put_off", error=type(answer).__name__)
        return [a if not isinstance(a, BaseException) else None for a in answers]

    def _with_bodies(self, found: Sequence[Unfinished]) -> list[Unfinished]:
        """Their large bodies out of the blob store; one whose bytes cannot be had now is left for another time."""
        ready = []
        for one in found:
            try:
                body = self.blobs.get(one.blob) if one.blob else None
            except Unavailable as away:
                log.warning("replay_put_off", error=type(away).__name__)
                continue
            ready.append(
                one if body is None else dataclasses.replace(one, raw=dataclasses.replace(one.raw, body=body))
            )
        return ready

    async def replay_due(self) -> int:
        """The background job: everything whose next try is due. Returns how many were tried."""
        now = self._db.clock.now()
        found = await self._db.read(lambda conn: find_unfinished(conn, due_at=now))
        found = [one for one in found if one.account in self.accounts]
        if found:
            await self.replay(found)
        return len(found)

    async def flush_rejections(self) -> None:
        """Write the counters of rejections; what cannot be written is kept for the next time."""
        if not self.rejections:
            return
        counted, self.rejections = self.rejections, Counter()
        try:
            await self._db.write(lambda tx: count_rejections(tx, counted))
        except BaseException:
            self.rejections.update(counted)
            raise


def check_answer(answer: object) -> None:
    """Raise TypeError or ValueError for what no HTTP answer can be made of."""
    if not (isinstance(answer, HttpAnswer) and isinstance(answer.body, bytes)):
        raise TypeError("not an HttpAnswer with bytes")
    lines = [answer.media_type, *answer.headers, *answer.headers.values()]
    if not 200 <= answer.status <= 599 or any("\r" in line or "\n" in line for line in lines):
        raise ValueError("not a status, or not a header")


class TooMany(DeliveryRejected):
    """Too many deliveries from one address."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(
            "rate", f"too many posts from this address: try again in {retry_after_s} s", status=429
        )
        self.retry_after_s = retry_after_s


def count_rejections(tx: Tx, counted: Mapping[tuple[str, str], int]) -> None:
    """Add to the stored counters, in a fixed order."""
    for (account, reason), count in sorted(counted.items()):
        changed = tx.changed(
            update(rejection)
            .where(rejection.c.account == account, rejection.c.reason == reason)
            .values(count=rejection.c.count + count)
        )
        if not changed:
            tx.execute(rejection.insert().values(account=account, reason=reason, count=count))


def find_unfinished(
    conn: Connection,
    *,
    due_at: int | None = None,
    account: str | None = None,
    states: Sequence[str] = (),
    since: int | None = None,
    limit: int = REPLAY_BATCH,
) -> list[Unfinished]:
    """Stored deliveries that can be tried again, oldest first; `Door.replay` adds large bodies."""
    query = (
        select(delivery, delivery_body)
        .join(delivery_body, delivery_body.c.delivery_id == delivery.c.id)
        .order_by(delivery.c.id)
        .limit(limit)
    )
    if due_at is not None:
        query = query.where(delivery.c.next_try_at <= due_at)
    if account is not None:
        query = query.where(delivery.c.account == account)
    if states:
        query = query.where(delivery.c.state.in_(states))
    if since is not None:
        query = query.where(delivery.c.received_at >= since)
    return [_unfinished(row) for row in conn.execute(query).mappings()]


def _unfinished(row: Mapping[Any, Any]) -> Unfinished:
    raw = RawDelivery(
        account=row[delivery.c.account],
        method=row[delivery_body.c.method],
        path=row[delivery_body.c.path],
        headers=orjson.loads(row[delivery_body.c.headers]),
        query=orjson.loads(row[delivery_body.c.query]),
        body=row[delivery_body.c.body] or b"",
        address=row[delivery_body.c.address],
        received_at=moment(row[delivery.c.received_at]),
    )
    return Unfinished(
        row[delivery.c.id],
        row[delivery.c.external_id],
        raw.account,
        row[delivery.c.attempts],
        raw,
        row[delivery_body.c.blob],
    )
