"""The story in a real browser: the first link, a form that comes in, an order, its parcel. No script needed."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession, web

from hub.access.model import system
from hub.access.store import make_link
from hub.app import build_process, open_hub
from hub.assignment.members import join_team
from hub.kernel.clock import SystemClock
from hub.settings import build
from hub.staff import service as people
from hub.staff import store as staff
from hub.testing.emulators.nova_poshta import NovaPoshtaEmulator

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

WAYBILL = "20450812345678"
ARGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[str, str, NovaPoshtaEmulator]]:
    """(address, first link, the carrier's emulator) of a hub that listens on loopback."""
    emulator = NovaPoshtaEmulator(SystemClock(), seconds_per_step=3600)
    carrier = {"plugin": "nova_poshta", "base_url": await emulator.start(), "api_key": "test-key"}
    form = {"plugin": "web_form", "team": "sales", "rate_per_minute": 0}
    settings = {
        "hub": {"language": "en"},
        "channels": {"shop-form": form},
        "carriers": {"nova-poshta": carrier},
    }
    hub = open_hub(build(settings, tmp_path))
    process, app = build_process(hub)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    process.door.start()

    def first(tx: Any) -> str:
        staff_id = people.add_person(tx, "Olena Koval", ["seller"])
        join_team(tx, system("test"), staff.team_by_name(tx.conn, "sales").id, staff_id)
        return make_link(tx, staff_id, "first")

    link = await asyncio.to_thread(hub.db.write_now, first)
    yield f"http://127.0.0.1:{runner.addresses[0][1]}", f"/welcome/{link}", emulator
    await runner.cleanup()
    process.door.stop()
    await emulator.stop()
    await asyncio.to_thread(hub.close)


@pytest.fixture
async def page(served: Any) -> AsyncIterator["Page"]:
    """A telephone's browser without scripts; it must not complain about anything."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium (apt-get install chromium)")
    from playwright.async_api import async_playwright

    complaints: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGS)
        context = await browser.new_context(
            viewport={"width": 375, "height": 800},
            locale="en-GB",
            java_script_enabled=False,
            base_url=served[0],
        )
        shown = await context.new_page()
        shown.on("console", lambda message: complaints.append(message.text))
        shown.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
        yield shown
        await browser.close()
    assert complaints == []


async def fits(page: "Page") -> None:
    """Nothing sticks out to the right, and nothing stands without a label."""
    width = await page.locator("body").evaluate("body => body.ownerDocument.documentElement.scrollWidth")
    assert width <= 375, page.url


async def test_from_the_first_link_to_a_parcel_under_way(served: Any, page: "Page") -> None:
    address, link, emulator = served
    emulator.add_parcel(WAYBILL, cod_minor=1_189_000)

    await page.goto(link)
    await page.get_by_label("Password").fill("correct horse battery")
    await page.get_by_label("The same once more").fill("correct horse battery")
    await page.get_by_role("button", name="Save and start").click()
    await page.get_by_role("heading", name="Nothing is waiting for you").wait_for()
    await fits(page)

    customer = {"name": "Ivan Franko", "phone": "067 123 45 67", "message": "A coffee machine, please"}
    async with ClientSession() as session, session.post(f"{address}/in/shop-form", json=customer) as answer:
        assert answer.status == 201

    await page.goto(f"{address}/")
    await page.get_by_role("button", name="Accept: A coffee machine, please").click()
    await page.get_by_role("status").get_by_text("You are working on this task.").wait_for()
    assert (
        await page.get_by_role("link", name="+380 67 123 45 67").get_attribute("href") == "tel:+380671234567"
    )
    await fits(page)

    await page.get_by_role("link", name="Make an order").click()
    line = page.get_by_role("group", name="Line 1")
    await line.get_by_label("What").fill("Coffee machine")
    await line.get_by_label("Price, UAH").fill("11 890")
    await fits(page)
    await page.get_by_role("button", name="Make the order").click()
    await page.get_by_role("heading", name=re.compile("№ 1001")).wait_for()

    await page.get_by_label("Waybill number").fill(WAYBILL)
    await page.get_by_role("button", name="Attach").click()
    parcel = page.get_by_role("article", name=WAYBILL)
    await parcel.get_by_role("button", name=f"Ask the carrier now: {WAYBILL}").click()
    await parcel.get_by_text("Waybill made").first.wait_for()
    assert "11,890.00" in await parcel.inner_text()
    await fits(page)

    await page.get_by_role("button", name="Next: Agreed").click()
    assert "Stage changed: New → Agreed" in await page.get_by_role("region", name="Journal").inner_text()
    await page.get_by_role("button", name="Українська").click()
    await page.get_by_role("heading", name="Посилки").wait_for()
    await fits(page)
    await page.get_by_text("Меню").click()
    await page.get_by_role("button", name="Вийти").click()
    await page.get_by_role("heading", name="Увійти").wait_for()


async def test_signing_in_needs_no_mouse(page: "Page") -> None:
    await page.goto("/sign-in")
    assert await page.locator(":focus").get_attribute("name") == "login"
    for name in ("password", None):
        await page.keyboard.press("Tab")
        assert await page.locator(":focus").get_attribute("name") == name
    assert await page.locator(":focus").inner_text() == "Sign in"
    await page.keyboard.press("Shift+Tab")
    outline = await page.locator(":focus").evaluate("e => getComputedStyle(e).outlineStyle")
    assert outline == "solid"
