"""Every verb on a real database: who has the task afterwards, what it cost, and that all adds up."""

import json

import pytest

from hub.access.model import Actor, Role
from hub.assignment import members, service
from hub.assignment.policy import UNIT
from hub.db import tables as t
from hub.kernel.errors import (
    AccessDenied,
    AlreadyClaimed,
    InputRejected,
    NotFound,
    RuleSaysNo,
    TransitionRefused,
    VersionConflict,
)
from hub.requests.model import Closing, Outcome
from hub.staff import store as staff

HALF = UNIT // 2
ORDERED = Closing(outcome=Outcome.ORDER)


@pytest.fixture(autouse=True)
def all_is_well_in_the_end(world):
    yield
    assert world.findings() == []


@pytest.fixture
def pair(world):
    """Two sellers with equal shares: the first task is the first one's."""
    return world.worker("Олена"), world.worker("Богдан")


@pytest.fixture
def head(world):
    return world.worker("Марія", role=Role.HEAD, member=False)


def credit_of(world, *workers):
    return [world.credit(w) for w in workers]


# --- claim --------------------------------------------------------------------------------------------


def test_a_waiting_task_is_taken_by_who_claims_it_and_paid(world):
    task = world.task()
    assert (task.state, task.assignee_id) == ("waiting", None)
    olena = world.worker("Олена", limit=0)
    claimed = world.write(service.claim, olena.actor, task.id)
    assert (claimed.state, claimed.assignee_id, claimed.accepted_at) == (
        "accepted",
        olena.id,
        claimed.updated_at,
    )
    assert credit_of(world, olena) == [-UNIT], "nobody was eligible: the house got the grant"
    assert world.roster().house == UNIT
    assert [e.event for e in world.entries()] == ["claim"]


def test_claiming_an_assigned_task_of_ones_own_accepts_it(world, pair):
    task = world.task()
    claimed = world.write(service.claim, pair[0].actor, task.id)
    assert (claimed.state, claimed.assignee_id) == ("accepted", pair[0].id)
    assert [e.event for e in world.entries()] == ["deal"]
    again = world.write(service.claim, pair[0].actor, task.id)
    assert again.version == claimed.version


def test_a_task_not_yet_accepted_can_be_taken_over_and_the_price_moves(world, pair):
    olena, bohdan = pair
    task = world.task()
    assert credit_of(world, olena, bohdan) == [-HALF, HALF]
    claimed = world.write(service.claim, bohdan.actor, task.id)
    assert (claimed.assignee_id, claimed.state) == (bohdan.id, "accepted")
    assert credit_of(world, olena, bohdan) == [HALF, -HALF]
    entry = world.entries()[-1]
    assert (entry.event, entry.taker_id, entry.giver_id, entry.units) == (
        "intercept",
        bohdan.membership,
        olena.membership,
        UNIT,
    )


def test_an_accepted_task_names_who_has_it_unless_it_is_intercepted(world, pair):
    olena, bohdan = pair
    task = world.task()
    world.write(service.accept, olena.actor, task.id)
    with pytest.raises(AlreadyClaimed) as refused:
        world.write(service.claim, bohdan.actor, task.id)
    assert refused.value.facts["assignee_id"] == str(olena.id)
    claimed = world.write(service.claim, bohdan.actor, task.id, intercept=True)
    assert claimed.assignee_id == bohdan.id


def test_an_interception_taken_back_is_exact(world, pair):
    olena, bohdan = pair
    task = world.task()
    before = credit_of(world, olena, bohdan)
    world.write(service.claim, bohdan.actor, task.id, intercept=True)
    world.write(service.claim, olena.actor, task.id, intercept=True)
    assert credit_of(world, olena, bohdan) == before
    assert world.again(task).assignee_id == olena.id


