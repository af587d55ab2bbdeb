"""What must hold in a database, looked at from outside the code that writes it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.engine import Connection

from hub.assignment.ledger import GENESIS, chain, entry_text, peek, read_entries
from hub.assignment.policy import UNIT, Roster
from hub.db.tables import eligible_set, ledger, ledger_head, order_journal, orders, task
from hub.orders.model import EntryRow, OrderRow
from hub.orders.service import GENESIS as ORDER_GENESIS
from hub.orders.service import entry_hash
from hub.staff import store as staff
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
    "deliveries without body": (
        "SELECT count(*) FROM delivery d LEFT JOIN delivery_body b ON b.delivery_id = d.id WHERE b.delivery_id IS NULL"
    ),
    "identities without contact": (
        "SELECT count(*) FROM identity i LEFT JOIN contact c ON c.id = i.contact_id WHERE c.id IS NULL"
    ),
}


def findings(conn: Connection) -> list[dict[str, Any]]:
    """One row for each thing that is wrong; none when all is well."""
    return [*_orphans(conn), *_ledgers(conn), *_sets(conn), *_journals(conn)]


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
        yield from _chain(conn, roster)
        if roster.total() != 0:
            yield _finding("credits do not add up to zero", f"team {roster.team_id}: {roster.total()}")
        yield from _loads(conn, roster)


def _chain(conn: Connection, roster: Roster) -> Iterator[dict[str, Any]]:
    before, last = GENESIS, 0
    for last, (entry, digest) in enumerate(read_entries(conn, roster.team_id), 1):
        if entry.seq != last:
            yield _finding("ledger has a gap", f"team {roster.team_id}, before entry {entry.seq}")
            return
        before = chain(before, entry_text(entry, digest))
        if before != entry.hash:
            yield _finding("ledger entry was changed", f"team {roster.team_id}, entry {entry.seq}")
            return
    if (last, before) != (roster.seq, roster.hash):
        yield _finding("ledger does not end where its head says", f"team {roster.team_id}")


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


def balances(conn: Connection, team_name: str) -> list[dict[str, Any]]:
    """Received and due, in tasks, for every open member."""
    team = staff.team_by_name(conn, team_name)
    roster = peek(conn, team.id)
    names = {record.id: record.name for record in staff.all_staff(conn)}
    got = select(ledger.c.taker_id, func.count()).where(ledger.c.team_id == team.id)
    received = {row[0]: row[1] for row in conn.execute(got.group_by(ledger.c.taker_id))}
    back = select(ledger.c.giver_id, func.count()).where(ledger.c.team_id == team.id)
    returned = {row[0]: row[1] for row in conn.execute(back.group_by(ledger.c.giver_id))}
    rows = []
    for member in sorted(roster.members.values(), key=lambda m: m.id):
        if member.closed:
            continue
        kept = received.get(member.id, 0) - returned.get(member.id, 0)
        rows.append(
            {
                "name": names.get(member.staff_id, "?"),
                "share": member.share,
                "received": kept,
                "due": round(kept + member.credit / UNIT, 3),
                "difference": round(-member.credit / UNIT, 3),
                "open": member.load,
            }
        )
    return rows
