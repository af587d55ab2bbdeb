"""SQL of sessions, tokens, calendar feeds, one-time links, sign-in failures, repeated API calls, the audit log."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Connection

from hub.access.model import Actor, Role
from hub.access.secrets import new_token, token_hash
from hub.db.tables import (
    api_replay,
    api_token,
    audit,
    calendar_feed,
    one_time_link,
    session,
    sign_in_failure,
    staff,
    staff_role,
)
from hub.db.tx import Tx
from hub.kernel.clock import DAY, HOUR, MINUTE, Instant
from hub.kernel.errors import NotFound

SESSION_LASTS = 14 * DAY
LINK_LASTS = 2 * DAY
REPLAY_KEPT = 48 * HOUR
FAILURE_WINDOW = 15 * MINUTE
MAX_FAILURES = 10
MAX_ADDRESS_FAILURES = 50  # an office shares one address: ten slips there must not stop everybody


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A living session."""

    id: int
    actor: Actor
    name: str
    language: str | None
    csrf: str


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A living session, as its person sees it."""

    id: int
    user_agent: str
    created_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """An API token as it is listed; the secret itself is not kept."""

    id: int
    name: str
    role: str
    staff_id: int | None
    created_at: int
    used_at: int | None
    revoked_at: int | None


def _roles(conn: Connection, staff_id: int) -> frozenset[Role]:
    query = select(staff_role.c.role).where(staff_role.c.staff_id == staff_id)
    return frozenset(Role(row.role) for row in conn.execute(query))


def actor_of(conn: Connection, staff_id: int) -> Actor | None:
    """A person with his present roles; None if he works here no more."""
    works = conn.execute(select(staff.c.state).where(staff.c.id == staff_id)).scalar_one_or_none()
    return Actor(f"staff:{staff_id}", _roles(conn, staff_id), staff_id) if works == "active" else None


# --- sessions ------------------------------------------------------------------------------------------


def open_session(tx: Tx, staff_id: int, user_agent: str) -> str:
    """A new session; returns its secret for the cookie."""
    token = new_token()
    tx.execute(
        insert(session).values(
            id=tx.new_id(),
            token_hash=token_hash(token),
            staff_id=staff_id,
            csrf=new_token(),
            user_agent=user_agent[:200],
            created_at=tx.now,
            seen_at=tx.now,
            expires_at=tx.now + SESSION_LASTS,
        )
    )
    return token


def find_session(conn: Connection, token: str, now: Instant) -> SignedIn | None:
    """The living session of a cookie, with the person's present roles."""
    row = conn.execute(
        select(session.c.id, session.c.csrf, staff.c.id.label("staff_id"), staff.c.name, staff.c.language)
        .join(staff, staff.c.id == session.c.staff_id)
        .where(
            session.c.token_hash == token_hash(token),
            session.c.revoked_at.is_(None),
            session.c.expires_at > now,
            staff.c.state == "active",
        )
    ).one_or_none()
    if row is None:
        return None
    actor = Actor(f"staff:{row.staff_id}", _roles(conn, row.staff_id), row.staff_id)
    return SignedIn(row.id, actor, row.name, row.language, row.csrf)


def close_session(tx: Tx, session_id: int) -> None:
    """Sign out."""
    tx.execute(update(session).where(session.c.id == session_id).values(revoked_at=tx.now))


def close_sessions_of(tx: Tx, staff_id: int, *, tokens_too: bool) -> None:
    """Sign a person out everywhere. `tokens_too`: programs that act for him as well (he leaves)."""
    for table in (session, api_token, calendar_feed) if tokens_too else (session,):
        tx.execute(
            update(table)
            .where(table.c.staff_id == staff_id, table.c.revoked_at.is_(None))
            .values(revoked_at=tx.now)
        )


def sessions_of(conn: Connection, staff_id: int, now: Instant) -> list[SessionRecord]:
    """A person's living sessions, newest first."""
    columns = (session.c.id, session.c.user_agent, session.c.created_at, session.c.expires_at)
    query = select(*columns).where(
        session.c.staff_id == staff_id, session.c.revoked_at.is_(None), session.c.expires_at > now
    )
    return [SessionRecord(*row) for row in conn.execute(query.order_by(session.c.id.desc()))]


def end_session_of(tx: Tx, staff_id: int, session_id: int) -> None:
    """End one of a person's own sessions. Raises NotFound."""
    met = tx.changed(
        update(session)
        .where(session.c.id == session_id, session.c.staff_id == staff_id, session.c.revoked_at.is_(None))
        .values(revoked_at=tx.now)
    )
    if met != 1:
        raise NotFound("no such session")


def end_other_sessions(tx: Tx, staff_id: int, kept: int) -> None:
    """End all sessions of a person but one."""
    tx.execute(
        update(session)
        .where(session.c.staff_id == staff_id, session.c.id != kept, session.c.revoked_at.is_(None))
        .values(revoked_at=tx.now)
    )


