"""The composition root: the only file that knows concrete classes.

Builds one process of the hub out of its settings: plugins, accounts, database, door, poller, outbox,
web. Nothing is created at import. Commands take what they need of it (`open_hub`), `hub serve` all.
"""

from __future__ import annotations

import fcntl
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import time
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import IO, TYPE_CHECKING
from zoneinfo import ZoneInfo

from sqlalchemy.engine import URL, Connection

from hub.accounts import secrets as account_secrets
from hub.accounts import store as accounts
from hub.coordination.nodes import acquire_node
from hub.customers import doubles
from hub.db.database import Database
from hub.db.engine import open_engine, sqlite_file
from hub.db.tx import Tx
from hub.db.writer import Writer as DatabaseWriter
from hub.intake.acknowledgement import LANE as ACKNOWLEDGEMENT
from hub.intake.blobs import BlobStore, Folder
from hub.intake.bucket import Bucket
from hub.intake.clerk import Desk
from hub.intake.commit import IntakeCommit
from hub.intake.door import Door
from hub.intake.parser import ChannelAccount
from hub.intake.scribe import Scribe
from hub.intake.staffside import LANE as BOT
from hub.kernel.clock import Clock, SystemClock
from hub.kernel.errors import HubError, SettingsRejected
from hub.kernel.ids import IdSource
from hub.kernel.sealing import SecretKey
from hub.loader import Plugins, load_plugins
from hub.notices.acknowledgement import AcknowledgementSink
from hub.notices.bot import BotSink
from hub.notices.digest import Digests
from hub.notices.put import ANSWER, MESSAGE, alarm_of_dead
from hub.notices.sink import NoticeSink
from hub.opening import Ground, database_url, furnish, open_database
from hub.orders.outgoing import LANE as ORDER_MESSAGE
from hub.orders.templates import LANGUAGES
from hub.outbox import webhooks
from hub.outbox.guarded import WebhookSink
from hub.outbox.jobs.embedded import Embedded
from hub.outbox.jobs.port import Handler, Runner
from hub.outbox.runner import OutboxRunner, Sink
from hub.personal.files import DROP_FILES, drop_files
from hub.personal.retention import KIND as RETENTION
from hub.personal.retention import Retention
from hub.requests.replies import LANE
from hub.runtime.account_notices import AccountNotices
from hub.runtime.building import Accounts, read_accounts, read_kept, secret_key
from hub.runtime.files import Files
from hub.runtime.listeners import Listeners
from hub.runtime.nightly import Nightly
from hub.runtime.order_messages import OrderMessages
from hub.runtime.process import Process, Role
from hub.runtime.replies import ReplySink
from hub.runtime.roster import Roster
from hub.runtime.silence import Silence
from hub.runtime.staff_files import StaffFiles
from hub.runtime.staff_messages import StaffMessages
from hub.runtime.watch import Watch
from hub.settings import DEFAULT_TEAM, Loaded
from hub.shipments.notices import CustomerNotices
from hub.shipments.poller import Poller
from hub.shipments.service import Pace
from hub.staff import store as staff

if TYPE_CHECKING:
    from aiohttp import web

RETENTION_AT = time(3, 30)
DOUBLES_AT = time(4, 0)


class AlreadyServing(HubError):
    """Another `hub serve` has this SQLite file: stop it first, or move to PostgreSQL for several processes."""


class OneProcessOnly(HubError):
    """A hub with an SQLite file is one process."""


@dataclass(slots=True)
class Hub(Ground):
    """An opened hub: settings, plugins, accounts, database. `serving` holds the file lock of `hub serve`."""

    plugins: Plugins
    accounts: Accounts
    serving: IO[str] | None = None
    key: SecretKey | None = None

    def close(self) -> None:
        """Finish what is queued, give the node number back, let another `hub serve` have the file."""
        Ground.close(self)
        if self.serving is not None:
            self.serving.close()


def open_hub(
    loaded: Loaded,
    *,
    serve: bool = False,
    clock: Clock | None = None,
    extra: Iterable[tuple[str, ModuleType]] = (),
) -> Hub:
    """Open everything but the network. Raises SettingsRejected, SchemaMismatch, AlreadyServing, Unavailable."""
    clock = clock or SystemClock()
    plugins = load_plugins(extra, folder=loaded.plugins_folder())
    found = read_accounts(loaded, plugins, clock)
    if serve and found.problems:
        raise SettingsRejected(found.problems)
    key = secret_key(loaded)
    lock = _lock_file(database_url(loaded)) if serve else None
    db, node = open_database(loaded, clock)
    db.write_now(lambda tx: seed(tx, loaded, found, restart=serve, key=key))
    db.read_now(lambda conn: read_kept(conn, found, plugins, clock, key))
    for host in found.hosts:
        host.store.attach(db, key)
    for conduct in found.conducts:
        conduct.attach(db)
    hub = Hub(loaded, db, node, clock, plugins, found, lock, key)
    if serve and found.problems:  # a name that an account of the workspace has
        hub.close()
        raise SettingsRejected(found.problems)
    return hub


