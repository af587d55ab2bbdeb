"""The state of a parcel is a function of the set of its observations."""

import itertools
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.kernel.clock import DAY, Instant, instant
from hub.sdk.tracking import (
    FINAL,
    RANK,
    Facts,
    MoneyStatus,
    Observation,
    RelatedNumber,
    RelationKind,
    Status,
)
from hub.shipments.model import (
    MONEY_GUARD,
    Seen,
    dumps,
    is_final,
    merge,
    money_of,
    pack,
    related_of,
    seen_of,
    unite,
    with_children,
)

S, M = Status, MoneyStatus
START = datetime(2026, 3, 2, 10, tzinfo=UTC)
NOW = instant(START + timedelta(days=30))


def at(minutes):
    return START + timedelta(minutes=minutes)


def told(status, minutes=None, code="", **facts):
    """An observation with its status clock in minutes after the start."""
    return Observation(
        status=status,
        raw_code=code or status.value,
        raw_text=status.value,
        clock=at(minutes) if minutes is not None else None,
        facts=Facts(**facts),
    )


def merged(*observations, cod=False, polled=0):
    """Each observation seen one poll after the one before."""
    seen = [seen_of(o, Instant(NOW + n * 60_000 + polled)) for n, o in enumerate(observations)]
    return merge(unite([], seen).values(), cod=cod)


# --- any order, any repetition ------------------------------------------------------------------------

few_minutes = st.none() | st.integers(0, 5)
facts = st.builds(
    Facts,
    money=st.none() | st.sampled_from(M),
    cod_expected=st.none() | st.integers(0, 3),
    cod_collected=st.none() | st.integers(0, 3),
    city_to=st.none() | st.sampled_from(["Львів", "Одеса"]),
    hidden=st.none() | st.booleans(),
    estimated_at=st.none() | st.integers(0, 3).map(at),
    return_date=st.none() | st.just(date(2026, 3, 9)),
    related=st.lists(
        st.builds(RelatedNumber, number=st.sampled_from(["1", "2"]), kind=st.sampled_from(RelationKind)),
        max_size=2,
    ).map(tuple),
)
observations = st.builds(
    Observation,
    status=st.sampled_from(S),
    raw_code=st.sampled_from(["1", "7", "9"]),
    raw_text=st.sampled_from(["", "прибув"]),
    clock=few_minutes.map(lambda m: None if m is None else at(m)),
    happened_at=few_minutes.map(lambda m: None if m is None else at(m)),
    place=st.sampled_from(["", "Львів"]),
    facts=facts,
)
polls = st.lists(st.tuples(observations, st.integers(0, 4)), min_size=1, max_size=10)


