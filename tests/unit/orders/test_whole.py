"""Routes, approvals, payments, archive, search and actions on a real database; nothing may drift."""

import json
import random
import shutil
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import update

from hub.access.model import Role
from hub.assignment import members
from hub.assignment import service as assignment
from hub.assignment.policy import Rules
from hub.db import tables as t
from hub.kernel.clock import DAY
from hub.kernel.errors import (
    AccessDenied,
    AlreadyClaimed,
    HubError,
    Incomplete,
    InputRejected,
    RuleSaysNo,
    TransitionRefused,
    VersionConflict,
)
from hub.orders import registry, service, settings, store
from hub.orders.approval import Verdict
from hub.orders.model import NewLine
from hub.orders.money import Method, NewPayment, PaymentKind, balance
from hub.orders.registry import Asked, Sort
from hub.orders.routes import CONTRACT_SALE, SERVICE, body_of, check_body, differences, seeds
from hub.orders.service import Change
from hub.orders.stages import parse
from hub.outbox.runner import OutboxRunner
from hub.requests.model import Closing, Outcome
from hub.requests.replies import Writer
from hub.runtime.order_messages import OrderMessages
from tests.unit.world import World, manual_clock, open_database

TERMS = {"contract_number": "12-А", "payment_terms": "50 % наперед"}


@pytest.fixture
def olena(world):
    return world.worker("Олена")


@pytest.fixture
def head(world):
    made = world.worker("Марія", role=Role.HEAD)
    rules = Rules(skills=frozenset({"role:head"}))
    world.write(members.change_member, made.actor, world.team, made.id, share=None, limit=None, rules=rules)
    return made


def move(world, who, order, stage, reason=""):
    return world.write(service.move_stage, who.actor, order.id, stage, reason)


def contract(world, olena, **values):
    return world.order(olena, route=CONTRACT_SALE, **values)


def asked_of(world, order):
    return [a for a in world.read(store.approvals, order.id) if a.current]


def received(amount, **values):
    return NewPayment(**{
        "kind": PaymentKind.RECEIVED, "amount_minor": amount, "method": Method.CARD, "paid_at": 1, **values,
    })  # fmt: skip


# --- routes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", seeds())
def test_every_seed_is_a_route_that_could_be_kept(name):
    route = parse(name, 1, seeds()[name])
    assert check_body(name, body_of(route)).stages == route.stages
    assert all(set(stage.title) == {"en", "uk"} for stage in route.stages.values())
    assert differences(route, route) == []


def _broken(change):
    body = body_of(parse(CONTRACT_SALE, 1, seeds()[CONTRACT_SALE]))
    change(body)
    return body


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        (lambda b: b["moves"]["draft"].append("nowhere"), "moves.draft", "leads to nowhere"),
        (lambda b: b["moves"].update(nowhere=["draft"]), "moves.nowhere", "there is no stage nowhere"),
        (lambda b: b["moves"]["made"].clear(), "stages.3", "no way leads from made"),
        (lambda b: b["stages"].append(dict(b["stages"][3], key="lonely")), "stages.11", "no move leads to lonely"),
        (lambda b: b["stages"].append(dict(b["stages"][3])), "stages.3.key", "stands twice"),
        (lambda b: b["stages"][0].update(kind="done"), "stages.0", "begins at the first stage"),
        (lambda b: b["stages"][2]["requires"].append("colour"), "stages.2.requires", "no field colour"),
        (lambda b: b["stages"][3].update(checks=["magic"]), "stages.3.checks", "no check magic"),
        (lambda b: b["stages"][3].update(actions=[{"do": "sing", "what": "x"}]), "stages.3.actions", "begins with"),
        (lambda b: b["stages"][1].update(asks_for="made"), "stages.1.asks_for", "no move leads from here"),
        (lambda b: b["stages"][3].update(key="Made!"), "stages.3.key", "lower-case"),
        (lambda b: b["stages"][3].update(title={}), "stages.3.title", "needs a title"),
    ],
)  # fmt: skip
def test_a_route_that_cannot_be_walked_is_refused_with_its_place(change, path, words):
    with pytest.raises(InputRejected) as refused:
        check_body(CONTRACT_SALE, _broken(change))
    assert any(p.path == path and words in p.message for p in refused.value.problems), refused.value.problems


