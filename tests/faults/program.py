"""Breaks things at random moments under load. Each fault ends by itself; the next comes a moment later.

kill        kill -9 of a hub, started again
kill_scribe kill -9 of its writing process alone
freeze      SIGSTOP of a hub for up to three seconds
cut         every connection to PostgreSQL is closed at once
answer      the answer of a COMMIT is swallowed, or the COMMIT itself, or it arrives late
slow        every byte to and from PostgreSQL takes 40 ms longer for a while
restart     PostgreSQL is stopped where it stands and started again
full        the disk of the database is full for a while (a small tmpfs; needs the right to mount)
clock       the hubs' clock jumps by up to 90 s and back
"""

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tests.faults.judge import Verdict, judge
from tests.faults.load import Customers, Receiver
from tests.integration import ledger_audit
from tests.integration.hubs import Served, command, until
from tests.integration.tcp_proxy import Proxy
from tests.postgres_cluster import Cluster, running_cluster, unprivileged_user

CUSTOMERS = 12
SECRET = "a-secret-of-the-receiver"
SMALL_MIB = 192
PATIENCE_S = 120.0
Fault = Callable[["Stage"], Awaitable[None]]


SHIM = """
import time
_time, _time_ns, _file = time.time, time.time_ns, {file!r}

def _offset():
    with open(_file, encoding="ascii") as told:
        return int(told.read() or 0)

time.time = lambda: _time() + _offset()
time.time_ns = lambda: _time_ns() + _offset() * 1_000_000_000
"""


class TimedHub(Served):
    """A hub whose wall clock a file moves: Python reads a `sitecustomize` of this run before the hub begins."""

    shim: Path | None = None

    def start(self) -> None:
        """With the shim in front."""
        before = os.environ.get("PYTHONPATH")
        if self.shim is not None:
            os.environ["PYTHONPATH"] = str(self.shim)
        try:
            super().start()
        finally:
            os.environ.pop("PYTHONPATH", None)
            if before is not None:
                os.environ["PYTHONPATH"] = before


@dataclass
class Stage:
    """What the faults may touch."""

    chance: random.Random
    hubs: list[TimedHub]
    folder: Path
    cluster: Cluster | None = None
    proxy: Proxy | None = None
    clock: Path | None = None
    happened: Counter[str] = field(default_factory=Counter)

    def hub(self) -> TimedHub:
        """Any of them."""
        return self.chance.choice(self.hubs)

    def postgres(self, *words: str) -> None:
        """pg_ctl, as the user that owns the cluster."""
        assert self.cluster is not None
        owner = unprivileged_user()
        subprocess.run(
            [self.cluster.binaries / "pg_ctl", *words, "-D", self.cluster.folder / "pgdata"],
            check=True, capture_output=True, timeout=60, stdin=subprocess.DEVNULL,
            user=owner.pw_uid if owner else None, group=owner.pw_gid if owner else None,
            extra_groups=[] if owner else None, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        )  # fmt: skip

    def start_postgres(self) -> None:
        """Start it, and wait until it answers."""
        assert self.cluster is not None
        options = (
            f"-p {self.cluster.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.cluster.folder}"
            " -c max_connections=60 -c log_min_messages=error"
        )
        self.postgres("start", "-w", "-l", str(self.cluster.folder / "log"), "-o", options)


async def kill(stage: Stage) -> None:
    """The process, and all that it has in memory."""
    hub = stage.hub()
    await asyncio.to_thread(hub.kill)
    await asyncio.to_thread(hub.start)


async def kill_scribe(stage: Stage) -> None:
    """Its writing process; the hub goes on alone and is started anew later."""
    hub = stage.hub()
    assert hub.process is not None
    for child in await asyncio.to_thread(_children, hub.process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    await asyncio.sleep(stage.chance.uniform(0.5, 1.5))
    assert await asyncio.to_thread(hub.stop, 30) == 0
    await asyncio.to_thread(hub.start)


def _children(pid: int) -> list[int]:
    told = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(child) for child in told.split()]


async def freeze(stage: Stage) -> None:
    """It sleeps and does not know."""
    hub = stage.hub()
    assert hub.process is not None
    hub.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(stage.chance.uniform(0.3, 3))
    hub.process.send_signal(signal.SIGCONT)


async def cut(stage: Stage) -> None:
    """All lines at once."""
    assert stage.proxy is not None
    stage.proxy.cut()