def test_a_team_can_switch_interception_off_but_not_for_its_head(world):
    olena = world.worker("Олена", team=world.strict)
    bohdan = world.worker("Богдан", team=world.strict)
    task = world.task(team=world.strict)
    assert task.assignee_id == olena.id
    with pytest.raises(AccessDenied, match="only the head"):
        world.write(service.claim, bohdan.actor, task.id, intercept=True)
    head = world.worker("Марія", role=Role.HEAD, team=world.strict)
    assert world.write(service.claim, head.actor, task.id, intercept=True).assignee_id == head.id


def test_only_members_of_the_team_can_claim(world, pair):
    outsider = world.worker("Чужий", team=world.strict)
    task = world.task()
    with pytest.raises(AccessDenied, match="members"):
        world.write(service.claim, outsider.actor, task.id)


def test_a_token_that_acts_for_nobody_is_asked_who_acts(world, pair):
    task = world.task()
    with pytest.raises(InputRejected) as refused:
        world.write(service.claim, Actor("token:shop", frozenset({Role.HEAD})), task.id)
    assert [p.path for p in refused.value.problems] == ["staff_id"]


@pytest.mark.parametrize("verb", ["claim", "accept", "complete", "release"])
def test_a_finished_task_moves_no_more_and_says_both_states(world, pair, verb):
    task = world.task()
    world.write(service.complete, pair[0].actor, task.id, ORDERED)
    calls = {
        "claim": (service.claim, pair[0].actor, task.id),
        "accept": (service.accept, pair[0].actor, task.id),
        "complete": (service.complete, pair[0].actor, task.id, ORDERED),
        "release": (service.release, pair[0].actor, task.id, "-"),
    }
    with pytest.raises(TransitionRefused) as refused:
        world.write(*calls[verb])
    assert refused.value.facts == {"state": "done", "verb": verb}
    assert "done" in refused.value.message


# --- accept, versions ---------------------------------------------------------------------------------


def test_accepting_twice_changes_nothing(world, pair):
    task = world.task()
    first = world.write(service.accept, pair[0].actor, task.id)
    second = world.write(service.accept, pair[0].actor, task.id)
    assert (first.state, second.version) == ("accepted", first.version)


def test_somebody_elses_task_cannot_be_accepted(world, pair):
    task = world.task()
    with pytest.raises(AlreadyClaimed) as refused:
        world.write(service.accept, pair[1].actor, task.id)
    assert refused.value.facts["assignee_id"] == str(pair[0].id)


def test_an_old_version_is_refused_with_the_present_one(world, pair):
    task = world.task()
    now = world.write(service.accept, pair[0].actor, task.id, expected_version=task.version)
    with pytest.raises(VersionConflict) as refused:
        world.write(service.complete, pair[0].actor, task.id, ORDERED, expected_version=task.version)
    assert refused.value.facts["version"] == now.version


def test_a_task_that_does_not_exist_is_not_found(world, pair):
    with pytest.raises(NotFound):
        world.write(service.accept, pair[0].actor, 404)


# --- complete -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", [Outcome.ORDER, Outcome.ANSWERED])
def test_completing_closes_the_request_and_frees_the_place_without_credit(world, pair, outcome):
    task = world.task()
    before = credit_of(world, *pair)
    done = world.write(service.complete, pair[0].actor, task.id, Closing(outcome=outcome))
    assert (done.state, done.outcome, done.done_at) == ("done", outcome, done.updated_at)
    request = world.rows(t.request, t.request.c.id == task.request_id)[0]
    assert (request.state, request.outcome, request.joining) == ("closed", outcome, False)
    assert credit_of(world, *pair) == before
    assert world.roster().members[pair[0].membership].load == 0


@pytest.mark.parametrize("outcome", [Outcome.DEAD, Outcome.UNREACHABLE])
def test_nothing_sold_needs_the_reason_and_what_was_asked_for(world, pair, outcome):
    task = world.task()
    with pytest.raises(InputRejected) as refused:
        world.write(service.complete, pair[0].actor, task.id, Closing(outcome=outcome))
    assert [p.path for p in refused.value.problems] == ["reason", "asked.product"]
    assert world.again(task).state == "assigned"
    closing = Closing(outcome=outcome, reason="дорого", product="плитка", value_minor=500_00)
    world.write(service.complete, pair[0].actor, task.id, closing)
    request = world.rows(t.request, t.request.c.id == task.request_id)[0]
    assert (request.reason, request.asked_product, request.asked_value_minor) == ("дорого", "плитка", 500_00)
    assert request.asked_currency == "UAH"


