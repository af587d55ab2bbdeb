"""Back-off and what is repeated after a crash."""

from hypothesis import given
from hypothesis import strategies as st

from hub.kernel.clock import HOUR, SECOND, Instant
from hub.outbox.model import MAX_ATTEMPTS, backoff, next_try, repeats_after_crash
from hub.sdk.messages import Later


@given(st.integers(0, 100), st.floats(0, 1))
def test_the_back_off_doubles_up_to_an_hour_with_jitter(attempts, jitter):
    assert backoff(attempts, 0.5) == min(HOUR, 5 * SECOND * 2**attempts)
    assert 0.85 * backoff(attempts, 0.5) - 1 <= backoff(attempts, jitter) <= 1.15 * backoff(attempts, 0.5) + 1


@given(st.floats(0, 10**6), st.integers(0, MAX_ATTEMPTS), st.floats(0, 1))
def test_a_told_wait_is_kept_up_to_a_day(seconds, attempts, jitter):
    at = next_try(Later(seconds), attempts, Instant(0), jitter)
    assert at <= 24 * HOUR
    assert at >= min(round(seconds * SECOND), 24 * HOUR)
    if seconds == 0:
        assert at <= HOUR


def test_only_replies_to_customers_are_never_repeated_by_themselves():
    assert repeats_after_crash("notice")
    assert repeats_after_crash("webhook")
    assert not repeats_after_crash("reply")
