"""One throw-away PostgreSQL server for a test run.

A small shell process owns everything: it makes the cluster, starts the server, and waits on a pipe that only
the test process holds open. When the pipe closes - ordinary end, kill -9, out of memory - it stops the server
at once and removes the folder, so that nothing is left behind. It runs in a session of its own, out of reach
of Ctrl-C.

PostgreSQL refuses to run as root, so under root the shell and all below it run as `postgres` or `nobody`.
fsync is off: it guards against a power cut, which no test plays, and dropping a database costs a tenth without it.
What a server or a client that is killed had written stays with the operating system either way.
"""

import contextlib
import dataclasses
import itertools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
from psycopg import sql

SUPERUSER = "hub"
START_TIMEOUT_S = 40.0
STOP_TIMEOUT_S = 20.0

SUPERVISOR = r"""
root=$1 bin=$2 user=$3 port=$4
cd "$root" || exit 1
{
    "$bin/initdb" --no-sync --no-instructions --auth=trust --encoding=UTF8 --locale=C.UTF-8 \
        --username="$user" --pgdata="$root/pgdata" >"$root/log" 2>&1 &&
    "$bin/postgres" -D "$root/pgdata" -p "$port" \
        -c listen_addresses=127.0.0.1 -c unix_socket_directories="$root" \
        -c fsync=off -c full_page_writes=off -c max_connections=60 -c shared_buffers=64MB \
        -c timezone=UTC -c log_timezone=UTC \
        -c log_checkpoints=off -c log_min_messages=error >>"$root/log" 2>&1
    touch "$root/exited"
} </dev/null &
cat >/dev/null
until [ -e "$root/exited" ] || "$bin/pg_ctl" stop -s -m immediate -D "$root/pgdata" 2>/dev/null
do sleep 0.2; done
wait
cd /
rm -rf "$root"
"""


class PostgresAbsent(Exception):
    """the PostgreSQL server is not installed"""


class PostgresDidNotStart(Exception):
    """the server ended, or accepted no connection in time; the message carries its log"""


def find_binaries() -> Path:
    """The newest folder that holds initdb, pg_ctl and postgres together, so that versions never mix.

    Debian keeps the server outside PATH; what PATH offers is looked at last.
    """
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    versioned = sorted(
        debian, key=lambda folder: [int(part) for part in folder.parent.name.split(".")], reverse=True
    )
    on_path = [Path(found).resolve().parent for found in [shutil.which("initdb")] if found]
    for folder in [*versioned, *on_path]:
        if all(os.access(folder / name, os.X_OK) for name in ("initdb", "pg_ctl", "postgres")):
            return folder
    raise PostgresAbsent("PostgreSQL is not installed (Debian: apt-get install postgresql)")


def unprivileged_user() -> pwd.struct_passwd | None:
    """Who the server shall run as; None means as ourselves."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise PostgresAbsent("running as root and there is neither a user postgres nor a user nobody")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cluster:
    """A running server; `create_database` gives each test a database of its own."""

    port: int
    folder: Path
    binaries: Path
    numbers: Iterator[int] = dataclasses.field(default_factory=itertools.count, repr=False)
    finished: list[str] = dataclasses.field(default_factory=list, repr=False)

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://{SUPERUSER}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> "psycopg.Connection[tuple[object, ...]]":
        """An autocommit connection past SQLAlchemy, for the tests' own housekeeping."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=SUPERUSER,
            dbname=database,
            autocommit=True,
            connect_timeout=5,
        )

    def create_database(self, *, template: str | None = None, name: str | None = None) -> str:
        """Make an empty database, or a copy of `template` (nobody may be connected to it); gives its name."""
        name = name or f"test_{next(self.numbers)}"
        # Copying the files costs half of what writing them to the log does, as long as nobody waits for the disk.
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
        with self.connect() as connection:
            connection.execute(
                statement.format(sql.Identifier(name), sql.Identifier(template or "template1"))
            )
        return name

    def drop_database(self, name: str) -> None:
        """Drop it even while connections are open."""
        with self.connect() as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )

    def drop_finished(self) -> None:
        """Drop what tests before have left in `finished`."""
        while self.finished:
            self.drop_database(self.finished.pop())

    def log(self) -> str:
        return read_log(self.folder)


def read_log(folder: Path) -> str:
    try:
        return (folder / "log").read_text(errors="replace")[-4000:]
    except OSError as error:
        return f"(no log: {error})"


def wait_until_ready(cluster: Cluster) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if (cluster.folder / "exited").exists():
            break
        with contextlib.suppress(psycopg.OperationalError), cluster.connect():
            return
        time.sleep(0.05)
    raise PostgresDidNotStart(cluster.log())


@contextlib.contextmanager
def supervised(binaries: Path, place: Path | None = None) -> Iterator[Cluster]:
    owner = unprivileged_user()
    # Under root the usual temporary folder may lie where the other user cannot go.
    folder = Path(tempfile.mkdtemp(prefix="hub-pg-", dir=place or ("/tmp" if owner else None)))
    if owner:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    port = free_port()
    shell = subprocess.Popen(
        ["/bin/sh", "-c", SUPERVISOR, "postgres-for-tests", folder, binaries, SUPERUSER, str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={
            "PATH": "/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
        },  # no PG* variable of the developer's reaches the server
        user=owner.pw_uid if owner else None,
        group=owner.pw_gid if owner else None,
        extra_groups=[] if owner else None,
    )
    try:
        cluster = Cluster(port=port, folder=folder, binaries=binaries)
        wait_until_ready(cluster)
        yield cluster
    finally:
        assert shell.stdin is not None
        shell.stdin.close()
        shell.wait(STOP_TIMEOUT_S)


@contextlib.contextmanager
def running_cluster(place: Path | None = None) -> Iterator[Cluster]:
    """Start a server on a free loopback port and stop it afterwards; its folder lies in `place`.

    raises   PostgresAbsent if it is not installed, PostgresDidNotStart after three tries on three ports
             (between choosing a port and using it, somebody else may take it)
    """
    binaries = find_binaries()
    with contextlib.ExitStack() as stack:
        for attempt in range(3):
            try:
                cluster = stack.enter_context(supervised(binaries, place))
                break
            except PostgresDidNotStart:
                if attempt == 2:
                    raise
        yield cluster
