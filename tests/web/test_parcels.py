"""What people see of parcels: the list with its concerns, found waybills, the customer's tracking page."""

from typing import Any

import pytest
from sqlalchemy import insert, update

from hub.access import store as access
from hub.access.model import Role, system
from hub.contacts.model import PHONE, IdentityKey, Person
from hub.db.tables import found_waybill, observation, shipment, unknown_code
from hub.kernel.clock import DAY, HOUR
from hub.orders import service as orders
from hub.orders.model import NewOrder, Payment
from hub.shipments import joining
from tests.web.conftest import WebHub

TEST = system("test")
WAYBILL = "20450812345678"


def order_of(web_hub: WebHub, staff_id: int, name: str = "Lesia", phone: str = "+380677654321") -> Any:
    """An order paid on delivery."""
    who = Person(name, "", None, (IdentityKey(PHONE, phone),))
    wanted = NewOrder(contact_id=None, request_id=None, responsible_id=staff_id, payment=Payment.COD)
    return web_hub.hub.db.write_now(lambda tx: orders.create(tx, TEST, wanted, who))


def parcel_of(web_hub: WebHub, order_id: int | None, number: str = WAYBILL, **values: Any) -> int:
    """A parcel in a state that a carrier brought about; `now` is the hub's clock."""

    def write(tx: Any) -> int:
        if order_id is None:
            row = joining.follow_loose(tx, TEST, "nova-poshta", "nova_poshta", number)
        else:
            row = joining.attach(tx, TEST, order_id, "nova-poshta", "nova_poshta", number, None)
        told = {k: v(tx.now) if callable(v) else v for k, v in values.items()}
        if told:
            tx.execute(update(shipment).where(shipment.c.id == row.id).values(**told))
        return row.id

    return int(web_hub.hub.db.write_now(write))


def observed(web_hub: WebHub, shipment_id: int, steps: list[tuple[str, str, int]]) -> None:
    """Steps (status, text, hours ago) as a carrier told them."""

    def write(tx: Any) -> None:
        for status, text, ago in steps:
            made = tx.new_id()
            at = tx.now - ago * HOUR
            tx.execute(
                insert(observation).values(
                    id=made, shipment_id=shipment_id, identity=str(made), event=str(made), status=status,
                    raw_code="7", raw_text=text, clock_at=at, happened_at=at, place="Kyiv", facts="{}",
                    first_seen_at=at,
                )
            )  # fmt: skip

    web_hub.hub.db.write_now(write)


def ago(days: float) -> Any:
    return lambda now: int(now - days * DAY)


CONCERNS = {
    "waiting": {"status": "arrived", "happened_at": ago(5)},
    "storage": {"status": "arrived", "happened_at": ago(1), "paid_storage_at": ago(-1)},
    "money": {"status": "delivered", "money_status": "collected", "happened_at": ago(1), "final": False},
    "returning": {"status": "returning"},
    "silent": {"status": "in_transit", "phase": "quiet"},
    "unknown": {"status": "in_transit", "raw_code": "7"},
}


async def test_each_concern_finds_its_parcels_and_no_others(web_hub):
    staff_id = web_hub.add("Olena")
    order = order_of(web_hub, staff_id)
    numbers = {}
    for at, (concern, values) in enumerate(CONCERNS.items()):
        numbers[concern] = f"2045000000000{at}"
        made = parcel_of(web_hub, order.id, numbers[concern], **values)
        if concern == "unknown":
            observed(web_hub, made, [("unknown", "Something new", 1)])
    parcel_of(web_hub, None, "20450000000099")
    numbers["loose"] = "20450000000099"
    person = await web_hub.signed_in(staff_id)
    shown = await person.get("/shipments")
    assert all(number in shown.words for number in numbers.values())
    for label in ("Waiting long 1", "Storage ends 1", "Money due 1", "Coming back 1", "No news 1", "Unknown code 1",
                  "Without an order 1"):  # fmt: skip
        assert label in shown.words, shown.words
    for concern, number in numbers.items():
        found = (await person.get(f"/shipments?concern={concern}")).words
        assert [n for n in numbers.values() if n in found] == [number], concern
    assert numbers["waiting"] not in (await person.get("/shipments?concern=waiting&days=6")).words
    assert "No parcel waits so long" in (await person.get("/shipments?concern=waiting&days=6")).words


