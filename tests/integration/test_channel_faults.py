"""The delivery program in its short form; the long ones are `python -m tests.faults.channels --deliveries 10000`."""

from collections import Counter

import pytest
from sqlalchemy import text

from tests.dovecot_server import DovecotAbsent, find_dovecot
from tests.faults.channels import run
from tests.faults.judge import judge_channels
from tests.faults.senders import Told, rejected_lately
from tests.integration.hubs import phone

pytest.importorskip(
    "telegram", reason='python-telegram-bot is not installed (pip install "omni-hub[telegram]")'
)


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_four_channels_lose_nothing_and_double_nothing_whatever_breaks():
    try:
        find_dovecot()
    except DovecotAbsent as absent:
        pytest.skip(str(absent))
    report = await run(160, 3, only="kill,cut,renumber", seller_rests_s=1.0)
    told = "\n".join(report.lines())
    print(f"\n{told}")
    assert report.verdict.clean, told
    assert report.told.count == 160
    assert report.replies


def nothing(_name: str) -> None:
    """A store without blobs."""


HARMS = {
    "nothing": ("", "clean"),
    "lost": ("UPDATE message SET body = 'order' WHERE body LIKE '%1'", "lost"),
    "doubled": ("UPDATE message SET body = 'order KF000001' WHERE body LIKE '%2'", "doubled"),
    "no task": ("UPDATE task SET request_id = NULL WHERE id = (SELECT max(id) FROM task)", "wrong"),
    "stored": ("UPDATE account SET stored = stored + 1 WHERE name = 'form'", "wrong"),
    "repeated": ("UPDATE delivery SET repeats = repeats + 1", "wrong"),
    "rejected": ("INSERT INTO rejection (account, reason, count) VALUES ('form', 'rate', 1)", "wrong"),
    "bytes": ("DELETE FROM delivery_body", "wrong"),
    "waits": ("UPDATE delivery SET state = 'pending'", "wrong"),
    "blob": ("UPDATE delivery_body SET blob = 'ab'", "lost"),
    "told differently": ("UPDATE message SET request_id = request_id + 1", "wrong"),
}


@pytest.mark.parametrize("harm", HARMS)
async def test_the_judge_sees_each_harm(sqlite_url, start, harm):
    hub = await start(sqlite_url, people_named=["Ann"])
    told = Told()
    for number in range(3):
        word = f"KF{number:06d}"
        status, said = await hub.form(
            {"name": "N", "phone": phone(number), "message": f"order {word}"}, key=word
        )
        told.heard("form", status)
        told.handed["form"].add(word)
        told.requests[word] = said["request_id"]
    sql, where = HARMS[harm]
    if sql:
        hub.hub.db.write_now(lambda tx: tx.execute(text(sql)) and None)
    verdict = judge_channels(sqlite_url, told, Counter(), [], 0, nothing)
    assert verdict.clean == (where == "clean"), vars(verdict)
    assert where == "clean" or getattr(verdict, where)


async def test_the_judge_sees_a_reply_that_left_twice_and_more_uncertain_ones_than_kills(sqlite_url, start):
    hub = await start(sqlite_url, people_named=["Ann"])
    await hub.form({"name": "N", "phone": phone(1), "message": "order KF000001"})
    columns = "id, account, request_id, contact_id, direction, body, fields, created_at, state"
    reply = (
        f"INSERT INTO message ({columns}) SELECT id + 1, account, request_id, contact_id, 'out', 'so R000001', '{{}}',"
        " created_at, 'uncertain' FROM message"
    )
    effect = (
        "INSERT INTO outbox (id, lane, kind, order_key, payload, state, attempts, created_at, correlation_id)"
        " VALUES (1, 'reply', 'reply', 'a', '{}', 'uncertain', 1, 1, 1)"
    )
    for sql in (reply, effect):
        hub.hub.db.write_now(lambda tx, sql=sql: tx.execute(text(sql)) and None)
    told = Told()
    told.handed["form"].add("KF000001")
    told.heard("form", 201)
    assert judge_channels(sqlite_url, told, Counter(R000001=1), [1.0], 0, nothing).clean
    assert judge_channels(sqlite_url, told, Counter(R000001=1), [], 0, nothing).wrong
    assert judge_channels(sqlite_url, told, Counter(R000001=2), [1.0], 0, nothing).doubled
    hub.hub.db.write_now(
        lambda tx: tx.execute(text("UPDATE message SET state = 'sent' WHERE id > 1")) and None
    )
    assert judge_channels(sqlite_url, told, Counter(), [1.0], 0, nothing).lost


def test_a_rejection_may_be_forgotten_by_a_kill_just_after_it_and_by_no_other():
    told = Told()
    told.heard("form", 422)
    at = told.rejected[0][0]
    assert rejected_lately(told, "form", [at + 1], 3) == 1
    assert rejected_lately(told, "form", [at + 4], 3) == rejected_lately(told, "form", [at - 1], 3) == 0
    assert rejected_lately(told, "mail", [at + 1], 3) == 0
    told.full = [(at + 1, at + 5)]
    assert rejected_lately(told, "form", [at + 7], 3) == 1, "it could not be written while the disk was full"
    assert rejected_lately(told, "form", [at + 9], 3) == rejected_lately(told, "form", [at - 1], 3) == 0
