"""Logins out of names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.staff.model import LOGIN, login_from


@pytest.mark.parametrize(
    ("name", "login"),
    [
        ("Олена Коваль", "olena.koval"),
        ("Щербак Юлія", "shcherbak.iuliia"),
        ("Мар'яна Жаб’юк", "mariana.zhabiuk"),
        ("Марʼяна", "mariana"),
        ("Ґудзь Їжак", "gudz.izhak"),
        ("Єва-Надія Цюпа", "ieva.nadiia.tsiupa"),
        ("Андрій", "andrii"),
        ("Müller", "muller"),
        ("Zoë O'Neil", "zoe.oneil"),
        ("Іван 2-й", "ivan.2.i"),
        ("李明", "user"),
        ("", "user"),
        ("---", "user"),
    ],
)
def test_names_become_logins(name, login):
    assert login_from(name) == login


@given(st.text(max_size=100))
def test_any_name_gives_a_login(name):
    assert LOGIN.fullmatch(login_from(name))


def test_a_name_in_decomposed_letters_gives_the_same_login():
    import unicodedata

    for name in ("Андрій Йосипенко", "Їжак Ґудзь", "Олена Коваль"):
        assert login_from(unicodedata.normalize("NFD", name)) == login_from(name)
