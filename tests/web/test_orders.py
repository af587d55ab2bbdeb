"""Orders by form: making one, lines, stages, parcels, and every way to fill the forms in wrongly."""

import pytest

from hub.access.model import Role
from tests.web.conftest import WebHub

CUSTOMER = {"name": "Ivan Franko", "phone": "+380671234567", "message": "Is it in stock?"}
WAYBILL = "20450812345678"


async def made(web_hub: WebHub, **values: str):
    """A seller with an order made by hand; (person, path of the order)."""
    person = await web_hub.signed_in(web_hub.add("Olena"))
    fields = {
        "name": "Lesia", "phone": "067 765 43 21", "payment": "cod",
        "name_0": "Coffee machine", "price_0": "11 890,00", "plan_cost_0": "9400",
        "name_2": "Filter", "quantity_2": "2,5", "unit_2": "kg", "price_2": "100.10",
    } | values  # fmt: skip
    data = {**(await person.get("/orders/new")).form("/orders/new"), **fields}
    answer = await person.post("/orders/new", data)
    assert answer.status == 200, answer.words
    return person, answer.path


async def test_an_order_by_hand_has_its_lines_sums_and_contact(web_hub):
    person, path = await made(web_hub, note="call after five")
    shown = await person.get(path)
    for words in ("№ 1001", "Coffee machine", "2.5 kg", "11,890.00", "250.25", "12,140.25", "9,400.00",
                  "Lesia", "+380 67 765 43 21", "call after five", "Cash on delivery", "Order made"):  # fmt: skip
        assert words in shown.words, words
    registry = await person.get("/orders")
    assert "№ 1001" in registry.words
    assert "12,140.25" in registry.words
    assert "№ 1001" in (await person.get("/orders?number=%231001&stage=new")).words
    assert "No order fits" in (await person.get("/orders?stage=paid")).words


async def test_an_order_of_a_request_closes_it(web_hub):
    person = await web_hub.signed_in(web_hub.add("Olena"))
    request_id = await web_hub.send_form(**CUSTOMER)
    page = f"/orders/new?request={request_id}"
    answer = await person.submit(page, "/orders/new", payment="prepaid", name_0="Filter", price_0="10")
    assert answer.path.startswith("/orders/")
    shown = await person.get(f"/requests/{request_id}")
    assert "Became an order" in shown.words
    assert answer.path in shown.text


async def test_the_same_form_sent_twice_makes_one_order(web_hub):
    person = await web_hub.signed_in(web_hub.add("Olena"))
    data = {**(await person.get("/orders/new")).form("/orders/new"), "name": "Lesia", "payment": "cod"}
    first, second = [await person.post("/orders/new", data) for _ in range(2)]
    assert first.path == second.path
    assert "№ 1002" not in (await person.get("/orders")).words


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("phone", "12", "This is no telephone number"),
        ("email", "nonsense", "This is no e-mail address"),
        ("name", "", "Give a name, a telephone or an e-mail"),
        ("payment", "", "Choose one"),
        ("payment", "bitcoin", "Choose one"),
        ("price_0", "much", "This is no sum"),
        ("price_0", "9" * 30, "This is no sum"),
        ("price_0", "9999999999999", "The sum is too large"),
        ("quantity_0", "0", "A quantity is a number above zero"),
        ("quantity_0", "-1", "A quantity is a number above zero"),
        ("quantity_0", "1e9", "The sum is too large"),
        ("plan_cost_0", "NaN", "This is no sum"),
        ("name_0", "", "A line needs a name"),
        ("next_contact", "tomorrow", "This is no date"),
    ],
)
async def test_what_is_wrong_stands_beside_its_field_and_the_rest_stays(web_hub, field, value, words):
    person = await web_hub.signed_in(web_hub.add("Olena"))
    fields = {
        "name": "Lesia", "payment": "cod", "note": "stays here", "name_0": "Machine", "price_0": "100000",
        "quantity_0": "1", field: value,
    }  # fmt: skip
    if field == "price_0" and value == "9999999999999":
        fields["quantity_0"] = "1000"
    answer = await person.submit("/orders/new", "/orders/new", **fields)
    assert answer.status == 422
    assert words in answer.words
    assert "stays here" in answer.text
    assert 'aria-invalid="true"' in answer.text or field == "name"
    assert "No orders yet" in (await person.get("/orders")).words


async def test_only_who_leads_gives_an_order_to_another(web_hub):
    olena, taras = web_hub.add("Olena"), web_hub.add("Taras")
    seller = await web_hub.signed_in(olena)
    head = await web_hub.signed_in(web_hub.add("Iryna", Role.HEAD))
    fields = {"name": "Lesia", "payment": "cod", "responsible": str(taras)}
    assert (await seller.submit("/orders/new", "/orders/new", **fields)).status == 403
    answer = await head.submit("/orders/new", "/orders/new", **fields)
    assert answer.status == 200
    assert "Taras" in answer.words


# --- an order that is there --------------------------------------------------------------------------------


async def test_lines_are_added_with_their_costs(web_hub):
    person, path = await made(web_hub)
    answer = await person.submit(path, f"{path}/lines", name_1="Cups", price_1="650", fact_cost_1="400,5")
    assert answer.status == 200
    assert "The lines are added." in answer.words
    for words in ("Cups", "650.00", "400.50", "12,790.25", "Lines added"):
        assert words in answer.words
    empty = await person.submit(path, f"{path}/lines")
    assert empty.status == 422
    assert "A line needs a name" in empty.words
    wrong = await person.submit(path, f"{path}/lines", name_1="Cups", price_1="x")
    assert wrong.status == 422
    assert 'id="lines-price_1-problem"' in wrong.text


