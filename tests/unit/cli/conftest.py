"""The command line, run in this process: settings in a folder of the test's own."""

import asyncio
import json
import logging
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner

from hub.cli import main
from hub.kernel.clock import SystemClock
from hub.testing.emulators.carrier_server import CarrierServer
from hub.testing.emulators.nova_poshta import NovaPoshtaEmulator


@dataclass
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, which must be JSON and nothing else."""
        return json.loads(self.out)


class Shop:
    """A folder with starter settings, in which commands run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = folder / "config" / "hub.toml"

    def hub(self, *words: str, code: int = 0) -> Ran:
        """Run one command and hold it to its exit code; a traceback is never right."""
        ran = CliRunner().invoke(main, list(words))
        if ran.exception is not None and not isinstance(ran.exception, SystemExit):
            raise AssertionError(f"hub {' '.join(words)} ended in a traceback") from ran.exception
        assert ran.exit_code == code, (words, ran.exit_code, ran.stdout, ran.stderr)
        if code:
            assert (ran.stdout + ran.stderr).strip(), "a refusal says what to do"
        return Ran(ran.exit_code, ran.stdout, ran.stderr)

    def write(self, text: str) -> None:
        """Replace the settings."""
        self.settings.write_text(text, encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """An empty folder, which is where commands run."""
    monkeypatch.chdir(tmp_path)
    # The commands' own set-up keeps a logger for the process; here each test has a stderr of its own.
    monkeypatch.setattr("hub.cli.logs.set_up_logs", lambda **_: None)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield Shop(tmp_path)
    structlog.reset_defaults()


@pytest.fixture
def shop(folder: Shop, migrated_file: Path) -> Shop:
    """A folder after `hub init`, with a database."""
    folder.hub("init")
    (folder.folder / "var").mkdir()
    shutil.copy(migrated_file, folder.folder / "var" / "hub.db")
    return folder


@contextmanager
def in_a_thread(emulator: CarrierServer) -> Iterator[str]:
    """An emulated carrier on loopback, in a thread: commands have an event loop of their own. Its address."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield asyncio.run_coroutine_threadsafe(emulator.start(), loop).result(10)
    asyncio.run_coroutine_threadsafe(emulator.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture
def nova_poshta() -> Iterator[tuple[NovaPoshtaEmulator, str]]:
    """The emulated Nova Poshta, and its address."""
    emulator = NovaPoshtaEmulator(SystemClock(), seconds_per_step=3600, first_sight="not_found")
    with in_a_thread(emulator) as address:
        yield emulator, address