@pytest.mark.parametrize("outcome", [Outcome.SPAM, Outcome.DUPLICATE])
def test_spam_and_doubles_cost_their_holder_nothing(world, pair, outcome):
    task = world.task()
    done = world.write(service.complete, pair[0].actor, task.id, Closing(outcome=outcome))
    assert (done.state, done.outcome) == ("cancelled", outcome)
    assert credit_of(world, *pair) == [HALF, HALF]
    assert world.roster().house == -UNIT
    assert world.task().assignee_id == pair[1].id, "who holds the older number is due first"


def test_a_head_may_complete_for_a_seller(world, pair, head):
    task = world.task()
    world.write(service.complete, head.actor, task.id, ORDERED)
    assert world.roster().members[pair[0].membership].load == 0


def test_a_colleague_may_not(world, pair):
    task = world.task()
    with pytest.raises(AlreadyClaimed):
        world.write(service.complete, pair[1].actor, task.id, ORDERED)


# --- reassign, release --------------------------------------------------------------------------------


def test_handing_a_task_on_moves_its_price_and_tells_the_new_one(world, pair):
    olena, bohdan = pair
    task = world.task()
    moved = world.write(service.reassign, olena.actor, task.id, bohdan.id, "його клієнт")
    assert (moved.state, moved.assignee_id) == ("assigned", bohdan.id)
    assert credit_of(world, olena, bohdan) == [HALF, -HALF]
    notice = world.rows(t.outbox)[-1]
    assert (notice.kind, json.loads(notice.payload)["staff_id"]) == ("task_assigned", str(bohdan.id))
    assert world.journal(task.id)[-1].reason == "його клієнт"


def test_who_takes_it_himself_is_not_told_about_it(world, pair):
    task = world.task()
    before = len(world.rows(t.outbox))
    world.write(service.claim, pair[1].actor, task.id)
    assert len(world.rows(t.outbox)) == before


def test_the_head_gives_a_waiting_task_by_hand(world, head):
    task = world.task()
    olena = world.worker("Олена", limit=0)
    moved = world.write(service.reassign, head.actor, task.id, olena.id, "")
    assert (moved.state, moved.assignee_id) == ("assigned", olena.id)
    assert world.entries()[-1].event == "by_hand"


def test_a_task_cannot_be_handed_to_its_holder_or_out_of_the_team(world, pair):
    task = world.task()
    with pytest.raises(RuleSaysNo, match="already"):
        world.write(service.reassign, pair[0].actor, task.id, pair[0].id, "")
    outsider = world.worker("Чужий", team=world.strict)
    with pytest.raises(InputRejected, match="team"):
        world.write(service.reassign, pair[0].actor, task.id, outsider.id, "")


def test_a_released_task_goes_to_somebody_else_who_pays_for_it(world, pair):
    olena, bohdan = pair
    task = world.task()
    released = world.write(service.release, olena.actor, task.id, "відпустка")
    assert (released.state, released.assignee_id) == ("assigned", bohdan.id)
    assert credit_of(world, olena, bohdan) == [HALF, -HALF]
    assert world.roster().house == 0
    assert [e.event for e in world.entries()] == ["deal", "release", "deal_again"]


def test_a_task_that_all_have_had_waits_until_somebody_new_comes(world, pair):
    olena, bohdan = pair
    task = world.task()
    world.write(service.release, olena.actor, task.id, "-")
    waiting = world.write(service.release, bohdan.actor, task.id, "-")
    assert (waiting.state, waiting.assignee_id) == ("waiting", None)
    assert world.roster().house == -UNIT
    new = world.worker("Новий")
    assert world.again(task).assignee_id == new.id
    assert world.roster().house == 0


