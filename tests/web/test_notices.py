"""What one was told, where one wants to be told, what could not be delivered, what an account answers by itself."""

import re

import pytest
from sqlalchemy import select, update

from hub.access import store as access
from hub.access.model import Role
from hub.db.tables import notice, outbox
from hub.notices import store
from hub.notices.model import Group, Place
from hub.notices.put import put_alarm
from hub.orders import settings as order_settings
from tests.web.conftest import TEST, WebHub

MAIL = {
    "plugin": "email", "address": "shop@example.com", "username": "shop", "password": "made-up",
    "provider": "own", "imap_host": "127.0.0.1",
    "smtp_host": "127.0.0.1",
}  # fmt: skip


async def told(web_hub: WebHub) -> None:
    """Spread the notices that wait, without waiting for the tick."""
    db = web_hub.hub.db
    db.write_now(lambda tx: tx.execute(update(outbox).where(outbox.c.lane == "notice").values(next_try_at=1)))
    await web_hub.process._outbox.drain("notice")


async def test_a_new_task_stands_in_the_list_and_is_counted_until_it_is_read(web_hub):
    olena = web_hub.add("Olena")
    await web_hub.send_form(name="Ivan", phone="+380671234501", message="Is it in stock?")
    await told(web_hub)
    person = await web_hub.signed_in(olena)
    assert "Notices 1 unread" in (await person.get("/")).words
    shown = await person.get("/notices")
    assert "New task: Is it in stock?" in shown.words
    assert "Ivan · shop-form" in shown.words
    other = await web_hub.signed_in(web_hub.add("Taras"))
    notice_id = web_hub.hub.db.read_now(lambda c: c.execute(select(notice.c.id)).scalar_one())
    assert (await other.get(f"/notices/{notice_id}")).status == 404
    opened = await person.get(f"/notices/{notice_id}")
    assert opened.path.startswith("/requests/")
    assert "Notices 1" not in opened.words
    assert "Only unread" in (await person.get("/notices")).words
    assert "No notices" in (await person.get("/notices?unread=1")).words


async def test_all_are_read_at_once_by_page_and_by_api(web_hub):
    boss = web_hub.add("Boss", Role.ADMIN)
    for number in range(2):
        web_hub.hub.db.write_now(
            lambda tx, n=number: put_alarm(tx, "account_ill", account=f"a{n}", reason="gone")
        )
    await told(web_hub)
    person = await web_hub.signed_in(boss)
    assert "The account a1 does not work" in (await person.get("/notices")).words
    after = await person.submit("/notices", "/notices/read")
    assert "All notices are read." in after.words
    _, token = web_hub.hub.db.write_now(lambda tx: access.add_token(tx, "t", Role.ADMIN, boss))
    headers = {"Authorization": f"Bearer {token}"}
    async with person.client.get("/api/v1/notices?limit=1", headers=headers) as answer:
        listed = await answer.json()
    assert (listed["items"][0]["kind"], listed["items"][0]["body"]["account"]) == ("account_ill", "a1")
    assert listed["next_cursor"] is not None
    async with person.client.post("/api/v1/notices/read", json={}, headers=headers) as answer:
        assert await answer.json() == {"unread": 0}


async def test_each_chooses_where_and_when_and_is_told_what_is_wrong(web_hub):
    olena = web_hub.add("Olena")
    person = await web_hub.signed_in(olena)
    wrong = await person.submit(
        "/me", "/me/notices", tasks_email="1", email="nobody", quiet_from="22:00", quiet_until="",
        timezone="Europe/Nowhere",
    )  # fmt: skip
    assert wrong.status == 422
    for words in ("This is no e-mail address", "Is no time zone, such as Europe/Kyiv"):
        assert words in wrong.words
    kept = await person.submit(
        "/me", "/me/notices", tasks_workspace="1", tasks_email="1", email="Olena@Example.com", quiet_from="22:00",
        quiet_until="08:00", timezone="Europe/Warsaw",
    )  # fmt: skip
    assert "Your choice is kept." in kept.words
    found = web_hub.hub.db.read_now(lambda conn: store.choice(conn, olena))
    assert (found.email, found.quiet, found.timezone) == ("olena@example.com", (1320, 480), "Europe/Warsaw")
    assert found.wants(Group.TASKS, Place.EMAIL)
    assert not found.wants(Group.TASKS, Place.MESSENGER)
    assert found.wants(Group.ALARMS, Place.WORKSPACE), "what a page does not show stays as it is"
    assert found.alarms_in_quiet, "nor does this, which a seller's page does not show"
    stale = await person.submit("/me", "/me/notices", version="0", email="")
    assert stale.status == 412


async def test_who_operates_the_hub_chooses_whether_alarms_wait_in_quiet_hours(web_hub):
    boss = web_hub.add("Boss", Role.ADMIN)
    person = await web_hub.signed_in(boss)
    assert "Alarms of the hub come in quiet hours, too" in (await person.get("/me")).words
    night = {"quiet_from": "22:00", "quiet_until": "08:00", "alarms_workspace": "1"}
    for ticked, chosen in (("1", True), ("", False)):
        more = {"alarms_in_quiet": ticked} if ticked else {}
        await person.submit("/me", "/me/notices", **night, **more)
        assert web_hub.hub.db.read_now(lambda conn: store.choice(conn, boss)).alarms_in_quiet is chosen
    seller = await web_hub.signed_in(web_hub.add("Olena"))
    assert "in quiet hours, too" not in (await seller.get("/me")).words