async def answer(stage: Stage) -> None:
    """Nobody knows whether it was written."""
    assert stage.proxy is not None
    stage.proxy.once(b"COMMIT", stage.chance.choice(["swallow", "drop", "delay"]))
    await asyncio.sleep(1.5)


async def slow(stage: Stage) -> None:
    """A bad line."""
    assert stage.proxy is not None
    stage.proxy.lag_s = 0.04
    await asyncio.sleep(stage.chance.uniform(1, 3))
    stage.proxy.lag_s = 0.0


async def restart(stage: Stage) -> None:
    """Stopped where it stands, and started again."""
    await asyncio.to_thread(stage.postgres, "stop", "-m", "immediate")
    await asyncio.sleep(stage.chance.uniform(0, 2))
    await asyncio.to_thread(stage.start_postgres)


async def full(stage: Stage) -> None:
    """Somebody else took all the room, and gives it back."""
    ballast = stage.folder / "ballast"
    await asyncio.to_thread(_fill, ballast)
    await asyncio.sleep(stage.chance.uniform(1, 3))
    ballast.unlink()
    if stage.cluster is not None:  # what finds no room for its log stops by itself
        with contextlib.suppress(subprocess.CalledProcessError):
            await asyncio.to_thread(stage.postgres, "status")
            return
        await asyncio.to_thread(stage.start_postgres)


def _fill(ballast: Path) -> None:
    with contextlib.suppress(OSError), ballast.open("wb") as file:
        while True:
            file.write(bytes(1 << 20))
            file.flush()


async def clock(stage: Stage) -> None:
    """Forward or back, and home again."""
    assert stage.clock is not None
    jump = stage.chance.choice((-1, 1)) * stage.chance.randint(5, 90)
    stage.clock.write_text(str(jump), encoding="ascii")
    await asyncio.sleep(stage.chance.uniform(0.5, 2))
    stage.clock.write_text("0", encoding="ascii")


ANYWHERE: dict[str, Fault] = {"kill": kill, "kill_scribe": kill_scribe, "freeze": freeze, "clock": clock}
POSTGRESQL: dict[str, Fault] = {"cut": cut, "answer": answer, "slow": slow, "restart": restart}


@dataclass
class Report:
    """What one run came to."""

    database: str
    happened: Counter[str]
    acknowledged: int
    answers: Counter[str]
    verdict: Verdict
    minutes: float

    def lines(self) -> Iterator[str]:
        """For people."""
        faults = sum(self.happened.values())
        yield f"{self.database}: {faults} faults survived in {self.minutes:.1f} min, {self.acknowledged} acknowledged"
        yield "  faults    " + ", ".join(f"{name} {count}" for name, count in sorted(self.happened.items()))
        yield "  answers   " + ", ".join(f"{name} {count}" for name, count in sorted(self.answers.items()))
        found = self.verdict
        counts = {"lost": len(found.lost), "doubled": len(found.doubled), "wrong": len(found.wrong)}
        yield (
            "  "
            + ", ".join(f"{name} {count}" for name, count in counts.items())
            + f", uncertain {found.uncertain}"
        )
        yield f"  events heard again under their id: {found.repeated_events}"
        for problem in (*found.lost, *found.doubled, *found.wrong)[:20]:
            yield f"  ! {problem}"


async def run(
    database: str,
    *,
    faults: int,
    kills: int,
    seed: int = 1,
    hubs: int = 3,
    only: str = "",
    customers: int = CUSTOMERS,
    receiver_fails: float = 0.03,
    loud: bool = False,
) -> Report:
    """One run from start to verdict. `kills` of the faults are kill -9."""
    began = time.monotonic()
    chance = random.Random(seed)
    with _stage(database, chance, hubs) as (stage, url, available):
        receiver = Receiver(chance, receiver_fails)
        await receiver.start()
        try:
            token = await people(stage.hubs[0])
            await _listen(stage.hubs[0], token, receiver)
            crowd = Customers([hub.base for hub in stage.hubs], chance)
            load = asyncio.create_task(crowd.run(customers))
            chosen = {"kill": kill, only: available[only]} if only else available
            for name in plan(chance, chosen, faults, kills):
                await _some_answers(crowd, load)
                if loud:
                    print(f"{sum(stage.happened.values()) + 1}. {name}", flush=True)
                await available[name](stage)
                stage.happened[name] += 1
                crowd.bases[:] = [hub.base for hub in stage.hubs]
            await _some_answers(crowd, load)
            crowd.stopping.set()
            await load
            await until(lambda: at_rest(url), 120, 0.5)
            for hub in stage.hubs:
                assert await asyncio.to_thread(hub.stop, 30) == 0
                assert "Traceback" not in hub.log.read_text(), hub.log
            verdict = await asyncio.to_thread(judge, url, crowd.acknowledged, receiver.heard, crowd.answers)
            verdict.lost += [f"{key}: never answered" for key in crowd.unanswered]
        finally:
            await receiver.stop()
    minutes = (time.monotonic() - began) / 60
    return Report(database, stage.happened, len(crowd.acknowledged), crowd.answers, verdict, minutes)


