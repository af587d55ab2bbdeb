"""What is announced, what is only shown, and what the seller is asked: through the real poller."""

import asyncio
import random
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from hub.access.model import Role
from hub.accounts import store as accounts
from hub.db import tables as t
from hub.kernel.clock import DAY, HOUR, MINUTE
from hub.kernel.errors import RuleSaysNo
from hub.sdk.carrier import CarrierCapabilities
from hub.sdk.errors import AuthenticationFailed, NumbersRejected, TemporaryFailure, Throttled
from hub.sdk.tracking import RANK, MoneyStatus, NotTracked, Problem, RelatedNumber, RelationKind, Status
from hub.shipments import questions, store
from hub.shipments.poller import FILLS_UP_BY
from hub.web.workspace import labels
from tests.unit.shipments.post import NP, Post

S, M = Status, MoneyStatus
MADE = datetime(2026, 3, 1, 9, tzinfo=UTC)


@pytest.fixture
def told():
    return []


@pytest.fixture
def post(world, told):
    return Post(world, announce=lambda tx, change: told.append((change.event, status_of(change))))


def status_of(change):
    return change.row.status if change.event == "shipment.status" else change.row.money_status


def asked(post):
    return [orjson.loads(q.body)["question"] for q in post.questions()]


@pytest.fixture(autouse=True)
def all_is_well_in_the_end(world):
    yield
    assert world.findings() == []


# --- announced once, and only forward ------------------------------------------------------------------


@pytest.mark.parametrize("clock", [True, False], ids=["with a clock", "without a clock"])
def test_what_goes_back_is_shown_and_never_announced(post, told, clock):
    row = post.parcel("1111")
    way = [S.CREATED, S.IN_TRANSIT, S.ARRIVED, S.IN_TRANSIT, S.ARRIVED, S.DELIVERED, S.ARRIVED, S.RETURNED]
    for minutes, status in enumerate(way):
        post.says("1111", status, minutes, code=f"{minutes}", clock=clock)
        post.poll(DAY + HOUR)
        assert post.again(row).status == status
    assert [status for _, status in told] == ["created", "in_transit", "arrived", "delivered", "returned"]
    assert post.again(row).announced == "returned"


def test_money_is_announced_forward_and_once(post, told):
    row = post.parcel("1111", cod=True)
    for minutes, money in enumerate(
        [M.EXPECTED, M.COLLECTED, M.EXPECTED, M.COLLECTED, M.PAID_OUT, M.COLLECTED]
    ):
        post.says("1111", S.DELIVERED, minutes, code=f"{minutes}", money=money)
        post.poll(3 * HOUR)
    assert [money for event, money in told if event == "shipment.money"] == [
        "expected",
        "collected",
        "paid_out",
    ]
    assert post.again(row).money_status == "paid_out"


@pytest.mark.parametrize("seed", range(6))
def test_histories_told_in_any_order_announce_nothing_twice_and_nothing_back(post, told, seed):
    random_ = random.Random(seed)
    row = post.parcel("1111", cod=True)
    steps = [(random_.choice(list(S)), random_.randrange(600), random_.choice([None, *M])) for _ in range(12)]
    for status, minutes, money in steps + random_.choices(steps, k=12):
        post.says("1111", status, minutes, code=f"{status}{minutes}", clock=bool(seed % 3), money=money)
        asyncio.run(post.poller.refresh(row.id))
        post.world.clock.move(HOUR)
    ranks = [RANK[S(status)] for event, status in told if event == "shipment.status"]
    assert ranks == sorted(set(ranks))
    money = [status for event, status in told if event == "shipment.money"]
    assert len(money) == len(set(money))


def test_a_return_leg_that_arrives_is_announced_for_the_parcel_it_belongs_to(post, told):
    post.parcel("1111")
    back = RelatedNumber(number="9999", kind=RelationKind.RETURN)
    post.says("1111", S.REFUSED, 1, related=(back,))
    post.poll()
    post.says("9999", S.DELIVERED, 2)
    post.poll(4 * HOUR)
    assert ("shipment.status", "returned") in told


# --- unknown codes -------------------------------------------------------------------------------------