def test_a_waiting_task_is_claimed_before_anything_else(world, pair):
    olena, bohdan = pair
    task = world.task()
    world.write(service.release, olena.actor, task.id, "-")
    world.write(service.release, bohdan.actor, task.id, "-")
    with pytest.raises(TransitionRefused):
        world.write(service.release, olena.actor, task.id, "-")
    with pytest.raises(TransitionRefused, match="claim it first"):
        world.write(service.complete, olena.actor, task.id, ORDERED)
    assert world.write(service.claim, olena.actor, task.id).assignee_id == olena.id
    assert world.roster().house == 0


def test_a_released_task_that_turns_out_to_be_spam_is_not_given_back_twice(world, pair, head):
    olena, bohdan = pair
    task = world.task()
    world.write(service.release, olena.actor, task.id, "-")
    world.write(service.release, bohdan.actor, task.id, "-")
    world.write(service.void, head.actor, task.id, "спам")
    assert credit_of(world, *pair) == [HALF, HALF]
    assert world.roster().house == -UNIT


# --- queue, limits, members ---------------------------------------------------------------------------


def test_with_nobody_there_tasks_wait_and_are_dealt_oldest_first_when_places_free(world):
    tasks = [world.task() for _ in range(3)]
    assert {row.state for row in tasks} == {"waiting"}
    olena = world.worker("Олена", limit=1)
    assert [world.again(row).state for row in tasks] == ["assigned", "waiting", "waiting"]
    world.write(service.complete, olena.actor, tasks[0].id, ORDERED)
    assert [world.again(row).state for row in tasks] == ["done", "assigned", "waiting"]


def test_a_raised_limit_is_filled_from_the_queue_at_once(world):
    olena = world.worker("Олена", limit=0)
    tasks = [world.task() for _ in range(3)]
    change = {"share": None, "limit": 2}
    world.write(members.change_member, world.admin, world.team, olena.id, **change)
    assert [world.again(row).state for row in tasks] == ["assigned", "assigned", "waiting"]
    world.write(
        members.change_member, world.admin, world.team, olena.id, share=None, limit=None, unlimited=True
    )
    assert world.again(tasks[2]).state == "assigned"


def test_a_new_member_is_dealt_what_waits(world):
    task = world.task()
    assert world.worker("Олена").id == world.again(task).assignee_id


def test_who_leaves_hands_over_and_keeps_the_balance(world, pair):
    olena, bohdan = pair
    first, second = world.task(), world.task()
    assert [first.assignee_id, second.assignee_id] == [olena.id, bohdan.id]
    world.write(members.leave_team, world.admin, world.team, olena.id)
    assert world.again(first).assignee_id == bohdan.id
    closed = world.roster().members[olena.membership]
    assert (closed.closed, closed.load, closed.credit) == (True, 0, UNIT)
    assert credit_of(world, bohdan) == [-UNIT]
    assert [e.event for e in world.entries()] == ["deal", "deal", "hand_over", "deal_again"]
    with pytest.raises(NotFound):
        world.write(members.leave_team, world.admin, world.team, olena.id)


def test_coming_back_is_a_new_membership_at_zero(world, pair):
    olena, _ = pair
    world.task()
    world.write(members.leave_team, world.admin, world.team, olena.id)
    again = world.write(members.join_team, world.admin, world.team, olena.id)
    assert again != olena.membership
    assert world.roster().members[again].credit == 0


def test_nobody_is_twice_in_a_team(world, pair):
    with pytest.raises(RuleSaysNo, match="already"):
        world.write(members.join_team, world.admin, world.team, pair[0].id)


def test_who_works_here_no_more_joins_no_team(world):
    gone = world.worker("Колишній", member=False)
    world.write(staff.close, gone.id)
    with pytest.raises(RuleSaysNo, match="no more"):
        world.write(members.join_team, world.admin, world.team, gone.id)