def plan(chance: random.Random, available: dict[str, Fault], faults: int, kills: int) -> list[str]:
    """Kills are given; the others come equally often, in any order."""
    others = [name for name in available if name != "kill"]
    plan = ["kill"] * kills + [others[at % len(others)] for at in range(faults - kills)]
    chance.shuffle(plan)
    return plan


async def _some_answers(customers: Customers, load: "asyncio.Task[None]") -> None:
    """The next fault comes in the middle of the stream, not before it."""
    answered = customers.answers["acknowledged"]

    def streams() -> bool:
        assert not load.done(), load.exception()
        return customers.answers["acknowledged"] >= answered + 15

    await until(streams, PATIENCE_S)
    await asyncio.sleep(customers.chance.uniform(0, 0.3))


def at_rest(url: str) -> bool:
    waiting = "SELECT count(*) FROM outbox WHERE next_try_at IS NOT NULL"
    return ledger_audit.query(url, waiting) == [(0,)]


async def people(hub: Served) -> str:
    """Three sellers, and the token of somebody who may do everything."""
    for name in ("Ann", "Bob", "Eve"):
        assert (await asyncio.to_thread(hub.command, "staff", "add", name)).returncode == 0
    made = await asyncio.to_thread(
        hub.command, "token", "add", "faults", "--role", "admin", "--staff", "Ann", "--json"
    )
    token: str = json.loads(made.stdout)["token"]
    return token


async def _listen(hub: Served, token: str, receiver: Receiver) -> None:
    """A program that wants to know of each request."""
    body = {"url": receiver.address, "secret": SECRET, "events": ["request.created"]}
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session,
        session.post(f"{hub.base}/api/v1/webhooks", json=body) as answered,
    ):
        assert answered.status == 201, await answered.text()


@contextlib.contextmanager
def _stage(
    database: str, chance: random.Random, hubs: int
) -> "Iterator[tuple[Stage, str, dict[str, Fault]]]":
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hub-faults-")))
        folder.chmod(0o755)
        small = small_disk(stack, folder)
        available = dict(ANYWHERE)
        if small is not None:
            available["full"] = full
        place = small or folder
        cluster = proxy = None
        if database == "postgresql":
            cluster = stack.enter_context(running_cluster(small))
            proxy = Proxy(cluster.port)
            stack.callback(proxy.close)
            url = cluster.url(cluster.create_database())
            seen = url.replace(f":{cluster.port}/", f":{proxy.port}/")
            available |= POSTGRESQL
        else:
            hubs = 1
            seen = url = f"sqlite:///{place / 'hub.db'}"
        shim = folder / "shim"
        shim.mkdir()
        (clock_file := shim / "seconds").write_text("0", encoding="ascii")
        (shim / "sitecustomize.py").write_text(SHIM.format(file=str(clock_file)), encoding="utf-8")
        served = []
        for number in range(hubs):
            (own := folder / str(number)).mkdir()
            one = TimedHub(seen, own, name=f"hub{number}", more="webhooks_private = true\n")
            one.shim = shim
            key = one.config.with_name("secret.key")
            key.write_text("k" * 44, encoding="ascii")
            key.chmod(0o600)
            served.append(one)
            stack.callback(one.kill)
        if cluster is not None:
            upgraded = command("db", "upgrade", "--config", served[0].config)
            assert upgraded.returncode == 0, upgraded.stderr
        for one in served:
            one.start()
        yield Stage(chance, served, place, cluster, proxy, clock_file), url, available


def small_disk(stack: contextlib.ExitStack, folder: Path, mib: int = SMALL_MIB) -> Path | None:
    """A tmpfs that can be filled; None where we may not mount."""
    place = folder / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=1777", "none", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        return None
    stack.callback(subprocess.run, ["umount", "-l", str(place)], check=False)
    return place