@given(polls, st.booleans(), st.data())
def test_any_order_and_any_repetition_give_the_same_state(history, cod, data):
    seen = [seen_of(o, Instant(NOW + poll)) for o, poll in history]
    expected = merge(unite([], seen).values(), cod=cod)

    shuffled = data.draw(st.permutations(seen + seen[: len(seen) // 2]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(shuffled)), max_size=3)))
    known: list[Seen] = []
    for start, end in itertools.pairwise([0, *cuts, len(shuffled)]):
        known = list(unite(known, shuffled[start:end]).values())
    assert merge(data.draw(st.permutations(known)), cod=cod) == expected


@given(polls, st.booleans())
def test_asking_once_more_changes_nothing(history, cod):
    seen = [seen_of(o, Instant(NOW + poll)) for o, poll in history]
    again = [seen_of(o, Instant(NOW + 999)) for o, _ in history]
    before = merge(unite([], seen).values(), cod=cod)
    assert merge(unite(seen, again).values(), cod=cod) == before


@given(polls, st.sampled_from([s for s in S if s is not S.UNKNOWN]))
def test_a_newer_clock_always_wins(history, status):
    newest = seen_of(told(status, 6, code="new"), NOW)
    state = merge(
        unite([newest], [seen_of(o, Instant(NOW + poll)) for o, poll in history]).values(), cod=False
    )
    assert (state.status, state.raw_code, state.clock_at) == (status, "new", instant(at(6)))


@given(polls)
def test_whatever_has_a_clock_stands_behind_whatever_has_none(history):
    clocked = seen_of(told(S.CREATED, -10_000, code="clocked"), NOW)
    later = [seen_of(replace(o, clock=None), Instant(NOW + 10 * DAY + poll)) for o, poll in history]
    assert merge(unite([clocked], later).values(), cod=False).raw_code == "clocked"


def test_without_clocks_the_first_seen_orders():
    assert merged(told(S.ACCEPTED), told(S.ARRIVED), told(S.IN_TRANSIT)).status is S.IN_TRANSIT


def test_one_event_seen_again_keeps_its_first_moment():
    early, late = seen_of(told(S.ARRIVED), NOW), seen_of(told(S.ARRIVED), Instant(NOW + 5))
    for order in ([early, late], [late, early]):
        (kept,) = unite([], order).values()
        assert kept.first_seen_at == NOW


def test_equal_clocks_are_ordered_by_rank():
    for order in itertools.permutations([told(S.ARRIVED, 1), told(S.DELIVERED, 1), told(S.CREATED, 1)]):
        assert merged(*order).status is S.DELIVERED


def test_nothing_observed_is_unknown():
    state = merge([], cod=False)
    assert (state.status, state.raw_code, state.money, state.corrected) == (S.UNKNOWN, None, M.NONE, False)
    assert merge([], cod=True).money is M.UNKNOWN


# --- facts --------------------------------------------------------------------------------------------


def test_a_poorer_answer_never_overwrites_a_richer_one():
    rich = told(S.ARRIVED, 5, cod_expected=125_000, city_to="Львів", branch="№5")
    poor = told(S.ARRIVED, 5)
    for order in ([rich, poor], [poor, rich], [rich, poor, rich]):
        state = merged(*order)
        assert state.facts["cod_expected"] == 125_000
        assert state.facts["branch"] == "№5"
    assert merged(rich, told(S.DELIVERED, 9)).facts["branch"] == "№5"


def test_of_two_tellings_the_newer_clock_counts_even_if_it_came_first():
    newer, older = told(S.DELIVERED, 9, city_to="Одеса"), told(S.ARRIVED, 5, city_to="Львів")
    assert merged(newer, older).facts["city_to"] == "Одеса"


def test_a_changed_sum_under_the_same_clock_is_the_later_told_one():
    state = merged(told(S.ARRIVED, 5, cod_expected=100), told(S.ARRIVED, 5, cod_expected=90))
    assert state.facts["cod_expected"] == 90


def test_zero_is_told_and_none_is_not():
    assert (
        merged(told(S.ARRIVED, 1, cod_expected=5), told(S.ARRIVED, 2, cod_expected=0)).facts["cod_expected"]
        == 0
    )


def test_related_numbers_of_all_observations_are_collected():
    first = told(S.REFUSED, 1, related=(RelatedNumber(number="R1", kind=RelationKind.RETURN),))
    second = told(S.RETURNING, 2, related=(RelatedNumber(number="M1", kind=RelationKind.MONEY),))
    assert related_of(merged(first, second).facts) == [
        RelatedNumber(number="M1", kind=RelationKind.MONEY),
        RelatedNumber(number="R1", kind=RelationKind.RETURN),
    ]


def test_packed_facts_hold_only_what_is_told_and_survive_json():
    packed = pack(
        Facts(
            money=M.EXPECTED,
            cod_expected=0,
            estimated_at=at(0),
            return_date=date(2026, 3, 9),
            city_to="Львів\x00\n",
            hidden=False,
            related=(
                RelatedNumber(number="2", kind=RelationKind.RETURN),
                RelatedNumber(number="1", kind=RelationKind.MONEY),
            ),
        )
    )
    assert packed == {
        "money": "expected",
        "currency": "UAH",
        "cod_expected": 0,
        "estimated_at": instant(at(0)),
        "return_date": "2026-03-09",
        "city_to": "Львів\ufffd",
        "hidden": False,
        "related": [["1", "money"], ["2", "return"]],
    }
    assert orjson.loads(dumps(packed)) == packed
    assert pack(Facts()) == {}


@given(facts)
def test_facts_that_say_the_same_have_the_same_text(made):
    assert dumps(pack(made)) == dumps(pack(replace(made)))
    assert orjson.loads(dumps(pack(made))) == pack(made)


# --- unknown codes, corrections -----------------------------------------------------------------------


def test_an_unknown_code_keeps_the_status_and_shows_itself():
    state = merged(told(S.ARRIVED, 1, code="7"), told(S.UNKNOWN, 2, code="777"))
    assert (state.status, state.raw_code, state.clock_at) == (S.ARRIVED, "777", instant(at(1)))


def test_only_unknown_codes_are_unknown():
    state = merged(told(S.UNKNOWN, 2, code="777"))
    assert (state.status, state.raw_code) == (S.UNKNOWN, "777")


def test_a_lower_rank_with_a_newer_clock_is_a_correction():
    assert merged(told(S.DELIVERED, 1), told(S.ARRIVED, 2)).corrected
    assert not merged(told(S.ARRIVED, 1), told(S.DELIVERED, 2)).corrected
    assert not merged(told(S.ARRIVED, 2), told(S.DELIVERED, 1), told(S.DELIVERED, 3)).corrected
    assert not merged(told(S.ARRIVED, 1)).corrected


def test_an_unknown_code_in_between_hides_no_correction_and_makes_none():
    assert merged(told(S.DELIVERED, 1), told(S.UNKNOWN, 2), told(S.ARRIVED, 3)).corrected
    assert not merged(told(S.ARRIVED, 1), told(S.UNKNOWN, 2)).corrected


def test_richer_facts_of_the_same_step_are_no_correction():
    assert not merged(
        told(S.ARRIVED, 1), told(S.DELIVERED, 2), told(S.DELIVERED, 2, city_to="Львів")
    ).corrected


# --- the money line -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "facts", "cod", "money"),
    [
        (S.ARRIVED, {}, False, M.NONE),
        (S.ARRIVED, {}, True, M.UNKNOWN),
        (S.ARRIVED, {"money": "none"}, True, M.NONE),
        (S.ARRIVED, {"money": "none", "hidden": True}, True, M.UNKNOWN),
        (S.ARRIVED, {"money": "none", "hidden": True}, False, M.NONE),
        (S.ARRIVED, {"money": "expected"}, False, M.EXPECTED),
        (S.DELIVERED, {"money": "collected"}, True, M.COLLECTED),
        (S.DELIVERED, {"money": "paid_out"}, True, M.PAID_OUT),
        (S.RETURNED, {"money": "expected"}, True, M.NOT_COLLECTED),
        (S.RETURNED, {"money": "expected"}, False, M.NOT_COLLECTED),
        (S.CANCELLED, {"money": "unknown"}, True, M.NOT_COLLECTED),
        (S.RETURNED, {}, True, M.NOT_COLLECTED),
        (S.RETURNED, {}, False, M.NONE),
        (S.RETURNED, {"money": "none"}, False, M.NONE),
        (S.RETURNED, {"money": "paid_out"}, True, M.PAID_OUT),
        (S.RETURNING, {"money": "expected"}, True, M.EXPECTED),
        (S.REFUSED, {"money": "not_collected"}, True, M.NOT_COLLECTED),
    ],
)
def test_the_money_line_by_what_is_told_and_what_we_know(status, facts, cod, money):
    assert money_of(status, facts, cod=cod) is money


def test_money_that_was_paid_out_is_never_taken_back_by_an_older_step_told_again():
    paid = told(S.DELIVERED, 5, code="11", money=M.PAID_OUT, cod_paid_out=100)
    for step in (M.EXPECTED, M.COLLECTED, M.UNKNOWN):
        again = told(S.DELIVERED, 5, code="9", money=step)
        assert merged(paid, again, cod=True).money is M.PAID_OUT
        assert merged(again, paid, cod=True).money is M.PAID_OUT


def test_the_money_line_goes_its_way():
    expected = told(S.ARRIVED, 1, money=M.EXPECTED, cod_expected=100)
    collected = told(S.DELIVERED, 2, money=M.COLLECTED, cod_collected=100)
    paid = told(S.DELIVERED, 3, money=M.PAID_OUT, cod_paid_out=100)
    lines = [merged(*[expected, collected, paid][:n], cod=True).money for n in (1, 2, 3)]
    assert lines == [M.EXPECTED, M.COLLECTED, M.PAID_OUT]


# --- the end ------------------------------------------------------------------------------------------


@given(st.sampled_from(S), st.sampled_from(M), st.none() | st.integers(0, 30 * DAY))
def test_final_is_both_lines_at_their_end_or_fourteen_days(status, money, ago):
    since = None if ago is None else NOW - ago
    expected = status in {S.DELIVERED, S.RETURNED, S.CANCELLED} and (
        money in {M.NONE, M.PAID_OUT, M.NOT_COLLECTED} or (ago is not None and ago >= 14 * DAY)
    )
    assert is_final(status, money, since, NOW) is expected


def test_the_guard_ends_exactly_after_fourteen_days():
    assert MONEY_GUARD == 14 * DAY
    assert not is_final(S.DELIVERED, M.COLLECTED, NOW - 14 * DAY + 1, NOW)
    assert is_final(S.DELIVERED, M.COLLECTED, NOW - 14 * DAY, NOW)


# --- further legs -------------------------------------------------------------------------------------

RETURN, REDIRECT = RelationKind.RETURN, RelationKind.REDIRECT


@pytest.mark.parametrize(
    ("own", "children", "status"),
    [
        (S.REFUSED, [], S.REFUSED),
        (S.REFUSED, [(RETURN, S.UNKNOWN)], S.REFUSED),
        (S.REFUSED, [(RETURN, S.CREATED)], S.REFUSED),
        (S.REFUSED, [(RETURN, S.IN_TRANSIT)], S.RETURNING),
        (S.RETURNING, [(RETURN, S.ARRIVED)], S.RETURNING),
        (S.RETURNING, [(RETURN, S.DELIVERED)], S.RETURNED),
        (S.REFUSED, [(RETURN, S.CANCELLED)], S.REFUSED),
        (S.IN_TRANSIT, [(REDIRECT, S.ARRIVED)], S.ARRIVED),
        (S.IN_TRANSIT, [(REDIRECT, S.UNKNOWN)], S.IN_TRANSIT),
        (S.IN_TRANSIT, [(REDIRECT, S.CANCELLED)], S.IN_TRANSIT),
        (S.DELIVERED, [(REDIRECT, S.IN_TRANSIT)], S.DELIVERED),
        (S.IN_TRANSIT, [(REDIRECT, S.REFUSED), (RETURN, S.DELIVERED)], S.RETURNED),
        (S.DELIVERED, [(RelationKind.MONEY, S.DELIVERED)], S.DELIVERED),
        (S.DELIVERED, [(RelationKind.PAPERS, S.RETURNED)], S.DELIVERED),
    ],
)
def test_a_parcel_is_seen_with_its_further_legs(own, children, status):
    for order in itertools.permutations(children):
        assert with_children(own, order) is status


def test_every_status_has_a_rank_and_the_final_ones_are_the_highest():
    assert set(RANK) == set(S)
    assert len(set(RANK.values())) == len(S)
    assert min(RANK[s] for s in FINAL) > max(RANK[s] for s in set(S) - FINAL)


def test_of_two_tellings_at_one_moment_the_one_that_tells_more_is_kept():
    plain = told(S.ARRIVED, 1)
    dated = replace(plain, happened_at=at(0))
    for order in ([plain, dated], [dated, plain]):
        (kept,) = unite([], [seen_of(o, NOW) for o in order]).values()
        assert kept.happened_at == instant(at(0))
