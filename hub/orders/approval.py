"""Approvals: a role is asked whether an order may enter a stage; each is a dealt task. Values and rules; no SQL."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple


class ApprovalState(StrEnum):
    """Where an approval stands."""

    OPEN = "open"
    AGREED = "agreed"
    RETURNED = "returned"  # to be mended and asked again
    REFUSED = "refused"  # the order ends here
    DROPPED = "dropped"  # not needed any more: the order went elsewhere or was changed


class Verdict(StrEnum):
    """What who is asked may say."""

    AGREE = "agree"
    RETURN = "return"
    REFUSE = "refuse"
    COMMENT = "comment"  # says something, decides nothing


AFTER = {
    Verdict.AGREE: ApprovalState.AGREED,
    Verdict.RETURN: ApprovalState.RETURNED,
    Verdict.REFUSE: ApprovalState.REFUSED,
}


class ApprovalRow(NamedTuple):
    """The columns of `approval`, in order."""

    id: int
    order_id: int
    stage: str
    role: str
    state: str
    current: bool
    task_id: int
    decided_by: str | None
    comment: str
    created_at: int
    decided_at: int | None
    actor: str


def still_needed(roles: Sequence[str], asked: Sequence[ApprovalRow], stage: str) -> list[str]:
    """Roles that have not agreed yet to this stage."""
    given = {a.role for a in asked if a.current and a.stage == stage and a.state == ApprovalState.AGREED}
    return [role for role in roles if role not in given]


def not_asked(roles: Sequence[str], asked: Sequence[ApprovalRow], stage: str) -> list[str]:
    """Roles that were not even asked."""
    known = {a.role for a in asked if a.current and a.stage == stage}
    return [role for role in roles if role not in known]
