"""What must hold in a database, looked at from outside the code that writes it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.engine import Connection

from hub.assignment.export import export_lines
from hub.assignment.ledger import GENESIS, chain, entry_text, fact_text, peek, read_chain
from hub.assignment.policy import Roster
from hub.assignment.verify import Broken, Verifier
from hub.db.rows import EligibilityFactRow
from hub.db.tables import eligible_set, ledger_head, order_journal, orders, payment, task
from hub.orders.journal import GENESIS as ORDER_GENESIS
from hub.orders.journal import entry_hash
from hub.orders.model import EntryRow, OrderRow
from hub.tasks.model import HELD

_ORPHANS = {
    "requests without contact": (
        "SELECT count(*) FROM request r LEFT JOIN contact c ON c.id = r.contact_id WHERE c.id IS NULL"
    ),
    "messages without request": (
        "SELECT count(*) FROM message m LEFT JOIN request r ON r.id = m.request_id WHERE r.id IS NULL"
    ),
    "open requests without open task": (
        "SELECT count(*) FROM request r "
        "LEFT JOIN task t ON t.request_id = r.id AND t.state NOT IN ('done', 'cancelled') "
        "WHERE r.state = 'open' AND t.id IS NULL"
    ),
    "stored deliveries without request": (
        "SELECT count(*) FROM delivery d LEFT JOIN request r ON r.id = d.request_id "
        "WHERE d.state = 'stored' AND r.id IS NULL"
    ),
    "deliveries that wait and have no body": (
        "SELECT count(*) FROM delivery d LEFT JOIN delivery_body b ON b.delivery_id = d.id "
        "WHERE d.next_try_at IS NOT NULL AND b.delivery_id IS NULL"
    ),
    "identities without contact": (
        "SELECT count(*) FROM identity i LEFT JOIN contact c ON c.id = i.contact_id WHERE c.id IS NULL"
    ),
    "merged cards that still have identities, requests or orders": (
        "SELECT count(*) FROM contact c WHERE c.merged_into_id IS NOT NULL AND ("
        "EXISTS (SELECT 1 FROM identity i WHERE i.contact_id = c.id) OR "
        "EXISTS (SELECT 1 FROM request r WHERE r.contact_id = c.id) OR "
        "EXISTS (SELECT 1 FROM orders o WHERE o.contact_id = c.id))"
    ),
    "cards merged into one that is merged itself, or into none": (
        "SELECT count(*) FROM contact c LEFT JOIN contact s ON s.id = c.merged_into_id "
        "WHERE c.merged_into_id IS NOT NULL AND (s.id IS NULL OR s.merged_into_id IS NOT NULL)"
    ),
    "merges that their card does not know, and merged cards without a merge": (
        "SELECT (SELECT count(*) FROM contact_merge m JOIN contact c ON c.id = m.merged_id "
        "WHERE m.undone_at IS NULL AND c.merged_into_id IS NULL) + "
        "(SELECT count(*) FROM contact c LEFT JOIN contact_merge m ON m.merged_id = c.id AND m.undone_at IS NULL "
        "WHERE c.merged_into_id IS NOT NULL AND m.id IS NULL)"
    ),
}


def findings(conn: Connection) -> list[dict[str, Any]]:
    """One row for each thing that is wrong; none when all is well."""
    return [
        *_orphans(conn), *counters(conn), *_ledgers(conn), *_sets(conn), *_journals(conn), *_payments(conn),
    ]  # fmt: skip


_COUNTERS = """
    SELECT a.name, a.stored, a.repeated, count(d.id) AS there, coalesce(sum(d.repeats), 0) AS again
    FROM account a LEFT JOIN delivery d ON d.account = a.name
    GROUP BY a.name, a.stored, a.repeated ORDER BY a.name
