"""Working a task on the page of its request: every verb, every refusal, what outsiders may write."""

import json

import pytest

from hub.access.model import Role
from tests.web.conftest import WebHub

CUSTOMER = {"name": "Ivan Franko", "phone": "+380671234567", "message": "Is it in stock?"}


async def two(web_hub: WebHub):
    """Two sellers; the task goes to the first of them by the rule."""
    return web_hub.add("Olena"), web_hub.add("Taras")


async def test_a_posted_form_becomes_a_task_of_mine_with_its_message(web_hub):
    person = await web_hub.signed_in(web_hub.add("Olena"))
    request_id = await web_hub.send_form(**CUSTOMER, color="red")
    home = await person.get("/")
    assert "For you, by urgency" in home.words
    assert "Ivan Franko" in home.words
    assert "Is it in stock?" in home.words
    task = web_hub.task_of(request_id)
    shown = await person.get(f"/tasks/{task.id}")
    assert shown.path == f"/requests/{request_id}"
    assert 'href="tel:+380671234567"' in shown.text
    assert "+380 67 123 45 67" in shown.words
    assert "red" in shown.words
    for words in ("Accept", "Request came in", "Task dealt : Olena".replace(" :", ":")):
        assert words in shown.words


async def test_accept_then_close_as_answered(web_hub):
    person = await web_hub.signed_in(web_hub.add("Olena"))
    request_id = await web_hub.send_form(**CUSTOMER)
    task = web_hub.task_of(request_id)
    page = f"/requests/{request_id}"
    accepted = await person.submit(page, f"/tasks/{task.id}/accept")
    assert accepted.path == page
    assert "You are working on this task." in accepted.words
    assert "In work" in accepted.words
    closed = await person.submit(page, f"/tasks/{task.id}/complete", outcome="answered")
    assert closed.status == 200
    assert web_hub.task_of(request_id).state == "done"
    assert "Answered" in (await person.get(page)).words


async def test_what_was_not_sold_needs_reason_and_product_and_keeps_what_was_typed(web_hub):
    person = await web_hub.signed_in(web_hub.add("Olena"))
    request_id = await web_hub.send_form(**CUSTOMER)
    task = web_hub.task_of(request_id)
    page, target = f"/requests/{request_id}", f"/tasks/{task.id}/complete"
    await person.submit(page, f"/tasks/{task.id}/accept")
    refused = await person.submit(
        page, target, outcome="dead", quantity="many", value="12 000,50", product=""
    )
    assert refused.status == 422
    assert "Say why nothing was sold" in refused.words
    assert "Say what was asked for" in refused.words
    assert "A quantity is a number above zero" in refused.words
    assert 'value="12 000,50"' in refused.text
    assert 'value="many"' in refused.text
    assert 'aria-describedby="complete-reason-problem"' in refused.text
    assert web_hub.task_of(request_id).state == "accepted"
    done = await person.submit(
        page, target, outcome="dead", quantity="12", value="12 000,50", product="Filter", reason="too dear"
    )
    assert done.status == 200
    shown = (await person.get(page)).words
    assert "too dear" in shown
    assert "Filter" in shown
    assert "12,000.50" in shown


@pytest.mark.parametrize("outcome", ["", "order", "spam", "nonsense"])
async def test_an_outcome_that_is_not_offered_is_refused(web_hub, outcome):
    person = await web_hub.signed_in(web_hub.add("Olena"))
    request_id = await web_hub.send_form(**CUSTOMER)
    task = web_hub.task_of(request_id)
    answer = await person.submit(f"/requests/{request_id}", f"/tasks/{task.id}/complete", outcome=outcome)
    assert answer.status == 422
    assert "Choose one" in answer.words


async def test_of_two_who_take_a_waiting_task_the_loser_reads_who_has_it(web_hub):
    request_id = await web_hub.send_form(**CUSTOMER)
    first, second = [await web_hub.signed_in(i) for i in await two(web_hub)]
    task = web_hub.task_of(request_id)
    page = f"/requests/{request_id}"
    if task.assignee_id is not None:  # dealt when the first joined: give it back, so that it waits
        web_hub.hub.db.write_now(lambda tx: _to_queue(tx, task.id))
    forms = [(await p.get(page)).form(f"/tasks/{task.id}/claim") for p in (first, second)]
    won = await first.post(f"/tasks/{task.id}/claim", forms[0])
    lost = await second.post(f"/tasks/{task.id}/claim", forms[1])
    assert won.status == 200
    assert lost.status == 409
    assert "Olena has this task now." in lost.words


