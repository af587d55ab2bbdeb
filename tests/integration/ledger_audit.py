"""An independent look at a database: plain drivers and arithmetic of its own, no code of the hub.

It knows the rule as design.md, section 6, writes it: one task is lcm(1..36) units, what is given out is
what is paid, the sum over members and house is 0 after every entry, numbers have no gap, and each entry
carries the hash over the one before and itself.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from math import gcd, lcm
from typing import Any

import psycopg

TASK = lcm(*range(1, 37))
ENTRY = (
    "team_id", "seq", "task_id", "event", "set_id", "taker_id", "giver_id", "units", "taker_credit", "credits",
    "actor", "reason", "at", "correlation_id",
)  # fmt: skip

SET = ENTRY.index("set_id")


def query(url: str, sql: str) -> list[tuple[Any, ...]]:
    """Rows of a statement, through the driver alone."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=10)) as lite:
            return lite.execute(sql).fetchall()
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql")) as connection:
        return connection.execute(sql).fetchall()


def problems(url: str) -> list[str]:
    """Everything in the ledgers that does not hold; empty when all is well."""
    found: list[str] = []
    for team_id, seq, digest, state in query(url, "SELECT team_id, seq, hash, state FROM ledger_head"):
        head = json.loads(state)
        found += _chain(url, team_id, seq, digest)
        found += _balances(url, team_id, head)
    return found


FACT = ("team_id", "number", "seq", "membership_id", "kind", "value", "valid_from_at", "recorded_at", "actor")


def _chain(url: str, team_id: int, head_seq: int, head_hash: str) -> list[str]:
    """Facts and entries are one chain: a fact of number `seq` stands behind the entry of that number."""
    names, facts_names = (", ".join(f'"{name}"' for name in one) for one in (ENTRY, FACT))
    rows = query(url, f"SELECT {names}, hash FROM ledger WHERE team_id = {team_id} ORDER BY seq")
    needs = dict(
        query(
            url,
            f"SELECT id, needs FROM task WHERE id IN (SELECT task_id FROM ledger WHERE team_id = {team_id})",
        )
    )
    told = query(
        url, f"SELECT {facts_names}, hash FROM eligibility_fact WHERE team_id = {team_id} ORDER BY number"
    )
    sets = dict(query(url, f"SELECT id, body FROM eligible_set WHERE team_id = {team_id}"))
    if [row[1] for row in rows] != list(range(1, len(rows) + 1)):
        return [f"team {team_id}: the entries' numbers have a gap"]
    if [row[1] for row in told] != list(range(1, len(told) + 1)):
        return [f"team {team_id}: the facts' numbers have a gap"]
    links = [((row[2], 1, row[1]), ["fact", *row]) for row in told] + [
        ((row[1], 0, 0), list(row)) for row in rows
    ]
    before = "0" * 64
    for place, (*values, digest) in sorted(links):
        if (
            values[0] != "fact" and values[SET] is not None
        ):  # the chain covers what the set says, not its number
            values[SET] = hashlib.sha256(f"{team_id}|{sets[values[SET]]}".encode()).hexdigest()
        if values[0] != "fact":
            values.insert(3, needs[values[2]])
        content = "|".join("" if value is None else str(value) for value in values)
        before = hashlib.sha256(f"{before}|{content}".encode()).hexdigest()
        if before != digest:
            return [f"team {team_id}: hash at {place}"]
    return (
        []
        if (len(rows), before) == (head_seq, head_hash)
        else [f"team {team_id}: the head is not at the end"]
    )


class Book:
    """The balances of a team, played from the beginning by the rule as it is written down."""

    def __init__(self, members: Iterable[int]) -> None:
        self.credit = dict.fromkeys(members, 0)
        self.house = 0

    def play(
        self, event: str, eligible: list[list[Any]] | None, taker: int | None, giver: int | None, units: int
    ) -> bool:
        """Apply one entry; False if what it paid is not what it gave out. `eligible` None: no grants."""
        right = True
        if event in {"deal", "returning"} or (event in {"claim", "by_hand"} and eligible is not None):
            right = self._grant(eligible or [], units)
        elif event in {"intercept", "reassign", "pass_on"}:
            assert giver is not None
            self.credit[giver] += units
        elif taker is not None:  # dealt again, no spam after all: the house is given back what it paid
            self.house += units
        else:  # release, void, hand-over, other team
            assert giver is not None
            self.credit[giver] += units
            self.house -= units
        if taker is not None:
            self.credit[taker] -= units
        return right

    def _grant(self, eligible: list[list[Any]], units: int) -> bool:
        if not eligible:
            self.house += units
            return True
        common = gcd(*(share for _, share in eligible))
        total = sum(share for _, share in eligible) // common
        for member, share in eligible:
            self.credit[int(member)] += share // common * (TASK // total)
        return units == TASK // total * total


