"""A request that no delivery brought: a call, a visit, an event. Dealt like any other."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, update

from hub.access.model import Actor, May
from hub.assignment.policy import Needs
from hub.assignment.service import open_task
from hub.db.rows import MessageRow, RequestRow
from hub.db.tables import message, request
from hub.db.tx import Tx
from hub.kernel import text
from hub.kernel.clock import DAY
from hub.outbox import webhooks
from hub.requests.language import language_of
from hub.requests.model import RequestState, subject_of
from hub.requests.service import note


@dataclass(frozen=True, slots=True)
class ByHand:
    """What was noted. `source` says how the person asked: phone, visit, event, other.

    assignee_id  who takes it, if it is not to be dealt: himself, or whom the head names
    """

    contact_id: int
    team_id: int
    text: str
    subject: str
    source: str
    priority: int = 0
    next_contact_at: int | None = None
    language: str = ""
    skill: str = ""
    assignee_id: int | None = None


def open_by_hand(tx: Tx, actor: Actor, taken: ByHand) -> RequestRow:
    """Open the request and its task; it becomes the contact's joining one."""
    actor.require(May.WORK)
    body = text.clean(taken.text, text.BODY)
    tx.execute(
        update(request)
        .where(
            request.c.contact_id == taken.contact_id,
            request.c.team_id == taken.team_id,
            request.c.joining,
            request.c.state == RequestState.OPEN,
        )
        .values(joining=False, updated_at=tx.now)
    )
    subject = subject_of(taken.subject, body) or taken.source
    language = language_of(taken.language, None, body)
    if taken.assignee_id is not None and taken.assignee_id != actor.staff_id:
        actor.require(May.LEAD)
    row = RequestRow(
        tx.new_id(), taken.team_id, taken.contact_id, None, RequestState.OPEN, True, subject,
        f'{{"source":"{taken.source}"}}', language or None, text.same_text_key(body), 0, taken.priority, tx.now,
        taken.next_contact_at or tx.now + DAY, None, None, None, None, None, None, None, actor.label,
        tx.correlation_id, tx.now,
    )  # fmt: skip
    said = MessageRow(
        tx.new_id(), None, "hand", row.id, taken.contact_id, None, "in", actor.staff_id, body, "{}",
        None, tx.now, "received",
    )  # fmt: skip
    tx.insert({request: [row], message: [said] if body else []})
    note(tx, actor, "request", row.id, "opened", body={"source": taken.source})
    told = {"request_id": str(row.id), "team_id": str(row.team_id), "channel": None}
    webhooks.emit(tx, "request.created", f"request:{row.id}", told)
    open_task(
        tx, actor, taken.team_id, kind="request", title=subject, request_id=row.id,
        needs=Needs(language=language, skill=taken.skill), to_staff_id=taken.assignee_id,
    )  # fmt: skip
    return RequestRow._make(tx.execute(select(request).where(request.c.id == row.id)).one())
