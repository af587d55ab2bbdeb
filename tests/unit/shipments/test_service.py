"""Parcels on a real database, with a carrier that says what the test wrote down."""

import asyncio
from datetime import UTC, datetime

import orjson
import pytest

from hub.accounts import store as accounts
from hub.db import tables as t
from hub.kernel.clock import DAY, HOUR, MINUTE, instant, moment
from hub.kernel.errors import InputRejected, NotFound, RuleSaysNo
from hub.orders import service as orders
from hub.orders import store as order_store
from hub.sdk.carrier import CarrierCapabilities
from hub.sdk.errors import (
    AnswerUnreadable,
    AuthenticationFailed,
    NumbersRejected,
    TemporaryFailure,
    Throttled,
)
from hub.sdk.tracking import (
    MoneyStatus,
    NotTracked,
    Problem,
    RelatedNumber,
    RelationKind,
    Status,
)
from hub.shipments import service, store, taking
from tests.unit.shipments.post import NP, Post

S, M = Status, MoneyStatus


@pytest.fixture
def post(world):
    return Post(world)


@pytest.fixture(autouse=True)
def all_is_well_in_the_end(world):
    yield
    assert world.findings() == []


# --- attaching ----------------------------------------------------------------------------------------


def test_an_attached_number_is_due_at_once_and_stands_in_the_journal(post):
    row = post.parcel("20450000000001", cod=True)
    assert (row.status, row.money_status, row.next_poll_at) == ("unknown", "unknown", row.created_at)
    assert post.journal(row) == [("created", "new"), ("shipment_attached", "new")]
    assert post.poll() == 1
    assert post.carrier.calls == [["20450000000001"]]


def test_the_same_number_again_is_the_same_parcel(post):
    row = post.parcel("1111")
    assert post.parcel("1111", order=post.order(row)) == row
    assert len(post.journal(row)) == 2


def test_a_number_of_another_order_is_refused_naming_that_order(post):
    row = post.parcel("1111")
    with pytest.raises(RuleSaysNo) as refused:
        post.parcel("1111")
    number = post.order(row).number
    assert refused.value.facts["order_number"] == number
    assert number in refused.value.message


@pytest.mark.parametrize(
    ("typed", "kept"), [(" 2045 0000 0000 01 ", "20450000000001"), ("rb123456789ua", "RB123456789UA")]
)
def test_a_typed_number_loses_its_spaces(typed, kept):
    assert service.check_number(typed) == kept


@pytest.mark.parametrize("typed", ["", "123", "номер", "1" * 41])
def test_what_is_no_number_is_refused(typed):
    with pytest.raises(InputRejected):
        service.check_number(typed)


# --- the order follows --------------------------------------------------------------------------------


def test_an_order_follows_its_parcel_to_the_money_and_its_journal_tells_why(post):
    row = post.parcel("1111", cod=True)
    way = [
        (S.CREATED, M.EXPECTED, "new"),
        (S.IN_TRANSIT, M.EXPECTED, "shipped"),
        (S.ARRIVED, M.EXPECTED, "arrived"),
        (S.DELIVERED, M.COLLECTED, "delivered"),
        (S.DELIVERED, M.PAID_OUT, "paid"),
    ]
    for minutes, (status, money, stage) in enumerate(way):
        post.says("1111", status, minutes, code=f"{status}-{money}", money=money, cod_expected=125_000)
        assert post.poll(2 * HOUR + 15 * MINUTE) == 1
        assert (post.again(row).status, post.again(row).money_status) == (status, money)
        assert post.order(row).stage == stage
    assert post.again(row).cod_expected_minor == 125_000
    assert post.again(row).final
    moved = [e for e in post.world.read(order_store.journal, row.order_id) if e.event == "stage"]
    assert [e.reason for e in moved] == ["followed its parcels"] * 4
    assert orjson.loads(moved[-1].body)["parcels"] == [["1111", "delivered", "paid_out"]]
    assert {e.actor for e in moved} == {"tracking"}


