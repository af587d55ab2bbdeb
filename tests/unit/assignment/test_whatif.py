"""The past dealt again with a change; that it comes out as it was without one is held in test_verify."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hub.access.model import system
from hub.assignment import schedules, service, timer
from hub.assignment.export import export_lines
from hub.assignment.whatif import UNLIMITED, Change, change_of, replay, shift_of
from hub.kernel.clock import HOUR, MINUTE, Instant, parse_rfc3339
from hub.kernel.errors import InputRejected
from hub.requests.model import Closing, Outcome
from hub.staff.calendar import local_date
from tests.unit.world import World

KYIV = ZoneInfo("Europe/Kyiv")


def lines_of(world: World) -> list[Any]:
    return world.read(lambda conn: list(export_lines(conn, world.team)))


def test_a_larger_share_would_have_received_more(world):
    one, other = world.worker("Олена"), world.worker("Богдан")
    for _ in range(12):
        world.task()
    found = replay(lines_of(world), Change(one.membership, share=3), KYIV)
    assert {m: t.tasks for m, t in found.was.items()} == {one.membership: 6, other.membership: 6}
    assert {m: t.tasks for m, t in found.would.items()} == {one.membership: 9, other.membership: 3}
    assert {m: t.due_tasks for m, t in found.would.items()} == {one.membership: 9, other.membership: 3}
    assert found.dealt == 12
    assert found.others >= 3
    assert found.largest_would < 1


def test_what_lies_before_the_period_stays_as_it_was(world):
    one, other = world.worker("Олена"), world.worker("Богдан")
    for _ in range(10):
        world.task()
    start = Instant(world.clock.now() + 500)
    for _ in range(8):
        world.task()
    found = replay(lines_of(world), Change(one.membership, share=3), KYIV, start)
    assert found.dealt == 8
    assert found.was[one.membership].tasks + found.was[other.membership].tasks == 8
    assert found.would[one.membership].tasks == 6


def test_a_limit_would_have_sent_the_rest_to_the_others(world):
    one, other = world.worker("Олена"), world.worker("Богдан")
    tasks = [world.task() for _ in range(10)]
    found = replay(lines_of(world), Change(one.membership, limit=2), KYIV)
    assert found.would[one.membership].tasks == 2
    assert found.would[one.membership].most_open == 2
    assert found.would[other.membership].tasks == 8
    holder = world.again(tasks[0])
    assert holder.membership_id in {one.membership, other.membership}


def test_without_his_limit_he_would_have_had_what_waited(world):
    one = world.worker("Олена", limit=1)
    first = world.task()
    for _ in range(3):
        world.task()
        world.clock.move(10 * MINUTE)
    world.write(service.complete, one.actor, first.id, Closing(outcome=Outcome.ANSWERED))
    lines = lines_of(world)
    assert replay(lines, None, KYIV).was[one.membership].tasks == 2
    found = replay(lines, Change(one.membership, limit=UNLIMITED), KYIV)
    assert found.would[one.membership].tasks >= 2
    assert found.would[one.membership].most_open >= found.was[one.membership].most_open


def test_a_longer_shift_would_have_taken_the_evenings_tasks(world):
    """In fact they waited for the next morning, and were shared with the colleague."""
    late, early = world.worker("Олена"), world.worker("Богдан")
    today = local_date(world.clock.now(), KYIV)
    days = {day: [("09:00", "18:00")] for day in ("mon", "tue", "wed", "thu", "fri")}
    for worker in (late, early):
        world.write(schedules.set_weekly, system("test"), worker.id, days, today)
    world.clock.move(parse_rfc3339("2026-03-02T19:30:00+02:00") - world.clock.now())
    run_timer(world)
    for _ in range(4):
        world.task()
    world.clock.move(14 * HOUR)
    run_timer(world)
    lines = lines_of(world)
    assert replay(lines, None, KYIV).was[late.membership].tasks == 2
    found = replay(lines, Change(late.membership, shift=shift_of("mon-fri 09:00-22:00")), KYIV)
    assert found.would[late.membership].tasks == 4
    assert early.membership not in found.would or found.would[early.membership].tasks == 0


def run_timer(world: World) -> None:
    for team_id in world.read(timer.due_teams, world.clock.now()):
        world.write(timer.run_team, team_id)


def test_a_change_is_read_from_words():
    assert change_of(5, share="2", limit="none") == Change(5, 2, UNLIMITED)
    nine_to_six = ((9 * 60, 18 * 60),)
    assert change_of(5, shift="mon-tue 09:00-18:00, sun 22:00-06:00").shift == (
        nine_to_six, nine_to_six, (), (), (), (), ((22 * 60, 30 * 60),)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "path"),
    [
        ({}, "share"),
        ({"share": "0"}, "share"),
        ({"share": "viel"}, "share"),
        ({"limit": "-1"}, "limit"),
        ({"shift": "someday 9-18"}, "shift"),
        ({"shift": "mon 25:00-26:00"}, "shift"),
        ({"shift": "mon"}, "shift"),
    ],
)
def test_a_change_that_is_none_says_what_is_wrong(words, path):
    with pytest.raises(InputRejected) as refused:
        change_of(5, **words)
    assert [p.path for p in refused.value.problems] == [path]


def test_nobody_of_the_team_is_refused(world):
    world.worker("Олена")
    with pytest.raises(InputRejected):
        replay(lines_of(world), Change(5, share=2), KYIV)
