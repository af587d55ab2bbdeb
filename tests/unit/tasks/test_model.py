"""The moves of a task are one table."""

import itertools

import pytest

from hub.kernel.errors import TransitionRefused
from hub.tasks.model import HELD, MOVES, OPEN, TaskState, Verb, after

ENDED = {TaskState.DONE, TaskState.CANCELLED}


@pytest.mark.parametrize(("verb", "state"), list(itertools.product(Verb, TaskState)))
def test_a_verb_leads_where_the_table_says_or_names_both(verb, state):
    if state in MOVES[verb]:
        assert after(verb, state) is MOVES[verb][state]
        return
    with pytest.raises(TransitionRefused) as refused:
        after(verb, state)
    assert state.value in refused.value.message
    assert refused.value.facts == {"state": state.value, "verb": verb.value}


def test_only_reopening_and_undoing_lead_out_of_the_end():
    assert {verb for verb, moves in MOVES.items() if ENDED & moves.keys()} == {Verb.REOPEN, Verb.UNDO_VOID}


def test_only_assigned_and_accepted_tasks_count_as_open_work():
    assert {TaskState.ASSIGNED, TaskState.ACCEPTED} == HELD
    assert set(TaskState) == OPEN | ENDED


def test_repeating_what_is_done_already_changes_nothing():
    assert after(Verb.ACCEPT, TaskState.ACCEPTED) is TaskState.ACCEPTED
    assert after(Verb.CLAIM, TaskState.ACCEPTED) is TaskState.ACCEPTED
