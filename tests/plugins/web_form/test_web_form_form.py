"""form.py: bytes -> fields in their order."""

from urllib.parse import quote_from_bytes, urlencode

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.sdk import DeliveryRejected
from plugins.web_form.form import KEY, MAX_FIELDS, URLENCODED, Form, read_form

JSON = "application/json"


def pairs(body: bytes, media_type: str = URLENCODED) -> list[tuple[str, str]]:
    return read_form(body, media_type).pairs


def refusal(body: bytes, media_type: str = JSON) -> DeliveryRejected:
    with pytest.raises(DeliveryRejected) as caught:
        read_form(body, media_type)
    return caught.value


def test_flat_json_keeps_its_order():
    assert pairs(b'{"b":"1","a":"2","c":"3"}', JSON) == [("b", "1"), ("a", "2"), ("c", "3")]


def test_nested_json_becomes_paths_and_lists_become_texts():
    body = {
        "response": {"payload": {"Телефон": "050", "Що?": ["a", "b", 3, None]}},
        "x": [{"y": 1}, {"y": True}],
    }
    assert pairs(orjson.dumps(body), JSON) == [
        ("response.payload.Телефон", "050"),
        ("response.payload.Що?", "a, b, 3"),
        ("x.0.y", "1"),
        ("x.1.y", "true"),
    ]


def test_null_is_no_field_and_numbers_keep_their_digits():
    assert pairs(b'{"a":null,"phone":380501234567,"p":3.80501234567e11,"q":1.5}', JSON) == [
        ("phone", "380501234567"),
        ("p", "380501234567"),
        ("q", "1.5"),
    ]


def test_urlencoded_keys_with_brackets_become_paths():
    assert pairs(b"a[b][c]=1&d[]=2&d[]=3&e%5Bf%5D=4") == [
        ("a.b.c", "1"),
        ("d", "2"),
        ("d", "3"),
        ("e.f", "4"),
    ]


def test_brackets_of_a_human_label_stay():
    assert pairs(urlencode({"Вага [кг]": "2"}).encode()) == [("Вага [кг]", "2")]


def test_plus_and_percent_are_decoded_once():
    assert pairs(b"a+b=c%2Bd+e%2520") == [("a b", "c+d e%20")]


def test_old_sites_in_windows_1251_are_read():
    body = b"name=" + quote_from_bytes("Їжак Ґалаґан".encode("cp1251")).encode()
    assert pairs(body) == [("name", "Їжак Ґалаґан")]


def test_utf8_cut_inside_a_character_is_not_taken_for_windows_1251():
    assert pairs(b"name=" + quote_from_bytes("Іван".encode()[:-1]).encode()) == [("name", "Іва")]


def test_json_under_the_media_type_of_forms_is_read():
    """`curl -d '{...}'` and PHP say urlencoded whatever they send."""
    assert pairs(b'{"name":"Ivan"}') == [("name", "Ivan")]
    assert pairs(b"{weird=1") == [("{weird", "1")]


def test_json_with_a_byte_order_mark_is_read():
    assert pairs(b'\xef\xbb\xbf{"name":"Ivan"}', JSON) == [("name", "Ivan")]


def test_text_cut_inside_an_emoji_is_kept():
    assert pairs(b'{"message":"ok \\ud83d"}', JSON) == [("message", "ok \ud83d")]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"a":NaN}',
        b'{"a":"\\ud83d","b":NaN}',
        b"\xff",
        b"[]",
        b"null",
        b'"text"',
        b"",
        b"  ",
        b"[" * 9_000,
        b'{"a":"\\ud83d","b":' + b"[" * 40_000,
    ],
)
def test_unreadable_json_is_refused_with_400(body):
    assert (refusal(body).reason, refusal(body).status) == ("unreadable", 400)


def test_empty_form_is_refused_with_400():
    assert refusal(b"", URLENCODED).status == 400


@pytest.mark.parametrize("media_type", ["", "text/html", "application/xml", "multipart/mixed"])
def test_other_media_types_are_refused_with_415(media_type):
    assert (refusal(b"a=1", media_type).reason, refusal(b"a=1", media_type).status) == ("media_type", 415)


def test_too_many_fields_are_refused_with_422():
    assert len(pairs(b"&".join(b"k%d=v" % n for n in range(MAX_FIELDS)))) == MAX_FIELDS
    for body, media_type in [
        (b"&".join(b"k%d=v" % n for n in range(MAX_FIELDS + 1)), URLENCODED),
        (orjson.dumps({f"k{n}": "v" for n in range(MAX_FIELDS + 1)}), JSON),
        (orjson.dumps({"a": {f"k{n}": "v" for n in range(MAX_FIELDS + 1)}}), JSON),
        (orjson.dumps({"a": [0] * 5_000}), JSON),
        (orjson.dumps({"a": [[]] * 60_000}), JSON),
    ]:
        assert (refusal(body, media_type).reason, refusal(body, media_type).status) == ("fields", 422)


def test_deep_nesting_is_refused_with_400():
    assert refusal(b'{"a":' * 40 + b"1" + b"}" * 40).status == 400


def test_keys_are_bounded_before_they_are_joined():
    body = orjson.dumps({"k" * 200_000: {"a": {"b" * 1_000: "v"}}})
    ((path, value),) = pairs(body, JSON)
    assert len(path) <= 3 * (KEY + 1)
    assert value == "v"


def test_elementors_advanced_data_becomes_titles_with_hints():
    body = urlencode(
        {
            "form[id]": "f1",
            "fields[field_1][id]": "field_1",
            "fields[field_1][type]": "tel",
            "fields[field_1][title]": "Куди дзвонити",
            "fields[field_1][value]": "0500000000",
            "meta[page_url][title]": "Page URL",
            "meta[page_url][value]": "https://shop.example/",
            "meta[remote_ip][title]": "Remote IP",
            "meta[remote_ip][value]": "192.0.2.9",
        }
    ).encode()
    assert read_form(body, URLENCODED) == Form(
        [("form.id", "f1"), ("Куди дзвонити", "0500000000"), ("page_url", "https://shop.example/")],
        {"Куди дзвонити": ("field_1", "tel")},
    )


KEYS = st.text("абвіїєabc1_- '", min_size=1, max_size=20)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)


@given(st.dictionaries(KEYS, TEXTS, min_size=1, max_size=20))
def test_what_was_encoded_comes_back(fields):
    expected = list(fields.items())
    assert pairs(urlencode(fields).encode()) == expected
    assert pairs(orjson.dumps(fields), JSON) == expected


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=30,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=8))
def test_any_json_object_gives_texts(document):
    for pair in pairs(orjson.dumps(document), JSON):
        assert [type(part) for part in pair] == [str, str]
