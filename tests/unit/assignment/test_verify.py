"""The proof: what the hub did is confirmed by a program that knows nothing of it; any change is found."""

import copy
import json
import random
import subprocess
import sys
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.assignment import members, schedules, service, timer
from hub.assignment.export import export_lines
from hub.assignment.policy import UNIT, Rules
from hub.assignment.report import report
from hub.assignment.verify import Broken, Verifier
from hub.assignment.whatif import replay
from hub.kernel.clock import HOUR, MINUTE, Instant
from hub.kernel.errors import HubError
from hub.requests.model import Closing, Outcome

KYIV = ZoneInfo("Europe/Kyiv")
UNCOVERED = {("header", "name")}
"""What no line proves: the team's name is for people."""


@pytest.fixture
def story(world):
    """Every event of the table has happened in the team `sales`."""
    head, other = world.admin, world.worker("Іван", team=world.strict)
    olena, bohdan, daryna = (world.worker(name) for name in ("Олена", "Богдан", "Дарина"))
    world.write(members.change_member, head, world.team, daryna.id, share=3, limit=5)
    world.write(
        members.change_member, head, world.team, bohdan.id, share=None, limit=None,
        rules=Rules(languages=frozenset({"uk"})),
    )  # fmt: skip
    tasks = [world.task(text=text) for text in ("Скільки її?", "How much?", "Ще її") * 3]

    def holder(task):
        found = world.again(task).assignee_id
        return next(worker for worker in (olena, bohdan, daryna) if worker.id == found)

    world.write(
        service.claim, olena.actor, next(t for t in tasks if holder(t) is not olena).id, intercept=True
    )
    world.write(
        service.reassign, head, tasks[1].id, daryna.id if holder(tasks[1]) is olena else olena.id, "так"
    )
    world.write(service.release, holder(tasks[2]).actor, tasks[2].id, "ні")
    world.write(service.void, holder(tasks[3]).actor, tasks[3].id, "спам")
    world.write(service.undo_void, head, tasks[3].id)
    world.write(service.complete, holder(tasks[4]).actor, tasks[4].id, Closing(outcome=Outcome.ANSWERED))
    world.write(service.reopen, head, tasks[4].id)
    world.write(service.snooze, holder(tasks[5]).actor, tasks[5].id, Instant(world.clock.now() + HOUR))
    world.write(service.to_team, head, tasks[6].id, world.strict, "їхнє")
    world.write(schedules.add_absence, head, bohdan.id, world.clock.now(), None, "sick")
    world.clock.move(40 * MINUTE)
    world.db.write_now(lambda tx: timer.run_team(tx, world.team))
    for one in (olena, bohdan, daryna):
        world.write(members.pause, head, one.id)
    queued = world.task()
    world.write(service.claim, olena.actor, queued.id)
    world.write(members.leave_team, head, world.team, daryna.id)
    assert other
    assert world.findings() == []
    return world


def lines_of(world, team=None):
    return world.db.read_now(
        lambda conn: json.loads(json.dumps(list(export_lines(conn, team or world.team))))
    )


def test_the_story_has_every_kind_of_move(story):
    events = {line["event"] for line in lines_of(story) if line["kind"] == "entry"}
    assert events >= {
        "deal", "intercept", "reassign", "release", "deal_again", "void", "undo_void", "other_team", "pass_on",
        "hand_over", "claim",
    }  # fmt: skip


def test_what_the_hub_did_follows_from_the_rule(story):
    for team in (story.team, story.strict):
        lines = lines_of(story, team)
        verdict = Verifier().run(lines)
        assert verdict.entries == sum(line["kind"] == "entry" for line in lines)
        assert verdict.facts == sum(line["kind"] == "fact" for line in lines)


