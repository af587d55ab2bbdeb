"""Which accounts this process serves right now; follows the database, where people change them.

Everything that works with accounts (the door, the poller, replies, files, the pages) holds one of the mappings of this
roster, so an account that is added, changed, switched off or taken away is so for all of them at once, without a
restart. `apply` compares what is served with what the database says: at once in the process where somebody
changed it, at each tick in all others. Objects are replaced, never changed: a call that is under way ends with the one
it began with.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import structlog
from sqlalchemy.engine import Connection

from hub.accounts import store as accounts
from hub.accounts.host import AccountHost
from hub.accounts.store import AccountRecord, State
from hub.db.database import Database
from hub.db.tx import Tx
from hub.intake.door import Door
from hub.intake.parser import ChannelAccount
from hub.kernel.sealing import SecretKey
from hub.loader import Plugins
from hub.requests.replies import Writer
from hub.runtime.building import Accounts, AccountSettings, build_account, let_go, of_record
from hub.runtime.listeners import Listeners
from hub.runtime.watch import Watch
from hub.sdk.carrier import Carrier
from hub.sdk.channel import Channel
from hub.sdk.errors import AuthenticationFailed, PluginError, TemporaryFailure
from hub.settings import Loaded
from hub.staff import store as staff

log = structlog.get_logger("hub.accounts")

EVERY_S = 1.0
CHECK_WITHIN_S = 20.0
CLOSE_AFTER_S = 90.0  # longer than any call that may still be under way with an object that was replaced
SERVED = (State.ACTIVE, State.STOPPED)
NOT_HERE = "this process does not serve it: look at the other process, or restart the hub"
ENTER_AGAIN = "enter the credentials of this account anew"
TRY_LATER = "try again in some minutes; if it stays so, look at base_url and at the network of this machine"
TELL_AUTHOR = "this is a fault of the plugin: tell its author"
V = TypeVar("V")


class Lasting(dict[str, V]):
    """A mapping whose removed values are still found by [key], for who is in the midst of using one."""

    def __init__(self, values: dict[str, V] | None = None) -> None:
        super().__init__(values or {})
        self._gone: dict[str, V] = {}

    def take_out(self, key: str) -> None:
        """No longer one of them."""
        if key in self:
            self._gone[key] = self.pop(key)

    def items(self) -> Any:
        """As they are now: who goes through them waits in between, and meanwhile one may come or go."""
        return dict(self).items()

    def __missing__(self, key: str) -> V:
        return self._gone[key]


@dataclass(frozen=True, slots=True)
class Tried:
    """What a live try of an account brought."""

    ok: bool
    said: str
    took_ms: int


class Roster:
    """The accounts of one process."""

    def __init__(
        self, db: Database, loaded: Loaded, plugins: Plugins, found: Accounts, key: SecretKey | None
    ) -> None:
        self._db = db
        self._loaded = loaded
        self._plugins = plugins
        self._found = found
        self._key = key
        self.channels: Lasting[ChannelAccount] = Lasting()
        self.objects: Lasting[Channel] = Lasting()
        self.writers: dict[str, Writer] = {}  # those that write to customers
        self.bots: set[str] = set()
        self.silence_hours: dict[str, float] = {}
        self.carriers: Lasting[Carrier] = Lasting()
        self.plugin_of: dict[str, str] = {}
        self.off: dict[str, str] = dict(found.off)
        self._settings = {one.name: one for one in found.settings}
        self._hosts = {host.account: host for host in found.hosts}
        self._serving: dict[str, int] = {}
        self._busy = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()
        self._door: Door | None = None
        self._listeners: Listeners | None = None
        self._watch: Watch | None = None
        self._team_ids: dict[str, int] = {}
        refused = db.read_now(self._begin)
        if refused:
            db.write_now(lambda tx: _note_refused(tx, refused))

    def _begin(self, conn: Connection) -> list[dict[str, Any]]:
        """Serve what can be served; which accounts of the workspace turned out not to work since."""
        self._team_ids = {team.name: team.id for team in staff.teams(conn)}
        refused = []
        for record in accounts.everything(conn):
            self._note_off(record)
            one, reason = self._settings.get(record.name), self._found.off.get(record.name)
            if one is None or record.state not in SERVED:
                continue
            if reason is None:
                self._enter(one)
            elif record.origin == accounts.WORKSPACE:
                refused.append({"name": record.name, "version": record.version, "reason": reason})
        return refused

    def serve_with(self, door: Door, listeners: Listeners, watch: Watch) -> None:
        """From here on changes reach these, too."""
        self._door, self._listeners, self._watch = door, listeners, watch

    # --- following the database ----------------------------------------------------------------------

    async def apply(self) -> None:
        """Make what is served agree with the database."""
        async with self._busy:
            records = await self._db.read(accounts.everything)
            for record in records:
                if self._differs(record):
                    await self._take_over(record)
                self._note_off(record)

    def _differs(self, record: AccountRecord) -> bool:
        one = self._settings.get(record.name)
        if record.origin == accounts.FILE and one is None:
            return False  # the file of another process has it
        kept = record.origin == accounts.WORKSPACE and record.state != State.RETIRED
        if kept and (one is None or one.version != record.version):
            return True
        wanted = record.version if record.state in SERVED and record.name not in self._found.off else None
        return wanted != self._serving.get(record.name)

    async def _take_over(self, record: AccountRecord) -> None:
        name = record.name
        changed = self._serving.get(name) not in {None, record.version}
        if record.state not in SERVED or changed:
            await self._leave(name)
        if record.state == State.RETIRED:
            if record.origin == accounts.WORKSPACE:
                self._settings.pop(name, None)
            return
        one = self._settings.get(name)
        if record.origin == accounts.WORKSPACE and (one is None or one.version != record.version):
            one = await self._build(record)
        if one is not None and record.state in SERVED and name not in self._found.off:
            self._enter(one)
            log.info("account_served", account=name)

    async def _build(self, record: AccountRecord) -> AccountSettings:
        """A new object for an account of the workspace; where that fails, the account is off with the reason."""
        found = Accounts()
        name = record.name
        one = await self._db.read(lambda conn: of_record(conn, record, self._plugins, self._key, found))
        host = build_account(one, self._plugins, AccountHost(name, self._db.clock, self._key), found)
        if host is not None:
            host.store.attach(self._db, self._key)
            for conduct in found.conducts:
                conduct.attach(self._db)
            self._close_later(
                self._found.channels.get(name) or self._found.carriers.get(name), self._hosts.get(name)
            )
            self._hosts[name] = host
            self._found.hosts.append(host)
        self._found.off.pop(name, None)
        self._found.off |= found.off
        self._found.channels |= found.channels
        self._found.carriers |= found.carriers
        self._settings[name] = one
        if one.team and one.team not in self._team_ids:
            teams = await self._db.read(staff.teams)
            self._team_ids = {team.name: team.id for team in teams}
        # Whatever stopped it meanwhile was the object before, with the settings before.
        await self._db.write(lambda tx: accounts.try_again(tx, name, record.version))
        if (reason := found.off.get(name)) is not None:
            await self._db.write(partial(_note_off, name=name, version=record.version, reason=reason))
        return one

    def _note_off(self, record: AccountRecord) -> None:
        if record.state in {State.PAUSED, State.OFF}:
            self.off[record.name] = record.reason or "it is switched off"
        elif record.name in self._found.off:
            self.off[record.name] = self._found.off[record.name]
        else:
            self.off.pop(record.name, None)

    def _close_later(self, one: Channel | Carrier | None, host: AccountHost | None) -> None:
        """What was replaced is let go once no call can be under way with it."""
        if host is None:
            return

        async def close() -> None:
            await asyncio.sleep(CLOSE_AFTER_S)
            if one is not None:
                await let_go(one)
            await host.http.close()

        task = asyncio.create_task(close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _enter(self, one: AccountSettings) -> None:
        """Serve it, for everybody here."""
        name = one.name
        self._serving[name] = one.version
        self.plugin_of[name] = one.plugin
        if one.kind == "carrier":
            self.carriers[name] = self._found.carriers[name]
            return
        channel = self._found.channels[name]
        region = self._loaded.settings.hub.region
        account = ChannelAccount(name, self._team_ids[one.team or "sales"], channel, region, one.route)
        self.channels[name] = account
        self.objects[name] = channel
        able = channel.capabilities
        if one.silence_hours:
            self.silence_hours[name] = one.silence_hours
        if able.sends and one.route.staff:
            self.bots.add(name)  # the staff's own: customers are never written to through it
        elif able.sends:
            self.writers[name] = Writer(name, able.writes_to, able.sends_first, able.files)
        if self._door is not None:
            self._door.serve(account, changed=one.origin == accounts.WORKSPACE)
        if self._watch is not None:
            self._watch.look_after(name, channel)
        if self._listeners is not None:
            self._listeners.add(name, channel)

    async def _leave(self, name: str) -> None:
        """Nobody here serves it any longer; the watch keeps it, to take its web hook away."""
        if self._serving.pop(name, None) is None:
            return
        log.info("account_left", account=name)
        self.carriers.take_out(name)
        self.channels.take_out(name)
        self.objects.take_out(name)
        self.writers.pop(name, None)
        self.bots.discard(name)
        self.silence_hours.pop(name, None)
        if self._listeners is not None:
            await self._listeners.remove(name)

    # --- who writes to the staff ---------------------------------------------------------------------

    @property
    def bot(self) -> str:
        """The bot of the staff; the first by name."""
        return min(self.bots, default="")

    @property
    def mail(self) -> str:
        """The account that mails notices: the first by name that sends mail."""
        return min((name for name, one in self.writers.items() if one.writes_to == "email"), default="")

    # --- trying one ----------------------------------------------------------------------------------

    async def check(self, name: str) -> Tried:
        """Ask the other side now, and note on the account what it said; switches nothing on or off."""
        began = time.monotonic()
        await self.apply()
        tried = await try_out(
            self._found.channels.get(name) or self._found.carriers.get(name), self._found.off.get(name)
        )
        took = Tried(*tried, round((time.monotonic() - began) * 1000))
        await self._db.write(lambda tx: _note_tried(tx, name, took))
        return took


async def try_out(one: Channel | Carrier | None, off: str | None) -> tuple[bool, str]:
    """Call `check` under its time limit: did it go well, and what was said, with what to do where it did not."""
    if one is None:
        return False, off or NOT_HERE
    try:
        async with asyncio.timeout(CHECK_WITHIN_S):
            said: object = await one.check()
    except AuthenticationFailed as error:
        return False, f"{error.message}; {ENTER_AGAIN}"
    except TemporaryFailure as error:
        return False, f"{error.message}; {TRY_LATER}"
    except PluginError as error:
        return False, error.message
    except TimeoutError:
        return False, f"no answer within {CHECK_WITHIN_S:.0f} seconds; {TRY_LATER}"
    except Exception as error:  # noqa: BLE001 - the guard around a plugin
        log.error("plugin_raised", call="check", error=type(error).__name__)
        return False, f"its plugin raised {type(error).__name__}; {TELL_AUTHOR}"
    if not isinstance(said, str):
        return False, f"its plugin answered with {type(said).__name__}; {TELL_AUTHOR}"
    return True, said[:500]


def _note_refused(tx: Tx, refused: Sequence[Mapping[str, Any]]) -> None:
    for one in refused:
        _note_off(tx, **one)


def _note_off(tx: Tx, *, name: str, version: int, reason: str) -> None:
    record = accounts.find(tx.conn, name)
    if record is not None and record.version == version and record.state in SERVED:
        accounts.set_state(tx, name, State.OFF, reason)


def _note_tried(tx: Tx, name: str, tried: Tried) -> None:
    if tried.ok:
        accounts.note_ok(tx, name)
    else:
        accounts.note_error(tx, name, tried.said)
