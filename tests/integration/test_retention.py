"""What goes by itself goes in time and no sooner; keys stay, and what still needs somebody stays whole."""

import os
import time
from datetime import time as of_day
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import orjson
import pytest
from sqlalchemy import text

from hub.intake.blobs import BlobsAway
from hub.kernel.clock import DAY, parse_rfc3339, rfc3339
from hub.outbox.jobs.port import enqueue
from hub.personal.files import DROP_FILES, drop_files
from hub.personal.retention import Retention
from hub.runtime.nightly import last_moment
from hub.settings import RetentionSection
from tests.integration.hubs import phone

KYIV = ZoneInfo("Europe/Kyiv")


@pytest.fixture
async def hub(hub_url, start):
    return await start(hub_url)


def change(hub, sql, **values):
    return hub.hub.db.write_now(lambda tx: tx.execute(text(sql), values) and None)


def blobs_of(hub):
    folder = Path(hub.hub.loaded.path(hub.hub.loaded.settings.hub.data_dir)) / "blobs"
    return [path for path in folder.rglob("*") if path.is_file()]


async def sweep(hub, **kept):
    none = dict.fromkeys(RetentionSection.model_fields, 0)
    retention = Retention(hub.hub.db, hub.process.door.blobs, RetentionSection(**none | kept))
    return dict(await retention.run())


def age(hub, days):
    change(hub, "UPDATE delivery SET received_at = received_at - :ms", ms=days * DAY)


async def test_bodies_go_after_their_days_and_a_repeat_is_still_known(hub):
    large = "я" * 40_000  # over 64 KiB: its body lies in a file
    status, first = await hub.form({"name": "A", "phone": phone(1), "message": large}, key="k1")
    assert status == 201
    assert len(blobs_of(hub)) == 1
    age(hub, 89)
    assert await sweep(hub, bodies=90) == {"bodies": 0}
    assert hub.one("SELECT count(*) FROM delivery_body") == 1
    age(hub, 2)
    assert await sweep(hub, bodies=90) == {"bodies": 1}
    assert hub.one("SELECT count(*) FROM delivery_body") == 0
    assert len(blobs_of(hub)) == 1  # stored an instant ago: the row of another may be on its way
    assert hub.one("SELECT count(*) FROM message WHERE body <> ''") == 1
    assert await hub.form({"name": "A", "phone": phone(1), "message": large}, key="k1") == (201, first)
    assert hub.one("SELECT count(*) FROM request") == 1


async def test_a_file_goes_with_the_last_row_that_names_it(hub):
    large = {"name": "A", "phone": phone(1), "message": "я" * 40_000}
    await hub.form(large, key="k1")
    await hub.form(large, key="k2")
    [file] = blobs_of(hub)
    old = time.time() - 7_200
    os.utime(file, (old, old))
    change(
        hub, "UPDATE delivery SET received_at = received_at - :ms WHERE external_id LIKE '%k1'", ms=91 * DAY
    )
    assert await sweep(hub, bodies=90) == {"bodies": 1}
    assert blobs_of(hub) == [file]
    age(hub, 91)
    assert await sweep(hub, bodies=90) == {"bodies": 1}
    assert blobs_of(hub) == []


async def test_a_store_that_is_away_at_night_gets_its_deletions_by_a_job_later(hub, monkeypatch):
    await hub.form({"name": "A", "phone": phone(1), "message": "я" * 40_000}, key="k1")
    [file] = blobs_of(hub)
    os.utime(file, (time.time() - 7_200,) * 2)
    age(hub, 91)

    def away(_name, _idle_s=0.0):
        raise BlobsAway

    with monkeypatch.context() as broken:
        broken.setattr(hub.process.door.blobs, "drop", away)
        assert await sweep(hub, bodies=90) == {"bodies": 1}
    assert blobs_of(hub) == [file]
    [(kind, words)] = hub.rows("SELECT kind, payload FROM job WHERE state = 'ready'")
    assert kind == DROP_FILES
    await drop_files(hub.hub.db, hub.process.door.blobs, SimpleNamespace(payload=orjson.loads(words)))  # type: ignore[arg-type]
    assert blobs_of(hub) == []


async def test_what_was_not_understood_is_kept(hub):
    await hub.form({"name": "A", "phone": phone(1)})
    await hub.form({"name": "B", "phone": phone(2)})
    change(hub, "UPDATE delivery SET state = 'failed' WHERE id = (SELECT min(id) FROM delivery)")
    age(hub, 1_000)
    assert await sweep(hub, bodies=90) == {"bodies": 1}
    assert hub.one("SELECT count(*) FROM delivery_body") == 1