async def test_filters_find_by_number_order_status_carrier_and_person(web_hub):
    olena, taras = web_hub.add("Olena"), web_hub.add("Taras")
    first, second = order_of(web_hub, olena), order_of(web_hub, taras, "Ivan", "+380671112233")
    parcel_of(web_hub, first.id, "20450000000001", status="arrived")
    parcel_of(web_hub, second.id, "20450000000002", status="delivered", money_status="paid_out")
    person = await web_hub.signed_in(olena)

    async def found(query: str) -> list[str]:
        words = (await person.get(f"/shipments?{query}")).words
        return [n[-1] for n in ("20450000000001", "20450000000002") if n in words]

    assert await found("") == ["1", "2"]
    assert await found("q=2045 0000 000001") == ["1"]
    assert await found(f"q={second.number}") == ["2"]
    assert await found("status=arrived") == ["1"]
    assert await found("money=paid_out") == ["2"]
    assert await found("carrier=nova-poshta") == ["1", "2"]
    assert await found("carrier=other") == []
    assert await found(f"responsible={taras}") == ["2"]
    assert "No parcel fits" in (await person.get("/shipments?q=nothing")).words


async def test_pages_of_the_list_follow_each_other_without_gap_or_double(web_hub):
    staff_id = web_hub.add("Olena")
    order = order_of(web_hub, staff_id)
    for at in range(60):
        parcel_of(web_hub, order.id, f"204500000{at:05}", status="arrived", happened_at=ago(4 + at % 7))
    person = await web_hub.signed_in(staff_id)
    for query in ("", "concern=waiting", f"responsible={staff_id}"):
        seen: list[str] = []
        path = f"/shipments?{query}"
        while path:
            shown = await person.get(path)
            seen += [line.split("</a>")[0] for line in shown.text.split('class="subject"')[1:]]
            link = [part for part in shown.text.split('href="') if part.split('"')[0].find("cursor=") > 0]
            path = link[0].split('"')[0].replace("&amp;", "&") if link else ""
        assert (len(seen), len(set(seen))) == (60, 60), query
    assert (await person.get("/shipments?cursor=x", follow=False)).status == 303


async def test_an_empty_list_says_what_to_do(web_hub):
    person = await web_hub.signed_in(web_hub.add("Olena"))
    shown = await person.get("/shipments")
    assert "No parcels yet" in shown.words
    assert 'href="/shipments/add"' in shown.text


# --- the timeline and what stands out -------------------------------------------------------------------


async def test_the_timeline_says_it_in_our_words_first_and_shows_corrections_as_such(web_hub):
    staff_id = web_hub.add("Olena")
    order = order_of(web_hub, staff_id)
    made = parcel_of(web_hub, order.id, status="in_transit", place="Kyiv", facts='{"hidden":true}')
    steps = [("accepted", "Прийнято", 9), ("delivered", "Отримано", 8), ("in_transit", "У дорозі", 2)]
    observed(web_hub, made, steps)
    person = await web_hub.signed_in(staff_id)
    shown = await person.get(f"/orders/{order.id}")
    at = [shown.words.index(one) for one in ("On its way correction У дорозі", "Delivered Отримано")]
    assert at == sorted(at)
    assert "hides sums from us" in shown.words


@pytest.mark.parametrize(
    ("days", "words"),
    [(1, "remind the customer"), (-1, "Storage costs money since"), (9, "free storage until")],
)
async def test_paid_storage_is_warned_of_before_it_begins(web_hub, days, words):
    staff_id = web_hub.add("Olena")
    order = order_of(web_hub, staff_id)
    parcel_of(web_hub, order.id, status="arrived", paid_storage_at=ago(-days))
    person = await web_hub.signed_in(staff_id)
    assert words in (await person.get(f"/orders/{order.id}")).words


async def test_a_parcel_without_an_order_gets_one(web_hub):
    staff_id = web_hub.add("Olena")
    order = order_of(web_hub, staff_id)
    made = parcel_of(web_hub, None)
    person = await web_hub.signed_in(staff_id)
    wrong = await person.submit(f"/shipments/{made}", f"/shipments/{made}/order", order="999")
    assert (wrong.status, "There is no order 999" in wrong.words) == (422, True)
    shown = await person.submit(f"/shipments/{made}", f"/shipments/{made}/order", order=f"№ {order.number}")
    assert WAYBILL in shown.words
    assert "Waybill attached" in shown.words


# --- found waybills ---------------------------------------------------------------------------------------


