"""fields.py and synonyms.py: what a field means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.web_form.fields import CACHE, Keys, Kind, Sorted, add_source_of_page, sort_fields
from plugins.web_form.form import Form
from plugins.web_form.synonyms import normalised


def sort(*pairs: tuple[str, str], extra: dict[str, str] | None = None, region: str = "UA") -> Sorted:
    return sort_fields(Form(list(pairs), {}), Keys(extra or {}, "website"), region)


def role(key: str) -> str:
    kind, name, _ = Keys({}, "website").meaning(key)
    return name if kind is Kind.ROLE else ""


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (
            "name Name NAME your-name Ім'я Ім’я ІмʼЯ ім`я имя ФИО ПІБ full_name Ваше_ім'я* Name_2",
            "name",
        ),
        (
            "phone tel Телефон Ваш_телефон* tel-123 Phone_2 Номер_телефону мобильный billing_phone",
            "phone",
        ),
        ("email E-mail e_mail Email* your-email Електронна_пошта почта e-mail-адреса Имейл", "email"),
        (
            "message Comments comment Коментар Комментарий Повідомлення your-message textarea Питання вопрос",
            "message",
        ),
        ("company organisation Організація Назва_компанії фирма your-company", "organisation"),
        ("subject Тема your-subject", "subject"),
        ("city Місто кількість form.x payment.name product.name order.email", ""),
    ],
)
def test_synonyms_in_three_languages(keys, expected):
    for key in keys.split():
        assert role(key) == expected, key


@pytest.mark.parametrize("apostrophe", "'’ʼ`´ʹ‘＇′")
def test_every_apostrophe_is_the_same(apostrophe):
    assert normalised(f"Ім{apostrophe}я") == "імя"


def test_latin_letters_inside_cyrillic_words_are_understood():
    assert role("Iм'я") == "name"
    assert role("Koментар") == ""  # K has no small Latin twin: not guessed
    assert role("Teлефон".replace("T", "Т")) == "phone"


@given(st.text(max_size=40))
def test_normalising_twice_changes_nothing(key):
    assert normalised(normalised(key)) == normalised(key)


def test_the_accounts_own_names_win():
    result = sort(("Кого питати", "Іван"), ("message", "m"), ("secret", "s"), extra={"кого  ПИТАТИ?": "name"})
    assert result.found == {"name": "Іван", "message": "m"}
    assert sort(("name", "x"), ("secret", "s"), extra={"Secret": "ignore"}).fields == {}
    assert sort(("name", "x"), ("phone", "p"), extra={"name": "message"}).found == {
        "message": "x",
        "phone": "p",
    }


def test_names_in_parts_are_joined():
    assert sort(("Прізвище", "Тестенко"), ("Ім'я", "Іван")).found == {"name": "Іван Тестенко"}
    assert sort(("last_name", "T"), ("first_name", "I"), ("middle_name", "M")).found == {"name": "I M T"}


def test_a_full_name_beside_its_parts_loses_nothing():
    result = sort(("first_name", "I"), ("last_name", "T"), ("name", "I T"))
    assert result.found == {"name": "I T"}
    assert result.fields == {"first_name": "I", "last_name": "T"}


def test_a_phone_that_is_none_stays_visible():
    result = sort(("phone", "дзвоніть сусідці"), ("city", "Львів"))
    assert result.found == {"phone": "дзвоніть сусідці"}
    assert result.fields == {"phone": "дзвоніть сусідці", "city": "Львів"}


def test_a_real_phone_is_preferred_and_the_other_one_stays_visible():
    result = sort(("phone", "-"), ("Телефон", "0501234567"), ("tel", "0671234567"))
    assert result.found == {"phone": "0501234567"}
    assert result.fields == {"phone": "-", "tel": "0671234567"}


def test_national_numbers_of_another_region_are_telephones_there():
    assert "phone" not in sort(("phone", "512 345 678"), region="PL").fields
    assert "phone" in sort(("phone", "12"), region="PL").fields


def test_repeated_labels_keep_all_values_in_order():
    assert sort(("option", "a"), ("size", "S"), ("option", "b")).fields == {"option": "a, b", "size": "S"}


def test_blank_fields_do_not_count():
    result = sort(("name", "  "), ("phone", ""), ("city", "\t"), ("utm_source", ""), ("website", " "))
    assert result == Sorted()


def test_boxes_are_no_part_of_a_label():
    result = sort(("response.payload.Що цікавить? Вкажіть.", "a"), ("data.city", "b"), ("customer.city", "c"))
    assert list(result.fields) == ["Що цікавить? Вкажіть.", "city", "customer.city"]


def test_unknown_boxes_are_opened_only_if_no_contact_was_found():
    assert sort(("anketa.phone", "0501234567")).found == {"phone": "0501234567"}
    assert sort(("anketa.phone", "0501234567"), ("name", "I")).fields == {"anketa.phone": "0501234567"}
    assert sort(("products.0.name", "Чашка"), ("form.name", "Cart")).found == {}


def test_where_from_is_kept_as_it_came():
    result = sort(
        ("utm_source", "google"),
        ("utm_source", "facebook"),
        ("UTM_Campaign", "{campaign}"),
        ("gclid", "g1"),
        ("utm.medium", "cpc"),
        ("referer", "https://r.example"),
        ("formid", "f1"),
        ("formname", "Cart"),
    )
    assert result.source == {
        "utm_source": "google, facebook",
        "utm_campaign": "{campaign}",
        "gclid": "g1",
        "utm_medium": "cpc",
        "referrer": "https://r.example",
        "form_id": "f1",
        "form": "Cart",
    }
    assert result.fields == {}


def test_the_body_wins_over_the_address_of_the_page():
    source = {
        "utm_source": "body",
        "page": "https://shop.example/?utm_source=page&utm_medium=page&x=1#utm_term=no",
    }
    add_source_of_page(
        source, {"utm_medium": "query", "gclid": "query", "lang": "uk"}, "https://referer.example"
    )
    assert source["utm_source"] == "body"
    assert source["utm_medium"] == "page"
    assert source["gclid"] == "query"
    assert not {"x", "lang", "utm_term"} & set(source)


def test_the_referer_names_the_page_where_the_body_does_not():
    source: dict[str, str] = {}
    add_source_of_page(source, {}, "https://shop.example/?utm_source=google")
    assert source == {"page": "https://shop.example/?utm_source=google", "utm_source": "google"}


@given(st.text(max_size=80))
def test_any_page_address_is_survived(address):
    add_source_of_page({"page": address}, {}, "")
    add_source_of_page({"page": "http://[?" + address}, {address: address}, address)


def test_cookies_and_technical_fields_are_left_out():
    assert sort(("cookies", "a=b"), ("_wpcf7_unit_tag", "x"), ("g-recaptcha-response", "y")) == Sorted()
    tilda = sort(("COOKIES", "a=b"), ("COOKIES", "c=d"))
    assert (tilda.fields, tilda.source) == ({}, {})


def test_memory_for_keys_is_bounded():
    keys = Keys({}, "website")
    for number in range(3 * CACHE):
        keys.meaning(f"key{number}")
    assert len(keys._cache) <= CACHE
    assert keys.meaning("phone")[1] == "phone"
