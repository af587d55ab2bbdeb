"""What time does to dealing: shifts, absences, pauses, the night, reactions, snoozed tasks."""

import json
from itertools import pairwise

import pytest

from hub.access.model import Role
from hub.assignment import members, service, timer
from hub.assignment.policy import UNIT, Rules
from hub.db import tables as t
from hub.kernel.clock import DAY, HOUR, MINUTE, Instant, parse_rfc3339
from hub.kernel.errors import InputRejected, RuleSaysNo, TransitionRefused
from hub.requests.model import Closing, Outcome
from hub.staff import schedule

MONDAY_8 = parse_rfc3339("2026-11-23T06:00:00Z")  # 08:00 in Kyiv
DAYTIME = {day: [["09:00", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}


@pytest.fixture(autouse=True)
def all_is_well_in_the_end(world):
    yield
    assert world.findings() == []


@pytest.fixture
def monday(world):
    """Monday, 8 o'clock in Kyiv."""
    world.clock.move(MONDAY_8 - world.clock.now())
    return world


def shifts(world, worker, days=None):
    def change(tx):
        with members.Calendars(tx, world.admin, worker.id):
            body = {"from": "2026-11-01", "until": None, "days": DAYTIME if days is None else days}
            schedule.add(tx, world.admin.label, worker.id, "weekly", body)

    world.write(change)


def absent(world, worker, start, end):
    def change(tx):
        with members.Calendars(tx, world.admin, worker.id):
            schedule.add(tx, world.admin.label, worker.id, "absence", {}, from_at=start, until_at=end)

    world.write(change)


def at(world, moment):
    """Go to a moment and let the timer do its work, as it does four times a second."""
    world.clock.move(parse_rfc3339(moment) - world.clock.now())
    return tick(world)


def tick(world):
    due = world.read(timer.due_teams, world.clock.now())
    for team_id in due:
        world.db.write_now(lambda tx, team_id=team_id: timer.run_team(tx, team_id))
    return due


def test_what_is_due_is_found_by_the_indexes_of_time_and_not_among_all_that_is_open(monday):
    """Without statistics SQLite prefers the index of states, and looks at each open task four times a second."""
    sql, names = timer._DUE._sqlite

    def plan(conn):
        driver = conn.connection.driver_connection
        return " ".join(row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {sql}", [1] * len(names)))

    walked = monday.read(plan)
    assert "ix_task_snoozed (snoozed_until_at<?)" in walked
    assert "ix_task_react (react_by_at>? AND react_by_at<?)" in walked


def owner(world, task):
    return world.again(task).assignee_id


def test_who_is_off_shift_is_dealt_nothing_and_the_set_says_so(monday):
    olena, bohdan = monday.worker("Олена"), monday.worker("Богдан")
    shifts(monday, olena)
    task = monday.task()
    assert owner(monday, task) == bohdan.id
    (entry,) = monday.entries()
    body = json.loads(next(s.body for s in monday.rows(t.eligible_set) if s.id == entry.set_id))
    assert body["excluded"] == [[str(olena.membership), "off_shift"]]


def test_a_shift_counts_from_its_first_moment_without_any_timer(monday):
    """The calendar is looked at before anybody is chosen: a late timer deals nothing wrongly."""
    olena, bohdan = monday.worker("Олена"), monday.worker("Богдан")
    shifts(monday, olena, {"mon": [["09:00", "10:00"]]})
    shifts(monday, bohdan, {"mon": [["10:00", "11:00"]]})
    monday.clock.move(HOUR + 30 * MINUTE)
    assert owner(monday, monday.task()) == olena.id
    monday.clock.move(HOUR)
    assert owner(monday, monday.task()) == bohdan.id
    monday.clock.move(HOUR)
    assert monday.task().state == "waiting"


def test_a_clock_that_is_set_back_is_believed(monday):
    olena, bohdan = monday.worker("Олена"), monday.worker("Богдан")
    shifts(monday, olena, {"mon": [["09:00", "10:00"]]})
    shifts(monday, bohdan, {"mon": [["10:00", "11:00"]]})
    monday.clock.move(2 * HOUR + 30 * MINUTE)
    assert owner(monday, monday.task()) == bohdan.id
    monday.clock.move(-HOUR)
    assert owner(monday, monday.task()) == olena.id


def test_the_night_is_dealt_at_the_first_start_to_all_who_start_soon(monday):
    early, soon, late = (monday.worker(name) for name in ("Ранній", "Скорий", "Пізній"))
    shifts(monday, early, {"mon": [["09:00", "18:00"]]})
    shifts(monday, soon, {"mon": [["09:15", "18:00"]]})
    shifts(monday, late, {"mon": [["09:16", "18:00"]]})
    night = [monday.task() for _ in range(4)]
    assert {task.state for task in night} == {"waiting"}
    assert at(monday, "2026-11-23T07:00:00Z") == [monday.team]
    dealt = [owner(monday, task) for task in night]
    assert (dealt.count(early.id), dealt.count(soon.id), dealt.count(late.id)) == (2, 2, 0)
    assert owner(monday, monday.task()) == early.id  # what comes now is for who is there


def test_at_the_end_of_a_shift_what_was_not_accepted_goes_on(monday):
    olena = monday.worker("Олена")
    shifts(monday, olena, {"mon": [["08:00", "09:00"]], "tue": [["08:00", "09:00"]]})
    begun, left = monday.task(), monday.task()
    monday.write(service.accept, olena.actor, begun.id)
    at(monday, "2026-11-23T07:00:00Z")
    assert monday.again(begun).state == "accepted"
    assert monday.again(left).state == "waiting"
    assert json.loads(monday.again(left).held_by) == []  # he has not refused it
    at(monday, "2026-11-24T06:00:00Z")
    assert owner(monday, left) == olena.id
    assert monday.credit(olena) == 0


def test_an_absence_hands_everything_over_but_what_is_snoozed(monday):
    olena, bohdan = monday.worker("Олена"), monday.worker("Богдан")
    mine = [task for task in (monday.task() for _ in range(6)) if task.assignee_id == olena.id]
    monday.write(service.accept, olena.actor, mine[0].id)
    later = Instant(monday.clock.now() + 2 * DAY)
    monday.write(service.snooze, olena.actor, mine[1].id, later)
    absent(monday, olena, monday.clock.now(), Instant(monday.clock.now() + 7 * DAY))
    assert [owner(monday, task) for task in mine] == [bohdan.id, olena.id, bohdan.id]
    monday.clock.move(2 * DAY)
    tick(monday)
    assert owner(monday, mine[1]) == bohdan.id


def test_the_end_of_an_absence_fills_the_free_place_at_once(monday):
    olena = monday.worker("Олена")
    until = Instant(monday.clock.now() + DAY)
    absent(monday, olena, monday.clock.now(), until)
    task = monday.task()
    assert task.state == "waiting"
    monday.clock.move(until - monday.clock.now())
    assert tick(monday) == [monday.team]
    assert owner(monday, task) == olena.id


def test_a_pause_keeps_what_he_has_and_brings_nothing_new(monday):
    olena, bohdan = monday.worker("Олена"), monday.worker("Богдан")
    first = monday.task()
    monday.write(members.pause, olena.actor, olena.id)
    assert owner(monday, first) == olena.id
    assert {owner(monday, monday.task()) for _ in range(3)} == {bohdan.id}
    monday.write(members.pause, bohdan.actor, bohdan.id)
    waits = monday.task()
    assert waits.state == "waiting"
    monday.write(members.resume, olena.actor, olena.id)
    assert owner(monday, waits) == olena.id


def test_a_pause_may_end_by_itself(monday):
    olena = monday.worker("Олена")
    until = Instant(monday.clock.now() + 10 * MINUTE)
    monday.write(members.pause, olena.actor, olena.id, until)
    task = monday.task()
    monday.clock.move(10 * MINUTE)
    tick(monday)
    assert owner(monday, task) == olena.id
    with pytest.raises(InputRejected):
        monday.write(members.pause, olena.actor, olena.id, Instant(monday.clock.now() - 1))


# --- reactions ------------------------------------------------------------------------------------------


def test_who_lets_a_task_pass_is_out_until_he_acts(monday):
    olena, bohdan = monday.worker("Олена"), monday.worker("Богдан")
    head = monday.worker("Марія", role=Role.HEAD, member=False)
    task = monday.task()
    assert owner(monday, task) == olena.id
    monday.clock.move(30 * MINUTE - 2_000)
    assert tick(monday) == []
    monday.clock.move(2_000)
    tick(monday)
    assert owner(monday, task) == bohdan.id
    assert monday.entries()[-1].event == "pass_on"
    assert (monday.credit(olena), monday.credit(bohdan)) == (UNIT // 2, -UNIT // 2)
    told = [json.loads(row.payload) for row in monday.rows(t.outbox) if row.kind == "task_passed_on"]
    assert told == [{"staff_id": str(head.id), "task_ids": [str(task.id)]}]
    others = [monday.task() for _ in range(2)]
    assert {owner(monday, one) for one in others} == {bohdan.id}
    monday.write(service.claim, olena.actor, others[0].id)
    assert olena.id in {owner(monday, monday.task()) for _ in range(3)}
    duty = [row.value for row in monday.rows(t.eligibility_fact) if row.kind == "duty"]
    assert duty == ['"not_reacting"', '""']


def test_a_limit_of_its_own_holds_for_whoever_has_the_task(monday):
    """A form of its kind may ask for a quicker reaction than the team: also after the task was passed on."""
    olena, bohdan = monday.worker("Олена"), monday.worker("Богдан")
    task = monday.task()
    monday.write(
        lambda tx: tx.execute(t.task.update().values(reaction_ms=5 * MINUTE, react_by_at=tx.now + 1))
    )
    monday.clock.move(4 * MINUTE)
    tick(monday)
    assert owner(monday, task) == olena.id
    monday.clock.move(MINUTE)
    tick(monday)
    assert owner(monday, task) == bohdan.id
    assert monday.again(task).react_by_at == monday.clock.now() + 5 * MINUTE


def test_a_task_that_nobody_else_can_take_stays_and_the_head_is_told_once(monday):
    monday.worker("Марія", role=Role.HEAD, member=False)
    olena = monday.worker("Олена")
    task = monday.task()
    for _ in range(3):
        monday.clock.move(HOUR)
        tick(monday)
    assert owner(monday, task) == olena.id
    assert [row.kind for row in monday.rows(t.outbox)].count("task_unanswered") == 1


def test_the_reaction_clock_stands_still_while_nobody_works(monday):
    olena, bohdan = monday.worker("Олена"), monday.worker("Богдан")
    for worker in (olena, bohdan):
        shifts(monday, worker, {"mon": [["08:00", "08:20"]], "tue": [["08:00", "18:00"]]})
    task = monday.task()
    holder = owner(monday, task)
    monday.write(service.accept, (olena if holder == olena.id else bohdan).actor, task.id)
    late = monday.task()
    at(monday, "2026-11-23T06:20:00Z")  # both go: it waits overnight
    assert monday.again(late).state == "waiting"
    at(monday, "2026-11-24T06:00:00Z")
    first = owner(monday, late)
    at(monday, "2026-11-24T06:29:59Z")
    assert owner(monday, late) == first
    at(monday, "2026-11-24T06:30:01Z")
    assert owner(monday, late) != first


@pytest.mark.parametrize("verb", ["accept", "snooze", "complete"])
def test_a_reaction_stops_the_clock(monday, verb):
    olena, _ = monday.worker("Олена"), monday.worker("Богдан")
    task = monday.task()
    if verb == "accept":
        monday.write(service.accept, olena.actor, task.id)
    elif verb == "snooze":
        monday.write(service.snooze, olena.actor, task.id, Instant(monday.clock.now() + DAY))
    else:
        monday.write(service.complete, olena.actor, task.id, Closing(outcome=Outcome.ANSWERED))
    monday.clock.move(HOUR)
    assert tick(monday) == []
    assert owner(monday, task) == olena.id


def test_a_team_may_do_without_passing_on(monday):
    olena, _ = monday.worker("Олена"), monday.worker("Богдан")
    monday.write(members.change_team, monday.admin, monday.team, {"pass_on": False})
    task = monday.task()
    monday.clock.move(HOUR)
    tick(monday)
    assert owner(monday, task) == olena.id


# --- snooze, reopen, spam that was none, another team ----------------------------------------------------


def test_a_snoozed_task_frees_its_place_and_wakes_by_itself(monday):
    olena = monday.worker("Олена", limit=1)
    first, second = monday.task(), monday.task()
    until = Instant(monday.clock.now() + HOUR)
    snoozed = monday.write(service.snooze, olena.actor, first.id, until)
    assert (snoozed.state, snoozed.assignee_id) == ("snoozed", olena.id)
    assert owner(monday, second) == olena.id  # the freed place
    request = monday.rows(t.request, t.request.c.id == first.request_id)[0]
    assert request.next_contact_at == until
    monday.clock.move(until - monday.clock.now())
    tick(monday)
    woken = monday.again(first)
    assert (woken.state, woken.assignee_id, woken.snoozed_until_at) == ("assigned", olena.id, None)
    assert monday.roster().members[olena.membership].load == 2


@pytest.mark.parametrize("ahead", [-HOUR, 0, 400 * DAY])
def test_a_task_is_put_off_to_a_sensible_moment(monday, ahead):
    olena = monday.worker("Олена")
    task = monday.task()
    with pytest.raises(InputRejected):
        monday.write(service.snooze, olena.actor, task.id, Instant(monday.clock.now() + ahead))


def test_whatever_is_done_with_a_snoozed_task_keeps_the_loads_right(monday):
    olena, bohdan = monday.worker("Олена"), monday.worker("Богдан")
    later = Instant(monday.clock.now() + DAY)
    mine = [task for task in (monday.task() for _ in range(12)) if task.assignee_id == olena.id]
    for task in mine:
        monday.write(service.snooze, olena.actor, task.id, later)
    monday.write(service.accept, olena.actor, mine[0].id)
    monday.write(service.complete, olena.actor, mine[1].id, Closing(outcome=Outcome.ANSWERED))
    monday.write(service.void, olena.actor, mine[2].id, "спам")
    monday.write(service.release, olena.actor, mine[3].id, "не моє")
    monday.write(service.reassign, olena.actor, mine[4].id, bohdan.id, "знає краще")
    monday.write(service.claim, bohdan.actor, mine[5].id, intercept=True)
    assert monday.roster().members[olena.membership].load == 1


def test_a_reopened_task_is_its_persons_again_and_costs_nothing(monday):
    olena, _ = monday.worker("Олена"), monday.worker("Богдан")
    task = monday.task()
    monday.write(service.complete, olena.actor, task.id, Closing(outcome=Outcome.ANSWERED))
    before = monday.credit(olena)
    again = monday.write(service.reopen, olena.actor, task.id)
    assert (again.state, again.assignee_id, again.outcome) == ("assigned", olena.id, None)
    assert monday.credit(olena) == before
    request = monday.rows(t.request, t.request.c.id == task.request_id)[0]
    assert (request.state, request.outcome) == ("open", None)
    with pytest.raises(TransitionRefused):
        monday.write(service.reopen, olena.actor, task.id)


def test_what_somebody_left_is_reopened_in_the_queue(monday):
    olena, bohdan = monday.worker("Олена"), monday.worker("Богдан")
    task = monday.task()
    monday.write(service.complete, olena.actor, task.id, Closing(outcome=Outcome.ANSWERED))
    monday.write(members.close_staff, monday.admin, olena.id)
    assert monday.write(service.reopen, monday.admin, task.id).assignee_id == bohdan.id


def test_spam_that_was_none_is_paid_for_again(monday):
    olena, bohdan = monday.worker("Олена"), monday.worker("Богдан")
    task = monday.task()
    before = monday.credit(olena)
    monday.write(service.void, olena.actor, task.id, "схоже на спам")
    assert monday.credit(olena) == before + UNIT
    undone = monday.write(service.undo_void, monday.admin, task.id)
    assert (undone.state, undone.assignee_id) == ("assigned", olena.id)
    assert monday.credit(olena) == before
    assert [e.event for e in monday.entries()] == ["deal", "void", "undo_void"]
    monday.write(service.complete, olena.actor, task.id, Closing(outcome=Outcome.ANSWERED))
    with pytest.raises(TransitionRefused):
        monday.write(service.undo_void, monday.admin, task.id)
    assert bohdan


def test_a_request_with_another_open_task_is_not_reopened(monday):
    olena = monday.worker("Олена")
    task = monday.task()
    monday.write(service.complete, olena.actor, task.id, Closing(outcome=Outcome.ANSWERED))
    monday.write(
        service.open_task, monday.admin, monday.team, kind="question", title="?", request_id=task.request_id
    )
    with pytest.raises(RuleSaysNo):
        monday.write(service.reopen, olena.actor, task.id)


def test_another_team_gets_a_new_task_and_the_old_one_costs_nothing(monday):
    olena = monday.worker("Олена")
    ivan = monday.worker("Іван", team=monday.strict)
    task = monday.task()
    moved = monday.write(service.to_team, olena.actor, task.id, monday.strict, "це до них")
    assert (moved.team_id, moved.assignee_id) == (monday.strict, ivan.id)
    old = monday.again(task)
    assert (old.state, old.outcome, old.assignee_id) == ("cancelled", "other_team", None)
    assert (monday.credit(olena), monday.roster().house) == (UNIT, -UNIT)
    request = monday.rows(t.request, t.request.c.id == task.request_id)[0]
    assert request.team_id == monday.strict
    assert [e.event for e in monday.entries(monday.strict)] == ["deal"]


# --- rules ----------------------------------------------------------------------------------------------


def test_rules_decide_whom_a_language_goes_to(monday):
    olena, john = monday.worker("Олена"), monday.worker("John")
    limits = {"share": None, "limit": None}
    only = Rules(languages=frozenset({"en"}))
    monday.write(members.change_member, monday.admin, monday.team, john.id, **limits, rules=only)
    assert {owner(monday, monday.task(text="Скільки коштує її доставка?")) for _ in range(3)} == {olena.id}
    assert owner(monday, monday.task(text="How much is the delivery?")) == john.id
    stored = monday.rows(t.membership, t.membership.c.id == john.membership)[0]
    assert json.loads(stored.rules) == {"languages": ["en"]}


def test_seqs_have_no_gap_over_all_of_this(monday):
    monday.worker("Олена")
    for _ in range(3):
        monday.task()
    assert all(b.seq == a.seq + 1 for a, b in pairwise(monday.entries()))
