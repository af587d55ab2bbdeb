"""python -m tests.faults.channels --deliveries 10000 --faults 100 --seed 1

Four channels into one `hub serve` with its scribe, while things break: mail through a real Dovecot, Telegram and Viber
through their emulators, web forms over HTTP. `senders` has what is spoiled on its way, `judge` what must hold.

kill         kill -9 of the hub, started again         kill_scribe  of its writing process alone
freeze       SIGSTOP for up to three seconds           full         the disk is full for a while (needs root)
cut          all lines of one side are cut at once     slow         a line takes 40 ms longer for a while
flaky        the next calls to a provider fail         kick         Dovecot ends all sessions
renumber     Dovecot starts again with a new UIDVALIDITY over the same mails
away         with `--store bucket`: the storage of large bodies and files is away for up to four seconds
"""

import argparse
import asyncio
import contextlib
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from hub.testing.emulators.serving import LineFault
from hub.testing.emulators.telegram import TelegramEmulator
from hub.testing.emulators.viber import ViberEmulator
from tests.dovecot_server import Dovecot, running_dovecot
from tests.faults import program
from tests.faults.judge import WORD, Verdict, judge_channels
from tests.faults.program import TimedHub, people, small_disk
from tests.faults.senders import Customers, Told
from tests.integration import ledger_audit
from tests.integration.hubs import until
from tests.integration.tcp_proxy import Proxy
from tests.s3_server import S3, running_s3

PATIENCE_S = 240.0
NOWHERE = 9
BUCKET = "hub"
BLOBS = """
[blobs]
url = "s3://hub/shop"
endpoint = "http://127.0.0.1:{blobs}"
access_key_id = "A"
secret_access_key = "B"
timeout_s = 2
"""
SETTINGS = """
[channels.mail]
plugin = "email"
address = "{mail}"
password = "{password}"
imap_host = "127.0.0.1"
imap_port = {imap}
imap_security = "none"
poll_s = 5
[channels.bot]
plugin = "telegram"
token = "{token}"
base_url = "http://127.0.0.1:{telegram}"
[channels.shop-viber]
plugin = "viber"
token = "{viber_token}"
sender_name = "Shop"
base_url = "http://127.0.0.1:{viber}"
"""


@dataclass
class Town(program.Stage):
    """What the faults may touch, besides the hub: four lines and who stands at their other ends."""

    lines: dict[str, Proxy] = field(default_factory=dict)
    telegram: TelegramEmulator = field(default_factory=TelegramEmulator)
    viber: ViberEmulator = field(default_factory=ViberEmulator)
    dovecot: Dovecot | None = None
    s3: S3 | None = None
    url: str = ""
    kills: list[float] = field(default_factory=list)
    full: list[tuple[float, float]] = field(default_factory=list)
    small: bool = False
    broken: int = 0  # calls to providers whose answer may have been lost

    def faults(self) -> "dict[str, Fault]":
        """Those that this town can have."""
        more = {"full": full} if self.small else {}
        return {**FAULTS, **more, **({"away": away} if self.s3 is not None else {})}

    def fetch(self, name: str) -> bytes | None:
        """A blob, past the hub."""
        if self.s3 is not None:
            return self.s3.find(BUCKET, f"shop/{name}/")
        path = self.folder / "data" / "blobs" / name[:2] / name[2:4] / name
        return path.read_bytes() if path.exists() else None

    def lead(self) -> None:
        """The front leads to the hub, wherever it listens now."""
        self.lines["front"].target = int(self.hubs[0].base.rpartition(":")[2])


Fault = Callable[[Town], Awaitable[None]]


async def kill(town: Town) -> None:
    """The process, and all that it has in memory."""
    town.kills.append(time.monotonic())
    await program.kill(town)


async def full(town: Town) -> None:
    """The disk; counters in memory wait for room."""
    begun = time.monotonic()
    await program.full(town)
    town.full.append((begun, time.monotonic()))


async def cut(town: Town) -> None:
    """All lines of one side."""
    name = town.chance.choice(sorted(town.lines))
    town.broken += name in ("telegram", "viber")
    town.lines[name].cut()