def test_n10_an_unknown_code_reaches_the_administrators_once_with_a_ready_line(post):
    admin = post.world.worker("Адмін", role=Role.ADMIN, member=False)
    for number in ("1111", "2222"):
        post.parcel(number)
        post.says(number, S.UNKNOWN, 1, code="121")
    post.poll()
    post.poll(HOUR)
    notices = post.world.rows(t.outbox, t.outbox.c.kind == "unknown_code")
    assert [n.order_key for n in notices] == [f"staff:{admin.id}"]
    told = orjson.loads(notices[0].payload)
    assert (told["plugin"], told["code"]) == ("scripted", "121")
    line = told["line"]
    assert line == '"121": Status.UNKNOWN,  # текст unknown; first seen 2026-03-02'
    assert eval("{" + line.partition("#")[0] + "}", {"Status": S}) == {"121": S.UNKNOWN}
    (code,) = post.world.rows(t.unknown_code)
    assert (code.code, code.count) == ("121", 2)


# --- numbers that are not what they seem ---------------------------------------------------------------


def test_a_number_that_the_carrier_gave_to_another_waybill_is_kept_apart(post):
    row = post.parcel("1111")
    post.says("1111", S.IN_TRANSIT, 1, made_at=MADE)
    post.poll()
    post.says("1111", S.DELIVERED, 2, made_at=MADE + timedelta(days=200))
    for _ in range(3):
        post.poll(DAY)
    now = post.again(row)
    assert (now.status, now.problem, now.final) == ("in_transit", "renumbered", False)
    assert len(post.world.rows(t.observation)) == 1
    assert asked(post) == [questions.about("1111", questions.RENUMBERED)]
    post.says("1111", S.ARRIVED, 3, made_at=MADE + timedelta(minutes=10))
    post.poll(DAY)
    assert (post.again(row).status, post.again(row).problem) == ("arrived", None)


def test_a_waybill_made_long_before_it_was_attached_is_asked_about_once(post):
    row = post.parcel("1111")
    post.says("1111", S.DELIVERED, 1, made_at=MADE - timedelta(days=60))
    post.poll()
    post.poll(DAY)
    assert post.again(row).made_at is not None
    assert asked(post) == [questions.about("1111", questions.TOO_OLD)]


def test_u2_a_young_number_that_is_not_found_alarms_nobody_for_days(post):
    row = post.parcel("1111")
    for _ in range(4):
        post.poll(DAY)
    assert (post.again(row).problem, asked(post)) == ("not_found", [])
    post.poll(DAY)
    post.poll(DAY)
    assert post.again(row).problem == "never_found"
    assert asked(post) == [questions.about("1111", questions.NEVER_FOUND)]


def test_a_number_of_two_orders_is_refused_with_the_other_order_named(post):
    first = post.parcel("1111")
    with pytest.raises(RuleSaysNo, match="one waybill belongs to one order") as refused:
        post.parcel("1111")
    assert refused.value.facts["order_number"] == post.order(first).number


def test_a_number_that_ended_long_ago_may_be_used_again(post):
    first = post.parcel("1111")
    post.says("1111", S.DELIVERED, 1)
    post.poll()
    post.world.clock.move(91 * DAY)
    assert post.parcel("1111").id != first.id


def test_n11_a_deleted_waybill_is_asked_about_once(post):
    post.parcel("1111")
    post.says("1111", S.CANCELLED, 1)
    post.poll()
    post.poll(DAY)
    assert asked(post) == [questions.about("1111", questions.DELETED)]


def test_every_question_is_in_the_catalogue():
    assert set(questions.QUESTIONS) <= set(labels.SENTENCES)


# --- the poller's own care -----------------------------------------------------------------------------


def test_n3_a_bad_number_is_found_even_where_the_budget_allows_two_calls_a_minute(world):
    post = Post(world)
    post.carrier.capabilities = CarrierCapabilities(batch_size=64, calls_per_minute=2)
    rows = {n: post.parcel(n) for n in (f"{n:04d}" for n in range(64))}
    for n in rows:
        post.says(n, S.ARRIVED)
    post.carrier.poison = {"0037"}
    for _ in range(9):
        post.poll(MINUTE + 2_000)
    states = {n: (post.again(row).status, post.again(row).problem) for n, row in rows.items()}
    assert states.pop("0037") == ("unknown", "bad_number")
    assert set(states.values()) == {("arrived", None)}


def test_n2_what_was_read_before_a_throttle_is_kept(post):
    rows = [post.parcel(n) for n in ("1111", "2222", "3333")]
    for n in ("1111", "3333"):
        post.says(n, S.ARRIVED)
    post.carrier.fails = [NumbersRejected(["2222"], "wrong"), Throttled("slow")]
    post.poll()
    assert [post.again(r).problem for r in rows] == [None, "bad_number", None]
    assert post.again(rows[0]).misses == 0
    post.poll(2 * MINUTE)
    assert [post.again(r).status for r in rows] == ["arrived", "unknown", "arrived"]