def _to_queue(tx, task_id):
    from sqlalchemy import update

    from hub.db.tables import task

    tx.execute(
        update(task).where(task.c.id == task_id).values(state="waiting", assignee_id=None, membership_id=None)
    )


async def test_a_stale_form_shows_what_changed(web_hub):
    olena = web_hub.add("Olena")
    request_id = await web_hub.send_form(**CUSTOMER)
    task = web_hub.task_of(request_id)
    seller = await web_hub.signed_in(olena)
    head = await web_hub.signed_in(web_hub.add("Iryna", Role.HEAD, team=False))
    page = f"/requests/{request_id}"
    stale = (await seller.get(page)).form(f"/tasks/{task.id}/complete")
    taras = web_hub.add("Taras")
    moved = await head.submit(page, f"/tasks/{task.id}/reassign", assignee=str(taras), reason="holiday")
    assert moved.status == 200
    refused = await seller.post(f"/tasks/{task.id}/complete", {**stale, "outcome": "answered"})
    assert refused.status == 412
    assert "Somebody changed this meanwhile" in refused.words
    assert "Taras" in refused.words
    assert 'class="news"' in refused.text
    assert "holiday" in refused.words


async def test_release_needs_a_reason_and_gives_the_task_to_another(web_hub):
    first, second = await two(web_hub)
    request_id = await web_hub.send_form(**CUSTOMER)
    task = web_hub.task_of(request_id)
    person = await web_hub.signed_in(task.assignee_id)
    page, target = f"/requests/{request_id}", f"/tasks/{task.id}/release"
    refused = await person.submit(page, target)
    assert refused.status == 422
    assert "Say why" in refused.words
    assert (await person.submit(page, target, reason="wrong language")).status == 200
    assert web_hub.task_of(request_id).assignee_id == ({first, second} - {task.assignee_id}).pop()


async def test_spam_costs_nobody_a_turn(web_hub):
    person = await web_hub.signed_in(web_hub.add("Olena"))
    request_id = await web_hub.send_form(**CUSTOMER)
    task = web_hub.task_of(request_id)
    page = f"/requests/{request_id}"
    assert (await person.submit(page, f"/tasks/{task.id}/void", outcome="")).status == 422
    answer = await person.submit(page, f"/tasks/{task.id}/void", outcome="spam", reason="casino")
    assert "costs nobody a turn" in answer.words
    why = await person.get(f"/tasks/{task.id}/why")
    assert "spam or doubled" in why.words


async def test_a_seller_has_no_forms_for_a_task_of_another_but_taking_it_over(web_hub):
    await two(web_hub)
    request_id = await web_hub.send_form(**CUSTOMER)
    task = web_hub.task_of(request_id)
    other = next(p.id for p in web_hub.hub.db.read_now(_staff) if p.id != task.assignee_id)
    person = await web_hub.signed_in(other)
    shown = await person.get(f"/requests/{request_id}")
    assert f"/tasks/{task.id}/complete" not in shown.text
    assert "Take it over" in shown.words
    data = {**shown.form(f"/tasks/{task.id}/claim"), "outcome": "answered"}
    refused = await person.post(f"/tasks/{task.id}/complete", data)
    assert refused.status == 409
    assert "has this task now." in refused.words


def _staff(conn):
    from hub.staff.store import all_staff

    return all_staff(conn)


async def test_why_says_who_could_take_it_and_who_not(web_hub):
    from hub.assignment import members
    from hub.staff.store import team_by_name
    from tests.web.conftest import TEST

    olena, taras = await two(web_hub)
    web_hub.hub.db.write_now(
        lambda tx: members.change_member(
            tx, TEST, team_by_name(tx.conn, "sales").id, taras, share=None, limit=0
        )
    )
    request_id = await web_hub.send_form(**CUSTOMER)
    person = await web_hub.signed_in(olena)
    shown = await person.get(f"/tasks/{web_hub.task_of(request_id).id}/why")
    assert "1 person could take it. Olena had the most credit" in shown.words
    assert "has as many open tasks as the limit allows" in shown.words


