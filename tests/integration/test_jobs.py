"""What the port of jobs promises, kept by both of its runners."""

import asyncio
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text

from hub.kernel.clock import SECOND, moment
from hub.kernel.errors import HubError
from hub.outbox.jobs import port
from hub.outbox.jobs.embedded import Embedded
from hub.outbox.jobs.port import LEASE, GiveUp, JobState, cancel, enqueue, enqueue_planned
from tests.integration.hubs import until

KINDS = ["embedded", pytest.param("distributed", marks=pytest.mark.postgres)]


class Works:
    """A database, and a runner whose handlers write down what they did."""

    def __init__(self, db, kind):
        self.db = db
        self.kind = kind
        self.ran = []
        self.times = {}
        self.now = 0
        self.most = 0
        self.failures = {}
        self.gate = asyncio.Event()
        self.gate.set()

    async def work(self, job):
        self.now += 1
        self.most = max(self.most, self.now)
        self.times.setdefault(job.payload["name"], time.time())
        try:
            await self.gate.wait()
            await asyncio.sleep(0.01)
            if self.failures.get(job.payload["name"], 0) > 0:
                self.failures[job.payload["name"]] -= 1
                raise HubError("not today")
            self.ran.append(job.payload["name"])
        finally:
            self.now -= 1

    async def hopeless(self, job):
        raise GiveUp("nothing would mend it")

    def put(self, name, kind="work", **how):
        return self.db.write_now(lambda tx: enqueue(tx, kind, {"name": name}, **how))

    def state(self, job_id):
        query = text("SELECT state, attempts, last_error FROM job WHERE id = :id")
        return tuple(self.db.read_now(lambda conn: conn.execute(query, {"id": job_id}).one()))

    @asynccontextmanager
    async def running(self, lease=LEASE, dead_after_s=12.0):
        handlers = {"work": self.work, "hopeless": self.hopeless}
        if self.kind == "embedded":
            runner: port.Runner = Embedded(self.db, handlers, lease=lease)
        else:
            from hub.outbox.jobs.distributed import Distributed

            runner = Distributed(self.db, handlers, lease=lease, dead_after_s=dead_after_s)
        runner.start()
        ticks = asyncio.create_task(self._ticks(runner))
        try:
            yield runner
        finally:
            ticks.cancel()
            await runner.stop()

    async def _ticks(self, runner):
        while True:
            await runner.tick()
            await asyncio.sleep(0.1)


@pytest.fixture(params=KINDS)
def works(request, open_database):
    kind = request.param
    url = request.getfixturevalue("sqlite_url" if kind == "embedded" else "postgres_url")
    return Works(open_database(url), kind)


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch):
    monkeypatch.setattr(port, "backoff", lambda attempts, jitter: 300)


async def test_seen_after_the_commit_and_gone_with_a_rollback(works):
    class Stopped(HubError):
        """Rolls back."""

    def rolled_back(tx):
        enqueue(tx, "work", {"name": "never"})
        raise Stopped

    async with works.running():
        with pytest.raises(Stopped):
            works.db.write_now(rolled_back)
        job_id = works.put("seen")
        await until(lambda: works.ran == ["seen"])
        await until(lambda: works.state(job_id)[0] == JobState.DONE)
        await asyncio.sleep(0.7)
        assert works.ran == ["seen"]


async def test_not_before_its_time_and_soon_after_it(works):
    async with works.running():
        works.put("warm")
        await until(lambda: works.ran == ["warm"])
        at = works.db.clock.now() + 2 * SECOND
        works.put("later", run_at=at)
        await until(lambda: "later" in works.ran)
        late_s = works.times["later"] - at / 1000 - moment(0).timestamp()
        assert late_s >= 0
        # A second is promised; the tests' machine is busy with other things.
        assert late_s < 3


async def test_one_at_a_time_and_in_order_of_a_key_though_one_fails(works):
    works.failures["a1"] = 1
    for name in ("a1", "a2", "a3"):
        works.put(name, order_key="a")
    async with works.running():
        await until(lambda: len(works.ran) == 3)
    assert works.ran == ["a1", "a2", "a3"]
    assert works.most == 1


async def test_what_is_tried_again_holds_back_its_own_key_only(works):
    works.failures["a1"] = 3
    works.put("a1", order_key="a")
    works.put("a2", order_key="a")
    works.put("b1", order_key="b")
    works.put("free")
    async with works.running():
        await until(lambda: len(works.ran) == 4)
    assert set(works.ran[:2]) == {"b1", "free"}
    assert works.ran[2:] == ["a1", "a2"]


