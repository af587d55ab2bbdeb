"""The objects that the hub works with: a plugin's own behind a guard, so that no caller has to think of it.

What a plugin does wrong becomes an error of the contract (`Misbehaved`, a TemporaryFailure): each caller treats
it as any other failure of the provider, and it is recorded on the account. The rule that switches an account off:

    hung, or held up the hub         three times in a row: each costs everybody time
    raised, or returned nonsense     five times in a row over a minute at least: a bug, and no passing trouble

"In a row" means of one method, without a good call between. The account is then stopped with the reason; its
plugin is not called any more, until a person has switched it on again (`POST .../resume`, or the button), in
whatever process. Deliveries are still taken: `verify` and `parse` have a guard and a rule of their own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import structlog

from hub.accounts import store as accounts
from hub.accounts.guard import PluginMisbehaved, called, guarded_now
from hub.db.database import Database
from hub.kernel.errors import HubError
from hub.sdk.carrier import Carrier
from hub.sdk.channel import Channel
from hub.sdk.errors import TemporaryFailure
from hub.sdk.messages import (
    Fetched,
    Later,
    Outgoing,
    Parsed,
    Pulled,
    RawDelivery,
    Refused,
    SendResult,
    Sent,
    Uncertain,
    Verified,
)
from hub.sdk.notices import Notice
from hub.sdk.tracking import (
    Changes,
    Documents,
    Likeness,
    Recognition,
    TrackAnswer,
    TrackingNumber,
    Transfers,
)

log = structlog.get_logger("hub.accounts")

Value = TypeVar("Value")

STRIKES = {"hung": 3, "held": 3, "raised": 5, "nonsense": 5}
BUG_FOR_S = 60.0
"""A plugin that raises or returns nonsense is switched off when it has done so for this long."""

OFF_WAIT_S = 60.0
LOOK_S = 3.0
_NO = Recognition(likeness=Likeness.NO)
_SEND_RESULTS = (Sent, Refused, Later, Uncertain)


class Misbehaved(TemporaryFailure):
    """The plugin did not do what its contract says."""


class SwitchedOff(TemporaryFailure):
    """The account's plugin is not called: it was switched off."""


@dataclass(slots=True)
class _Row:
    """Misbehaviour of one method without a good call between."""

    count: int = 0
    since_s: float = 0.0


@dataclass(slots=True)
class Conduct:
    """How one account's plugin behaves, in this process. `now_s`: seconds of any clock that only goes forward."""

    account: str
    now_s: Callable[[], float] = time.monotonic
    off: str | None = None
    _db: Database | None = None
    _rows: dict[str, _Row] = field(default_factory=dict)
    _looked_at: float = float("-inf")

    def attach(self, db: Database) -> None:
        """From now on it is recorded."""
        self._db = db

    def well(self, method: str) -> None:
        """A good call."""
        self._rows.pop(method, None)

    def judge(self, method: str, error: PluginMisbehaved) -> bool:
        """Count it; True: the account has to be switched off now."""
        now = self.now_s()
        row = self._rows.setdefault(method, _Row(since_s=now))
        row.count += 1
        log.error("plugin_misbehaved", account=self.account, call=method, how=error.how, times=row.count)
        long_enough = error.how in {"hung", "held"} or now - row.since_s >= BUG_FOR_S
        if self.off is not None or row.count < STRIKES[error.how] or not long_enough:
            return False
        self.off = (
            f"{error.message}, {row.count} times in a row: switch it on again when the plugin is mended"
        )
        log.error("plugin_switched_off", account=self.account, call=method, how=error.how)
        return True

    async def record(self, method: str, error: PluginMisbehaved) -> None:
        """Count it, and write it on the account."""
        self.judge(method, error)
        db, message, off = self._db, self.off or error.message, self.off is not None
        if db is not None:
            with suppress(HubError):  # while the database is away the log has it
                await db.write(lambda tx: accounts.note_error(tx, self.account, message, stop=off))

    def record_apart(self, method: str, error: PluginMisbehaved) -> None:
        """The same for a caller that may hold a transaction: written by a thread of its own."""
        self.judge(method, error)
        db, message, off = self._db, self.off or error.message, self.off is not None
        if db is None:
            return

        def write() -> None:
            with suppress(HubError, RuntimeError):
                db.write_now(lambda tx: accounts.note_error(tx, self.account, message, stop=off))

        threading.Thread(target=write, name="hub-conduct", daemon=True).start()

    async def may_call(self) -> bool:
        """False while it is switched off; a person may have switched it on again in another process."""
        if self.off is not None and self._db is not None and self._may_look():
            state = await self._db.read(lambda conn: accounts.state(conn, self.account))
            self._heard(state)
        return self.off is None

    def may_call_now(self) -> bool:
        """The same from a thread that waits."""
        if self.off is not None and self._db is not None and self._may_look():
            self._heard(self._db.read_now(lambda conn: accounts.state(conn, self.account)))
        return self.off is None

    def _may_look(self) -> bool:
        now = self.now_s()
        if now - self._looked_at < LOOK_S:
            return False
        self._looked_at = now
        return True

    def _heard(self, state: str) -> None:
        if state == "active":
            self.off = None
            self._rows.clear()


