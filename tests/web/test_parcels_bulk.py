"""Adding many numbers by form and by API, and the list as a file."""

import io

import pytest
import xlsxwriter
from aiohttp import FormData

from hub.access import store as access
from hub.access.model import Role
from hub.kernel.sheets import read_rows
from tests.web.test_parcels import WAYBILL, ago, order_of, parcel_of

SECOND = "20450812345679"


async def test_a_preview_shows_every_line_and_writes_nothing_until_it_is_confirmed(web_hub):
    staff_id = web_hub.add("Olena")
    order = order_of(web_hub, staff_id)
    person = await web_hub.signed_in(staff_id)
    pasted = f"{order.number} {WAYBILL}\n777 {SECOND}\n{order.number} {WAYBILL}"
    shown = await person.submit("/shipments/add", "/shipments/add", pasted=pasted)
    for words in ("1 number is added", "1 is there already", "1 line has a problem", "There is no order 777",
                  "The same number as line 1", "Nova Poshta", f"№ {order.number}"):  # fmt: skip
        assert words in shown.words, words
    assert "No parcels yet" in (await person.get("/shipments")).words
    told = {**shown.form("/shipments/add"), "lines_1": f"{order.number};;{WAYBILL}\n777;;{SECOND}"}
    refused = await person.post("/shipments/add", told)
    assert (refused.status, "Some lines cannot be added" in refused.words) == (422, True)
    assert "No parcels yet" in (await person.get("/shipments")).words
    added = await person.post("/shipments/add", {**told, "skip": "1"})
    assert added.path == f"/orders/{order.id}"
    assert WAYBILL in added.words
    assert SECOND not in (await person.get("/shipments")).words


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
async def test_a_file_is_read_as_if_it_was_pasted(web_hub, kind):
    staff_id = web_hub.add("Olena")
    order = order_of(web_hub, staff_id)
    rows: list[list[object]] = [["Замовлення", "ТТН"], [int(order.number), int(WAYBILL)]]
    if kind == "csv":
        body = "\n".join(";".join(map(str, row)) for row in rows).encode("cp1251")
    else:
        target = io.BytesIO()
        with xlsxwriter.Workbook(target) as book:
            sheet = book.add_worksheet()
            for y, row in enumerate(rows):
                sheet.write_row(y, 0, row)
        body = target.getvalue()
    person = await web_hub.signed_in(staff_id)
    form = FormData({**(await person.get("/shipments/add")).form("/shipments/add"), "pasted": ""})
    form.add_field("file", body, filename=f"parcels.{kind}", content_type="application/octet-stream")
    shown = await person.post("/shipments/add", form)
    assert "1 number is added" in shown.words, shown.words
    hidden = shown.text.split('name="lines_1" hidden>')[1].split("<")[0]
    added = await person.post("/shipments/add", {**shown.form("/shipments/add"), "lines_1": hidden})
    assert added.path == f"/orders/{order.id}"


@pytest.mark.parametrize(
    ("pasted", "words"),
    [
        ("", "Paste numbers"),
        ("x" * 20_001, "send it as a file"),
        ("\n".join([WAYBILL] * 1001), "These are 1001 lines"),
    ],
)
async def test_what_cannot_be_read_says_what_to_do(web_hub, pasted, words):
    person = await web_hub.signed_in(web_hub.add("Olena"))
    shown = await person.submit("/shipments/add", "/shipments/add", pasted=pasted)
    assert (shown.status, words in shown.words) == (422, True), shown.words[:600]


async def test_the_list_leaves_as_csv_and_xlsx_in_the_readers_language(web_hub):
    staff_id = web_hub.add("Olena")
    order = order_of(web_hub, staff_id, "=HYPERLINK(1)")
    parcel_of(
        web_hub, order.id, status="arrived", happened_at=ago(9), money_status="expected", cod_expected_minor=125050
    )  # fmt: skip
    parcel_of(web_hub, None, SECOND)
    person = await web_hub.signed_in(staff_id, "uk")
    for kind in ("csv", "xlsx"):
        async with person.client.get(f"/shipments/export?format={kind}&concern=waiting") as answer:
            assert answer.status == 200
            assert "attachment" in answer.headers["Content-Disposition"]
            raw = await answer.read()
        rows = read_rows(raw)
        assert len(rows) == 2
        assert rows[1][:4] == [WAYBILL, "Nova Poshta", order.number, "=HYPERLINK(1)"]
        assert "1250.50" in rows[1] or "1250.5" in rows[1]
        assert kind != "csv" or b"'=HYPERLINK(1)" in raw
    assert (await person.get("/shipments/export?format=exe")).status == 404


async def test_the_api_adds_many_at_once_or_says_what_would_happen(web_hub):
    staff_id = web_hub.add("Olena")
    order = order_of(web_hub, staff_id)
    client = (await web_hub.browser()).client
    _, token = web_hub.hub.db.write_now(lambda tx: access.add_token(tx, "test", Role.SELLER, staff_id))
    headers = {"Authorization": f"Bearer {token}"}
    lines = [{"number": WAYBILL, "order_number": order.number}, {"number": SECOND, "order_number": "777"}]

    async def post(**more):
        body = {"lines": lines, **more}
        async with client.post("/api/v1/shipments/bulk", json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    status, told = await post(dry_run=True)
    assert (status, told["added"], [one["verdict"] for one in told["lines"]]) == (
        200,
        0,
        ["ready", "problem"],
    )
    status, told = await post()
    assert (status, told["errors"][0]["path"]) == (422, "lines.2")
    status, told = await post(skip_problems=True)
    assert (status, told["added"]) == (200, 1)
    async with client.get(f"/api/v1/shipments?responsible_id={staff_id}", headers=headers) as answer:
        assert [one["number"] for one in (await answer.json())["items"]] == [WAYBILL]
    async with client.get("/api/v1/shipments?concern=loose", headers=headers) as answer:
        assert (await answer.json())["items"] == []
    async with client.post(f"/api/v1/orders/{order.id}/track-link", json={}, headers=headers) as answer:
        made = await answer.json()
    assert (await (await web_hub.browser()).get(made["path"])).status == 200
