"""What every call of the API shares: keys, versions, roles, and how wrong input is told."""

import asyncio
import json
import threading

import pytest

from tests.integration import ledger_audit
from tests.integration.hubs import FORM, phone, until


@pytest.fixture
async def hub(hub_url, start):
    return await start(hub_url, people_named=["Ann", "Bob", "Eve"])


@pytest.fixture
def head(hub):
    return hub.token("head")


CALL = {"contact": {"name": "Ivan", "phone": "+380501112233"}, "text": "a call"}


# --- Idempotency-Key -----------------------------------------------------------------------------------


async def test_same_key_gives_the_first_answer(hub, head):
    first = await hub.api("POST", "/requests", head, CALL, Idempotency_Key="k1")
    assert first[0] == 201
    assert await hub.api("POST", "/requests", head, CALL, Idempotency_Key="k1") == first
    assert hub.one("SELECT count(*) FROM request") == 1
    second = await hub.api("POST", "/requests", head, CALL, Idempotency_Key="k2")
    assert second[0] == 201
    assert second[1]["id"] != first[1]["id"]


async def test_same_key_with_another_body_is_422(hub, head):
    await hub.api("POST", "/requests", head, CALL, Idempotency_Key="k")
    status, body = await hub.api("POST", "/requests", head, {**CALL, "text": "other"}, Idempotency_Key="k")
    assert (status, body["status"]) == (422, 422)
    assert hub.one("SELECT count(*) FROM request") == 1


async def test_key_belongs_to_actor_and_path(hub, head):
    other = hub.token("head", name="another")
    answers = [
        await hub.api("POST", "/requests", token, CALL, Idempotency_Key="k") for token in (head, other, head)
    ]
    assert answers[0] == answers[2]
    assert answers[1][1]["id"] != answers[0][1]["id"]
    task = answers[0][1]["task_id"]
    person = {"staff_id": str(hub.one("SELECT assignee_id FROM task WHERE id = :i", i=int(task)))}
    status, _ = await hub.api("POST", f"/tasks/{task}/void", head, person, Idempotency_Key="k")
    assert status == 200


async def test_same_call_many_times_at_once_has_one_effect(hub, head):
    async def call():
        return await hub.api("POST", "/requests", head, CALL, Idempotency_Key="burst")

    answers = await asyncio.gather(*(call() for _ in range(30)))
    assert {status for status, _ in answers} <= {201, 409}
    assert len({body["id"] for status, body in answers if status == 201}) == 1
    assert hub.one("SELECT count(*) FROM request") == 1


async def test_call_in_flight_is_409_with_retry_after(hub, head):
    entered, go_on = threading.Event(), threading.Event()

    def hold(_tx):
        entered.set()
        go_on.wait(10)

    holding = asyncio.create_task(hub.hub.db.write(hold))
    await until(entered.is_set)
    first = asyncio.create_task(hub.api("POST", "/requests", head, CALL, Idempotency_Key="slow"))
    await until(lambda: hub.hub.db.writer.queued >= 2)
    async with hub.http.post(
        f"{hub.base}/api/v1/requests", json=CALL,
        headers={"Authorization": f"Bearer {head}", "Idempotency-Key": "slow"},
    ) as second:  # fmt: skip
        assert second.status == 409
        assert int(second.headers["Retry-After"]) >= 1
    go_on.set()
    await holding
    status, body = await first
    assert status == 201
    assert (await hub.api("POST", "/requests", head, CALL, Idempotency_Key="slow"))[1]["id"] == body["id"]


async def test_refusals_are_first_answers_too(hub, head):
    bad = {"contact": {"phone": "nonsense"}}
    first = await hub.api("POST", "/requests", head, bad, Idempotency_Key="bad")
    assert first[0] == 422
    assert await hub.api("POST", "/requests", head, bad, Idempotency_Key="bad") == first
    assert hub.one("SELECT count(*) FROM api_replay") == 1
    assert (await hub.api("POST", "/tasks/1/claim", head, {}, Idempotency_Key="none"))[0] == 422
    missing = {"staff_id": str(hub.person("Zoe"))}
    first = await hub.api("POST", "/tasks/1/claim", head, missing, Idempotency_Key="gone")
    assert first[0] == 404
    assert await hub.api("POST", "/tasks/1/claim", head, missing, Idempotency_Key="gone") == first


