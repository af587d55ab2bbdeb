"""Orders on a real database: what they need, what they sum up to, where they may go, what is written down."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, update

from hub.access.model import Role
from hub.assignment import service as assignment
from hub.contacts.model import PHONE, IdentityKey, Person
from hub.db import tables as t
from hub.kernel.errors import (
    AccessDenied,
    AlreadyClaimed,
    InputRejected,
    NotFound,
    TransitionRefused,
    VersionConflict,
)
from hub.kernel.money import MAX_MINOR
from hub.orders import service, store
from hub.orders.model import MAX_LINES, EntryRow, NewLine, NewOrder, Payment, check_lines, missing
from hub.requests.model import Closing, Outcome
from hub.staff import store as staff


@pytest.fixture
def olena(world):
    return world.worker("Олена")


def new(**values):
    return NewOrder(**{"contact_id": None, "request_id": None, "responsible_id": None, **values})


def journal(world, order):
    return world.read(store.journal, order.id)


def again(world, order):
    return world.read(store.get, order.id)


# --- making one ---------------------------------------------------------------------------------------


def test_without_contact_and_responsible_both_are_named(world, olena):
    with pytest.raises(InputRejected) as refused:
        world.write(service.create, olena.actor, new())
    assert [p.path for p in refused.value.problems] == ["contact", "responsible_id"]
    assert world.rows(t.orders) == []


def test_gaps_of_lines_are_named_with_the_rest_at_once(world, olena):
    lines = [
        NewLine(name="ok"),
        NewLine(name=" \x00".replace("\x00", "")),
        NewLine(name="x", price_minor=MAX_MINOR, quantity_milli=2000),
    ]
    with pytest.raises(InputRejected) as refused:
        world.write(service.create, olena.actor, new(lines=lines))
    paths = [p.path for p in refused.value.problems]
    assert paths == ["contact", "responsible_id", "lines.1.name", "lines.2.price"]


def test_who_works_here_no_more_is_not_responsible(world, olena):
    gone = world.worker("Колишній", member=False)
    world.write(staff.close, gone.id)
    with pytest.raises(InputRejected) as refused:
        world.write(service.create, olena.actor, new(contact_id=world.customer(), responsible_id=gone.id))
    assert [p.path for p in refused.value.problems] == ["responsible_id"]


def test_a_contact_that_does_not_exist_is_not_found(world, olena):
    with pytest.raises(NotFound):
        world.order(olena, contact_id=404)


def test_a_new_person_becomes_a_contact_and_a_known_one_is_found(world, olena):
    person = Person("Ірина", "", None, (IdentityKey(PHONE, "+380671112233"),))
    orders = [
        world.write(service.create, olena.actor, new(responsible_id=olena.id), person) for _ in range(2)
    ]
    assert orders[0].contact_id == orders[1].contact_id
    assert len(world.rows(t.contact)) == 1


def test_an_order_begins_at_the_first_stage_of_the_newest_route(world, olena):
    order = world.order(olena, payment=Payment.COD)
    assert (order.stage, order.route, order.route_version, order.payment) == ("new", "parcel", 1, "cod")
    assert again(world, order) == order


def test_human_numbers_ascend_without_gaps_even_past_refusals(world, olena):
    first = world.order(olena)
    with pytest.raises(InputRejected):
        world.order(olena, lines=[NewLine(name="")])
    with pytest.raises(NotFound):
        world.order(olena, request_id=404)
    second, third = world.order(olena), world.order(olena)
    assert [o.number for o in (first, second, third)] == ["1001", "1002", "1003"]


# --- lines --------------------------------------------------------------------------------------------


def test_the_total_is_the_sum_of_rounded_lines(world, olena):
    lines = [
        NewLine(name="Плитка", quantity_milli=2_500, price_minor=33_333),
        NewLine(name="Знижка", price_minor=-1_000),
        NewLine(name="Кріплення", quantity_milli=333, price_minor=10),
    ]
    order = world.order(olena, lines=lines)
    stored = world.read(store.lines, order.id)
    assert [(line.position, line.total_minor) for line in stored] == [(1, 83_333), (2, -1_000), (3, 3)]
    assert order.total_minor == 82_336


def test_added_lines_count_on_and_the_version_rises(world, olena):
    order = world.order(olena, lines=[NewLine(name="a", price_minor=100)])
    changed = world.write(
        service.add_lines, olena.actor, order.id, [NewLine(name="b", price_minor=50)], expected_version=1
    )
    assert (changed.total_minor, changed.version) == (150, 2)
    assert [line.position for line in world.read(store.lines, order.id)] == [1, 2]
    with pytest.raises(VersionConflict) as refused:
        world.write(service.add_lines, olena.actor, order.id, [NewLine(name="c")], expected_version=1)
    assert refused.value.facts["version"] == 2


def test_an_order_has_a_bounded_number_of_lines():
    assert [p.path for p in check_lines([NewLine(name="x")] * 2, MAX_LINES - 1)] == ["lines"]
    assert check_lines([NewLine(name="x")], MAX_LINES - 1) == []


@given(st.lists(st.tuples(st.integers(1, 10**6), st.integers(-(10**6), 10**6)), max_size=20))
def test_a_total_is_the_same_in_any_order_of_lines(pairs):
    lines = [NewLine(name="x", quantity_milli=q, price_minor=p) for q, p in pairs]
    assert sum(line.total_minor for line in lines) == sum(line.total_minor for line in reversed(lines))


def test_a_person_given_apart_is_contact_enough():
    assert [p.path for p in missing(new(responsible_id=1), has_contact=True)] == []
    assert [p.path for p in missing(new(responsible_id=1, request_id=5), has_contact=False)] == []


# --- out of a request ---------------------------------------------------------------------------------


def test_a_request_that_becomes_an_order_is_closed_and_its_task_done(world, olena):
    contact = world.customer()
    task = world.task(contact=contact)
    order = world.order(olena, request_id=task.request_id)
    assert order.contact_id == contact
    (request,) = world.rows(t.request)
    assert (request.state, request.outcome) == ("closed", "order")
    assert (world.again(task).state, world.again(task).outcome) == ("done", "order")
    assert world.roster().members[olena.membership].load == 0
    assert [o.id for o in world.read(store.of_request, task.request_id)] == [order.id]
    assert world.findings() == []


def test_a_second_order_out_of_the_same_request_is_possible(world, olena):
    task = world.task()
    first = world.order(olena, request_id=task.request_id)
    second = world.order(olena, request_id=task.request_id)
    assert first.id != second.id
    assert world.findings() == []


def test_a_colleagues_request_is_his_to_turn_into_an_order(world, olena):
    bohdan = world.worker("Богдан")
    task = world.task()
    assert task.assignee_id == olena.id
    with pytest.raises(AlreadyClaimed):
        world.order(bohdan, request_id=task.request_id)
    assert world.rows(t.orders) == []
    head = world.worker("Марія", role=Role.HEAD, member=False)
    world.order(head, request_id=task.request_id)
    assert world.again(task).state == "done"


def test_a_request_closed_before_may_still_become_an_order(world, olena):
    task = world.task()
    world.write(assignment.complete, olena.actor, task.id, Closing(outcome=Outcome.ANSWERED))
    world.order(olena, request_id=task.request_id)
    assert world.rows(t.request)[0].outcome == "answered"


# --- the route ----------------------------------------------------------------------------------------


def test_an_order_moves_forward_and_may_skip(world, olena):
    order = world.order(olena)
    assert world.write(service.move_stage, olena.actor, order.id, "agreed").stage == "agreed"
    moved = world.write(service.move_stage, olena.actor, order.id, "delivered")
    assert (moved.stage, moved.closed_at, moved.version) == ("delivered", None, 3)
    closed = world.write(service.move_stage, olena.actor, order.id, "closed")
    assert closed.closed_at == closed.updated_at


def test_the_stage_it_has_already_changes_nothing(world, olena):
    order = world.order(olena)
    assert world.write(service.move_stage, olena.actor, order.id, "new") == order


@pytest.mark.parametrize(
    ("at", "to"), [("packed", "confirmed"), ("new", "cancelled"), ("shipped", "returned")]
)
def test_a_step_back_or_out_needs_a_reason(world, olena, at, to):
    order = world.order(olena)
    if at != "new":
        world.write(service.move_stage, olena.actor, order.id, at)
    with pytest.raises(InputRejected) as refused:
        world.write(service.move_stage, olena.actor, order.id, to)
    assert [p.path for p in refused.value.problems] == ["reason"]
    moved = world.write(service.move_stage, olena.actor, order.id, to, "клієнт передумав")
    assert moved.stage == to
    assert journal(world, order)[-1].reason == "клієнт передумав"


def test_a_move_that_is_none_of_the_routes_is_refused(world, olena):
    order = world.order(olena)
    with pytest.raises(TransitionRefused):
        world.write(service.move_stage, olena.actor, order.id, "returned", "-")
    with pytest.raises(InputRejected) as refused:
        world.write(service.move_stage, olena.actor, order.id, "lost")
    assert "new" in refused.value.problems[0].message


def test_a_cancelled_order_lies_in_the_archive_until_the_head_brings_it_back(world, olena):
    order = world.order(olena)
    cancelled = world.write(service.move_stage, olena.actor, order.id, "cancelled", "-")
    assert cancelled.closed_at is not None
    assert cancelled.archived_at == cancelled.closed_at
    with pytest.raises(AccessDenied):
        world.write(service.move_stage, olena.actor, order.id, "new", "таки так")
    head = world.worker("Марія", role=Role.HEAD, member=False)
    again = world.write(service.move_stage, head.actor, order.id, "new", "таки так")
    assert (again.closed_at, again.archived_at) == (None, None)


def test_an_order_follows_forward_only_and_never_out_of_its_end(world, olena):
    order = world.order(olena)
    followed = world.write(service.follow_parcels, world.admin, order.id, [("1", "arrived", "none")])
    assert followed is not None
    assert followed.stage == "arrived"
    entry = journal(world, order)[-1]
    assert (entry.reason, "arrived" in entry.body, '"from":"new"' in entry.body) == (
        "followed its parcels",
        True,
        True,
    )
    assert world.write(service.follow_parcels, world.admin, order.id, [("1", "in_transit", "none")]) is None
    world.write(service.move_stage, olena.actor, order.id, "closed")
    assert world.write(service.follow_parcels, world.admin, order.id, [("1", "returned", "none")]) is None


# --- the journal --------------------------------------------------------------------------------------


@pytest.fixture
def lived(world, olena):
    order = world.order(olena, lines=[NewLine(name="a", price_minor=1)])
    world.write(service.add_lines, olena.actor, order.id, [NewLine(name="b")])
    world.write(service.move_stage, olena.actor, order.id, "agreed")
    world.write(service.move_stage, olena.actor, order.id, "new", "назад")
    world.write(service.remark, world.admin, order.id, "question", {"n": 1})
    return order


def test_every_change_has_its_entry_and_the_chain_ends_in_the_order(world, lived):
    entries = journal(world, lived)
    assert [(e.seq, e.event, e.stage) for e in entries] == [
        (1, "created", "new"),
        (2, "lines_added", "new"),
        (3, "stage", "agreed"),
        (4, "stage", "new"),
        (5, "question", "new"),
    ]
    before = service.GENESIS
    for entry in entries:
        assert entry.hash == service.entry_hash(before, entry)
        before = entry.hash
    assert (again(world, lived).journal_seq, again(world, lived).journal_hash) == (5, before)
    assert world.findings() == []


@pytest.mark.parametrize("column", [f for f in EntryRow._fields if f not in {"order_id", "seq"}])
def test_a_changed_journal_is_found(world, lived, column):
    change = update(t.order_journal).where(t.order_journal.c.seq == 4)
    value = 7 if column in {"at", "correlation_id"} else "інше"
    world.write(lambda tx: tx.execute(change.values({column: value})))
    assert [f["finding"] for f in world.findings()] == ["order journal was changed"]


def test_a_cut_off_journal_is_found(world, lived):
    world.write(lambda tx: tx.execute(delete(t.order_journal).where(t.order_journal.c.seq == 5)))
    assert [f["finding"] for f in world.findings()] == ["order journal does not end where its order says"]


def test_orders_behave_alike_on_both_databases(both_worlds):
    world = both_worlds
    olena = world.worker("Олена")
    task = world.task()
    order = world.order(olena, request_id=task.request_id, lines=[NewLine(name="x", price_minor=999)])
    world.write(service.move_stage, olena.actor, order.id, "shipped")
    with pytest.raises(VersionConflict):
        world.write(service.move_stage, olena.actor, order.id, "arrived", "", 1)
    assert [e.event for e in journal(world, order)] == ["created", "stage"]
    assert world.order(olena).number == "1002"
    assert world.findings() == []