async def test_a_delivery_that_nobody_could_read_is_shown_to_be_read_by_hand(web_hub):
    person = await web_hub.signed_in(web_hub.add("Olena"))
    task_id = web_hub.hub.db.write_now(_unreadable)
    home = await person.get("/")
    assert "Read by hand: a delivery of shop-form" in home.words
    shown = await person.get(f"/tasks/{task_id}")
    assert shown.path == f"/tasks/{task_id}"
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown.text
    assert "<script>" not in shown.text
    done = await person.submit(f"/tasks/{task_id}", f"/tasks/{task_id}/complete", reason="called back")
    assert done.status == 200


def _unreadable(tx):
    from hub.assignment.service import open_task
    from hub.db import rows as r
    from hub.db import tables as t
    from hub.staff.store import team_by_name
    from tests.web.conftest import TEST

    key = tx.new_id()
    body = b"name=<script>alert(1)</script>&\xff\x00"
    tx.insert(
        {
            t.delivery: [
                r.DeliveryRow(
                    key,
                    "x",
                    "shop-form",
                    "d",
                    "unreadable",
                    None,
                    None,
                    "no field is readable",
                    3,
                    0,
                    tx.now,
                    None,
                    key,
                )
            ],
            t.delivery_body: [r.DeliveryBodyRow(key, "POST", "", "{}", "{}", "", body, None, len(body))],
        }
    )
    team = team_by_name(tx.conn, "sales").id
    return open_task(tx, TEST, team, kind="read_by_hand", title="shop-form: unreadable", subject_id=key).id


# --- what outsiders write ----------------------------------------------------------------------------------

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7*7 }}javascript:alert(3)"


@pytest.mark.parametrize(
    "field",
    [
        "name",
        "message",
        "subject",
        "utm_source",
        "utm_campaign",
        "page_url",
        "referrer",
        "color",
        EVIL,
        "email",
    ],
)
async def test_nothing_that_an_outsider_writes_becomes_markup(web_hub, field):
    person = await web_hub.signed_in(web_hub.add("Olena"))
    request_id = await web_hub.send_form(**{**CUSTOMER, field: EVIL})
    task = web_hub.task_of(request_id)
    await person.submit(f"/requests/{request_id}", f"/tasks/{task.id}/accept")
    pages = [
        "/",
        "/tasks",
        f"/requests/{request_id}",
        f"/tasks/{task.id}/why",
        f"/orders/new?request={request_id}",
    ]
    for page in pages:
        shown = await person.get(page)
        assert shown.status == 200
        assert shown.foreign_scripts == []
        assert "<img src=x" not in shown.text
        assert 'href="javascript:' not in shown.text
    made = await person.submit(pages[-1], "/orders/new", name_0=EVIL, note=EVIL, payment="cod")
    assert made.status == 200
    for page in (made.path, "/orders"):
        shown = await person.get(page)
        assert shown.foreign_scripts == []
        assert "<img src=x" not in shown.text


async def test_a_page_address_of_an_outsider_is_text_and_no_link(web_hub):
    person = await web_hub.signed_in(web_hub.add("Olena"))
    request_id = await web_hub.send_form(**CUSTOMER, page_url="https://evil.example/x")
    shown = await person.get(f"/requests/{request_id}")
    assert "evil.example" in shown.words
    assert 'href="https://evil.example' not in shown.text


async def test_doubts_are_listed_with_both_people(web_hub):
    person = await web_hub.signed_in(web_hub.add("Olena"))
    await web_hub.send_form(name="Lesia", email="lesia@example.com", message="first")
    await web_hub.send_form(name="Ivan", phone="+380671234567", message="second")
    third = await web_hub.send_form(
        name="Ivan", phone="+380671234567", email="lesia@example.com", message="third"
    )
    shown = await person.get(f"/requests/{third}")
    assert "Perhaps somebody else too" in shown.words
    assert "Lesia" in shown.words


# --- lists and odd addresses -------------------------------------------------------------------------------


async def test_empty_lists_say_what_to_do_next(web_hub):
    person = await web_hub.signed_in(web_hub.add("Olena"))
    home = await person.get("/")
    assert "Nothing is waiting for you" in home.words
    assert 'href="/in/shop-form/form"' in home.text
    assert "The queue is empty" in home.words
    assert "No task fits" in (await person.get("/tasks")).words
    orders = await person.get("/orders")
    assert "No orders yet" in orders.words
    assert "No order fits" in (await person.get("/orders?number=77")).words
    outsider = await web_hub.signed_in(web_hub.add("Admin", Role.ADMIN, team=False))
    assert "hub staff set" in (await outsider.get("/")).words


