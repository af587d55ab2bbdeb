"""A team's whole dealing as lines, complete enough to be checked without the hub: see docs/fairness.md.

Streams: a set is told before the first entry that names it, so memory holds the names of sets only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Connection

from hub.assignment.ledger import Linked, peek, read_chain
from hub.assignment.policy import RULE_VERSION, UNIT
from hub.assignment.verify import FORMAT
from hub.db.rows import EligibilityFactRow, LedgerRow
from hub.db.tables import eligible_set, team

_AT_ONCE = 500


def export_lines(conn: Connection, team_id: int) -> Iterator[dict[str, Any]]:
    """Every line, in order. Read in one transaction, so that the end fits the beginning."""
    head = peek(conn, team_id)
    name = conn.execute(select(team.c.name).where(team.c.id == team_id)).scalar_one()
    yield {
        "kind": "header",
        "format": FORMAT,
        "rule": RULE_VERSION,
        "unit": str(UNIT),
        "team": str(team_id),
        "name": name,
    }
    yield from _History(conn, team_id).lines()
    yield {
        "kind": "end",
        "seq": head.seq,
        "facts": head.facts,
        "hash": head.hash,
        "house": str(head.house),
        "credits": {str(m.id): str(m.credit) for m in head.members.values()},
    }


class _History:
    """Facts and entries, each behind what it names."""

    def __init__(self, conn: Connection, team_id: int) -> None:
        self._conn = conn
        self._team_id = team_id
        self._told_sets: set[str] = set()

    def lines(self) -> Iterator[dict[str, Any]]:
        waiting: list[Linked | EligibilityFactRow] = []
        for one in read_chain(self._conn, self._team_id):
            waiting.append(one)
            if len(waiting) >= _AT_ONCE:
                yield from self._tell(waiting)
                waiting = []
        yield from self._tell(waiting)

    def _tell(self, part: list[Linked | EligibilityFactRow]) -> Iterator[dict[str, Any]]:
        entries = [one for one in part if isinstance(one, Linked)]
        yield from self._sets({one.digest for one in entries if one.digest})
        for one in part:
            yield _entry(*one) if isinstance(one, Linked) else _fact(one)

    def _sets(self, named: set[str]) -> Iterator[dict[str, Any]]:
        new = sorted(named - self._told_sets)
        self._told_sets.update(new)
        query = select(eligible_set.c.hash, eligible_set.c.body).where(eligible_set.c.hash.in_(new))
        for row in self._conn.execute(query.order_by(eligible_set.c.hash)):
            yield {"kind": "set", "digest": row.hash, "body": row.body}


def _fact(f: EligibilityFactRow) -> dict[str, Any]:
    return {
        "kind": "fact",
        "number": f.number,
        "seq": f.seq,
        "member": str(f.membership_id),
        "fact": f.kind,
        "value": f.value,
        "valid_from": f.valid_from_at,
        "recorded_at": f.recorded_at,
        "actor": f.actor,
        "hash": f.hash,
    }


def _entry(e: LedgerRow, needs: str, digest: str) -> dict[str, Any]:
    return {
        "kind": "entry",
        "seq": e.seq,
        "task": str(e.task_id),
        "needs": needs,
        "event": e.event,
        "set": digest or None,
        "taker": str(e.taker_id) if e.taker_id is not None else None,
        "giver": str(e.giver_id) if e.giver_id is not None else None,
        "units": str(e.units),
        "taker_credit": str(e.taker_credit),
        "credits": e.credits,
        "actor": e.actor,
        "reason": e.reason,
        "at": e.at,
        "correlation": str(e.correlation_id),
        "hash": e.hash,
    }
