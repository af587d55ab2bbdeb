"""Signing in: the first link, passwords, brute force, forged forms."""

import re

import pytest

from hub.access.model import Role
from tests.web.conftest import WebHub

PASSWORD = "correct horse battery"


async def first_password(web_hub: WebHub, name: str = "Olena Koval") -> tuple[int, str]:
    staff_id = web_hub.add(name)
    link = f"/welcome/{web_hub.link(staff_id)}"
    browser = await web_hub.browser()
    shown = await browser.get(link)
    assert name in shown.words
    answer = await browser.post(
        link, {"csrf": csrf_of(shown.text), "password": PASSWORD, "password2": PASSWORD}
    )
    assert answer.status == 200
    assert answer.path == "/"
    return staff_id, link


def csrf_of(text: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', text)
    assert found
    return found.group(1)


async def test_the_first_link_sets_a_password_and_signs_in_once(web_hub):
    _, link = await first_password(web_hub)
    again = await (await web_hub.browser()).get(link)
    assert again.status == 404
    assert "does not work any more" in again.words
    assert "ask your administrator" in again.words


async def test_a_person_signs_in_with_the_password_and_out_again(web_hub):
    await first_password(web_hub)
    browser = await web_hub.browser()
    away = await browser.get("/orders?stage=new", follow=False)
    assert away.status == 303
    assert away.headers["Location"] == "/sign-in?next=%2Forders%3Fstage%3Dnew"
    answer = await browser.submit(
        away.headers["Location"], "/sign-in", login="Olena.Koval", password=PASSWORD
    )
    assert (answer.status, answer.path) == (200, "/orders")
    out = await browser.submit("/", "/sign-out")
    assert out.path == "/sign-in"
    assert "You are signed out." in out.words
    assert (await browser.get("/", follow=False)).status == 303


async def test_the_session_cookie_is_kept_from_scripts_and_other_sites(web_hub):
    staff_id, _ = await first_password(web_hub)
    browser = await web_hub.browser()
    link = f"/welcome/{web_hub.link(staff_id)}"
    shown = await browser.get(link)
    answer = await browser.post(
        link, {"csrf": csrf_of(shown.text), "password": PASSWORD, "password2": PASSWORD}, follow=False
    )
    cookie = next(c for c in answer.headers.getall("Set-Cookie") if c.startswith("hub_session"))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    assert len(cookie.partition("=")[2].partition(";")[0]) >= 43


async def test_over_https_the_cookies_are_secure(make_hub):
    web_hub = await make_hub(language="en", base_url="https://hub.example.com")
    shown = await (await web_hub.browser()).get("/sign-in")
    assert all("Secure" in cookie for cookie in shown.headers.getall("Set-Cookie"))


@pytest.mark.parametrize(
    ("password", "again", "words"),
    [
        ("short", "short", "at least 10 characters"),
        ("x" * 201, "x" * 201, "at most 200 characters"),
        (PASSWORD, PASSWORD + "!", "The two passwords differ"),
    ],
)
async def test_a_bad_first_password_is_refused_beside_its_field(web_hub, password, again, words):
    link = f"/welcome/{web_hub.link(web_hub.add('Petro'))}"
    browser = await web_hub.browser()
    shown = await browser.get(link)
    answer = await browser.post(link, {"csrf": csrf_of(shown.text), "password": password, "password2": again})
    assert answer.status == 422
    assert words in answer.words
    assert password not in answer.text


async def test_unknown_login_and_wrong_password_say_the_same(web_hub):
    await first_password(web_hub)
    browser = await web_hub.browser()
    unknown = await browser.submit("/sign-in", "/sign-in", login="nobody", password=PASSWORD)
    wrong = await browser.submit("/sign-in", "/sign-in", login="olena.koval", password="wrong password")
    assert unknown.status == wrong.status == 422
    message = "Login and password do not fit together."
    assert message in unknown.words
    assert message in wrong.words


async def test_too_many_tries_are_stopped_in_words_even_with_the_right_password(web_hub, monkeypatch):
    monkeypatch.setattr("hub.web.workspace.signin.secrets.check_password", lambda _stored, p: p == PASSWORD)
    await first_password(web_hub)
    browser = await web_hub.browser()
    shown = await browser.get("/sign-in")
    for _ in range(10):
        data = {**shown.form("/sign-in"), "login": "olena.koval", "password": "wrong password"}
        assert (await browser.post("/sign-in", data)).status == 422
    stopped = await browser.post("/sign-in", {**data, "password": PASSWORD})
    assert stopped.status == 429
    assert "Too many tries" in stopped.words
    assert stopped.headers["Retry-After"] == "900"


async def test_a_right_password_takes_its_count_back(web_hub, monkeypatch):
    monkeypatch.setattr("hub.web.workspace.signin.secrets.check_password", lambda _stored, p: p == PASSWORD)
    await first_password(web_hub)
    for _ in range(12):
        browser = await web_hub.browser()
        answer = await browser.submit("/sign-in", "/sign-in", login="olena.koval", password=PASSWORD)
        assert answer.path == "/"


@pytest.mark.parametrize(
    "away",
    ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/\t/evil.example"],
)
async def test_nobody_is_sent_elsewhere_after_signing_in(web_hub, away):
    staff_id = web_hub.add("Olena")
    person = await web_hub.signed_in(staff_id)
    async with person.client.get("/sign-in", params={"next": away}, allow_redirects=False) as answer:
        assert answer.status == 303
        assert answer.headers["Location"] == "/"


# --- forged forms ----------------------------------------------------------------------------------------


async def test_a_form_without_its_proof_is_refused(web_hub):
    person = await web_hub.signed_in(web_hub.add("Olena"))
    for data in ({}, {"csrf": "x"}, {"csrf": "ї"}):
        answer = await person.post("/sign-out", data)
        assert answer.status == 403
        assert "this form is too old" in answer.words.lower()
    assert (await person.get("/")).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_form_from_another_site_is_refused_even_with_its_proof(web_hub, headers):
    person = await web_hub.signed_in(web_hub.add("Olena"))
    data = (await person.get("/")).form("/sign-out")
    answer = await person.post("/sign-out", data, headers=headers)
    assert answer.status == 403
    assert "another site" in answer.words


async def test_the_sign_in_form_needs_its_cookie(web_hub):
    one, other = await web_hub.browser(), await web_hub.browser()
    data = (await one.get("/sign-in")).form("/sign-in")
    await other.get("/sign-in")
    answer = await other.post("/sign-in", {**data, "login": "x", "password": "y"})
    assert answer.status == 403


async def test_a_closed_person_is_signed_out(web_hub):
    from hub.access.model import system
    from hub.assignment.members import close_staff

    staff_id = web_hub.add("Olena")
    person = await web_hub.signed_in(staff_id)
    assert (await person.get("/")).status == 200
    web_hub.hub.db.write_now(lambda tx: close_staff(tx, system("test"), staff_id))
    assert (await person.get("/", follow=False)).status == 303


# --- the demonstration -----------------------------------------------------------------------------------


async def test_the_demonstration_says_so_and_lets_one_in_with_one_click(make_hub):
    demo = await make_hub(language="uk", demo=True)
    staff_id = demo.add("Олена")
    browser = await demo.browser("uk")
    shown = await browser.get("/sign-in")
    assert "Демонстрація: покупці та перевізники емульовані" in shown.words
    inside = await browser.submit("/sign-in", "/demo/sign-in", staff_id=str(staff_id))
    assert inside.path == "/"
    assert "Демонстрація: покупці та перевізники емульовані" in inside.words
    english = await browser.submit("/", "/language", language="en")
    assert "Demonstration: emulated customers and carriers" in english.words


async def test_without_the_demonstration_there_is_no_such_door(web_hub):
    staff_id = web_hub.add("Olena", Role.ADMIN)
    browser = await web_hub.browser()
    data = (await browser.get("/sign-in")).form("/sign-in")
    answer = await browser.post("/demo/sign-in", {**data, "staff_id": str(staff_id)})
    assert answer.status == 404
