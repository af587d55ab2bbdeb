"""Secrets: random, hashed, compared in constant time."""

from hypothesis import given
from hypothesis import strategies as st

from hub.access.secrets import check_password, hash_password, new_token, same, token_hash


def test_tokens_are_long_random_and_say_what_they_are():
    made = {new_token("hub_") for _ in range(100)}
    assert len(made) == 100
    assert all(t.startswith("hub_") and len(t) >= 40 for t in made)


@given(st.text(alphabet=st.characters(), max_size=30), st.text(alphabet=st.characters(), max_size=30))
def test_comparison_and_hash_take_any_text(left, right):
    assert same(left, right) is (left == right)
    assert (token_hash(left) == token_hash(right)) is (left == right)


def test_a_password_fits_itself_only():
    stored = hash_password("правильний пароль")
    assert stored.startswith("$argon2id$")
    assert check_password(stored, "правильний пароль")
    assert not check_password(stored, "правильний парол")


def test_nobody_and_nonsense_fit_no_password():
    assert not check_password(None, "x")
    assert not check_password("$argon2id$broken", "x")
    assert not check_password("", "")