def test_an_order_waits_for_its_slowest_parcel(post):
    first = post.parcel("1111")
    second = post.parcel("2222", order=post.order(first))
    post.says("1111", S.DELIVERED)
    post.says("2222", S.IN_TRANSIT)
    post.poll()
    assert post.order(first).stage == "shipped"
    post.says("2222", S.DELIVERED, 9)
    post.poll(HOUR)
    assert post.order(second).stage == "delivered"


def test_polling_again_without_news_writes_nothing(post):
    row = post.parcel("1111")
    post.says("1111", S.IN_TRANSIT)
    post.poll()
    before = post.again(row)
    post.poll(HOUR)
    after = post.again(row)
    assert (after.version, after.updated_at, after.changed_at) == (
        before.version,
        before.updated_at,
        before.changed_at,
    )
    assert after.polled_at > before.polled_at
    assert len(post.world.rows(t.observation)) == 1
    assert len(post.world.rows(t.raw_document)) == 1
    assert post.journal(row)[-1] == ("stage", "shipped")
    assert len(post.journal(row)) == 3


def test_a_correction_moves_no_order_back_and_asks_the_seller_once(post):
    row = post.parcel("1111")
    post.says("1111", S.DELIVERED, 1)
    post.poll()
    post.says("1111", S.ARRIVED, 2)
    post.poll(DAY + 3 * HOUR)
    assert (post.again(row).status, post.again(row).problem) == ("arrived", "correction")
    assert post.order(row).stage == "delivered"
    post.poll(HOUR)
    post.poll(HOUR)
    assert len(post.questions()) == 1


def test_an_unknown_code_is_counted_shown_and_guessed_nothing(post):
    row = post.parcel("1111")
    post.says("1111", S.ARRIVED, 1, code="7")
    post.poll()
    post.says("1111", S.UNKNOWN, 2, code="777")
    post.poll(HOUR)
    assert (post.again(row).status, post.again(row).raw_code) == ("arrived", "777")
    assert post.order(row).stage == "arrived"
    (code,) = post.world.rows(t.unknown_code)
    assert (code.code, code.plugin, code.count) == ("777", "scripted", 1)


def test_money_hidden_from_us_is_unknown_where_our_order_is_cash_on_delivery(post):
    cod, other = post.parcel("1111", cod=True), post.parcel("2222")
    for number in ("1111", "2222"):
        post.says(number, S.DELIVERED, money=M.NONE, hidden=True)
    post.poll()
    assert (post.again(cod).money_status, post.again(cod).final) == ("unknown", False)
    assert (post.again(other).money_status, post.again(other).final) == ("none", True)


# --- further legs -------------------------------------------------------------------------------------


def returned(post, row):
    """A refused parcel whose return leg has arrived home."""
    back = RelatedNumber(number="9999", kind=RelationKind.RETURN)
    post.says("1111", S.REFUSED, 1, money=M.EXPECTED, related=(back,))
    post.says("9999", S.IN_TRANSIT, 2)
    post.poll(2 * HOUR)
    post.poll(HOUR)
    assert post.again(row).status == "returning"
    post.says("9999", S.DELIVERED, 3)
    post.poll(4 * HOUR)
    return next(p for p in post.world.rows(t.shipment) if p.number == "9999")


def test_a_return_leg_that_arrives_makes_the_parcel_returned(post):
    row = post.parcel("1111", cod=True)
    leg = returned(post, row)
    assert (leg.parent_id, leg.relation, leg.order_id) == (row.id, "return", row.order_id)
    now = post.again(row)
    assert (now.status, now.money_status, now.final) == ("returned", "not_collected", True)
    assert post.order(row).stage == "returned"
    linked = [e for e in post.journal(row) if e[0] == "shipment_linked"]
    assert len(linked) == 1


def test_a_returned_parcel_stays_returned_however_often_somebody_looks(post):
    row = post.parcel("1111", cod=True)
    returned(post, row)
    for _ in range(2):
        post.world.clock.move(HOUR)
        looked = asyncio.run(post.poller.refresh(row.id))
        assert (looked.status, looked.money_status, looked.final) == ("returned", "not_collected", True)
    assert post.order(row).stage == "returned"


