"""The processes that are measured: the hub as it is installed, and the bare handler."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
HUB = [sys.executable, "-m", "hub"]
SELLERS = 8


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


def settings(folder: Path, database: str = "sqlite:///var/hub.db") -> Path:
    """A settings file with one form, no rate limit."""
    config = folder / "config"
    config.mkdir(parents=True, exist_ok=True)
    file = config / "hub.toml"
    file.write_text(
        f'[database]\nurl = "{database}"\n[channels.form]\nplugin = "web_form"\nrate_per_minute = 0\n',
        encoding="utf-8",
    )
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
            wait_for(f"http://127.0.0.1:{port}/readyz")
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


def tree(process: subprocess.Popen[bytes]) -> list[int]:
    """The process and its children: `hub serve` has one beside it."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="utf-8")
    return [process.pid, *map(int, children.split())]


def cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """CPU that a process and its children have used."""
    return sum(_cpu_seconds(pid) for pid in tree(process))


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(process: subprocess.Popen[bytes]) -> float:
    """Resident memory of a process and its children; what they share counts once (Pss)."""
    return sum(_resident_mib(pid) for pid in tree(process))


def _resident_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no Pss")
