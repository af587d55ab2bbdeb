"""Reading waybills, the login and the emulator. The pitfalls' list has no entry for this carrier; what its facts
warn of (types that wander, Meest's number, an incomplete list of codes) is tested by name."""

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

from hub.kernel.clock import moment
from hub.sdk import (
    AnswerUnreadable,
    AuthenticationFailed,
    Likeness,
    MoneyStatus,
    PluginError,
    Problem,
    RelatedNumber,
    RelationKind,
    Status,
    TemporaryFailure,
    Throttled,
    Tracked,
    TrackingNumber,
)
from hub.testing.emulators.rozetka_delivery import TEXTS, RozetkaDeliveryEmulator
from hub.testing.host import START, LoopbackHost
from plugins.rozetka_delivery.envelope import read_envelope
from plugins.rozetka_delivery.numbers import recognise, wire_number
from plugins.rozetka_delivery.plugin import RozetkaDelivery
from plugins.rozetka_delivery.settings import RozetkaDeliverySettings
from plugins.rozetka_delivery.statuses import STATUSES
from plugins.rozetka_delivery.tracking import page_count, read_documents, read_waybill, unlisted
from tests.plugins.rozetka_delivery.made import NUMBER, OTHER, PASSWORD, PHONE, USER, fixture, listed, model


def entry(body: bytes, number: str = NUMBER) -> Any:
    return read_waybill(number, read_envelope(body).content)


def observe(code: Any = "10030", **fields: Any) -> Any:
    tracked = entry(listed(model(code, **fields)))
    assert isinstance(tracked, Tracked)
    return tracked.observations[0]


def test_every_code_of_the_table_is_mapped_as_the_table_says(samples):
    with (samples / "carriers" / "rozetka_delivery_statuses.csv").open(encoding="utf-8") as file:
        rows = {row["code"]: row["unified_status"] for row in csv.DictReader(file)}
    assert len(rows) == 6
    assert {code: status.value for code, status in STATUSES.items()} == rows


def test_the_documentation_samples_are_read(samples):
    folder = samples / "carriers" / "fixtures" / "rozetka_delivery"
    tracked = entry((folder / "create_order_ttn.json").read_bytes(), "UNK-400975992")
    assert isinstance(tracked, Tracked)
    assert tracked.observations[0].status is Status.CREATED
    assert b"380670000001" not in tracked.document
    assert unlisted(read_envelope((folder / "search_data_statuses.json").read_bytes()).content) == ()


def test_types_that_wander_are_read_alike():
    assert observe(10030).raw_code == "10030"
    assert observe(order_id="35563694").facts.order_reference == observe().facts.order_reference == "35563694"
    for zero in (0, "0.00", "0"):
        assert observe(cod_amount=zero).facts.money is MoneyStatus.NONE


def test_the_clock_is_the_statuses_own():
    assert observe().clock == datetime(2026, 3, 3, 7, tzinfo=UTC)
    assert observe(status_updated_at=None).clock is None


def test_meests_number_is_shown_and_the_return_followed():
    seen = entry(fixture("list_one_page")).observations[0]
    assert seen.raw_text == "Вийшов термін зберігання (Meest CV999000001UA)"
    assert seen.facts.related == (RelatedNumber(number="UNK-400000077", kind=RelationKind.RETURN),)
    assert (seen.status, seen.facts.money) == (Status.EXCEPTION, MoneyStatus.NOT_COLLECTED)
    assert seen.facts.cod_expected == 125_050


@pytest.mark.parametrize(
    ("code", "cod", "money"),
    [("10010", "500", MoneyStatus.EXPECTED), ("40050", 500, MoneyStatus.EXPECTED),
     ("40070", 500, MoneyStatus.EXPECTED), ("60030", 500, MoneyStatus.UNKNOWN), ("60030", 0, MoneyStatus.NONE),
     ("60030", None, None), ("99991", 500, None)],
)  # fmt: skip
def test_the_ways_of_the_money(code, cod, money):
    assert observe(code, cod_amount=cod).facts.money is money


def test_a_list_without_the_number_is_not_found():
    for body in (listed(), listed(model(number=OTHER))):
        assert entry(body).problem is Problem.NOT_FOUND


def test_documents_carry_the_marketplaces_order():
    (document,) = read_documents(read_envelope(fixture("list_one_page")).content)
    assert (document.number, document.order_reference, document.cod_expected) == (NUMBER, "35563694", 125_050)
    assert document.created_at == datetime(2026, 3, 1, 13, 44, 16, tzinfo=UTC)


@pytest.mark.parametrize("meta", [None, [], {"pageCount": "x"}, {"pageCount": 0}, {"pageCount": True}])
def test_a_list_that_tells_no_pages_has_one(meta):
    assert page_count({"models": [], "_meta": meta}) == 1
    assert page_count({"_meta": {"pageCount": "7"}}) == 7


@pytest.mark.parametrize(
    ("typed", "likeness", "number"),
    [(NUMBER, Likeness.SURE, NUMBER), (" unk 400000001", Likeness.SURE, NUMBER),
     ("UNK–400000001", Likeness.SURE, NUMBER),
     ("UNK-40000001", Likeness.NO, ""), ("20450000000001", Likeness.NO, ""), ("", Likeness.NO, "")],
)  # fmt: skip
def test_numbers_are_recognised(typed, likeness, number):
    seen = recognise(typed)
    assert (seen.likeness, seen.number) == (likeness, number)


@given(st.text())
def test_what_is_recognised_can_be_asked(text):
    seen = recognise(text)
    if seen.number:
        assert wire_number(text) == wire_number(seen.number) == seen.number


