"""The web form in a whole hub: files, kinds, CORS, Turnstile, and the pitfalls of web hooks in general."""

import asyncio
from typing import Any

import pytest
from aiohttp import FormData
from sqlalchemy import func, select

from hub.db import tables as t
from hub.kernel.clock import MINUTE
from hub.testing.emulators.turnstile import TurnstileEmulator
from tests.plugins.web_form.made import JPEG, PDF, PNG, PROGRAM, multipart, multipart_type
from tests.web.conftest import WebHub

SITE = "https://shop.example"
CHANNELS = {
    "shop-form": {
        "plugin": "web_form",
        "team": "sales",
        "rate_per_minute": 0,
        "allowed_origins": [SITE],
        "max_file_bytes": 100_000,
        "max_upload_bytes": 200_000,
        "kinds": {"vip": {"task_title": "VIP {who}", "reaction_minutes": 2}},
    },
    "other-form": {"plugin": "web_form", "team": "sales", "rate_per_minute": 0},
    "slow-form": {"plugin": "web_form", "team": "sales", "rate_per_minute": 1, "allowed_origins": [SITE]},
}
PERSON = {"name": "Олена Коваль", "phone": "+380671234567"}
BROWSER = {"Accept": "text/html"}


@pytest.fixture
async def hub(make_hub: Any, tmp_path: Any) -> WebHub:
    key = tmp_path / "secret.key"
    key.write_text("k" * 44)
    made = await make_hub(language="en", channels=CHANNELS, secret_key_file=str(key))
    assert isinstance(made, WebHub)
    return made


async def post(hub: WebHub, path: str = "/in/shop-form", **kwargs: Any) -> tuple[int, Any, Any]:
    client = (await hub.browser()).client
    async with client.post(path, allow_redirects=False, **kwargs) as answer:
        json = answer.content_type.endswith("json")
        return (
            answer.status,
            await answer.json(content_type=None) if json else await answer.text(),
            answer.headers,
        )


def form_with(*files: tuple[str, bytes], **fields: str) -> FormData:
    made = FormData({**PERSON, **fields})
    for name, body in files:
        made.add_field("files", body, filename=name, content_type="image/png")
    return made


def count(hub: WebHub, table: Any) -> int:
    return int(
        hub.hub.db.read_now(lambda conn: conn.execute(select(func.count()).select_from(table)).scalar_one())
    )


# Files ---------------------------------------------------------------------------------------------------


async def test_files_of_a_form_stand_in_the_conversation_and_can_be_fetched(hub):
    """Through the blob store of all messages, as what they are and not as what they were called."""
    olena = await hub.signed_in(hub.add("Olena"))
    status, said, _ = await post(
        hub, data=form_with(("фото.png", JPEG), ("рахунок.pdf", PDF), message="Ось фото")
    )
    assert status == 201
    page = await olena.get(f"/requests/{said['request_id']}")
    assert "фото.png" in page.text
    assert "рахунок.pdf" in page.words
    rows = hub.hub.db.read_now(
        lambda conn: conn.execute(select(t.attachment).order_by(t.attachment.c.name)).all()
    )
    assert [(row.name, row.media_type, row.state) for row in rows] == [
        ("рахунок.pdf", "application/pdf", "stored"),
        ("фото.png", "image/jpeg", "stored"),
    ]
    async with olena.client.get(f"/files/{rows[1].id}") as answer:
        assert await answer.read() == JPEG