@pytest.mark.parametrize(
    ("share", "limit", "paths"),
    [(0, None, ["share"]), (1001, -1, ["share", "limit"]), (1, 100_001, ["limit"])],
)
def test_shares_and_limits_out_of_bounds_are_all_named(world, pair, share, limit, paths):
    with pytest.raises(InputRejected) as refused:
        world.write(members.change_member, world.admin, world.team, pair[0].id, share=share, limit=limit)
    assert [p.path for p in refused.value.problems] == paths


def test_a_seller_changes_no_shares(world, pair):
    with pytest.raises(AccessDenied):
        world.write(members.change_member, pair[0].actor, world.team, pair[0].id, share=9, limit=None)


def test_a_changed_share_counts_from_now_on(world, pair):
    olena, bohdan = pair
    for _ in range(4):
        world.task()
    world.write(members.change_member, world.admin, world.team, olena.id, share=3, limit=None)
    got = [world.task().assignee_id for _ in range(8)]
    assert (got.count(olena.id), got.count(bohdan.id)) == (6, 2)


def test_facts_are_recorded_in_order_with_the_number_of_the_ledger(world, pair):
    olena, _ = pair
    task = world.task()
    world.write(members.change_member, world.admin, world.team, olena.id, share=2, limit=5)
    world.write(service.complete, olena.actor, task.id, ORDERED)
    world.write(members.leave_team, world.admin, world.team, olena.id)
    facts = [
        (f.kind, json.loads(f.value), f.seq)
        for f in world.rows(t.eligibility_fact, t.eligibility_fact.c.membership_id == olena.membership)
    ]
    assert facts == [
        ("member", {"staff": str(olena.id), "share": 1, "limit": None}, 0),
        ("share", 2, 1),
        ("limit", 5, 1),
        ("load", {"task": str(task.id), "by": -1}, 1),
        ("member", None, 1),
    ]


def test_a_question_of_the_tracking_is_dealt_like_any_task(world, pair):
    made = [
        world.write(service.open_task, world.admin, world.team, kind="question", title=f"питання {n}")
        for n in range(2)
    ]
    assert [m.assignee_id for m in made] == [pair[0].id, pair[1].id]
    assert {m.request_id for m in made} == {None}


def test_every_verb_writes_its_journal(world, pair):
    olena, bohdan = pair
    task = world.task()
    world.write(service.accept, olena.actor, task.id)
    world.write(service.claim, bohdan.actor, task.id, intercept=True)
    world.write(service.reassign, bohdan.actor, task.id, olena.id, "-")
    world.write(service.release, olena.actor, task.id, "-")
    world.write(service.complete, bohdan.actor, task.id, ORDERED)
    written = [(j.event, j.actor) for j in world.journal(task.id)]
    assert written == [
        ("accepted", olena.actor.label),
        ("claimed", bohdan.actor.label),
        ("reassigned", bohdan.actor.label),
        ("released", olena.actor.label),
        ("completed", bohdan.actor.label),
    ]


def test_the_verbs_behave_alike_on_both_databases(both_worlds):
    world = both_worlds
    olena, bohdan = world.worker("Олена"), world.worker("Богдан", share=2)
    tasks = [world.task() for _ in range(6)]
    got = [row.assignee_id for row in tasks]
    assert (got.count(olena.id), got.count(bohdan.id)) == (2, 4)
    mine = next(row for row in tasks if row.assignee_id == olena.id)
    world.write(service.claim, bohdan.actor, mine.id, intercept=True)
    with pytest.raises(AlreadyClaimed):
        world.write(service.claim, olena.actor, mine.id)
    world.write(service.release, bohdan.actor, mine.id, "-")
    assert world.again(mine).assignee_id == olena.id
    world.write(service.complete, olena.actor, mine.id, Closing(outcome=Outcome.SPAM))
    world.write(members.leave_team, world.admin, world.team, bohdan.id)
    assert {world.again(row).assignee_id for row in tasks} == {olena.id}
    assert world.findings() == []