async def test_failures_of_ours_are_not_kept(hub, head, monkeypatch):
    from hub.web.api import requests

    def broken(*_args):
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(requests, "open_by_hand", broken)
        status, body = await hub.api("POST", "/requests", head, CALL, Idempotency_Key="k")
        assert status == 500
        assert "bug" not in json.dumps(body)
    assert (await hub.api("POST", "/requests", head, CALL, Idempotency_Key="k"))[0] == 201


async def test_effect_and_answer_are_stored_together_or_neither(hub, head, monkeypatch):
    from hub.access import store

    def broken(*_args):
        raise RuntimeError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(store, "store_replay", broken)
        assert (await hub.api("POST", "/requests", head, CALL, Idempotency_Key="k"))[0] == 500
    assert hub.one("SELECT count(*) FROM request") == 0
    assert (await hub.api("POST", "/requests", head, CALL, Idempotency_Key="k"))[0] == 201


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 201, "ключ"])
async def test_keys_that_are_none(sqlite_url, start, key):
    hub = await start(sqlite_url)
    status, _ = await hub.api("POST", "/requests", hub.token("head"), CALL, Idempotency_Key=key)
    assert status == 422
    assert hub.one("SELECT count(*) FROM request") == 0


# --- versions --------------------------------------------------------------------------------------------


async def test_stale_version_is_412(hub, head):
    _, made = await hub.api("POST", "/requests", head, CALL)
    path = f"/tasks/{made['task_id']}"
    _, task = await hub.api("GET", path, head)
    body = {"staff_id": task["assignee_id"]}
    status, accepted = await hub.api("POST", f"{path}/accept", head, body, If_Match=f'"{task["version"]}"')
    assert (status, accepted["version"]) == (200, task["version"] + 1)
    status, told = await hub.api("POST", f"{path}/void", head, body, If_Match=f'"{task["version"]}"')
    assert (status, told["version"]) == (412, accepted["version"])
    assert (await hub.api("GET", path, head))[1]["state"] == "accepted"
    assert (await hub.api("POST", f"{path}/void", head, body, If_Match="nonsense"))[0] == 422
    assert (await hub.api("POST", f"{path}/void", head, body, If_Match=f'"{accepted["version"]}"'))[0] == 200


async def test_of_two_changes_of_one_version_one_wins(hub, head):
    _, made = await hub.api("POST", "/requests", head, CALL)
    _, contact = await hub.api("GET", f"/contacts/{made['contact_id']}", head)
    version = f'"{contact["version"]}"'

    async def change(name):
        return (await hub.api("PATCH", f"/contacts/{contact['id']}", head, {"name": name}, If_Match=version))[
            0
        ]

    assert sorted(await asyncio.gather(*(change(f"N{n}") for n in range(8)))) == [200] + [412] * 7


async def test_etag_is_the_version(hub, head):
    _, made = await hub.api("POST", "/requests", head, CALL)
    async with hub.http.get(
        f"{hub.base}/api/v1/tasks/{made['task_id']}", headers={"Authorization": f"Bearer {head}"}
    ) as answer:
        assert answer.headers["ETag"] == f'"{(await answer.json())["version"]}"'


# --- claiming ----------------------------------------------------------------------------------------------


async def test_claim_race_has_one_winner_a_task(hub_url, start):
    """40 claims at once on 10 waiting tasks by 4 sellers."""
    hub = await start(hub_url)
    sellers = [hub.person(f"S{n}", limit=0) for n in range(4)]
    tokens = {seller: hub.token("seller", seller, f"t{seller}") for seller in sellers}
    for n in range(10):
        assert (await hub.form({"name": "A", "phone": phone(n)}))[0] == 201
    tasks = [row[0] for row in hub.rows("SELECT id FROM task WHERE state = 'waiting'")]
    assert len(tasks) == 10

    async def claim(task, seller):
        status, body = await hub.api("POST", f"/tasks/{task}/claim", tokens[seller], {})
        return task, seller, status, body

    answers = await asyncio.gather(*(claim(task, seller) for task in tasks for seller in sellers))
    winners = {task: seller for task, seller, status, _ in answers if status == 200}
    assert len(winners) == 10
    assert [status for _, _, status, _ in answers].count(200) == 10
    for task, seller, status, body in answers:
        if winners[task] != seller:
            assert (status, body["assignee_id"]) == (409, str(winners[task]))
    stored = dict(hub.rows("SELECT id, assignee_id FROM task"))
    assert stored == winners
    assert ledger_audit.problems(hub_url) == []