def test_related_waybills_are_linked_once(post):
    row = post.parcel("1111")
    related = (
        RelatedNumber(number="9999", kind=RelationKind.RETURN),
        RelatedNumber(number="8888", kind=RelationKind.MONEY),
        RelatedNumber(number="1111", kind=RelationKind.PAPERS),
    )
    for minutes in range(3):
        post.says("1111", S.ARRIVED, minutes, related=related, seats=minutes)
        post.poll(HOUR)
    assert sorted((p.number, p.relation) for p in post.world.rows(t.shipment)) == [
        ("1111", "outbound"),
        ("8888", "money"),
        ("9999", "return"),
    ]
    assert post.order(row).stage == "arrived", "a money waybill is no parcel of the order"


# --- what goes wrong ----------------------------------------------------------------------------------


def test_not_found_keeps_what_is_known(post):
    row = post.parcel("1111")
    post.says("1111", S.IN_TRANSIT)
    post.poll()
    del post.carrier.says["1111"]
    post.poll(HOUR)
    now = post.again(row)
    assert (now.status, now.misses, now.problem) == ("in_transit", 1, "not_found")
    assert now.next_poll_at > now.polled_at
    post.says("1111", S.ARRIVED, 9)
    post.poll(2 * HOUR)
    now = post.again(row)
    assert (now.status, now.misses, now.problem) == ("arrived", 0, None)


def test_a_mistyped_number_is_asked_about_once_and_then_left_alone(post):
    row = post.parcel("1111")
    post.carrier.says["1111"] = NotTracked(number="1111", problem=Problem.BAD_NUMBER, message="14 digits\x00")
    post.poll()
    now = post.again(row)
    assert (now.problem, now.next_poll_at, now.phase) == ("bad_number", None, "given_up")
    assert now.problem_text == "14 digits\ufffd"
    asyncio.run(post.poller.refresh(row.id))
    assert post.poll(DAY) == 0
    assert len(post.questions()) == 1


def test_a_question_about_a_requests_order_is_a_task_of_its_team(post):
    task = post.world.task()
    order = post.world.order(post.seller, request_id=task.request_id)
    row = post.parcel("1111", order=order)
    post.carrier.says["1111"] = NotTracked(number="1111", problem=Problem.BAD_NUMBER)
    post.poll()
    (question,) = post.world.rows(t.task, t.task.c.kind == "question")
    assert (question.subject_id, question.assignee_id, question.team_id) == (
        row.id,
        post.seller.id,
        post.world.team,
    )


def test_answers_are_matched_by_number_and_never_by_place(post):
    numbers = [f"{n:04d}" for n in range(1, 31)]
    rows = {n: post.parcel(n) for n in numbers}
    for n in numbers:
        post.says(n, S.DELIVERED if int(n) % 2 else S.IN_TRANSIT, code=f"code-{n}")
    post.carrier.shuffles = True
    post.poll()
    assert {n: post.again(row).raw_code for n, row in rows.items()} == {n: f"code-{n}" for n in numbers}


def test_a_number_left_out_of_the_answer_is_asked_for_again(post):
    kept, missing = post.parcel("1111"), post.parcel("2222")
    post.says("1111", S.ARRIVED)
    post.says("2222", S.ARRIVED)
    post.carrier.leaves_out = {"2222"}
    post.poll()
    now = post.again(missing)
    assert (post.again(kept).status, now.status, now.problem) == ("arrived", "unknown", "no_news")
    post.carrier.leaves_out = set()
    post.poll(5 * MINUTE)
    assert post.again(missing).status == "arrived"


def test_a_poisonous_number_among_a_hundred_is_found_by_halving(post):
    numbers = [f"{n:04d}" for n in range(100)]
    rows = {n: post.parcel(n) for n in numbers}
    for n in numbers:
        post.says(n, S.ARRIVED)
    post.carrier.poison = {"0066"}
    post.poll()
    states = {n: (post.again(row).status, post.again(row).problem) for n, row in rows.items()}
    assert states.pop("0066") == ("unknown", "bad_number")
    assert set(states.values()) == {("arrived", None)}
    assert len(post.carrier.calls) <= 1 + 2 * 7


