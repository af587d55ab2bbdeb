"""SQL of tasks."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update
from sqlalchemy.engine import Connection

from hub.db.rows import TaskRow
from hub.db.tables import task
from hub.db.tx import Tx
from hub.kernel.errors import NotFound, VersionConflict
from hub.tasks.model import OPEN, TaskState


def get(conn: Connection, task_id: int) -> TaskRow:
    """One task. Raises NotFound."""
    row = conn.execute(select(task).where(task.c.id == task_id)).one_or_none()
    if row is None:
        raise NotFound(f"no task {task_id}")
    return TaskRow._make(row)


def waiting(conn: Connection, team_id: int, limit: int, after: int = 0) -> list[TaskRow]:
    """The queue of a team, oldest first, beyond the task `after`."""
    query = (
        select(task)
        .where(task.c.team_id == team_id, task.c.state == TaskState.WAITING, task.c.id > after)
        .order_by(task.c.id)
        .limit(limit)
    )
    return [TaskRow._make(row) for row in conn.execute(query)]


def held(conn: Connection, membership_id: int) -> list[TaskRow]:
    """Everything open that a membership holds, snoozed included, oldest first."""
    query = (
        select(task).where(task.c.membership_id == membership_id, task.c.state.in_(OPEN)).order_by(task.c.id)
    )
    return [TaskRow._make(row) for row in conn.execute(query)]


def open_of_request(conn: Connection, request_id: int) -> TaskRow | None:
    """The one open task of a request."""
    row = conn.execute(
        select(task).where(task.c.request_id == request_id, task.c.state.in_(OPEN))
    ).one_or_none()
    return TaskRow._make(row) if row is not None else None


def save(tx: Tx, row: TaskRow, **values: Any) -> TaskRow:
    """Change a task that was read in this transaction; its version rises. Raises VersionConflict."""
    changed = row._replace(updated_at=tx.now, version=row.version + 1, **values)
    written = {name: value for name, value in changed._asdict().items() if value != getattr(row, name)}
    met = tx.changed(update(task).where(task.c.id == row.id, task.c.version == row.version).values(**written))
    if met != 1:
        raise VersionConflict(f"task {row.id} was changed by somebody else")
    return changed
