"""An order along its route: what it is lacking, who has to agree, and what happens by itself on arrival.

Teams are locked before orders everywhere: so tasks (approvals, follow-up work) are opened and closed before
the order's own row is written.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from hub.access.model import Actor, May
from hub.assignment import service as assignment
from hub.contacts import store as contacts
from hub.db.tx import Tx
from hub.kernel import text
from hub.kernel.clock import DAY
from hub.kernel.errors import (
    AlreadyClaimed,
    FieldProblem,
    Incomplete,
    InputRejected,
    TransitionRefused,
    VersionConflict,
)
from hub.orders import asking, outgoing, store
from hub.orders.actions import Action, Do
from hub.orders.approval import AFTER, ApprovalRow, ApprovalState, Verdict, not_asked, still_needed
from hub.orders.journal import entry_of
from hub.orders.model import OrderRow
from hub.orders.rules import choose, standing_of
from hub.orders.stages import Facts, Route, Stage
from hub.outbox.put import put_order_notice
from hub.sdk.tracking import MoneyStatus, Status
from hub.tasks import store as tasks

_MOVED = "stage"


@dataclass(frozen=True, slots=True)
class Step:
    """A move that the route offers: what stands in its way is named, so that a button can say it."""

    stage: Stage
    backwards: bool
    lacking: Sequence[FieldProblem]
    waits_for: Sequence[str]
    leads_only: bool


def get(tx: Tx, order_id: int, expected_version: int | None) -> OrderRow:
    """The order as the caller knows it. Raises VersionConflict."""
    row = store.get(tx.conn, order_id)
    if expected_version is not None and expected_version != row.version:
        raise VersionConflict(f"order {order_id} was changed by somebody else", version=row.version)
    return row


def facts_of(conn: Connection, row: OrderRow) -> Facts:
    """What the checks of a stage look at."""
    return Facts(
        fields=json.loads(row.fields),
        lines=store.count_lines(conn, row.id),
        parcels=len(store.parcels(conn, row.id)),
        has_phone=bool(contacts.get(conn, row.contact_id).first("phone")),
        total_minor=row.total_minor,
        paid_minor=row.paid_minor,
        next_contact_at=row.next_contact_at,
        wanted_at=row.wanted_at,
    )


def steps(route: Route, row: OrderRow, facts: Facts, asked: Sequence[ApprovalRow]) -> list[Step]:
    """Every move from here."""
    here = route.stages[row.stage]
    return [
        Step(
            route.stages[key],
            route.is_backwards(key, row.stage),
            route.lacking(key, facts),
            still_needed(route.stages[key].approvals, asked, key),
            here.kind == "lost",
        )
        for key in route.moves.get(row.stage, ())
    ]


def move_stage(
    tx: Tx, actor: Actor, order_id: int, stage: str, reason: str = "", expected_version: int | None = None
) -> OrderRow:
    """Move an order along its route.

    Raises TransitionRefused naming what is possible, Incomplete naming what is missing, and refuses while
    approvals are open. Where approvals were not asked for yet, they are now, and the order stays.
    """
    actor.require(May.WORK)
    row = get(tx, order_id, expected_version)
    route = store.load_route(tx.conn, row.route, row.route_version)
    if stage not in route.stages:
        raise InputRejected(
            "there is no such stage", [FieldProblem("stage", f"one of {', '.join(route.stages)}")]
        )
    if stage == row.stage:
        return row
    route.check_move(row.stage, stage)
    if route.stages[row.stage].kind == "lost":
        actor.require(May.LEAD)  # out of the archive
    if route.is_backwards(stage, row.stage) and not reason:
        raise InputRejected("this move needs a reason", [FieldProblem("reason", "say why")])
    _require_complete(tx, row, route, stage)
    asked = store.approvals(tx.conn, row.id)
    roles = route.stages[stage].approvals
    waiting = still_needed(roles, asked, stage)
    if not waiting:
        return _moved(tx, actor, row, route, stage, reason, {})
    fresh = not_asked(roles, asked, stage)
    if not fresh:
        names = ", ".join(waiting)
        raise TransitionRefused(
            f"{stage} waits for the approval of {names}", stage=row.stage, wanted=stage, waits_for=names
        )
    asking.ask(tx, actor, row, stage, fresh)
    entry = entry_of(tx, actor, row, "approval_asked", row.stage, reason, {"stage": stage, "roles": fresh})
    return store.save(tx, row, entry)


def _require_complete(tx: Tx, row: OrderRow, route: Route, stage: str) -> None:
    problems = route.lacking(stage, facts_of(tx.conn, row))
    if problems:
        names = ", ".join(problem.message for problem in problems)
        raise Incomplete(f"{stage} needs first: {names}", problems, stage=row.stage, wanted=stage)


def decide(tx: Tx, actor: Actor, approval_id: int, verdict: Verdict, comment: str = "") -> OrderRow:
    """Agree, return, refuse or comment, as who was dealt the task, or as the head.

    All agreed: the order moves on by itself. Returned: it goes one step back. Refused: it ends.
    """
    actor.require(May.WORK)
    one = store.get_approval(tx.conn, approval_id)
    comment = text.clean(comment, text.BODY)
    if verdict is not Verdict.AGREE and not comment:
        raise InputRejected("this answer needs a comment", [FieldProblem("comment", "say why")])
    if not one.current or one.state != ApprovalState.OPEN:
        raise TransitionRefused("this approval is decided already", stage=one.stage, approval=one.state)
    holder = tasks.get(tx.conn, one.task_id).assignee_id
    if not actor.may(May.LEAD) and (actor.staff_id is None or holder != actor.staff_id):
        raise AlreadyClaimed("somebody else is asked for this approval", assignee_id=str(holder))
    if verdict is not Verdict.COMMENT:  # first: it locks the team
        asking.finish(tx, actor, one, comment)
    row = store.get(tx.conn, one.order_id)
    said = {"stage": one.stage, "role": one.role, "verdict": str(verdict)}
    entry = entry_of(tx, actor, row, "approval", row.stage, comment or None, {**said})
    if verdict is Verdict.COMMENT:
        return store.save(tx, row, entry)
    store.change_approval(
        tx, one, state=AFTER[verdict], comment=comment, decided_by=actor.label, decided_at=tx.now
    )
    return _after_verdict(tx, actor, store.save(tx, row, entry), one, verdict, comment)


def _after_verdict(
    tx: Tx, actor: Actor, row: OrderRow, one: ApprovalRow, verdict: Verdict, comment: str
) -> OrderRow:
    route = store.load_route(tx.conn, row.route, row.route_version)
    if verdict is Verdict.AGREE:
        roles = route.stages[one.stage].approvals
        open_roles = still_needed(roles, store.approvals(tx.conn, row.id), one.stage)
        reachable = one.stage in route.moves.get(row.stage, ())
        if open_roles or not reachable or route.lacking(one.stage, facts_of(tx.conn, row)):
            return row  # others are asked still, or a person fills in what is missing and moves it
        return _moved(tx, asking.ORDERS, row, route, one.stage, "everybody agreed", {})
    target = _way_out(route, row.stage, refused=verdict is Verdict.REFUSE)
    if target is None:
        asking.drop(tx, row.id, "the order was returned")
        return row
    return _moved(tx, actor, row, route, target, comment, {"verdict": str(verdict)})


def _way_out(route: Route, stage: str, *, refused: bool) -> str | None:
    """Where a returned or refused order goes: the last open stage before, or the end without a sale."""
    moves = [route.stages[key] for key in route.moves.get(stage, ())]
    if refused:
        return next((s.key for s in moves if s.kind == "lost"), None)
    before = [s for s in moves if s.kind == "open" and s.place < route.stages[stage].place]
    return max(before, key=lambda s: s.place).key if before else None


def follow_parcels(
    tx: Tx, actor: Actor, order_id: int, parcels: Sequence[tuple[str, str, str]]
) -> OrderRow | None:
    """The order goes where the rules of its route say: forward only; its journal tells why. None: nothing to do.

    parcels  (number, status, money status) of each. None of them carries an order past an approval, or past what
             has to be filled in
    """
    standing = standing_of([(Status(status), MoneyStatus(money)) for _, status, money in parcels])
    if standing is None:
        return None
    row, route = store.with_route(tx.conn, order_id)
    rule = choose(route.rules, standing, row.payment)
    if rule is None:
        return None
    here, there = route.stages[row.stage], route.stages.get(rule.stage)
    if there is None or here.kind != "open" or not route.is_ahead(there.key, row.stage):
        return None
    passed = route.between(row.stage, there.key) or [there]
    facts = facts_of(tx.conn, row)
    if any(one.approvals or route.lacking(one.key, facts) for one in passed):
        return None
    why: dict[str, object] = {"rule": rule.line(), "parcels": [list(one) for one in parcels]}
    return _moved(tx, actor, row, route, there.key, "followed its parcels", why)


def _moved(
    tx: Tx, actor: Actor, row: OrderRow, route: Route, stage: str, reason: str, why: dict[str, object]
) -> OrderRow:
    there = route.stages[stage]
    asking.drop(tx, row.id, "the order moved on")
    if there.asks_for:
        asking.ask(tx, actor, row, there.asks_for, route.stages[there.asks_for].approvals)
    done = [action for action in there.actions if _before(tx, row, action)]
    ended = there.kind != "open"
    values: dict[str, object] = {
        "stage": stage,
        "closed_at": tx.now if ended else None,
        "archived_at": tx.now if there.kind == "lost" else None,
    }
    for action in there.actions:
        if action.do is Do.NEXT_CONTACT:
            values["next_contact_at"] = tx.now + action.days * DAY
            done.append(action)
    sent = [action for action in there.actions if _sent(tx, actor, row, route, stage, action)]
    told = [action.line() for action in there.actions if action in [*done, *sent]]
    body = {"from": row.stage, **why, **({"actions": told} if told else {})}
    entry = entry_of(tx, actor, row, _MOVED, stage, reason, body)
    changed = store.save(tx, row, entry, **values)
    outgoing.tell(tx, "order.stage", changed, **{"from": row.stage})
    return changed


def _before(tx: Tx, row: OrderRow, action: Action) -> bool:
    """What touches the team: before the order's row is written."""
    if action.do is not Do.TASK:
        return False
    team_id = store.team_of(tx.conn, row)
    title = f"order {row.number}: {action.what}"
    assignment.open_task(tx, asking.ORDERS, team_id, kind="order", title=title, subject_id=row.id)
    return True


def _sent(tx: Tx, actor: Actor, row: OrderRow, route: Route, stage: str, action: Action) -> bool:
    """What leaves through the outbox; a template that is not there is not in the journal either."""
    if action.do is Do.SEND:
        return outgoing.send_template(tx, actor, row._replace(stage=stage), route, action.what)
    if action.do is Do.NOTIFY:
        whom = [row.responsible_id] if action.what == "responsible" else store.heads(tx.conn)
        for staff_id in whom:
            put_order_notice(tx, staff_id, row.id, stage)
        return bool(whom)
    return False
