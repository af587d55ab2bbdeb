"""The pages in a real browser: no violation that axe knows, everything by keyboard, news without reload."""

from __future__ import annotations

import shutil
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest

from hub.access import store as access
from hub.access.model import Role, system
from hub.customers import merging
from hub.db.tables import found_waybill, observation, outbox, shipment
from hub.kernel.clock import DAY
from hub.notices.put import put_alarm, row_of
from hub.orders import settings as order_settings
from hub.requests import store as requests
from hub.shipments import joining
from hub.shipments.links import ensure_link
from hub.web.workspace.routes import PAGES
from hub.web.workspace.visit import SESSION_COOKIE
from tests.web.conftest import TEST, WebHub
from tests.web.test_notices import MAIL

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]
NOT_SHOWN = {
    "/live",
    "/files/{id}",
    "/messages/{id}/html",
    "/shipments/export",
    "/notices/{id}",
    "/notices/bell",
}  # a stream; files; what others wrote
COMPLAINTS: list[str] = []
WIDTHS = {"light": 1280, "dark": 375}
# The dark page at a telephone's width is the same document: only what colours and sizes decide is asked again.
VIOLATIONS: dict[str, Any] = {"resultTypes": ["violations"]}
ASKED = {
    "light": VIOLATIONS,
    "dark": {**VIOLATIONS, "runOnly": ["color-contrast", "link-in-text-block", "target-size"]},
}


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium (apt-get install chromium)")
    from playwright.async_api import async_playwright

    COMPLAINTS.clear()
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=chromium, args=ARGS)
        yield launched
        await launched.close()
    assert COMPLAINTS == []


async def page_of(browser: Browser, web_hub: WebHub, staff_id: int | None, **options: Any) -> Page:
    """A page of somebody who is signed in; what it complains about stands in `COMPLAINTS`."""
    options.setdefault("viewport", {"width": 1280, "height": 800})
    context = await browser.new_context(base_url=web_hub.url, locale="en-GB", **options)
    if staff_id is not None:
        token = web_hub.hub.db.write_now(lambda tx: access.open_session(tx, staff_id, "chromium"))
        await context.add_cookies([{"name": SESSION_COOKIE, "value": token, "url": web_hub.url}])
    page = await context.new_page()
    page.on("console", lambda message: COMPLAINTS.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: COMPLAINTS.append(str(error)))
    return page


async def everything(web_hub: WebHub) -> tuple[int, dict[str, str]]:
    """A hub with something on each page: an administrator, and the address of each page of the table."""
    boss = web_hub.add("Boss", Role.ADMIN)
    web_hub.add("Olena")
    for number in range(4):
        await web_hub.send_form(name="Ivan", phone=f"+38067123450{number}", message=f"Number {number}?")
    request_id = await web_hub.send_form(name="Lesia", phone="+380671234599", message="Is it in stock?")
    task = web_hub.task_of(request_id)
    admin = await web_hub.signed_in(boss)
    made = await admin.submit(
        "/orders/new", "/orders/new", name="Ivan", phone="+380671234501", payment="cod", name_0="Boots",
        quantity_0="1", price_0="100",
    )  # fmt: skip
    assert made.path.startswith("/orders/"), made.words[:400]
    order_id = int(made.path.rpartition("/")[2])
    parcel, secret = web_hub.hub.db.write_now(
        lambda tx: (parcels_of(tx, order_id), ensure_link(tx, order_id))
    )
    await admin.submit(
        "/new-account?kind=channel&plugin=web_form", "/new-account", name="kept", team="sales", set_rate_per_minute="9"
    )  # fmt: skip
    card, double, merged = await cards_of(web_hub)
    ids = {
        **{one.path: card for one in PAGES if one.path.startswith("/contacts/{id}")},
        "/contacts/{id}/unmerge": merged,
        "/shipments/{id}": parcel,
        "/tasks/{id}": task.id,
        "/tasks/{id}/why": task.id,
        "/requests/{id}": request_id,
        "/people/{id}": boss,
    }
    found = {}
    for page in PAGES:
        if page.method == "GET" and page.path not in NOT_SHOWN:
            path = page.path.replace("{id}", str(ids.get(page.path, made.path.rpartition("/")[2])))
            name = "kept" if path.startswith("/accounts") else "service"
            path = path.replace("{name}", name).replace("/t/{secret}", f"/t/{secret}")
            found[page.path] = path.replace("{secret}", web_hub.link(web_hub.add("Newcomer", team=False)))
    found["merging"] = f"/contacts/{card}/merge?with={double}"
    found["merged"] = f"/contacts/{merged}"
    found["concern"] = "/shipments?concern=waiting"
    found["board"] = "/tasks?view=board"
    found["what if"] = "/evenness?period=all&member=1&share=x"
    found["account form"] = "/new-account?kind=channel&plugin=email"
    found["nothing"] = "/orders/1"
    return boss, found