def test_a_running_order_keeps_its_version_and_a_new_one_takes_the_newest(world, olena, head):
    old = world.order(olena, route=SERVICE)
    body = body_of(world.read(store.newest_route, SERVICE))
    body["stages"][1]["title"] = {"en": "Talked over", "uk": "Обговорено"}
    kept = world.write(settings.edit_route, head.actor, SERVICE, body, 1)
    assert kept.version == 2
    assert world.write(settings.edit_route, head.actor, SERVICE, body, 2).version == 2  # nothing new
    assert world.order(olena, route=SERVICE).route_version == 2
    assert move(world, olena, old, "agreed").route_version == 1
    with pytest.raises(VersionConflict):
        world.write(settings.edit_route, head.actor, SERVICE, body, 1)
    with pytest.raises(AccessDenied):
        world.write(settings.edit_route, olena.actor, SERVICE, body)
    seed = parse(SERVICE, 1, seeds()[SERVICE])
    assert differences(seed, kept) == ["stage agreed differs in title"]


def test_an_unknown_route_is_refused_with_those_there_are(world, olena):
    with pytest.raises(InputRejected) as refused:
        world.order(olena, route="magic")
    assert "contract_sale, parcel, service" in refused.value.problems[0].message


# --- required fields and approvals -----------------------------------------------------------------------


def test_execution_is_refused_naming_contract_number_and_payment_terms(world, olena, head):
    order = contract(world, olena)
    move(world, olena, order, "approval")
    with pytest.raises(Incomplete) as refused:
        move(world, olena, order, "execution")
    assert refused.value.message == "execution needs first: contract number, payment terms"
    assert [p.path for p in refused.value.problems] == ["fields.contract_number", "fields.payment_terms"]
    world.write(service.change, olena.actor, order.id, Change(fields={"contract_number": "7"}))
    with pytest.raises(Incomplete) as refused:
        move(world, olena, order, "execution")
    assert [p.path for p in refused.value.problems] == ["fields.payment_terms"]


def test_only_fields_of_the_route_are_kept(world, olena):
    with pytest.raises(InputRejected) as refused:
        contract(world, olena, fields={"colour": "red"})
    assert refused.value.problems[0].path == "fields.colour"


def test_an_approval_is_a_task_dealt_to_who_has_the_role_and_the_move_waits_for_it(world, olena, head):
    world.worker("Богдан")
    order = contract(world, olena, fields=TERMS)
    move(world, olena, order, "approval")
    (one,) = asked_of(world, order)
    task = world.rows(t.task, t.task.c.id == one.task_id)[0]
    assert (task.kind, task.assignee_id, one.role, one.stage) == ("approval", head.id, "head", "execution")
    with pytest.raises(TransitionRefused) as refused:
        move(world, olena, order, "execution")
    assert refused.value.facts["waits_for"] == "head"
    with pytest.raises(AlreadyClaimed):
        world.write(service.decide, olena.actor, one.id, Verdict.AGREE)
    agreed = world.write(service.decide, head.actor, one.id, Verdict.AGREE, "добре")
    assert agreed.stage == "execution"
    assert world.rows(t.task, t.task.c.id == one.task_id)[0].state == "done"
    said = [(e.event, e.actor, e.reason) for e in world.read(store.journal, order.id)]
    assert ("approval", head.actor.label, "добре") in said
    assert ("stage", "orders", "everybody agreed") in said
    with pytest.raises(TransitionRefused):
        world.write(service.decide, head.actor, one.id, Verdict.AGREE)
    assert world.findings() == []


def test_agreed_without_the_terms_waits_for_a_person_and_asks_nobody_again(world, olena, head):
    order = contract(world, olena)
    move(world, olena, order, "approval")
    (one,) = asked_of(world, order)
    assert world.write(service.decide, head.actor, one.id, Verdict.AGREE).stage == "approval"
    with pytest.raises(Incomplete):
        move(world, olena, order, "execution")


