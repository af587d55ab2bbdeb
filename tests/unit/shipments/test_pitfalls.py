"""The hub's share of the traps that users of other clients ran into, by their numbers (`tests/plugins/pitfalls.py`)."""

from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.db import tables as t
from hub.kernel.clock import DAY, HOUR, MINUTE
from hub.orders.model import NewLine, Payment
from hub.orders.outgoing import LANE
from hub.sdk.carrier import CarrierCapabilities
from hub.sdk.tracking import MoneyStatus, NotTracked, Problem, RelatedNumber, RelationKind, Status
from hub.shipments import notices, questions, store, sums
from hub.shipments.notices import CustomerNotices
from hub.shipments.planner import patience_of
from tests.unit.shipments.post import Post

S, M = Status, MoneyStatus
KYIV = ZoneInfo("Europe/Kyiv")
NOT_FOUND = NotTracked(number="", problem=Problem.NOT_FOUND)


@pytest.fixture
def post(world):
    return Post(world)


@pytest.fixture(autouse=True)
def all_is_well_in_the_end(world):
    yield
    assert world.findings() == []


def asked(post):
    return [orjson.loads(entry.body)["question"] for entry in post.questions()]


# --- money -------------------------------------------------------------------------------------------------


def cod_parcel(post, number, price_minor):
    order = post.world.order(
        post.seller, payment=Payment.COD, lines=[NewLine(name="Лампа", price_minor=price_minor)]
    )
    return post.parcel(number, order=order)


@pytest.mark.parametrize(
    ("told", "odd"), [(125_000, False), (1_250, True), (12_500_000, True), (60_000, False)]
)
def test_u11_a_sum_in_the_wrong_unit_is_a_question_and_a_near_one_is_not(post, told, odd):
    """Hryvnias or kopecks: whoever is wrong is wrong by a hundred times."""
    cod_parcel(post, "1111", 125_000)
    post.says("1111", S.IN_TRANSIT, money=M.EXPECTED, cod_expected=told)
    post.poll()
    said = [questions.about("1111", questions.ODD_SUM)] if odd else []
    assert asked(post) == said
    post.says("1111", S.ARRIVED, 30, money=M.EXPECTED, cod_expected=told)
    post.poll(HOUR)
    assert asked(post) == said


def test_u11_an_order_without_a_sum_and_a_parcel_without_an_order_ask_nothing(post):
    cod_parcel(post, "1111", 0)
    post.says("1111", S.IN_TRANSIT, money=M.EXPECTED, cod_expected=1)
    post.poll()
    assert asked(post) == []


@given(st.one_of(st.none(), st.integers(0, 10**12)), st.integers(0, 10**12))
def test_u11_what_is_odd_one_way_is_odd_the_other(expected, total):
    if expected and total:
        assert sums.is_odd(expected, total) == sums.is_odd(total, expected)
    assert not sums.is_odd(expected, expected or 0)


def test_n1_hidden_money_of_an_order_paid_on_delivery_is_not_told_instead_of_nothing(post):
    row = post.parcel("1111", cod=True)
    post.says("1111", S.IN_TRANSIT, money=M.NONE, hidden=True)
    post.poll()
    now = post.again(row)
    assert (now.money_status, now.cod_expected_minor, now.cod_collected_minor) == ("unknown", None, None)


def test_n14_received_is_not_the_end_while_the_money_is_under_way_and_a_late_waybill_is_followed(post):
    row = post.parcel("1111", cod=True)
    post.says("1111", S.DELIVERED, money=M.COLLECTED)
    post.poll()
    assert not post.again(row).final
    assert post.again(row).next_poll_at is not None
    money = RelatedNumber(number="9999", kind=RelationKind.MONEY)
    post.says("1111", S.DELIVERED, 60, code="money", money=M.PAID_OUT, related=(money,))
    post.poll(3 * HOUR)
    assert post.again(row).final
    (leg,) = post.world.read(store.children, [row.id])
    assert (leg.number, leg.relation, leg.order_id) == ("9999", "money", row.order_id)


# --- what is known stays -----------------------------------------------------------------------------------


def test_n4_a_number_that_is_left_out_is_no_news_and_its_state_stays(post):
    first, second = post.parcel("1111"), post.parcel("2222")
    post.says("1111", S.ARRIVED)
    post.says("2222", S.IN_TRANSIT)
    post.carrier.shuffles = True
    post.poll()
    post.carrier.leaves_out = {"1111"}
    post.poll(HOUR)
    assert [post.again(one).status for one in (first, second)] == ["arrived", "in_transit"]
    assert post.again(first).problem == "no_news"
    assert asked(post) == []


def test_n19_a_stub_after_the_delivery_takes_nothing_away(post):
    row = post.parcel("1111")
    post.says("1111", S.DELIVERED, 60, weight_g=700, city_to="Львів")
    post.poll()
    post.says("1111", S.UNKNOWN, 90, code="0")
    post.poll(DAY)
    now = post.again(row)
    assert (now.status, now.place) == ("delivered", "Львів")
    assert orjson.loads(now.facts)["weight_g"] == 700


# --- other numbers -----------------------------------------------------------------------------------------


def test_n18_the_customer_of_a_redirected_parcel_is_told_its_new_number(world):
    tell = CustomerNotices(KYIV, "", "Shop", {})
    post = Post(world, announce=tell)
    world.write(notices.choose, world.admin, world.team, ["arrived"], "00:00", "00:00")
    row = post.parcel("1111")
    further = RelatedNumber(number="5900", kind=RelationKind.REDIRECT)
    post.says("1111", S.IN_TRANSIT, related=(further,))
    post.poll()
    (leg,) = world.read(store.children, [row.id])
    assert (leg.number, leg.relation, leg.order_id) == ("5900", "redirect", row.order_id)
    post.says("5900", S.ARRIVED, 90)
    post.poll(2 * HOUR)
    assert post.again(row).status == "arrived"
    (text,) = [orjson.loads(one.payload)["text"] for one in world.rows(t.outbox, t.outbox.c.lane == LANE)]
    assert "5900" in text
    assert "1111" not in text


# --- how long, how often -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "patience"), [("RB123456789UA", 2), ("20450812345678", 1), ("0500123456789", 1)]
)
def test_u12_a_number_that_may_go_abroad_is_waited_for_twice_as_long(post, number, patience):
    assert patience_of(number) == patience
    row = post.parcel(number)
    post.carrier.says[number] = NOT_FOUND
    post.poll(6 * DAY)
    assert (post.again(row).problem == "never_found") == (patience == 1)
    post.poll(5 * DAY)
    assert post.again(row).problem == "never_found"
    post.poll(20 * DAY)
    assert (post.again(row).phase == "given_up") == (patience == 1)
    post.poll(31 * DAY)
    assert post.again(row).phase == "given_up"


def test_d4_one_number_a_call_oldest_first_within_the_pace_of_the_account(post):
    post.carrier.capabilities = CarrierCapabilities(batch_size=1, calls_per_minute=2)
    for at in range(5):
        post.parcel(f"111{at}")
        post.world.clock.move(MINUTE)
        post.says(f"111{at}", S.IN_TRANSIT)
    waited = []
    for _ in range(7):
        before = len(post.carrier.calls)
        post.poll(MINUTE)
        waited.append(len(post.carrier.calls) - before)
    assert max(waited) <= 2
    assert post.carrier.calls[:5] == [["1110"], ["1111"], ["1112"], ["1113"], ["1114"]]