async def test_conversations_of_closed_requests_lose_their_words_only_where_somebody_wants_it(hub):
    await hub.form({"name": "A", "phone": phone(1), "message": "слова"})
    await hub.form({"name": "B", "phone": phone(2), "message": "інші слова"})
    change(
        hub,
        "UPDATE request SET state = 'closed', joining = :no, closed_at = opened_at - :ms"
        " WHERE id = (SELECT min(id) FROM request)",
        no=False,
        ms=400 * DAY,
    )
    assert await sweep(hub, bodies=90) == {"bodies": 0}
    assert await sweep(hub, conversations=365) == {"conversations": 1}
    assert hub.rows("SELECT body, fields FROM message ORDER BY id") == [
        ("", "{}"),
        ("інші слова", hub.rows("SELECT fields FROM message ORDER BY id")[1][0]),
    ]
    assert await sweep(hub, conversations=365) == {"conversations": 0}
    assert hub.one("SELECT count(*) FROM request") == 2


async def test_more_than_a_transaction_holds(hub):
    def many(tx):
        for _ in range(1_203):
            enqueue(tx, "nothing", run_at=tx.now + DAY)

    hub.hub.db.write_now(many)
    change(hub, "UPDATE job SET state = 'done', done_at = created_at - :ms", ms=31 * DAY)
    change(hub, "UPDATE job SET state = 'dead' WHERE id = (SELECT min(id) FROM job)")
    assert await sweep(hub, effects=30) == {"effects": 1_202}
    assert hub.rows("SELECT state FROM job") == [("dead",)]


async def test_every_kind_goes_on_both_databases(hub):
    status, _ = await hub.api("POST", "/tasks/1/claim", "wrong-token")
    assert status == 401
    old = 1_000 * DAY

    def write(tx):
        for sql in (
            "INSERT INTO sign_in_failure (key, count, window_at) VALUES ('login:x', 3, :at)",
            "INSERT INTO audit (id, actor, action, target, body, at) VALUES (1, 'x', 'y', 'z', '{}', :at)",
            "INSERT INTO planned (kind, at) VALUES ('night', :at)",
        ):
            tx.execute(text(sql), {"at": tx.now - old})

    hub.hub.db.write_now(write)
    found = await sweep(hub, **dict.fromkeys(RetentionSection.model_fields, 30))
    assert found.keys() == RetentionSection.model_fields.keys()
    assert (found["access"], found["audit"], found["effects"]) == (1, 1, 1)


async def test_what_the_bot_wrote_goes_but_for_what_is_about_an_open_task(hub):
    for n in (1, 2):
        await hub.form({"name": "A", "phone": phone(n), "message": f"question {n}"})
    first, second = (row[0] for row in hub.rows("SELECT id FROM task ORDER BY id"))
    change(hub, "UPDATE task SET state = 'done' WHERE id = :id", id=second)

    def write(tx):
        for about, task_id, days in (("1", first, 40), ("2", second, 40), ("3", None, 40), ("4", second, 5)):
            values = {"about": about, "task": task_id, "at": tx.now - days * DAY}
            columns = "(about, account, staff_id, task_id, at) VALUES (:about, 'crew', 1, :task, :at)"
            tx.execute(text(f"INSERT INTO staff_message {columns}"), values)

    hub.hub.db.write_now(write)
    await sweep(hub, effects=30)
    assert hub.rows("SELECT about FROM staff_message ORDER BY about") == [("1",), ("4",)]


async def test_the_night_puts_it_once_and_the_work_is_done(hub):
    [nightly] = [job for job in hub.process._scheduler.get_jobs() if job.id == "nightly"]
    await nightly.func(*nightly.args)
    await nightly.func(*nightly.args)
    assert hub.one("SELECT count(*) FROM planned WHERE kind = 'retention'") == 1
    assert hub.one("SELECT count(*) FROM job WHERE kind = 'retention'") == 1


@pytest.mark.parametrize(
    ("now", "planned"),
    [
        ("2026-03-02T03:29:59+02:00", "2026-03-01T03:30:00+02:00"),
        ("2026-03-02T03:30:00+02:00", "2026-03-02T03:30:00+02:00"),
        ("2026-03-29T04:30:00+03:00", "2026-03-29T04:30:00+03:00"),  # the hour that is left out
        ("2026-10-25T03:45:00+03:00", "2026-10-25T03:30:00+03:00"),  # the hour that comes twice: the first
        ("2026-10-25T03:45:00+02:00", "2026-10-25T03:30:00+03:00"),
    ],
)
def test_the_planned_moment_is_a_wall_clocks(now, planned):
    assert rfc3339(last_moment(of_day(3, 30), parse_rfc3339(now), KYIV)) == rfc3339(parse_rfc3339(planned))
