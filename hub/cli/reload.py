"""`hub serve --reload-plugins`: a new process whenever a file of `plugins_dir` has changed, and no message lost.

Why a new process and not new modules in the old one: Python cannot take a module back. Classes live on in
listeners, threads and registries, and the scribe is a fork with a copy of its own; a half-reloaded plugin
shows mistakes that nobody has made. A start takes a second or two.

Nothing is lost meanwhile because the port never closes. This process owns the listening socket and hands it
to each child. What comes in between waits in the socket's queue; what the old child has read, it stores and
answers before it ends; what it has not read is not answered, and its sender tries again.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

import click

from hub.cli.frame import fail
from hub.kernel.errors import InputRejected
from hub.settings import Loaded

LOOK_S = 0.3
STOP_WITHIN_S = 20.0
BACKLOG = 1024

Snapshot = frozenset[tuple[str, int, int]]


def serve_reloading(loaded: Loaded, host: str | None, port: int | None, arguments: Sequence[str]) -> None:
    """Until SIGTERM or SIGINT, or until the hub ends by itself. `arguments`: those of each `hub serve`."""
    folder = loaded.plugins_folder()
    if folder is None or not folder.is_dir():
        raise InputRejected("--reload-plugins watches the folder [hub] plugins_dir: name one that is there")
    section = loaded.settings.web
    listening = listen(host or section.host, section.port if port is None else port)
    with listening:
        command = [sys.executable, "-m", "hub", "serve", *arguments, "--listen-fd", str(listening.fileno())]
        sys.exit(Keeper(command, listening.fileno(), lambda: snapshot(folder)).run())


def listen(host: str, port: int) -> socket.socket:
    """The socket that outlives the children."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        fail(f"cannot listen on {host}:{port}: {error.strerror}; choose another with --port or [web] port")


def snapshot(folder: Path) -> Snapshot:
    """Every file that may matter, with its time and size."""
    found = set()
    for file in folder.rglob("*"):
        if "__pycache__" in file.parts or any(
            part.startswith(".") for part in file.relative_to(folder).parts
        ):
            continue
        try:
            state = file.stat()
        except OSError:
            continue  # gone while we look
        if file.is_file():
            found.add((str(file), state.st_mtime_ns, state.st_size))
    return frozenset(found)


class Keeper:
    """Keeps one child; takes a new one after a change."""

    def __init__(self, command: Sequence[str], descriptor: int, look: Callable[[], Snapshot]) -> None:
        self._command = command
        self._descriptor = descriptor
        self._look = look
        self._stopping = False
        self._child = self._start()

    def run(self) -> int:
        """The exit code of the last child."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        known = self._look()
        while not self._stopping:
            code = self._child.poll()
            if code is not None:
                return code  # it refused to start, or somebody ended it: it has said why
            time.sleep(LOOK_S)
            known = self._renew(known)
        return self._end()

    def _renew(self, known: Snapshot) -> Snapshot:
        """A new child where something has changed and, for one look, no longer changes."""
        seen = self._look()
        if seen == known or self._stopping:
            return known
        while (again := self._look()) != seen:
            seen = again
            time.sleep(LOOK_S)
        changed = sorted({Path(path).name for path, _, _ in seen ^ known})
        click.echo(f"Plugins changed ({', '.join(changed[:3])}): starting again")
        self._end()
        if not self._stopping:
            self._child = self._start()
        return seen

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, pass_fds=(self._descriptor,))  # noqa: S603 - our own command

    def _end(self) -> int:
        """Let the child finish what it has begun."""
        self._child.terminate()
        try:
            return self._child.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            return self._child.wait()

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True