def test_terms_changed_after_the_agreement_are_asked_for_again(world, olena, head):
    order = contract(world, olena, fields={"contract_number": "1"})
    move(world, olena, order, "approval")
    (first,) = asked_of(world, order)
    world.write(service.decide, head.actor, first.id, Verdict.AGREE)
    world.write(service.change, olena.actor, order.id, Change(fields=TERMS))
    (again,) = asked_of(world, order)
    assert (again.id != first.id, again.state) == (True, "open")
    world.write(service.add_lines, olena.actor, order.id, [NewLine(name="x", price_minor=5)])
    (third,) = asked_of(world, order)
    assert third.id != again.id
    assert world.write(service.decide, head.actor, third.id, Verdict.AGREE).stage == "execution"
    assert world.findings() == []


@pytest.mark.parametrize(("verdict", "stage"), [(Verdict.RETURN, "draft"), (Verdict.REFUSE, "cancelled")])
def test_returned_goes_back_refused_ends(world, olena, head, verdict, stage):
    order = contract(world, olena, fields=TERMS)
    move(world, olena, order, "approval")
    (one,) = asked_of(world, order)
    with pytest.raises(InputRejected):
        world.write(service.decide, head.actor, one.id, verdict)
    commented = world.write(service.decide, head.actor, one.id, Verdict.COMMENT, "а знижка?")
    assert commented.stage == "approval"
    done = world.write(service.decide, head.actor, one.id, verdict, "задорого")
    assert done.stage == stage
    assert asked_of(world, order) == []
    assert (done.archived_at is not None) == (stage == "cancelled")
    assert world.findings() == []


def test_a_role_that_nobody_has_waits_in_the_queue_and_the_head_decides(world, olena):
    boss = world.worker("Голова", role=Role.HEAD, member=False)
    order = contract(world, olena, fields=TERMS)
    move(world, olena, order, "approval")
    (one,) = asked_of(world, order)
    assert world.rows(t.task, t.task.c.id == one.task_id)[0].state == "waiting"
    notices = world.rows(t.outbox, t.outbox.c.kind == "approval")
    assert [row.order_key for row in notices] == [f"staff:{boss.id}"]
    assert world.write(service.decide, boss.actor, one.id, Verdict.AGREE).stage == "execution"
    assert world.findings() == []


def test_an_order_taken_back_needs_no_approval_any_more_and_nobody_pays_a_turn(world, olena, head):
    order = contract(world, olena, fields=TERMS)
    before = world.credit(head)
    move(world, olena, order, "approval")
    (one,) = asked_of(world, order)
    move(world, olena, order, "draft", "рано")
    assert world.rows(t.approval, t.approval.c.id == one.id)[0].state == "dropped"
    assert world.rows(t.task, t.task.c.id == one.task_id)[0].state == "cancelled"
    assert world.roster().members[head.membership].load == 0
    assert isinstance(before, int)
    assert world.findings() == []


def test_a_task_done_by_hand_leaves_the_approval_to_be_decided(world, olena, head):
    order = contract(world, olena, fields=TERMS)
    move(world, olena, order, "approval")
    (one,) = asked_of(world, order)
    world.write(assignment.complete, head.actor, one.task_id, Closing(outcome=Outcome.ANSWERED))
    assert world.write(service.decide, head.actor, one.id, Verdict.AGREE).stage == "execution"


IN_TRANSIT = [("1", "in_transit", "none")]


def test_a_parcel_carries_no_order_past_an_approval(world, olena, head):
    order = contract(world, olena, fields=TERMS)
    assert world.write(service.follow_parcels, world.admin, order.id, IN_TRANSIT) is None
    move(world, olena, order, "approval")
    world.write(service.decide, head.actor, asked_of(world, order)[0].id, Verdict.AGREE)
    assert world.write(service.follow_parcels, world.admin, order.id, IN_TRANSIT).stage == "shipped"


# --- actions of a stage ----------------------------------------------------------------------------------


