"""/metrics in Prometheus' text format: what this process did, and how the whole hub stands.

Nothing is counted for its own sake on the way of a delivery but one addition in a dictionary; all else is
read when somebody asks, from what the database counts anyway. Its queries follow partial indexes or read
small tables, so they cost what is open, not what was ever done: rows that are over (sent effects, done
tasks, final parcels) are not counted. The answers are kept for a few seconds, whoever asks how often.

No label holds a name, a number or a text of a person: accounts, teams, states, route patterns.

Who may read: this machine and the trusted proxies themselves; everybody else, and whatever was forwarded
by a proxy, needs a bearer token of an admin.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from itertools import accumulate
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from sqlalchemy import func, select, text
from sqlalchemy.engine import Connection

from hub import __version__
from hub.access.model import May
from hub.accounts import store as accounts
from hub.accounts.store import AccountRecord
from hub.db.tables import outbox, task, team
from hub.db.writer import SIZES
from hub.kernel.clock import SECOND, Instant
from hub.kernel.errors import Unavailable
from hub.web.api.registry import authenticate
from hub.web.context import SERVICES, Network, Services
from hub.web.parcel_metrics import ParcelMetrics
from hub.web.problems import problem

KEPT_S = 5.0
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
FORWARDED = ("X-Forwarded-For", "X-Real-IP", "Forwarded", "Via")
OPEN_TASKS = ("waiting", "assigned", "accepted", "snoozed")
STUCK = text("state IN ('dead', 'uncertain')")  # word for word the condition of its index
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
ACCOUNT_STATES = ("active", "stopped", "off", "retired")


@dataclass(frozen=True, slots=True)
class Standing:
    """What the database says at one moment. `tasks`: (team, state, count, oldest created_at)."""

    at: int
    accounts: tuple[AccountRecord, ...] = ()
    outbox: tuple[tuple[str, str, int], ...] = ()
    outbox_due_at: int | None = None
    tasks: tuple[tuple[str, str, int, int], ...] = ()
    teams: tuple[str, ...] = ()


def read_standing(conn: Connection, now: int) -> Standing:
    """Some small queries, each along an index or over a small table."""
    channels = accounts.all_accounts(conn, "channel")
    carriers = accounts.all_accounts(conn, "carrier")
    count = func.count()
    waiting = select(outbox.c.lane, outbox.c.state, count).where(outbox.c.next_try_at.is_not(None))
    stuck = select(outbox.c.lane, outbox.c.state, count).where(STUCK)
    due = select(func.min(outbox.c.next_try_at)).where(outbox.c.next_try_at.is_not(None))
    tasks = (
        select(task.c.team_id, task.c.state, count, func.min(task.c.created_at))
        .where(task.c.state.in_(OPEN_TASKS))
        .group_by(task.c.team_id, task.c.state)
    )
    teams = {row.id: row.name for row in conn.execute(select(team.c.id, team.c.name))}
    by_lane = (outbox.c.lane, outbox.c.state)
    effects = [*conn.execute(waiting.group_by(*by_lane)), *conn.execute(stuck.group_by(*by_lane))]
    return Standing(
        at=now,
        accounts=(*channels, *carriers),
        outbox=tuple((row[0], row[1], row[2]) for row in effects),
        outbox_due_at=conn.execute(due).scalar_one_or_none(),
        tasks=tuple((teams[row[0]], row[1], row[2], row[3]) for row in conn.execute(tasks)),
        teams=tuple(teams.values()),
    )


@dataclass(eq=False)
class Metrics:
    """Of one application; nothing is global, so that two hubs in one process do not mix."""

    services: Services
    answers: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    _registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    _standing: Standing | None = None
    _read_at: float = -KEPT_S
    _reachable: bool = True
    _parcels: ParcelMetrics = field(init=False)

    def __post_init__(self) -> None:
        self._parcels = ParcelMetrics(ZoneInfo(self.services.loaded.settings.hub.timezone))
        ProcessCollector(registry=self._registry)
        scribe = self.services.door.scribe
        if scribe is not None:
            ProcessCollector("hub_scribe", pid=lambda: scribe.pid, registry=self._registry)
        self._registry.register(self)

    async def page(self) -> bytes:
        """The whole page. A database that is away is told by `hub_up_database`, the rest still comes."""
        now = time.monotonic()
        if now - self._read_at >= KEPT_S:
            self._read_at = now
            at = self.services.clock.now()
            try:
                self._standing = await self.services.db.read(lambda conn: self._read(conn, at))
                self._reachable = True
            except Unavailable:
                self._standing, self._reachable = None, False
        return generate_latest(self._registry)

    def _read(self, conn: Connection, at: Instant) -> Standing:
        self._parcels.read(conn, at)
        return read_standing(conn, at)

    def describe(self) -> Iterable[Metric]:
        """Nothing is known beforehand: registering must not read anything."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Called by the registry, with what `page` has read."""
        yield _info(self.services)
        yield _gauge("hub_up_database", "1 while the database answers", float(self._reachable))
        yield from self._writer()
        yield self._http()
        if self._standing is not None:
            yield from of_accounts(self._standing)
            yield from of_work(self._standing)
            yield from self._parcels.families()

    def _writer(self) -> Iterator[Metric]:
        """The two that write: this process's writer, and the scribe where there is one."""
        writer, scribe = self.services.db.writer, self.services.door.scribe
        queue = GaugeMetricFamily("hub_writer_queue", "what waits to be committed", labels=("writer",))
        wait = GaugeMetricFamily(
            "hub_writer_wait_seconds", "longest wait in this minute and the one before", labels=("writer",)
        )
        sizes = HistogramMetricFamily(
            "hub_writer_batch_size", "items in one group commit", labels=("writer",)
        )
        queue.add_metric(("process",), writer.queued)
        wait.add_metric(("process",), writer.recent_wait_s)
        sizes.add_metric(("process",), _buckets(writer.sizes), float(writer.batched))
        lives = GaugeMetricFamily("hub_scribe_up", "1 while the writing process lives", labels=())
        if scribe is not None:
            lives.add_metric((), float(scribe.works))
            queue.add_metric(("scribe",), scribe.queued)
            wait.add_metric(("scribe",), scribe.recent_wait_s)
            sizes.add_metric(("scribe",), _buckets(scribe.sizes), float(scribe.answered))
        yield _gauge(
            "hub_writer_down", "1 while this process can store nothing", float(writer.down is not None)
        )
        yield from (lives, queue, wait, sizes)

    def _http(self) -> Metric:
        found = CounterMetricFamily(
            "hub_http_requests", "answers of this process", labels=("method", "route", "status")
        )
        told: Counter[tuple[str, str, str]] = Counter()
        for (method, route, status), number in tuple(self.answers.items()):
            told[method if method in METHODS else "other", route, str(status)] += number
        for labels, number in told.items():
            found.add_metric(labels, number)
        return found


