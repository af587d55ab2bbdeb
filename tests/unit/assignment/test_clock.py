"""A clock that is set forward and back, under dealing and under the timer: nothing forgotten, nothing twice."""

import json
import random
from contextlib import suppress

import pytest

from hub.assignment import members, schedules, service
from hub.assignment.export import export_lines
from hub.assignment.verify import Verifier
from hub.kernel.clock import DAY, HOUR, MINUTE, Instant
from hub.kernel.errors import HubError
from hub.requests.model import Closing, Outcome
from tests.unit.assignment.test_time import MONDAY_8, absent, shifts, tick


@pytest.mark.parametrize("seed", range(3))
def test_a_clock_that_jumps_both_ways_forgets_nothing_and_deals_nothing_twice(make_world, seed):
    """Hours forward and back under dealing, calendars and the timer, as after a wrong NTP server.

    A task that is open and waits while somebody could take it would be forgotten; one with two holders, or
    dealt again while it is held, would be dealt twice. The ledger is then recomputed without the database.
    """
    chance = random.Random(seed)
    world = make_world()
    world.clock.move(MONDAY_8 - world.clock.now())
    people = [
        world.worker(name, limit=limit) for name, limit in (("Олена", None), ("Богдан", 3), ("Ірина", 2))
    ]
    shifts(world, people[0], {"mon": [["08:00", "20:00"]], "tue": [["08:00", "20:00"]]})
    shifts(world, people[1], {"mon": [["20:00", "08:00"]], "tue": [["20:00", "08:00"]]})
    members_settings = {"reaction_minutes": 30, "pass_on": True}
    world.write(members.change_team, world.admin, world.team, members_settings)
    made = []
    for _ in range(60):
        world.clock.move(chance.choice([-6 * HOUR, -HOUR, -MINUTE, 0, MINUTE, 20 * MINUTE, HOUR, 7 * HOUR]))
        match chance.randrange(6):
            case 0 | 1 | 2:
                made.append(world.task())
            case 3 if made:
                with suppress(HubError):  # the calendar may take it from him in the same transaction
                    _act(world, people, chance, made)
            case 4:
                who, now = chance.choice(people), world.clock.now()
                absent(world, who, now, Instant(now + chance.choice([MINUTE, 3 * HOUR])))
            case _:
                tick(world)
    # The clock is right again: all absences, snoozes and reactions that may be due are due.
    world.clock.move(MONDAY_8 + 30 * DAY + 4 * HOUR - world.clock.now())
    for worker in people:
        world.write(schedules.clear_weekly, world.admin, worker.id)
        world.write(members.resume, worker.actor, worker.id)
        world.write(
            members.change_member, world.admin, world.team, worker.id, share=None, limit=None, unlimited=True
        )
    for _ in range(3):
        tick(world)
    stored = [world.again(task) for task in made]
    everybody = {one.membership for one in people}  # who let a task go is not dealt it again
    left = [task for task in stored if task.state in {"waiting", "snoozed"}]
    assert [task for task in left if set(json.loads(task.held_by)) != everybody] == []
    assert all(task.assignee_id is not None for task in stored if task.state in {"assigned", "accepted"})
    holder: dict[int | None, int | None] = {}
    for entry in world.entries():
        before = holder.get(entry.task_id)
        if entry.event in {"deal", "deal_again", "claim", "by_hand", "returning"}:
            assert before is None, "dealt while somebody had it"
        if entry.giver_id is not None:
            assert before == entry.giver_id
        holder[entry.task_id] = entry.taker_id
    held = {task.id: task.membership_id for task in stored if task.state in {"assigned", "accepted"}}
    assert {task_id: who for task_id, who in holder.items() if task_id in held} == held
    lines = world.read(lambda conn: json.loads(json.dumps(list(export_lines(conn, world.team)))))
    assert Verifier().run(lines).entries == len(world.entries())
    world.db.close()


def _act(world, people, chance, made):
    task = world.again(chance.choice(made))
    actor = next((one.actor for one in people if one.id == task.assignee_id), None)
    if actor is None:
        return
    verbs = {
        "assigned": ["accept", "snooze", "release", "complete"],
        "accepted": ["snooze", "release", "complete"],
        "snoozed": ["accept"],
    }
    verb = chance.choice(verbs.get(task.state, ["none"]))
    if verb == "accept":
        world.write(service.accept, actor, task.id)
    elif verb == "snooze":
        world.write(service.snooze, actor, task.id, Instant(world.clock.now() + 2 * HOUR))
    elif verb == "release":
        world.write(service.release, actor, task.id, "later")
    elif verb == "complete":
        world.write(service.complete, actor, task.id, Closing(outcome=Outcome.ANSWERED))
