"""SQL of requests and messages."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.engine import Connection

from hub.db.rows import MessageRow, RequestRow
from hub.db.tables import message, request
from hub.db.tx import Tx
from hub.kernel.errors import NotFound, VersionConflict


def get(conn: Connection, request_id: int) -> RequestRow:
    """One request. Raises NotFound."""
    row = conn.execute(select(request).where(request.c.id == request_id)).one_or_none()
    if row is None:
        raise NotFound(f"no request {request_id}")
    return RequestRow._make(row)


def hold(tx: Tx, request_id: int) -> RequestRow:
    """One request that stays where it is until the transaction ends. Raises NotFound."""
    tx.execute(select(request.c.id).where(request.c.id == request_id).with_for_update(read=True))
    return get(tx.conn, request_id)


def home_of(row: RequestRow) -> int:
    """The card that a request belongs to without any merge."""
    return row.contact_id if row.home_id is None else row.home_id


def joining(conn: Connection, contact_id: int, team_id: int) -> int | None:
    """The open request that a contact's next message in a team would join."""
    query = select(request.c.id).where(
        request.c.contact_id == contact_id, request.c.team_id == team_id, request.c.joining
    )
    return conn.execute(query).scalar_one_or_none()


def newest_of_contact(contact_id: int, limit: int = 20) -> Select[tuple[int]]:
    """Ids of a contact's newest requests, as a sub-query."""
    return (
        select(request.c.id)
        .where(request.c.contact_id == contact_id)
        .order_by(request.c.id.desc())
        .limit(limit)
    )


def messages(conn: Connection, request_id: int, limit: int = 500) -> list[MessageRow]:
    """The conversation, oldest first."""
    query = select(message).where(message.c.request_id == request_id).order_by(message.c.id).limit(limit)
    return [MessageRow._make(row) for row in conn.execute(query)]


def save(tx: Tx, row: RequestRow, **values: Any) -> RequestRow:
    """Change a request that was read in this transaction; its version rises. Raises VersionConflict."""
    changed = row._replace(updated_at=tx.now, version=row.version + 1, **values)
    written = {name: value for name, value in changed._asdict().items() if value != getattr(row, name)}
    met = tx.changed(
        update(request).where(request.c.id == row.id, request.c.version == row.version).values(**written)
    )
    if met != 1:
        raise VersionConflict(f"request {row.id} was changed by somebody else")
    return changed
