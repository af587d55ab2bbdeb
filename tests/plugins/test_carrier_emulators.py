"""Faults on command, the same for every carrier, and what each plugin makes of them."""

from datetime import timedelta

import httpx
import pytest

from hub.kernel.clock import moment
from hub.sdk import AuthenticationFailed, PluginError, Problem, Status, TemporaryFailure, Throttled
from hub.testing.emulators.carrier_server import FAULTS, UNKNOWN_CODE, malformed
from tests.plugins.carriers import KINDS, scene

each = pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
LISTS = ("changes", "documents", "transfers")


def lists_of(kind):
    """The list calls that this carrier has."""

    def able(one, name):
        return getattr(one.carrier.capabilities, f"lists_{name}")

    async def call(one, name):
        now = moment(one.host.clock.now())
        if name == "changes":
            return await one.carrier.changes(now - timedelta(hours=2), now, "")
        return await getattr(one.carrier, name)(now - timedelta(days=1), "")

    return able, call


def entries(answer):
    return sorted(entry.number for entry in (*answer.tracked, *answer.problems))


@each
async def test_the_carrier_is_down_and_up_again(kind):
    async with scene(kind) as one:
        one.emulator.is_down = True
        for _ in range(3):
            with pytest.raises(TemporaryFailure):
                await one.ask()
        one.emulator.is_down = False
        assert (await one.ask()).tracked


@each
async def test_a_key_revoked_in_flight_stops_the_account_until_it_is_good_again(kind):
    async with scene(kind) as one:
        assert (await one.ask()).tracked
        one.emulator.key_revoked = True
        for _ in range(2):
            with pytest.raises(AuthenticationFailed):
                await one.ask()
        with pytest.raises(AuthenticationFailed):
            await one.carrier.check()
        one.emulator.key_revoked = False
        assert (await one.ask()).tracked


@each
async def test_too_many_requests_says_for_how_long(kind):
    async with scene(kind) as one:
        await one.ask()  # where there is a login, it is over
        one.emulator.fail_next(1, "http_429")
        with pytest.raises(Throttled) as caught:
            await one.ask()
        assert caught.value.retry_after_s == 7


@each
async def test_half_of_a_batch_missing_is_no_news_and_no_harm(kind):
    async with scene(kind) as one:
        await one.ask()
        one.emulator.fail_next(1, "drop_numbers")
        answer = await one.ask()
        asked = kind.numbers[: one.carrier.capabilities.batch_size]
        assert entries(answer) == sorted(asked)
        assert {entry.problem for entry in answer.problems} <= {Problem.NO_NEWS, Problem.NOT_FOUND}
        assert len(answer.problems) == (len(asked) + 1) // 2


@each
async def test_an_unknown_code_is_kept_and_not_guessed(kind):
    async with scene(kind) as one:
        one.emulator.fail_next(3, "unknown_code")
        seen = await one.newest(kind.numbers[0])
        assert (seen.status, seen.raw_code) == (Status.UNKNOWN, UNKNOWN_CODE)


@each
async def test_malformed_values_cost_an_answer_at_worst_and_never_another_parcel(kind):
    async with scene(kind) as one:
        one.step(2)
        good = {entry.number: entry for entry in (await one.ask()).tracked}
        told = 0
        for _ in range(20):
            one.emulator.fail_next(1, "malformed")
            try:
                answer = await one.ask()
            except PluginError:
                continue
            assert entries(answer) == sorted(kind.numbers[: one.carrier.capabilities.batch_size])
            told += len(answer.tracked)
        assert told > 0
        one.emulator._faults.clear()
        assert {entry.number: entry for entry in (await one.ask()).tracked}.keys() == good.keys()


@each
async def test_a_number_given_out_again_begins_anew(kind):
    async with scene(kind) as one:
        number = kind.numbers[0]
        one.step(30)
        before = await one.newest(number)
        assert before.status is Status.DELIVERED
        one.step(24 * 30)
        one.emulator.give_out_again(number)
        one.step(kind.shown_from)
        after = await one.newest(number)
        assert after.status in {Status.CREATED, Status.ACCEPTED}
        assert after.clock is None or before.clock is None or after.clock > before.clock
        with pytest.raises(ValueError, match="never given out"):
            one.emulator.give_out_again("nobody's")


@each
async def test_a_share_of_calls_fails_and_the_same_ones_each_time(kind):
    failed = []
    for _ in range(2):
        async with scene(kind) as one:
            await one.ask()
            one.emulator.chance = {"http_500": 0.3}
            outcome = []
            for _ in range(12):
                try:
                    await one.ask()
                except TemporaryFailure:
                    outcome.append(True)
                else:
                    outcome.append(False)
            failed.append(outcome)
    assert failed[0] == failed[1]
    assert 0 < sum(failed[0]) < 12


@each
@pytest.mark.parametrize("name", LISTS)
async def test_the_lists_fail_alike(kind, name):
    able, call = lists_of(kind)
    async with scene(kind) as one:
        if not able(one, name):
            with pytest.raises(PluginError):
                await call(one, name)
            return
        one.emulator.add_parcel(kind.numbers[0], 125_000)
        one.step(7)
        assert await call(one, name)
        for fault, error in (("http_429", Throttled), ("down", TemporaryFailure), ("html", PluginError)):
            one.emulator.fail_next(1, fault)
            with pytest.raises(error):
                await call(one, name)
        for _ in range(15):
            one.emulator.fail_next(1, "malformed")
            try:
                await call(one, name)
            except PluginError:
                continue
        one.emulator.key_revoked = True
        with pytest.raises(AuthenticationFailed):
            await call(one, name)
        one.emulator.key_revoked = False
        assert await call(one, name)


@each
async def test_every_answer_says_that_it_is_emulated(kind):
    async with scene(kind) as one, httpx.AsyncClient() as client:
        for fault in (None, "http_401", "http_429", "http_500", "html", "malformed"):
            if fault:
                one.emulator.fail_next(1, fault)
            answer = await client.get(one.base_url)
            assert answer.headers["x-emulator"] == kind.name


@each
def test_every_carrier_knows_every_fault(kind):
    emulator = kind.emulator(clock=None)
    for fault in (*FAULTS, *emulator.own_faults):
        emulator.fail_next(1, fault)
    with pytest.raises(ValueError, match="there are http_401"):
        emulator.fail_next(1, "nonsense")


def test_malformed_changes_one_value_and_nothing_of_the_original():
    whole = {"data": [{"Number": "1", "Code": "5"}, {"Number": "2"}], "success": True}
    spoilt = [malformed(whole, turn) for turn in range(30)]
    assert whole == {"data": [{"Number": "1", "Code": "5"}, {"Number": "2"}], "success": True}
    assert len({str(one) for one in spoilt}) > 10
    assert malformed([], 1) == []
