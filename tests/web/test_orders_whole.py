"""Pages of orders whole: approvals, payments, what is missing, archive, board, routes, texts, web hooks."""

import pytest

from hub.access.model import Role
from hub.db import tables as t
from hub.outbox import webhooks
from tests.web.test_orders import made

HOOK = "https://shop.example/hub"


async def contract(web_hub):
    """A head with a contract sale in `approval`; (head, path)."""
    head = await web_hub.signed_in(web_hub.add("Iryna", Role.HEAD))
    answer = await head.submit(
        "/orders/new", "/orders/new", name="Lesia", payment="prepaid", route="contract_sale", name_0="Pump",
        price_0="1000",
    )  # fmt: skip
    path = answer.path
    return head, path, await move(head, path, "approval")


async def move(person, path, stage, **values):
    data = {**(await person.get(path)).form(f"{path}/stage"), "form": "stage", "stage": stage, **values}
    return await person.post(f"{path}/stage", data)


def approval_of(page):
    return "/approvals/" + page.text.partition('action="/approvals/')[2].partition('"')[0]


async def test_a_button_says_what_is_missing_and_who_has_to_agree(web_hub):
    head, path, page = await contract(web_hub)
    assert "Next: Execution" in page.words
    assert "Missing: contract number, payment terms" in page.words
    refused = await move(head, path, "execution")
    assert refused.status == 409
    assert "Something has to be filled in before this step" in refused.words
    terms = {"field_contract_number": "12-A", "field_payment_terms": "half before"}
    changed = await head.submit(path, f"{path}/details", payment="prepaid", **terms)
    assert changed.status == 200
    assert "12-A" in changed.words
    assert "Needs the approval of: Head of sales" in changed.words
    waits = await move(head, path, "execution")
    assert waits.status == 409
    assert "The order waits for an approval." in waits.words


async def test_an_approval_is_answered_on_the_page_and_the_journal_tells_who(web_hub):
    head, path, page = await contract(web_hub)
    terms = {"field_contract_number": "12-A", "field_payment_terms": "half before"}
    page = await head.submit(path, f"{path}/details", payment="prepaid", **terms)
    action = approval_of(page)
    silent = await head.submit(path, action, verdict="refuse")
    assert silent.status == 422
    assert "This answer needs a comment" in silent.words
    remark = await head.submit(path, action, verdict="comment", comment="why so cheap?")
    assert "why so cheap?" in remark.words
    agreed = await head.submit(path, action, verdict="agree")
    assert "Stage changed: Approval → Execution" in agreed.words
    assert "Head of sales: agrees" in agreed.words
    assert "everybody agreed" in agreed.words


async def test_an_approval_is_a_task_with_its_answer_on_it(web_hub):
    head, path, _ = await contract(web_hub)
    seller = await web_hub.signed_in(web_hub.add("Olena"))
    task = web_hub.hub.db.read_now(lambda conn: conn.execute(t.approval.select()).one()).task_id
    page = await head.get(f"/tasks/{task}")
    assert "Order № 1001: approval, Head of sales" in page.words
    assert path in page.text
    assert "/approvals/" in page.text
    assert "/approvals/" not in (await seller.get(f"/tasks/{task}")).text
    refused = await seller.post(approval_of(page), {**page.form("/language"), "verdict": "agree"})
    assert refused.status == 403  # another person's form
    own = {**(await seller.get(path)).form("/language"), "verdict": "agree"}
    refused = await seller.post(approval_of(page), own)
    assert refused.status == 409
    assert "Somebody else is asked for this approval" in refused.words


async def test_payments_are_written_down_and_taken_back(web_hub):
    person, path = await made(web_hub)
    wrong = await person.submit(path, f"{path}/payments", kind="received", method="cash", amount="a lot")
    assert wrong.status == 422
    assert "This is no sum" in wrong.words
    none = await person.submit(path, f"{path}/payments", kind="received", method="cash", amount="-5")
    assert none.status == 422
    paid = await person.submit(path, f"{path}/payments", kind="received", method="cash", amount="2140,25")
    assert "Due UAH10,000.00" in paid.words.replace("\xa0", "")
    late = {"kind": "expected", "method": "transfer", "amount": "500", "at": "2020-01-01"}
    assert "Expected" in (await person.submit(path, f"{path}/payments", **late)).words
    action = "/payments/" + paid.text.partition('action="/payments/')[2].partition('"')[0]
    silent = await person.submit(path, action)
    assert silent.status == 422
    back = await person.submit(path, action, reason="wrong order")
    assert "Payment taken back" in back.words
    assert "wrong order" in back.words
    again = await person.post(action, {**back.form("/language"), "reason": "once more"})
    assert again.status == 409
    assert "This payment was taken back already" in again.words


async def test_cancelled_lies_in_the_archive_until_the_head_brings_it_back(web_hub):
    seller, path = await made(web_hub)
    await move(seller, path, "cancelled", reason="changed his mind")
    assert "№ 1001" not in (await seller.get("/orders")).words
    assert "№ 1001" in (await seller.get("/orders?archive=1&q=Lesia")).words
    page = await seller.get(path)
    assert "lies in the archive" in page.words
    assert f'action="{path}/stage"' not in page.text
    head = await web_hub.signed_in(web_hub.add("Iryna", Role.HEAD))
    assert (await move(head, path, "new", reason="he pays")).status == 200
    assert "№ 1001" in (await seller.get("/orders")).words


