"""The plugin against the emulator, over real HTTP on loopback; and the emulator's own promises."""

from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest

from hub.kernel.clock import moment
from hub.sdk import (
    AnswerUnreadable,
    AuthenticationFailed,
    Problem,
    Status,
    TemporaryFailure,
    Throttled,
    TrackingNumber,
)
from hub.testing.emulators.meest import TEXTS, TOKEN_S, MeestEmulator
from hub.testing.host import START, LoopbackHost
from plugins.meest.plugin import Meest
from plugins.meest.settings import MeestSettings
from plugins.meest.statuses import STATUSES
from tests.plugins.meest.made import BARCODE, NUMBER, PASSWORD, USER

STEP_S = 1800


class World:
    """One emulator, one account of the plugin, one clock for both."""

    def __init__(self, emulator, host, base_url):
        self.emulator, self.host, self.base_url = emulator, host, base_url
        self.carrier = self.account()

    def account(self, **keys):
        given = {"base_url": self.base_url, "username": USER, "password": PASSWORD} | keys
        return Meest("meest", MeestSettings.model_validate(given), self.host)

    def step(self, steps=1):
        self.host.clock.move(steps * STEP_S * 1000)

    async def ask(self, *numbers):
        return await self.carrier.track([TrackingNumber(number=number) for number in numbers])

    async def follow(self, since, until):
        """All changes of a span, as the hub asks for them."""
        seen: dict[str, set[str]] = {}
        calls = 0
        while since < until:
            changes = await self.carrier.changes(since, until, "")
            for tracked in changes.tracked:
                seen.setdefault(tracked.number, set()).update(one.raw_code for one in tracked.observations)
            assert changes.until is not None
            since, calls = changes.until, calls + 1
        return seen, calls


@asynccontextmanager
async def a_world(timeout_s=5.0, **options):
    async with LoopbackHost(timeout_s=timeout_s) as host:
        emulator = MeestEmulator(host.clock, seconds_per_step=STEP_S, **options)
        base_url = await emulator.start()
        try:
            yield World(emulator, host, base_url)
        finally:
            await emulator.stop()


@pytest.fixture
async def world():
    async with a_world() as made:
        yield made


async def test_a_parcel_goes_all_the_way(world):
    world.emulator.add_parcel(NUMBER)
    codes = []
    for _ in MeestEmulator.routes["delivered"]:
        (tracked,) = (await world.ask(NUMBER)).tracked
        codes.append(tracked.observations[-1].raw_code)
        world.step()
    assert tuple(codes) == MeestEmulator.routes["delivered"]
    assert tracked.observations[-1].status is Status.DELIVERED
    assert tracked.observations[0].clock == moment(START)


async def test_changes_bring_every_step_of_every_parcel_with_a_call_for_two_hours(world):
    for n in range(40):
        world.emulator.add_parcel(f"MYCV9990001{n:02d}UA", route="returned")
    world.emulator.add_parcel(NUMBER)
    world.step(14)  # seven hours
    seen, calls = await world.follow(moment(START), moment(world.host.clock.now()))
    assert seen[NUMBER] == seen[BARCODE] == set(MeestEmulator.routes["delivered"])
    assert len(seen) == 82
    assert calls == 4
    assert world.emulator.asked == []  # no parcel was asked for by itself


async def test_days_behind_are_caught_up_by_days(world):
    world.emulator.add_parcel(NUMBER)
    world.step(48 * 3)
    seen, calls = await world.follow(moment(START) - timedelta(days=1), moment(world.host.clock.now()))
    assert seen[NUMBER] == set(MeestEmulator.routes["delivered"])
    assert calls < 12


async def test_a_parcel_of_another_contract_is_not_found():
    async with a_world(first_sight="not_found") as world:
        answer = await world.ask(NUMBER)
        assert [one.problem for one in answer.problems] == [Problem.NOT_FOUND]


async def test_a_revoked_and_an_expired_token_are_followed_by_a_new_login(world):
    await world.ask(NUMBER)
    world.emulator.revoke()
    assert len((await world.ask(NUMBER)).tracked) == 1
    world.host.clock.move(TOKEN_S * 1000)
    assert len((await world.ask(NUMBER)).tracked) == 1
    logins = [path for path in world.emulator.calls if "auth" in path or "refresh" in path]
    assert [path.rsplit("/", 1)[1] for path in logins] == ["auth", "auth", "refreshToken"]


async def test_a_wrong_login_stops_the_account():
    async with a_world(username=USER, password=PASSWORD) as world:
        assert await world.carrier.check() == "the login works"
        async with LoopbackHost() as other:
            settings = MeestSettings.model_validate(
                {"base_url": world.base_url, "username": USER, "password": "wrong"}
            )
            with pytest.raises(AuthenticationFailed, match="username and password"):
                await Meest("meest", settings, other).check()


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("http_429", Throttled),
        ("http_500", TemporaryFailure),
        ("half_body", TemporaryFailure),
        ("html", AnswerUnreadable),
        ("bad_number", TemporaryFailure),
    ],
)
async def test_a_fault_is_told_by_its_kind_and_over_with_the_next_call(world, fault, error):
    world.emulator.fail_next(1, fault)
    with pytest.raises(error) as caught:
        await world.ask(NUMBER)
    if fault == "http_429":
        assert caught.value.retry_after_s == 7
    assert len((await world.ask(NUMBER)).tracked) == 1


async def test_401_in_flight_costs_one_login_and_twice_stops_the_account(world):
    world.emulator.fail_next(1, "http_401")
    assert len((await world.ask(NUMBER)).tracked) == 1
    world.emulator.fail_next(2, "http_401")
    with pytest.raises(AuthenticationFailed):
        await world.ask(NUMBER)


async def test_an_unknown_code_is_kept(world):
    world.emulator.fail_next(1, "unknown_code")
    (tracked,) = (await world.ask(NUMBER)).tracked
    assert (tracked.observations[-1].status, tracked.observations[-1].raw_code) == (Status.UNKNOWN, "99991")


async def test_a_late_answer_is_an_answer_and_a_hanging_one_a_failure():
    async with a_world(timeout_s=1.0, hang_s=2, delay_s=0.05) as world:
        world.emulator.fail_next(1, "delay")
        assert len((await world.ask(NUMBER)).tracked) == 1
        world.emulator.fail_next(1, "timeout")
        with pytest.raises(TemporaryFailure):
            await world.ask(NUMBER)


async def test_every_answer_says_that_it_is_emulated(world):
    async with httpx.AsyncClient() as client:
        for answer in (
            await client.post(f"{world.base_url}/auth", json={}),
            await client.get(f"{world.base_url}/tracking/{NUMBER}"),
            await client.get(f"{world.base_url}/nothing"),
        ):
            assert answer.headers["x-emulator"] == "meest"
            assert answer.json()["info"]["messageDetails"] == "emulator:meest"


def test_every_step_of_every_route_stands_in_the_plugins_table():
    for route in MeestEmulator.routes.values():
        assert set(route) <= set(TEXTS) & set(STATUSES)
