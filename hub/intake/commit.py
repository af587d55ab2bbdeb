"""The group commit of the intake: read after the lock, plan, write. Runs in the writer's thread."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, bindparam, delete, select, update
from sqlalchemy.engine import Connection

from hub.assignment.ledger import save_roster
from hub.db.bulk import prepared_insert
from hub.db.errors import Fault
from hub.db.lookup import Lookup
from hub.db.prepared import Prepared as PreparedStatement
from hub.db.tables import account, delivery, ledger_head, request, start_source, task
from hub.db.tx import Tx
from hub.intake import acknowledgement, snapshot
from hub.intake.extras import apply_signals
from hub.intake.model import DeliveryState, Prepared, Result
from hub.intake.plan import Planner, outcome
from hub.intake.planned import NO_ROUTES, Plan, Route
from hub.kernel.errors import Unavailable
from hub.outbox import webhooks

_BY_KEY = Lookup(
    (delivery.c.external_id, delivery.c.account, delivery.c.state, delivery.c.request_id),
    delivery.c.external_id,
)
_BY_ID = Lookup((delivery.c.id, delivery.c.state, delivery.c.request_id), delivery.c.id)


class IntakeCommit:
    """The `BatchHandler` of deliveries. Used by the writer's thread alone."""

    def __init__(self, routing: Mapping[str, Route] = NO_ROUTES) -> None:
        """`routing`: what the accounts' settings say about language and skill."""
        self._routing = routing
        self._tried: dict[int, int] = {}
        self._sets: dict[str, int] = {}

    def commit(self, tx: Tx, items: Sequence[Prepared]) -> Sequence[Result]:
        """Write a batch; raises what the database raises."""
        known = snapshot.read(tx, items)
        before = {team_id: roster.seq for team_id, roster in known.rosters.items()}
        planner = Planner(tx, known, items, self._sets, self._routing)
        plan = planner.run()
        self._tried = {id(item): made for item, made in zip(items, plan.delivery_ids, strict=True)}
        plan.outbox += acknowledgement.rows_for(tx, plan.opened, known.acknowledging)
        _change(tx, plan)
        rows = prepared_insert(tx.conn, plan.rows(planner.entries))
        changed = [roster for team_id, roster in known.rosters.items() if roster.seq != before[team_id]]

        def write() -> None:
            rows()
            for roster in changed:
                save_roster(tx, roster)
            _count_accounts(tx, plan)

        if known.hooks or plan.asks_more:
            with tx.pipelined():
                write()
            self._further(tx, plan)
        else:
            tx.with_commit(write)
        return plan.results

    def _further(self, tx: Tx, plan: Plan) -> None:
        """What is not written with the commit, as it needs to see what it does; it comes after the inserts."""
        for name, signals in plan.signals:
            apply_signals(tx, name, signals)
        _count_repeats(tx, plan)
        _tell_hooks(tx, plan)
        for channel_id, name in plan.started:
            tx.execute(
                delete(start_source).where(
                    start_source.c.channel_id == channel_id, start_source.c.account == name
                )
            )

    def store_failed(self, tx: Tx, item: Prepared, fault: Fault, reason: str) -> Result:
        """Keep raw what the database refused. A key that collides to the end gets its stored answer."""
        if fault is Fault.CONFLICT:
            found = self.find(tx.conn, [item])[0]
            if found is None:
                raise Unavailable("this delivery collides with another: try again")
            return found
        failed = dataclasses.replace(item, state=DeliveryState.FAILED, messages=(), reason=reason[:200])
        return self.commit(tx, [failed])[0]

    def find(self, conn: Connection, items: Sequence[Prepared]) -> Sequence[Result | None]:
        """Stored outcomes, by the ids that the last try made, else by the providers' keys.

        Locks the teams first: a COMMIT whose answer was lost may still be under way, and holds them.
        """
        teams = sorted({i.team_id for i in items})
        conn.execute(
            select(ledger_head.c.team_id)
            .where(ledger_head.c.team_id.in_(teams))
            .order_by(ledger_head.c.team_id)
            .with_for_update()
        )
        made = {self._tried[id(i)] for i in items if id(i) in self._tried}
        by_id = {row[0]: outcome(row[1], row[2]) for row in _BY_ID.run(conn, made)}
        keys = {i.external_id for i in items if i.external_id is not None}
        by_key = {(row[0], row[1]): outcome(row[2], row[3]) for row in _BY_KEY.run(conn, keys)}
        return [
            by_id.get(self._tried.get(id(i), 0)) or by_key.get((i.external_id or "", i.raw.account))
            for i in items
        ]


def _change(tx: Tx, plan: Plan) -> None:
    """What the plan changes in rows that exist: before the inserts, for the partial unique index."""
    if plan.demoted:
        tx.execute(
            update(request).where(request.c.id.in_(plan.demoted)).values(joining=False, updated_at=tx.now)
        )
    if plan.woken:  # due at once: the timer wakes them under the rules of waking
        tx.execute(update(task).where(task.c.id.in_(plan.woken)).values(snoozed_until_at=tx.now))
    for request_id in plan.sent_again:
        tx.execute(
            update(request)
            .where(request.c.id == request_id)
            .values(sent_again=request.c.sent_again + 1, updated_at=tx.now, version=request.c.version + 1)
        )
    for row in plan.replayed:
        values: dict[str, Any] = row._asdict()
        for kept in ("id", "received_at", "repeats"):
            del values[kept]
        tx.execute(update(delivery).where(delivery.c.id == row.id).values(**values))


def _tell_hooks(tx: Tx, plan: Plan) -> None:
    """Web hooks hear of new requests."""
    if plan.requests:
        opened = [
            (
                f"request:{row.id}",
                {"request_id": str(row.id), "team_id": str(row.team_id), "channel": row.account},
            )
            for row in plan.requests.values()
        ]
        webhooks.emit_all(tx, "request.created", opened)


_COUNT = PreparedStatement(
    update(account)
    .where(account.c.name == bindparam("account"))
    .values(
        stored=account.c.stored + bindparam("new", type_=BigInteger),
        repeated=account.c.repeated + bindparam("again", type_=BigInteger),
        last_ok_at=bindparam("at"),
    )
)


def _count_accounts(tx: Tx, plan: Plan) -> None:
    """Stored and repeated are counted in the transaction: one update an account and batch."""
    for name in sorted(plan.stored.keys() | plan.repeated.keys()):
        _COUNT.run(
            tx.conn, account=name, new=plan.stored.get(name, 0), again=plan.repeated.get(name, 0), at=tx.now
        )


def _count_repeats(tx: Tx, plan: Plan) -> None:
    """After the inserts: a repeat may meet a row of its own batch."""
    by_times: dict[int, list[int]] = {}
    for delivery_id, times in Counter(plan.repeats_of).items():
        by_times.setdefault(times, []).append(delivery_id)
    for times, ids in sorted(by_times.items()):
        tx.execute(update(delivery).where(delivery.c.id.in_(ids)).values(repeats=delivery.c.repeats + times))