async def cards_of(web_hub: WebHub) -> tuple[int, int, int]:
    """Two cards that a message named together, and a third that was merged into the first."""
    known = ({"phone": "+380671234588"}, {"email": "lesia@example.com"}, {"phone": "+380671234577"})
    asked = [await web_hub.send_form(name="Lesia", message="Is it in stock?", **one) for one in known]
    await web_hub.send_form(phone="+380671234588", email="lesia@example.com", message="It is me")

    def merge(tx: Any) -> tuple[int, int, int]:
        card, double, merged = (requests.get(tx.conn, int(one)).contact_id for one in asked)
        merging.merge(tx, system("test"), card, merged, "the same voice")
        return card, double, merged

    return web_hub.hub.db.write_now(merge)


def parcels_of(tx: Any, order_id: int) -> int:
    """Give the order a parcel that waits, with a timeline, and a found waybill; the parcel's id."""
    row = joining.attach(tx, system("test"), order_id, "nova-poshta", "nova_poshta", "20450812345678", None)
    values = {"status": "arrived", "happened_at": tx.now - 4 * DAY, "paid_storage_at": tx.now + DAY}
    money = {"money_status": "expected", "cod_expected_minor": 125000, "place": "Kyiv", "raw_text": "Прибув"}
    tx.execute(shipment.update().where(shipment.c.id == row.id).values(**values, **money))
    seen = {"raw_code": "7", "raw_text": "Прибув", "place": "Kyiv", "facts": "{}", "first_seen_at": tx.now}
    for at, status in enumerate(("accepted", "arrived", "in_transit", "unknown", "arrived")):
        tx.execute(
            observation.insert().values(
                id=tx.new_id(), shipment_id=row.id, identity=str(at), event=str(at), status=status,
                clock_at=tx.now + at, **seen,
            )
        )  # fmt: skip
    for number, order in (("20450812345671", order_id), ("20450812345672", None)):
        tx.execute(
            found_waybill.insert().values(
                id=tx.new_id(), number=number, account="nova-poshta", order_reference="x", order_id=order,
                why="phone", cod_minor=100, currency="UAH", state="open", created_at=tx.now,
            )
        )  # fmt: skip
    return row.id


@pytest.mark.parametrize("scheme", WIDTHS)
async def test_no_page_has_a_violation_that_axe_knows(browser, web_hub, scheme):
    """Every GET of the table, signed in where it asks for it; and nothing sticks out to the right."""
    from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]

    boss, paths = await everything(web_hub)
    width, found = WIDTHS[scheme], []
    for signed in (boss, None):
        page = await page_of(
            browser, web_hub, signed, color_scheme=scheme, viewport={"width": width, "height": 800}
        )
        for name, path in paths.items():
            is_open = any(one.path == name and one.may is None for one in PAGES)
            if (signed is None) != is_open or name == "nothing":
                continue
            await page.goto(path)
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, path
            result = await Axe().run(page, options=ASKED[scheme])
            found += [
                (name, one["id"], [node["html"][:120] for node in one["nodes"]][:3])
                for one in result.response["violations"]
            ]
    assert found == []


async def test_a_task_is_found_accepted_and_closed_by_keyboard_alone(browser, web_hub):
    page = await page_of(browser, web_hub, web_hub.add("Olena"))
    await web_hub.send_form(name="Ivan", phone="+380671234501", message="Is it in stock?")
    await page.goto("/")
    await page.keyboard.press("j")
    assert await page.locator(":focus").inner_text() == "Is it in stock?"
    await page.keyboard.press("a")
    await page.get_by_text("You are working on this task.").wait_for()
    await page.keyboard.press("d")
    await page.keyboard.press("Space")  # the first radio: answered
    await page.keyboard.press("Enter")
    await page.get_by_text("Closed. Well done.").wait_for()