def test_a_named_poisonous_number_costs_one_further_call(post):
    rows = [post.parcel(n) for n in ("1111", "2222", "3333")]
    for n in ("1111", "3333"):
        post.says(n, S.ARRIVED)
    post.carrier.fails = [NumbersRejected(["2222"], "wrong")]
    post.poll()
    assert [post.again(row).problem for row in rows] == [None, "bad_number", None]
    assert post.carrier.calls == [["1111", "2222", "3333"], ["1111", "3333"]]


def test_batches_are_cut_to_the_carriers_size_and_to_the_budget(world):
    post = Post(world)
    post.carrier.capabilities = CarrierCapabilities(batch_size=2, calls_per_minute=3)
    for n in range(10):
        post.parcel(f"{n:04d}")
        post.says(f"{n:04d}", S.ARRIVED)
    world.clock.move(MINUTE)
    post.poll()
    assert [len(call) for call in post.carrier.calls] == [2, 2, 2]
    post.poll(20_000)
    assert len(post.carrier.calls) == 3
    post.poll(41_000)
    assert {n for call in post.carrier.calls for n in call} == {f"{n:04d}" for n in range(10)}


def test_a_throttled_account_pauses_alone(world):
    post = Post(world, NP, "meest")
    ours, other = post.parcel("1111"), post.parcel("2222", account="meest")
    post.says("1111", S.ARRIVED)
    post.says("2222", S.ARRIVED, account="meest")
    post.carrier.fails = [Throttled("slow down", retry_after_s=300)]
    post.poll()
    assert (post.again(ours).status, post.again(other).status) == ("unknown", "arrived")
    post.poll(4 * MINUTE)
    assert len(post.carrier.calls) == 1
    post.poll(2 * MINUTE)
    assert post.again(ours).status == "arrived"
    assert all(a.state == "active" for a in world.read(accounts.all_accounts, "carrier"))


def test_refused_credentials_stop_the_account_with_one_alarm(world):
    post = Post(world, NP, "meest")
    ours, other = post.parcel("1111"), post.parcel("2222", account="meest")
    post.says("1111", S.ARRIVED)
    post.says("2222", S.ARRIVED, account="meest")
    post.carrier.fails = [AuthenticationFailed("the key is refused")] * 2
    post.poll()
    stopped = world.read(accounts.get, "carrier", NP)
    assert (stopped.state, stopped.reason) == ("stopped", "the key is refused")
    assert world.read(accounts.get, "carrier", "meest").state == "active"
    for _ in range(3):
        post.poll(2 * HOUR)
    assert len(post.carrier.calls) == 1
    assert post.again(other).status == "arrived"
    post.carrier.fails = []
    asyncio.run(post.poller.refresh(ours.id))
    assert world.read(accounts.get, "carrier", NP).state == "active"
    assert post.again(ours).status == "arrived"


@pytest.mark.parametrize(
    "error",
    [TemporaryFailure("HTTP 503"), AnswerUnreadable("html"), RuntimeError("+380671234567"), KeyError("x")],
)
def test_a_failing_call_is_put_off_and_told_without_the_customers_words(post, error):
    row = post.parcel("1111")
    post.says("1111", S.ARRIVED)
    post.carrier.fails = [error]
    post.poll()
    now = post.again(row)
    assert now.misses == 1
    assert 50_000 <= now.next_poll_at - post.world.clock.now() <= 70_000
    account = post.world.read(accounts.get, "carrier", NP)
    assert account.state == "active"
    assert account.last_error in {"HTTP 503", "html", "RuntimeError", "KeyError"}
    post.poll(2 * MINUTE)
    assert post.again(row).status == "arrived"


def test_after_fourteen_days_without_the_money_the_seller_is_asked_and_polling_ends(post):
    row = post.parcel("1111", cod=True)
    post.says("1111", S.DELIVERED, money=M.COLLECTED)
    post.poll()
    assert post.again(row).phase == "money"
    assert post.questions() == []
    post.poll(14 * DAY + 3 * HOUR)
    now = post.again(row)
    assert (now.final, now.next_poll_at, now.money_status) == (True, None, "collected")
    assert len(post.questions()) == 1
    asyncio.run(post.poller.refresh(row.id))
    assert len(post.questions()) == 1


