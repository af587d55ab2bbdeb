"""Accounts in the workspace: health that adds up, a try, a switch, and forms made of the plugins' own settings."""

import pytest

from hub.access.model import Role
from hub.db import tables as t
from hub.kernel.clock import MINUTE

NEW_NP = "/new-account?kind=carrier&plugin=nova_poshta"


@pytest.fixture
async def admin(web_hub):
    return await web_hub.signed_in(web_hub.add("Boss", Role.ADMIN))


def np_url(web_hub):
    return web_hub.hub.loaded.settings.carriers["nova-poshta"]["base_url"]


async def add_np(web_hub, admin, name="np-two", key="test-key"):
    return await admin.submit(
        NEW_NP, "/new-account", name=name, set_api_key=key, set_base_url=np_url(web_hub)
    )


def set_row(web_hub, name, **values):
    web_hub.hub.db.write_now(
        lambda tx: tx.execute(t.account.update().where(t.account.c.name == name).values(**values))
    )


async def test_counters_add_up_and_the_address_for_the_provider_is_shown(web_hub, admin):
    await web_hub.send_form(name="Ivan", phone="+380671234501")
    client = (await web_hub.browser()).client
    for _ in range(2):
        async with client.post(
            "/in/shop-form", json={"phone": "+380671234502"}, headers={"Idempotency-Key": "k1"}
        ):
            pass
    async with client.post("/in/shop-form", json={"message": "nobody"}) as refused:
        assert refused.status == 422
    await web_hub.process.door.flush_rejections()
    page = await admin.get("/accounts")
    assert "4 = 2 stored + 1 repeated + 1 rejected (without a telephone or an e-mail: 1)" in page.words
    assert f"{web_hub.url}/in/shop-form" in page.words
    assert "settings file" in page.words


async def test_an_account_is_added_tried_changed_and_taken_away(web_hub, admin):
    web_hub.emulator.api_key = "test-key"
    added = await add_np(web_hub, admin)
    assert (added.status, added.path) == (200, "/accounts/np-two")
    assert "works from now on" in added.words
    assert "test-key" not in added.text
    tried = await admin.submit("/accounts/np-two", "/accounts/np-two/check")
    assert "It answered: the key works" in tried.words
    assert "Last success" in tried.words

    changed = await admin.submit("/accounts/np-two", "/accounts/np-two", set_base_url=np_url(web_hub),
                                 set_calls_per_minute="30")  # fmt: skip
    assert "new settings" in changed.words
    assert 'value="30"' in changed.text
    assert (
        "It answered" in (await admin.submit("/accounts/np-two", "/accounts/np-two/check")).words
    )  # its key stayed

    await admin.submit(
        "/accounts/np-two", "/accounts/np-two", set_base_url=np_url(web_hub), set_api_key="wrong"
    )
    tried = await admin.submit("/accounts/np-two", "/accounts/np-two/check")
    assert "It does not work:" in tried.words
    assert "enter the credentials of this account anew" in tried.words
    assert "does not answer" in tried.words  # the badge

    gone = await admin.submit("/accounts/np-two", "/accounts/np-two/retire")
    assert "The account is taken away." in gone.words
    assert "bring it back" in (await admin.get("/accounts/np-two")).words
    assert web_hub.hub.db.read_now(lambda conn: conn.execute(t.account_secret.select()).all()) == []
    log = (await admin.get("/audit")).words
    for done in ("added an account", "changed an account", "took an account away"):
        assert done in log
    assert "wrong" not in log


@pytest.mark.parametrize(("language", "says"), [("en", "Is at most 600"), ("uk", "Має бути щонайбільше 600")])
async def test_a_refused_form_says_everything_beside_its_fields_and_shows_no_secret(web_hub, language, says):
    admin = await web_hub.signed_in(web_hub.add("Boss", Role.ADMIN), language)
    refused = await admin.submit(
        NEW_NP,
        "/new-account",
        name="Np Two",
        set_api_key="very-secret",
        set_calls_per_minute="1000",
        set_phone="12",
    )
    assert refused.status == 422
    assert says in refused.words
    assert 'value="1000"' in refused.text
    assert refused.text.count('class="problem"') == 3  # name, calls, telephone
    assert "very-secret" not in refused.text


async def test_a_model_with_a_rule_over_several_fields_says_it_above_the_form(web_hub, admin):
    refused = await admin.submit(
        "/new-account?kind=channel&plugin=email", "/new-account", name="mail", team="sales",
        set_address="shop@example.com", set_provider="own", set_imap_security="tls", set_smtp_security="tls",
        set_thread_token_in="message_id",
    )  # fmt: skip
    assert refused.status == 422
    assert "Imap_host is needed" in refused.words


async def test_what_was_switched_off_shows_why_and_is_on_again_by_one_click(web_hub, admin):
    set_row(web_hub, "nova-poshta", state="stopped", reason="the key is not valid")
    page = await admin.get("/accounts")
    assert "stopped by the hub" in page.words
    assert "The key is not valid" in page.words
    back = await admin.submit("/accounts", "/accounts/nova-poshta/resume", back="list")
    assert (back.path, "switched on again" in back.words) == ("/accounts", True)
    off = await admin.submit("/accounts", "/accounts/shop-form/pause", back="list")
    assert "A person switched it off" in off.words
    client = (await web_hub.browser()).client
    async with client.post("/in/shop-form", json={"phone": "+380671234502"}) as refused:
        assert refused.status == 503


async def test_silence_past_its_own_limit_is_an_alarm_of_what_should_answer_all_the_time(web_hub, admin):
    await admin.submit(
        "/new-account?kind=channel&plugin=telegram", "/new-account", name="bot", team="sales",
        set_token="1:abc", set_mode="poll", set_base_url="http://127.0.0.1:9/",
    )  # fmt: skip
    now = web_hub.hub.clock.now()
    set_row(web_hub, "bot", last_ok_at=now - MINUTE // 2)
    set_row(web_hub, "shop-form", last_ok_at=now - 600 * MINUTE)  # where nobody writes is no silence
    assert "silent for too long" not in (await admin.get("/accounts")).words
    set_row(web_hub, "bot", last_ok_at=now - 5 * MINUTE)
    assert (await admin.get("/accounts")).words.count("silent for too long") == 1


async def test_sellers_see_how_accounts_do_and_nothing_else(web_hub):
    seller = await web_hub.signed_in(web_hub.add("Olena"))
    page = await seller.get("/accounts")
    assert (page.status, "shop-form" in page.words) == (200, True)
    assert "/accounts/shop-form" not in page.text
    assert "/new-account" not in page.text


async def test_a_hub_without_accounts_says_what_to_do(make_hub):
    made = await make_hub(language="en")
    made.hub.db.write_now(lambda tx: tx.execute(t.account.delete()))
    admin = await made.signed_in(made.add("Boss", Role.ADMIN))
    page = await admin.get("/accounts")
    assert "No channel yet" in page.words
    assert "No carrier yet" in page.words
    assert "/new-account?kind=carrier" in page.text
