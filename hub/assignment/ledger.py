"""How the roster of a team is kept in its head row, and how entries are made and chained."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.engine import Connection

from hub.assignment.policy import (
    ANYTHING,
    Choice,
    EligibleSet,
    Member,
    Roster,
    Rules,
    TeamRules,
    thousandths,
)
from hub.db.locks import HeadRow, lock_teams
from hub.db.prepared import Prepared
from hub.db.rows import EligibilityFactRow, EligibleSetRow, LedgerRow
from hub.db.tables import eligibility_fact, eligible_set, ledger, ledger_head, task, team
from hub.db.tx import Tx
from hub.kernel.clock import MINUTE, Instant
from hub.kernel.errors import NotFound

GENESIS = "0" * 64
_SHORT = 7  # values of a member who is there and may be dealt everything


def load_rosters(tx: Tx, team_ids: Mapping[int, Any] | set[int]) -> dict[int, Roster]:
    """Lock the teams and read their newest state. Raises NotFound for a team without a head."""
    return rosters_of(lock_teams(tx, team_ids), team_ids)


def rosters_of(heads: Mapping[int, HeadRow], team_ids: Mapping[int, Any] | set[int]) -> dict[int, Roster]:
    """The state of teams that are locked. Raises NotFound for a team without a head."""
    missing = set(team_ids) - set(heads)
    if missing:
        raise NotFound(f"no team {min(missing)}")
    return {team_id: parse_head(row) for team_id, row in heads.items()}


def load_roster(tx: Tx, team_id: int) -> Roster:
    """Lock one team."""
    return load_rosters(tx, {team_id})[team_id]


def peek(conn: Connection, team_id: int) -> Roster:
    """A team's state without a lock: for showing and checking. Raises NotFound."""
    query = (
        select(ledger_head, team.c.settings)
        .join(team, team.c.id == ledger_head.c.team_id)
        .where(ledger_head.c.team_id == team_id)
    )
    head = conn.execute(query).one_or_none()
    if head is None:
        raise NotFound(f"no team {team_id}")
    return parse_head(HeadRow(head.team_id, head.seq, head.hash, head.state, head.due_at, head.settings))


def parse_head(row: HeadRow) -> Roster:
    """A roster out of its stored form."""
    state = json.loads(row.state)
    members = {int(key): _member(int(key), v) for key, v in state["members"].items()}
    return Roster(
        row.team_id,
        row.seq,
        row.hash,
        state["house"],
        members,
        team_rules(row.settings),
        row.due_at,
        state.get("checked", 0),
        state.get("facts", 0),
    )


def _member(member_id: int, v: list[Any]) -> Member:
    """The last three stand only where they differ from the usual."""
    member = Member(member_id, int(v[0]), v[1], v[2], v[3], v[4], v[5], bool(v[6]))
    if len(v) > _SHORT:
        member.off, member.silent, member.rules = v[7], bool(v[8]), Rules.of(v[9])
    return member


@lru_cache(maxsize=256)
def team_rules(settings: str) -> TeamRules:
    """What dealing takes of a team's stored settings."""
    body = json.loads(settings)
    minutes = body.get("reaction_minutes")
    usual = TeamRules()
    return TeamRules(
        minutes * MINUTE if minutes else None,
        body.get("pass_on", usual.pass_on),
        body["gather_minutes"] * MINUTE if "gather_minutes" in body else usual.gather,
        body.get("returning", usual.returning),
        body.get("intercept", usual.intercept),
        body.get("language") or "",
        body.get("timezone") or usual.timezone,
    )


def head_state(roster: Roster) -> str:
    """The stored form of a roster."""
    state: dict[str, Any] = {
        "house": roster.house,
        "members": {str(m.id): _stored(m) for m in roster.members.values()},
    }
    if roster.facts:
        state["facts"] = roster.facts
    if roster.checked_at:
        state["checked"] = roster.checked_at
    return json.dumps(state, separators=(",", ":"))


