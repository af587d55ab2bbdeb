"""The plugin against the emulator, over real HTTP on loopback; and the emulator's own promises."""

import pickle
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from hub.kernel.clock import ManualClock, moment
from hub.sdk import (
    AnswerUnreadable,
    AuthenticationFailed,
    MoneyStatus,
    NumbersRejected,
    Problem,
    RelationKind,
    Status,
    TemporaryFailure,
    Throttled,
    TrackingNumber,
)
from hub.testing.emulators.nova_poshta import NovaPoshtaEmulator
from hub.testing.emulators.nova_poshta_parcels import ROUTES, TEXTS, render, return_number
from hub.testing.host import START, LoopbackHost
from plugins.nova_poshta.plugin import NovaPoshta
from plugins.nova_poshta.settings import NovaPoshtaSettings
from plugins.nova_poshta.statuses import STATUSES
from tests.plugins.nova_poshta.made import KEY, NUMBER, OTHER, PHONE, THIRD, problems

STEP_S = 3600


class World:
    """One emulator, one account of the plugin, one clock for both."""

    def __init__(self, emulator, host, base_url, **keys):
        self.emulator = emulator
        self.host = host
        self.base_url = base_url
        self.carrier = self.account(**keys)

    def account(self, **keys):
        settings = {"base_url": self.base_url, "api_key": KEY} | keys
        return NovaPoshta("np", NovaPoshtaSettings.model_validate(settings), self.host)

    def step(self, steps=1):
        self.host.clock.move(steps * STEP_S * 1000)

    async def ask(self, *numbers, phone=""):
        asked = [TrackingNumber(number=number, phone=phone) for number in numbers]
        return await self.carrier.track(asked)

    async def see(self, number):
        answer = await self.ask(number)
        return answer.tracked[0].observations[0]


@asynccontextmanager
async def a_world(timeout_s=5.0, keys=None, **options):
    async with LoopbackHost(timeout_s=timeout_s) as host:
        emulator = NovaPoshtaEmulator(host.clock, seconds_per_step=STEP_S, **options)
        base_url = await emulator.start()
        try:
            yield World(emulator, host, base_url, **(keys or {}))
        finally:
            await emulator.stop()


@pytest.fixture
async def world():
    async with a_world() as made:
        yield made


async def test_a_parcel_with_cash_on_delivery_goes_all_the_way(world):
    world.emulator.add_parcel(NUMBER, cod_minor=125_050, order_reference="A-17")
    seen = []
    for _ in ROUTES["cod"]:
        seen.append(await world.see(NUMBER))
        world.step()
    assert [one.raw_code for one in seen] == list(ROUTES["cod"])
    assert [one.facts.money for one in seen[-3:]] == [
        MoneyStatus.EXPECTED, MoneyStatus.COLLECTED, MoneyStatus.PAID_OUT,
    ]  # fmt: skip
    assert seen[0].clock is None
    assert [one.clock for one in seen[1:]] == [moment(START) + timedelta(hours=n) for n in range(1, 7)]
    paid = seen[-1].facts
    assert (paid.cod_expected, paid.cod_collected, paid.cod_paid_out) == (125_050, 125_050, 125_050)
    assert paid.order_reference == "A-17"
    assert seen[-1].happened_at == seen[-2].happened_at == moment(START) + timedelta(hours=5)


async def test_a_refused_parcel_comes_back_under_another_number(world):
    world.emulator.add_parcel(NUMBER, cod_minor=99_000, route="refused")
    assert problems(await world.ask(return_number(NUMBER))) == {return_number(NUMBER): Problem.NOT_FOUND}
    world.step(6)
    refused = await world.see(NUMBER)
    assert (refused.status, refused.facts.money) == (Status.RETURNING, MoneyStatus.NOT_COLLECTED)
    (back,) = refused.facts.related
    assert (back.number, back.kind) == (return_number(NUMBER), RelationKind.RETURN)
    first = await world.see(back.number)
    world.step(3)
    last = await world.see(back.number)
    assert (first.status, last.status) == (Status.CREATED, Status.DELIVERED)
    assert (first.facts.city_from, first.facts.city_to) == (refused.facts.city_to, refused.facts.city_from)


