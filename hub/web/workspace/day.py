"""What a seller does first: decides the order of his day, and says why. Pure.

overdue      dealt, not accepted, and the time to react is over
react soon   dealt, not accepted yet: the less time is left, the higher
again        the customer has asked again
contact due  the next contact was promised for now or earlier
in work      the rest, by when the customer is to be contacted next
"""

from __future__ import annotations

from dataclasses import dataclass

from hub.kernel.clock import MINUTE
from hub.web.workspace.queries import TaskItem


@dataclass(frozen=True, slots=True)
class Urgent:
    """A task with its place in the day. `reason` names the rule; `at` is the moment it is about."""

    item: TaskItem
    reason: str
    at: int | None
    order: tuple[int, int]

    @property
    def hot(self) -> bool:
        """Is it late?"""
        return self.reason in {"overdue", "contact_overdue"}


def urgency(item: TaskItem, now: int) -> Urgent:
    """Where a task stands in the day of its person."""
    task = item.task
    if task.state == "assigned":
        limit = task.react_by_at
        if limit is not None and limit <= now:
            return Urgent(item, "overdue", limit, (0, limit))
        return Urgent(item, "react", limit, (1, limit or task.assigned_at or task.created_at))
    contact = item.next_contact_at
    if item.sent_again:
        return Urgent(item, "again", None, (2, task.id))
    if contact is not None and contact <= now:
        late = contact < now - 60 * MINUTE
        return Urgent(item, "contact_overdue" if late else "contact", contact, (3, contact))
    return Urgent(item, "work", contact, (4, contact or task.created_at))
