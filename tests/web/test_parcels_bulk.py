"""Adding many numbers by form and by API, and the list as a file."""

import io
import threading

import pytest
import xlsxwriter
from aiohttp import FormData

from hub.access import store as access
from hub.access.model import Role
from hub.accounts.guarded import GuardedCarrier
from hub.kernel.sheets import read_rows
from hub.web.workspace import shipment_bulk
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


async def test_a_file_that_does_not_hold_all_says_so(web_hub, monkeypatch):
    for at in range(3):
        parcel_of(web_hub, None, f"2045081234567{at}")
    monkeypatch.setattr(shipment_bulk, "MAX_EXPORT", 2)
    monkeypatch.setattr(shipment_bulk, "EXPORT_PAGE", 2)
    person = await web_hub.signed_in(web_hub.add("Olena"))
    async with person.client.get("/shipments/export?format=csv", headers=person.headers) as answer:
        rows = read_rows(await answer.read())
    assert [row[0] for row in rows[1:3]] == ["20450812345672", "20450812345671"]
    assert rows[3][0].startswith("only the first 2 parcels stand here")


async def test_plugins_are_asked_before_anything_is_locked_and_off_the_loop(web_hub, monkeypatch):
    """A plugin that is slow to recognise a number holds up nobody's transaction."""
    threads = []

    def looks_like(self, text):
        threads.append(threading.current_thread().name)
        return self.inner.looks_like(text)

    monkeypatch.setattr(GuardedCarrier, "looks_like", looks_like)
    staff_id = web_hub.add("Olena")
    order = order_of(web_hub, staff_id)
    person = await web_hub.signed_in(staff_id)
    path = f"/orders/{order.id}"
    assert WAYBILL in (await person.submit(path, f"{path}/shipments", number=WAYBILL)).words
    pasted = {"pasted": f"{order.number} {SECOND}"}
    shown = await person.submit("/shipments/add", "/shipments/add", **pasted)
    told = {**shown.form("/shipments/add"), "lines_1": f"{order.number};;{SECOND}"}
    assert SECOND in (await person.post("/shipments/add", told)).words
    _, token = web_hub.hub.db.write_now(lambda tx: access.add_token(tx, "test", Role.SELLER, staff_id))
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "once"}
    client, url = (await web_hub.browser()).client, f"/api/v1{path}/shipments"
    answers = []
    for number in ("20450812345670", "20450812345670", "12345"):
        key = {"Idempotency-Key": number}
        async with client.post(url, json={"number": number}, headers={**headers, **key}) as answer:
            answers.append((answer.status, (await answer.json()).get("id")))
    assert [status for status, _ in answers] == [201, 201, 422]
    assert answers[0] == answers[1]
    assert len(threads) >= 5
    assert not [name for name in threads if name.startswith(("hub-writer", "hub-reader", "MainThread"))]
