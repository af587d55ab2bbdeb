"""Asking for approvals and dropping them: each is a task that is dealt like every other.

Roles are skills of members that begin with `role:`; who has none of it is never dealt such a task. Where
nobody has the role the task waits in the queue, and the heads are told.
"""

from __future__ import annotations

from collections.abc import Sequence

from hub.access.model import Actor, system
from hub.assignment import service as assignment
from hub.assignment.policy import ROLE_SKILL, Needs
from hub.db.tx import Tx
from hub.orders import store
from hub.orders.approval import ApprovalRow, ApprovalState
from hub.orders.model import OrderRow
from hub.outbox.put import put_notice
from hub.requests.model import Closing, Outcome
from hub.tasks import store as tasks
from hub.tasks.model import OPEN, TaskState

ORDERS = system("orders")
KIND = "approval"


def ask(tx: Tx, actor: Actor, row: OrderRow, stage: str, roles: Sequence[str]) -> None:
    """Ask each of these roles whether the order may enter the stage."""
    if not roles:
        return
    team_id = store.team_of(tx.conn, row)
    for role in roles:
        task = assignment.open_task(
            tx,
            ORDERS,
            team_id,
            kind=KIND,
            title=f"order {row.number}: approval by {role}",
            subject_id=row.id,
            needs=Needs(skill=f"{ROLE_SKILL}{role}"),
        )
        if task.state == TaskState.WAITING:
            for head in store.heads(tx.conn):
                put_notice(tx, "approval", head, task.id)
        store.add_approval(
            tx,
            ApprovalRow(
                tx.new_id(), row.id, stage, role, ApprovalState.OPEN, True, task.id, None, "", tx.now, None,
                actor.label,
            ),
        )  # fmt: skip


def drop(tx: Tx, order_id: int, why: str) -> list[ApprovalRow]:
    """What was asked counts no more; open tasks of it cost nobody a turn. Returns what was current."""
    found = [one for one in store.approvals(tx.conn, order_id) if one.current]
    for one in found:
        if one.state == ApprovalState.OPEN:
            task = tasks.get(tx.conn, one.task_id)
            if task.state in OPEN:
                assignment.void(tx, ORDERS, task.id, why, Outcome.DUPLICATE)
            store.change_approval(tx, one, state=ApprovalState.DROPPED, current=False, decided_at=tx.now)
        else:
            store.change_approval(tx, one, current=False)
    return found


def finish(tx: Tx, actor: Actor, one: ApprovalRow, comment: str) -> None:
    """The task of a decided approval is done; the head may decide without having taken it."""
    task = tasks.get(tx.conn, one.task_id)
    if task.state not in OPEN:
        return
    assignment.complete(tx, actor, task.id, Closing(outcome=Outcome.ANSWERED, reason=comment[:200]))