async def test_the_registry_finds_by_telephone_and_sorts_by_every_column(web_hub):
    person, _ = await made(web_hub)
    for query in (
        "q=4321",
        "q=Lesia",
        "q=%23+1001",
        "unpaid=1",
        "sort=contact&direction=asc",
        "route=parcel",
    ):
        assert "№ 1001" in (await person.get(f"/orders?{query}")).words, query
    for sort in ("number", "stage", "contact", "responsible", "total", "paid", "next_contact"):
        page = await person.get(f"/orders?sort={sort}")
        assert 'aria-sort="descending"' in page.text
    assert "No order fits" in (await person.get("/orders?q=Nobody")).words
    assert (await person.get("/orders?cursor=nonsense", follow=False)).status == 303


async def test_a_card_of_the_board_goes_on_by_its_button_and_comes_back_to_the_board(web_hub):
    person, path = await made(web_hub)
    board = await person.get("/orders?view=board")
    assert "№ 1001, next: Agreed" in board.text
    data = {**board.form(f"{path}/stage"), "stage": "agreed"}
    moved = await person.post(f"{path}/stage", data)
    assert moved.path == "/orders"
    assert "№ 1001, next: Confirmed" in moved.text


async def test_the_head_edits_a_route_and_faults_stand_at_their_place(web_hub):
    seller = await web_hub.signed_in(web_hub.add("Olena"))
    head = await web_hub.signed_in(web_hub.add("Iryna", Role.HEAD))
    assert "Contract sale" in (await seller.get("/routes")).words
    assert "Keep as a new version" not in (await seller.get("/routes/service")).words
    page = await head.get("/routes/service")
    fields = fields_of(page)
    wrong = await head.post(
        "/routes/service", {**fields, "moves_1": "nowhere", "actions_2": "sing", "checks_3": "magic"}
    )
    assert wrong.status == 422
    assert "An action begins with notify, task, send or next contact" in wrong.words
    wrong = await head.post("/routes/service", {**fields, "moves_1": "nowhere", "checks_3": ""})
    assert 'id="route-moves_1-problem"' in wrong.text
    assert (
        "The least advanced parcel: Delivered; its money: Paid out to us; payment: Cash on delivery → Paid"
        in page.words
    )
    odd = await head.post("/routes/service", {**fields, "rules": "parcel flying -> paid"})
    assert 'id="route-rules-problem"' in odd.text
    assert "Parcel cannot be flying" in odd.words
    lost = await head.post("/routes/service", {**fields, "rules": "parcel returned -> cancelled"})
    assert "A rule cancels no order: cancelled is for people" in lost.words
    kept = await head.post(
        "/routes/service",
        {
            **fields,
            "en_1": "Talked over",
            "actions_1": "next contact 3",
            "rules": "parcel arrived -> in_work\n\nparcel delivered -> done",
        },
    )
    assert kept.status == 200, kept.words
    assert "version 2" in kept.words
    assert "next contact 3" in kept.text
    assert "The least advanced parcel: Waiting to be collected → In work" in kept.words
    assert "its money" not in kept.words
    none = await head.post("/routes/service", {**fields_of(kept), "rules": ""})
    assert "No rules: people move these orders. Write a rule below" in none.words
    stale = await head.post("/routes/service", {**fields, "en_1": "Late"})
    assert stale.status == 412
    assert (await head.get("/routes/none")).status == 404


def fields_of(page):
    """Every field of the route's form as the page holds it."""
    import re
    from html import unescape

    found = {**page.form("/routes/service")}
    for name, value in re.findall(r'<input id="route-\w+" name="(\w+)" value="([^"]*)"', page.text):
        found[name] = unescape(value)
    for name, value in re.findall(r'<textarea[^>]* name="(\w+)"[^>]*>(.*?)</textarea>', page.text, re.DOTALL):
        found[name] = unescape(value)
    for name, options in re.findall(r'<select[^>]* name="(\w+)"[^>]*>(.*?)</select>', page.text, re.DOTALL):
        found[name] = re.findall(r'value="(\w+)" selected', options)[0]
    return found


async def test_texts_are_written_changed_and_removed(web_hub):
    head = await web_hub.signed_in(web_hub.add("Iryna", Role.HEAD))
    wrong = await head.submit(
        "/templates", "/templates", name="sent", language="en", text="{{ order.secret }}"
    )
    assert wrong.status == 422
    assert "There is no variable order.secret" in wrong.words
    text = "Order {{ order.number }} is on its way"
    kept = await head.submit("/templates", "/templates", name="sent", language="en", text=text)
    assert text in kept.words
    action = "/templates/" + kept.text.partition('action="/templates/')[2].partition('"')[0]
    changed = await head.submit("/templates", action, name="sent", language="en", text="Sent!")
    assert "Sent!" in changed.words
    assert "No texts yet" in (await head.submit("/templates", action, remove="1")).words


async def test_a_web_hook_shows_its_secret_once(web_hub):
    admin = await web_hub.signed_in(web_hub.add("Boss", Role.ADMIN))
    wrong = await admin.submit("/webhooks", "/webhooks", url="nonsense", secret="short")
    assert wrong.status == 422
    assert "An address such as" in wrong.words
    added = await admin.submit("/webhooks", "/webhooks", url=HOOK, **{"event_order.paid": "1"})
    hook = web_hub.hub.db.read_now(lambda conn: conn.execute(t.webhook.select()).one())
    secret = webhooks.secret_of(hook, web_hub.hub.key)
    assert secret in added.text
    again = await admin.get("/webhooks")
    assert secret not in again.text
    assert HOOK in again.words
    action = "/webhooks/" + again.text.partition('action="/webhooks/')[2].partition('"')[0]
    assert "Switch on" in (await admin.submit("/webhooks", action, do="off")).words
    assert HOOK not in (await admin.submit("/webhooks", action, do="remove")).words


@pytest.mark.parametrize("path", ["/webhooks"])
async def test_web_hooks_are_the_administrators(web_hub, path):
    head = await web_hub.signed_in(web_hub.add("Iryna", Role.HEAD))
    assert (await head.get(path)).status == 403
