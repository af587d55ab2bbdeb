"""`hub serve` with its second process: what each of the two may do to the other."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from hub.intake.model import KeyReused
from hub.intake.scribe import settle
from hub.intake.wire import said
from hub.kernel.errors import Unavailable
from hub.sdk.errors import DeliveryRejected
from hub.sdk.messages import Outcome, OutcomeKind
from tests.integration import ledger_audit
from tests.integration.hubs import phone, until

ROOT = Path(__file__).parents[2]


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def post(session, served, number, **fields):
    body = {"name": "Олена", "phone": phone(number), "message": f"Питання {number}", **fields}
    async with session.post(
        f"{served.base}/in/form", json=body, headers={"Idempotency-Key": f"k{number}"}
    ) as got:
        return got.status, await got.json(content_type=None)


@pytest.fixture
def served(serve, hub_url):
    one = serve(hub_url)
    assert one.command("staff", "add", "Ann").returncode == 0
    return one


async def test_scribe_writes_and_the_hub_goes_on_without_it(served, hub_url):
    [scribe] = children(served.process.pid)
    async with aiohttp.ClientSession() as session:
        first = await asyncio.gather(*(post(session, served, n) for n in range(40)))
        assert {status for status, _ in first} == {201}
        assert (await post(session, served, 3, message="інше"))[
            0
        ] == 422  # the key was used with another body
        assert (await post(session, served, 99, name="", phone=""))[0] == 422  # nobody to answer
        os.kill(scribe, signal.SIGKILL)
        await until(lambda: "scribe_died" in served.log.read_text())
        later = await asyncio.gather(*(post(session, served, n) for n in range(20, 60)))
    assert {status for status, _ in later} == {201}
    assert [body for _, body in later[:20]] == [
        body for _, body in first[20:]
    ]  # repeats get the first answer
    assert served.stop() == 0
    assert ledger_audit.problems(hub_url) == []


@pytest.mark.parametrize("end", ["kill", "stop"])
async def test_scribe_ends_with_the_hub(serve, sqlite_url, end):
    served = serve(sqlite_url)
    [scribe] = children(served.process.pid)
    getattr(served, end)()
    await until(lambda: not alive(scribe), within_s=3)


async def test_kill_of_the_scribe_under_load_loses_nothing(served, hub_url):
    """What was answered 201 is there once; what got 503 can be repeated and is there once."""
    [scribe] = children(served.process.pid)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        load = [asyncio.create_task(post(session, served, n)) for n in range(200)]
        await asyncio.sleep(0.05)
        os.kill(scribe, signal.SIGKILL)
        answers = await asyncio.gather(*load)
        assert {status for status, _ in answers} <= {201, 503}
        again = await asyncio.gather(*(post(session, served, n) for n in range(200)))
        assert {status for status, _ in again} == {201}
    ids = {body["request_id"] for _, body in again}
    assert len(ids) == 200
    assert served.stop() == 0
    assert ledger_audit.problems(hub_url) == []
    for (status, body), (_, repeated) in zip(answers, again, strict=True):
        assert status == 503 or body == repeated


def run(scenario: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.scribe_process", scenario],
        cwd=ROOT, capture_output=True, text=True, timeout=50, check=True,
    )  # fmt: skip
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def test_hung_plugin_is_thrown_out_of_its_loop():
    first, fine, *others = run("hung")
    assert (first["state"], first["reason"]) == ("pending", "the plugin did not answer in time")
    assert first["within_s"] < 5
    assert fine["state"] == "noted"
    assert [one["state"] for one in others] == ["pending"] * 3
    assert "three times" in others[-1]["reason"]  # the account is switched off: not even tried
    assert others[-1]["within_s"] < 0.1


def test_scribe_that_stands_still_is_ended():
    began = time.monotonic()
    works, stuck = run("stuck")
    assert works == {"kind": "noted"}
    assert stuck == {"kind": "Unavailable", "works": False}
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("result", "error"),
    [
        (Outcome(kind=OutcomeKind.ACCEPTED, request_id="7", repeated=True), None),
        (KeyReused(), None),
        (None, DeliveryRejected("contact", "nobody", status=422)),
        (None, Unavailable("full", retry_after_s=2)),
        (None, ValueError("a customer's words")),
    ],
)
async def test_answers_pass_the_line(result, error):
    future = asyncio.get_running_loop().create_future()
    settle(future, said(result, error))
    if error is None:
        assert future.result() == result
        return
    told = future.exception()
    if isinstance(error, ValueError):
        assert isinstance(told, Unavailable)
        assert "words" not in told.message
    else:
        assert type(told) is type(error)
        assert vars(told) == vars(error)