ODD: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=30) | st.sampled_from(["", "0", "1e999", "2026-03-04 11:32:17", NUMBER]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
MODELS = st.fixed_dictionaries(
    {"ttn": st.just(NUMBER) | ODD}, optional=dict.fromkeys(set(model()) - {"ttn"}, ODD)
)
CONTENTS = st.fixed_dictionaries(
    {"models": st.lists(MODELS | ODD, max_size=4) | ODD}, optional={"_meta": ODD}
)


def read_anything(body):
    for read in (lambda one: read_waybill(NUMBER, one), read_documents, unlisted, page_count):
        try:
            told = read(read_envelope(body).content)
        except PluginError:
            continue
        assert pickle.loads(pickle.dumps(told)) == told
        repr(told).encode()


@given(st.binary(max_size=300))
@example(b'{"success": true, "content": {"models": [{"ttn": "UNK-400000001", "delivery_status_id": 1}]}}')
def test_any_bytes_are_read_or_refused(body):
    read_anything(body)


@given(st.fixed_dictionaries({"success": st.booleans()}, optional={"content": CONTENTS | ODD, "errors": ODD}))
def test_any_types_in_the_fields_are_read_or_refused(told):
    read_anything(json.dumps(told).encode())


# The emulator -------------------------------------------------------------------------------------------


@asynccontextmanager
async def a_world(timeout_s=5.0, **options):
    async with LoopbackHost(timeout_s=timeout_s) as host:
        emulator = RozetkaDeliveryEmulator(host.clock, seconds_per_step=3600, **options)
        keys = {"base_url": await emulator.start(), "username": USER, "password": PASSWORD}
        carrier = RozetkaDelivery("r", RozetkaDeliverySettings.model_validate(keys), host)
        try:
            yield emulator, carrier, host.clock, keys["base_url"]
        finally:
            await emulator.stop()


async def ask(carrier, number=NUMBER):
    return await carrier.track([TrackingNumber(number=number)])


async def test_a_waybill_goes_all_the_way_and_a_revoked_token_is_renewed():
    async with a_world() as (emulator, carrier, clock, _):
        emulator.add_parcel(NUMBER, 50_000)
        codes = []
        for _ in RozetkaDeliveryEmulator.routes["delivered"]:
            (tracked,) = (await ask(carrier)).tracked
            codes.append(tracked.observations[-1].raw_code)
            clock.move(3_600_000)
            emulator.revoke()
        assert tuple(codes) == RozetkaDeliveryEmulator.routes["delivered"]
        assert emulator.calls.count("/sites") == 4


async def test_all_waybills_are_listed_page_by_page():
    async with a_world() as (emulator, carrier, _, _):
        for n in range(45):
            emulator.add_parcel(f"UNK-4000001{n:02d}", order_reference=f"8000{n:02d}")
        page, found, calls = "", [], 0
        while calls == 0 or page:
            documents = await carrier.documents(moment(START), page)
            found += [(one.number, one.order_reference) for one in documents.documents]
            page, calls = documents.next_page, calls + 1
        assert (calls, len(set(found))) == (3, 45)
        assert found[0] == ("UNK-400000100", "800000")


async def test_the_check_names_codes_that_the_table_does_not_have():
    async with a_world(username=USER, password=PASSWORD) as (emulator, carrier, _, _):
        assert "all listed statuses are known" in await carrier.check()
        emulator.statuses["77777"] = "Новий"
        assert "77777" in await carrier.check()
        emulator.password = "another"
        emulator.revoke()
        with pytest.raises(AuthenticationFailed, match="username and password"):
            await ask(carrier)


@pytest.mark.parametrize(
    ("fault", "error"),
    [("http_429", Throttled), ("http_500", TemporaryFailure), ("half_body", TemporaryFailure),
     ("html", AnswerUnreadable), ("bad_number", TemporaryFailure)],
)  # fmt: skip
async def test_a_fault_is_told_by_its_kind_and_over_with_the_next_call(fault, error):
    async with a_world() as (emulator, carrier, _, _):
        emulator.fail_next(1, fault)
        with pytest.raises(error) as caught:
            await ask(carrier)
        if fault == "http_429":
            assert caught.value.retry_after_s == 7
        assert len((await ask(carrier)).tracked) == 1


async def test_a_key_refused_twice_unknown_codes_and_hanging_answers():
    async with a_world(timeout_s=1.0, hang_s=2, delay_s=0.05) as (emulator, carrier, _, _):
        emulator.fail_next(2, "http_401")
        with pytest.raises(AuthenticationFailed):
            await ask(carrier)
        emulator.fail_next(1, "unknown_code")
        (tracked,) = (await ask(carrier)).tracked
        assert tracked.observations[0].status is Status.UNKNOWN
        emulator.fail_next(1, "drop_numbers")
        assert [one.problem for one in (await ask(carrier)).problems] == [Problem.NOT_FOUND]
        emulator.fail_next(1, "timeout")
        with pytest.raises(TemporaryFailure):
            await ask(carrier)


async def test_every_answer_says_that_it_is_emulated():
    async with a_world() as (_, _, _, base_url), httpx.AsyncClient() as client:
        for answer in (await client.post(f"{base_url}/sites", json={}), await client.get(f"{base_url}/x")):
            assert answer.headers["x-emulator"] == "rozetka_delivery"
            assert answer.json()["emulator"] == "rozetka_delivery"


def test_no_telephone_is_kept():
    assert PHONE not in repr(entry(listed(model()))) + entry(listed(model())).document.decode()


def test_every_step_of_every_route_stands_in_the_plugins_table():
    for route in RozetkaDeliveryEmulator.routes.values():
        assert set(route) <= set(TEXTS) & set(STATUSES)