async def test_payment_control_never_tells_its_payout(world):
    world.emulator.add_parcel(NUMBER, cod_minor=50_000, payment_control=True)
    world.step(99)
    seen = await world.see(NUMBER)
    assert (seen.status, seen.facts.money) == (Status.DELIVERED, MoneyStatus.UNKNOWN)


async def test_without_a_key_the_sums_are_hidden_unless_the_phone_is_right(world):
    world.emulator.add_parcel(NUMBER, cod_minor=50_000, phone=PHONE)
    world.carrier = world.account(api_key="")
    hidden = await world.see(NUMBER)
    assert (hidden.facts.hidden, hidden.facts.money) == (True, None)
    (tracked,) = (await world.ask(NUMBER, phone=PHONE)).tracked
    shown = tracked.observations[0].facts
    assert (shown.hidden, shown.money) == (False, MoneyStatus.EXPECTED)


async def test_numbers_nobody_added_are_made_up_or_not_found():
    async with a_world() as world:
        world.step()
        answer = await world.ask(NUMBER, OTHER, "20450000000009")
        assert [tracked.observations[0].status for tracked in answer.tracked] == [Status.CREATED] * 3
        world.step(6)
        answer = await world.ask(NUMBER, OTHER, "20450000000009")
        assert [tracked.observations[0].raw_code for tracked in answer.tracked] == ["11", "9", "102"]
    async with a_world(first_sight="not_found") as world:
        assert problems(await world.ask(NUMBER)) == {NUMBER: Problem.NOT_FOUND}


async def test_a_hundred_numbers_are_one_call(world):
    numbers = [f"2045{n:010d}" for n in range(100)]
    answer = await world.ask(*numbers)
    assert [tracked.number for tracked in answer.tracked] == numbers
    assert world.emulator.asked == [tuple(numbers)]
    assert pickle.loads(pickle.dumps(answer)) == answer


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("throttle", Throttled),
        ("daily_limit", Throttled),
        ("auth", AuthenticationFailed),
        ("expired", AuthenticationFailed),
        ("bad_number", NumbersRejected),
        ("service", TemporaryFailure),
        ("method_gone", TemporaryFailure),
        ("http_401", AuthenticationFailed),
        ("http_429", Throttled),
        ("http_500", TemporaryFailure),
        ("half_body", TemporaryFailure),
        ("html", AnswerUnreadable),
    ],
)
async def test_a_fault_is_told_by_its_kind_and_over_with_the_next_call(world, fault, error):
    world.emulator.fail_next(1, fault)
    with pytest.raises(error) as caught:
        await world.ask(NUMBER)
    if fault == "http_429":
        assert caught.value.retry_after_s == 7
    if fault == "bad_number":
        assert caught.value.numbers == (NUMBER,)
    assert len((await world.ask(NUMBER)).tracked) == 1


async def test_a_carrier_that_hangs_is_a_temporary_failure():
    async with a_world(timeout_s=1.0) as world:
        world.emulator.fail_next(1, "timeout")
        with pytest.raises(TemporaryFailure):
            await world.ask(NUMBER)
        assert len((await world.ask(NUMBER)).tracked) == 1


async def test_a_shorter_answer_and_another_order_are_understood(world):
    world.emulator.fail_next(1, "shuffle")
    assert len((await world.ask(NUMBER, OTHER, THIRD)).tracked) == 3
    world.emulator.fail_next(1, "drop_numbers")
    answer = await world.ask(NUMBER, OTHER, THIRD)
    assert problems(answer) == {NUMBER: Problem.NO_NEWS, THIRD: Problem.NO_NEWS}


async def test_a_refused_phone_costs_a_second_call_and_no_answer(world):
    world.emulator.fail_next(1, "bad_phone")
    assert len((await world.ask(NUMBER, phone=PHONE)).tracked) == 1


async def test_the_key_is_checked():
    async with a_world(api_key=KEY) as world:
        assert await world.carrier.check() == "the key works"
        world.carrier = world.account(api_key="another")
        with pytest.raises(AuthenticationFailed):
            await world.carrier.check()
        with pytest.raises(AuthenticationFailed):
            await world.ask(NUMBER)


