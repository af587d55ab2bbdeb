"""What closing a request needs, and when a repeated text is the same request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.kernel.clock import MINUTE, Instant
from hub.kernel.errors import InputRejected
from hub.requests.model import Closing, Outcome, check_closing, says_again, subject_of


@pytest.mark.parametrize("outcome", [Outcome.DEAD, Outcome.UNREACHABLE])
@pytest.mark.parametrize(
    ("given_", "missing"),
    [
        ({}, ["reason", "asked.product"]),
        ({"reason": "дорого"}, ["asked.product"]),
        ({"product": "плитка"}, ["reason"]),
        ({"reason": "дорого", "product": "плитка"}, []),
    ],
)
def test_where_nothing_was_sold_reason_and_product_are_needed(outcome, given_, missing):
    closing = Closing(outcome=outcome, **given_)
    if not missing:
        check_closing(closing)
        return
    with pytest.raises(InputRejected) as refused:
        check_closing(closing)
    assert [p.path for p in refused.value.problems] == missing


@pytest.mark.parametrize("outcome", [Outcome.ORDER, Outcome.ANSWERED, Outcome.SPAM, Outcome.DUPLICATE])
def test_other_outcomes_need_nothing(outcome):
    check_closing(Closing(outcome=outcome))


@given(st.text(max_size=50), st.text(max_size=400))
def test_a_subject_is_one_bounded_line(subject, body):
    made = subject_of(subject, body)
    assert "\n" not in made
    assert len(made) <= 300


@pytest.mark.parametrize(
    ("passed", "same", "again"),
    [(0, True, True), (10 * MINUTE, True, True), (10 * MINUTE + 1, True, False), (0, False, False)],
)
def test_the_same_text_joins_for_ten_minutes(passed, same, again):
    assert says_again("a", "a" if same else "b", Instant(0), Instant(passed)) is again
