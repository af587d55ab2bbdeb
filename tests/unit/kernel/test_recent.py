"""The largest value of the last minute or two."""

from hub.kernel.recent import WINDOW_S, RecentMax


def test_it_is_told_in_its_window_and_the_next_and_then_forgotten():
    recent = RecentMax()
    assert recent.read(1_000.0) == 0
    recent.note(3.0, 1_000.0)
    recent.note(1.0, 1_001.0)
    assert recent.read(1_001.0) == 3.0
    assert recent.read(1_001.0 + WINDOW_S) == 3.0
    assert recent.read(1_001.0 + 2 * WINDOW_S) == 0


def test_a_new_window_keeps_the_one_before_only():
    recent = RecentMax()
    recent.note(9.0, 0.0)
    recent.note(2.0, WINDOW_S)
    assert recent.read(WINDOW_S) == 9.0
    recent.note(1.0, 2 * WINDOW_S)
    assert recent.read(2 * WINDOW_S) == 2.0
    recent.note(0.5, 9 * WINDOW_S)
    assert recent.read(9 * WINDOW_S) == 0.5