async def slow(town: Town) -> None:
    """A bad line."""
    line = town.lines[town.chance.choice(sorted(town.lines))]
    line.lag_s = 0.04
    await asyncio.sleep(town.chance.uniform(0.5, 2))
    line.lag_s = 0.0


async def flaky(town: Town) -> None:
    """The next calls fail; the answer of the last one is lost."""
    emulator = town.telegram if town.chance.random() < 0.5 else town.viber
    kinds: tuple[LineFault, ...] = ("http_500", "half_body", "html", "http_429", "lost_answer")
    for kind in kinds:
        emulator.fail_next(1, kind)
    town.broken += len(kinds)  # of none of them a sender knows for certain
    await asyncio.sleep(0)


async def kick(town: Town) -> None:
    """An administrator ends all sessions."""
    assert town.dovecot is not None
    await asyncio.to_thread(town.dovecot.kick)


async def renumber(town: Town) -> None:
    """The server is restored from somewhere."""
    assert town.dovecot is not None
    await asyncio.to_thread(town.dovecot.renumber)


async def away(town: Town) -> None:
    """Nobody is at the other end of the line to the storage."""
    assert town.s3 is not None
    line = town.lines["blobs"]
    line.target = NOWHERE
    line.cut()
    await asyncio.sleep(town.chance.uniform(1, 4))
    line.target = town.s3.port


FAULTS: dict[str, Fault] = {
    "kill": kill, "kill_scribe": program.kill_scribe, "freeze": program.freeze, "cut": cut, "slow": slow,
    "flaky": flaky, "kick": kick, "renumber": renumber,
}  # fmt: skip


@dataclass
class Report:
    """What one run came to."""

    deliveries: int
    happened: Counter[str]
    told: Told
    replies: int
    kills: int
    verdict: Verdict
    minutes: float

    def lines(self) -> Iterator[str]:
        """For people."""
        faults, found = sum(self.happened.values()), self.verdict
        yield f"{self.deliveries} deliveries over four channels, {faults} faults, {self.minutes:.1f} min"
        yield "  faults    " + _listed(self.happened)
        yield "  spoiled   " + _listed(self.told.kinds)
        for account, words in sorted(self.told.handed.items()):
            yield f"  {account:<11}{len(words)} handed over; calls: {_listed(self.told.answers[account])}"
        yield (
            f"  lost {len(found.lost)}, doubled {len(found.doubled)}, wrong {len(found.wrong)};"
            f" {self.replies} replies, uncertain {found.uncertain_by_kill} after {self.kills} kills"
            f" and {found.uncertain - found.uncertain_by_kill} after lost answers; {found.blobs} blobs"
        )
        for problem in (*found.lost, *found.doubled, *found.wrong)[:20]:
            yield f"  ! {problem}"


def _listed(counted: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counted.items())) or "-"