async def test_the_next_stage_is_one_button_and_going_back_needs_a_reason(web_hub):
    person, path = await made(web_hub)
    shown = await person.get(path)
    assert "Next: Agreed" in shown.words
    data = shown.form(f"{path}/stage")
    moved = await person.post(f"{path}/stage", {**data, "stage": "confirmed"})
    assert moved.status == 200
    assert "Stage changed: New → Confirmed" in moved.words
    back = {**moved.form(f"{path}/stage"), "form": "stage", "stage": "agreed"}
    refused = await person.post(f"{path}/stage", back)
    assert refused.status == 422
    assert "Say why" in refused.words
    assert 'value="agreed" selected' in refused.text
    done = await person.post(f"{path}/stage", {**back, "reason": "wrong colour"})
    assert "wrong colour" in done.words


@pytest.mark.parametrize(
    ("stage", "status", "words"),
    [
        ("", 422, "Choose one"),
        ("nowhere", 422, "There is no such stage"),
        ("returned", 409, "The order cannot go there from where it stands now."),
    ],
)
async def test_a_move_that_is_not_possible_is_refused_in_words(web_hub, stage, status, words):
    person, path = await made(web_hub)
    data = {**(await person.get(path)).form(f"{path}/stage"), "form": "stage", "stage": stage, "reason": "x"}
    answer = await person.post(f"{path}/stage", data)
    assert answer.status == status
    assert words in answer.words


async def test_a_stale_order_form_shows_what_is_new(web_hub):
    person, path = await made(web_hub)
    stale = (await person.get(path)).form(f"{path}/stage")
    await person.submit(path, f"{path}/lines", name_0="Cups")
    refused = await person.post(f"{path}/stage", {**stale, "stage": "agreed"})
    assert refused.status == 412
    assert "Somebody changed this meanwhile" in refused.words
    assert refused.text.count('class="news"') == 1


# --- parcels -----------------------------------------------------------------------------------------------


async def test_a_waybill_is_attached_followed_and_asked_for_on_a_button(web_hub):
    person, path = await made(web_hub)
    web_hub.emulator.add_parcel(WAYBILL, cod_minor=1_214_025)
    attached = await person.submit(path, f"{path}/shipments", number="2045 0812 345678")
    assert attached.status == 200
    assert "The waybill is attached" in attached.words
    assert WAYBILL in attached.words
    assert "No status yet" in attached.words
    shipment_id = attached.text.partition('action="/shipments/')[2].partition("/")[0]
    asked = await person.submit(path, f"/shipments/{shipment_id}/refresh")
    assert asked.status == 200
    assert "The carrier was asked." in asked.words
    assert "Waybill made" in asked.words
    assert "12,140.25" in asked.words
    assert "1 step" in asked.words
    assert "Waybill made" in (await person.get("/orders")).words
    assert "№ 1001" in (await person.get(f"/orders?number={WAYBILL}")).words


@pytest.mark.parametrize(
    ("number", "carrier", "status", "words"),
    [
        ("", "", 422, "This is no waybill number"),
        ("ї" * 10, "", 422, "4 to 40 Latin letters and digits"),
        ("12345", "", 422, "it looks like none of the carriers"),
        (WAYBILL, "no-such", 422, "No such carrier account"),
        ("<script>", "", 422, "looks like none"),
    ],
)
async def test_a_wrong_waybill_is_refused_beside_its_field(web_hub, number, carrier, status, words):
    person, path = await made(web_hub)
    answer = await person.submit(path, f"{path}/shipments", number=number, carrier=carrier)
    assert answer.status == status
    assert words in answer.words
    assert answer.foreign_scripts == []


async def test_a_waybill_of_another_order_names_that_order(web_hub):
    person, path = await made(web_hub)
    await person.submit(path, f"{path}/shipments", number=WAYBILL)
    answer = await person.submit("/orders/new", "/orders/new", name="Ivan", payment="cod")
    other = answer.path
    refused = await person.submit(other, f"{other}/shipments", number=WAYBILL)
    assert refused.status == 409
    assert "Order 1001 has this number already" in refused.words


async def test_a_question_of_the_tracking_leads_to_its_order(web_hub):
    from hub.shipments import questions, service, store

    person = await web_hub.signed_in(web_hub.add("Olena"))
    request_id = await web_hub.send_form(**CUSTOMER)
    page = f"/orders/new?request={request_id}"
    path = (await person.submit(page, "/orders/new", payment="cod", name_0="Filter")).path
    await person.submit(path, f"{path}/shipments", number=WAYBILL)

    def ask(tx):
        row = store.of_order(tx.conn, int(path.rpartition("/")[2]))[0]
        service.ask_seller(tx, row, questions.BAD_NUMBER)

    web_hub.hub.db.write_now(ask)
    home = await person.get("/")
    assert f"{WAYBILL}: the carrier refuses this number, check it" in home.words
    task = home.text.partition('class="subject" href="')[2].partition('"')[0]
    shown = await person.get(task)
    assert f'href="{path}#parcels"' in shown.text