def found_by(web_hub: WebHub, number: str, order_id: int | None) -> int:
    def write(tx: Any) -> int:
        made = tx.new_id()
        tx.execute(
            insert(found_waybill).values(
                id=made, number=number, account="nova-poshta", order_reference="shop 15", order_id=order_id,
                why="phone" if order_id else "", made_at=tx.now, cod_minor=125000, currency="UAH", state="open",
                created_at=tx.now,
            )
        )  # fmt: skip
        return int(made)

    return int(web_hub.hub.db.write_now(write))


async def test_a_found_waybill_is_proposed_and_attached_with_one_click(web_hub):
    staff_id = web_hub.add("Olena")
    order = order_of(web_hub, staff_id)
    waybill = found_by(web_hub, WAYBILL, order.id)
    person = await web_hub.signed_in(staff_id)
    page = f"/orders/{order.id}"
    assert "the same telephone" in (await person.get(page)).words
    shown = await person.submit(page, f"/waybills/{waybill}/attach")
    assert "Waybill attached" in shown.words
    assert "Found at the carriers" not in shown.words
    csrf = shown.form("/language")["csrf"]
    again = await person.post(f"/waybills/{waybill}/dismiss", {"csrf": csrf})
    assert again.status == 409
    assert "decided about this waybill already" in again.words


async def test_a_found_waybill_without_an_order_asks_for_one_or_is_dismissed(web_hub):
    staff_id = web_hub.add("Olena")
    order = order_of(web_hub, staff_id)
    first, second = found_by(web_hub, WAYBILL, None), found_by(web_hub, "20450812345679", None)
    person = await web_hub.signed_in(staff_id)
    assert "the waybill says: shop 15" in (await person.get("/shipments")).words
    refused = await person.submit("/shipments", f"/waybills/{first}/attach")
    assert refused.status == 422
    shown = await person.submit("/shipments", f"/waybills/{first}/attach", order=order.number)
    assert shown.path == f"/orders/{order.id}"
    gone = await person.submit("/shipments", f"/waybills/{second}/dismiss")
    assert "20450812345679" not in gone.words


async def test_a_number_typed_by_hand_settles_its_proposal(web_hub):
    staff_id = web_hub.add("Olena")
    order = order_of(web_hub, staff_id)
    found_by(web_hub, WAYBILL, None)
    parcel_of(web_hub, order.id)
    person = await web_hub.signed_in(staff_id)
    assert "Found at the carriers" not in (await person.get("/shipments")).words


# --- the customer's page -----------------------------------------------------------------------------------


async def test_the_tracking_page_tells_the_customer_his_parcel_and_nothing_about_people(make_hub):
    web_hub = await make_hub(language="en", shop_name="Coffee & Co")
    staff_id = web_hub.add("Olena Koval")
    order = order_of(web_hub, staff_id, "Lesia Ukrainka")
    made = parcel_of(
        web_hub, order.id, status="arrived", place="Kyiv", money_status="expected", cod_expected_minor=125000,
        paid_storage_at=ago(-3), raw_text="Lesia, +380677654321",
    )  # fmt: skip
    observed(web_hub, made, [("in_transit", "Lesia Ukrainka", 9), ("arrived", "Lesia", 1)])
    seller = await web_hub.signed_in(staff_id)
    shown = await seller.submit(f"/orders/{order.id}", f"/orders/{order.id}/track-link")
    path = shown.text.split('value="' + web_hub.url)[1].split('"')[0]
    assert path.startswith("/t/")
    customer = await web_hub.browser()
    page = await customer.get(path)
    assert page.status == 200
    for words in (
        "Coffee & Co",
        f"№ {order.number}",
        WAYBILL,
        "You can collect it",
        "Kyiv",
        "1,250.00",
        "free until",
    ):
        assert words in page.words, words
    for private in ("Lesia", "Olena", "677654321"):
        assert private not in page.text
    assert "noindex" in page.headers["X-Robots-Tag"]
    assert "Set-Cookie" not in page.headers
    assert "Можна забирати" in (await customer.get(f"{path}?lang=uk")).words


async def test_a_renewed_or_closed_address_leads_nowhere(web_hub):
    staff_id = web_hub.add("Olena")
    order = order_of(web_hub, staff_id)
    seller, page = await web_hub.signed_in(staff_id), f"/orders/{order.id}"

    async def address() -> str:
        shown = await seller.submit(page, f"{page}/track-link")
        return shown.text.split('value="' + web_hub.url)[1].split('"')[0]

    first = await address()
    second = await address()
    customer = await web_hub.browser()
    assert ((await customer.get(first)).status, (await customer.get(second)).status) == (404, 200)
    await seller.submit(page, f"{page}/track-link/end")
    assert (await customer.get(second)).status == 404
    assert "Tracking page for the customer ended" in (await seller.get(page)).words