async def test_what_is_too_much_is_a_clear_4xx_and_stores_nothing(hub):
    for files, status, reason in (
        ([("a.png", PNG)] * 6, 422, "files"),
        ([("a.png", PNG + b"\x00" * 100_000)], 413, "file_too_large"),
        ([("a.png", PNG + b"\x00" * 90_000)] * 3, 413, "too_large"),
        ([("photo.png", PROGRAM)], 415, "file_type"),
    ):
        told, said, _ = await post(hub, data=form_with(*files))
        assert (told, said["reason"], said["status"]) == (status, reason, status)
    body = multipart(PERSON, [("files", "a.png", PNG)])
    for cut in (body[:-4], body[: len(body) // 2], b""):  # cut off on the way
        status, said, _ = await post(hub, data=cut, headers={"Content-Type": multipart_type()})
        assert (status, said["reason"]) == (400, "unreadable")
    assert count(hub, t.delivery) == count(hub, t.attachment) == 0


async def test_a_person_whose_form_is_refused_sees_it_again_filled_in(hub):
    status, shown, headers = await post(
        hub,
        "/in/shop-form?lang=en",
        data=form_with(("a.exe", PROGRAM), message="About boots"),
        headers=BROWSER,
    )
    assert (status, headers["Content-Type"].partition(";")[0]) == (415, "text/html")
    assert "We do not take this kind of file" in shown
    assert "About boots" in shown
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    large = form_with(("a.png", PNG + b"\x00" * 90_000), ("b.png", PNG + b"\x00" * 120_000))
    status, shown, _ = await post(hub, "/in/shop-form?lang=en", data=large, headers=BROWSER)
    assert status == 413
    assert "Send fewer files" in shown


# Kinds ---------------------------------------------------------------------------------------------------


async def test_title_and_limit_of_a_kind_reach_the_task_and_a_browser_its_confirmation(hub):
    hub.add("Olena")
    for kind, title, minutes in (
        ("callback", "Передзвонити: Олена Коваль", 10),
        ("vip", "VIP Олена Коваль", 2),
    ):
        _, said, _ = await post(hub, f"/in/shop-form?kind={kind}", json={**PERSON, "message": kind})
        task = hub.task_of(said["request_id"])
        assert (task.title, task.state, task.reaction_ms) == (title, "assigned", minutes * MINUTE)
        assert task.react_by_at - task.assigned_at == minutes * MINUTE
    status, _, headers = await post(hub, "/in/shop-form?kind=order&lang=uk", data=PERSON, headers=BROWSER)
    assert (status, headers["Location"]) == (303, "/in/shop-form/thanks?kind=order&lang=uk")
    thanks = await (await hub.browser()).get(headers["Location"])
    assert "Ми отримали ваше замовлення" in thanks.words


# CORS ----------------------------------------------------------------------------------------------------


async def preflight(hub: WebHub, origin: str, path: str = "/in/shop-form") -> Any:
    client = (await hub.browser()).client
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "idempotency-key",
    }
    return await client.options(path, headers=asked)


async def test_a_listed_site_may_post_by_script_and_read_the_answer_and_no_other(hub):
    answer = await preflight(hub, SITE)
    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Origin"] == SITE
    assert "idempotency-key" in answer.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers
    for json, status in ((PERSON, 201), ({"a": "b"}, 422)):
        told, _, headers = await post(hub, json=json, headers={"Origin": SITE})
        assert (told, headers["Access-Control-Allow-Origin"], headers["Vary"]) == (status, SITE, "Origin")

    for origin in ("https://shop.example.evil", "https://SHOP.example", "http://shop.example", "null", ""):
        answer = await preflight(hub, origin)
        assert answer.status == 403
        assert not [name for name in answer.headers if name.startswith("Access-Control")]
        _, _, headers = await post(hub, json=PERSON, headers={"Origin": origin})
        assert "Access-Control-Allow-Origin" not in headers
    assert (await preflight(hub, SITE, "/in/other-form")).status == 403  # an account without origins
    assert (await preflight(hub, SITE, "/in/nobody")).status == 403
    # too many: the script reads when it may come again
    await post(hub, "/in/slow-form", json=PERSON)
    status, _, headers = await post(hub, "/in/slow-form", json=PERSON, headers={"Origin": SITE})
    assert (status, headers["Access-Control-Allow-Origin"]) == (429, SITE)
    assert int(headers["Retry-After"]) > 0
    assert "Retry-After" in headers["Access-Control-Expose-Headers"]


# Nonce ---------------------------------------------------------------------------------------------------


async def nonce_of(hub: WebHub, account: str) -> str:
    page = await (await hub.browser()).get(f"/in/{account}/form")
    return page.text.partition('name="_nonce" value="')[2].partition('"')[0]


async def test_w3_two_clicks_on_our_page_are_one_request(hub):
    """[W3] double submit, with another boundary each time as browsers draw them."""
    nonce = await nonce_of(hub, "shop-form")
    assert nonce.startswith("n1.")
    for _ in range(2):
        status, _, _ = await post(hub, data=form_with(("a.png", PNG), _nonce=nonce), headers=BROWSER)
        assert status == 303
    assert (count(hub, t.delivery), count(hub, t.request), count(hub, t.attachment)) == (1, 1, 1)
    nonce = await nonce_of(hub, "other-form")  # the page of another account
    status, said, _ = await post(hub, json={**PERSON, "_nonce": nonce})
    assert (status, said["reason"]) == (422, "nonce")
    assert count(hub, t.delivery) == 1


# Pitfalls of web hooks in general ------------------------------------------------------------------------


async def test_w1_the_same_delivery_at_once_is_one_request(hub):
    """[W1] a unique key in the database, not a lock."""
    answers = await asyncio.gather(
        *(post(hub, data={"Name": "I", "Phone": "0501234567", "tranid": "1:2"}) for _ in range(12))
    )
    assert {status for status, _, _ in answers} == {201}
    assert len({said["request_id"] for _, said, _ in answers}) == 1
    assert count(hub, t.request) == 1


async def test_w2_parallel_posts_of_one_person_are_one_contact(hub):
    """[W2] several web hooks of one person at the same moment."""
    numbers = ["+380 67 123-45-67", "0671234567", "380671234567", "(067) 123 45 67"] * 3
    sent = [
        post(hub, json={"name": "I", "phone": phone, "message": f"N {n}"}) for n, phone in enumerate(numbers)
    ]
    assert {status for status, _, _ in await asyncio.gather(*sent)} == {201}
    assert (count(hub, t.contact), count(hub, t.request)) == (1, len(numbers))


async def test_w5_w7_w9_answers_at_once_and_repeats_are_known(hub):
    """[W5] [W7] builders give five seconds and repeat what is late: nothing but the commit is waited for.

    [W9] Google's trigger fires twice or not at all: the script sends again what got no 2xx.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    status, _, _ = await post(hub, data={"Name": "I", "Phone": "0501234567", "tranid": "3:4"})
    assert status == 201
    assert loop.time() - started < 4
    again, _, _ = await post(hub, data={"Name": "I", "Phone": "0501234567", "tranid": "3:4"})
    assert (again, count(hub, t.request)) == (201, 1)
    assert count(hub, t.outbox) == 0  # nobody to tell; nothing was called in the request
    body = {"form": {"id": "F", "title": "T"}, "response": {"id": "R1", "payload": {"Телефон": "0671234567"}}}
    first, second = await post(hub, json=body), await post(hub, json=body)
    assert first[:2] == second[:2]
    assert count(hub, t.request) == 2


# Turnstile -----------------------------------------------------------------------------------------------


@pytest.fixture
async def guarded(make_hub: Any) -> Any:
    emulator = TurnstileEmulator("the-turnstile-secret")
    base_url = await emulator.start()
    form = {
        "plugin": "web_form", "team": "sales", "rate_per_minute": 0, "turnstile_site_key": "1x00",
        "turnstile_secret": "the-turnstile-secret", "turnstile_base_url": base_url,
    }  # fmt: skip
    strict = {**form, "turnstile_down": "refuse"}
    yield await make_hub(language="en", channels={"shop-form": form, "strict-form": strict}), emulator
    await emulator.stop()


async def test_only_who_passed_turnstile_comes_in(guarded):
    hub, turnstile = guarded
    status, said, _ = await post(hub, json=PERSON)
    assert (status, said["reason"]) == (403, "captcha")
    assert hub.process.door.rejections["shop-form", "captcha"] == 1
    status, said, _ = await post(hub, json={**PERSON, "cf-turnstile-response": turnstile.issue()})
    assert status == 201


async def test_when_turnstile_is_down_the_request_says_that_nobody_was_asked(guarded):
    """Neither can a sender claim to have passed: the hub's own header is never taken from outside."""
    hub, turnstile = guarded
    turnstile.fault = "http_500"
    olena = await hub.signed_in(hub.add("Olena"))
    status, said, _ = await post(hub, json=PERSON, headers={"hub-asked": "turnstile:passed"})
    assert status == 201
    page = await olena.get(f"/requests/{said['request_id']}")
    assert "not verified" in page.words
    status, _, headers = await post(hub, "/in/strict-form", json=PERSON)
    assert (status, headers["Retry-After"]) == (503, "20")