def test_the_verifier_knows_nothing_of_the_hub():
    code = (
        "import sys, hub.assignment.verify; "
        "print(sorted(m for m in sys.modules if m.startswith('hub') or m in {'sqlalchemy', 'aiohttp'}))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "['hub', 'hub.assignment', 'hub.assignment.verify']"


def changed(value, chance):
    """Another value of the same kind."""
    match value:
        case None:
            return "1"
        case bool():
            return not value
        case int():
            return value + chance.choice([-1, 1, 1000])
        case str():
            return value[:-1] + chr(ord(value[-1]) ^ 1) if value else "1"
        case dict():
            return {**value, next(iter(value)): "1"}
    raise AssertionError(value)


def test_every_single_change_is_found(story):
    """Each field of each line, one at a time."""
    lines, chance, seen = lines_of(story), random.Random(1), set()
    for at, line in enumerate(lines):
        for key in line:
            if (line["kind"], key) in UNCOVERED:
                continue
            mine = copy.deepcopy(lines)
            mine[at][key] = changed(line[key], chance)
            with pytest.raises(Broken):
                Verifier().run(mine)
            seen.add((line["kind"], key))
    assert len(seen) > 30


def test_leaving_out_doubling_or_swapping_lines_is_found(story):
    lines = lines_of(story)
    for at, line in enumerate(lines):
        if line["kind"] == "set":
            continue
        with pytest.raises(Broken):
            Verifier().run([*lines[:at], *lines[at + 1 :]])
        with pytest.raises(Broken):
            Verifier().run([*lines[: at + 1], line, *lines[at + 1 :]])


def test_somebody_who_counts_otherwise_is_found_though_the_chain_is_right(story):
    """A hub that deals unevenly and chains it properly: the choice itself is looked at."""
    lines = lines_of(story)
    first = next(line for line in lines if line["kind"] == "entry" and line["event"] == "deal")
    body = json.loads(next(line["body"] for line in lines if line.get("digest") == first["set"]))
    first["taker"] = next(member for member, _ in body["eligible"] if member != first["taker"])

    class BelievesTheChain(Verifier):
        def _chain(self, line, content):
            """Whoever forges the choice forges the hashes too."""

    with pytest.raises(Broken, match="taker is"):
        BelievesTheChain().run(lines)


def test_the_report_adds_up_what_the_ledger_says(story):
    found = story.db.read_now(lambda conn: report(conn, story.team))
    credits_now = {m.id: m.credit for m in story.roster().members.values()}
    assert {b.membership_id: b.due - b.received for b in found.balances} == credits_now
    assert found.largest == max(abs(round(c / UNIT, 3)) for c in credits_now.values())
    assert found.days[-1][1] == {b.membership_id: b.distance for b in found.balances}


VERBS = ("task", "claim", "accept", "release", "void", "undo", "complete", "reopen", "snooze", "pause", "resume",
         "absence", "share", "limit", "leave", "join", "wait", "reassign", "other")  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(VERBS), st.integers(0, 3), st.integers(0, 9)), max_size=40))
def test_any_history_is_confirmed(make_world, history):
    """Whatever people and time do, the verifier finds nothing, and nobody waits who could be served."""
    world = make_world()
    try:
        people = [world.worker(name) for name in ("А", "Б", "В")]
        tasks = [world.task()]
        for verb, who, what in history:
            try:
                step(world, people, tasks, verb, who % 3, what)
            except HubError:
                continue
        for team in (world.team, world.strict):
            Verifier().run(lines_of(world, team))
            as_it_was = replay(lines_of(world, team), None, KYIV)  # dealt again without a change
            assert as_it_was.others == 0
            assert {m: (t.received, t.due) for m, t in as_it_was.would.items() if t.received or t.due} == {
                m: (t.received, t.due) for m, t in as_it_was.was.items() if t.received or t.due
            }
        assert world.findings() == []
    finally:
        world.db.close()


def step(world, people, tasks, verb, who, what):
    person, task, head, now = people[who], tasks[what % len(tasks)], world.admin, world.clock.now()
    write = world.write
    if verb == "wait":
        world.clock.move(what * 15 * MINUTE)
        for team_id in world.read(timer.due_teams, world.clock.now()):
            world.db.write_now(lambda tx, team_id=team_id: timer.run_team(tx, team_id))
        return
    {
        "task": lambda: tasks.append(world.task(text=("Скільки її?", "How much?")[what % 2])),
        "claim": lambda: write(service.claim, person.actor, task.id, intercept=what > 4),
        "accept": lambda: write(service.accept, person.actor, task.id),
        "release": lambda: write(service.release, head, task.id, "так"),
        "void": lambda: write(service.void, head, task.id, "так"),
        "undo": lambda: write(service.undo_void, head, task.id),
        "complete": lambda: write(service.complete, head, task.id, Closing(outcome=Outcome.ANSWERED)),
        "reopen": lambda: write(service.reopen, head, task.id),
        "snooze": lambda: write(service.snooze, head, task.id, Instant(now + HOUR)),
        "pause": lambda: write(members.pause, head, person.id),
        "resume": lambda: write(members.resume, head, person.id),
        "absence": lambda: write(
            schedules.add_absence, head, person.id, now, Instant(now + what * HOUR + 1), "sick"
        ),
        "share": lambda: write(
            members.change_member, head, world.team, person.id, share=what + 1, limit=None
        ),
        "limit": lambda: write(members.change_member, head, world.team, person.id, share=None, limit=what),
        "leave": lambda: write(members.leave_team, head, world.team, person.id),
        "join": lambda: write(members.join_team, head, world.team, person.id),
        "reassign": lambda: write(service.reassign, head, task.id, person.id, "так"),
        "other": lambda: write(service.to_team, head, task.id, world.strict, "так"),
    }[verb]()