async def test_who_tries_addresses_is_slowed_down(web_hub):
    customer = await web_hub.browser()
    answers: list[Any] = []
    while len(answers) < 300 and (
        not answers or answers[-1].status == 404
    ):  # one more is allowed each second
        answers.append(await customer.get("/t/" + "x" * 43))
    refused = answers[-1]
    assert (refused.status, len(answers) > 60) == (429, True)
    assert int(refused.headers["Retry-After"]) >= 1


# --- customers' notices --------------------------------------------------------------------------------------


async def test_the_head_chooses_what_customers_are_told(web_hub):
    head = await web_hub.signed_in(web_hub.add("Iryna", Role.HEAD))
    shown = await head.get("/customer-notices")
    assert " checked" not in shown.text
    action = shown.text.split('action="/customer-notices/')[1].split('"')[0]
    kept = await head.submit(
        "/customer-notices",
        f"/customer-notices/{action}",
        arrived="1",
        delivered="1",
        quiet_from="22:00",
        quiet_to="08:00",
    )
    assert kept.text.count(" checked") == 2
    assert 'value="22:00"' in kept.text
    wrong = await head.submit(
        "/customer-notices", f"/customer-notices/{action}", quiet_from="late", quiet_to="08:00"
    )
    assert (wrong.status, "A time of day such as 21:00" in wrong.words) == (422, True)


async def test_a_notice_reaches_the_customer_where_he_wrote_or_only_the_journal_knows(web_hub):
    from sqlalchemy import func, select

    from hub.db.rows import OutboxRow
    from hub.db.tables import outbox, task
    from hub.orders import outgoing, store
    from hub.outbox.model import OutboxState
    from hub.runtime.order_messages import OrderMessages
    from hub.sdk.messages import Sent

    order = order_of(web_hub, web_hub.add("Olena"))
    db = web_hub.hub.db

    def put(tx: Any) -> None:
        outgoing.put_message(
            tx, TEST, contact_id=order.contact_id, request_id=None, text="It waits", order_id=order.id,
            event="notice",
        )  # fmt: skip

    db.write_now(put)
    row = db.read_now(lambda conn: OutboxRow._make(conn.execute(select(outbox)).one()))
    db.write_now(lambda tx: OrderMessages({}).settled(tx, row, OutboxState.DONE, Sent()))
    assert db.read_now(lambda conn: conn.execute(select(func.count()).select_from(task)).scalar_one()) == 0
    journal = db.read_now(lambda conn: store.journal(conn, order.id))
    assert journal[-1].event == "message_unsent"


async def test_unknown_codes_are_the_administrators_and_their_words_are_no_markup(web_hub):
    admin = await web_hub.signed_in(web_hub.add("Boss", Role.ADMIN))
    seller = await web_hub.signed_in(web_hub.add("Olena"))
    assert "Every code of the carriers is known" in (await admin.get("/unknown-codes")).words
    assert (await seller.get("/unknown-codes")).status == 403
    assert 'href="/unknown-codes"' not in (await seller.get("/shipments?concern=unknown")).text
    assert 'href="/unknown-codes"' in (await admin.get("/shipments?concern=unknown")).text
    row = {"code": '8"0', "plugin": "nova_poshta", "example": "<b>Новий</b>", "count": 2, "first_seen_at": 1}
    web_hub.hub.db.write_now(lambda tx: tx.execute(insert(unknown_code).values(**row)))
    page = await admin.get("/unknown-codes")
    assert "Nova Poshta · 8&#34;0" in page.text.replace("<code>", "").replace("</code>", "")
    assert "&lt;b&gt;Новий&lt;/b&gt;" in page.text
    assert "<b>Новий" not in page.text
    assert 'data-copies="line-1"' in page.text
    gone = await admin.submit("/unknown-codes", "/unknown-codes/listed", plugin="nova_poshta", code='8"0')
    assert "Every code of the carriers is known" in gone.words
    assert (await admin.get("/unknown-codes?cursor=x", follow=False)).status == 303


