"""The intake through real HTTP: what is stored once, joins, or is refused, and counters that tell the truth."""

import asyncio
import io
import json
from collections import Counter

import pytest

from hub.kernel.clock import MINUTE, ManualClock, SystemClock
from hub.web import webhooks
from tests.integration import ledger_audit
from tests.integration.hubs import FORM, phone, until

BUYER = {"name": "Олена Тест", "phone": "+380671234567", "message": "Чи є синій, 42?"}


@pytest.fixture
async def hub(hub_url, start):
    return await start(hub_url, people_named=["Ann", "Bob"])


async def counters(hub, account="form"):
    """(stored, repeated, rejected by reason) as the account shows them."""
    await hub.process.door.flush_rejections()
    [(stored, repeated)] = hub.rows("SELECT stored, repeated FROM account WHERE name = :a", a=account)
    rejected = dict(hub.rows("SELECT reason, count FROM rejection WHERE account = :a", a=account))
    return stored, repeated, rejected


async def test_same_delivery_fifty_times_at_once_is_one_request(hub):
    answers = await asyncio.gather(*(hub.form(BUYER, key="click-1") for _ in range(50)))
    assert {status for status, _ in answers} == {201}
    assert len({body["request_id"] for _, body in answers}) == 1
    assert hub.one("SELECT count(*) FROM request") == 1
    assert hub.one("SELECT count(*) FROM task") == 1
    assert hub.one("SELECT count(*) FROM message") == 1
    assert hub.one("SELECT repeats FROM delivery") == 49
    assert await counters(hub) == (1, 49, {})
    late = await hub.form(BUYER, key="click-1")
    assert late == answers[0]


async def test_same_key_with_another_body_is_refused(hub):
    assert (await hub.form(BUYER, key="k"))[0] == 201
    status, body = await hub.form({**BUYER, "message": "інше"}, key="k")
    assert (status, body["reason"]) == (422, "key_reused")
    assert hub.one("SELECT count(*) FROM request") == 1
    assert await counters(hub) == (1, 0, {"key_reused": 1})


async def test_offered_is_stored_plus_repeated_plus_rejected(hub):
    """Counted from outside, with every kind of answer in between, many at once."""
    outside: Counter[str] = Counter()

    async def post(number):
        kind = number % 6
        if kind == 0:
            status, _ = await hub.form({**BUYER, "phone": phone(number)}, key=f"n{number}")
            outside["stored"] += status == 201
        elif kind == 1:
            status, _ = await hub.form(BUYER, key="again")
            outside["again"] += status == 201
        elif kind == 2:
            status, body = await hub.form({"color": "red"})
            outside[body["reason"]] += status == 422
        elif kind == 3:
            status, body = await hub.form(data=b"{", headers={"Content-Type": "application/json"})
            outside[body["reason"]] += status == 400
        elif kind == 4:
            status, body = await hub.form(data=b"x", headers={"Content-Type": "image/png"})
            outside[body["reason"]] += status == 415
        else:
            status, body = await hub.form(BUYER, key="again", headers={"Idempotency-Key": "х" * 3})
            outside[body["reason"]] += status == 400

    await asyncio.gather(*(post(number) for number in range(180)))
    assert sum(outside.values()) == 180
    stored, repeated, rejected = await counters(hub)
    assert stored == outside["stored"] + 1
    assert repeated == outside["again"] - 1
    assert rejected == {
        "contact": 30, "unreadable": 30, "media_type": 30, "idempotency_key": 30,
    }  # fmt: skip
    assert stored + repeated + sum(rejected.values()) == 180
    assert hub.one("SELECT count(*) FROM delivery") == stored


