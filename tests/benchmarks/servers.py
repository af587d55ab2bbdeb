"""The processes that are measured: the hub as it is installed, and the bare handler."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.postgres_cluster import running_cluster

ROOT = Path(__file__).parents[2]
HUB = [sys.executable, "-m", "hub"]
SELLERS = 8
FORM = '[channels.form]\nplugin = "web_form"\nrate_per_minute = 0\n'


def free_port() -> int:
    """A port of the loopback interface that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(url: str, within_s: float = 20) -> float:
    """Seconds until the address answers."""
    begun = time.perf_counter()
    while time.perf_counter() - begun < within_s:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return time.perf_counter() - begun
        except urllib.error.HTTPError:
            return time.perf_counter() - begun
        except OSError:
            time.sleep(0.005)
    raise TimeoutError(f"{url} does not answer")


def settings(folder: Path, database: str = "sqlite:///var/hub.db", channels: str = FORM) -> Path:
    """A settings file; its channel is a form without a rate limit."""
    config = folder / "config"
    config.mkdir(parents=True, exist_ok=True)
    file = config / "hub.toml"
    file.write_text(f'[database]\nurl = "{database}"\n{channels}', encoding="utf-8")
    return file


def hub_command(folder: Path, *words: str) -> str:
    """Run a command of the hub in a folder; its output."""
    return subprocess.run(
        [*HUB, *words], cwd=folder, check=True, capture_output=True, text=True, env=environment()
    ).stdout


def environment() -> dict[str, str]:
    """Ours, without settings of the hub."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("HUB_")}
    return {**kept, "PYTHONPATH": str(ROOT)}


@dataclass(frozen=True)
class Place:
    """A hub's folder and where it stores; `server` is the process of PostgreSQL."""

    folder: Path
    url: str
    server: int | None = None

    def server_cpu(self) -> float:
        """CPU that the database server has used, 0 for SQLite."""
        return cpu_seconds(self.server) if self.server is not None else 0.0

    def query(self, sql: str) -> Any:
        """One value, read past the hub."""
        if self.server is None:
            with contextlib.closing(sqlite3.connect(self.folder / "var" / "hub.db")) as connection:
                return connection.execute(sql).fetchone()[0]
        with psycopg.connect(self.url.replace("+psycopg", "")) as opened:
            row = opened.execute(sql).fetchone()
            assert row is not None
            return row[0]


@contextlib.contextmanager
def place(database: str = "sqlite", sellers: int = SELLERS, channels: str = FORM) -> Iterator[Place]:
    """A fresh hub with its team, on SQLite or on a PostgreSQL cluster of its own."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hub-bench-")))
        url, server = "sqlite:///var/hub.db", None
        if database == "postgresql":
            cluster = stack.enter_context(running_cluster())
            url = cluster.url(cluster.create_database())
            pid_file = cluster.folder / "pgdata" / "postmaster.pid"
            server = int(pid_file.read_text(encoding="utf-8").split()[0])
        settings(folder, url, channels)
        if server is not None:
            hub_command(folder, "db", "upgrade")
        seed(folder, sellers)
        yield Place(folder, url, server)


def seed(folder: Path, sellers: int = SELLERS) -> None:
    """So many sellers in the team."""
    for number in range(sellers):
        said = json.loads(hub_command(folder, "staff", "add", f"Seller {number}", "--json"))
        assert said["id"]


@contextlib.contextmanager
def serving(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """`hub serve` for the length of a block."""
    with (folder / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            [*HUB, "serve", "--port", str(port)], cwd=folder, stdout=log, stderr=log, env=environment()
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/readyz", within_s=60)
            yield process
        finally:
            stop(process)


@contextlib.contextmanager
def bare(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The bare handler for the length of a block."""
    process = subprocess.Popen([sys.executable, str(Path(__file__).with_name("bare.py")), str(port)])
    try:
        wait_for(f"http://127.0.0.1:{port}/")
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End it, kindly first."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def tree(pid: int) -> list[int]:
    """A process and its children: `hub serve` has one beside it, PostgreSQL one a connection."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8")
    return [pid, *map(int, children.split())]


def cpu_seconds(pid: int) -> float:
    """CPU that a process and its children have used, those that have ended included."""
    return sum(_cpu_seconds(one) for one in tree(pid))


def _cpu_seconds(pid: int) -> float:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:  # ended between the two looks
        return 0.0
    fields = stat.rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def resident_mib(process: subprocess.Popen[bytes]) -> float:
    """Resident memory of a process and its children; what they share counts once (Pss)."""
    return sum(_resident_mib(pid) for pid in tree(process.pid))


def _resident_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no Pss")
