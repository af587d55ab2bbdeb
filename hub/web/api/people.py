"""/api/v1/staff, /api/v1/teams"""

from __future__ import annotations

import json
from typing import Literal

from pydantic import BaseModel, Field
from sqlalchemy.engine import Connection

from hub.access import store as access
from hub.access.model import May, Role
from hub.assignment import members
from hub.assignment.ledger import peek, team_rules
from hub.assignment.policy import UNIT, Rules
from hub.assignment.whatif import NOTHING, change_of, whatif_of
from hub.db.tx import Tx
from hub.kernel.clock import MINUTE, Instant
from hub.kernel.errors import AccessDenied, FieldProblem, InputRejected
from hub.staff import service as people
from hub.staff import store
from hub.staff.store import StaffRecord
from hub.web.api import schemas as s
from hub.web.api.paging import list_of
from hub.web.api.registry import Call, Operation


class MembershipOut(s.Out):
    """A person in a team."""

    team: str
    share: int
    limit: int | None


class StaffOut(s.Out):
    """A person who works here."""

    id: str
    name: str
    login: str
    state: str
    roles: list[str]
    teams: list[MembershipOut]
    version: int


class StaffBody(s.In):
    """A new person. The invitation link is made by `hub staff invite`."""

    name: s.Name = Field(min_length=1)
    login: s.Name = ""
    roles: list[Role] = Field(default_factory=lambda: [Role.SELLER], max_length=3)
    team: s.Name | None = None
    share: int = Field(1, ge=1, le=1000, strict=True)
    limit: int | None = Field(None, ge=0, le=100_000, strict=True)


class RulesBody(s.In):
    """What the member may be dealt; an empty list allows everything."""

    channels: list[s.Name] = Field(default_factory=list, max_length=100)
    languages: list[s.Name] = Field(default_factory=list, max_length=100)
    skills: list[s.Name] = Field(default_factory=list, max_length=100)


class TeamBody(s.In):
    """Settings of a team that change from now on."""

    reaction_minutes: int | None = Field(None, ge=1, le=10_080, strict=True)
    gather_minutes: int | None = Field(None, ge=0, le=240, strict=True)
    pass_on: bool | None = Field(None, strict=True)
    returning: bool | None = Field(None, strict=True)
    intercept: bool | None = Field(None, strict=True)
    language: Literal["uk", "en"] | None = None


class MemberBody(s.In):
    """What changes in a team, from now on."""

    team: s.Name
    share: int | None = Field(None, ge=1, le=1000, strict=True)
    limit: int | None = Field(None, ge=0, le=100_000, strict=True)
    unlimited: bool = Field(False, strict=True)
    rules: RulesBody | None = None


class TeamOut(s.Out):
    """A team."""

    id: str
    name: str
    title: str
    intercept: bool
    reaction_minutes: int | None
    gather_minutes: int
    pass_on: bool
    returning: bool
    language: str | None
    timezone: str


class BalanceOut(s.Out):
    """Where one member stands: credits in thousandths of a task (above 0: is due)."""

    staff_id: str
    name: str
    share: int
    limit: int | None
    open_tasks: int
    credit_thousandths: int


class FairnessOut(s.Out):
    """The ledger's head: everyone's balance; the sum over members and house is always 0."""

    team: str
    seq: int
    sum_units: int
    house_thousandths: int
    members: list[BalanceOut]


class WhatIfQuery(s.In):
    """The change that is tried out: of whom, and a share, a limit ("none" takes it away) or shifts."""

    staff_id: s.Id
    share: s.Name = ""
    limit: s.Name = ""
    shift: s.Name = Field("", description="such as `mon-fri 09:00-18:00, sat 10:00-14:00`")
    start: s.TimeIn | None = None
    end: s.TimeIn | None = None


class WhatIfMemberOut(s.Out):
    """One member as it was and as it would have been; tasks with three decimals."""

    staff_id: str
    name: str
    received: float
    due: float
    would_have_received: float
    would_have_been_due: float
    most_open: int


class WhatIfOut(s.Out):
    """A past period dealt again with one change; nothing is changed by it."""

    team: str
    dealt: int
    to_others: int
    still_waiting: int
    members: list[WhatIfMemberOut]


