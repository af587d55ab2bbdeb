"""A task: work for one person. Its states and the moves between them are one table."""

from __future__ import annotations

from enum import StrEnum

from hub.kernel.errors import TransitionRefused


class TaskState(StrEnum):
    """Where a task stands."""

    WAITING = "waiting"  # in the queue: nobody could be dealt it
    ASSIGNED = "assigned"  # dealt; its person has not reacted yet
    ACCEPTED = "accepted"  # its person works on it
    SNOOZED = "snoozed"  # put off until a moment; does not count as open work
    DONE = "done"
    CANCELLED = "cancelled"  # void: spam or doubled


class Verb(StrEnum):
    """What can be done with a task."""

    CLAIM = "claim"
    ACCEPT = "accept"
    COMPLETE = "complete"
    REASSIGN = "reassign"
    RELEASE = "release"
    VOID = "void"
    SNOOZE = "snooze"
    REOPEN = "reopen"
    UNDO_VOID = "undo_void"
    TO_TEAM = "to_team"


HELD = frozenset({TaskState.ASSIGNED, TaskState.ACCEPTED})
"""Counts as open work of its holder."""

OPEN = HELD | {TaskState.WAITING, TaskState.SNOOZED}

_S = TaskState
_ALL_OPEN = (_S.WAITING, _S.ASSIGNED, _S.ACCEPTED, _S.SNOOZED)
_OF_SOMEBODY = (_S.ASSIGNED, _S.ACCEPTED, _S.SNOOZED)
MOVES: dict[Verb, dict[TaskState, TaskState]] = {
    Verb.CLAIM: dict.fromkeys(_ALL_OPEN, _S.ACCEPTED),
    Verb.ACCEPT: dict.fromkeys(_OF_SOMEBODY, _S.ACCEPTED),
    Verb.COMPLETE: dict.fromkeys(_ALL_OPEN, _S.DONE),
    Verb.REASSIGN: dict.fromkeys(_ALL_OPEN, _S.ASSIGNED),
    Verb.RELEASE: dict.fromkeys(_OF_SOMEBODY, _S.WAITING),
    Verb.VOID: dict.fromkeys(_ALL_OPEN, _S.CANCELLED),
    Verb.SNOOZE: dict.fromkeys(_OF_SOMEBODY, _S.SNOOZED),
    Verb.REOPEN: {_S.DONE: _S.ASSIGNED},
    Verb.UNDO_VOID: {_S.CANCELLED: _S.ASSIGNED},
    Verb.TO_TEAM: dict.fromkeys(_ALL_OPEN, _S.CANCELLED),
}


def after(verb: Verb, state: TaskState) -> TaskState:
    """The state that a verb leads to. Raises TransitionRefused naming both."""
    target = MOVES[verb].get(state)
    if target is None:
        raise TransitionRefused(
            f"a task that is {state} cannot be {_PAST[verb]}", state=str(state), verb=str(verb)
        )
    return target


_PAST = {
    Verb.CLAIM: "claimed",
    Verb.ACCEPT: "accepted",
    Verb.COMPLETE: "completed",
    Verb.REASSIGN: "reassigned",
    Verb.RELEASE: "released",
    Verb.VOID: "voided",
    Verb.SNOOZE: "snoozed",
    Verb.REOPEN: "reopened",
    Verb.UNDO_VOID: "called no spam",
    Verb.TO_TEAM: "given to another team",
}
