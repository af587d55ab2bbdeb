"""The form by one line of script, on a site of another origin with a strict policy, in a real browser."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from sqlalchemy import select

from hub.db import tables as t
from hub.testing.emulators.turnstile import TurnstileEmulator
from plugins.web_form.kinds import READY
from plugins.web_form.settings import WebFormSettings
from plugins.web_form.widget import script
from tests.plugins.web_form.made import PDF
from tests.web.conftest import WebHub

if TYPE_CHECKING:
    from playwright.async_api import Browser, FilePayload, Page, Route

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]
HOSTILE_STYLE = "p, div, label, input, button, h2 { display: none; color: red; font-size: 2px }"


@dataclass
class Site:
    """Somebody's site: one page with our line in it."""

    server: TestServer
    policy: str = ""
    line: str = ""
    complaints: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return str(self.server.make_url("/")).rstrip("/")

    async def page(self, _: web.Request) -> web.Response:
        style = "" if self.policy else f"<style>main ~ * {{ }} {HOSTILE_STYLE}</style>"
        text = (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Shop</title>{style}</head>'
            f'<body><main><h1>Boots</h1><section id="here">{self.line}</section></main></body></html>'
        )
        headers = {"Content-Security-Policy": self.policy} if self.policy else {}
        return web.Response(text=text, content_type="text/html", headers=headers)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    app = web.Application()
    made = Site(TestServer(app))
    app.router.add_get("/{tail:.*}", made.page)
    await made.server.start_server()
    yield made
    await made.server.close()


@pytest.fixture
async def hub(make_hub: Any, site: Site) -> WebHub:
    form = {"plugin": "web_form", "team": "sales", "rate_per_minute": 0, "allowed_origins": [site.url]}
    made = await make_hub(
        language="en", channels={"shop-form": form, "other-form": {**form, "allowed_origins": []}}
    )
    assert isinstance(made, WebHub)
    return made


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium (apt-get install chromium)")
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=chromium, args=ARGS)
        yield launched
        await launched.close()


