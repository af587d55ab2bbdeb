"""Each method of a plugin broken in each way: contained, recorded, switched off by the rule, and back."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from hub.accounts import guard, loopwatch
from hub.accounts.guard import LIMIT_S, PluginMisbehaved, called, guarded_now, in_the_loop
from hub.accounts.guarded import Conduct, GuardedCarrier, GuardedChannel, Misbehaved, SwitchedOff
from hub.sdk import (
    Carrier,
    Changes,
    Channel,
    Facts,
    Fetched,
    Later,
    Likeness,
    Observation,
    Outgoing,
    OutgoingKind,
    Pulled,
    PulledDelivery,
    Recognition,
    Sender,
    Sent,
    Status,
    Throttled,
    TrackAnswer,
    Tracked,
    TrackingNumber,
    Uncertain,
)
from hub.sdk.soundness import Nonsense, check_sound

AT = datetime(2026, 3, 5, 8, 40, tzinfo=UTC)
MESSAGE = Outgoing(id="1", kind=OutgoingKind.REPLY, to=Sender(channel_id="1"), text="hello")
NUMBERS = [TrackingNumber(number="1")]
CARRIER_CALLS = {
    "track": lambda one: one.track(NUMBERS),
    "changes": lambda one: one.changes(AT, AT, ""),
    "documents": lambda one: one.documents(AT, ""),
    "transfers": lambda one: one.transfers(AT, ""),
    "notices": lambda one: one.notices(),
    "check": lambda one: one.check(),
    "close": lambda one: one.close(),
}
CHANNEL_CALLS = {
    "pull": lambda one: one.pull("", 1.0),
    "taken": lambda one: one.taken([]),
    "rescan": lambda one: one.rescan(AT, ""),
    "send": lambda one: one.send(MESSAGE),
    "fetch": lambda one: one.fetch("x", 1),
    "open_webhook": lambda one: one.open_webhook("https://x/"),
    "close_webhook": lambda one: one.close_webhook(),
    "check": lambda one: one.check(),
    "close": lambda one: one.close(),
}
CALLS: list[tuple[Any, str, Any]] = [(GuardedCarrier, name, call) for name, call in CARRIER_CALLS.items()]
CALLS += [(GuardedChannel, name, call) for name, call in CHANNEL_CALLS.items()]
IDS = [f"{kind.__name__}.{name}" for kind, name, _ in CALLS]


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    for method in LIMIT_S:
        monkeypatch.setitem(LIMIT_S, method, 0.3)
    monkeypatch.setattr(loopwatch, "HELD_S", 0.1)
    monkeypatch.setattr(guard, "HELD_S", {"answer": 0.1})


async def hangs(*_):
    await asyncio.sleep(60)


async def raises(*_):
    raise KeyError("words of a customer")


async def exits(*_):
    raise SystemExit(3)


async def spins(*_):
    while True:
        try:
            sum(range(50))
        except Exception:  # noqa: BLE001 - the very carelessness that is tried
            continue


async def spins_after_a_while(*_):
    await asyncio.sleep(0.01)
    await spins()


async def sleeps(*_):
    time.sleep(30)  # noqa: ASYNC251 - the mistake that is tried


async def nothing_of_the_kind(*_):
    return object()


def is_not_asynchronous(*_):
    return 5


WAYS = {
    "hung": hangs,
    "raised": raises,
    "raised SystemExit": exits,
    "held": spins,
    "held later": spins_after_a_while,
    "held in a sleep": sleeps,
    "nonsense": nothing_of_the_kind,
    "nonsense at once": is_not_asynchronous,
}


class Plain:
    """Attributes that the guard copies; methods are put in by the tests."""

    capabilities = limits = None
    verify = parse = answer = page = refusal = staticmethod(lambda *_: None)


def broken(kind, method, way, conduct=None):
    inner = Plain()
    setattr(inner, method, way)
    return kind(inner, conduct or Conduct("account"))


@pytest.mark.parametrize("way", ["raised", "nonsense", "nonsense at once"])
@pytest.mark.parametrize(("kind", "method", "call"), CALLS, ids=IDS)
async def test_every_method_is_guarded(kind, method, call, way):
    said = await outcome(call(broken(kind, method, WAYS[way])))
    assert "customer" not in said
    assert ("KeyError" if way == "raised" else f"nonsense from {method}") in said


async def outcome(waiting):
    """The error's message; of `send` the reason why nobody knows; of `ask` what was recorded."""
    try:
        result = await waiting
    except Misbehaved as error:
        return error.message
    assert isinstance(result, Uncertain)
    return result.reason


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", ["track", "send"])
async def test_each_way_to_misbehave_is_contained_in_time(method, way):
    kind = GuardedCarrier if method == "track" else GuardedChannel
    call = (CARRIER_CALLS | CHANNEL_CALLS)[method]
    began = time.monotonic()
    assert await outcome(call(broken(kind, method, WAYS[way])))
    assert time.monotonic() - began < 5


