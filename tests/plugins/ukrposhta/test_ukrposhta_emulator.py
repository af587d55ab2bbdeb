"""The plugin against the emulator, over real HTTP on loopback; and the emulator's own promises."""

from contextlib import asynccontextmanager

import httpx
import pytest

from hub.kernel.clock import ManualClock
from hub.sdk import (
    AnswerUnreadable,
    AuthenticationFailed,
    MoneyStatus,
    NumbersRejected,
    Problem,
    Status,
    TemporaryFailure,
    Throttled,
    TrackingNumber,
)
from hub.testing.emulators.ukrposhta import TEXTS, TRANSFER_TEXTS, UkrposhtaEmulator
from hub.testing.host import START, LoopbackHost
from plugins.ukrposhta.plugin import Ukrposhta
from plugins.ukrposhta.settings import UkrposhtaSettings
from plugins.ukrposhta.statuses import EVENTS, TRANSFERS
from tests.plugins.ukrposhta.made import ECOM, NUMBER, OTHER, THIRD, TOKEN, TRACKING

STEP_S = 3600


class World:
    """One emulator, one account of the plugin, one clock for both."""

    def __init__(self, emulator, host, base_url):
        self.emulator, self.host, self.base_url = emulator, host, base_url
        self.carrier = self.account()

    def account(self, **keys):
        given = {"base_url": self.base_url, "bearer_tracking": TRACKING, "bearer_ecom": ECOM}
        settings = UkrposhtaSettings.model_validate(given | {"counterparty_token": TOKEN} | keys)
        return Ukrposhta("up", settings, self.host)

    def step(self, steps=1):
        self.host.clock.move(steps * STEP_S * 1000)

    async def ask(self, *numbers):
        return await self.carrier.track([TrackingNumber(number=number) for number in numbers])


@asynccontextmanager
async def a_world(timeout_s=5.0, **options):
    async with LoopbackHost(timeout_s=timeout_s) as host:
        emulator = UkrposhtaEmulator(host.clock, seconds_per_step=STEP_S, **options)
        base_url = await emulator.start()
        try:
            yield World(emulator, host, base_url)
        finally:
            await emulator.stop()


@pytest.fixture
async def world():
    async with a_world() as made:
        yield made


async def test_a_parcel_with_cash_on_delivery_goes_all_the_way(world):
    world.emulator.add_parcel(NUMBER, cod_minor=125_050)
    seen = []
    for _ in UkrposhtaEmulator.routes["cod"]:
        (tracked,) = (await world.ask(NUMBER)).tracked
        seen.append(tracked.observations[-1])
        world.step()
    assert [one.raw_code for one in seen] == [
        "CREATED", "10100", "20700", "20800", "21700", "41000", "41000", "41000",
    ]  # fmt: skip
    assert [one.facts.money for one in (seen[0], *seen[5:])] == [
        MoneyStatus.EXPECTED, None, MoneyStatus.COLLECTED, MoneyStatus.PAID_OUT,
    ]  # fmt: skip
    assert seen[-1].facts.cod_paid_out == 125_050


async def test_a_parcel_that_nobody_collects_comes_back(world):
    world.emulator.add_parcel(NUMBER, route="returned")
    world.step(99)
    (tracked,) = (await world.ask(NUMBER)).tracked
    assert [one.status for one in tracked.observations[-3:]] == [
        Status.ARRIVED, Status.RETURNING, Status.RETURNED,
    ]  # fmt: skip


