"""/metrics: its numbers are right, its readers are who they should be, and what watches it names what is there."""

import json
import re
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from prometheus_client.parser import text_string_to_metric_families

from hub.access import store as access
from hub.access.model import Role
from hub.db.tables import outbox
from hub.db.writer import SIZES
from hub.kernel.clock import HOUR
from hub.outbox.put import notice_row
from hub.web.context import parse_networks
from hub.web.metrics import METRICS, is_near, read_standing
from tests.conftest import CHECKOUT

MONITORING = CHECKOUT / "config" / "monitoring"
NAME = re.compile(r"\b((?:hub|process)_[a-z_]+)\b")


async def scraped(web_hub, **headers):
    client = (await web_hub.browser()).client
    async with client.get("/metrics", headers=headers) as answer:
        return answer.status, await answer.text()


def samples(text):
    return {
        (one.name, *sorted(one.labels.values())): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


async def test_deliveries_tasks_and_answers_are_counted(web_hub):
    client = (await web_hub.browser()).client
    form = {"name": "Ivan", "phone": "0671234567", "message": "boots"}
    for key in ("a", "a", "b"):
        async with client.post("/in/shop-form", json=form, headers={"Idempotency-Key": key}) as answer:
            assert answer.status == 201
    async with client.post(
        "/in/shop-form", data=b"{", headers={"Content-Type": "application/json"}
    ) as answer:
        assert answer.status >= 400
    await web_hub.process.door.flush_rejections()
    status, text = await scraped(web_hub)
    found = samples(text)
    assert status == 200
    account = "shop-form"
    assert found["hub_deliveries_stored_total", account] == 2
    assert found["hub_deliveries_repeated_total", account] == 1
    rejected = sum(v for k, v in found.items() if k[:1] == ("hub_deliveries_rejected_total",))
    assert rejected == 1
    assert found["hub_deliveries_offered_total", account] == 4
    assert found["hub_http_requests_total", "/in/{account}", "201", "POST"] == 3
    assert sum(v for k, v in found.items() if k[:1] == ("hub_tasks",)) == 1
    assert found["hub_task_oldest_waiting_seconds", "sales"] >= 0
    assert found["hub_account_state", "active", "channel", account] == 1
    assert found["hub_writer_batch_size_count", "process"] == web_hub.hub.db.writer.batches
    assert found["hub_writer_batch_size_sum", "process"] == web_hub.hub.db.writer.batched
    assert found["process_resident_memory_bytes",] > 1e7
    assert found["hub_up_database",] == 1


async def test_no_name_or_telephone_is_in_it(web_hub):
    await web_hub.send_form(name="Zoryana Unheard", phone="0679998877", message="planted words")
    web_hub.add("Seller Ofold")
    _, text = await scraped(web_hub)
    for word in ("Zoryana", "9998877", "planted", "Ofold"):
        assert word not in text


async def test_effects_that_need_a_person_are_counted_and_sent_ones_are_not(web_hub):
    db = web_hub.hub.db

    def put(tx):
        rows = [notice_row(tx.new_id(), "x", 1, [], tx.now - HOUR, 0) for _ in range(6)]
        rows[1] = rows[1]._replace(state="dead", next_try_at=None)
        rows[2] = rows[2]._replace(state="uncertain", lane="reply", next_try_at=None)
        rows[3] = rows[3]._replace(state="done", next_try_at=None)
        tx.insert({outbox: rows})

    await db.write(put)
    found = samples((await scraped(web_hub))[1])
    assert {k[1:]: v for k, v in found.items() if k[0] == "hub_outbox"} == {
        ("notice", "ready"): 3, ("dead", "notice"): 1, ("reply", "uncertain"): 1,
    }  # fmt: skip
    assert 3_500 < found["hub_outbox_oldest_due_seconds",] < 3_700


async def test_an_unknown_method_makes_no_label_of_its_own(web_hub):
    client = (await web_hub.browser()).client
    for method in ("PURGE", "MKCOL"):
        async with client.request(method, "/nowhere"):
            pass
    found = samples((await scraped(web_hub))[1])
    assert found["hub_http_requests_total", "404", "other", "unknown"] == 2


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded"])
async def test_what_a_proxy_passed_on_needs_a_token_of_an_admin(web_hub, header):
    def token(role):
        return web_hub.hub.db.write_now(lambda tx: access.add_token(tx, role, role, None)[1])

    passed_on = {header: "203.0.113.9"}
    assert (await scraped(web_hub, **passed_on))[0] == 401
    assert (await scraped(web_hub, **passed_on, Authorization="Bearer hub_wrong_token"))[0] == 401
    for role, status in ((Role.SELLER, 403), (Role.HEAD, 403), (Role.ADMIN, 200)):
        assert (await scraped(web_hub, **passed_on, Authorization=f"Bearer {token(role)}"))[0] == status


def test_who_is_near():
    proxies = parse_networks(["10.0.0.0/8"])
    assert is_near("127.0.0.1", {}, [])
    assert is_near("::1", {}, [])
    assert is_near("10.1.2.3", {}, proxies)
    assert not is_near("10.1.2.3", {}, [])
    assert not is_near("203.0.113.9", {}, proxies)
    assert not is_near("10.1.2.3", {"Forwarded": "for=x"}, proxies)
    assert not is_near("", {}, proxies)


async def test_the_database_is_read_once_in_a_few_seconds(web_hub, monkeypatch):
    reads = []
    real = web_hub.hub.db.read

    async def counting(run):
        reads.append(run)
        return await real(run)

    monkeypatch.setattr(web_hub.hub.db, "read", counting)
    metrics = web_hub.server.app[METRICS]
    for _ in range(5):
        await metrics.page()
    assert len(reads) == 1


def test_every_bucket_of_the_writer_has_its_count(web_hub):
    assert len(web_hub.hub.db.writer.sizes) == len(SIZES) + 1


async def test_queries_follow_indexes(web_hub):
    """Nothing that grows for ever is read whole."""
    from sqlalchemy import event

    seen: list[tuple[str, Any]] = []
    plans: list[str] = []
    engine = web_hub.hub.db._readers
    event.listen(engine, "before_cursor_execute", lambda _c, _cur, sql, p, *_: seen.append((sql, p)))
    web_hub.hub.db.read_now(lambda conn: read_standing(conn, 0))

    asked = tuple(seen)

    def explain(conn):
        for sql, parameters in asked:
            found = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall()
            plans.extend(row[3] for row in found)

    web_hub.hub.db.read_now(explain)
    assert len(asked) >= 6
    scans = {plan for plan in plans if plan.startswith("SCAN") and "USING" not in plan}
    assert scans <= {"SCAN account", "SCAN rejection", "SCAN team"}


def expressions():
    dashboard = json.loads((MONITORING / "grafana-dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield target["expr"]
    for group in yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["expr"]


async def test_dashboard_and_alerts_name_what_exists(web_hub):
    await web_hub.send_form(name="A", phone="0671234567")
    _, text = await scraped(web_hub)
    families: dict[str, Any] = {}
    for family in text_string_to_metric_families(text):
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(family.type, [""])
        families |= {family.name + suffix: family for suffix in suffixes}
    named = {name for expression in expressions() for name in NAME.findall(expression)}
    assert len(named) > 12
    assert named <= set(families)


def test_every_alert_says_how_bad_it_is_and_is_told_in_the_documents():
    text = (CHECKOUT / "docs" / "operations.md").read_text(encoding="utf-8")
    for group in yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in {"page", "warn"}
            assert rule["annotations"]["summary"]
            assert f"`{rule['alert']}`" in text, rule["alert"]