def test_every_asynchronous_method_of_the_contract_has_a_guard_and_a_limit():
    for kind, guarded_kind, calls in (
        (Carrier, GuardedCarrier, CARRIER_CALLS),
        (Channel, GuardedChannel, CHANNEL_CALLS),
    ):
        methods = {name for name, one in vars(kind).items() if asyncio.iscoroutinefunction(one)} - {"ask"}
        assert methods == set(calls)
        assert methods <= vars(guarded_kind).keys()
        assert methods <= LIMIT_S.keys()
    assert {"page", "answer", "looks_like", "create"} <= LIMIT_S.keys()


@pytest.mark.parametrize("way", [raises, spins, hangs, nothing_of_the_kind])
async def test_a_plugin_that_misbehaves_when_it_asks_was_told_nothing(way):
    conduct = Conduct("account")
    assert await broken(GuardedChannel, "ask", way, conduct).ask(None) == ""
    assert conduct._rows["ask"].count == 1


async def test_a_good_call_gives_its_value_and_errors_of_the_contract_pass():
    async def track(numbers: Sequence[TrackingNumber]) -> TrackAnswer:
        return TrackAnswer()

    async def slow_down(numbers):
        raise Throttled(retry_after_s=7)

    async def gives_up(numbers):
        async with asyncio.timeout(0.01):
            await asyncio.sleep(5)

    assert await broken(GuardedCarrier, "track", track).track(NUMBERS) == TrackAnswer()
    conduct = Conduct("account")
    with pytest.raises(Throttled):
        await broken(GuardedCarrier, "track", slow_down, conduct).track(NUMBERS)
    with pytest.raises(Exception, match="the other side does not answer") as caught:
        await broken(GuardedCarrier, "track", gives_up, conduct).track(NUMBERS)
    assert not isinstance(caught.value, Misbehaved)
    assert conduct._rows == {}


async def test_a_cancelled_call_is_cancelled_inside_too():
    ended = []

    async def waits():
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    calling = asyncio.ensure_future(called("close", waits, type(None)))
    await asyncio.sleep(0.01)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert ended == [True]


async def test_the_loop_goes_on_when_a_plugin_was_thrown_out_of_it():
    turns = 0

    async def count():
        nonlocal turns
        while True:
            await asyncio.sleep(0.005)
            turns += 1

    counting = asyncio.ensure_future(count())
    for _ in range(3):
        with pytest.raises(PluginMisbehaved):
            await called("check", spins, str)
    before = turns
    await asyncio.sleep(0.1)
    assert turns > before + 3
    counting.cancel()


async def test_an_answer_that_spins_or_sleeps_is_thrown_out():
    assert in_the_loop("answer", lambda a, b: a + b, 1, 2) == 3
    for call in (lambda: time.sleep(20), lambda: [None for _ in iter(int, 1)]):
        began = time.monotonic()
        with pytest.raises(PluginMisbehaved) as caught:
            in_the_loop("answer", call)
        assert caught.value.how == "held"
        assert time.monotonic() - began < 3


class ByHand:
    def __init__(self):
        self.at = 0.0

    def __call__(self):
        return self.at


async def try_three_times(carrier):
    for _ in range(3):
        with pytest.raises(Misbehaved):
            await carrier.check()


async def test_three_hung_calls_in_a_row_switch_the_account_off_and_the_plugin_is_not_called_any_more():
    calls = []

    async def hang():
        calls.append(1)
        await asyncio.sleep(60)

    conduct = Conduct("account")
    carrier = broken(GuardedCarrier, "check", hang, conduct)
    await try_three_times(carrier)
    assert "3 times in a row" in str(conduct.off)
    with pytest.raises(SwitchedOff) as refused:
        await carrier.check()
    assert refused.value.retry_after_s == 60
    assert len(calls) == 3
    assert carrier.looks_like("1") == Recognition(likeness=Likeness.NO)


async def test_a_good_call_between_counts_anew():
    turns = iter([hangs, hangs, None, hangs, hangs])

    async def check():
        way = next(turns)
        if way is not None:
            await way()
        return "well"

    conduct = Conduct("account")
    carrier = broken(GuardedCarrier, "check", check, conduct)
    for _ in range(5):
        try:
            await carrier.check()
        except Misbehaved:
            continue
    assert conduct.off is None


