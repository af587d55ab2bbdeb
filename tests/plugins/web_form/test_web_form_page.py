"""page.py: the hosted form and its thank-you page."""

from html.parser import HTMLParser
from urllib.parse import urlencode

import pytest

from hub.sdk import EventKind
from plugins.web_form.page import Pages, View
from plugins.web_form.settings import WebFormSettings
from plugins.web_form.texts import LABELS, PAGE, REFUSED, SCRIPT


class Page(HTMLParser):
    """Elements as (tag, attributes), and a check that every opened element is closed."""

    VOID = frozenset({"meta", "input", "br", "hr", "link", "img"})

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(body.decode())
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def shown(channel, path="/form", query=None, language="uk") -> Page:
    answer = channel.page(path, query or {}, language)
    assert (answer.status, answer.media_type) == (200, "text/html")
    return Page(answer.body)


@pytest.mark.parametrize("path", ["/form", "/thanks"])
@pytest.mark.parametrize("language", ["uk", "en"])
def test_pages_say_their_language_and_load_nothing(channel, path, language):
    answer = channel.page(path, {}, language)
    page = Page(answer.body)
    assert page.all("html") == [{"lang": language}]
    assert not {tag for tag, _ in page.elements} & {"script", "link", "img", "iframe", "object"}
    for _, attributes in page.elements:
        assert not any(name.startswith("on") or name == "style" for name in attributes)
        assert attributes.get("href", "/in/shop/").startswith("/in/shop/")
        assert "src" not in attributes
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("language", ["uk", "en"])
def test_every_visible_input_has_its_label(channel, language):
    page = shown(channel, language=language)
    labels = {label["for"] for label in page.all("label")}
    inputs = [i for i in page.all("input") + page.all("textarea") if i.get("type") != "hidden"]
    assert {i["id"] for i in inputs} == labels
    assert {i["name"] for i in inputs} == {"name", "phone", "email", "message", "files", "website"}


@pytest.mark.parametrize("texts", [LABELS, PAGE, REFUSED, SCRIPT])
def test_both_languages_say_all_texts(texts):
    assert set(texts["uk"]) == set(texts["en"])
    assert all(max(text) >= "А" for text in texts["uk"].values())
    assert all(text.replace("…", "").isascii() for text in texts["en"].values())


@pytest.mark.parametrize(
    ("query", "told", "expected"),
    [
        ("", "uk", "uk"),
        ("", "en-GB", "en"),
        ("en", "uk", "en"),
        ("uk", "en", "uk"),
        ("", "", "uk"),
        ("", "pl", "en"),
    ],
)
def test_the_address_wins_over_the_language_told(channel, query, told, expected):
    page = shown(channel, query={"lang": query} if query else {}, language=told)
    assert page.all("html")[0]["lang"] == expected


def test_the_form_posts_to_the_account_and_comes_back_as_a_message(channel, delivery):
    page = shown(channel)
    (form,) = page.all("form")
    assert form["method"] == "post"
    assert form["action"].partition("?")[0] == "/in/shop"
    filled = {i["name"]: i.get("value", "") for i in page.all("input")}
    filled |= {"name": "Олена", "phone": "0501234567", "message": "Чи є?"}
    raw = delivery(urlencode(filled).encode(), query={"lang": "uk"})
    verified, parsed = channel.verify(raw), channel.parse(raw)
    assert verified.external_id.startswith("nonce:")
    (event,) = parsed.events
    assert (event.kind, event.sender.name, event.text, event.fields) == (
        EventKind.MESSAGE,
        "Олена",
        "Чи є?",
        {},
    )


def test_w3_each_view_has_a_nonce_of_its_own(channel):
    nonces = {i["value"] for _ in range(20) for i in shown(channel).all("input") if i["name"] == "_nonce"}
    assert len(nonces) == 20
    assert min(map(len, nonces)) >= 20


def test_the_honeypot_is_hidden_without_script_or_style(channel, make_channel):
    page = shown(channel)
    trap = next(i for i in page.all("input") if i["name"] == "website")
    assert (trap["autocomplete"], trap["tabindex"]) == ("off", "-1")
    assert {"hidden": ""} in page.all("p")
    assert not shown(make_channel(honeypot="")).all("p")


def test_where_the_visitor_came_from_goes_along_escaped(channel):
    attack = '"><script>alert(1)</script>'
    page = shown(channel, query={"utm_source": "google", "gclid": attack, "x": "no", "lang": "uk"})
    hidden = {i["name"]: i["value"] for i in page.all("input") if i["type"] == "hidden"}
    assert hidden["utm_source"] == "google"
    assert hidden["gclid"] == attack
    assert "x" not in hidden


def test_titles_and_texts_of_the_settings_are_escaped(make_channel):
    channel = make_channel(title="<b>Shop & Co</b>", thank_you="<i>soon</i> & well")
    for language in ("uk", "en"):
        assert "<b>Shop & Co</b>" in shown(channel, language=language).text
        assert "<i>soon</i> & well" in shown(channel, "/thanks", language=language).text
        assert not shown(channel, "/thanks", language=language).all("i")


def test_titles_in_two_languages(make_channel):
    channel = make_channel(title={"uk": "Крамниця", "en": "Shop"}, thank_you={"uk": "Скоро дзвонимо"})
    assert "Крамниця" in shown(channel).text
    assert "Shop" in shown(channel, language="en").text
    assert "Скоро дзвонимо" in shown(channel, "/thanks", language="en").text


def test_another_sites_thank_you_page_is_allowed_as_the_forms_way(make_channel):
    answer = make_channel(thank_you="https://shop.example/thanks").page("/form", {}, "uk")
    assert "form-action 'self' https://shop.example" in answer.headers["Content-Security-Policy"]


def test_odd_account_names_stay_inside_the_address():
    settings = WebFormSettings()
    pages = Pages('a/b"?<x>', settings, settings.all_kinds())
    answer = pages.page("/form", View.of({}, "uk", "n"))
    assert answer is not None
    assert Page(answer.body).all("form")[0]["action"].startswith("/in/a%2Fb%22%3F%3Cx%3E?")


def test_there_are_no_other_pages(channel):
    assert channel.page("", {}, "uk") is None
    assert channel.page("/form/", {}, "uk") is None
