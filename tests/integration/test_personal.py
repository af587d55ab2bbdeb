"""A contact's data is handed out whole and erased whole; keys, sums and the ledger stay."""

import json
import os
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from hub.outbox.jobs.port import Job
from tests.integration.hubs import phone

NAME, WORDS, MAIL = "Оксана Прізвищенко", "особисті слова про чоботи", "oksana@example.com"


@pytest.fixture
async def hub(hub_url, start):
    return await start(hub_url)


def change(hub, sql, **values):
    return hub.hub.db.write_now(lambda tx: tx.execute(text(sql), values) and None)


async def customer(hub, admin, *, large=""):
    """A customer with a request and an order, both open."""
    fields = {"name": NAME, "phone": phone(7), "email": MAIL, "message": WORDS + large}
    status, first = await hub.form(fields, key="first")
    assert status == 201
    request_id = first["request_id"]
    contact_id = str(hub.one("SELECT contact_id FROM request WHERE id = :id", id=int(request_id)))
    seller = hub.person("Ann")
    status, order = await hub.api(
        "POST",
        "/orders",
        admin,
        {
            "request_id": request_id,
            "responsible_id": str(seller),
            "staff_id": str(seller),
            "note": f"для {NAME}",
            "lines": [
                {
                    "kind": "goods",
                    "name": "Чоботи",
                    "quantity": "1",
                    "unit": "pcs",
                    "price": {"amount_minor": 1, "currency": "UAH"},
                }
            ],
        },
    )
    assert status == 201, order
    return contact_id, request_id, order


def close(hub):
    change(hub, "UPDATE request SET state = 'closed', joining = :no, closed_at = opened_at", no=False)
    change(hub, "UPDATE orders SET closed_at = created_at")


def everything(hub):
    """Every text of every table but the audit, in one string."""
    from hub.db.tables import metadata

    found = []
    for table in metadata.sorted_tables:
        found += [str(row) for row in hub.rows(f'SELECT * FROM "{table.name}"')]
    return "\n".join(found)


async def test_what_is_held_is_handed_out_whole(hub):
    admin = hub.token("admin")
    contact_id, request_id, order = await customer(hub, admin)
    status, told = await hub.api("GET", f"/contacts/{contact_id}/export", admin)
    assert status == 200
    assert told["contact"]["name"] == NAME
    assert {"kind": "email", "value": MAIL} in told["contact"]["identities"]
    [asked] = told["requests"]
    assert asked["id"] == request_id
    assert WORDS in asked["messages"][0]["text"]
    assert told["orders"][0]["number"] == order["number"]
    assert told["orders"][0]["lines"][0]["name"] == "Чоботи"
    for role in ("seller", "head"):
        assert (await hub.api("GET", f"/contacts/{contact_id}/export", hub.token(role, name=role)))[0] == 403
        assert (await hub.api("POST", f"/contacts/{contact_id}/erase", hub.token(role, name=role + "2")))[
            0
        ] == 403
    assert (await hub.api("GET", "/contacts/1/export", admin))[0] == 404


async def test_nothing_is_erased_while_something_is_open(hub):
    admin = hub.token("admin")
    contact_id, request_id, order = await customer(hub, admin)
    change(hub, "UPDATE request SET state = 'open', closed_at = NULL")
    status, problem = await hub.api("POST", f"/contacts/{contact_id}/erase", admin)
    assert status == 409
    assert problem["request_ids"] == request_id
    assert problem["order_numbers"] == order["number"]
    assert NAME in everything(hub)


async def test_words_go_and_keys_and_sums_stay(hub):
    admin = hub.token("admin")
    contact_id, _, _ = await customer(hub, admin, large=" ще" * 30_000)
    close(hub)
    blobs = Path(hub.hub.loaded.path(hub.hub.loaded.settings.hub.data_dir)) / "blobs"
    [file] = [path for path in blobs.rglob("*") if path.is_file()]
    before = hub.rows("SELECT seq, hash FROM ledger ORDER BY team_id, seq")
    status, told = await hub.api("POST", f"/contacts/{contact_id}/erase", admin)
    assert (status, told["name"], told["identities"]) == (200, "", [])
    assert (await hub.api("POST", f"/contacts/{contact_id}/erase", admin))[0] == 200
    left = everything(hub)
    for word in (NAME, WORDS, MAIL, phone(7), phone(7).lstrip("+"), NAME.split()[1].lower()):
        assert word not in left, word
    assert hub.rows("SELECT seq, hash FROM ledger ORDER BY team_id, seq") == before
    assert hub.one("SELECT total_minor FROM orders") == 1
    assert hub.one("SELECT count(*) FROM delivery WHERE external_id IS NOT NULL") == 1
    assert hub.rows("SELECT action, target FROM audit WHERE action = 'contact.erased'") == [
        ("contact.erased", f"contact:{contact_id}")
    ]

    # The file goes with its own job, after an hour.
    [(names, run_at)] = hub.rows("SELECT payload, run_at FROM job WHERE kind = 'drop_files'")
    assert json.loads(json.loads(names)["names"]) == [file.name]
    assert run_at > hub.hub.db.clock.now() + 3_600_000
    old = time.time() - 7_200
    os.utime(file, (old, old))
    [(job_id, kind, payload)] = hub.rows("SELECT id, kind, payload FROM job WHERE kind = 'drop_files'")
    await hub.process._jobs._handlers[kind](Job(job_id, kind, json.loads(payload), 1, 0))
    assert not file.exists()

    # A late repeat of the same delivery makes nothing new; whoever writes again is a new contact.
    again = {"name": NAME, "phone": phone(7), "message": "знову"}
    assert (await hub.form(again, key="first"))[0] in {200, 201, 422}
    assert hub.one("SELECT count(*) FROM request") == 1
    status, fresh = await hub.form(again, key="second")
    assert status == 201
    assert (
        str(hub.one("SELECT contact_id FROM request WHERE id = :id", id=int(fresh["request_id"])))
        != contact_id
    )