METRICS = web.AppKey("metrics", Metrics)


def of_accounts(standing: Standing) -> Iterator[Metric]:
    """Deliveries and health by account."""
    named = ("account",)
    deliveries = {
        "offered": CounterMetricFamily("hub_deliveries_offered", "all that came in", labels=named),
        "stored": CounterMetricFamily("hub_deliveries_stored", "stored, each once", labels=named),
        "repeated": CounterMetricFamily(
            "hub_deliveries_repeated", "sent again by the provider", labels=named
        ),
    }
    rejected = CounterMetricFamily(
        "hub_deliveries_rejected", "not accepted, by reason", labels=("account", "reason")
    )
    state = GaugeMetricFamily(
        "hub_account_state", "1 for the state it is in", labels=("account", "kind", "state")
    )
    age = GaugeMetricFamily(
        "hub_account_last_ok_seconds", "how long ago its provider last answered", labels=("account", "kind")
    )
    for one in standing.accounts:
        for name in ACCOUNT_STATES:
            state.add_metric((one.name, one.kind, name), float(one.state == name))
        if one.last_ok_at is not None and one.state != "retired":
            age.add_metric((one.name, one.kind), (standing.at - one.last_ok_at) / SECOND)
        if one.kind != "channel":
            continue
        for name, family in deliveries.items():
            family.add_metric((one.name,), getattr(one, name))
        for reason, number in one.rejected.items():
            rejected.add_metric((one.name, reason), number)
    yield from (*deliveries.values(), rejected, state, age)


def of_work(standing: Standing) -> Iterator[Metric]:
    """What is open: tasks, effects."""
    tasks = GaugeMetricFamily("hub_tasks", "open tasks", labels=("team", "state"))
    oldest = GaugeMetricFamily(
        "hub_task_oldest_waiting_seconds", "age of the oldest task that nobody has", labels=("team",)
    )
    ages = dict.fromkeys(standing.teams, 0.0)
    for name, state, number, created_at in standing.tasks:
        tasks.add_metric((name, state), number)
        if state == "waiting":
            ages[name] = (standing.at - created_at) / SECOND
    for name, seconds in ages.items():
        oldest.add_metric((name,), seconds)
    effects = GaugeMetricFamily("hub_outbox", "effects that are not sent yet", labels=("lane", "state"))
    for lane, state, number in standing.outbox:
        effects.add_metric((lane, state), number)
    due_at = standing.outbox_due_at
    late = max(0.0, (standing.at - due_at) / SECOND) if due_at is not None else 0.0
    yield from (tasks, oldest, effects)
    yield _gauge("hub_outbox_oldest_due_seconds", "how late the most overdue effect is", late)


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(name, words, value=value)


def _buckets(sizes: list[int]) -> list[tuple[str, float]]:
    names = (*(str(bound) for bound in SIZES), "+Inf")
    return list(zip(names, accumulate(map(float, sizes)), strict=True))


def _info(services: Services) -> Metric:
    kind = services.db.url.get_backend_name()
    return InfoMetricFamily("hub", "the program", value={"version": __version__, "database": kind})


def routes() -> list[web.RouteDef]:
    """One address."""
    return [web.get("/metrics", metrics)]


async def metrics(request: web.Request) -> web.Response:
    """The page, for those who may read it."""
    services = request.app[SERVICES]
    if not is_near(request.remote or "", request.headers, services.proxies):
        actor = await authenticate(services, request)
        if actor is None:
            return problem(
                401, "send a bearer token of an admin: `hub token add NAME --role admin`",
                headers={"WWW-Authenticate": "Bearer"},
            )  # fmt: skip
        actor.require(May.OPERATE)
    page = await request.app[METRICS].page()
    return web.Response(body=page, headers={"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store"})


def is_near(remote: str, headers: Any, proxies: Iterable[Network]) -> bool:
    """Asked from this machine, or by a trusted proxy for itself: what is passed on for somebody is not."""
    if any(name in headers for name in FORWARDED):
        return False
    try:
        address = ip_address(remote)
    except ValueError:
        return False
    return address.is_loopback or any(address in network for network in proxies)