@contextmanager
def opened(loaded: Loaded) -> Iterator[Hub]:
    """A hub for the length of a command."""
    hub = open_hub(loaded)
    try:
        yield hub
    finally:
        hub.close()


def _lock_file(url: URL) -> IO[str] | None:
    """One `hub serve` an SQLite file; the operating system drops the lock with the process."""
    file = sqlite_file(url)
    if file is None:
        return None
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = Path(f"{file}.lock").open("w", encoding="utf-8")  # noqa: SIM115 - held as long as the process serves
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise AlreadyServing from None
    return lock


def refuse_while_served(url: URL) -> None:
    """Raise AlreadyServing while a hub serves this SQLite file; on PostgreSQL nothing tells."""
    lock = _lock_file(url)
    if lock is not None:
        lock.close()


def seed(
    tx: Tx, loaded: Loaded, found: Accounts, *, restart: bool = False, key: SecretKey | None = None
) -> None:
    """Make what is missing: teams with their heads, the routes of orders, the accounts of the file.

    `restart`: the hub starts to serve, so accounts that had stopped are tried again, and secrets that stand in
    plain text or under an older key are sealed with the present one.
    """
    furnish(tx, loaded)
    configured = [
        accounts.Configured(a.name, a.kind, a.plugin, a.team, found.off.get(a.name)) for a in found.settings
    ]
    accounts.sync(tx, configured, restart=restart)
    if restart and key is not None:
        account_secrets.seal_anew(tx, key)
        webhooks.seal_secrets(tx, key)


def _notices(hub: Hub, zone: ZoneInfo) -> CustomerNotices:
    """What tells customers about their parcels."""
    settings = hub.loaded.settings.hub
    plugins = {
        a.name: hub.plugins.carriers.get(a.plugin) for a in hub.accounts.settings if a.kind == "carrier"
    }
    titles = {
        language: {name: plugin.title.get(language) or name for name, plugin in plugins.items() if plugin}
        for language in LANGUAGES
    }
    return CustomerNotices(zone, settings.base_url.rstrip("/"), settings.shop_name, titles)


def channel_accounts(loaded: Loaded, found: Accounts, conn: Connection) -> dict[str, ChannelAccount]:
    """All channel accounts that can serve."""
    team_ids = {team.name: team.id for team in staff.teams(conn)}
    return {
        one.name: ChannelAccount(
            one.name,
            team_ids[one.team or DEFAULT_TEAM],
            found.channels[one.name],
            loaded.settings.hub.region,
            one.route,
        )
        for one in found.settings
        if one.kind == "channel" and one.name not in found.off
    }


def blob_store(loaded: Loaded) -> BlobStore:
    """Where large bodies and files lie. Each process opens its own, and only after the scribe was forked."""
    if loaded.settings.blobs.url:
        return Bucket(loaded.settings.blobs)
    return Folder(loaded.path(loaded.settings.hub.data_dir) / "blobs")


def fork_scribe(loaded: Loaded, extra: Iterable[tuple[str, ModuleType]] = ()) -> Scribe:
    """Call it first of all: the plugins are imported before, so that both processes share them in memory."""
    clock = SystemClock()
    plugins = load_plugins(extra, folder=loaded.plugins_folder())

    def desk(node_number: int, not_before: int) -> Desk:
        found = read_accounts(loaded, plugins, clock)
        ids = IdSource(node_number, clock.now, not_before)
        engine = open_engine(database_url(loaded), writes=True, pool_size=2)
        with engine.connect() as connection:
            read_kept(connection, found, plugins, clock, secret_key(loaded))
            channels = channel_accounts(loaded, found, connection)
        handler = IntakeCommit({name: one.route for name, one in channels.items()})
        return Desk(DatabaseWriter(engine, ids, clock), handler, channels, blob_store(loaded))

    return Scribe.fork(desk)


def begin_scribe(hub: Hub, scribe: Scribe) -> None:
    """Give the scribe a node number of its own; that one is not given back, its lease runs out."""
    engine = open_engine(hub.db.url, writes=True, pool_size=1)
    try:
        node, ids = acquire_node(engine, hub.clock)
    finally:
        engine.dispose()
    scribe.begin(node, ids.reached())


