"""PostgreSQL goes away: stopped and started again, the answer of a COMMIT lost, a connection killed."""

import contextlib
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy import insert, text

from hub.db.tables import counter
from hub.kernel.errors import Unavailable
from hub.sdk.messages import OutcomeKind
from tests.integration import ledger_audit
from tests.integration.desk import Desk
from tests.integration.tcp_proxy import Proxy
from tests.postgres_cluster import running_cluster, unprivileged_user


@pytest.fixture
def proxy(postgres_cluster):
    one = Proxy(postgres_cluster.port)
    yield one
    one.close()


@pytest.fixture
def desk(postgres_url, postgres_cluster, proxy, tmp_path):
    """The hub speaks to PostgreSQL through the proxy; the audit does not."""
    opened = Desk(postgres_url.replace(f":{postgres_cluster.port}/", f":{proxy.port}/"), tmp_path)
    opened.url = postgres_url
    yield opened
    opened.close()


def counts(desk):
    return desk.rows(
        "SELECT (SELECT count(*) FROM delivery), (SELECT count(*) FROM request), (SELECT count(*) FROM task), "
        "(SELECT stored FROM account WHERE name = 'form')"
    )[0]


@pytest.mark.parametrize("rule", ["swallow", "drop", "delay"])
@pytest.mark.parametrize("keys", ["with keys", "without keys"])
def test_lost_answer_of_a_commit_neither_doubles_nor_loses(desk, proxy, rule, keys):
    """swallow: it was written, and the hub finds out. drop: it was not, and is written again.

    delay: the COMMIT arrives after the hub is back already; it must not look before that is decided.
    """
    desk.put([desk.item(1_000)])[0].result(10)
    items = [desk.item(n, key="" if keys == "with keys" else None) for n in range(20)]
    proxy.once(b"COMMIT", rule)
    outcomes = [f.result(20) for f in desk.put_together(items)]
    assert proxy.hits == 1
    assert all(o.kind is OutcomeKind.ACCEPTED for o in outcomes)
    assert len({o.request_id for o in outcomes}) == 20
    assert counts(desk) == (21, 21, 21, 21)
    told = {int(o.request_id) for o in outcomes}
    assert told < {row[0] for row in desk.rows("SELECT id FROM request")}
    assert ledger_audit.problems(desk.url) == []
    assert desk.db.writer.down is None


@pytest.mark.parametrize("rule", ["swallow", "drop"])
def test_lost_answer_of_a_single_write_is_told_as_unknown(desk, proxy, rule):
    desk.put([desk.item(1_000)])[0].result(10)
    proxy.once(b"COMMIT", rule)
    with pytest.raises(Unavailable, match="may or may not"):
        desk.db.write_now(lambda tx: tx.execute(insert(counter).values(name="x", value=1)) and None)
    deadline = time.monotonic() + 10
    while desk.db.writer.down is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    stored = desk.rows("SELECT count(*) FROM counter WHERE name = 'x'")
    assert stored == [(1 if rule == "swallow" else 0,)]
    assert desk.put([desk.item(1)])[0].result(10).kind is OutcomeKind.ACCEPTED


def test_killed_connections_lose_nothing(postgres_url, postgres_cluster, tmp_path):
    """Somebody ends our backends all the time; each item gets the truth."""
    desk = Desk(postgres_url, tmp_path)
    stop = threading.Event()

    def kill():
        with postgres_cluster.connect() as admin:
            while not stop.wait(0.15):
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hub'"
                )

    killer = threading.Thread(target=kill)
    killer.start()
    answers = {}

    def post(numbers):
        for n in numbers:
            while True:
                try:
                    answers[f"{n}"] = desk.put([desk.item(n)])[0].result(30).request_id
                    break
                except Unavailable:
                    time.sleep(0.05)

    with ThreadPoolExecutor(4) as pool:
        work = [pool.submit(post, range(first, first + 40)) for first in range(0, 160, 40)]
        for one in work:
            one.result(60)
    stop.set()
    killer.join()
    assert len(answers) == 160
    assert ledger_audit.delivery_problems(postgres_url, answers) == []
    assert ledger_audit.problems(postgres_url) == []
    deadline = time.monotonic() + 10
    while desk.db.writer.down is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    desk.close()