def test_after_thirty_silent_days_the_seller_is_asked_and_polling_ends(post):
    row = post.parcel("1111")
    post.says("1111", S.IN_TRANSIT)
    post.poll()
    post.poll(30 * DAY)
    now = post.again(row)
    assert (now.phase, now.next_poll_at) == ("given_up", None)
    assert len(post.questions()) == 1


def test_a_number_never_found_is_asked_about_after_thirty_days(post):
    row = post.parcel("1111")
    post.poll(30 * DAY)
    assert post.again(row).next_poll_at is None
    assert len(post.questions()) == 1


def test_a_newer_clock_opens_a_final_parcel_again(post):
    row = post.parcel("1111")
    post.says("1111", S.DELIVERED, 1)
    post.poll()
    assert post.again(row).final
    post.says("1111", S.RETURNING, 2)
    post.poll(DAY + 3 * HOUR)
    assert (post.again(row).status, post.again(row).final) == ("returning", False)


def test_a_raw_document_is_kept_once_for_each_change(post):
    row = post.parcel("1111")
    for minutes, code in enumerate(["a", "a", "b", "a"]):
        post.says("1111", S.ARRIVED, minutes, code=code)
        post.poll(HOUR)
    assert len(post.world.rows(t.raw_document, t.raw_document.c.shipment_id == row.id)) == 2


def test_a_repetition_word_for_word_is_not_merged_again_also_while_money_is_awaited(post, monkeypatch):
    row = post.parcel("1111", cod=True)
    post.says("1111", S.ARRIVED, money=M.EXPECTED, cod_expected=125_000)
    post.poll()

    def merged(*_):
        raise AssertionError("merged again")

    with monkeypatch.context() as patch:
        patch.setattr(taking, "_observed", merged)
        post.poll(3 * HOUR)
    before, after = row, post.again(row)
    assert (after.status, after.money_status, after.cod_expected_minor) == (S.ARRIVED, M.EXPECTED, 125_000)
    assert after.polled_at == before.created_at + 3 * HOUR
    assert after.problem is None


def test_money_that_is_told_beside_an_unchanged_document_is_seen(post):
    row = post.parcel("1111", cod=True)
    post.says("1111", S.DELIVERED, money=M.EXPECTED, cod_expected=125_000)
    post.poll()
    post.says("1111", S.DELIVERED, money=M.COLLECTED, cod_expected=125_000, cod_collected=125_000)
    post.poll(3 * HOUR)
    assert len(post.world.rows(t.raw_document, t.raw_document.c.shipment_id == row.id)) == 1
    assert (post.again(row).money_status, post.again(row).cod_collected_minor) == (M.COLLECTED, 125_000)


def test_two_processes_never_claim_the_same_parcel(post):
    post.parcel("1111")
    hold = post.world.clock.now() + 3 * MINUTE
    first = post.world.write(store.claim_due, NP, 10, hold)
    assert [row.number for row in first] == ["1111"]
    assert post.world.write(store.claim_due, NP, 10, hold) == []


def test_a_shipment_that_does_not_exist_is_not_found(post):
    with pytest.raises(NotFound):
        post.world.read(store.get, 404)


def test_the_order_moved_by_hand_is_not_moved_back(post):
    row = post.parcel("1111")
    post.world.write(orders.move_stage, post.seller.actor, row.order_id, "delivered")
    post.says("1111", S.IN_TRANSIT)
    post.poll()
    assert post.order(row).stage == "delivered"


def test_tracking_behaves_alike_on_both_databases(both_worlds):
    post = Post(both_worlds)
    row = post.parcel("1111", cod=True)
    post.says(
        "1111", S.ARRIVED, money=M.EXPECTED, cod_expected=5, estimated_at=moment(instant(datetime.now(UTC)))
    )
    post.parcel("2222")
    post.poll()
    post.poll(HOUR)
    leg = returned(post, row)
    assert leg.relation == "return"
    assert post.order(row).stage == "returned"
    post.carrier.fails = [Throttled("slow down")]
    post.poll(DAY)
    assert both_worlds.findings() == []
