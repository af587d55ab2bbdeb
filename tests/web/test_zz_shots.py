import pytest
from hub.access.model import Role
from hub.db import tables as t
from tests.web.test_browser import browser, page_of
from tests.web.test_accounts import add_np, set_row, np_url

pytestmark = [pytest.mark.browser, pytest.mark.timeout(280)]


async def test_shots(browser, web_hub):
    from axe_playwright_python.async_playwright import Axe

    boss = web_hub.add("Олена Петренко", Role.ADMIN)
    admin = await web_hub.signed_in(boss)
    web_hub.emulator.api_key = "test-key"
    await add_np(web_hub, admin)
    await admin.submit(
        "/new-account?kind=channel&plugin=telegram",
        "/new-account",
        name="shop-bot",
        team="sales",
        set_token="1:abc",
        set_mode="poll",
        set_base_url="http://127.0.0.1:9/",
    )
    await admin.submit("/accounts/np-two", "/accounts/np-two/check")
    for n in range(3):
        await web_hub.send_form(name="Ivan", phone=f"+38067123450{n}")
    set_row(
        web_hub,
        "nova-poshta",
        state="stopped",
        reason="the key is not valid; enter the credentials of this account anew",
        last_error="the key is not valid; enter the credentials of this account anew",
        last_error_at=web_hub.hub.clock.now(),
    )
    found = []
    for width, scheme in ((375, "dark"), (768, "light"), (1440, "light")):
        page = await page_of(
            browser, web_hub, boss, color_scheme=scheme, viewport={"width": width, "height": 900}
        )
        await page.context.add_cookies([{"name": "lang", "value": "uk", "url": web_hub.url}])
        for name, path in (
            ("list", "/accounts"),
            ("one", "/accounts/np-two"),
            ("new", "/new-account"),
            ("email", "/new-account?kind=channel&plugin=email"),
        ):
            await page.goto(path)
            over = await page.evaluate("document.documentElement.scrollWidth")
            if over > width:
                found.append((path, width, over))
            result = await Axe().run(page)
            found += [
                (path, width, one["id"], [n["html"][:160] for n in one["nodes"]][:3])
                for one in result.response["violations"]
            ]
            await page.screenshot(path=f"/tmp/shot-{name}-{width}.png", full_page=True)
        if width == 1440:
            await page.goto("/accounts/np-two")
            await page.get_by_role("button", name="Перевірити зараз").click()
            await page.get_by_text("Відповідь:").wait_for()
            await page.screenshot(path=f"/tmp/shot-tried-{width}.png")
    print(found)
    assert found == []