class _Guarded:
    """What both kinds share: one door to the plugin's asynchronous methods."""

    conduct: Conduct
    inner: Any

    async def _call(
        self,
        method: str,
        call: Callable[[], Awaitable[object]],
        returns: type[Value] | tuple[type[Value], ...],
        *,
        always: bool = False,
    ) -> Value:
        """`always`: also while it is switched off. Raises what the contract lets a plugin raise."""
        if not always and not await self.conduct.may_call():
            raise SwitchedOff(self.conduct.off or "", retry_after_s=OFF_WAIT_S)
        try:
            value = await called(method, call, returns)
        except PluginMisbehaved as error:
            await self.conduct.record(method, error)
            raise Misbehaved(error.message) from None
        except TimeoutError:
            raise TemporaryFailure("the other side does not answer") from None
        self.conduct.well(method)
        return value

    def __getattr__(self, name: str) -> Any:
        """What the contract does not know is the plugin's own."""
        if name == "inner":  # not built yet
            raise AttributeError(name)
        return getattr(self.inner, name)


class GuardedCarrier(_Guarded, Carrier):
    """A carrier behind its guard."""

    def __init__(self, inner: Carrier, conduct: Conduct) -> None:
        self.inner = inner
        self.conduct = conduct
        self.capabilities = inner.capabilities

    def looks_like(self, text: str) -> Recognition:
        """A plugin that misbehaves recognises nothing."""
        if not self.conduct.may_call_now():
            return _NO
        try:
            found = guarded_now("looks_like", lambda: self.inner.looks_like(text), Recognition)
        except PluginMisbehaved as error:
            self.conduct.record_apart("looks_like", error)
            return _NO
        self.conduct.well("looks_like")
        return found

    async def track(self, numbers: Sequence[TrackingNumber]) -> TrackAnswer:
        """Guarded."""
        return await self._call("track", lambda: self.inner.track(numbers), TrackAnswer)

    async def changes(self, since: datetime, until: datetime, page: str) -> Changes:
        """Guarded."""
        return await self._call("changes", lambda: self.inner.changes(since, until, page), Changes)

    async def documents(self, since: datetime, page: str) -> Documents:
        """Guarded."""
        return await self._call("documents", lambda: self.inner.documents(since, page), Documents)

    async def notices(self) -> tuple[Notice, ...]:
        """Guarded."""
        found: tuple[Notice, ...] = await self._call("notices", self.inner.notices, tuple)
        return found

    async def transfers(self, since: datetime, page: str) -> Transfers:
        """Guarded."""
        return await self._call("transfers", lambda: self.inner.transfers(since, page), Transfers)

    async def check(self) -> str:
        """Guarded."""
        return await self._call("check", self.inner.check, str)

    async def close(self) -> None:
        """Guarded; also while it is switched off."""
        await self._call("close", self.inner.close, type(None), always=True)