def test_a_stage_does_what_it_says(world, olena, head):
    text = "Замовлення {{ order.number }} для {{ contact.name }}: {{order.due}}, {{ parcel.number }}"
    world.write(settings.save_template, head.actor, None, "ready", "uk", text)
    body = body_of(world.read(store.newest_route, SERVICE))
    lines = [("notify", "responsible"), ("task", "зателефонувати"), ("send", "ready"), ("next_contact", "3")]
    body["stages"][1]["actions"] = [{"do": do, "what": what} for do, what in lines]
    world.write(settings.edit_route, head.actor, SERVICE, body)
    order = world.order(olena, route=SERVICE, lines=[NewLine(name="x", price_minor=1_250)])
    moved = move(world, olena, order, "agreed")
    assert moved.next_contact_at == moved.updated_at + 3 * DAY
    (message,) = world.rows(t.outbox, t.outbox.c.lane == "order_message")
    told = json.loads(message.payload)
    assert told["text"] == f"Замовлення {order.number} для Ірина: 12.50 UAH, "
    assert (told["contact_id"], message.order_key) == (
        str(order.contact_id),
        f"contact:{order.contact_id}",
    )
    (notice,) = world.rows(t.outbox, t.outbox.c.kind == "order_stage")
    assert json.loads(notice.payload)["order_id"] == str(order.id)
    (task,) = world.rows(t.task, t.task.c.kind == "order")
    assert task.title == f"order {order.number}: зателефонувати"
    assert len(json.loads(world.read(store.journal, order.id)[-1].body)["actions"]) == 4
    with pytest.raises(RuleSaysNo):
        world.write(settings.remove_template, head.actor, world.rows(t.template)[0].id)
    assert world.findings() == []


SMS = {"chat": Writer("chat", "phone", True, 0)}


@pytest.mark.parametrize("asked_us", [True, False])
async def test_a_text_becomes_a_reply_once_or_a_task_for_a_person(world, olena, head, asked_us):
    world.write(settings.save_template, head.actor, None, "ready", "uk", "Готово: {{ order.number }}")
    body = body_of(world.read(store.newest_route, SERVICE))
    body["stages"][1]["actions"] = [{"do": "send", "what": "ready"}]
    world.write(settings.edit_route, head.actor, SERVICE, body)
    origin = {"request_id": world.task().request_id} if asked_us else {}
    order = world.order(head, route=SERVICE, **origin)
    move(world, head, order, "agreed")
    runner = OutboxRunner(world.db, {"order_message": OrderMessages(SMS)}, "test")
    for _ in range(2):
        world.clock.move(5_000)
        await runner.drain()
    sent = world.rows(t.message, t.message.c.direction == "out")
    by_hand = world.rows(t.task, t.task.c.kind == "order")
    last = world.read(store.journal, order.id)[-1].event
    if asked_us:
        assert [(m.body, m.account, m.staff_id) for m in sent] == [
            (f"Готово: {order.number}", "chat", head.id)
        ]
        assert (by_hand, last) == ([], "message")
    else:
        assert sent == []
        assert (len(by_hand), last) == (1, "message_unsent")
    assert world.findings() == []


def test_a_route_that_sends_a_text_nobody_wrote_is_refused(world, head):
    body = body_of(world.read(store.newest_route, SERVICE))
    body["stages"][1]["actions"] = [{"do": "send", "what": "nothing"}]
    with pytest.raises(InputRejected) as refused:
        world.write(settings.edit_route, head.actor, SERVICE, body)
    assert "there is no template nothing" in refused.value.problems[0].message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{{ order.secret }}", "no variable order.secret"),
        ("{{ contact.name", "not closed"),
        ("{% if 1 %}{{ 7*7 }}", "no variable 7*7"),
        ("", "needs a text"),
    ],
)
def test_a_template_with_an_unknown_variable_is_refused(world, head, text, words):
    with pytest.raises(InputRejected) as refused:
        world.write(settings.save_template, head.actor, None, "ready", "uk", text)
    assert words in refused.value.problems[0].message


# --- payments --------------------------------------------------------------------------------------------


