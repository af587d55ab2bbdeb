"""Reading receipts; each pitfall of the carrier has a test that names it (D1, D2, ...); and the emulator."""

import csv
import json
import pickle
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hub.sdk import (
    AnswerUnreadable,
    AuthenticationFailed,
    Likeness,
    MoneyStatus,
    NotTracked,
    PluginError,
    Problem,
    Status,
    TemporaryFailure,
    Throttled,
    Tracked,
    TrackingNumber,
)
from hub.testing.emulators.delivery import TEXTS, DeliveryEmulator
from hub.testing.host import LoopbackHost
from plugins.delivery.numbers import recognise, wire_number
from plugins.delivery.plugin import Delivery
from plugins.delivery.receipt import read_receipt
from plugins.delivery.settings import DeliverySettings
from plugins.delivery.statuses import STATUSES
from tests.plugins.delivery.made import NUMBER, OTHER, envelope, fixture, receipt


def observe(code: Any = 6, **fields: Any) -> Any:
    entry = read_receipt(NUMBER, envelope(receipt(code, **fields)))
    assert isinstance(entry, Tracked)
    return entry.observations[0]


def test_every_code_of_the_table_is_mapped_as_the_table_says(samples):
    with (samples / "carriers" / "delivery_statuses.csv").open(encoding="utf-8") as file:
        rows = {row["code"]: row["unified_status"] for row in csv.DictReader(file)}
    assert len(rows) == 14
    assert {code: status.value for code, status in STATUSES.items()} == rows


@pytest.mark.parametrize("code", [0, "0"])
def test_d1_status_0_is_issued(code):
    assert observe(code).status is Status.DELIVERED


def test_d1_in_the_documentation_sample(samples):
    body = (samples / "carriers/fixtures/delivery_auto/receipt_details_0_issued.json").read_bytes()
    entry = read_receipt("0830047053", body)
    assert isinstance(entry, Tracked)
    assert entry.observations[0].status is Status.DELIVERED


@pytest.mark.parametrize("code", [None, "", [], True, 7.5])
def test_d1_no_status_is_not_status_0(code):
    entry = read_receipt(NUMBER, envelope(receipt(code)))
    assert isinstance(entry, NotTracked)
    assert entry.problem is Problem.UNREADABLE


def test_d2_the_list_that_answered_404_is_not_asked():
    assert not Delivery("d", DeliverySettings(), LoopbackHost()).capabilities.has_directories


@pytest.mark.parametrize("turn", [str, str.lower, str.upper, str.title])
def test_d3_keys_are_read_in_any_case(turn):
    whole = json.loads(fixture("receipt_7_cod"))
    body = {turn(key): value for key, value in whole["data"].items()}
    entry = read_receipt(OTHER, json.dumps({turn("status"): True, turn("data"): body}).encode())
    assert isinstance(entry, Tracked)
    seen = entry.observations[0]
    assert (seen.status, seen.place) == (Status.ARRIVED, "ЛЬВІВ-1")
    assert (seen.facts.money, seen.facts.cod_expected) == (MoneyStatus.EXPECTED, 150_000)
    assert b"380600000002" not in entry.document


async def test_d4_one_number_a_call_in_a_slow_lane():
    capabilities = Delivery("d", DeliverySettings(), LoopbackHost()).capabilities
    assert (capabilities.batch_size, capabilities.calls_per_minute, capabilities.parallel_calls) == (1, 30, 1)
    assert capabilities.tracks_without_key


def test_the_facts_of_a_receipt():
    entry = read_receipt(OTHER, fixture("receipt_7_cod"))
    assert isinstance(entry, Tracked)
    seen = entry.observations[0]
    assert (seen.clock, seen.raw_text) == (None, "Доступна до видачі")
    assert seen.facts.estimated_at == datetime(2026, 3, 4, 7, tzinfo=UTC)
    assert (seen.facts.weight_g, seen.facts.seats, seen.facts.delivery_cost) == (12_000, 1, 18_000)


@pytest.mark.parametrize(
    ("code", "cod", "money"),
    [
        (8, 1500, MoneyStatus.EXPECTED), (7, "1500,00", MoneyStatus.EXPECTED), (1, 1500, MoneyStatus.EXPECTED),
        (0, 1500, MoneyStatus.UNKNOWN), (5, 1500, MoneyStatus.NOT_COLLECTED),
        (3, 1500, MoneyStatus.NOT_COLLECTED), (4, 1500, MoneyStatus.NOT_COLLECTED),
        (7, 0, MoneyStatus.NONE), (0, 0, MoneyStatus.NONE), (7, "", None), (7, None, None), (99991, 1500, None),
    ],
)  # fmt: skip
def test_the_ways_of_the_money(code, cod, money):
    assert observe(code, codCost=cod).facts.money is money


def test_a_number_that_came_as_an_integer_lost_its_zero_and_is_still_ours():
    assert isinstance(read_receipt(NUMBER, envelope(receipt(number=int(NUMBER)))), Tracked)
    other = read_receipt(NUMBER, envelope(receipt(number=OTHER)))
    assert isinstance(other, NotTracked)
    assert other.problem is Problem.NO_NEWS