@pytest.mark.parametrize(
    "path",
    [
        "/tasks?state=nonsense", "/tasks?assignee=x&team=99999999999999999999&before=-1", "/tasks?state=",
        "/orders?before=0", "/orders?stage=%00%ff&responsible=abc", "/orders?number=" + "9" * 500,
    ],
)  # fmt: skip
async def test_odd_filters_do_no_harm(web_hub, path):
    person = await web_hub.signed_in(web_hub.add("Olena"))
    assert (await person.get(path)).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/requests/1",
        "/requests/abc",
        "/tasks/1/why",
        "/orders/99999999999999999999",
        "/orders/new?request=5",
        "/no/such",
    ],
)
async def test_what_does_not_exist_is_a_page_that_says_so(web_hub, path):
    person = await web_hub.signed_in(web_hub.add("Olena"))
    shown = await person.get(path)
    assert shown.status == 404
    assert "There is nothing here" in shown.words
    assert "Check the address" in shown.words
    assert shown.headers["Content-Security-Policy"]


async def test_tasks_are_paged(web_hub, monkeypatch):
    monkeypatch.setattr("hub.web.workspace.queries.PAGE", 2)
    person = await web_hub.signed_in(web_hub.add("Olena"))
    for number in range(5):
        await web_hub.send_form(name=f"Customer {number}", phone=f"+38067123456{number}", message="?")
    seen, path = [], "/tasks"
    for _ in range(3):
        shown = await person.get(path)
        seen += [n for n in range(5) if f"Customer {n}" in shown.words]
        older = [part for part in shown.text.split('href="') if "before=" in part.partition('"')[0]]
        path = older[0].partition('"')[0].replace("&amp;", "&") if older else ""
    assert sorted(seen) == [0, 1, 2, 3, 4]
    assert path == ""


async def test_every_page_has_its_security_headers(web_hub):
    person = await web_hub.signed_in(web_hub.add("Olena"))
    stranger = await web_hub.browser()
    for shown in (
        await person.get("/"),
        await person.get("/orders/1"),
        await stranger.get("/", follow=False),
    ):
        policy = shown.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert shown.headers["X-Content-Type-Options"] == "nosniff"
        assert shown.headers["Referrer-Policy"] == "same-origin"
        assert shown.headers["Cache-Control"] == "no-store"
        assert " style=" not in shown.text
        assert shown.foreign_scripts == []


async def test_static_files_are_kept_for_ever_under_their_digest(web_hub):
    import re

    browser = await web_hub.browser()
    shown = await browser.get("/sign-in")
    addresses = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', shown.text))
    assert len(addresses) == 3
    for address in addresses:
        async with browser.client.get(address) as answer:
            assert answer.status == 200
            assert "immutable" in answer.headers["Cache-Control"]
            assert answer.content_type in {"text/css", "image/svg+xml"}
    async with browser.client.get("/static/../context.py") as answer:
        assert answer.status == 404
    async with browser.client.get("/static/hub.css?v=old") as answer:
        assert "immutable" not in answer.headers["Cache-Control"]


async def test_the_body_of_a_form_may_be_anything(web_hub):
    person = await web_hub.signed_in(web_hub.add("Olena"))
    for body, media in (
        (b"csrf=%ff%fe&x", "application/x-www-form-urlencoded; charset=no-such"),
        (b"\xff\xfe\x00", "application/x-www-form-urlencoded"),
        (json.dumps({"csrf": 1}).encode(), "application/json"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
        (b"", "multipart/form-data"),
    ):
        answer = await person.post("/sign-out", body, headers={"Content-Type": media})
        assert answer.status in {400, 403, 422}, (media, answer.status)


@pytest.mark.parametrize(
    ("raised", "status", "words"),
    [
        ("unavailable", 503, "The hub takes a short break Nothing you did before is lost."),
        ("bug", 500, "Something went wrong on our side It is in the log."),
    ],
)
async def test_what_breaks_is_a_page_without_a_traceback(web_hub, monkeypatch, raised, status, words):
    from hub.kernel.errors import Unavailable

    error = (
        Unavailable("the database is not available") if raised == "unavailable" else RuntimeError("secret 42")
    )

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("hub.web.workspace.queries.order_items", fail)
    person = await web_hub.signed_in(web_hub.add("Olena"))
    shown = await person.get("/orders")
    assert shown.status == status
    assert words in shown.words
    assert "secret" not in shown.text
    assert "Olena" in shown.words
    assert ("Retry-After" in shown.headers) == (status == 503)
    assert shown.headers["Content-Security-Policy"]