async def test_a_parcel_of_the_wrong_order_is_taken_off_on_its_page(web_hub):
    staff_id = web_hub.add("Olena")
    person = await web_hub.signed_in(staff_id)
    shipment_id = parcel_of(web_hub, order_of(web_hub, staff_id).id)
    page = f"/shipments/{shipment_id}"
    off = await person.submit(page, f"{page}/detach")
    assert "The parcel is off the order" in off.words
    assert "Number of its order" in off.words
    again = await person.post(f"{page}/detach", off.form("/language"))
    assert again.status == 409
    assert "This parcel belongs to no order" in again.words


async def test_the_page_of_the_carrier_is_one_click_away_and_learns_nothing_of_ours(web_hub):
    staff_id = web_hub.add("Olena")
    person = await web_hub.signed_in(staff_id)
    order = order_of(web_hub, staff_id)
    shipment_id = parcel_of(web_hub, order.id)
    link = f'href="https://novaposhta.ua/tracking/?cargo_number={WAYBILL}" target="_blank" rel="noopener noreferrer"'
    for path in (f"/orders/{order.id}", f"/shipments/{shipment_id}"):
        assert link in (await person.get(path)).text


async def test_n18_and_n22_the_customer_reads_our_words_and_the_number_that_takes_over(web_hub):
    staff_id = web_hub.add("Olena")
    order = order_of(web_hub, staff_id)
    made = parcel_of(web_hub, order.id, status="in_transit", raw_text="Отправление в пути")
    observed(web_hub, made, [("in_transit", "Отправление в пути", 9)])
    leg = parcel_of(web_hub, order.id, "59000000000001", parent_id=made, relation="redirect")
    person = await web_hub.signed_in(staff_id)
    seller_page = (await person.get(f"/orders/{order.id}")).text
    assert f'href="/shipments/{leg}"' in seller_page
    shown = await person.submit(f"/orders/{order.id}", f"/orders/{order.id}/track-link")
    page = await (await web_hub.browser()).get(shown.text.split('value="' + web_hub.url)[1].split('"')[0])
    assert "goes on under the number 59000000000001" in page.words
    assert "Отправление" not in page.text


async def test_rules_codes_and_detaching_by_the_api(web_hub):
    staff_id = web_hub.add("Boss", Role.ADMIN)
    _, token = web_hub.hub.db.write_now(lambda tx: access.add_token(tx, "test", Role.ADMIN, staff_id))
    headers = {"Authorization": f"Bearer {token}"}
    client = (await web_hub.browser()).client

    async def call(method: str, path: str, body: Any = None) -> Any:
        async with client.request(method, f"/api/v1{path}", json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    row = {"code": "80", "plugin": "nova_poshta", "example": "Новий", "count": 2, "first_seen_at": 1}
    web_hub.hub.db.write_now(lambda tx: tx.execute(insert(unknown_code).values(**row)))
    status, found = await call("GET", "/unknown-codes?limit=1")
    assert (status, found["next_cursor"]) == (200, None)
    assert found["items"][0]["table_line"].startswith('"80": Status.UNKNOWN,  # Новий')
    named = {"plugin": "nova_poshta", "code": "80"}
    assert (await call("POST", "/unknown-codes/listed", named))[0] == 200
    assert (await call("POST", "/unknown-codes/listed", named))[0] == 404
    assert (await call("GET", "/unknown-codes?cursor=x"))[0] == 422

    _, route = await call("GET", "/routes/parcel")
    assert route["rules"][0] == {
        "parcel": ["delivered"],
        "money": ["paid_out"],
        "payment": ["cod"],
        "stage": "paid",
    }
    kept = {name: route[name] for name in ("title", "fields", "stages", "moves")}
    status, told = await call(
        "PUT", "/routes/parcel", {**kept, "rules": [{"parcel": ["lost"], "stage": "paid"}]}
    )
    assert (status, told["errors"][0]["path"]) == (422, "rules.0")
    assert (await call("PUT", "/routes/parcel", kept))[1]["version"] == 1
    status, told = await call(
        "PUT", "/routes/parcel", {**kept, "rules": [{"money": ["collected"], "stage": "paid"}]}
    )
    assert (status, told["version"], len(told["rules"])) == (200, 2, 1)
    _, stages = await call("GET", "/stages")
    assert {one["key"]: len(one["follows"]) for one in stages["items"]}["paid"] == 1

    shipment_id = parcel_of(web_hub, order_of(web_hub, staff_id).id)
    assert (await call("POST", f"/shipments/{shipment_id}/detach", {}))[1]["order_id"] is None
    assert (await call("POST", f"/shipments/{shipment_id}/detach", {}))[0] == 409