def _balances(url: str, team_id: int, head: Mapping[str, Any]) -> list[str]:
    """Play all entries from the beginning and compare with the head."""
    sets = dict(query(url, f"SELECT id, body FROM eligible_set WHERE team_id = {team_id}"))
    book, found = Book(int(member) for member in head["members"]), []
    for seq, event, set_id, taker, giver, units, after in query(
        url,
        "SELECT seq, event, set_id, taker_id, giver_id, units, taker_credit FROM ledger "
        f"WHERE team_id = {team_id} ORDER BY seq",
    ):
        eligible = json.loads(sets[set_id])["eligible"] if set_id is not None else None
        if not book.play(event, eligible, taker, giver, units):
            found.append(f"entry {seq}: paid {units}, not what was given out")
        if book.credit[taker if taker is not None else giver] != after:
            found.append(f"entry {seq}: credit after it is not what it says")
        if book.house + sum(book.credit.values()):
            found.append(f"entry {seq}: the sum is not 0 after it")
    loads = dict(
        query(
            url,
            "SELECT membership_id, count(*) FROM task WHERE state IN ('assigned', 'accepted') "
            f"AND team_id = {team_id} GROUP BY membership_id",
        )
    )
    for member, (_staff, _share, _limit, kept, _last, load, _closed, *_away) in head["members"].items():
        if kept != book.credit[int(member)]:
            found.append(f"member {member}: the head says another credit than the entries")
        if load != loads.get(int(member), 0):
            found.append(f"member {member}: load {load}, open tasks {loads.get(int(member), 0)}")
    if head["house"] != book.house:
        found.append("the head says another house than the entries")
    return found


def delivery_problems(url: str, acknowledged: Mapping[str, str]) -> list[str]:
    """Each acknowledged key is stored once, under the request that was told, with one task. Nothing is double.

    acknowledged  Idempotency-Key -> request_id of the answer
    """
    found: list[str] = []
    stored: dict[str, list[tuple[Any, ...]]] = {}
    for row in query(url, "SELECT external_id, request_id, state, id FROM delivery"):
        stored.setdefault(str(row[0] or f"new {row[3]}").removeprefix("key:"), []).append(row)
    tasks: dict[int, int] = dict(
        query(url, "SELECT request_id, count(*) FROM task WHERE request_id IS NOT NULL GROUP BY request_id")
    )
    messages: dict[int, int] = dict(
        query(url, "SELECT delivery_id, count(*) FROM message GROUP BY delivery_id")
    )
    bodies = {row[0] for row in query(url, "SELECT delivery_id FROM delivery_body")}
    requests = {row[0] for row in query(url, "SELECT id FROM request")}
    for key, request_id in acknowledged.items():
        rows = stored.get(key, [])
        if len(rows) != 1:
            found.append(f"{key}: acknowledged, stored {len(rows)} times")
        elif str(rows[0][1]) != request_id:
            found.append(f"{key}: told {request_id}, stored {rows[0][1]}")
    for key, rows in stored.items():
        for _external_id, request_id, state, delivery_id in rows:
            if state != "stored":
                found.append(f"{key}: {state}")
            elif request_id not in requests or tasks.get(request_id) != 1 or messages.get(delivery_id) != 1:
                found.append(f"{key}: request, task or message is missing or double")
            if delivery_id not in bodies:
                found.append(f"{key}: its bytes are missing")
    if len(requests) != sum(len(rows) for rows in stored.values()):
        found.append(f"{len(requests)} requests of {len(stored)} deliveries")
    return found