def test_payments_are_reversed_once_and_never_edited(world, olena):
    order = world.order(olena, lines=[NewLine(name="x", price_minor=1_000)])
    paid = world.write(service.record_payment, olena.actor, order.id, received(400))
    assert (paid.paid_minor, paid.due_minor) == (400, 600)
    (one,) = world.read(store.payments, order.id)
    with pytest.raises(InputRejected):
        world.write(service.reverse_payment, olena.actor, one.id, "")
    assert world.write(service.reverse_payment, olena.actor, one.id, "помилка").paid_minor == 0
    with pytest.raises(RuleSaysNo):
        world.write(service.reverse_payment, olena.actor, one.id, "ще раз")
    with pytest.raises(RuleSaysNo):
        world.write(service.reverse_payment, olena.actor, world.read(store.payments, order.id)[1].id, "x")
    assert world.findings() == []


def test_a_changed_payment_is_found(world, olena):
    order = world.order(olena)
    world.write(service.record_payment, olena.actor, order.id, received(400))
    world.write(lambda tx: tx.execute(update(t.payment).values(amount_minor=4_000)))
    assert {f["finding"] for f in world.findings()} == {
        "payment differs from its journal", "paid differs from the payments",
    }  # fmt: skip


def test_money_that_came_covers_the_earliest_expected_first(world, olena):
    order = world.order(olena, lines=[NewLine(name="x", price_minor=1_000)])
    for amount, day in ((300, 10), (700, 20)):
        new = received(amount, kind=PaymentKind.EXPECTED, paid_at=day)
        world.write(service.record_payment, olena.actor, order.id, new)
    world.write(service.record_payment, olena.actor, order.id, received(500))
    found = balance(1_000, world.read(store.payments, order.id), 15)
    assert (found.due, found.awaited, found.late, found.next_at) == (500, 500, 0, 20)


# --- the registry ----------------------------------------------------------------------------------------


def test_cancelled_is_out_of_the_registry_and_found_in_the_archive(world, olena):
    kept, gone = world.order(olena), world.order(olena)
    move(world, olena, gone, "cancelled", "-")
    assert [o.id for o in world.read(registry.find, Asked())[0]] == [kept.id]
    found = Asked(archived=True, text=gone.number)
    assert [o.id for o in world.read(registry.find, found)[0]] == [gone.id]


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def registry_world(request, migrated_file, tmp_path_factory):
    """A world with 25 orders, only looked at; and the order of Taras Shevchenko."""
    if request.param == "sqlite":
        file = shutil.copy(migrated_file, tmp_path_factory.mktemp("registry") / "hub.db")
        url = f"sqlite:///{file}"
    else:
        cluster = request.getfixturevalue("postgres_cluster")
        name = cluster.create_database(template=request.getfixturevalue("migrated_database"))
        url = cluster.url(name)
    clock, chance = manual_clock(), random.Random(7)
    db = open_database(url, clock)
    world = World(db, clock)
    people = [world.worker(name) for name in ("Олена", "Богдан")]
    found = world.order(people[0], contact_id=world.customer("+380671112233", "Тарас Шевченко"))
    world.order(people[0], contact_id=world.customer("+380509998877", "Леся"))
    for _ in range(23):
        order = world.order(
            chance.choice(people), contact_id=world.customer(name=chance.choice("АБВГ")),
            next_contact_at=chance.choice([None, 10, 20]), lines=[NewLine(name="x", price_minor=chance.choice([1, 2]))],
        )  # fmt: skip
        if chance.random() < 0.4:
            world.write(service.move_stage, people[0].actor, order.id, chance.choice(["agreed", "packed"]))
    yield world, found
    db.close()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1001", True), ("#1001", True), ("№ 1001", True), ("шевч", True), ("ТАРАС Шевченко", True),
        ("+380 67 111-22-33", True), ("0671112233", True), ("2233", True), ("тарас бульба", False),
        ("999999", False), ("%", False), ("'", False),
    ],
)  # fmt: skip
def test_an_order_is_found_by_number_name_and_telephone(registry_world, text, found):
    world, order = registry_world
    rows, _ = world.read(registry.find, Asked(text=text))
    assert (order.id in [row.id for row in rows], len(rows)) == (found, 1 if found else 0)


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("sort", Sort)
def test_pages_by_key_show_everything_once_in_order(registry_world, sort, descending):
    world, _ = registry_world
    asked, seen = Asked(sort=sort, descending=descending, limit=4), []
    while True:
        rows, cursor = world.read(registry.find, asked)
        seen += rows
        if cursor is None:
            break
        asked = Asked(sort=sort, descending=descending, limit=4, cursor=cursor)
    whole, _ = world.read(registry.find, Asked(sort=sort, descending=descending, limit=200))
    assert [row.id for row in seen] == [row.id for row in whole]
    assert len({row.id for row in seen}) == 25
    values = {
        Sort.TOTAL: lambda r: r.total_minor,
        Sort.NUMBER: lambda r: int(r.number),
        Sort.STAGE: lambda r: r.stage,
        Sort.RESPONSIBLE: lambda r: r.responsible_id,
    }
    if sort in values:
        found = [values[sort](row) for row in seen]
        assert found == sorted(found, reverse=descending)
    if sort is Sort.NEXT_CONTACT:
        without = [row.next_contact_at is None for row in seen]
        assert without == sorted(without)