class GuardedChannel(_Guarded, Channel):
    """A channel behind its guard. `verify`, `parse`, `answer` and `page` are guarded where they are called."""

    def __init__(self, inner: Channel, conduct: Conduct) -> None:
        self.inner = inner
        self.conduct = conduct
        self.capabilities = inner.capabilities
        self.limits = inner.limits
        # Called for each delivery: without a step between.
        self.verify = inner.verify  # type: ignore[method-assign]
        self.parse = inner.parse  # type: ignore[method-assign]
        self.answer = inner.answer  # type: ignore[method-assign]
        self.page = inner.page  # type: ignore[method-assign]
        self.refusal = inner.refusal  # type: ignore[method-assign]

    def verify(self, raw: RawDelivery) -> Verified:
        """The plugin's own."""
        return self.inner.verify(raw)  # type: ignore[no-any-return]

    def parse(self, raw: RawDelivery) -> Parsed:
        """The plugin's own."""
        return self.inner.parse(raw)  # type: ignore[no-any-return]

    async def ask(self, raw: RawDelivery) -> str:
        """Guarded; a plugin that misbehaves was told nothing, and `verify` says what that means."""
        try:
            return await self._call("ask", lambda: self.inner.ask(raw), str)
        except (Misbehaved, SwitchedOff):
            return ""

    async def pull(self, position: str, wait_s: float) -> Pulled:
        """Guarded."""
        return await self._call("pull", lambda: self.inner.pull(position, wait_s), Pulled)

    async def taken(self, positions: Sequence[str]) -> None:
        """Guarded."""
        await self._call("taken", lambda: self.inner.taken(positions), type(None))

    async def rescan(self, since: datetime, after: str) -> Pulled:
        """Guarded."""
        return await self._call("rescan", lambda: self.inner.rescan(since, after), Pulled)

    async def send(self, message: Outgoing) -> SendResult:
        """Guarded. Switched off: nothing has left. Misbehaved: nobody knows, so a person decides."""
        try:
            return await self._call("send", lambda: self.inner.send(message), _SEND_RESULTS)
        except SwitchedOff:
            return Later(OFF_WAIT_S)
        except Misbehaved as error:
            return Uncertain(error.message)

    async def fetch(self, ref: str, limit_bytes: int) -> Fetched:
        """Guarded."""
        return await self._call("fetch", lambda: self.inner.fetch(ref, limit_bytes), Fetched)

    async def open_webhook(self, url: str) -> None:
        """Guarded."""
        await self._call("open_webhook", lambda: self.inner.open_webhook(url), type(None))

    async def close_webhook(self) -> None:
        """Guarded; also while it is switched off: the provider must not go on delivering."""
        await self._call("close_webhook", self.inner.close_webhook, type(None), always=True)

    async def check(self) -> str:
        """Guarded."""
        return await self._call("check", self.inner.check, str)

    async def close(self) -> None:
        """Guarded; also while it is switched off."""
        await self._call("close", self.inner.close, type(None), always=True)


def build_guarded(
    kind: Any, account: str, settings: Any, host: Any, base: type[Channel] | type[Carrier]
) -> GuardedChannel | GuardedCarrier:
    """Let a plugin make its object, under a guard. Raises what `create` may raise, and PluginMisbehaved."""
    made = guarded_now("create", lambda: kind.create(account, settings, host), (Channel, Carrier))
    conduct = Conduct(account)
    if base is Channel and isinstance(made, Channel):
        return GuardedChannel(made, conduct)
    if base is Carrier and isinstance(made, Carrier):
        return GuardedCarrier(made, conduct)
    raise PluginMisbehaved("nonsense", "create", type(made).__name__)