def sign_out_everywhere(tx: Tx, actor: Actor, staff_id: int) -> int:
    """End all sessions of a person, with its line in the audit log; returns how many there were."""
    ended = len(sessions_of(tx.conn, staff_id, tx.now))
    if ended:
        close_sessions_of(tx, staff_id, tokens_too=False)
        write_audit(tx, actor, "signed_out_everywhere", str(staff_id), f'{{"sessions": {ended}}}')
    return ended


# --- calendar feeds --------------------------------------------------------------------------------------


def make_feed(tx: Tx, staff_id: int) -> str:
    """A new secret of a person's calendar address; the one before ends. It is shown once."""
    end_feed(tx, staff_id)
    token = new_token()
    tx.execute(
        insert(calendar_feed).values(
            id=tx.new_id(), token_hash=token_hash(token), staff_id=staff_id, created_at=tx.now
        )
    )
    return token


def end_feed(tx: Tx, staff_id: int) -> int:
    """The person's calendar address ends; how many there were."""
    return tx.changed(
        update(calendar_feed)
        .where(calendar_feed.c.staff_id == staff_id, calendar_feed.c.revoked_at.is_(None))
        .values(revoked_at=tx.now)
    )


def feed_since(conn: Connection, staff_id: int) -> int | None:
    """Since when a person has a living calendar address."""
    return conn.execute(
        select(calendar_feed.c.created_at).where(
            calendar_feed.c.staff_id == staff_id, calendar_feed.c.revoked_at.is_(None)
        )
    ).scalar_one_or_none()


def find_feed(conn: Connection, token: str) -> int | None:
    """Whose calendar a secret opens; None if it has ended or its person has left."""
    return conn.execute(
        select(calendar_feed.c.staff_id)
        .join(staff, staff.c.id == calendar_feed.c.staff_id)
        .where(
            calendar_feed.c.token_hash == token_hash(token),
            calendar_feed.c.revoked_at.is_(None),
            staff.c.state == "active",
        )
    ).scalar_one_or_none()


# --- passwords and one-time links ----------------------------------------------------------------------


def password_of(conn: Connection, login: str) -> tuple[int, str | None] | None:
    """(id, hash) of an active person; None if there is none."""
    row = conn.execute(
        select(staff.c.id, staff.c.password_hash).where(staff.c.login == login, staff.c.state == "active")
    ).one_or_none()
    return (row.id, row.password_hash) if row is not None else None


def set_password(tx: Tx, staff_id: int, password_hash: str) -> None:
    """A new password; every other session ends. Tokens of programs go on: they have secrets of their own."""
    close_sessions_of(tx, staff_id, tokens_too=False)
    tx.execute(
        update(staff)
        .where(staff.c.id == staff_id)
        .values(password_hash=password_hash, version=staff.c.version + 1)
    )


def make_link(tx: Tx, staff_id: int, purpose: str) -> str:
    """A one-time secret with which a person sets a password and signs in; earlier ones end."""
    tx.execute(
        update(one_time_link)
        .where(one_time_link.c.staff_id == staff_id, one_time_link.c.used_at.is_(None))
        .values(used_at=tx.now)
    )
    token = new_token()
    tx.execute(
        insert(one_time_link).values(
            id=tx.new_id(),
            token_hash=token_hash(token),
            staff_id=staff_id,
            purpose=purpose,
            created_at=tx.now,
            expires_at=tx.now + LINK_LASTS,
        )
    )
    return token


def find_link(conn: Connection, token: str, now: Instant) -> int | None:
    """Whose living link this is."""
    return conn.execute(
        select(one_time_link.c.staff_id)
        .join(staff, staff.c.id == one_time_link.c.staff_id)
        .where(
            one_time_link.c.token_hash == token_hash(token),
            one_time_link.c.used_at.is_(None),
            one_time_link.c.expires_at > now,
            staff.c.state == "active",
        )
    ).scalar_one_or_none()


def use_link(tx: Tx, token: str) -> int:
    """Use it up; of two at once one wins. Returns the person. Raises NotFound."""
    staff_id = find_link(tx.conn, token, tx.now)
    used = tx.changed(
        update(one_time_link)
        .where(one_time_link.c.token_hash == token_hash(token), one_time_link.c.used_at.is_(None))
        .values(used_at=tx.now)
    )
    if staff_id is None or used != 1:
        raise NotFound("this link is used up or too old: ask for a new one")
    return staff_id


# --- brute force ---------------------------------------------------------------------------------------


def too_many_failures(conn: Connection, keys: list[str], now: Instant) -> bool:
    """Has one of the keys (login:..., address:...) failed too often within the window?"""
    limits = {token_hash(k): MAX_ADDRESS_FAILURES if k.startswith("address:") else MAX_FAILURES for k in keys}
    query = select(sign_in_failure).where(
        sign_in_failure.c.key.in_(limits), sign_in_failure.c.window_at > now - FAILURE_WINDOW
    )
    return any(row["count"] >= limits[row["key"]] for row in conn.execute(query).mappings())