async def test_why_names_everybody(hub, head):
    _, body = await hub.form({"name": "A", "phone": phone(1)})
    _, request = await hub.api("GET", f"/requests/{body['request_id']}", head)
    status, why = await hub.api("GET", f"/tasks/{request['task_id']}/why", head)
    assert status == 200
    assert {e["name"] for e in why["entries"][0]["eligible"]} == {"Ann", "Bob", "Eve"}
    assert [e["taker"] for e in why["entries"][0]["eligible"]].count(True) == 1


# --- roles --------------------------------------------------------------------------------------------------


async def test_who_may_what(hub, head):
    ann = hub.rows("SELECT id FROM staff WHERE name = 'Ann'")[0][0]
    seller = hub.token("seller", ann)
    assert (await hub.api("GET", "/tasks", "hub_wrong-token-wrong-token"))[0] == 401
    async with hub.http.get(f"{hub.base}/api/v1/tasks") as nobody:
        assert nobody.status == 401
        assert nobody.headers["WWW-Authenticate"] == "Bearer"
        assert nobody.content_type == "application/problem+json"
    assert (await hub.api("POST", "/staff", seller, {"name": "X"}))[0] == 403
    assert (await hub.api("POST", "/staff", head, {"name": "X"}))[0] == 201
    assert (await hub.api("POST", "/staff", head, {"name": "Y", "roles": ["admin"]}))[0] == 403
    assert (await hub.api("POST", "/staff", hub.token("admin"), {"name": "Y", "roles": ["admin"]}))[0] == 201
    _, made = await hub.api("POST", "/requests", seller, CALL)
    other = hub.rows("SELECT id FROM staff WHERE name = 'Bob'")[0][0]
    task = f"/tasks/{made['task_id']}"
    assert (await hub.api("POST", f"{task}/accept", seller, {"staff_id": str(other)}))[0] == 403
    assert (await hub.api("POST", f"{task}/claim", head, {}))[0] == 422


async def test_token_ends_with_its_person(hub, head):
    person = hub.person("Zoe")
    token = hub.token("seller", person)
    assert (await hub.api("GET", "/tasks", token))[0] == 200
    assert (await hub.api("POST", f"/staff/{person}/close", head, {}))[0] == 200
    assert (await hub.api("GET", "/tasks", token))[0] == 401


# --- wrong input ----------------------------------------------------------------------------------------------


async def test_unknown_keys_are_named(hub, head):
    status, body = await hub.api("POST", "/requests", head, {**CALL, "colour": 1, "contact": {"fone": "1"}})
    assert status == 422
    assert {e["path"] for e in body["errors"]} == {"colour", "contact.fone"}
    status, body = await hub.api("GET", "/tasks?colour=1&limit=1000", head)
    assert status == 422
    assert {e["path"] for e in body["errors"]} == {"colour", "limit"}


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"{", "application/json", 422),
        (b"[]", "application/json", 422),
        (b"null", "application/json", 422),
        (b'"x"', "application/json", 422),
        (b"[" * 100_000, "application/json", 422),
        (b'{"text": "\xff"}', "application/json", 422),
        (b'{"text": "\\ud800"}', "application/json", 422),
        (b'{"contact": {"name": "a\\u0000b"}}', "application/json", 422),
        (b"{}", "text/plain", 415),
        (b"a=b", "application/x-www-form-urlencoded", 415),
        (b"{}", "", 415),
        (b"{" + b" " * 1_100_000 + b"}", "application/json", 413),
        (b"{" + b" " * 3_000_000 + b"}", "application/json", 413),
    ],
    ids=lambda value: repr(value[:20]) if isinstance(value, bytes) else str(value),
)
async def test_bodies_that_are_none(sqlite_url, start, body, media_type, status):
    import io

    hub = await start(sqlite_url)
    async with hub.http.post(
        f"{hub.base}/api/v1/requests", data=io.BytesIO(body), skip_auto_headers=["Content-Type"],
        headers={"Authorization": f"Bearer {hub.token('head')}"}
        | ({"Content-Type": media_type} if media_type else {}),
    ) as answer:  # fmt: skip
        assert answer.status == status, await answer.text()
        assert answer.content_type == "application/problem+json"
    assert hub.one("SELECT count(*) FROM request") == 0


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/tasks?limit=1&limit=2", 422), ("/tasks?limit=0", 422), ("/tasks?limit=x", 422), ("/tasks?cursor=x", 422),
        ("/tasks?cursor=99999999999999999999", 422), ("/tasks?state=lost", 422), ("/tasks?updated_since=now", 422),
        ("/tasks?updated_since=2026-01-01T00:00:00", 422), ("/tasks?updated_since=2026-01-01T00:00:00Z", 200),
        ("/tasks/0", 404), ("/tasks/9223372036854775807", 404), ("/tasks/9223372036854775808", 422),
        ("/tasks/-1", 422), ("/tasks/x", 422), ("/tasks/1e3", 422), ("/tasks/%D9%A1", 422), ("/nothing", 404),
        ("/teams/none/fairness", 404), ("/teams/%00/fairness", 404), ("/channels/none", 404),
        ("/contacts?phone=%00", 422), ("/contacts?name=%25_", 200), ("/requests?channel=%ED%A0%80", 200),
    ],
)  # fmt: skip
async def test_addresses_out_of_range(hub_url, start, path, status):
    from yarl import URL

    hub = await start(hub_url)
    async with hub.http.get(
        URL(f"{hub.base}/api/v1{path}", encoded=True),
        headers={"Authorization": f"Bearer {hub.token('admin')}"},
    ) as answer:
        text = await answer.text()
        assert answer.status == status, text
        if status >= 400:
            assert answer.content_type == "application/problem+json"
            assert json.loads(text)["detail"]


