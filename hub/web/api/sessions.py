"""/api/v1/staff/{id}/sessions: where a person is signed in, and how that ends.

A person's own sessions are his; anybody else's are an administrator's, because ending them locks a person
out. Tokens of programs are no sessions: `hub token list|revoke`.
"""

from __future__ import annotations

from pydantic import BaseModel
from sqlalchemy.engine import Connection

from hub.access import store as access
from hub.access.model import Actor, May
from hub.db.tx import Tx
from hub.kernel.clock import rfc3339
from hub.kernel.errors import AccessDenied
from hub.staff import store
from hub.web.api import schemas as s
from hub.web.api.paging import list_of
from hub.web.api.registry import Call, Operation


class SessionOut(s.Out):
    """A browser in which somebody is signed in."""

    id: str
    user_agent: str
    created_at: s.Time
    expires_at: s.Time


class EndedOut(s.Out):
    """How many sessions were ended."""

    ended: int


def require_self_or_operator(conn: Connection, actor: Actor, staff_id: int) -> None:
    """Raises AccessDenied; NotFound for a person who is none, whoever asks."""
    store.get(conn, staff_id)
    if actor.staff_id != staff_id and not actor.may(May.OPERATE):
        raise AccessDenied("the sessions of others are an administrator's")


def list_sessions(conn: Connection, call: Call) -> BaseModel:
    """Living ones, newest first."""
    require_self_or_operator(conn, call.actor, call.id())
    found = access.sessions_of(conn, call.id(), call.services.clock.now())
    return list_of(SessionOut)(
        items=[
            SessionOut(
                id=str(one.id),
                user_agent=one.user_agent,
                created_at=rfc3339(one.created_at),
                expires_at=rfc3339(one.expires_at),
            )
            for one in found
        ]
    )


def end_session(tx: Tx, call: Call) -> EndedOut:
    """One of them; 404 if it has ended already."""
    require_self_or_operator(tx.conn, call.actor, call.id())
    access.end_session_of(tx, call.id(), call.id("session"))
    access.write_audit(tx, call.actor, "session_ended", str(call.id()))
    return EndedOut(ended=1)


def end_sessions(tx: Tx, call: Call) -> EndedOut:
    """All of them: signed out everywhere."""
    require_self_or_operator(tx.conn, call.actor, call.id())
    return EndedOut(ended=access.sign_out_everywhere(tx, call.actor, call.id()))


OPERATIONS = (
    Operation(
        method="GET", path="/staff/{id}/sessions", summary="Where a person is signed in", tag="staff",
        may=May.SEE, result=list_of(SessionOut), reads=list_sessions, errors=(404,),
    ),
    Operation(
        method="POST", path="/staff/{id}/sessions/end", summary="Sign a person out everywhere", tag="staff",
        may=May.WORK, body=s.Empty, result=EndedOut, writes=end_sessions, errors=(404,),
    ),
    Operation(
        method="POST", path="/staff/{id}/sessions/{session}/end", summary="End one session", tag="staff",
        may=May.WORK, body=s.Empty, result=EndedOut, writes=end_session, errors=(404,),
    ),
)  # fmt: skip