"""


def counters(conn: Connection) -> Iterator[dict[str, Any]]:
    """offered = stored + repeated + rejected: the first two are what the deliveries themselves say."""
    for row in conn.execute(text(_COUNTERS)):
        if (row.stored, row.repeated) != (row.there, row.again):
            told = f"stored {row.stored}, repeated {row.repeated}"
            yield _finding(
                "counters differ from deliveries",
                f"account {row.name}: {told}; there are {row.there} and {row.again}",
            )


def _finding(what: str, detail: str) -> dict[str, Any]:
    return {"finding": what, "detail": detail}


def _orphans(conn: Connection) -> Iterator[dict[str, Any]]:
    for what, query in _ORPHANS.items():
        count = conn.execute(text(query)).scalar_one()
        if count:
            yield _finding(what, str(count))


def _ledgers(conn: Connection) -> Iterator[dict[str, Any]]:
    """Each team: no gap, an unbroken chain, a sum of zero, loads as the tasks say."""
    for team_id in conn.execute(select(ledger_head.c.team_id)).scalars().all():
        roster = peek(conn, team_id)
        found = [*_chain(conn, roster), *_sum(roster), *_loads(conn, roster)]
        yield from found or _replay(conn, roster)


def _chain(conn: Connection, roster: Roster) -> Iterator[dict[str, Any]]:
    """Numbers without gaps, hashes that follow from what they cover; then the rule, line by line."""
    before, last, number = GENESIS, 0, 0
    for one in read_chain(conn, roster.team_id):
        if isinstance(one, EligibilityFactRow):
            number += 1
            found, wanted, place, content = one.number, number, f"fact {number}", fact_text(one)
            digest = one.hash
        else:
            last += 1
            found, wanted, place, content = one.entry.seq, last, f"entry {one.entry.seq}", entry_text(*one)
            digest = one.entry.hash
        if found != wanted:
            yield _finding("ledger has a gap", f"team {roster.team_id}, before {place}")
            return
        before = chain(before, content)
        if before != digest:
            yield _finding("ledger entry was changed", f"team {roster.team_id}, {place}")
            return
    if (last, number, before) != (roster.seq, roster.facts, roster.hash):
        yield _finding("ledger does not end where its head says", f"team {roster.team_id}")


def _sum(roster: Roster) -> Iterator[dict[str, Any]]:
    if roster.total() != 0:
        yield _finding("credits do not add up to zero", f"team {roster.team_id}: {roster.total()}")


def _replay(conn: Connection, roster: Roster) -> Iterator[dict[str, Any]]:
    """Everything by the rule again: who could be dealt each task, who took it, what it cost."""
    try:
        Verifier().run(export_lines(conn, roster.team_id))
    except Broken as broken:
        yield _finding("dealing does not follow the rule", f"team {roster.team_id}, {broken.message}")


def _loads(conn: Connection, roster: Roster) -> Iterator[dict[str, Any]]:
    of_team = task.c.team_id == roster.team_id
    held = select(task.c.membership_id, func.count()).where(of_team, task.c.state.in_(HELD))
    loads = {row[0]: row[1] for row in conn.execute(held.group_by(task.c.membership_id))}
    for member in roster.members.values():
        if member.load != loads.get(member.id, 0):
            yield _finding("load differs from open tasks", f"membership {member.id}")


def _sets(conn: Connection) -> Iterator[dict[str, Any]]:
    """The chain covers the name of an entry's set; the name is the hash of what is in it."""
    for row in conn.execute(select(eligible_set)):
        if hashlib.sha256(f"{row.team_id}|{row.body}".encode()).hexdigest() != row.hash:
            yield _finding("eligible set was changed", f"set {row.id}")


def _journals(conn: Connection) -> Iterator[dict[str, Any]]:
    heads = {row.id: OrderRow._make(row) for row in conn.execute(select(orders))}
    before: dict[int, tuple[int, str]] = {}
    for row in conn.execute(select(order_journal).order_by(order_journal.c.order_id, order_journal.c.seq)):
        entry = EntryRow._make(row)
        seq, last = before.get(entry.order_id, (0, ORDER_GENESIS))
        if entry.seq != seq + 1 or entry_hash(last, entry) != entry.hash:
            yield _finding("order journal was changed", f"order {entry.order_id}, entry {entry.seq}")
            return
        before[entry.order_id] = (entry.seq, entry.hash)
    for order_id, order in heads.items():
        if before.get(order_id) != (order.journal_seq, order.journal_hash):
            yield _finding("order journal does not end where its order says", f"order {order_id}")


def _payments(conn: Connection) -> Iterator[dict[str, Any]]:
    """Payments are what the journal's chain says they are, and add up to what the order says is paid."""
    told = {}
    entries = select(order_journal.c.body).where(order_journal.c.event.in_(("payment", "payment_reversed")))
    for body in conn.execute(entries).scalars():
        said = json.loads(body)
        told[int(said["payment"])] = (said["kind"], said["amount_minor"], said["method"])
    sums: dict[int, int] = {}
    for row in conn.execute(select(payment)):
        if told.pop(row.id, None) != (row.kind, row.amount_minor, row.method):
            yield _finding("payment differs from its journal", f"order {row.order_id}, payment {row.id}")
        if row.kind == "received":
            sums[row.order_id] = sums.get(row.order_id, 0) + row.amount_minor
    for payment_id in told:
        yield _finding("payment of the journal is gone", f"payment {payment_id}")
    for order_id, paid in conn.execute(select(orders.c.id, orders.c.paid_minor)):
        if sums.get(order_id, 0) != paid:
            yield _finding("paid differs from the payments", f"order {order_id}")