def strict(hub: WebHub, more: str = "") -> str:
    """What a careful site allows: our script and our address, no inline style, no text that becomes nodes."""
    return (
        f"default-src 'none'; script-src {hub.url}{more}; connect-src {hub.url}{more}; base-uri 'none'; "
        "form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


async def opened(
    browser: Browser, site: Site, hub: WebHub, attributes: str = "", account: str = "shop-form"
) -> Page:
    site.line = f'<script src="{hub.url}/in/{account}/form.js" async {attributes}></script>'
    context = await browser.new_context(locale="en-GB")
    context.set_default_timeout(15_000)
    page = await context.new_page()
    page.on(
        "console", lambda message: site.complaints.append(message.text) if message.type == "error" else None
    )
    page.on("pageerror", lambda error: site.complaints.append(str(error)))
    await page.goto(f"{site.url}/boots?utm_source=google&utm_campaign=winter")
    await page.get_by_role("button", name="Send").wait_for()
    return page


async def fill(page: Page, message: str = "Is it in stock?") -> None:
    await page.get_by_label("Your name").fill("Ivan Franko")
    await page.get_by_label("Telephone").fill("067 123 45 67")
    await page.get_by_label("Message").fill(message)


def chosen(name: str) -> FilePayload:
    """A file as a visitor chooses it; the browser's word for what it is counts for nothing."""
    return {"name": name, "mimeType": "x/y", "buffer": PDF}


def requests(hub: WebHub) -> list[Any]:
    return list(hub.hub.db.read_now(lambda conn: conn.execute(select(t.request)).all()))


def keys(hub: WebHub) -> list[str]:
    return list(
        hub.hub.db.read_now(lambda conn: conn.execute(select(t.delivery.c.external_id)).scalars().all())
    )


@pytest.mark.parametrize("language", ["uk", "en"])
@pytest.mark.parametrize("kind", sorted(READY))
def test_the_script_is_below_ten_kilobytes(kind, language):
    made = script(
        WebFormSettings(turnstile_site_key="1x" * 11, turnstile_secret="s" * 35), READY[kind], language
    )
    assert len(made.encode()) < 10_000
    assert "CONFIG" not in made
    assert "\n//" not in made


async def test_one_line_on_a_strict_site_two_clicks_one_request(browser, site, hub):
    """[W3] Accessible, isolated, under a strict policy; source and campaign are kept."""
    from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]

    site.policy = strict(hub)
    page = await opened(browser, site, hub)
    await page.get_by_role("button", name="Send").click()
    name = page.get_by_label("Your name")
    assert await name.evaluate("input => input === input.getRootNode().activeElement")
    assert await name.get_attribute("aria-invalid") == "true"
    described = await name.get_attribute("aria-describedby")
    assert await page.locator(f"#{described}").inner_text() == "Fill in this field"
    await page.get_by_label("Telephone").fill("12")
    await page.get_by_role("button", name="Send").click()
    await page.get_by_text("Check the telephone number").wait_for()
    await fill(page)
    await page.get_by_label("Files").set_input_files([chosen("рахунок.pdf")])
    assert await page.evaluate("getComputedStyle(document.querySelector('hub-form')).display") == "block"
    site.policy = ""  # axe itself needs more than the site allows; it looks at the same form below
    await page.get_by_role("button", name="Send").dblclick()
    await page.get_by_role("heading", name="Thank you!").wait_for()
    assert await page.evaluate("document.querySelector('hub-form').shadowRoot.activeElement.textContent") == (
        "Thank you!We have got your message and will answer soon."
    )
    (made,) = requests(hub)
    assert '"utm_campaign":"winter"' in made.source
    assert f'"page":"{site.url}/boots' in made.source
    assert hub.hub.db.read_now(lambda conn: conn.execute(select(t.attachment.c.name)).scalars().all()) == [
        "рахунок.pdf"
    ]
    assert site.complaints == []

    page = await opened(browser, site, hub, 'data-theme="light"')
    assert await page.get_by_label("Your name").is_visible()  # the site's own hostile style stays outside
    await page.evaluate("document.querySelector('style').remove()")
    await page.get_by_role("button", name="Send").click()
    found = await Axe().run(page)
    assert [(one["id"], one["nodes"][0]["html"][:150]) for one in found.response["violations"]] == []


async def test_kept_without_connection_and_sent_after_a_reload_under_the_same_key(browser, site, hub):
    site.policy = strict(hub)
    page = await opened(browser, site, hub)
    tried: list[str] = []

    async def cut(route: Route) -> None:
        if route.request.method == "GET":
            await route.continue_()
            return
        tried.append(route.request.headers.get("idempotency-key", ""))
        await route.abort()

    await page.context.route(f"{hub.url}/in/shop-form?*", cut)
    await fill(page)
    await page.get_by_label("Files").set_input_files([chosen("a.pdf")])
    await page.get_by_role("button", name="Send").click()
    await page.get_by_text("There is no connection. Your message is kept").wait_for()
    assert requests(hub) == []
    await page.context.unroute(f"{hub.url}/in/shop-form?*")
    await page.reload()
    await page.get_by_text("Your earlier message has been sent.").wait_for()
    assert len(requests(hub)) == 1
    assert len(tried) == 1
    assert keys(hub) == ["key:" + tried[0]]
    await page.reload()
    await page.get_by_role("button", name="Send").wait_for()
    await page.wait_for_timeout(500)
    assert len(keys(hub)) == 1
    # the browser itself is offline, then online again: no reload needed
    await fill(page, "And the other one?")
    await page.context.set_offline(True)
    await page.get_by_role("button", name="Send").click()
    await page.get_by_text("There is no connection").wait_for()
    await page.context.set_offline(False)
    await page.get_by_role("heading", name="Thank you!").wait_for()
    assert len(requests(hub)) == 2


