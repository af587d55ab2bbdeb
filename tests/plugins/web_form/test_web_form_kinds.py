"""kinds.py: what each kind of form asks, says, and makes of its task."""

import pytest
from pydantic import ValidationError

from plugins.web_form.kinds import READY
from plugins.web_form.settings import WebFormSettings

FORM = {"name": "Олена Коваль", "phone": "0501234567", "message": "Чи є чоботи?\nРозмір 42"}


def test_five_kinds_are_ready_in_both_languages():
    assert set(READY) == {"message", "callback", "question", "order", "presentation"}
    for kind in READY.values():
        for texts in (kind.title, kind.confirmation, kind.message_label):
            assert max(texts["uk"]) >= "А"
            assert texts["en"].isascii()
    confirmations = {kind.confirmation[language] for kind in READY.values() for language in ("uk", "en")}
    assert len(confirmations) == 10


@pytest.mark.parametrize(
    ("kind", "title", "reaction_s"),
    [
        ("message", "", None),
        ("callback", "Передзвонити: Олена Коваль", 600),
        ("question", "Запитання: Чи є чоботи?", None),
        ("order", "Замовлення: Олена Коваль", 900),
        ("presentation", "Презентація: Олена Коваль", 3600),
        ("no-such-kind", "", None),
    ],
)
def test_title_and_limit_of_each_kind(channel, delivery, kind, title, reaction_s):
    by_address = channel.parse(delivery(FORM, query={"kind": kind})).events[0]
    by_field = channel.parse(delivery({**FORM, "_kind": kind})).events[0]
    for event in (by_address, by_field):
        assert (event.task_title, event.reaction_s) == (title, reaction_s)
        assert event.fields == {}
        assert event.source == ({"kind": kind} if kind in READY and kind != "message" else {})


def test_a_kind_of_ones_own_and_a_changed_one(make_channel, delivery):
    channel = make_channel(
        kind="wholesale",
        task_language="en",
        kinds={
            "wholesale": {
                "title": "Опт",
                "task_title": "Wholesale: {who}",
                "reaction_minutes": 5,
                "inputs": ["phone*"],
            },
            "callback": {"reaction_minutes": 0},
        },
    )
    event = channel.parse(delivery(FORM)).events[0]
    assert (event.task_title, event.reaction_s) == ("Wholesale: Олена Коваль", 300)
    page = channel.page("/form", {}, "uk").body.decode()
    assert "<h1>Опт</h1>" in page
    assert 'name="phone"' in page
    assert 'name="name"' not in page
    assert channel.parse(delivery(FORM, query={"kind": "callback"})).events[0].reaction_s is None


def test_who_asks_without_a_name_is_called_by_his_number(channel, delivery):
    event = channel.parse(delivery({"phone": "0501234567"}, query={"kind": "callback"})).events[0]
    assert event.task_title == "Передзвонити: 0501234567"


def test_a_title_takes_braces_of_customers_as_they_are(channel, delivery):
    event = channel.parse(delivery({**FORM, "name": "{who}{0.__class__}"}, query={"kind": "order"})).events[0]
    assert event.task_title == "Замовлення: {who}{0.__class__}"


@pytest.mark.parametrize("language", ["uk", "en"])
@pytest.mark.parametrize("kind", sorted(READY))
def test_each_kind_has_its_page_and_its_confirmation(channel, kind, language):
    query = {"kind": kind, "lang": language}
    page = channel.page("/form", query, "").body.decode()
    assert f"<h1>{READY[kind].title[language]}</h1>" in page
    assert f'action="/in/shop?lang={language}&amp;kind={kind}"' in page
    thanks = channel.page("/thanks", query, "").body.decode()
    assert READY[kind].confirmation[language].replace("'", "&#x27;") in thanks


def test_the_accounts_own_texts_hold_unless_a_kind_has_its_own(make_channel):
    channel = make_channel(
        thank_you="Чекайте дзвінка", title="Крамниця", kinds={"order": {"confirmation": {"uk": "Записали"}}}
    )
    shown = {
        kind: channel.page("/thanks", {"kind": kind}, "uk").body.decode() for kind in ("message", "order")
    }
    assert "Чекайте дзвінка" in shown["message"]
    assert "Записали" in shown["order"]
    assert "<h1>Крамниця</h1>" in channel.page("/form", {}, "uk").body.decode()
    assert "<h1>Зробити замовлення</h1>" in channel.page("/form", {"kind": "order"}, "uk").body.decode()


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "nothing"},
        {"kind": "A b"},
        {"kinds": {"A b": {}}},
        {"kinds": {"order": {"inputs": []}}},
        {"kinds": {"order": {"inputs": ["cvv"]}}},
        {"kinds": {"order": {"reaction_minutes": -1}}},
        {"kinds": {"order": {"confirmation": "javascript:alert(1)"}}},
        {"kinds": {"order": {"unknown": 1}}},
        {"secret": "short"},
        {"old_secret": "a-secret-without-a-new-one"},
        {"turnstile_site_key": "1x0000"},
        {"turnstile_secret": "1x0000000"},
        {"turnstile_down": "open"},
        {"allowed_origins": ["shop.example"]},
        {"allowed_origins": ["https://shop.example/"]},
        {"allowed_origins": ["https://shop.example/path"]},
        {"allowed_origins": ["https://*.shop.example"]},
        {"allowed_origins": ["*"]},
        {"allowed_origins": ["null"]},
        {"file_types": ["program"]},
        {"max_files": 21},
    ],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValidationError):
        WebFormSettings.model_validate(wrong)