async def test_a_head_chooses_a_morning_and_a_seller_cannot(web_hub):
    head, seller = web_hub.add("Head", Role.HEAD), web_hub.add("Olena")
    for staff_id, status in ((head, 200), (seller, 403)):
        role = Role.HEAD if staff_id == head else Role.SELLER
        _, token = web_hub.hub.db.write_now(
            lambda tx, one=staff_id, r=role: access.add_token(tx, "t", r, one)
        )
        client = (await web_hub.browser()).client
        headers = {"Authorization": f"Bearer {token}"}
        async with client.put(
            "/api/v1/notices/choice",
            json={"digest": "09:00", "places": {"tasks": ["workspace"]}},
            headers=headers,
        ) as answer:
            assert answer.status == status
        async with client.get("/api/v1/notices/choice", headers=headers) as answer:
            told_now = await answer.json()
            assert told_now["digest"] == ("09:00" if status == 200 else "")
    page = await web_hub.signed_in(seller)
    assert "The morning in numbers" not in (await page.get("/me")).words


async def test_a_code_is_shown_once_and_ends_the_one_before(make_hub):
    made = await make_hub(
        language="en", channels={"crew": {"plugin": "telegram", "token": "1:x", "staff": True}, "mail": MAIL}
    )
    person = await made.signed_in(made.add("Olena"))
    codes = []
    for _ in range(2):
        shown = await person.submit("/me", "/me/messenger")
        codes.append(re.findall(r'<code class="address">(\w{12})</code>', shown.text)[0])
        assert codes[-1] not in (await person.get("/me")).text
    use = made.hub.db.write_now
    assert use(lambda tx: store.use_code(tx, codes[0], "crew", "500")) is None
    assert use(lambda tx: store.use_code(tx, codes[1].lower(), "crew", "500")) is not None
    assert use(lambda tx: store.use_code(tx, codes[1], "crew", "501")) is None
    assert "through crew" in (await person.get("/me")).words
    ended = await person.submit("/me", "/me/messenger/end")
    assert "The messenger is not linked any more." in ended.words
    assert made.hub.db.read_now(lambda conn: store.link_at(conn, "crew", "500")) is None


async def test_a_code_opens_no_session(web_hub):
    olena = web_hub.add("Olena")
    code = web_hub.hub.db.write_now(lambda tx: store.make_code(tx, olena))
    assert (await (await web_hub.browser()).get(f"/welcome/{code}")).status == 404


async def test_what_could_not_be_delivered_is_seen_sent_again_or_dropped(web_hub):
    boss = web_hub.add("Boss", Role.ADMIN)
    from hub.notices.put import row_of

    def dead(tx):
        row = row_of(tx, "staff_message", "task_assigned", "staff:1:messenger", {}, tx.now)
        tx.insert(
            {outbox: [row._replace(state="dead", next_try_at=None, last_error="it was tried too often")]}
        )
        return row.id

    row_id, person = web_hub.hub.db.write_now(dead), await web_hub.signed_in(boss)
    shown = await person.get("/undelivered")
    assert "messages to the staff" in shown.words
    assert "It was tried too often" in shown.words
    await person.submit("/undelivered", f"/undelivered/{row_id}", do="again")
    state = select(outbox.c.state).where(outbox.c.id == row_id)
    assert web_hub.hub.db.read_now(lambda c: c.execute(state).scalar_one()) == "ready"
    assert "Everything has arrived" in (await person.get("/undelivered")).words


async def test_an_acknowledgement_is_off_until_it_has_a_text_and_somebody_switches_it_on(make_hub):
    made = await make_hub(language="en", channels={"mail": MAIL})
    head = await made.signed_in(made.add("Head", Role.HEAD))
    shown = await head.get("/acknowledgements")
    assert ("mail" in shown.words, "shop-form" in shown.words) == (True, False)
    refused = await head.submit("/acknowledgements", "/acknowledgements/mail", active="1")
    assert (refused.status, "An acknowledgement needs a text" in refused.words) == (422, True)
    refused = await head.submit(
        "/acknowledgements", "/acknowledgements/mail", active="1", text_uk="Вітаємо, {{ customer }}!"
    )
    assert "There is no variable customer" in refused.words
    kept = await head.submit(
        "/acknowledgements", "/acknowledgements/mail", active="1", text_uk="Вітаємо, {{ contact.name }}!"
    )
    assert "Your choice is kept." in kept.words
    assert "Вітаємо, {{ contact.name }}!" in kept.words
    seller = await made.signed_in(made.add("Olena"))
    assert (await seller.get("/acknowledgements")).status == 403


@pytest.mark.parametrize("with_order", [False, True])
async def test_ready_texts_are_offered_with_their_variables_filled_in(make_hub, with_order):
    made = await make_hub(language="en", channels={"mail": MAIL})
    olena = made.add("Olena")
    body = {
        "greeting": "Вітаю, {{ contact.name }}! Я {{ responsible.name }}.",
        "due": "До сплати {{ order.due }}.",
    }
    for name, text in body.items():
        made.hub.db.write_now(
            lambda tx, n=name, t=text: order_settings.save_template(tx, TEST, None, n, "uk", t)
        )
    request_id = await made.send_form(
        name="Іван", phone="+380671234501", email="ivan@example.com", message="Є?"
    )
    person = await made.signed_in(olena)
    if with_order:
        await person.submit(
            f"/orders/new?request={request_id}", "/orders/new", payment="cod", name_0="Boots", quantity_0="1",
            price_0="100",
        )  # fmt: skip
    page = await person.get(f"/requests/{request_id}?template=greeting:uk")
    assert 'rows="4" maxlength="20000">Вітаю, Іван! Я Olena.</textarea>' in page.text
    assert ("missing: order.due" in page.words) is not with_order
    assert ('data-text="До сплати 100.00 UAH."' in page.text) is with_order