def refuse_role(loaded: Loaded, role: Role) -> None:
    """Raise OneProcessOnly for a part of a hub whose database is a file."""
    if role is not Role.ALL and sqlite_file(database_url(loaded)) is not None:
        raise OneProcessOnly(
            f"--role {role} shares the work with other processes, which needs PostgreSQL: set [database] url "
            "(`hub db copy` moves what is there), or run `hub serve` without --role"
        )


def build_process(
    hub: Hub,
    *,
    demo: bool = False,
    speed: float = 1.0,
    scribe: Scribe | None = None,
    role: Role = Role.ALL,
) -> tuple[Process, web.Application]:
    """Everything that `hub serve` runs; a worker answers only how it is."""
    # The pages are a third of what there is to import; commands do without.
    from hub.web.context import Lifecycle, Services, parse_networks  # noqa: PLC0415
    from hub.web.server import build_bare, build_web  # noqa: PLC0415

    settings = hub.loaded.settings
    roster = Roster(hub.db, hub.loaded, hub.plugins, hub.accounts, hub.key)
    blobs = blob_store(hub.loaded)
    door = Door(hub.db, roster.channels, blobs, roster.off, scribe)
    if scribe is not None:
        scribe.on_commit = hub.db.writer.ring
    zone = ZoneInfo(settings.hub.timezone)
    pace = Pace(zone, speed)
    poller = Poller(hub.db, roster.carriers, pace, _notices(hub, zone))

    sinks = _sinks(hub, roster, blobs, zone)
    runner = OutboxRunner(hub.db, sinks, secrets.token_hex(8), alarm_of_dead)
    life = Lifecycle()
    services = Services(
        hub.db,
        door,
        hub.loaded,
        hub.clock,
        roster.carriers,
        hub.plugins.carriers,
        roster.plugin_of,
        poller,
        parse_networks(settings.web.trusted_proxies),
        life,
        demo,
        roster.writers,
        hub.key,
        roster,
        hub.plugins,
        roster,
    )
    listeners = Listeners(hub.db, door, roster.objects)
    watch = Watch(hub.db, roster.objects, settings.hub.base_url)
    roster.serve_with(door, listeners, watch)
    process = Process(
        hub.db,
        hub.node,
        door,
        poller,
        runner,
        life,
        listeners=listeners,
        watch=watch,
        files=Files(hub.db, roster.objects, blobs),
        roster=roster,
        jobs=_jobs(hub.db, _handlers(hub, blobs)),
        nightly=Nightly(hub.db, pace.zone, {RETENTION: RETENTION_AT, doubles.KIND: DOUBLES_AT}),
        account_notices=AccountNotices(hub.db, roster.carriers, settings.hub.language),
        digests=Digests(hub.db, zone),
        silence=Silence(hub.db, roster.objects, roster.silence_hours),
        tick_s=1.0 if speed > 1 else 5.0,
        scribe=scribe,
        role=role,
    )
    return process, build_bare(services) if role is Role.WORKER else build_web(services)


def _sinks(hub: Hub, roster: Roster, blobs: BlobStore, zone: ZoneInfo) -> dict[str, Sink]:
    """Where each lane of the outbox leads to."""
    from hub.web.workspace.words import Words  # noqa: PLC0415 - see build_process

    settings = hub.loaded.settings
    language, base_url = settings.hub.language, settings.hub.base_url

    def speak(language: str) -> Words:
        return Words(language, zone, hub.clock.now())

    staff_messages = StaffMessages(hub.db, roster.objects, roster, speak, language, base_url)
    return {
        "notice": NoticeSink(zone),
        MESSAGE: staff_messages,
        ANSWER: staff_messages,
        BOT: BotSink(roster.writers, speak, zone, language, StaffFiles(hub.db, roster.objects, blobs)),
        ACKNOWLEDGEMENT: AcknowledgementSink(roster.writers, speak, language),
        "webhook": WebhookSink(hub.db, private=settings.web.webhooks_private, key=hub.key),
        LANE: ReplySink(hub.db, roster.objects, blobs, base_url),
        ORDER_MESSAGE: OrderMessages(roster.writers),
    }


def _handlers(hub: Hub, blobs: BlobStore) -> dict[str, Handler]:
    """Who does which kind of job."""
    retention = Retention(hub.db, blobs, hub.loaded.settings.retention)
    return {
        RETENTION: lambda _job: retention.run(),
        doubles.KIND: lambda _job: doubles.look_for(hub.db),
        DROP_FILES: partial(drop_files, hub.db, blobs),
    }


def _jobs(db: Database, handlers: Mapping[str, Handler]) -> Runner:
    """Who gives out work: this process, or procrastinate where there may be several."""
    if db.is_sqlite:
        return Embedded(db, handlers)
    from hub.outbox.jobs.distributed import Distributed  # noqa: PLC0415 - comes with the extra [postgres]

    return Distributed(db, handlers)