def _stored(m: Member) -> list[Any]:
    usual = [str(m.staff_id), m.share, m.limit, m.credit, m.last, m.load, int(m.closed)]
    if m.away or m.rules != ANYTHING:
        usual += [m.off, int(m.silent), m.rules.body()]
    return usual


_SAVE = Prepared(
    update(ledger_head)
    .where(ledger_head.c.team_id == bindparam("team"))
    .values(seq=bindparam("at"), hash=bindparam("chain"), state=bindparam("credits"), due_at=bindparam("due"))
)


def save_roster(tx: Tx, roster: Roster) -> None:
    """Write the head row back; once a transaction and team."""
    _SAVE.run(
        tx.conn,
        team=roster.team_id,
        at=roster.seq,
        chain=roster.hash,
        credits=head_state(roster),
        due=roster.due_at,
    )


def create_head(tx: Tx, team_id: int) -> None:
    """The head row of a new team."""
    empty = Roster(team_id, 0, GENESIS)
    tx.execute(insert(ledger_head).values(team_id=team_id, seq=0, hash=GENESIS, state=head_state(empty)))


class Entries:
    """Collects the ledger entries of one transaction: interns sets, chains hashes, makes rows."""

    def __init__(self, tx: Tx, actor: str, stored_sets: dict[str, int] | None = None) -> None:
        """`stored_sets`: ids of sets by digest that are known to be committed; filled as they are read."""
        self._tx = tx
        self._actor = actor
        self._interned: dict[
            int, tuple[EligibleSet, int, str]
        ] = {}  # by identity; the set is kept alive beside it
        self._stored = {} if stored_sets is None else stored_sets
        self._new: dict[str, int] = {}
        self.rows: list[LedgerRow] = []
        self.sets: list[EligibleSetRow] = []
        self.facts: list[EligibilityFactRow] = []

    def add(
        self,
        roster: Roster,
        event: str,
        *,
        task_id: int,
        needs: str,
        units: int,
        correlation_id: int,
        taker: int | None = None,
        giver: int | None = None,
        credit_after: int = 0,
        chosen_from: EligibleSet | None = None,
        before: tuple[int, ...] = (),
        reason: str | None = None,
    ) -> LedgerRow:
        """Append the entry for the change that the roster has just seen (its `seq` counts it already)."""
        set_id, digest = (None, "") if chosen_from is None else self._intern(roster.team_id, chosen_from)
        shown = thousandths(before)
        now = self._tx.now
        row = LedgerRow(
            roster.team_id,
            roster.seq,
            task_id,
            event,
            set_id,
            taker,
            giver,
            units,
            credit_after,
            shown,
            self._actor,
            reason,
            now,
            correlation_id,
            "",
        )
        roster.hash = chain(roster.hash, entry_text(row, needs, digest))
        row = LedgerRow._make((*row[:-1], roster.hash))
        self.rows.append(row)
        return row

    def dealt(
        self,
        roster: Roster,
        event: str,
        task_id: int,
        needs: str,
        chosen_from: EligibleSet,
        choice: Choice,
        correlation_id: int,
    ) -> LedgerRow:
        """The entry of a dealing out of a set."""
        return self.add(
            roster,
            event,
            task_id=task_id,
            needs=needs,
            units=choice.price,
            correlation_id=correlation_id,
            taker=choice.taker,
            credit_after=choice.credit_after,
            chosen_from=chosen_from,
            before=choice.before,
        )

    def fact(self, roster: Roster, member_id: int, kind: str, value: object, valid_from: Instant) -> None:
        """Record an eligibility fact; append-only, and part of the chain."""
        roster.facts += 1
        row = EligibilityFactRow(
            self._tx.new_id(),
            roster.team_id,
            member_id,
            kind,
            json.dumps(value, separators=(",", ":"), ensure_ascii=False),
            valid_from,
            self._tx.now,
            self._actor,
            roster.seq,
            roster.facts,
        )
        roster.hash = chain(roster.hash, fact_text(row))
        self.facts.append(row._replace(hash=roster.hash))

    def _intern(self, team_id: int, chosen_from: EligibleSet) -> tuple[int, str]:
        known = self._interned.get(id(chosen_from))
        if known is not None:
            return known[1:]
        digest = set_digest(team_id, chosen_from.body())
        found = self._stored.get(digest) or self._new.get(digest)
        if found is None:
            found = self._tx.execute(select(eligible_set.c.id).where(eligible_set.c.hash == digest)).scalar()
            if found is not None:
                self._stored[digest] = found
        if found is None:
            found = self._new[digest] = self._tx.new_id()
            self.sets.append(EligibleSetRow(found, digest, team_id, chosen_from.body(), self._tx.now))
        self._interned[id(chosen_from)] = (chosen_from, found, digest)
        return found, digest