@pytest.mark.parametrize("cursor", ["x", "1.2.3", "5", "none", "1" * 30])
def test_an_odd_cursor_is_refused(world, olena, cursor):
    world.order(olena)
    with pytest.raises(InputRejected):
        world.read(registry.find, Asked(sort=Sort.TOTAL, cursor=cursor))


# --- whatever people do ----------------------------------------------------------------------------------

_DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["move", "line", "pay", "expect", "reverse", "decide", "terms"]), st.integers(0, 40)
    ),
    max_size=14,
)


@hypothesis_settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(route=st.sampled_from(["parcel", CONTRACT_SALE, SERVICE]), deeds=_DEEDS)
def test_any_sequence_keeps_the_chain_walks_permitted_moves_and_adds_up(make_world, route, deeds):
    world = make_world()
    try:
        head = world.worker("Марія", role=Role.HEAD)
        order = world.order(head, route=route)
        for deed, number in deeds:
            with suppress(HubError):  # refused: nothing may have changed, which is looked at below
                _do(world, head, order, deed, number)
        _all_is_well(world, order)
    finally:
        world.db.close()


def _do(world, head, order, deed, number):
    row = world.read(store.get, order.id)
    if deed == "move":
        stages = list(world.read(store.load_route, row.route, row.route_version).stages)
        move(world, head, order, stages[number % len(stages)], "так треба")
    elif deed == "line":
        new = NewLine(name="x", price_minor=number * 7 - 90, quantity_milli=333 * (number + 1))
        world.write(service.add_lines, head.actor, order.id, [new])
    elif deed in {"pay", "expect"}:
        kind = PaymentKind.RECEIVED if deed == "pay" else PaymentKind.EXPECTED
        world.write(service.record_payment, head.actor, order.id, received(number * 10, kind=kind))
    elif deed == "reverse":
        found = world.read(store.payments, order.id)
        if found:
            world.write(service.reverse_payment, head.actor, found[number % len(found)].id, "помилка")
    elif deed == "decide":
        open_ones = [a for a in asked_of(world, order) if a.state == "open"]
        if open_ones:
            verdict = list(Verdict)[number % 4]
            world.write(service.decide, head.actor, open_ones[0].id, verdict, "бо так")
    else:
        world.write(service.change, head.actor, order.id, Change(fields=TERMS))


def _all_is_well(world, order):
    assert world.findings() == []
    row = world.read(store.get, order.id)
    route = world.read(store.load_route, row.route, row.route_version)
    entries = world.read(store.journal, order.id)
    stage = route.first
    for entry in entries:
        body = json.loads(entry.body)
        if entry.event == "stage":
            assert body["from"] == stage
            assert entry.stage in route.moves[stage]
            stage = entry.stage
        assert entry.stage == stage
    assert row.stage == stage
    payments = world.read(store.payments, order.id)
    assert row.paid_minor == sum(p.amount_minor for p in payments if p.kind == "received")
    assert row.total_minor == sum(line.total_minor for line in world.read(store.lines, order.id))
    told = balance(row.total_minor, payments, 0)
    assert told.paid + told.due == row.total_minor
    assert (row.archived_at is not None) == (route.stages[stage].kind == "lost")