async def test_same_text_joins_another_text_opens_a_new_request(hub_url, start):
    clock = ManualClock(SystemClock().now())
    hub = await start(hub_url, people_named=["Ann", "Bob"], clock=clock, ticks=False)
    _, first = await hub.form(BUYER)
    clock.move(9 * MINUTE)
    _, again = await hub.form({**BUYER, "message": " ЧИ Є  синій, 42?"})
    assert again == first
    assert hub.rows("SELECT sent_again FROM request") == [(1,)]
    _, other = await hub.form({**BUYER, "message": "А червоний?"})
    assert other != first
    joining = dict(hub.rows("SELECT id, joining FROM request"))
    assert {str(k): bool(v) for k, v in joining.items()} == {
        first["request_id"]: False,
        other["request_id"]: True,
    }
    clock.move(11 * MINUTE)
    _, late = await hub.form({**BUYER, "message": "А червоний?"})
    assert late not in (first, other)
    assert hub.one("SELECT count(*) FROM request") == 3
    assert hub.one("SELECT count(*) FROM task") == 3
    assert hub.one("SELECT count(*) FROM contact") == 1
    states = [row[0] for row in hub.rows("SELECT state FROM message ORDER BY id")]
    assert states == ["received", "repeat", "received", "received"]
    assert ledger_audit.problems(hub_url) == []


async def test_same_text_many_times_at_once_is_one_request(hub):
    answers = await asyncio.gather(*(hub.form(BUYER) for _ in range(30)))
    assert {status for status, _ in answers} == {201}
    assert len({body["request_id"] for _, body in answers}) == 1
    assert hub.one("SELECT count(*) FROM contact") == 1
    assert hub.one("SELECT sent_again FROM request") == 29
    assert hub.one("SELECT count(*) FROM message") == 30


async def test_telephone_wins_over_e_mail_and_the_doubt_is_listed(hub):
    await hub.form({"phone": "+380671111111", "message": "a"})
    await hub.form({"email": "b@example.com", "message": "b"})
    _, body = await hub.form({"phone": "067 111 11 11", "email": "B@Example.com", "message": "c"})
    assert hub.one("SELECT count(*) FROM contact") == 2
    [(contact,)] = hub.rows("SELECT contact_id FROM identity WHERE kind = 'phone'")
    [(other,)] = hub.rows("SELECT contact_id FROM identity WHERE kind = 'email'")
    token = hub.token("head")
    _, shown = await hub.api("GET", f"/requests/{body['request_id']}", token)
    assert shown["contact_id"] == str(contact)
    assert shown["other_contact_ids"] == [str(other)]


async def test_honeypot_is_stored_and_opens_nothing(hub):
    status, body = await hub.form({**BUYER, "website": "http://spam.example"})
    assert (status, body) == (200, {})
    assert hub.rows("SELECT state, request_id FROM delivery") == [("spam", None)]
    assert hub.one("SELECT count(*) FROM request") == 0
    assert hub.one("SELECT count(*) FROM task") == 0
    assert await counters(hub) == (1, 0, {})


