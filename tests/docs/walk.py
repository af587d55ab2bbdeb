"""Runs the shell examples of a document against a hub that serves for real, below a temporary folder."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from hub.kernel.clock import SystemClock
from hub.testing.emulators.nova_poshta import NovaPoshtaEmulator
from tests.conftest import CHECKOUT

ADDRESS = "http://127.0.0.1:8080"
NUMBER = "20450700000002"
BIN = Path(sys.executable).parent
WITHIN_S = 100
SEPARATOR = r"\036"


@dataclass(frozen=True)
class Example:
    """One shell block, and the JSON block that stands right behind it ("" = none)."""

    script: str
    shown: str


def examples(document: str, mark: str) -> list[Example]:
    """The shell blocks of a document that follow the comment `mark`."""
    text = (CHECKOUT / document).read_text(encoding="utf-8")
    pattern = rf"<!-- {mark} -->\n```sh\n(.*?)```\n(?:\n```json\n(.*?)```\n)?"
    return [Example(script, shown or "") for script, shown in re.findall(pattern, text, re.DOTALL)]


@dataclass
class Walk:
    """A folder in which `hub serve` runs. `greeting` is what it said at its start."""

    folder: Path
    address: str
    greeting: str

    async def run(self, found: list[Example]) -> list[str]:
        """Run the blocks in one shell, as a reader would; the output of each. Fails where a command fails."""
        parts = "\n".join(f"printf '{SEPARATOR}'\n{one.script}" for one in found)
        script = f"set -eu -o pipefail\n{parts}".replace(ADDRESS, self.address)
        process = await asyncio.create_subprocess_exec(
            "bash", "-c", script, cwd=self.folder, env=environment(), stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        try:
            async with asyncio.timeout(WITHIN_S):
                out, err = await process.communicate()
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        assert process.returncode == 0, out.decode() + err.decode()
        return out.decode().split("\x1e")[1:]


def environment() -> dict[str, str]:
    """Ours, without settings of a developer's own hub, and with `hub` in the path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    return {**kept, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "NO_PROXY": "127.0.0.1"}


def free_port() -> int:
    """A port of the loopback interface that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def walking(folder: Path) -> AsyncIterator[Walk]:
    """`hub init` and `hub serve`, as `make run` does, on a free port and with an emulated carrier."""
    emulator = NovaPoshtaEmulator(SystemClock(), seconds_per_step=3600)
    emulator.add_parcel(NUMBER, cod_minor=189_900)
    carrier = await emulator.start()
    try:
        await _hub(folder, "init")
        config = folder / "config" / "hub.toml"
        settings = config.read_text(encoding="utf-8")
        assert settings.rstrip().splitlines()[-3:-1] == [
            "[carriers.nova-poshta]",
            'plugin = "nova_poshta"',
        ]
        settings = settings.replace("port = 8080", f"port = {free_port()}")
        config.write_text(f'{settings}base_url = "{carrier}"\n', encoding="utf-8")
        async with _serving(folder) as walk:
            yield walk
    finally:
        await emulator.stop()


async def _hub(folder: Path, *words: str) -> None:
    process = await asyncio.create_subprocess_exec(BIN / "hub", *words, cwd=folder, env=environment())
    assert await process.wait() == 0


@asynccontextmanager
async def _serving(folder: Path) -> AsyncIterator[Walk]:
    with (folder / "serve.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            BIN / "hub", "serve", cwd=folder, env=environment(), stdout=asyncio.subprocess.PIPE, stderr=log
        )
        try:
            greeting = ""
            assert process.stdout is not None
            async with asyncio.timeout(WITHIN_S):
                while "Sign in" not in greeting:
                    line = await process.stdout.readline()
                    assert line, (folder / "serve.log").read_text(encoding="utf-8")
                    greeting += line.decode()
            found = re.search(r"The hub is at (\S+)", greeting)
            assert found is not None, greeting
            yield Walk(folder, found[1], greeting)
        finally:
            if process.returncode is None:
                process.terminate()
            await process.communicate()