async def test_a_lost_answer_is_asked_for_again_and_is_one_request(browser, site, hub):
    """[W10] What was not answered is sent again by who has it; the hub knows it by its key."""
    page = await opened(browser, site, hub, 'data-theme="dark"')
    lost: list[int] = []

    async def lose(route: Route) -> None:
        if route.request.method == "POST" and not lost:
            lost.append((await route.fetch()).status)
            await route.abort()
        else:
            await route.continue_()

    await page.context.route(f"{hub.url}/in/shop-form?*", lose)
    await fill(page)
    await page.get_by_role("button", name="Send").click()
    await page.get_by_text("There is no connection").wait_for()
    assert lost == [201]
    await page.evaluate("dispatchEvent(new Event('online'))")
    await page.get_by_role("heading", name="Thank you!").wait_for()
    assert (len(requests(hub)), len(keys(hub))) == (1, 1)


async def test_another_kind_and_language_and_a_policy_that_forbids_sending(browser, site, hub):
    """By attributes, or by the address of the script; where nothing may be sent, a link leads to the hosted page."""
    site.policy = strict(hub)
    page = await (await browser.new_context()).new_page()
    site.line = (
        f'<script src="{hub.url}/in/shop-form/form.js" async data-kind="order" data-lang="uk" '
        'data-target="#here"></script>'
    )
    await page.goto(site.url)
    await page.get_by_role("heading", name="Зробити замовлення").wait_for()
    assert await page.locator("#here > hub-form").get_attribute("lang") == "uk"
    site.policy = strict(hub).replace(f"connect-src {hub.url}", "connect-src 'none'")
    site.line = f'<script src="{hub.url}/in/shop-form/form.js?kind=callback&amp;lang=uk" async></script>'
    await page.goto(site.url)
    await page.get_by_role("heading", name="Передзвоніть мені").wait_for()
    assert await page.get_by_label("Повідомлення").count() == 0
    await page.get_by_label("Ваше ім’я").fill("Іван")
    await page.get_by_label("Телефон").fill("0671234567")
    await page.get_by_role("button", name="Надіслати").click()
    link = page.get_by_role("link", name="Відкрити форму на окремій сторінці")
    await link.wait_for()
    assert await link.get_attribute("href") == f"{hub.url}/in/shop-form/form?kind=callback&lang=uk"
    assert await page.get_by_label("Ваше ім’я").input_value() == "Іван"
    assert requests(hub) == []


async def test_turnstile_in_both_forms(browser, site, make_hub):
    turnstile = TurnstileEmulator("the-turnstile-secret")
    base_url = await turnstile.start()
    form = {
        "plugin": "web_form", "team": "sales", "rate_per_minute": 0, "turnstile_site_key": "1x00",
        "turnstile_secret": "the-turnstile-secret", "turnstile_base_url": base_url, "allowed_origins": [site.url],
    }  # fmt: skip
    hub = await make_hub(language="en", channels={"shop-form": form})
    site.policy = strict(hub, f" {base_url}").partition("; require-trusted-types")[0]
    page = await opened(browser, site, hub)
    await page.get_by_text("emulated Turnstile").wait_for()
    await fill(page)
    await page.wait_for_timeout(300)
    await page.get_by_role("button", name="Send").click()
    await page.get_by_role("heading", name="Thank you!").wait_for()
    await page.goto(f"{hub.url}/in/shop-form/form?lang=en")
    await page.locator("input[name=cf-turnstile-response][value^='0.']").wait_for(state="attached")
    await fill(page, "From the hosted page")
    await page.get_by_role("button", name="Send").click()
    await page.wait_for_url("**/thanks?lang=en")
    await turnstile.stop()
    assert len(requests(hub)) == 2
    assert all("not verified" not in made.source for made in requests(hub))
