"""How far a message of ours has come: what the sending call said, and the receipts after it.

A receipt may be quicker than the answer of the call it belongs to, so receipts are kept by the
provider's id and looked at again when that id becomes known. A state only moves forward: seen is never
taken back by a late "delivered"; "failed" after "seen" is not believed.
"""

from __future__ import annotations

from sqlalchemy import select, update

from hub.db.tables import message, message_extra, message_mark, request, task
from hub.db.tx import Tx
from hub.outbox.put import put_notice

RANK = {"sending": 0, "uncertain": 1, "sent": 2, "delivered": 3, "seen": 4}
MARKS = frozenset({"delivered", "seen", "failed"})


def receive(tx: Tx, account: str, about: str, mark: str, reason: str) -> None:
    """Keep a receipt, and move the message if it is known."""
    if mark not in MARKS or not about:
        return
    known = tx.execute(
        select(message_mark.c.mark).where(
            message_mark.c.about == about, message_mark.c.account == account, message_mark.c.mark == mark
        )
    ).one_or_none()
    if known is not None:
        return
    tx.execute(
        message_mark.insert().values(about=about, account=account, mark=mark, reason=reason[:500], at=tx.now)
    )
    found = tx.execute(
        select(message.c.id, message.c.state, message.c.direction).where(
            message.c.message_key == about, message.c.account == account
        )
    ).one_or_none()
    if found is not None and found.direction == "out":
        move(tx, found.id, found.state, mark, reason)


def catch_up(tx: Tx, account: str, message_id: int, provider_id: str) -> None:
    """The call has told the provider's id: receipts that were quicker count now."""
    query = select(message_mark).where(message_mark.c.about == provider_id, message_mark.c.account == account)
    for row in tx.execute(query).all():
        state = tx.execute(select(message.c.state).where(message.c.id == message_id)).scalar_one()
        move(tx, message_id, state, row.mark, row.reason)


def move(tx: Tx, message_id: int, state: str, to: str, reason: str = "") -> None:
    """Set a message's state, forward only."""
    if to == "failed":
        if state == "seen":
            return
        fail(tx, message_id, reason)
    elif RANK.get(to, 0) > RANK.get(state, -1):
        tx.execute(update(message).where(message.c.id == message_id).values(state=to))


def fail(tx: Tx, message_id: int, reason: str) -> None:
    """It did not reach the customer: whoever has the request is told."""
    tx.execute(update(message).where(message.c.id == message_id).values(state="failed"))
    tx.execute(
        update(message_extra)
        .where(message_extra.c.message_id == message_id)
        .values(problem=reason[:500] or None, changed_at=tx.now)
    )
    query = (
        select(task.c.assignee_id, task.c.id)
        .join(request, request.c.id == task.c.request_id)
        .join(message, message.c.request_id == request.c.id)
        .where(message.c.id == message_id, task.c.assignee_id.is_not(None))
        .order_by(task.c.id.desc())
        .limit(1)
    )
    holder = tx.execute(query).one_or_none()
    if holder is not None:
        put_notice(tx, "message_failed", holder.assignee_id, holder.id)
