"""Text from outside becomes storable, once: nothing is refused, nothing changes the second time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.kernel.text import (
    REPLACEMENT,
    clean,
    fits_int63,
    one_line,
    same_text_key,
    sha256_hex,
    text_digest,
)

# Everything that JSON can carry, lone surrogates and NUL too; white space often.
anything = st.text(
    alphabet=st.one_of(st.characters(), st.sampled_from(" \n\r\t\x00\x1f\x85\xa0\u2028\ud800\udfff\u200b")),
    max_size=80,
)
limits = st.integers(1, 40)


@given(anything, limits)
def test_cleaned_text_is_storable_and_bounded(text, limit):
    for made in (clean(text, limit), one_line(text, limit)):
        assert len(made) <= limit
        assert "\x00" not in made
        assert "\r" not in made
        made.encode("utf-8")


@given(anything, limits)
def test_cleaning_twice_changes_nothing(text, limit):
    assert clean(clean(text, limit), limit) == clean(text, limit)
    assert one_line(one_line(text, limit), limit) == one_line(text, limit)


def test_a_cut_before_a_space_leaves_no_space_at_the_end():
    assert clean("aaaa bbbb", 5) == "aaaa"


@given(anything, limits)
def test_one_line_has_single_spaces_only(text, limit):
    made = one_line(text, limit)
    assert made == " ".join(made.split())


def test_ordinary_text_stays_as_it_is():
    text = "Добрий день!\nЦікавить ціна на «Ґудзик» — 2 шт. 👍🏽 za\u0301"
    assert clean(text, 200) == text


def test_unstorable_characters_leave_a_mark_where_they_stood():
    assert clean("a\x00b\ud800c", 10) == f"a{REPLACEMENT}b{REPLACEMENT}c"


def test_line_ends_become_one_kind():
    assert clean("a\r\nb\rc\nd", 20) == "a\nb\nc\nd"


@pytest.mark.parametrize(
    ("value", "fits"), [(2**63 - 1, True), (2**63, False), (-(2**63), True), (-(2**63) - 1, False)]
)
def test_integers_fit_a_signed_column_or_not(value, fits):
    assert fits_int63(value) is fits


def test_digests_frame_their_parts():
    assert sha256_hex(b"ab", b"c") != sha256_hex(b"a", b"bc")
    assert sha256_hex(b"") != sha256_hex()
    assert text_digest(("ab", "c")) != text_digest(("a", "bc"))


@given(anything)
def test_any_text_has_a_digest(text):
    assert len(text_digest((text,))) == 64


def test_case_and_white_space_do_not_make_another_text():
    assert same_text_key("Скільки  коштує?\n") == same_text_key(" скільки коштує?")
    assert same_text_key("Скільки коштує?") != same_text_key("Скільки коштує")
