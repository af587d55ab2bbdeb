"""Ids: ascending whatever the clock does, apart by node, within 63 bits."""

import itertools
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.kernel.clock import DAY, Instant, ManualClock
from hub.kernel.ids import EPOCH_2025, MAX_ID, NODES, IdSource, issued_at, parse_id

NOW = Instant(EPOCH_2025 + 400 * DAY)
END_OF_41_BITS = Instant(EPOCH_2025 + (1 << 41) - 1)

moves = st.lists(st.tuples(st.integers(-100_000, 100_000), st.integers(1, 5_000)), min_size=1, max_size=20)


@given(node=st.integers(0, NODES - 1), moves=moves)
def test_ids_ascend_strictly_even_when_the_clock_steps_back(node, moves):
    clock = ManualClock(NOW)
    source = IdSource(node, clock.now)
    made = []
    for step, count in moves:
        clock.move(step)
        made += source.take(count)
    assert all(a < b for a, b in itertools.pairwise(made))
    assert {i >> 12 & (NODES - 1) for i in made} == {node}


@given(left=st.integers(0, NODES - 1), right=st.integers(0, NODES - 1), moves=moves)
def test_two_nodes_never_make_the_same_id(left, right, moves):
    if left == right:
        return
    clock = ManualClock(NOW)
    sources = IdSource(left, clock.now), IdSource(right, clock.now)
    made: list[set[int]] = [set(), set()]
    for step, count in moves:
        clock.move(step)
        for source, ids in zip(sources, made, strict=True):
            ids.update(source.take(count))
    assert not made[0] & made[1]


def test_threads_share_a_source_without_doubles_and_each_sees_its_own_ascend():
    source = IdSource(7, ManualClock(NOW).now)
    seen: list[list[int]] = []
    barrier = threading.Barrier(8)

    def take():
        barrier.wait()
        seen.append([source.next() for _ in range(2_000)])

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(ids == sorted(ids) for ids in seen)
    assert len({i for ids in seen for i in ids}) == 16_000


def test_ids_fit_into_63_bits_until_the_41_bits_of_time_are_over():
    source = IdSource(NODES - 1, lambda: END_OF_41_BITS)
    assert 0 < max(source.take(4096)) <= MAX_ID


@pytest.mark.parametrize("node", [-1, NODES])
def test_a_node_number_outside_of_ten_bits_is_refused(node):
    with pytest.raises(ValueError, match="node number"):
        IdSource(node, lambda: NOW)


def test_an_id_tells_when_it_was_made():
    source = IdSource(5, lambda: NOW)
    assert issued_at(source.next()) == NOW


def test_4096_ids_fit_into_one_millisecond_and_the_next_one_borrows_from_the_next():
    source = IdSource(0, lambda: NOW)
    made = source.take(4097)
    assert {issued_at(i) for i in made[:4096]} == {NOW} or issued_at(made[0]) == NOW
    assert issued_at(made[-1]) == NOW + 1
    assert source.reached() == NOW + 1


def test_a_new_holder_of_a_node_begins_after_the_last_one():
    ahead = Instant(NOW + 60_000)
    first = IdSource(3, lambda: ahead)
    last = first.take(10)[-1]
    second = IdSource(3, lambda: NOW, not_before=first.reached() + 1)
    assert second.next() > last


@given(st.integers(0, MAX_ID))
def test_an_id_survives_being_written_and_read(value):
    assert parse_id(str(value)) == value


@pytest.mark.parametrize("text", ["", "-1", "+1", " 1", "1.0", "²", "٣", "0x1", str(MAX_ID + 1), "9" * 20])
def test_what_is_no_id_is_refused(text):
    with pytest.raises(ValueError, match="string of digits"):
        parse_id(text)