def test_a_carrier_that_hangs_holds_no_other_one_up(world, monkeypatch):
    post = Post(world, NP, "meest")
    ours, other = post.parcel("1111"), post.parcel("2222", account="meest")
    post.says("1111", S.ARRIVED)
    post.says("2222", S.ARRIVED, account="meest")

    async def story():
        gate = asyncio.Event()
        answered = post.carrier.track

        async def hang(numbers):
            await gate.wait()
            return await answered(numbers)

        monkeypatch.setattr(post.carrier, "track", hang)
        await post.poller.tick()
        for _ in range(3):
            await asyncio.wait_for(post.poller._asking["meest"], 30)
            world.clock.move(2 * HOUR)
            await post.poller.tick()
        assert post.again(other).status == "arrived"
        assert post.again(ours).status == "unknown"
        gate.set()
        await post.poller._asking[NP]

    asyncio.run(story())
    assert post.again(ours).status == "arrived"
    assert len(post.carriers["meest"].calls) >= 3


def test_what_is_under_way_when_the_hub_stops_falls_due_again(post):
    row = post.parcel("1111")
    post.says("1111", S.ARRIVED)

    async def story():
        answered = post.carrier.track
        post.carrier.track = lambda numbers: asyncio.sleep(3_600)
        await post.poller.tick()
        await asyncio.sleep(0.2)
        await post.poller.stop()
        post.carrier.track = answered

    asyncio.run(story())
    assert post.poll(4 * MINUTE) == 1
    assert post.again(row).status == "arrived"


def test_a_carrier_that_is_down_for_an_hour_is_probed_and_its_parcels_catch_up_at_once(post):
    post.carrier.capabilities = CarrierCapabilities(batch_size=10, calls_per_minute=1_000)
    rows = [post.parcel(f"{n:04d}") for n in range(100)]
    for row in rows:
        post.says(row.number, S.ARRIVED)
    post.carrier.fails = [TemporaryFailure("HTTP 503")] * 10_000
    for _ in range(60):
        post.poll(MINUTE)
    assert len(post.carrier.calls) <= 45, "probed, not hammered"
    post.carrier.fails = []
    for _ in range(3):
        post.poll(MINUTE)
    assert sum(post.again(r).status == "arrived" for r in rows) >= 70
    for _ in range(7):
        post.poll(MINUTE)
    assert {post.again(r).status for r in rows} == {"arrived"}


def test_few_parcels_are_asked_for_together(post):
    for n in range(30):
        post.parcel(f"{n:04d}")
        post.says(f"{n:04d}", S.IN_TRANSIT)
    post.poll()
    before = len(post.carrier.calls)
    for _ in range(60):
        post.poll(MINUTE)
    assert len(post.carrier.calls) - before <= HOUR // FILLS_UP_BY + 1


def test_a_parcel_with_no_answer_is_not_young(post):
    row = post.parcel("1111")
    post.carrier.says["1111"] = NotTracked(number="1111", problem=Problem.UNREADABLE)
    post.poll()
    assert post.again(row).polled_at is None
    assert post.world.read(store.get, row.id).misses == 1


def test_a_key_revoked_in_flight_stops_the_account_whatever_the_other_calls_say(world, monkeypatch):
    post = Post(world)
    post.carrier.capabilities = CarrierCapabilities(batch_size=1, calls_per_minute=100, parallel_calls=2)
    for n in ("1111", "2222"):
        post.parcel(n)
        post.says(n, S.ARRIVED)
    refused = asyncio.Event()

    async def track(numbers):
        post.carrier.calls.append([n.number for n in numbers])
        if len(post.carrier.calls) == 1:
            await refused.wait()  # this call was answered before the key was revoked, and ends last
            return await answered(numbers)
        asyncio.get_running_loop().call_later(0.3, refused.set)
        raise AuthenticationFailed("the key is refused")

    answered = post.carrier.track
    with monkeypatch.context() as revoked:
        revoked.setattr(post.carrier, "track", track)
        post.poll()
    assert world.read(accounts.get, "carrier", NP).state == "stopped"
    calls = len(post.carrier.calls)
    post.poll(HOUR)
    assert len(post.carrier.calls) == calls
    world.write(accounts.resume, "carrier", NP)
    post.poll(2_000)
    assert {r.status for r in world.rows(t.shipment)} == {"arrived"}
