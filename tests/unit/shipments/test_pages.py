"""The carrier's own page of a parcel: an address that is data of a plugin, and a number that somebody typed."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.shipments.pages import MAX_ADDRESS, page_of, pages
from tests.unit.shipments.post import Scripted

HERE = "https://carrier.example/track?number={number}"


@pytest.mark.parametrize(
    ("template", "number", "page"),
    [
        (HERE, "20450000000001", "https://carrier.example/track?number=20450000000001"),
        (HERE, 'a"b&c=d/../#', "https://carrier.example/track?number=a%22b%26c%3Dd%2F..%2F%23"),
        ("https://carrier.example/", "1", "https://carrier.example/"),
        ("", "1", ""),
        ("javascript:alert({number})", "1", ""),
        ("https://{number}/", "evil.example", ""),
        ("https://carrier.example@{number}/", "evil.example", ""),
        ("https://user@carrier.example/{number}", "1", ""),
        ("https://carrier.example/ {number}", "1", ""),
        ("//carrier.example/{number}", "1", ""),
        ("https://[::1", "1", ""),
        ("https://carrier.example/" + "x" * MAX_ADDRESS, "1", ""),
        (None, "1", ""),
    ],
)
def test_only_an_address_of_the_carrier_becomes_a_link(template, number, page):
    assert page_of(template, number) == page


@given(st.text(max_size=40))
def test_no_number_leads_to_another_host_or_path(number):
    parts = urlsplit(page_of(HERE, number))
    assert (parts.scheme, parts.netloc, parts.path, parts.fragment) == (
        "https",
        "carrier.example",
        "/track",
        "",
    )


def test_accounts_whose_carrier_names_no_page_have_none():
    assert pages({"a": Scripted()}) == {}