class Linked(NamedTuple):
    """An entry with what its hash covers besides: its task's needs, the digest of its set ("" without one)."""

    entry: LedgerRow
    needs: str
    digest: str


def read_entries(conn: Connection, team_id: int) -> Iterator[Linked]:
    """All entries of a team in order."""
    query = (
        select(ledger, task.c.needs, eligible_set.c.hash.label("digest"))
        .outerjoin(task, task.c.id == ledger.c.task_id)
        .outerjoin(eligible_set, eligible_set.c.id == ledger.c.set_id)
        .where(ledger.c.team_id == team_id)
        .order_by(ledger.c.seq)
    )
    for row in conn.execution_options(yield_per=1000).execute(query):
        *values, needs, digest = row
        entry = LedgerRow._make(values)
        known = digest or ("" if entry.set_id is None else f"no set {entry.set_id}")
        yield Linked(entry, needs or "{}", known)


def read_facts(conn: Connection, team_id: int) -> Iterator[EligibilityFactRow]:
    """All facts of a team in order."""
    query = (
        select(eligibility_fact)
        .where(eligibility_fact.c.team_id == team_id)
        .order_by(eligibility_fact.c.number)
    )
    for row in conn.execution_options(yield_per=1000).execute(query):
        yield EligibilityFactRow._make(row)


def read_chain(conn: Connection, team_id: int) -> Iterator[Linked | EligibilityFactRow]:
    """Facts and entries as they were written: a fact of number `seq` stands behind the entry of that number."""
    facts = read_facts(conn, team_id)
    fact = next(facts, None)
    for linked in read_entries(conn, team_id):
        while fact is not None and fact.seq < linked.entry.seq:
            yield fact
            fact = next(facts, None)
        yield linked
    while fact is not None:
        yield fact
        fact = next(facts, None)


def set_digest(team_id: int, body: str) -> str:
    """The name of an eligible set: what its entries' hashes cover."""
    return hashlib.sha256(f"{team_id}|{body}".encode()).hexdigest()


def entry_text(e: LedgerRow, needs: str, digest: str) -> str:
    """What an entry's hash is over, besides the hash before.

    `needs` of its task as stored; `digest` of its eligible set, "" without one.
    """
    return (
        f"{e.team_id}|{e.seq}|{e.task_id}|{needs}|{e.event}|{digest}|{e.taker_id or ''}|{e.giver_id or ''}|"
        f"{e.units}|{e.taker_credit}|{e.credits}|{e.actor}|{e.reason or ''}|{e.at}|{e.correlation_id}"
    )


def fact_text(f: EligibilityFactRow) -> str:
    """What a fact's hash is over, besides the hash before."""
    return (
        f"fact|{f.team_id}|{f.number}|{f.seq}|{f.membership_id}|{f.kind}|{f.value}|{f.valid_from_at}|"
        f"{f.recorded_at}|{f.actor}"
    )


def chain(before: str, content: str) -> str:
    """The hash of an entry or a fact: over the hash of the one before and its own content."""
    return hashlib.sha256(f"{before}|{content}".encode()).hexdigest()