async def test_a_bug_switches_the_account_off_only_when_it_lasts():
    clock = ByHand()
    conduct = Conduct("account", clock)
    carrier = broken(GuardedCarrier, "check", raises, conduct)
    for _ in range(10):
        with pytest.raises(Misbehaved):
            await carrier.check()
    assert conduct.off is None
    clock.at = 61.0
    with pytest.raises(Misbehaved):
        await carrier.check()
    assert "KeyError" in str(conduct.off)


async def test_a_channel_that_is_off_sends_nothing_and_says_so():
    conduct = Conduct("account", off="its plugin hangs")
    channel = broken(GuardedChannel, "send", raises, conduct)
    assert await channel.send(MESSAGE) == Later(60.0)


async def test_closing_goes_on_while_the_account_is_off():
    closed = []

    async def close():
        closed.append(True)

    await broken(GuardedChannel, "close", close, Conduct("account", off="x")).close()
    assert closed == [True]


@pytest.mark.parametrize(
    "way", [lambda _: time.sleep(5), lambda _: 1 / 0, lambda _: 5, lambda _: [0 for _ in iter(int, 1)]]
)
def test_a_number_that_a_broken_plugin_looks_at_is_not_its_own(way):
    carrier = broken(GuardedCarrier, "looks_like", way)
    began = time.monotonic()
    assert carrier.looks_like("1").likeness is Likeness.NO
    assert time.monotonic() - began < 3


def test_what_create_may_raise_passes_and_the_rest_is_the_plugin_s_own_matter():
    with pytest.raises(Throttled):
        guarded_now("create", lambda: (_ for _ in ()).throw(Throttled()), object)
    with pytest.raises(PluginMisbehaved) as caught:
        guarded_now("create", lambda: exec("import sys; sys.exit(1)"), object)
    assert caught.value.message == "its plugin raised SystemExit"


GOOD = Observation(status=Status.ARRIVED, raw_code="7", clock=AT, facts=Facts(cod_expected=100))


def tracked(**changes):
    fields = {name: getattr(GOOD, name) for name in Observation.__dataclass_fields__} | changes
    return TrackAnswer(tracked=(Tracked(number="1", observations=(Observation(**fields),)),))


def pulled(headers):
    return Pulled(deliveries=(PulledDelivery(body=b"", position="", headers=headers),))


@dataclass(frozen=True)
class Impostor:
    number: str = "1"


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (tracked(raw_code=7), "int in Observation.raw_code"),
        (tracked(status="arrived"), "str in Observation.status"),
        (tracked(clock=datetime(2026, 1, 1)), "a time without a zone in Observation.clock"),  # noqa: DTZ001
        (tracked(place=lambda: "unpicklable"), "function in Observation.place"),
        (tracked(facts=Facts(cod_expected=1.5)), "float in Facts.cod_expected"),  # type: ignore[arg-type]
        (tracked(facts=Facts(cod_expected=True)), "bool in Facts.cod_expected"),
        (TrackAnswer(tracked=[]), "list in TrackAnswer.tracked"),  # type: ignore[arg-type]
        (TrackAnswer(tracked=(Impostor(),)), "Impostor in TrackAnswer.tracked"),  # type: ignore[arg-type]
        (Fetched(body="text"), "str in Fetched.body"),  # type: ignore[arg-type]
        (pulled({"a": 1}), "int in PulledDelivery.headers"),
        (pulled(5), "int in PulledDelivery.headers"),
        (Changes(until=5), "int in Changes.until"),  # type: ignore[arg-type]
        (Sent(provider_id=None), "NoneType in Sent.provider_id"),  # type: ignore[arg-type]
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)  # fmt: skip
def test_nonsense_is_found_down_to_the_last_field_and_its_place_is_named(value, place):
    with pytest.raises(Nonsense) as caught:
        check_sound(value)
    assert str(caught.value) == place


def test_good_values_are_sound():
    for value in (
        tracked(),
        tracked(clock=None),
        Later(7),
        Later(7.5),
        Pulled(),
        Changes(until=AT),
        "text",
        None,
    ):
        check_sound(value)


def test_every_value_that_the_contract_returns_can_be_checked():
    """A new field of a kind that the check does not know would be an error at the first call."""
    from hub import sdk
    from hub.sdk.soundness import check_of

    for name in ("TrackAnswer", "Changes", "Documents", "Transfers", "Recognition", "Pulled", "Fetched", "Sent",
                 "Refused", "Later", "Uncertain", "HttpAnswer", "Parsed", "Verified"):  # fmt: skip
        check_of(getattr(sdk, name))