async def test_tilda_tries_the_address(hub):
    status, _ = await hub.form(
        data=b"test=test", headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert status == 200
    assert hub.rows("SELECT state FROM delivery") == [("noted",)]
    assert hub.one("SELECT count(*) FROM task") == 0


BAD = {
    "no JSON": (b"{", "application/json", 400),
    "empty": (b"", "application/json", 400),
    "a list": (b"[1]", "application/json", 400),
    "not UTF-8": (b'{"name": "\xff\xfe"}', "application/json", 400),
    "deep": (b'{"a":' * 40 + b"1" + b"}" * 40, "application/json", 400),
    "very deep": (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "application/json", 400),
    "many keys": (json.dumps({f"k{n}": n for n in range(3_000)}).encode(), "application/json", 422),
    "nobody": (b'{"colour": "red"}', "application/json", 422),
    "wrong type": (b"name=x", "image/png", 415),
    "no type": (b"name=x", "", 415),
    "multipart": (b"--x--", "multipart/form-data; boundary=x", 422),
    "huge number": (b'{"name": 1e999}', "application/json", 400),
}


@pytest.mark.parametrize("case", BAD)
async def test_what_cannot_be_read_is_refused_with_a_sentence(sqlite_url, start, case):
    hub = await start(sqlite_url)
    body, media_type, expected = BAD[case]
    async with hub.http.post(
        f"{hub.base}/in/form", data=body, headers={"Content-Type": media_type} if media_type else {},
        skip_auto_headers=["Content-Type"],
    ) as answer:  # fmt: skip
        assert answer.status == expected, await answer.text()
        assert answer.content_type == "application/problem+json"
        told = await answer.json(content_type=None)
    assert told["status"] == expected
    assert told["detail"]
    assert told["reason"]
    assert hub.one("SELECT count(*) FROM delivery") == 0
    assert sum((await counters(hub))[2].values()) == 1


ODD = {
    "control characters": {"name": "a\x00b\x1f", "phone": "+380671234567", "message": "\x00\ud83d\x7f"},
    "half an emoji": {"name": "\ud83d", "phone": "+380671234567", "k\udc00": "v\ud800"},
    "numbers": {"name": 5, "phone": 380671234567, "message": 2**70, "x": 1.5, "y": None, "z": True},
    "nested": {"data": {"name": "A", "phone": "0671234567"}, "list": [1, "b", {"c": []}]},
    "long": {"name": "Ї" * 5_000, "phone": "+380671234567", "subject": "s" * 9_000, "message": "m" * 300_000},
    "not a phone": {"name": "Ann", "phone": "call me", "email": "no@", "message": "'; DROP TABLE task; --"},
    "emoji": {"name": "🧡", "phone": "+380671234567", "message": "🧡" * 1_000},
}


@pytest.mark.parametrize("case", ODD)
async def test_odd_contents_become_a_task_all_the_same(hub, case):
    status, body = await hub.form(
        data=io.BytesIO(json.dumps(ODD[case]).encode()), headers={"Content-Type": "text/plain"}
    )
    assert status == 201, body
    assert hub.one("SELECT count(*) FROM task") == 1
    token = hub.token("head")
    status, shown = await hub.api("GET", f"/requests/{body['request_id']}", token)
    assert status == 200
    assert "\x00" not in json.dumps(shown, ensure_ascii=False)


async def test_odd_headers_do_no_harm(hub):
    body = json.dumps(BUYER).encode()
    host, port = hub.base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"POST /in/form?q=%FF%00&utm_source=%D0%B0&q=2 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"X-Odd: \xff\xfe\r\nX-Odd: second\r\nUser-Agent: \xf0\x9f\xa7\xa1\r\nConnection: close\r\n"
        b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body
    )
    await writer.drain()
    head = (await asyncio.wait_for(reader.read(), 10)).split(b"\r\n", 1)[0]
    writer.close()
    await writer.wait_closed()
    assert head == b"HTTP/1.1 201 Created"
    [(headers, query)] = hub.rows("SELECT headers, query FROM delivery_body")
    assert "second" in headers
    assert json.loads(query)["utm_source"] == "а"


async def test_too_large_is_refused_whether_announced_or_not(sqlite_url, start):
    hub = await start(sqlite_url)
    big = json.dumps({**BUYER, "message": "x" * (1024 * 1024)}).encode()
    status, body = await hub.form(data=io.BytesIO(big), headers={"Content-Type": "application/json"})
    assert (status, body["reason"]) == (413, "too_large")

    async def chunks():
        for at in range(0, len(big), 16_384):
            yield big[at : at + 16_384]

    status, body = await hub.form(data=chunks(), headers={"Content-Type": "application/json"})
    assert (status, body["reason"]) == (413, "too_large")
    assert await counters(hub) == (0, 0, {"too_large": 2})


async def raw_post(hub, head, body=b""):
    host, port = hub.base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(head + body)
    await writer.drain()
    return reader, writer


HALF = (
    b"POST /in/form HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n"
    b'{"name": "Ann", "phone": "+3806712'
)


async def test_client_that_goes_half_way_leaves_nothing(sqlite_url, start):
    hub = await start(sqlite_url)
    for _ in range(5):
        _reader, writer = await raw_post(hub, HALF)
        writer.transport.abort()
    await until(lambda: hub.process.door.rejections["form", "cut_off"] == 5, 5)
    assert await counters(hub) == (0, 0, {"cut_off": 5})
    assert hub.one("SELECT count(*) FROM delivery") == 0
    assert (await hub.form(BUYER))[0] == 201


async def test_slow_client_is_cut(sqlite_url, start, monkeypatch):
    monkeypatch.setattr(webhooks, "BODY_TIMEOUT_S", 0.3)
    hub = await start(sqlite_url)
    reader, writer = await raw_post(hub, HALF)
    answer = await asyncio.wait_for(reader.readuntil(b"too_slow"), 5)
    assert answer.startswith(b"HTTP/1.1 408")
    writer.close()
    assert await counters(hub) == (0, 0, {"too_slow": 1})