async def test_history_is_asked_once_and_then_the_last_event_only(world):
    world.emulator.add_parcel(NUMBER)
    world.step(3)
    lengths = []
    for _ in range(2):
        (tracked,) = (await world.ask(NUMBER)).tracked
        lengths.append(len(tracked.observations))
    assert lengths == [3, 1]
    assert [path.rsplit("/", 2)[1] for path in world.emulator.calls] == [
        "last", "statuses", "barcode", "last",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("http_401", AuthenticationFailed),
        ("http_429", Throttled),
        ("http_500", TemporaryFailure),
        ("half_body", TemporaryFailure),
        ("html", AnswerUnreadable),
        ("bad_number", NumbersRejected),
    ],
)
async def test_a_fault_is_told_by_its_kind_and_over_with_the_next_call(world, fault, error):
    world.step()
    world.emulator.add_parcel(NUMBER)
    world.step()
    world.emulator.fail_next(1, fault)
    with pytest.raises(error) as caught:
        await world.ask(NUMBER)
    if fault == "http_429":
        assert caught.value.retry_after_s == 7
    assert len((await world.ask(NUMBER)).tracked) == 1


async def test_an_unknown_code_is_kept(world):
    world.emulator.add_parcel(NUMBER)
    world.step(2)
    world.emulator.fail_next(2, "unknown_code")
    (tracked,) = (await world.ask(NUMBER)).tracked
    assert (tracked.observations[-1].status, tracked.observations[-1].raw_code) == (Status.UNKNOWN, "99991")


async def test_a_late_answer_is_an_answer_and_a_hanging_one_a_failure():
    async with a_world(timeout_s=1.0, hang_s=2, delay_s=0.05) as world:
        world.emulator.add_parcel(NUMBER)
        world.step()
        world.emulator.fail_next(1, "delay")
        assert len((await world.ask(NUMBER)).tracked) == 1
        world.emulator.fail_next(1, "timeout")
        with pytest.raises(TemporaryFailure):
            await world.ask(NUMBER)


async def test_a_shorter_answer_is_no_news_for_the_rest(world):
    for number in (NUMBER, OTHER, THIRD):
        world.emulator.add_parcel(number)
    world.step()
    world.carrier = world.account(bearer_ecom="")
    world.emulator.fail_next(1, "drop_numbers")
    answer = await world.ask(NUMBER, OTHER, THIRD)
    assert {one.number: one.problem for one in answer.problems} == dict.fromkeys(
        (NUMBER, THIRD), Problem.NO_NEWS
    )


async def test_u9_mixed_up_secrets_are_refused_by_name():
    async with a_world(bearer_tracking=TRACKING, bearer_ecom=ECOM, token=TOKEN) as world:
        assert "counterparty_token work" in await world.carrier.check()
        for wrong, named in (
            ({"bearer_tracking": ECOM}, "bearer_tracking"),
            ({"bearer_ecom": TRACKING}, "bearer_ecom"),
            ({"counterparty_token": ECOM}, "counterparty_token"),
        ):
            with pytest.raises(AuthenticationFailed, match=named):
                await world.account(**wrong).check()


async def test_every_answer_says_that_it_is_emulated(world):
    world.emulator.add_parcel(NUMBER, 1)
    world.step(7)
    base = f"{world.base_url}/status-tracking/0.0.1/statuses/with-not-found"
    async with httpx.AsyncClient() as client:
        for answer in (
            await client.post(base, json=[NUMBER]),
            await client.get(f"{world.base_url}/ecom/0.0.1/shipments/barcode/{NUMBER}"),
            await client.get(f"{world.base_url}/nothing"),
        ):
            assert answer.headers["x-emulator"] == "ukrposhta"
            assert answer.json()["emulator"] == "ukrposhta"
        world.emulator.fail_next(1, "http_429")
        assert (await client.post(base, json=[NUMBER])).headers["x-emulator"] == "ukrposhta"


def test_every_step_of_every_route_stands_in_the_plugins_tables():
    for route in UkrposhtaEmulator.routes.values():
        for code in route[1:]:
            assert code in TEXTS or code in TRANSFER_TEXTS
            assert code.split("/")[0] in EVENTS or code in TRANSFERS


def test_an_unknown_fault_is_refused_in_words():
    with pytest.raises(ValueError, match="http_429"):
        UkrposhtaEmulator(ManualClock(START)).fail_next(1, "nonsense")
