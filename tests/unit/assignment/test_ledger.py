"""The ledger as it is kept: chained, complete, and every change of it is found."""

import json

import pytest
from sqlalchemy import delete, update

from hub.assignment import service
from hub.assignment.ledger import GENESIS, chain, entry_text, fact_text, head_state, parse_head, read_chain
from hub.assignment.policy import Member, Roster, Rules
from hub.db import tables as t
from hub.db.locks import HeadRow
from hub.db.rows import EligibilityFactRow, LedgerRow
from hub.requests.model import Closing, Outcome


@pytest.fixture
def lived_in(world):
    """A team with entries of every event."""
    olena, bohdan = world.worker("Олена"), world.worker("Богдан", limit=50)
    for _ in range(4):
        world.task()
    first, second, *_ = (world.again(row) for row in [world.task(), world.task()])
    people = {olena.id: olena, bohdan.id: bohdan}
    holder = people[first.assignee_id]
    world.write(service.reassign, holder.actor, first.id, (people.keys() - {holder.id}).pop(), "передаю")
    world.write(service.release, people[second.assignee_id].actor, second.id, "не моє")
    world.write(service.complete, world.admin, first.id, Closing(outcome=Outcome.SPAM, reason="спам"))
    assert world.findings() == []
    return world


def test_a_roster_survives_being_stored():
    members = {
        1: Member(1, 11, 3, None, credit=-5, last=7, load=2),
        (1 << 62): Member(1 << 62, 12, 1, 9, credit=10**15, last=0, load=0, closed=True),
    }
    members[2] = Member(2, 13, 1, None, off="absent", silent=True, rules=Rules(languages=frozenset({"uk"})))
    roster = Roster(5, 8, "ab" * 32, -(10**15), members, due_at=77, checked_at=70)
    assert parse_head(HeadRow(5, 8, "ab" * 32, head_state(roster), 77, "{}")) == roster


def test_the_chain_begins_at_genesis_and_ends_in_the_head(lived_in):
    before = GENESIS
    entries = lived_in.entries()
    assert [e.seq for e in entries] == list(range(1, len(entries) + 1))
    stored = lived_in.db.read_now(lambda conn: list(read_chain(conn, lived_in.team)))
    assert [one[0] for one in stored if not isinstance(one, EligibilityFactRow)] == entries
    for one in stored:
        text = fact_text(one) if isinstance(one, EligibilityFactRow) else entry_text(*one)
        before = chain(before, text)
        assert before == (one.hash if isinstance(one, EligibilityFactRow) else one[0].hash)
    assert lived_in.roster().hash == before
    assert {e.event for e in entries} == {"deal", "reassign", "release", "deal_again", "void"}


def test_a_dealing_keeps_the_set_it_chose_from(lived_in):
    sets = {row.id: row for row in lived_in.rows(t.eligible_set)}
    for entry in lived_in.entries():
        if entry.event == "deal":
            body = json.loads(sets[entry.set_id].body)
            assert str(entry.taker_id) in {i for i, _ in body["eligible"]}
            assert len(entry.credits.split(",")) == len(body["eligible"])


def test_equal_sets_are_kept_once(lived_in):
    plain = [e.set_id for e in lived_in.entries() if e.event == "deal"]
    assert len(set(plain)) == 1


CHANGED = {
    "task_id": 12345,
    "event": "gift",
    "set_id": 99,
    "taker_id": 98,
    "giver_id": 97,
    "units": 1,
    "taker_credit": 7,
    "credits": "1,2",
    "actor": "nobody",
    "reason": "because",
    "at": 1,
    "correlation_id": 5,
    "hash": "0" * 64,
}


@pytest.mark.parametrize("column", sorted(CHANGED))
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_a_changed_entry_is_found(lived_in, column, place):
    entries = lived_in.entries()
    entry = {"first": entries[0], "middle": entries[len(entries) // 2], "last": entries[-1]}[place]
    change = update(t.ledger).where(t.ledger.c.team_id == entry.team_id, t.ledger.c.seq == entry.seq)
    lived_in.write(lambda tx: tx.execute(change.values({column: CHANGED[column]})))
    (found,) = lived_in.findings()
    assert found["finding"] == "ledger entry was changed"
    assert found["detail"].endswith(f"entry {entry.seq}")


def test_every_column_of_an_entry_is_covered():
    assert set(LedgerRow._fields) == set(CHANGED) | {"team_id", "seq"}


def test_a_removed_entry_is_a_gap(lived_in):
    lived_in.write(lambda tx: tx.execute(delete(t.ledger).where(t.ledger.c.seq == 2)))
    assert "ledger has a gap" in {f["finding"] for f in lived_in.findings()}


def test_a_removed_last_entry_is_missed_by_the_head(lived_in):
    last = lived_in.entries()[-1].seq
    lived_in.write(lambda tx: tx.execute(delete(t.ledger).where(t.ledger.c.seq == last)))
    assert [f["finding"] for f in lived_in.findings()] == ["ledger does not end where its head says"]


@pytest.mark.parametrize("column", ["body", "hash", "team_id"])
def test_a_changed_eligible_set_is_found(lived_in, column):
    value = {"body": '{"rule":1,"eligible":[],"excluded":[]}', "hash": "f" * 64, "team_id": 1}[column]
    first = lived_in.rows(t.eligible_set)[0].id
    change = update(t.eligible_set).where(t.eligible_set.c.id == first).values({column: value})
    lived_in.write(lambda tx: tx.execute(change))
    found = [f["finding"] for f in lived_in.findings()]
    assert "eligible set was changed" in found
    assert (column == "hash") == ("ledger entry was changed" in found)  # the chain covers a set's name


def rewrite_head(world, change):
    state = json.loads(world.rows(t.ledger_head, t.ledger_head.c.team_id == world.team)[0].state)
    change(state, sorted(state["members"]))
    written = update(t.ledger_head).where(t.ledger_head.c.team_id == world.team)
    world.write(lambda tx: tx.execute(written.values(state=json.dumps(state))))


def test_a_gift_of_credit_in_the_head_is_found(lived_in):
    def change(state, ids):
        state["members"][ids[0]][3] += 1

    rewrite_head(lived_in, change)
    assert "credits do not add up to zero" in {f["finding"] for f in lived_in.findings()}


def test_a_load_that_no_task_explains_is_found(lived_in):
    def change(state, ids):
        state["members"][ids[1]][5] += 1

    rewrite_head(lived_in, change)
    assert [f["finding"] for f in lived_in.findings()] == ["load differs from open tasks"]


def test_orphans_are_found(lived_in):
    lived_in.write(lambda tx: tx.execute(delete(t.contact)))
    lived_in.write(lambda tx: tx.execute(update(t.task).values(request_id=None)))
    found = {f["finding"] for f in lived_in.findings()}
    assert found == {
        "requests without contact",
        "identities without contact",
        "open requests without open task",
    }