async def test_client_that_does_not_wait_for_its_answer_is_stored_once(hub):
    body = json.dumps(BUYER).encode()
    head = (
        "POST /in/form HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nIdempotency-Key: gone\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    for _ in range(10):
        _reader, writer = await raw_post(hub, head, body)
        writer.close()
    await until(lambda: hub.one("SELECT count(*) FROM delivery") == 1, 5)
    assert (await hub.form(data=body, key="gone", headers={"Content-Type": "application/json"}))[0] == 201
    assert hub.one("SELECT count(*) FROM request") == 1


async def test_large_bodies_go_to_the_blob_store(hub, tmp_path):
    fields = {**BUYER, "message": "ї" * 40_000}
    body = json.dumps(fields).encode()
    assert len(body) > 65_536
    assert (await hub.form(data=body, headers={"Content-Type": "application/json"}))[0] == 201
    [(inline, blob, size)] = hub.rows("SELECT body, blob, size FROM delivery_body")
    assert inline is None
    assert size == len(body)
    assert (tmp_path / "data" / "blobs" / blob[:2] / blob[2:4] / blob).read_bytes() == body
    assert hub.one("SELECT length(body) FROM message") == 40_000


async def test_blob_that_cannot_be_written_is_not_acknowledged(sqlite_url, start, tmp_path):
    hub = await start(sqlite_url)
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data" / "blobs").write_text("a file where the folder should be")
    status, _ = await hub.form({**BUYER, "message": "ї" * 40_000})
    assert status == 503
    assert await counters(hub) == (0, 0, {})
    assert (await hub.form(BUYER))[0] == 201


# --- how often ---------------------------------------------------------------------------------------


LIMITED = {"form": {**FORM, "rate_per_minute": 5}, "free": dict(FORM)}


async def test_rate_is_limited_for_each_address(sqlite_url, start):
    hub = await start(sqlite_url, channels=LIMITED)
    statuses = [(await hub.form({**BUYER, "phone": phone(n)}))[0] for n in range(8)]
    assert statuses == [201] * 5 + [429] * 3
    async with hub.http.post(f"{hub.base}/in/form", json=BUYER) as refused:
        assert 1 <= int(refused.headers["Retry-After"]) <= 12
    assert await counters(hub) == (5, 0, {"rate": 4})
    assert [(await hub.form(BUYER, account="free"))[0] for _ in range(20)] == [201] * 20


async def test_forwarded_address_counts_only_behind_a_trusted_proxy(sqlite_url, start):
    stranger = await start(sqlite_url, channels=LIMITED)
    statuses = [
        (await stranger.form({**BUYER, "phone": phone(n)}, headers={"X-Forwarded-For": f"198.51.100.{n}"}))[0]
        for n in range(7)
    ]
    assert statuses.count(429) == 2


async def test_shop_behind_one_proxy_survives(sqlite_url, start):
    hub = await start(
        sqlite_url, channels=LIMITED, web_section={"trusted_proxies": ["127.0.0.0/8", "10.0.0.0/8"]}
    )

    async def visit(address, n):
        return (await hub.form({**BUYER, "phone": phone(n)}, headers={"X-Forwarded-For": address}))[0]

    assert {await visit(f"198.51.100.{n}, 10.0.0.7", n) for n in range(30)} == {201}
    flood = [await visit("203.0.113.9", 100 + n) for n in range(10)]
    assert flood.count(429) == 5
    assert await visit("198.51.100.77", 1) == 201
    # what a client writes itself to the left of the trusted chain is not believed
    spoofed = [await visit(f"192.0.2.{n}, 203.0.113.9", 200 + n) for n in range(5)]
    assert spoofed == [429] * 5


async def test_unknown_accounts_are_not_found(sqlite_url, start):
    hub = await start(sqlite_url)
    for account in ("nobody", "np", "..%2f", "form%00"):
        status, body = await hub.form(BUYER, account=account)
        assert status == 404, body
    assert hub.one("SELECT count(*) FROM delivery") == 0
