"""E-mail addresses as identities."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.kernel.email import parse_email
from hub.kernel.text import clean


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("a@b.ua", "a@b.ua"),
        ("  Olena.Koval+shop@Example.COM ", "olena.koval+shop@example.com"),
        ("поштар@пошта.укр", "поштар@пошта.укр"),
        ("o'neil@example.co.uk", "o'neil@example.co.uk"),
    ],
)
def test_addresses_are_read_in_lower_case(text, address):
    assert parse_email(text) == address


@pytest.mark.parametrize(
    "text",
    ["", "a", "@b.ua", "a@", "a@b", "a@@b.ua", "a b@c.ua", "a@b..ua", "a@.ua", "a@b.ua.", "<a@b.ua>", "a,b@c.ua",
     "x" * 65 + "@b.ua", "a@" + "b" * 250 + ".ua", "a\x00b@c.ua", "a\ud800@b.ua", "a@b.u\x7fa"],
)  # fmt: skip
def test_what_is_no_address_is_none(text):
    assert parse_email(text) is None


parts = st.text(alphabet=st.one_of(st.characters(), st.sampled_from("aZ1.@-İßſ")), max_size=12)


@given(st.tuples(parts, parts, parts).map(lambda p: f"{p[0]}@{p[1]}.{p[2]}") | st.text(max_size=40))
def test_an_address_is_storable_and_reading_it_again_changes_nothing(text):
    address = parse_email(text)
    if address is not None:
        assert parse_email(address) == address
        assert clean(address, 320) == address


def test_a_hostile_address_is_answered_at_once():
    assert parse_email("a@" + "b." * 5_000 + "@") is None
