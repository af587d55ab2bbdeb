"""Who is in a team, with what share, limit and rules, and who is there. Each use case locks the team first.

A membership that closes keeps its balance; coming back is a new one at 0. Whatever a person leaves behind
goes back to the queue, and his colleagues are dealt it in the same transaction.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import insert, select, update

from hub.access import store as access
from hub.access.model import Actor, May
from hub.assignment.bench import Bench
from hub.assignment.policy import Member, Rules
from hub.db import tables as t
from hub.db.tx import Tx
from hub.kernel.clock import Instant
from hub.kernel.errors import AccessDenied, FieldProblem, InputRejected, NotFound, RuleSaysNo
from hub.requests.service import note
from hub.staff import schedule
from hub.staff import store as staff
from hub.tasks import store as tasks

MAX_SHARE = 1000
MAX_LIMIT = 100_000
MAX_RULES = 100


def join_team(
    tx: Tx, actor: Actor, team_id: int, staff_id: int, share: int = 1, limit: int | None = None
) -> int:
    """A person joins a team at credit 0 and is dealt what waits. Returns the membership's id."""
    actor.require(May.LEAD)
    check_share(share, limit)
    bench = Bench(tx, actor, team_id)
    if bench.roster.by_staff(staff_id) is not None:
        raise RuleSaysNo("this person is in the team already")
    works = tx.execute(select(t.staff.c.state).where(t.staff.c.id == staff_id)).scalar_one_or_none()
    if works != "active":
        raise RuleSaysNo("this person works here no more")
    membership_id = tx.new_id()
    tx.execute(
        insert(t.membership).values(
            id=membership_id,
            team_id=team_id,
            staff_id=staff_id,
            share=share,
            open_limit=limit,
            opened_at=tx.now,
        )
    )
    bench.roster.members[membership_id] = Member(membership_id, staff_id, share, limit)
    bench.entries.fact(
        bench.roster,
        membership_id,
        "member",
        {"staff": str(staff_id), "share": share, "limit": limit},
        tx.now,
    )
    bench.forget_calendars()
    bench.look_at_calendar()
    bench.close()
    return membership_id


def change_member(
    tx: Tx,
    actor: Actor,
    team_id: int,
    staff_id: int,
    *,
    share: int | None,
    limit: int | None,
    unlimited: bool = False,
    rules: Rules | None = None,
) -> None:
    """Change share, limit or rules from now on; a raised limit is filled from the queue at once."""
    actor.require(May.LEAD)
    check_share(1 if share is None else share, limit)
    if rules is not None:
        check_rules(rules)
    bench = Bench(tx, actor, team_id)
    member = _require_member(bench, staff_id)
    if share is not None and share != member.share:
        member.share = share
        bench.entries.fact(bench.roster, member.id, "share", share, tx.now)
    new_limit = None if unlimited else member.limit if limit is None else limit
    if new_limit != member.limit:
        member.limit = new_limit
        bench.entries.fact(bench.roster, member.id, "limit", new_limit, tx.now)
    if rules is not None and rules != member.rules:
        member.rules = rules
        bench.entries.fact(bench.roster, member.id, "rules", rules.body(), tx.now)
    tx.execute(
        update(t.membership)
        .where(t.membership.c.id == member.id)
        .values(share=member.share, open_limit=member.limit, rules=json.dumps(member.rules.body()))
    )
    changed = {"share": member.share, "limit": member.limit, "rules": member.rules.body()}
    note(tx, actor, "staff", staff_id, "member_changed", body={"team": str(team_id), **changed})
    access.write_audit(
        tx, actor, "member_changed", str(staff_id), json.dumps({"team": str(team_id), **changed})
    )
    bench.close()


def leave_team(tx: Tx, actor: Actor, team_id: int, staff_id: int) -> None:
    """The membership closes and keeps its balance; everything open is handed over."""
    actor.require(May.LEAD)
    bench = Bench(tx, actor, team_id)
    _leave(bench, _require_member(bench, staff_id))
    bench.close()


def close_staff(tx: Tx, actor: Actor, staff_id: int) -> None:
    """A person works here no more: everything open is handed over, sessions and tokens end.

    History keeps the name. Raises NotFound; closing a closed person changes nothing.
    """
    actor.require(May.LEAD)
    if staff.get(tx.conn, staff_id).state == "closed":
        return
    benches = [Bench(tx, actor, team_id) for team_id in lock_teams_of(tx, staff_id)]
    for bench in benches:
        member = bench.roster.by_staff(staff_id)
        if member is not None:
            _leave(bench, member)
    staff.close(tx, staff_id)
    access.close_sessions_of(tx, staff_id, tokens_too=True)
    access.write_audit(tx, actor, "staff_closed", str(staff_id))
    note(tx, actor, "staff", staff_id, "closed")
    for bench in benches:
        bench.close()


