"""Both languages are whole: nothing untranslated, nothing stale, nothing hard-wired."""

import gettext
import re
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from hub.orders.routes import _TITLES
from hub.web.i18n import accepted, choose
from hub.web.locale import update
from hub.web.workspace import labels
from hub.web.workspace.render import TEMPLATES
from hub.web.workspace.words import Words

CYRILLIC = re.compile("[а-яіїєґ]", re.IGNORECASE)


def test_every_text_is_translated():
    assert list(update.missing(update.read_translations())) == []


def test_the_catalogue_holds_what_code_and_templates_say():
    known = {message.id for message in update.read_translations() if message.id}
    wanted = {message.id for message in update.collect() if message.id}
    assert wanted - known == set(), "run: python -m hub.web.locale.update"
    assert known - wanted == set(), "run: python -m hub.web.locale.update"


def pairs() -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Texts with their translations, both as tuples of forms."""
    found = []
    for message in update.read_translations():
        if message.id:
            ids = message.id if isinstance(message.id, (tuple, list)) else (message.id,)
            forms = message.string if isinstance(message.string, (tuple, list)) else (str(message.string),)
            found.append((tuple(ids), tuple(forms)))
    return found


def test_the_compiled_catalogue_is_that_of_the_po_file():
    with update.MO.open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for ids, forms in pairs():
        if len(ids) > 1:
            assert tuple(compiled.ngettext(ids[0], ids[1], n) for n in (1, 2, 5)) == forms
        else:
            assert (compiled.gettext(ids[0]),) == forms


def test_translations_keep_their_placeholders():
    for ids, forms in pairs():
        for text in forms:
            assert set(re.findall(r"%\(\w+\)s", text)) == set(re.findall(r"%\(\w+\)s", ids[0])), ids


def visible(source: str) -> str:
    """What of a template a person would read without going through gettext."""
    source = re.sub(r"{#.*?#}", " ", source, flags=re.DOTALL)
    source = re.sub(r"{%-?\s*trans.*?endtrans\s*-?%}", " ", source, flags=re.DOTALL)
    shown = re.findall(r'\b(?:aria-label|title|placeholder|alt|data-label)="([^"{]*)"', source)
    source = re.sub(r"{{.*?}}|{%.*?%}", " ", source, flags=re.DOTALL)
    source = re.sub(r"<[^>]*>", " ", source, flags=re.DOTALL)
    source = re.sub(r'[\w-]+="[^"]*"', " ", source)  # attributes that a macro gives out
    return " ".join([source, *shown])


@pytest.mark.parametrize("template", sorted(TEMPLATES.glob("**/*.html")), ids=lambda p: p.name)
def test_templates_hold_no_text_of_their_own(template: Path):
    assert re.findall(r"[^\W\d_]{2,}", visible(template.read_text())) == []
    assert not CYRILLIC.search(template.read_text())


@pytest.mark.parametrize("text", ["<p>Hello</p>", '<a title="Hello">1</a>', "<b>{{ x }} Привіт</b>"])
def test_the_finder_of_hard_wired_text_finds_it(text):
    assert re.findall(r"[^\W\d_]{2,}", visible(text))


def test_every_word_of_the_domain_has_a_label():
    from hub.orders.model import Payment
    from hub.requests.model import Outcome
    from hub.sdk.tracking import MoneyStatus, Problem, RelationKind, Status
    from hub.tasks.model import TaskState

    assert set(labels.TASK_STATE) == set(TaskState)
    assert set(labels.STATUS) == set(Status)
    assert set(labels.MONEY) == set(MoneyStatus)
    assert set(labels.OUTCOME) == set(Outcome)
    assert set(labels.PAYMENT) == set(Payment)
    assert set(labels.RELATION) == {"outbound", *RelationKind}
    assert set(labels.PARCEL_PROBLEM) == {"correction", *Problem}
    assert all(len(titles) == 2 for titles in _TITLES.values())


def test_sentences_of_the_domain_are_translated_with_their_facts():
    words = Words("uk", ZoneInfo("Europe/Kyiv"), 0)
    sentence = words.sentence(
        "order 1001 has this number already: check it, one waybill belongs to one order"
    )
    assert (
        sentence
        == "Цей номер уже має замовлення 1001: перевірте його, одна накладна належить одному замовленню"
    )
    assert words.sentence("no order 5") == "Такого тут немає."


@pytest.mark.parametrize(
    "page",
    [
        "audit.html",
        "evenness.html",
        "me.html",
        "order.html",
        "shipments.html",
        "undelivered.html",
        "why.html",
    ],
)
def test_a_table_is_called_on_a_telephone_as_it_is_on_a_screen(page):
    """The labels of the cells are the heads of the columns; one word can have two translations."""
    text = (TEMPLATES / page).read_text(encoding="utf-8")
    labels = set(re.findall(r"data-label=\"\{\{ _\('([^']+)'\) \}\}\"", text))
    assert labels
    assert labels <= set(re.findall(r"<th[^>]*>\{\{ _\(\"([^\"]+)\"\) \}\}</th>", text))


@pytest.mark.parametrize(
    ("credit", "shown"), [(0, "0,000"), (-1, "\u22120,001"), (1, "+0,001"), (1_250, "+1,250")]
)
def test_a_credit_has_a_sign_unless_it_is_nothing(credit, shown):
    assert Words("uk", ZoneInfo("Europe/Kyiv"), 0).turns(credit) == shown


@pytest.mark.parametrize(
    ("difference", "shown"), [(0.0, "0.00"), (-0.004, "0.00"), (-0.25, "\u22120.25"), (1, "+1.00")]
)
def test_a_difference_has_a_sign_unless_it_is_nothing(difference, shown):
    assert Words("en", ZoneInfo("Europe/Kyiv"), 0).signed(difference) == shown


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("uk-UA,uk;q=0.9,en;q=0.8", "uk"),
        ("de,en-GB;q=0.7,uk;q=0.3", "en"),
        ("ru, uk;q=0.5", "uk"),
        ("en;q=0, uk", "uk"),
        ("de", None),
        ("", None),
        (";;;q=x,", None),
    ],
)
def test_the_browser_is_asked_for_its_language(header, language):
    assert accepted(header) == language


def test_the_persons_choice_goes_first():
    assert choose("uk", "en", "en", "en") == "uk"
    assert choose(None, "en", "uk", "uk") == "en"
    assert choose(None, "xx", "", "uk") == "uk"


async def test_pages_speak_the_language_that_is_chosen(web_hub):
    person = await web_hub.signed_in(web_hub.add("Olena"), "de")
    assert 'lang="en"' in (await person.get("/")).text
    ukrainian = await person.submit("/orders?stage=new", "/language", language="uk")
    assert ukrainian.path == "/orders"
    assert 'lang="uk"' in ukrainian.text
    assert "Нове замовлення" in ukrainian.words
    elsewhere = await web_hub.browser("uk,en;q=0.5")
    assert "Увійти" in (await elsewhere.get("/sign-in")).words


async def test_errors_speak_ukrainian_too(web_hub):
    person = await web_hub.signed_in(web_hub.add("Olena"), "uk")
    missing = await person.get("/orders/5")
    assert "Тут нічого немає" in missing.words
    refused = await person.submit("/orders/new", "/orders/new", name="", payment="x", name_0="", price_0="5")
    assert refused.status == 422
    assert "Вкажіть ім’я, телефон або ел. пошту" in refused.words
    assert "Позиції потрібна назва" in refused.words
    assert not re.search(r"[a-z]{4,} [a-z]{3,}", refused.words.replace("shop-form", ""))