@pytest.mark.parametrize("scripts", [True, False])
async def test_on_a_telephone_one_menu_leads_to_every_page(browser, web_hub, scripts):
    """By keyboard, without scripts, and nothing scrolls sideways; axe looks at it while it is open."""
    telephone = {"width": 375, "height": 700}
    page = await page_of(
        browser, web_hub, web_hub.add("Olena"), viewport=telephone, java_script_enabled=scripts
    )
    await page.goto("/")
    assert await page.get_by_role("link", name="Evenness").count() == 0
    await page.get_by_text("Menu").focus()
    await page.keyboard.press("Enter")
    links = page.get_by_role("navigation", name="Pages").get_by_role("link")
    assert await links.all_inner_texts() == [
        "My day",
        "All tasks",
        "Orders",
        "Contacts",
        "Parcels",
        "People",
        "Evenness",
    ]
    for box in [await link.bounding_box() for link in await links.all()]:
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 375
        assert box["height"] >= 44  # a thumb hits it
    assert await page.get_by_role("button", name="Sign out").count() == 1
    if scripts:
        from axe_playwright_python.async_playwright import Axe

        assert await page.evaluate("document.documentElement.scrollWidth") <= 375
        assert (await Axe().run(page)).response["violations"] == []
        await page.keyboard.press("Escape")
        assert await links.count() == 0
        assert await page.locator(":focus").inner_text() == "Menu"
        await page.keyboard.press("Enter")
    await page.get_by_role("link", name="Evenness").click()
    await page.get_by_role("heading", name="Evenness").wait_for()


async def test_keys_put_off_and_tell_what_they_do(browser, web_hub):
    page = await page_of(browser, web_hub, web_hub.add("Olena"))
    await web_hub.send_form(name="Ivan", phone="+380671234501", message="Is it in stock?")
    await page.goto("/")
    await page.keyboard.press("?")
    await page.get_by_role("dialog").get_by_text("next and previous task").wait_for()
    await page.keyboard.press("Escape")
    await page.get_by_role("dialog").wait_for(state="hidden")
    await page.keyboard.press("j")
    await page.keyboard.press("s")
    await page.locator("button[value='1h']:focus").wait_for()
    await page.keyboard.press("Enter")
    await page.get_by_text("Put off. It comes back by itself.").wait_for()
    await page.keyboard.press("n")
    await page.get_by_role("heading", name="New request").wait_for()


async def test_typing_is_no_command(browser, web_hub):
    page = await page_of(browser, web_hub, web_hub.add("Olena"))
    await page.goto("/requests/new")
    await page.get_by_label("Name").press_sequentially("Nadia and ?")
    assert await page.get_by_label("Name").input_value() == "Nadia and ?"


async def test_a_new_task_appears_within_a_second_without_reload(browser, web_hub):
    page = await page_of(browser, web_hub, web_hub.add("Olena"))
    await page.goto("/")
    await page.evaluate("window.stays = true")
    await page.wait_for_timeout(500)  # the stream is open
    await web_hub.send_form(name="Ivan", phone="+380671234501", message="Is it in stock?")
    started = time.monotonic()
    await page.get_by_role("link", name="Is it in stock?").wait_for()
    assert time.monotonic() - started < 1
    assert await page.evaluate("window.stays")


async def test_an_open_menu_is_not_taken_away_by_news(browser, web_hub):
    page = await page_of(browser, web_hub, web_hub.add("Olena"))
    await web_hub.send_form(name="Ivan", phone="+380671234501", message="The first")
    await page.goto("/")
    await page.get_by_text("Put it off").click()
    await web_hub.send_form(name="Lesia", phone="+380671234502", message="The second")
    await page.wait_for_timeout(600)
    assert await page.get_by_role("button", name="For an hour").is_visible()
    await page.get_by_text("Put it off").click()
    await page.get_by_role("link", name="The second").wait_for()