async def test_a_failure_is_tried_again_a_hopeless_one_and_an_unknown_kind_are_dead(works, monkeypatch):
    monkeypatch.setattr(port, "MAX_ATTEMPTS", 3)
    works.failures |= {"twice": 2, "always": 99}
    twice, always = works.put("twice"), works.put("always")
    hopeless, unknown = works.put("x", kind="hopeless"), works.put("x", kind="nobody_knows")
    async with works.running():
        await until(lambda: works.state(twice)[0] == JobState.DONE)
        await until(lambda: works.state(always)[0] == JobState.DEAD)
        await until(lambda: works.state(unknown)[0] == JobState.DEAD)
    assert works.state(twice)[1] == 3
    assert works.state(always)[1:] == (3, "HubError: not today")
    assert works.state(hopeless) == (JobState.DEAD, 1, "nothing would mend it")
    assert works.state(unknown) == (JobState.DEAD, 1, "no handler for 'nobody_knows'")


async def test_what_has_not_begun_can_be_cancelled_and_holds_back_nothing(works):
    tomorrow = works.db.clock.now() + 86_400 * SECOND
    job_id = works.put("cancelled", order_key="a", run_at=tomorrow)
    works.put("after", order_key="a")
    assert works.db.write_now(lambda tx: cancel(tx, job_id))
    assert not works.db.write_now(lambda tx: cancel(tx, job_id))
    async with works.running():
        await until(lambda: works.ran == ["after"])
    assert works.state(job_id)[:2] == (JobState.CANCELLED, 0)


async def test_stop_waits_for_what_runs_and_begins_nothing_more(works):
    works.gate.clear()
    async with works.running():
        job_id = works.put("slow")
        await until(lambda: works.state(job_id)[0] == JobState.BUSY)
        assert not works.db.write_now(lambda tx: cancel(tx, job_id))
        asyncio.get_running_loop().call_later(0.5, works.gate.set)
    assert works.ran == ["slow"]
    assert works.state(job_id)[0] == JobState.DONE
    left = works.put("left")
    await asyncio.sleep(0.5)
    assert works.state(left)[0] == JobState.READY


async def test_a_planned_moment_is_worked_once_over_all_processes(works, open_database):
    other = open_database(works.db.url.render_as_string(hide_password=False))
    at = works.db.clock.now()
    put = [db.write_now(lambda tx: enqueue_planned(tx, "night", at)) for db in (works.db, other, works.db)]
    assert [one is not None for one in put] == [True, False, False]
    assert works.db.write_now(lambda tx: enqueue_planned(tx, "night", at + 1)) is not None
    assert works.db.write_now(lambda tx: enqueue_planned(tx, "dawn", at)) is not None


async def test_the_work_of_a_killed_process_runs_again(works, tmp_path):
    lease, dead_after_s = 2 * SECOND, 2.0
    address = works.db.url.render_as_string(hide_password=False)
    mark = tmp_path / "began"
    words = [
        sys.executable,
        "-m",
        "tests.integration.job_process",
        address,
        works.kind,
        str(lease),
        "2",
        str(mark),
    ]
    process = await asyncio.to_thread(subprocess.Popen, words)
    try:
        job_id = works.put("left behind", order_key="k")
        await until(mark.exists, 30)
        assert works.state(job_id)[0] == JobState.BUSY
    finally:
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.wait)
    async with works.running(lease, dead_after_s):
        await until(lambda: works.ran == ["left behind"], 20)
    assert works.state(job_id)[:2] == (JobState.DONE, 2)


@pytest.mark.postgres
def test_a_dead_process_is_followed_within_half_a_minute():
    from hub.outbox.jobs import distributed

    noticed = distributed.DEAD_AFTER_S * 1.25 + distributed.LOOK_S
    assert max(noticed, LEASE / SECOND) + 2 < 30


@pytest.mark.postgres
async def test_what_procrastinate_forgot_is_told_to_it_again(postgres_url, open_database):
    works = Works(open_database(postgres_url), "distributed")
    job_id = works.put("copied")
    # As after `hub db copy`: our rows are there, the engine's are not.
    works.db.write_now(lambda tx: tx.execute(text("DELETE FROM procrastinate_jobs")) and None)
    works.db.write_now(lambda tx: tx.execute(text("UPDATE job SET run_at = run_at - 120000")) and None)
    async with works.running():
        await until(lambda: works.ran == ["copied"])
    assert works.state(job_id)[0] == JobState.DONE


@pytest.mark.postgres
def test_the_engines_function_is_the_one_that_we_call():
    from procrastinate import sql

    assert "procrastinate_defer_jobs_v1" in sql.queries["defer_jobs"]
    assert "procrastinate_job_to_defer_v1" in sql.queries["defer_jobs"]