@pytest.mark.parametrize(
    ("typed", "likeness", "number"),
    [(NUMBER, Likeness.PERHAPS, NUMBER), ("0830 000 001", Likeness.PERHAPS, NUMBER), ("001-0255371", Likeness.NO, ""),
     ("830000001", Likeness.NO, ""), ("٠٨٣٠٠٠٠٠٠١", Likeness.NO, ""), ("", Likeness.NO, "")],
)  # fmt: skip
def test_numbers_are_recognised(typed, likeness, number):
    seen = recognise(typed)
    assert (seen.likeness, seen.number) == (likeness, number)


@given(st.text())
def test_what_is_recognised_can_be_asked(text):
    seen = recognise(text)
    if seen.number:
        assert wire_number(text) == wire_number(seen.number) == seen.number


# Any bytes ----------------------------------------------------------------------------------------------

ODD: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=30) | st.sampled_from(["", "0", "1e999", "2026-03-04T11:32:17", NUMBER]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
RECEIPTS = st.fixed_dictionaries(
    {"Status": st.integers(0, 14) | ODD},
    optional=dict.fromkeys({*receipt(), "codCost", "codCurrency"} - {"Status"}, ODD),
)


def read_anything(body):
    try:
        entry = read_receipt(NUMBER, body)
    except PluginError:
        return
    assert entry.number == NUMBER
    assert pickle.loads(pickle.dumps(entry)) == entry
    repr(entry).encode()


@given(st.binary(max_size=300))
@example(b'{"status": true, "data": {"Status": 0}}')
def test_any_bytes_are_read_or_refused(body):
    read_anything(body)


@given(st.fixed_dictionaries({"status": st.booleans() | ODD}, optional={"data": RECEIPTS | ODD}))
def test_any_types_in_the_fields_are_read_or_refused(told):
    read_anything(json.dumps(told).encode())


# The emulator -------------------------------------------------------------------------------------------


@asynccontextmanager
async def a_world(timeout_s=5.0, **options):
    async with LoopbackHost(timeout_s=timeout_s) as host:
        emulator = DeliveryEmulator(host.clock, seconds_per_step=3600, **options)
        base_url = await emulator.start()
        try:
            yield emulator, Delivery("d", DeliverySettings(base_url=base_url), host), host.clock, base_url
        finally:
            await emulator.stop()


async def ask(carrier, number=NUMBER):
    return await carrier.track([TrackingNumber(number=number)])


async def test_a_receipt_goes_all_the_way():
    async with a_world() as (emulator, carrier, clock, _):
        emulator.add_parcel(NUMBER, cod_minor=150_000)
        seen = []
        for _ in DeliveryEmulator.routes["delivered"]:
            (tracked,) = (await ask(carrier)).tracked
            seen.append(tracked.observations[-1])
            clock.move(3_600_000)
        assert [one.raw_code for one in seen] == list(DeliveryEmulator.routes["delivered"])
        assert seen[-1].status is Status.DELIVERED
        assert "no key" in await carrier.check()


@pytest.mark.parametrize(
    ("fault", "error"),
    [("http_401", AuthenticationFailed), ("http_429", Throttled), ("http_500", TemporaryFailure),
     ("half_body", TemporaryFailure), ("html", AnswerUnreadable)],
)  # fmt: skip
async def test_a_fault_is_told_by_its_kind_and_over_with_the_next_call(fault, error):
    async with a_world() as (emulator, carrier, _, _):
        emulator.fail_next(1, fault)
        with pytest.raises(error) as caught:
            await ask(carrier)
        if fault == "http_429":
            assert caught.value.retry_after_s == 7
        assert len((await ask(carrier)).tracked) == 1


@pytest.mark.parametrize("fault", ["bad_number", "drop_numbers"])
async def test_a_receipt_that_is_not_there_is_not_found(fault):
    async with a_world() as (emulator, carrier, _, _):
        emulator.fail_next(1, fault)
        assert [one.problem for one in (await ask(carrier)).problems] == [Problem.NOT_FOUND]


async def test_unknown_codes_late_and_hanging_answers():
    async with a_world(timeout_s=1.0, hang_s=2, delay_s=0.05) as (emulator, carrier, _, _):
        emulator.fail_next(1, "unknown_code")
        (tracked,) = (await ask(carrier)).tracked
        assert tracked.observations[0].status is Status.UNKNOWN
        emulator.fail_next(1, "delay")
        assert len((await ask(carrier)).tracked) == 1
        emulator.fail_next(1, "timeout")
        with pytest.raises(TemporaryFailure):
            await ask(carrier)


async def test_every_answer_says_that_it_is_emulated():
    async with a_world() as (_, _, _, base_url), httpx.AsyncClient() as client:
        for path in (f"GetReceiptDetails?number={NUMBER}", "GetReceiptDetails?number=1", "nothing"):
            answer = await client.get(base_url + path)
            assert answer.headers["x-emulator"] == "delivery"
            assert "emulator:delivery" in answer.json()["message"]


def test_every_step_of_every_route_stands_in_the_plugins_table():
    for route in DeliveryEmulator.routes.values():
        assert set(route) <= set(TEXTS) & set(STATUSES)