def what_if(conn: Connection, call: Call) -> WhatIfOut:
    """Deal the past again."""
    asked: WhatIfQuery = call.query
    team = store.team_by_name(conn, call.params["name"])
    roster = peek(conn, team.id)
    member = roster.by_staff(int(asked.staff_id))
    if member is None:
        raise InputRejected(
            "this person is not in the team", [FieldProblem("staff_id", "name an open member")]
        )
    change = change_of(member.id, share=asked.share, limit=asked.limit, shift=asked.shift)
    start = Instant(asked.start) if asked.start is not None else None
    found = whatif_of(conn, team.id, change, start, Instant(asked.end) if asked.end is not None else None)
    names = {record.id: record.name for record in store.all_staff(conn)}
    return WhatIfOut(
        team=team.name,
        dealt=found.dealt,
        to_others=found.others,
        still_waiting=found.waiting,
        members=[
            WhatIfMemberOut(
                staff_id=str(m.staff_id),
                name=names.get(m.staff_id, "?"),
                received=was.tasks,
                due=was.due_tasks,
                would_have_received=would.tasks,
                would_have_been_due=would.due_tasks,
                most_open=would.most_open,
            )
            for m in roster.members.values()
            for was, would in [(found.was.get(m.id, NOTHING), found.would.get(m.id, NOTHING))]
            if not m.closed or was.received or would.received
        ],
    )


class CalendarOut(s.Out):
    """A new calendar address: its secret path, shown once."""

    path: str


def make_calendar(tx: Tx, call: Call) -> CalendarOut:
    """A new secret calendar address; the one before ends."""
    members.require_self_or_head(tx, call.actor, call.id())
    if call.actor.staff_id != call.id():
        raise AccessDenied("a calendar address is made by its own person")
    access.write_audit(tx, call.actor, "calendar_made", str(call.id()))
    return CalendarOut(path=f"/calendar/{access.make_feed(tx, call.id())}.ics")


def end_calendar(tx: Tx, call: Call) -> s.Out:
    """The calendar address ends."""
    members.require_self_or_head(tx, call.actor, call.id())
    if access.end_feed(tx, call.id()):
        access.write_audit(tx, call.actor, "calendar_ended", str(call.id()))
    return show(store.get(tx.conn, call.id()))


def show(record: StaffRecord) -> StaffOut:
    """A person."""
    return StaffOut(
        id=str(record.id),
        name=record.name,
        login=record.login,
        state=record.state,
        roles=sorted(record.roles),
        teams=[MembershipOut(team=m.team, share=m.share, limit=m.limit) for m in record.memberships],
        version=record.version,
    )


def list_staff(conn: Connection, _call: Call) -> BaseModel:
    """Everybody, by name."""
    return list_of(StaffOut)(items=[show(record) for record in store.all_staff(conn)])


def get_staff(conn: Connection, call: Call) -> StaffOut:
    """One person."""
    return show(store.get(conn, call.id()))


def add_staff(tx: Tx, call: Call) -> StaffOut:
    """A new person; only an admin makes heads and admins."""
    body: StaffBody = call.body
    if set(body.roles) - {Role.SELLER}:
        call.actor.require(May.OPERATE)
    staff_id = people.add_person(tx, body.name, body.roles, body.login)
    if body.team is not None:
        team = store.team_by_name(tx.conn, body.team)
        members.join_team(tx, call.actor, team.id, staff_id, body.share, body.limit)
    access.write_audit(tx, call.actor, "staff_added", str(staff_id))
    return show(store.get(tx.conn, staff_id))


def change_member(tx: Tx, call: Call) -> StaffOut:
    """Share and limit in a team; a person who is not in it joins."""
    body: MemberBody = call.body
    record = store.get(tx.conn, call.id())
    team = store.team_by_name(tx.conn, body.team)
    if record.state != "active":
        raise InputRejected("this person works here no more", [FieldProblem("id", "name an active person")])
    if any(m.team_id == team.id for m in record.memberships):
        members.change_member(
            tx, call.actor, team.id, record.id, share=body.share, limit=body.limit, unlimited=body.unlimited,
            rules=Rules.of(body.rules.model_dump()) if body.rules is not None else None,
        )  # fmt: skip
    else:
        members.join_team(tx, call.actor, team.id, record.id, body.share or 1, body.limit)
    return show(store.get(tx.conn, record.id))