async def test_wrong_methods_are_told(hub, head):
    async with hub.http.delete(
        f"{hub.base}/api/v1/tasks", headers={"Authorization": f"Bearer {head}"}
    ) as answer:
        assert answer.status == 405
        assert "GET" in answer.headers["Allow"]
        assert answer.content_type == "application/problem+json"


async def test_pages_follow_each_other_without_gap_or_double(hub, head):
    for n in range(25):
        await hub.form({"name": f"N{n}", "phone": phone(n)})
    seen, cursor = [], ""
    while True:
        _, page = await hub.api("GET", f"/requests?limit=10{cursor}", head)
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len(seen) == len(set(seen)) == 25
    assert seen == sorted(seen, key=int, reverse=True)


async def test_unavailable_database_is_503(hub, head, monkeypatch):
    monkeypatch.setattr(hub.hub.db.writer, "_down", "gone")
    status, body = await hub.api("POST", "/requests", head, CALL, Idempotency_Key="k")
    assert (status, body["status"]) == (503, 503)
    async with hub.http.get(f"{hub.base}/readyz") as ready, hub.http.get(f"{hub.base}/healthz") as alive:
        assert (ready.status, alive.status) == (503, 200)
        assert "Retry-After" in ready.headers
    status, _ = await hub.form({"name": "A", "phone": phone(1)})
    assert status == 503
    monkeypatch.setattr(hub.hub.db.writer, "_down", None)
    assert (await hub.api("POST", "/requests", head, CALL, Idempotency_Key="k"))[0] == 201
    assert (await hub.form({"name": "A", "phone": phone(1)}))[0] == 201


async def test_a_token_that_two_processes_use_at_once_has_one_effect(hub_url, start, tmp_path):
    """The same key over two processes of one database: the unique index decides, both hear the first answer."""
    if hub_url.startswith("sqlite"):
        return  # one file, one process
    one = await start(hub_url, people_named=["Ann"])
    two = await start(hub_url)
    token = one.token("head")
    answers = []
    for n in range(10):
        answers = await asyncio.gather(
            *(h.api("POST", "/requests", token, CALL, Idempotency_Key=f"k{n}") for h in (one, two))
        )
        assert {status for status, _ in answers} <= {201, 409}
        assert len({body.get("id") for status, body in answers if status == 201}) == 1
    bad = {"contact": {"phone": "none"}}
    answers = await asyncio.gather(
        *(h.api("POST", "/requests", token, bad, Idempotency_Key="bad") for h in (one, two))
    )
    assert {status for status, _ in answers} <= {422, 409}


async def test_forms_of_two_processes_meet(hub_url, start):
    """The same delivery at two processes at once is one request with one answer."""
    if hub_url.startswith("sqlite"):
        return
    one = await start(hub_url, people_named=["Ann"], channels={"form": dict(FORM)})
    two = await start(hub_url, channels={"form": dict(FORM)})
    for n in range(10):
        fields = {"name": "A", "phone": phone(n)}
        answers = await asyncio.gather(*(h.form(fields, key=f"k{n}") for h in (one, two) for _ in range(5)))
        assert {status for status, _ in answers} == {201}
        assert len({body["request_id"] for _, body in answers}) == 1
    assert one.one("SELECT count(*) FROM request") == 10
    assert ledger_audit.problems(hub_url) == []