def note_failure(tx: Tx, keys: list[str]) -> None:
    """Count a failed sign-in for each key; a new window begins when the old one is over."""
    for key in sorted(token_hash(k) for k in keys):
        row = tx.execute(select(sign_in_failure).where(sign_in_failure.c.key == key)).mappings().one_or_none()
        if row is None:
            tx.execute(insert(sign_in_failure).values(key=key, count=1, window_at=tx.now))
            continue
        fresh = row["window_at"] <= tx.now - FAILURE_WINDOW
        tx.execute(
            update(sign_in_failure)
            .where(sign_in_failure.c.key == key)
            .values(count=1 if fresh else row["count"] + 1, window_at=tx.now if fresh else row["window_at"])
        )


def forget_failures(tx: Tx, keys: list[str]) -> None:
    """A sign-in succeeded."""
    tx.execute(delete(sign_in_failure).where(sign_in_failure.c.key.in_([token_hash(key) for key in keys])))


# --- API tokens ----------------------------------------------------------------------------------------


def add_token(tx: Tx, name: str, role: Role, staff_id: int | None) -> tuple[int, str]:
    """A new token: (id, secret). The secret is shown once and never again."""
    token = new_token("hub_")
    token_id = tx.new_id()
    tx.execute(
        insert(api_token).values(
            id=token_id,
            token_hash=token_hash(token),
            name=name,
            role=role,
            staff_id=staff_id,
            created_at=tx.now,
        )
    )
    return token_id, token


def find_token(conn: Connection, token: str) -> Actor | None:
    """Who a bearer token acts as; None if it is unknown, revoked, or its person has left."""
    row = conn.execute(
        select(api_token.c.id, api_token.c.name, api_token.c.role, api_token.c.staff_id, staff.c.state)
        .join(staff, staff.c.id == api_token.c.staff_id, isouter=True)
        .where(api_token.c.token_hash == token_hash(token), api_token.c.revoked_at.is_(None))
    ).one_or_none()
    if row is None or (row.staff_id is not None and row.state != "active"):
        return None
    label = f"staff:{row.staff_id}" if row.staff_id is not None else f"token:{row.name}"
    return Actor(label, frozenset({Role(row.role)}), row.staff_id)


def tokens(conn: Connection) -> list[TokenRecord]:
    """All tokens, newest first."""
    columns = (c for c in api_token.c if c.name != "token_hash")
    rows = conn.execute(select(*columns).order_by(api_token.c.id.desc())).mappings()
    return [TokenRecord(**row) for row in rows]


def revoke_token(tx: Tx, token_id: int) -> None:
    """The token ends. Raises NotFound."""
    met = tx.changed(
        update(api_token)
        .where(api_token.c.id == token_id, api_token.c.revoked_at.is_(None))
        .values(revoked_at=tx.now)
    )
    if met != 1:
        raise NotFound(f"no living token {token_id}")


# --- repeated API calls ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Replay:
    """The stored answer of a call with an Idempotency-Key."""

    body_digest: str
    status: int
    answer: str


def find_replay(conn: Connection, scope: str, now: Instant) -> Replay | None:
    """The first answer under a key, kept 48 hours."""
    row = conn.execute(
        select(api_replay.c.body_digest, api_replay.c.status, api_replay.c.answer).where(
            api_replay.c.scope == scope, api_replay.c.created_at > now - REPLAY_KEPT
        )
    ).one_or_none()
    return Replay(*row) if row is not None else None


def store_replay(tx: Tx, scope: str, replay: Replay) -> None:
    """Keep an answer in the transaction of its effect; of two at once one is a unique violation."""
    tx.execute(delete(api_replay).where(api_replay.c.created_at <= tx.now - REPLAY_KEPT))
    tx.execute(
        insert(api_replay).values(
            scope=scope,
            body_digest=replay.body_digest,
            status=replay.status,
            answer=replay.answer,
            created_at=tx.now,
        )
    )


@dataclass(frozen=True, slots=True)
class Audited:
    """One entry of the audit log. `details`: JSON without secrets."""

    id: int
    actor: str
    action: str
    target: str
    details: str
    at: int


def audit_log(conn: Connection, before: int | None = None, limit: int = 100) -> list[Audited]:
    """The newest entries, or those before one."""
    query = select(audit.c.id, audit.c.actor, audit.c.action, audit.c.target, audit.c.body, audit.c.at)
    if before is not None:
        query = query.where(audit.c.id < before)
    return [Audited(*row) for row in conn.execute(query.order_by(audit.c.id.desc()).limit(limit))]


def write_audit(tx: Tx, actor: Actor, action: str, target: str, body: str = "{}") -> None:
    """One entry of the audit log: who did what to what; no secrets."""
    tx.execute(
        insert(audit).values(
            id=tx.new_id(), actor=actor.label, action=action, target=target, body=body, at=tx.now
        )
    )