async def test_numbers_are_added_by_keyboard_and_the_address_is_copied_by_one_click(browser, web_hub):
    staff_id = web_hub.add("Olena")
    person = await web_hub.signed_in(staff_id)
    await person.submit("/orders/new", "/orders/new", name="Ivan", payment="cod", name_0="Boots", price_0="1")
    page = await page_of(browser, web_hub, staff_id, permissions=["clipboard-read", "clipboard-write"])
    await page.goto("/shipments")
    await page.get_by_role("link", name="Add numbers").first.focus()
    await page.keyboard.press("Enter")
    await page.get_by_label("Numbers").focus()
    await page.keyboard.type("1001 20450812345678")
    for _ in range(3):
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.get_by_text("1 number is added").wait_for()
    await page.get_by_role("button", name="Add", exact=True).focus()
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Make a tracking page").click()
    await page.get_by_role("button", name="Copy").click()
    await page.get_by_role("button", name="Copied").wait_for()
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert copied == await page.get_by_label("Tracking page for the customer").input_value()
    assert (await (await web_hub.browser()).get(copied.removeprefix(web_hub.url))).status == 200


async def with_notices(made: WebHub) -> tuple[int, dict[str, str]]:
    """A hub with a staff bot, a mailbox, things that were told and one that could not be delivered."""
    boss = made.add("Boss", Role.ADMIN)
    request_id = await made.send_form(
        name="Ivan", phone="+380671234501", email="ivan@example.com", message="Is it in stock?"
    )

    def fill(tx: Any) -> None:
        put_alarm(tx, "account_ill", account="mail", reason="the login is not accepted")
        row = row_of(tx, "staff_message", "task_assigned", "staff:1:messenger", {}, tx.now)
        dead = row._replace(state="dead", next_try_at=None, last_error="it was tried too often")
        tx.insert({outbox: [dead]})
        for name, text in (("greeting", "Hello, {{ contact.name }}!"), ("due", "{{ order.due }}")):
            order_settings.save_template(tx, TEST, None, name, "en", text)
        tx.execute(outbox.update().where(outbox.c.lane == "notice").values(next_try_at=1))

    made.hub.db.write_now(fill)
    await made.process._outbox.drain("notice")
    return boss, {
        "me": "/me", "notices": "/notices", "undelivered": "/undelivered", "texts": f"/requests/{request_id}",
        "acknowledgements": "/acknowledgements",
    }  # fmt: skip


@pytest.mark.parametrize("scheme", WIDTHS)
async def test_pages_of_notices_have_no_violation_that_axe_knows(browser, make_hub, scheme):
    from axe_playwright_python.async_playwright import Axe

    channels = {"crew": {"plugin": "telegram", "token": "1:x", "staff": True}, "mail": MAIL}
    made = await make_hub(language="en", channels=channels)
    boss, paths = await with_notices(made)
    width = WIDTHS[scheme]
    page = await page_of(browser, made, boss, color_scheme=scheme, viewport={"width": width, "height": 800})
    found = []
    for name, path in paths.items():
        await page.goto(path)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width, path
        result = await Axe().run(page, options=ASKED[scheme])
        found += [(name, one["id"], one["nodes"][0]["html"][:160]) for one in result.response["violations"]]
    assert found == []


async def test_a_ready_text_goes_where_the_cursor_stands_and_the_count_is_live(browser, make_hub):
    made = await make_hub(language="en", channels={"mail": MAIL})
    boss, paths = await with_notices(made)
    page = await page_of(browser, made, boss)
    await page.goto(paths["texts"])
    await page.get_by_label("Your message").fill("P.S.")
    await page.get_by_label("Ready text").select_option("greeting:en")
    await page.get_by_role("button", name="Put it in").click()
    assert await page.get_by_label("Your message").input_value() == "P.S.Hello, Ivan!"
    await page.goto("/notices")
    before = await page.locator("#bell .unread").inner_text()
    made.hub.db.write_now(lambda tx: put_alarm(tx, "account_ill", account="form", reason="gone"))
    made.hub.db.write_now(
        lambda tx: tx.execute(outbox.update().where(outbox.c.lane == "notice").values(next_try_at=1))
    )
    await made.process._outbox.drain("notice")
    await page.get_by_text("The account form does not work").wait_for(timeout=20_000)
    await page.wait_for_function(
        "before => document.querySelector('#bell .unread').innerText !== before", arg=before, timeout=20_000
    )