def close_staff(tx: Tx, call: Call) -> StaffOut:
    """Somebody leaves: open work is handed over, sessions and tokens end, history keeps the name."""
    members.close_staff(tx, call.actor, call.id())
    return show(store.get(tx.conn, call.id()))


def list_teams(conn: Connection, _call: Call) -> BaseModel:
    """All teams."""
    return list_of(TeamOut)(items=[_team(team) for team in store.teams(conn)])


def _team(team: store.TeamRecord) -> TeamOut:
    rules = team_rules(json.dumps(team.settings))
    return TeamOut(
        id=str(team.id),
        name=team.name,
        title=team.title,
        intercept=rules.intercept,
        reaction_minutes=rules.reaction // MINUTE if rules.reaction is not None else None,
        gather_minutes=rules.gather // MINUTE,
        pass_on=rules.pass_on,
        returning=rules.returning,
        language=rules.language or None,
        timezone=rules.timezone,
    )


def change_team(tx: Tx, call: Call) -> TeamOut:
    """Change a team; what is left out stays as it is."""
    team = store.team_by_name(tx.conn, call.params["name"])
    members.change_team(tx, call.actor, team.id, call.body.model_dump(exclude_none=True))
    return _team(store.team_by_name(tx.conn, team.name))


def fairness(conn: Connection, call: Call) -> FairnessOut:
    """Where everybody stands."""
    team = store.team_by_name(conn, call.params["name"])
    roster = peek(conn, team.id)
    names = {record.id: record.name for record in store.all_staff(conn)}
    members = [
        BalanceOut(
            staff_id=str(m.staff_id),
            name=names.get(m.staff_id, "?"),
            share=m.share,
            limit=m.limit,
            open_tasks=m.load,
            credit_thousandths=round(m.credit * 1000 / UNIT),
        )
        for m in roster.members.values()
        if not m.closed
    ]
    return FairnessOut(
        team=team.name,
        seq=roster.seq,
        sum_units=roster.total(),
        house_thousandths=round(roster.house * 1000 / UNIT),
        members=members,
    )


OPERATIONS = (
    Operation(
        method="GET", path="/staff", summary="Everybody who works here", tag="staff", may=May.SEE,
        result=list_of(StaffOut), reads=list_staff,
    ),
    Operation(
        method="POST", path="/staff", summary="A new person", tag="staff", may=May.LEAD, body=StaffBody,
        result=StaffOut, writes=add_staff, status=201, errors=(404, 409),
    ),
    Operation(
        method="GET", path="/staff/{id}", summary="One person", tag="staff", may=May.SEE, result=StaffOut,
        reads=get_staff, errors=(404,),
    ),
    Operation(
        method="POST", path="/staff/{id}/membership", summary="Share and limit in a team", tag="staff",
        may=May.LEAD, body=MemberBody, result=StaffOut, writes=change_member, errors=(404, 409),
    ),
    Operation(
        method="POST", path="/staff/{id}/close", summary="Somebody leaves", tag="staff", may=May.LEAD,
        body=s.Empty, result=StaffOut, writes=close_staff, errors=(404, 409),
    ),
    Operation(
        method="GET", path="/teams", summary="All teams", tag="staff", may=May.SEE, result=list_of(TeamOut),
        reads=list_teams,
    ),
    Operation(
        method="PATCH", path="/teams/{name}", summary="Change how a team works", tag="staff", may=May.LEAD,
        body=TeamBody, result=TeamOut, writes=change_team, errors=(404,),
    ),
    Operation(
        method="GET", path="/teams/{name}/fairness", summary="Where everybody stands", tag="staff", may=May.SEE,
        result=FairnessOut, reads=fairness, errors=(404,),
    ),
    Operation(
        method="GET", path="/teams/{name}/what-if", summary="Deal a past period again with one change", tag="staff",
        may=May.LEAD, query=WhatIfQuery, result=WhatIfOut, reads=what_if, errors=(404,),
    ),
    Operation(
        method="POST", path="/staff/{id}/calendar", summary="A new secret calendar address", tag="staff",
        may=May.WORK, body=s.Empty, result=CalendarOut, writes=make_calendar, status=201, errors=(404,),
    ),
    Operation(
        method="POST", path="/staff/{id}/calendar/revoke", summary="End the calendar address", tag="staff",
        may=May.WORK, body=s.Empty, result=StaffOut, writes=end_calendar, errors=(404,),
    ),
)  # fmt: skip
