"""How the roster of a team is kept in its head row, and how entries are made and chained."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from hub.assignment.policy import Choice, EligibleSet, Member, Roster, thousandths
from hub.db.locks import HeadRow, lock_teams
from hub.db.prepared import Prepared
from hub.db.rows import EligibilityFactRow, EligibleSetRow, LedgerRow
from hub.db.tables import eligible_set, ledger_head
from hub.db.tx import Tx
from hub.kernel.clock import Instant
from hub.kernel.errors import NotFound

GENESIS = "0" * 64


def load_rosters(tx: Tx, team_ids: Mapping[int, Any] | set[int]) -> dict[int, Roster]:
    """Lock the teams and read their newest state. Raises NotFound for a team without a head."""
    heads = lock_teams(tx, team_ids)
    missing = set(team_ids) - set(heads)
    if missing:
        raise NotFound(f"no team {min(missing)}")
    return {team_id: parse_head(row) for team_id, row in heads.items()}


def load_roster(tx: Tx, team_id: int) -> Roster:
    """Lock one team."""
    return load_rosters(tx, {team_id})[team_id]


def parse_head(row: HeadRow) -> Roster:
    """A roster out of its stored form."""
    state = json.loads(row.state)
    members = {
        int(key): Member(int(key), int(v[0]), v[1], v[2], v[3], v[4], v[5], bool(v[6]))
        for key, v in state["members"].items()
    }
    return Roster(row.team_id, row.seq, row.hash, state["house"], members)


def head_state(roster: Roster) -> str:
    """The stored form of a roster."""
    members = {
        str(m.id): [str(m.staff_id), m.share, m.limit, m.credit, m.last, m.load, int(m.closed)]
        for m in roster.members.values()
    }
    return json.dumps({"house": roster.house, "members": members}, separators=(",", ":"))


_SAVE = Prepared(
    update(ledger_head)
    .where(ledger_head.c.team_id == bindparam("team"))
    .values(seq=bindparam("at"), hash=bindparam("chain"), state=bindparam("credits"))
)


def save_roster(tx: Tx, roster: Roster) -> None:
    """Write the head row back; once a transaction and team."""
    _SAVE.run(tx.conn, team=roster.team_id, at=roster.seq, chain=roster.hash, credits=head_state(roster))


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
            int, tuple[EligibleSet, int]
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
        set_id = self._intern(roster.team_id, chosen_from) if chosen_from is not None else None
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
        roster.hash = chain(roster.hash, entry_text(row))
        row = LedgerRow._make((*row[:-1], roster.hash))
        self.rows.append(row)
        return row

    def dealt(
        self,
        roster: Roster,
        event: str,
        task_id: int,
        chosen_from: EligibleSet,
        choice: Choice,
        correlation_id: int,
    ) -> LedgerRow:
        """The entry of a dealing out of a set."""
        return self.add(
            roster,
            event,
            task_id=task_id,
            units=choice.price,
            correlation_id=correlation_id,
            taker=choice.taker,
            credit_after=choice.credit_after,
            chosen_from=chosen_from,
            before=choice.before,
        )

    def fact(self, roster: Roster, member_id: int, kind: str, value: object, valid_from: Instant) -> None:
        """Record an eligibility fact; append-only."""
        self.facts.append(
            EligibilityFactRow(
                self._tx.new_id(),
                roster.team_id,
                member_id,
                kind,
                json.dumps(value, separators=(",", ":")),
                valid_from,
                self._tx.now,
                self._actor,
                roster.seq,
            )
        )

    def _intern(self, team_id: int, chosen_from: EligibleSet) -> int:
        known = self._interned.get(id(chosen_from))
        if known is not None:
            return known[1]
        body = chosen_from.body()
        digest = hashlib.sha256(f"{team_id}|{body}".encode()).hexdigest()
        found = self._stored.get(digest) or self._new.get(digest)
        if found is None:
            found = self._tx.execute(select(eligible_set.c.id).where(eligible_set.c.hash == digest)).scalar()
            if found is not None:
                self._stored[digest] = found
        if found is None:
            found = self._new[digest] = self._tx.new_id()
            self.sets.append(EligibleSetRow(found, digest, team_id, body, self._tx.now))
        self._interned[id(chosen_from)] = (chosen_from, found)
        return found


def entry_text(e: LedgerRow) -> str:
    """What an entry's hash is over, besides the hash before."""
    return (
        f"{e.team_id}|{e.seq}|{e.task_id}|{e.event}|{e.set_id or ''}|{e.taker_id or ''}|{e.giver_id or ''}|"
        f"{e.units}|{e.taker_credit}|{e.credits}|{e.actor}|{e.reason or ''}|{e.at}|{e.correlation_id}"
    )


def chain(before: str, content: str) -> str:
    """The hash of an entry: over the hash of the one before and its own content."""
    return hashlib.sha256(f"{before}|{content}".encode()).hexdigest()
