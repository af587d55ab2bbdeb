"""Hubs for tests: one in this process on a free port, and `hub serve` as a process of its own."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
from aiohttp import web
from sqlalchemy.engine import Connection

from hub.access.model import Role
from hub.access.store import add_token
from hub.app import Hub, build_process, open_hub
from hub.assignment.members import join_team
from hub.db.tx import Tx
from hub.kernel.clock import Clock
from hub.opening import CLI
from hub.runtime.process import Process
from hub.settings import Loaded, build
from hub.staff import service as people
from hub.staff import store as staff

HUB = Path(sys.executable).with_name("hub")
FORM: dict[str, Any] = {"plugin": "web_form", "team": "sales", "rate_per_minute": 0}
LONG = os.environ.get("HUB_LONG") == "1"


def settings(
    url: str,
    folder: Path,
    *,
    web_section: Any = None,
    channels: Any = None,
    carriers: Any = None,
    base_url: str = "",
) -> Loaded:
    """Settings of a hub whose files lie below `folder`."""
    return build(
        {
            "hub": {"data_dir": str(folder / "data"), "base_url": base_url},
            "database": {"url": url},
            "web": web_section or {},
            "channels": channels or {"form": dict(FORM)},
            "carriers": carriers or {"np": {"plugin": "nova_poshta", "base_url": "http://127.0.0.1:9/"}},
        },
        folder,
    )


async def until(condition: Callable[[], Any], within_s: float = 10.0, every_s: float = 0.02) -> Any:
    """Wait for a condition (a function, or one that gives an awaitable) and return its value."""
    deadline = time.monotonic() + within_s
    while True:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError("the condition did not come true in time")
        await asyncio.sleep(every_s)


@dataclass
class Running:
    """A hub in this process, with an HTTP client."""

    hub: Hub
    process: Process
    base: str
    http: aiohttp.ClientSession

    async def form(
        self, fields: Any = None, *, account: str = "form", key: str | None = None, **more: Any
    ) -> tuple[int, Any]:
        """Post one form as JSON; (status, parsed answer)."""
        headers = {"Idempotency-Key": key, **more.pop("headers", {})} if key else more.pop("headers", {})
        if fields is not None:
            more["json"] = fields
        async with self.http.post(f"{self.base}/in/{account}", headers=headers, **more) as answer:
            return answer.status, await answer.json(content_type=None)

    async def api(
        self, method: str, path: str, token: str, body: Any = None, **headers: str
    ) -> tuple[int, Any]:
        """Call the API; header names with _ for -."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.http.request(
            method,
            f"{self.base}/api/v1{path}",
            json=body,
            headers={"Authorization": f"Bearer {token}", **named},
        ) as answer:
            return answer.status, await answer.json(content_type=None)

    def rows(self, sql: str, **parameters: Any) -> list[Any]:
        """Read past the hub's own statements."""
        from sqlalchemy import text

        def read(conn: Connection) -> list[Any]:
            return [tuple(row) for row in conn.execute(text(sql), parameters)]

        return self.hub.db.read_now(read)

    def one(self, sql: str, **parameters: Any) -> Any:
        """The only value of the only row."""
        [(value,)] = self.rows(sql, **parameters)
        return value

    def person(self, name: str, **how: Any) -> int:
        """A member of the team `sales`; the id."""
        return self.hub.db.write_now(lambda tx: add_person(tx, name, **how))

    def token(self, role: str, staff_id: int | None = None, name: str = "test") -> str:
        """A bearer token."""
        return self.hub.db.write_now(lambda tx: add_token(tx, name, Role(role), staff_id)[1])


def add_person(
    tx: Tx, name: str, *, role: str = "seller", team: str = "sales", share: int = 1, limit: int | None = None
) -> int:
    """A person in a team."""
    staff_id = people.add_person(tx, name, [role], "")
    join_team(tx, CLI, staff.team_by_name(tx.conn, team).id, staff_id, share, limit)
    return staff_id


@asynccontextmanager
async def running(
    url: str,
    folder: Path,
    *,
    web_section: Any = None,
    channels: Any = None,
    carriers: Any = None,
    extra: Iterable[tuple[str, ModuleType]] = (),
    clock: Clock | None = None,
    ticks: bool = True,
    people_named: Sequence[str] = (),
    base_url: str = "",
) -> AsyncIterator[Running]:
    """A hub on a free port. `ticks` False: nothing runs in the background but the parser."""
    loaded = settings(
        url, folder, web_section=web_section, channels=channels, carriers=carriers, base_url=base_url
    )
    hub = open_hub(loaded, clock=clock, extra=extra)
    try:
        process, app = build_process(hub)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        if ticks:
            process.start()
        else:
            process.door.start()
        base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(30)) as session:
            one = Running(hub, process, base, session)
            for name in people_named:
                one.person(name)
            yield one
        await runner.cleanup()
        await process.stop()
    finally:
        await asyncio.to_thread(hub.close)


class Served:
    """`hub serve` as a process, on a port of its own, with settings below `folder`."""

    def __init__(
        self,
        url: str,
        folder: Path,
        *,
        name: str = "hub",
        more: str = "",
        hub: str = "",
        data: Path | None = None,
        role: str = "all",
        flags: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.role = role
        self.flags = flags
        self.config = folder / "config" / f"{name}.toml"
        self.config.parent.mkdir(exist_ok=True)
        self.config.write_text(
            f'[hub]\ndata_dir = "{data or folder / "data"}"\n{hub}[database]\nurl = "{url}"\n[web]\nport = 0\n{more}'
            '[channels.form]\nplugin = "web_form"\nteam = "sales"\nrate_per_minute = 0\n',
            encoding="utf-8",
        )
        self.log = folder / f"{name}.log"
        self.process: subprocess.Popen[str] | None = None
        self.base = ""
        self.starts = 0

    def start(self) -> None:
        """Start it and wait until it says where it is."""
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [HUB, "serve", "--role", self.role, "--config", self.config, *self.flags],
                stdout=subprocess.PIPE, stderr=log, text=True, env=environment(),
            )  # fmt: skip
        assert self.process.stdout is not None
        self.starts += 1
        for line in self.process.stdout:
            found = re.match(r"The (?:hub|worker) is at (\S+)", line)
            if found:
                self.base = found[1]
                return
        raise AssertionError(f"hub serve ended: {self.log.read_text()[-3000:]}")

    def kill(self) -> None:
        """kill -9, if it still runs."""
        self._end(signal.SIGKILL)

    def stop(self, within_s: float = 15.0) -> int:
        """SIGTERM; the exit code."""
        return self._end(signal.SIGTERM, within_s)

    def _end(self, number: signal.Signals, within_s: float = 10.0) -> int:
        process, self.process = self.process, None
        if process is None:
            return 0
        assert process.stdout is not None
        process.send_signal(number)
        try:
            return process.wait(within_s)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()

    def command(self, *words: str | Path) -> "subprocess.CompletedProcess[str]":
        """Run a command of the hub beside it."""
        return command(*words, "--config", self.config)


def environment() -> dict[str, str]:
    """Ours, without settings of the developer's own hub."""
    return {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}


def command(*words: str | Path, timeout_s: float = 40.0) -> "subprocess.CompletedProcess[str]":
    """Run a command of the hub."""
    return subprocess.run(
        [HUB, *words], capture_output=True, text=True, timeout=timeout_s, check=False, env=environment()
    )


def phone(number: int) -> str:
    """A Ukrainian telephone of its own for each number."""
    return f"+38067{number % 10_000_000:07d}"