class OwnServer:
    """A cluster of this test alone, to be stopped and started."""

    def __init__(self, cluster):
        self.cluster = cluster
        self._owner = unprivileged_user()

    def _control(self, *words):
        data = self.cluster.folder / "pgdata"
        subprocess.run(
            [self.cluster.binaries / "pg_ctl", *words, "-D", data],
            check=True, timeout=30, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
            user=self._owner.pw_uid if self._owner else None, group=self._owner.pw_gid if self._owner else None,
            extra_groups=[] if self._owner else None,
        )  # fmt: skip

    def stop(self):
        self._control("stop", "-m", "immediate")

    def start(self):
        folder = self.cluster.folder
        options = f"-p {self.cluster.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
        self._control("start", "-w", "-l", folder / "log", "-o", options)


@pytest.fixture
def own_server(postgres_cluster):  # the shared one is asked for so that its absence skips
    with running_cluster() as cluster:
        server = OwnServer(cluster)
        yield server
        with contextlib.suppress(subprocess.CalledProcessError):  # stopped already, or its supervisor ends it
            server.stop()


def fresh(cluster):
    from sqlalchemy import make_url

    from hub.db import schema
    from hub.db.engine import open_engine

    url = cluster.url(cluster.create_database())
    engine = open_engine(make_url(url), writes=True, pool_size=1)
    schema.upgrade(engine)
    engine.dispose()
    return url


def test_server_is_stopped_and_started(own_server, tmp_path):
    url = fresh(own_server.cluster)
    desk = Desk(url, tmp_path)
    assert desk.put([desk.item(1)])[0].result(10).kind is OutcomeKind.ACCEPTED

    own_server.stop()
    began = time.monotonic()
    waiting = desk.put([desk.item(n) for n in range(2, 30)])
    errors = [f.exception(20) for f in waiting]
    waited = time.monotonic() - began
    assert all(isinstance(error, Unavailable) for error in errors)
    assert 4 < waited < 7

    assert desk.db.writer.down is not None
    began = time.monotonic()
    at_once = desk.put([desk.item(n) for n in range(30, 60)])
    assert all(isinstance(f.exception(0.2), Unavailable) for f in at_once)
    assert time.monotonic() - began < 0.5
    with pytest.raises(Unavailable):
        desk.db.read_now(lambda conn: conn.execute(text("SELECT 1")))
    watchers = [t for t in threading.enumerate() if t.name == "hub-writer-watch"]
    assert len(watchers) == 1

    own_server.start()
    deadline = time.monotonic() + 10
    while desk.db.writer.down is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    outcomes = [f.result(10) for f in desk.put([desk.item(n) for n in range(2, 60)])]
    assert all(o.kind is OutcomeKind.ACCEPTED for o in outcomes)
    assert counts(desk) == (59, 59, 59, 59)
    assert ledger_audit.problems(url) == []
    desk.close()


def test_short_absence_is_not_noticed_by_who_waits(own_server, tmp_path):
    url = fresh(own_server.cluster)
    desk = Desk(url, tmp_path)
    own_server.stop()
    waiting = desk.put([desk.item(n) for n in range(50)])
    own_server.start()
    outcomes = [f.result(20) for f in waiting]
    assert all(o.kind is OutcomeKind.ACCEPTED for o in outcomes)
    assert counts(desk) == (50, 50, 50, 50)
    assert ledger_audit.problems(url) == []
    desk.close()


def test_hub_closes_although_the_database_is_away(own_server, tmp_path):
    desk = Desk(fresh(own_server.cluster), tmp_path)
    own_server.stop()
    began = time.monotonic()
    desk.close()
    assert time.monotonic() - began < 14
    with pytest.raises(psycopg.OperationalError):
        own_server.cluster.connect()