def _leave(bench: Bench, member: Member) -> None:
    for row in tasks.held(bench.tx.conn, member.id):
        bench.back_to_queue(row, "hand_over", "left the team", let_go=False)
    member.closed = True
    tx = bench.tx
    tx.execute(update(t.membership).where(t.membership.c.id == member.id).values(closed_at=tx.now))
    bench.entries.fact(bench.roster, member.id, "member", None, tx.now)


# --- who is there ------------------------------------------------------------------------------------


def lock_teams_of(tx: Tx, staff_id: int) -> Sequence[int]:
    """The teams of a person, ascending: open a `Bench` of each before anything about him is changed."""
    query = select(t.membership.c.team_id).where(
        t.membership.c.staff_id == staff_id, t.membership.c.closed_at.is_(None)
    )
    return sorted(tx.execute(query).scalars())


class Calendars:
    """A change of a person's calendar: lock his teams, change, look again, deal what is freed.

    with Calendars(tx, actor, staff_id):
        schedule.add(...)
    """

    def __init__(self, tx: Tx, actor: Actor, staff_id: int) -> None:
        self._tx = tx
        self._actor = actor
        self._staff_id = staff_id
        self._benches: list[Bench] = []

    def __enter__(self) -> None:
        teams = lock_teams_of(self._tx, self._staff_id)
        self._benches = [Bench(self._tx, self._actor, team_id) for team_id in teams]

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            return
        for bench in self._benches:
            bench.forget_calendars()
            bench.look_at_calendar()
            bench.close()


def pause(tx: Tx, actor: Actor, staff_id: int, until: Instant | None = None) -> None:
    """A seller takes no new tasks for a while; what he has stays his."""
    require_self_or_head(tx, actor, staff_id)
    if until is not None and until <= tx.now:
        raise InputRejected("a pause ends later", [FieldProblem("until", "name a time to come")])
    with Calendars(tx, actor, staff_id):
        schedule.end(tx, actor.label, staff_id, "pause")
        schedule.add(tx, actor.label, staff_id, "pause", {}, from_at=tx.now, until_at=until)
        note(tx, actor, "staff", staff_id, "paused", body={"until": until})


def resume(tx: Tx, actor: Actor, staff_id: int) -> None:
    """He is back: from a pause, or after he has let a task pass."""
    require_self_or_head(tx, actor, staff_id)
    with Calendars(tx, actor, staff_id):
        schedule.end(tx, actor.label, staff_id, "pause")
        note(tx, actor, "staff", staff_id, "resumed")
    for team_id in lock_teams_of(tx, staff_id):
        bench = Bench(tx, actor, team_id)
        member = _require_member(bench, staff_id)
        if member.silent:
            bench.set_away(member, member.off, silent=False)
        bench.close()


def require_self_or_head(tx: Tx, actor: Actor, staff_id: int) -> None:
    """Raises AccessDenied; NotFound for a person who is none, whoever asks."""
    actor.require(May.WORK)
    staff.get(tx.conn, staff_id)
    if actor.staff_id != staff_id and not actor.may(May.LEAD):
        raise AccessDenied("for others the head does that")


def _require_member(bench: Bench, staff_id: int) -> Member:
    member = bench.roster.by_staff(staff_id)
    if member is None:
        raise NotFound("this person is not in the team")
    return member


def check_share(share: int, limit: int | None) -> None:
    """Raises InputRejected naming what is out of bounds."""
    problems: list[FieldProblem] = []
    if not 1 <= share <= MAX_SHARE:
        problems.append(FieldProblem("share", f"a share is a whole number from 1 to {MAX_SHARE}"))
    if limit is not None and not 0 <= limit <= MAX_LIMIT:
        problems.append(FieldProblem("limit", f"a limit is a whole number from 0 to {MAX_LIMIT}"))
    if problems:
        raise InputRejected("the share or the limit is out of bounds", problems)


def check_rules(rules: Rules) -> None:
    """Raises InputRejected for lists that nobody can mean."""
    problems = [
        FieldProblem(f"rules.{name}", f"a list of up to {MAX_RULES} names")
        for name, allowed in rules._asdict().items()
        if len(allowed) > MAX_RULES or not all(0 < len(one) <= MAX_RULES for one in allowed)
    ]
    if problems:
        raise InputRejected("these rules cannot be kept", problems)


# --- the team ----------------------------------------------------------------------------------------


def change_team(tx: Tx, actor: Actor, team_id: int, changes: dict[str, object]) -> None:
    """Change settings of a team: reaction_minutes, pass_on, gather_minutes, returning, intercept, language.

    The values were checked by the caller's schema. Raises NotFound.
    """
    actor.require(May.LEAD)
    bench = Bench(tx, actor, team_id)
    stored = tx.execute(select(t.team.c.settings).where(t.team.c.id == team_id)).scalar_one()
    settings = {**json.loads(stored), **changes}
    tx.execute(update(t.team).where(t.team.c.id == team_id).values(settings=json.dumps(settings)))
    note(tx, actor, "team", team_id, "changed", body=dict(changes))
    bench.look_at_calendar()
    bench.close()