async def test_waybills_made_by_hand_are_listed_with_their_orders(world):
    for n in range(120):
        world.emulator.add_parcel(f"2045{n:010d}", cod_minor=125_000 if n else None, order_reference=f"A-{n}")
    since = moment(world.host.clock.now()) - timedelta(days=1)
    first = await world.carrier.documents(since, "")
    second = await world.carrier.documents(since, first.next_page)
    found = [*first.documents, *second.documents]
    assert (len(found), second.next_page) == (120, "")
    assert (found[0].order_reference, found[0].cod_expected) == ("A-0", 0)
    assert (found[7].number, found[7].cod_expected) == ("20450000000007", 125_000)
    assert {one.phone for one in found} == {"380600000001"}  # as told: it is no real one


async def test_a_return_waybill_is_none_of_the_accounts_own(world):
    world.emulator.add_parcel(NUMBER, 99_000, "refused")
    world.step(10)
    listed = await world.carrier.documents(moment(START) - timedelta(days=1), "")
    assert [one.number for one in listed.documents] == [NUMBER]


async def test_n15_the_list_of_transfers_tells_what_payment_control_does_not(world):
    world.emulator.add_parcel(NUMBER, 125_000, payment_control=True)
    world.emulator.add_parcel(OTHER)
    since = moment(START) - timedelta(days=1)
    assert (await world.carrier.transfers(since, "")).transfers == ()
    world.step(5)
    assert (await world.see(NUMBER)).facts.money is MoneyStatus.UNKNOWN
    (under_way,) = (await world.carrier.transfers(since, "")).transfers
    assert (under_way.number, under_way.amount, under_way.paid_out_at) == (NUMBER, 125_000, None)
    world.step(2)
    (paid,) = (await world.carrier.transfers(since, "")).transfers
    assert paid.paid_out_at == moment(START + 7 * STEP_S * 1000)


async def test_every_answer_says_that_it_is_emulated(world):
    body = {"apiKey": "", "modelName": "TrackingDocument", "calledMethod": "getStatusDocuments"}
    documents = {"Documents": [{"DocumentNumber": NUMBER, "Phone": ""}]}
    async with httpx.AsyncClient() as client:
        calls: list[object] = [body | {"methodProperties": documents}, {}, body]
        for sent in calls:
            answer = await client.post(world.base_url, json=sent)
            assert answer.headers["x-emulator"] == "nova_poshta"
            assert answer.json()["info"] == {"emulator": "nova_poshta"}
            assert answer.json()["infoCodes"] == ["emulator:nova_poshta"]
        assert (await client.get(world.base_url)).headers["x-emulator"] == "nova_poshta"


async def test_a_bad_number_in_a_batch_is_named(world):
    with pytest.raises(NumbersRejected) as caught:
        await world.ask(NUMBER, "SHPL0123456789")
    assert caught.value.numbers == ("SHPL0123456789",)


@pytest.mark.parametrize("route", sorted(ROUTES))
def test_every_step_of_every_route_is_a_full_item_with_plausible_dates(route):
    clock = ManualClock(START)
    emulator = NovaPoshtaEmulator(clock, seconds_per_step=20)
    parcel = emulator.add_parcel(NUMBER, 10_000, route)
    assert set(parcel.route) <= set(TEXTS) & set(STATUSES)
    for code in parcel.route:
        item = render(parcel, clock.now())
        assert item["StatusCode"] == code == emulator.code_of(NUMBER)
        assert len(item) >= 110
        if item["TrackingUpdateDate"]:
            at = datetime.fromisoformat(item["TrackingUpdateDate"]).replace(tzinfo=UTC) - timedelta(hours=2)
            assert abs(at - moment(clock.now())) < timedelta(seconds=1)  # winter: Kyiv is two hours ahead
        clock.move(20_000)


def test_an_unknown_fault_is_refused_in_words():
    with pytest.raises(ValueError, match="throttle"):
        NovaPoshtaEmulator(ManualClock(START)).fail_next(1, "nonsense")
