"""SQL of staff and teams."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection

from hub.db.tables import membership, staff, staff_role, team
from hub.db.tx import Tx
from hub.kernel.errors import FieldProblem, InputRejected, NotFound


@dataclass(frozen=True, slots=True)
class TeamRecord:
    """A team with its settings."""

    id: int
    name: str
    title: str
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True)
class MembershipRecord:
    """A person in a team, as it is now."""

    id: int
    team_id: int
    team: str
    share: int
    limit: int | None


@dataclass(frozen=True, slots=True)
class StaffRecord:
    """A person who works, with his roles and open memberships."""

    id: int
    name: str
    login: str
    language: str | None
    state: str
    roles: frozenset[str]
    memberships: tuple[MembershipRecord, ...]
    has_password: bool
    version: int


def teams(conn: Connection) -> list[TeamRecord]:
    """All teams by name."""
    query = select(team.c.id, team.c.name, team.c.title, team.c.settings).order_by(team.c.name)
    return [TeamRecord(row.id, row.name, row.title, json.loads(row.settings)) for row in conn.execute(query)]


def team_by_name(conn: Connection, name: str) -> TeamRecord:
    """One team. Raises NotFound naming those that exist."""
    known = teams(conn)
    found = next((t for t in known if t.name == name), None)
    if found is None:
        names = ", ".join(t.name for t in known) or "none yet"
        raise NotFound(f"no team {name}; teams: {names}")
    return found


def add_team(tx: Tx, name: str, title: str, settings: dict[str, Any]) -> int:
    """A new team; its ledger head is made by `hub.assignment`."""
    team_id = tx.new_id()
    tx.execute(
        insert(team).values(
            id=team_id, name=name, title=title or name, settings=json.dumps(settings), created_at=tx.now
        )
    )
    return team_id


def all_staff(conn: Connection, *, ids: Sequence[int] | None = None) -> list[StaffRecord]:
    """People by name, closed ones too."""
    query = select(staff).order_by(staff.c.name, staff.c.id)
    if ids is not None:
        query = query.where(staff.c.id.in_(ids))
    roles: dict[int, set[str]] = {}
    for row in conn.execute(select(staff_role.c.staff_id, staff_role.c.role)):
        roles.setdefault(row.staff_id, set()).add(row.role)
    members: dict[int, list[MembershipRecord]] = {}
    opened = (
        select(membership, team.c.name.label("team_name"))
        .join(team, team.c.id == membership.c.team_id)
        .where(membership.c.closed_at.is_(None))
        .order_by(membership.c.id)
    )
    for row in conn.execute(opened):
        members.setdefault(row.staff_id, []).append(
            MembershipRecord(row.id, row.team_id, row.team_name, row.share, row.open_limit)
        )
    return [
        StaffRecord(
            row.id,
            row.name,
            row.login,
            row.language,
            row.state,
            frozenset(roles.get(row.id, ())),
            tuple(members.get(row.id, ())),
            row.password_hash is not None,
            row.version,
        )
        for row in conn.execute(query)
    ]


def get(conn: Connection, staff_id: int) -> StaffRecord:
    """One person. Raises NotFound."""
    found = all_staff(conn, ids=[staff_id])
    if not found:
        raise NotFound(f"no person {staff_id}")
    return found[0]


def find(conn: Connection, text: str) -> StaffRecord:
    """A person by id, login or exact name. Raises NotFound, or InputRejected where several fit."""
    everybody = all_staff(conn)
    fit = [s for s in everybody if text in {str(s.id), s.login}] or [s for s in everybody if s.name == text]
    if not fit:
        raise NotFound(f"nobody is called {text}: see `hub staff list`")
    if len(fit) > 1:
        raise InputRejected(f"several people are called {text}: use the login")
    return fit[0]


def add(tx: Tx, name: str, login: str, roles: Sequence[str], language: str | None = None) -> int:
    """A new person without a password. Raises InputRejected where the login is taken."""
    taken = tx.execute(select(staff.c.id).where(staff.c.login == login)).first()
    if taken is not None:
        raise InputRejected(
            "this login is taken", [FieldProblem("login", f"{login} is taken: choose another")]
        )
    staff_id = tx.new_id()
    tx.execute(
        insert(staff).values(
            id=staff_id, name=name, login=login, language=language, state="active", created_at=tx.now
        )
    )
    give_roles(tx, staff_id, roles)
    return staff_id


def give_roles(tx: Tx, staff_id: int, roles: Sequence[str]) -> None:
    """The person has these roles from now on, and no others."""
    tx.execute(staff_role.delete().where(staff_role.c.staff_id == staff_id))
    for role in sorted(set(roles)):
        tx.execute(insert(staff_role).values(staff_id=staff_id, role=role, given_at=tx.now))


def close(tx: Tx, staff_id: int) -> None:
    """The person works here no more; history keeps the name."""
    tx.execute(
        update(staff)
        .where(staff.c.id == staff_id)
        .values(state="closed", closed_at=tx.now, version=staff.c.version + 1)
    )
