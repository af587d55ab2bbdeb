"""answer.py: what the sender gets."""

import orjson
import pytest

from hub.sdk import Outcome, OutcomeKind

ACCEPTED = Outcome(kind=OutcomeKind.ACCEPTED, request_id="123456789012345678")
PENDING = Outcome(kind=OutcomeKind.PENDING)
NOTED = Outcome(kind=OutcomeKind.NOTED)
BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
FORM = b"name=Ivan"


@pytest.mark.parametrize(
    ("outcome", "status", "body"),
    [(ACCEPTED, 201, {"request_id": "123456789012345678"}), (PENDING, 202, {}), (NOTED, 200, {})],
)
def test_scripts_get_json(channel, delivery, outcome, status, body):
    for raw in (delivery({"name": "I"}), delivery(FORM), delivery({"name": "I"}, headers=BROWSER)):
        answer = channel.answer(outcome, raw)
        assert (answer.status, orjson.loads(answer.body), answer.media_type) == (
            status,
            body,
            "application/json",
        )


@pytest.mark.parametrize("outcome", [ACCEPTED, PENDING, NOTED])
def test_browsers_are_sent_to_the_thank_you_page_spam_too(channel, delivery, outcome):
    answer = channel.answer(outcome, delivery(FORM, headers=BROWSER))
    assert (answer.status, answer.body, answer.headers) == (303, b"", {"Location": "/in/shop/thanks"})


def test_the_language_goes_along(channel, delivery):
    answer = channel.answer(ACCEPTED, delivery(FORM, headers=BROWSER, query={"lang": "en"}))
    assert answer.headers["Location"] == "/in/shop/thanks?lang=en"
    answer = channel.answer(ACCEPTED, delivery(FORM, headers=BROWSER, query={"lang": "//evil.example"}))
    assert answer.headers["Location"] == "/in/shop/thanks"


def test_an_own_address_is_where_browsers_go(make_channel, delivery):
    channel = make_channel(thank_you={"uk": "https://shop.example/дякуємо?x=1#y", "en": "/thanks.html"})
    raw = delivery(FORM, headers=BROWSER)
    expected = "https://shop.example/%D0%B4%D1%8F%D0%BA%D1%83%D1%94%D0%BC%D0%BE?x=1#y"
    assert channel.answer(ACCEPTED, raw).headers["Location"] == expected
    english = delivery(FORM, headers=BROWSER, query={"lang": "en"})
    assert channel.answer(ACCEPTED, english).headers["Location"] == "/thanks.html"


def test_a_text_is_no_address(make_channel, delivery):
    channel = make_channel(thank_you="Дякуємо! Чекайте дзвінка.")
    assert channel.answer(ACCEPTED, delivery(FORM, headers=BROWSER)).headers["Location"] == "/in/shop/thanks"