async def run(
    deliveries: int,
    faults: int,
    seed: int = 1,
    only: str = "",
    *,
    seller_rests_s: float = 0.0,
    store: str = "folder",
    minutes: float = 1e9,
    loud: bool = False,
) -> Report:
    """One run from start to verdict. The faults come at even distances of what was handed over.

    seller_rests_s  between two answers: a kill that meets one costs a minute, until its lease is over
    store           folder or bucket: where large bodies and files lie
    minutes         after so long the rest of the faults and deliveries is let go
    """
    began = time.monotonic()
    chance = random.Random(seed)
    async with _town(chance, deliveries, store) as town:
        told = Told(full=town.full)
        token = await people(town.hubs[0])
        front = f"http://127.0.0.1:{town.lines['front'].port}"
        assert town.dovecot is not None
        crowd = Customers(told, chance, front, town.telegram, town.viber, town.dovecot)
        load = asyncio.create_task(crowd.run(deliveries))
        over = asyncio.Event()
        seller = asyncio.create_task(_seller(town, token, over, seller_rests_s))
        try:
            available = town.faults()
            names = only.split(",") if only else list(available)
            planned = [names[at % len(names)] for at in range(faults)]
            chance.shuffle(planned)
            for number, name in enumerate(planned, 1):
                if crowd.stopping:
                    break
                crowd.limit = (number + 1) * deliveries // (faults + 1)
                await _reached(told, number * deliveries // (faults + 1), load)
                if loud:
                    print(f"{number}. {name} after {told.count} deliveries", flush=True)
                await available[name](town)
                town.lead()
                town.happened[name] += 1
                crowd.stopping = time.monotonic() - began > minutes * 60
            crowd.limit = sys.maxsize
            await load
            await until(lambda: _all_there(town.url, told), PATIENCE_S, 0.5)
            over.set()
            replies = await seller
            await until(lambda: _answers_left(town.url), PATIENCE_S, 0.5)
        except AssertionError as late:  # the judge says what did not come
            told.odd.append(f"it came to no rest: {late}")
            over.set()
            replies = await seller
        finally:
            for task in (load, seller):
                task.cancel()
        assert await asyncio.to_thread(town.hubs[0].stop, 30) == 0
        log = town.hubs[0].log.read_text()
        assert "Traceback" not in log, log[-5000:]
        told.answers["shop-viber"]["open"] += town.viber.calls.count(
            "set_webhook"
        )  # each is called back once
        verdict = await asyncio.to_thread(
            judge_channels, town.url, told, _arrived(town), town.kills, town.broken, town.fetch
        )
    took = (time.monotonic() - began) / 60
    return Report(told.count, town.happened, told, replies, len(town.kills), verdict, took)


async def _reached(told: Told, count: int, load: "asyncio.Task[None]") -> None:
    """The next fault comes in the middle of the stream, not before it."""
    deadline = time.monotonic() + PATIENCE_S
    while told.count < count and not load.done():
        assert time.monotonic() < deadline, f"{told.count} of {count} deliveries are handed over"
        await asyncio.sleep(0.02)
    if load.done():
        load.result()


def _all_there(url: str, told: Told) -> bool:
    """Everything that lies at a provider was fetched; nothing waits to be understood."""
    found = dict(
        ledger_audit.query(
            url, "SELECT account, count(*) FROM message WHERE direction = 'in' GROUP BY account"
        )
    )
    [(waiting,)] = ledger_audit.query(url, "SELECT count(*) FROM delivery WHERE next_try_at IS NOT NULL")
    return not waiting and all(found.get(name, 0) >= len(words) for name, words in told.handed.items())


def _answers_left(url: str) -> bool:
    waiting = "SELECT count(*) FROM outbox WHERE lane = 'reply' AND next_try_at IS NOT NULL"
    return ledger_audit.query(url, waiting) == [(0,)]


def _arrived(town: Town) -> Counter[str]:
    """Our replies, as the emulators got them."""
    texts = [sent[1].get("text", "") for sent in town.telegram.sent] + [
        m.get("text", "") for m in town.viber.sent
    ]
    return Counter(word for text in texts for word in WORD.findall(text))


async def _seller(town: Town, token: str, over: asyncio.Event, rests_s: float) -> int:
    """Answers one chat after the other, each once, until it is `over`; how many answers."""
    number = 0
    answered: set[int] = set()
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
        while not over.is_set():
            rows = await asyncio.to_thread(_unanswered, town.url, answered)
            if not rows:
                await asyncio.sleep(0.3)
                continue
            request_id = town.chance.choice(rows)
            answered.add(request_id)
            number += 1
            word = f"R{number:06d}"
            await _answer(session, town, request_id, word)
            with contextlib.suppress(
                AssertionError
            ):  # what a kill left open is settled when its lease is over
                await until(lambda word=word: _has_left(town.url, word), 3, 0.05)  # type: ignore[misc]
            await asyncio.sleep(rests_s)
    return number


def _unanswered(url: str, answered: set[int]) -> list[int]:
    sql = (
        "SELECT DISTINCT request_id FROM message WHERE account IN ('bot', 'shop-viber') AND direction = 'in'"
    )
    with contextlib.suppress(Exception):  # a file that is being recovered: look again later
        return [one for (one,) in ledger_audit.query(url, sql) if one not in answered]
    return []


async def _answer(session: aiohttp.ClientSession, town: Town, request_id: int, word: str) -> None:
    """Until the hub says that it has it; the key keeps it one."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with contextlib.suppress(TimeoutError, aiohttp.ClientError, ConnectionError, ValueError):
            async with session.post(
                f"http://127.0.0.1:{town.lines['front'].port}/api/v1/requests/{request_id}/messages",
                json={"text": f"так, {word}"}, headers={"Idempotency-Key": word}, timeout=aiohttp.ClientTimeout(20),
            ) as told:  # fmt: skip
                if told.status == 201:
                    return
                assert told.status in (409, 429, 503), await told.text()
        await asyncio.sleep(0.2)
    raise AssertionError(f"the reply {word} was not taken in time")


def _has_left(url: str, word: str) -> bool:
    sql = f"SELECT state FROM message WHERE direction = 'out' AND body LIKE '%{word}'"
    with contextlib.suppress(Exception):
        return any(state != "sending" for (state,) in ledger_audit.query(url, sql))
    return False


@contextlib.asynccontextmanager
async def _town(chance: random.Random, deliveries: int, store: str) -> AsyncIterator[Town]:
    async with contextlib.AsyncExitStack() as outer:
        stack = outer.enter_context(contextlib.ExitStack())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hub-channels-")))
        small = small_disk(stack, folder, 96 + deliveries // 25)
        telegram, viber = TelegramEmulator(hang_s=2.0), ViberEmulator(retry_s=0.05, max_tries=4, receipts=())
        for emulator in (telegram, viber):
            await emulator.start()
            outer.push_async_callback(emulator.stop)
        dovecot = stack.enter_context(running_dovecot())
        ends = {
            "front": 9, "imap": dovecot.port, "telegram": _port(telegram.base_url), "viber": _port(viber.base_url),
        }  # fmt: skip
        s3 = stack.enter_context(running_s3()) if store == "bucket" else None
        if s3 is not None:
            s3.make(BUCKET)
            ends["blobs"] = s3.port
        lines = {name: Proxy(port) for name, port in ends.items()}
        for line in lines.values():
            stack.callback(line.close)
        place = small or folder
        url = f"sqlite:///{place / 'hub.db'}"
        hub = TimedHub(
            url,
            folder,
            hub=f'base_url = "http://127.0.0.1:{lines["front"].port}"\n',
            data=place / "data",
            more=(SETTINGS if s3 is None else BLOBS + SETTINGS).format(
                mail=dovecot.user, password=dovecot.password, token=telegram.token, viber_token=viber.token,
                **{name: line.port for name, line in lines.items()},
            ),
        )  # fmt: skip
        stack.callback(hub.kill)
        key = hub.config.with_name("secret.key")
        key.write_text("k" * 44, encoding="ascii")
        key.chmod(0o600)
        await asyncio.to_thread(hub.start)
        town = Town(
            chance, [hub], place, lines=lines, telegram=telegram, viber=viber, dovecot=dovecot, s3=s3, url=url,
            small=small is not None,
        )  # fmt: skip
        town.lead()
        yield town


def _port(url: str) -> int:
    return int(re.search(r":(\d+)", url.removeprefix("http:"))[1])  # type: ignore[index]


def main() -> None:
    """The long form: exit code 1 if anything was lost, doubled or wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.channels")
    parser.add_argument("--deliveries", type=int, default=10_000)
    parser.add_argument("--faults", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="nothing but these faults, with commas")
    parser.add_argument("--store", choices=["folder", "bucket"], default="folder")
    parser.add_argument("--minutes", type=float, default=1e9, help="then let the rest go, and judge")
    asked = parser.parse_args()
    report = asyncio.run(
        run(
            asked.deliveries, asked.faults, asked.seed, asked.only, store=asked.store, minutes=asked.minutes, loud=True,
        )
    )  # fmt: skip
    print("\n".join(report.lines()))
    sys.exit(not report.verdict.clean)


if __name__ == "__main__":
    main()
