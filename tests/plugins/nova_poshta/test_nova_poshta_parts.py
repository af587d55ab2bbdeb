"""Dates, numbers, settings and the client, each alone."""

import json
import pickle
import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import respx
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from hub.kernel.clock import instant
from hub.sdk import (
    AuthenticationFailed,
    Likeness,
    PluginError,
    Problem,
    TemporaryFailure,
    TrackAnswer,
    TrackingNumber,
)
from hub.shipments.pages import page_of
from hub.testing.host import LoopbackHost
from plugins.nova_poshta.dates import KYIV, kyiv_day, kyiv_time, seconds_to_midnight
from plugins.nova_poshta.numbers import recognise, wire_number
from plugins.nova_poshta.plugin import NovaPoshta
from plugins.nova_poshta.settings import NovaPoshtaSettings
from tests.plugins.nova_poshta.made import KEY, NUMBER, OTHER, PHONE, envelope, item, read, refusal

URL = "http://carrier.test/v2.0/json/"


def utc(year, month, day, hour=0, minute=0, second=0):
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


# Dates -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-03-04 11:32:17", utc(2026, 3, 4, 9, 32, 17)),
        ("2026-07-04 11:32:17", utc(2026, 7, 4, 8, 32, 17)),
        ("04-03-2026 18:00:00", utc(2026, 3, 4, 16)),
        ("04.03.2026 11:32:17", utc(2026, 3, 4, 9, 32, 17)),
        ("15:16 08.03.2022", utc(2022, 3, 8, 13, 16)),
        ("2026-03-12", utc(2026, 3, 11, 22)),
        ("19-11-2016", utc(2016, 11, 18, 22)),
        (" 2026-03-04 11:32:17 ", utc(2026, 3, 4, 9, 32, 17)),
    ],
)
def test_n12_every_form_is_read_as_kyiv_time(text, at):
    read_at = kyiv_time(text)
    assert read_at == at
    assert read_at is not None
    assert read_at.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    ["", "0001-01-01 00:00:00", "00:00 01.01.0001", "9999-12-31", "31.02.2026 10:00:00", "25:61 08.03.2022",
     "04/03/2026", "soon", None, 20260304, True, [], "2026" * 50],
)  # fmt: skip
def test_n12_what_is_no_date_is_none(text):
    assert kyiv_time(text) is None
    assert kyiv_day(text) is None


def test_in_the_repeated_hour_the_first_one_counts():
    assert kyiv_time("2026-10-25 03:30:00") == utc(2026, 10, 25, 0, 30)
    assert kyiv_time("2026-10-25 04:00:00") == utc(2026, 10, 25, 2, 0)


def test_the_skipped_hour_has_a_moment_too():
    assert kyiv_time("2026-03-29 03:30:00") == utc(2026, 3, 29, 1, 30)


@given(st.datetimes(min_value=datetime(2000, 1, 2), max_value=datetime(2199, 12, 30)))  # noqa: DTZ001
def test_all_forms_of_one_moment_agree_with_the_zone_table(at):
    at = at.replace(microsecond=0)
    expected = at.replace(tzinfo=KYIV, fold=0).astimezone(UTC)
    for form in ("%Y-%m-%d %H:%M:%S", "%d-%m-%Y %H:%M:%S", "%d.%m.%Y %H:%M:%S"):
        assert kyiv_time(at.strftime(form)) == expected
    assert kyiv_time(at.strftime("%H:%M %d.%m.%Y")) == expected - timedelta(seconds=at.second)
    assert kyiv_day(at.strftime("%d.%m.%Y %H:%M:%S")) == at.date()


@given(st.one_of(st.text(max_size=45), st.from_regex(r"[0-9:. T+-]{8,25}", fullmatch=True)))
def test_any_text_is_a_utc_time_or_none(text):
    at = kyiv_time(text)
    assert at is None or at.utcoffset() == timedelta(0)


def test_n8_midnight_is_kyivs_and_not_the_servers():
    at = instant(utc(2026, 3, 5, 21, 59))
    assert seconds_to_midnight(at) == 60
    assert seconds_to_midnight(instant(utc(2026, 3, 28, 22))) == 23 * 3600
    assert seconds_to_midnight(instant(utc(2026, 3, 28, 23))) == 22 * 3600  # clocks go forward that night


# Numbers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "likeness", "number", "warned"),
    [
        ("20450000000001", Likeness.SURE, "20450000000001", False),
        ("59000000000001", Likeness.SURE, "59000000000001", False),
        (" 20 4500-0000‑0001 ", Likeness.SURE, "20450000000001", False),
        ("20\u00a04500\u200b00000001", Likeness.SURE, "20450000000001", False),
        ("10000000000001", Likeness.PERHAPS, "10000000000001", False),
        ("30000000000001", Likeness.PERHAPS, "30000000000001", True),
        ("204500000000010001", Likeness.SURE, "20450000000001", True),
        ("304500000000010001", Likeness.NO, "", False),
        ("204500000000011", Likeness.NO, "", True),
        ("2045000000001", Likeness.NO, "", False),
        ("102-12345678", Likeness.NO, "", True),
        ("105-12345678", Likeness.NO, "", True),
        ("SHPL0123456789", Likeness.PERHAPS, "SHPL0123456789", False),
        ("shpl0123456789", Likeness.PERHAPS, "SHPL0123456789", False),
        ("RA067022855UA", Likeness.NO, "", False),
        ("0500100031143", Likeness.NO, "", False),
        ("2045000000000O", Likeness.NO, "", False),
        ("٢٠٤٥٠٠٠٠٠٠٠٠٠١", Likeness.NO, "", False),
        ("", Likeness.NO, "", False),
    ],
)
def test_numbers_are_recognised(typed, likeness, number, warned):
    seen = recognise(typed)
    assert (seen.likeness, seen.number, bool(seen.warning)) == (likeness, number, warned)


@given(st.text())
def test_what_is_recognised_can_be_asked(text):
    seen = recognise(text)
    assert (seen.likeness is Likeness.NO) == (seen.number == "")
    if seen.number:
        assert wire_number(text) == wire_number(seen.number) == seen.number


# Any answer gives a TrackAnswer or an error of the contract --------------------------------------------

FIELDS = (
    "Status", "TrackingUpdateDate", "DateScan", "RecipientDateTime", "ActualDeliveryDate", "RedeliverySum",
    "RedeliveryNum", "AfterpaymentOnGoodsCost", "AnnouncedPrice", "DocumentCost", "LastAmountTransferGM",
    "LastCreatedOnTheBasisNumber", "LastCreatedOnTheBasisDocumentType", "LightReturnNumber",
    "DateReturnCargo", "AdjustedDate", "ScheduledDeliveryDate", "CheckWeight", "FactualWeight", "SeatsAmount",
    "CitySender",
    "CityRecipient", "WarehouseRecipient", "ServiceType", "ClientBarcode", "UndeliveryReasons",
    "UndeliveryReasonsSubtypeDescription", "DatePayedKeeping", "DateFirstDayStorage",
)  # fmt: skip
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30),
    st.sampled_from(["", "0", "1e999999", "0001-01-01 00:00:00", "2026-03-04 11:32:17", NUMBER, "NaN", "-1"]),
)  # fmt: skip
ODD = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=5,
)
ITEMS = st.fixed_dictionaries(
    {
        "Number": st.sampled_from([NUMBER, OTHER, int(NUMBER)]) | ODD,
        "StatusCode": st.sampled_from(["3", "9", 10]) | ODD,
    },
    optional=dict.fromkeys(FIELDS, ODD),
)
ENVELOPES = st.fixed_dictionaries(
    {"data": st.lists(ITEMS | ODD, max_size=4) | ODD},
    optional=dict.fromkeys(("success", "errors", "errorCodes", "warnings", "warningCodes", "info"), ODD),
)


def answered_or_refused(body):
    try:
        answer = read(body, NUMBER, OTHER, "bad")
    except PluginError:
        return
    entries = [entry.number for entry in answer.tracked] + [entry.number for entry in answer.problems]
    assert sorted(entries) == sorted([NUMBER, OTHER, "bad"])
    assert pickle.loads(pickle.dumps(answer)) == answer
    assert read(body, NUMBER, OTHER, "bad") == answer
    for tracked in answer.tracked:
        assert len(tracked.document) <= 64 * 1024
        repr(tracked).encode()  # no half surrogate reaches the hub


@given(st.binary(max_size=300))
@example(b'{"success": true, "data": [{"Number": "20450000000001", "StatusCode": "9"}]}')
@example(b'{"success": 1e400}')
def test_any_bytes_give_an_answer_or_an_error_of_the_contract(body):
    answered_or_refused(body)


@given(ENVELOPES)
def test_any_types_in_the_fields_give_an_answer_or_an_error_of_the_contract(whole):
    answered_or_refused(json.dumps(whole).encode())


@given(ITEMS)
def test_odd_fields_never_cost_the_status(fields):
    whole = {"success": True, "data": [fields | {"Number": NUMBER, "StatusCode": "9"}]}
    body = re.sub(r"-?Infinity|NaN", "0", json.dumps(whole))
    (tracked,) = read(body.encode()).tracked
    assert tracked.observations[0].raw_code == "9"


# Settings ----------------------------------------------------------------------------------------------


def test_everything_has_a_default_and_unknown_keys_are_errors():
    assert NovaPoshtaSettings().base_url == "https://api.novaposhta.ua/v2.0/json/"
    with pytest.raises(ValidationError):
        NovaPoshtaSettings.model_validate({"apikey": "x"})


def test_n28_the_key_and_the_phone_are_never_shown():
    settings = NovaPoshtaSettings.model_validate({"api_key": KEY, "phone": "067 123 45 67"})
    assert settings.phone == PHONE
    assert KEY not in repr(settings) + str(settings)
    assert PHONE not in repr(settings) + str(settings)


@pytest.mark.parametrize("wrong", [{"phone": "12"}, {"base_url": "ftp://x"}, {"cod_kind": "cash"},
                                   {"calls_per_minute": 0}])  # fmt: skip
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValidationError):
        NovaPoshtaSettings.model_validate(wrong)


# The client --------------------------------------------------------------------------------------------


def carrier(host, **keys):
    return NovaPoshta("np", NovaPoshtaSettings.model_validate({"base_url": URL, "api_key": KEY} | keys), host)


async def test_the_call_has_the_documented_four_keys():
    async with LoopbackHost() as host:
        with respx.mock() as mock:
            route = mock.post(URL).respond(content=envelope(item()))
            await carrier(host, phone=PHONE).track([TrackingNumber(number=NUMBER)])
    assert json.loads(route.calls.last.request.content) == {
        "apiKey": KEY,
        "modelName": "TrackingDocument",
        "calledMethod": "getStatusDocuments",
        "methodProperties": {"Documents": [{"DocumentNumber": NUMBER, "Phone": PHONE.removeprefix("+")}]},
    }


def test_n21_the_page_of_a_parcel_is_a_setting_because_the_carrier_moved_it_before():
    usual = NovaPoshta("np", NovaPoshtaSettings(), LoopbackHost()).capabilities.tracking_page
    assert page_of(usual, "20450000000001") == "https://novaposhta.ua/tracking/?cargo_number=20450000000001"
    moved = NovaPoshtaSettings(tracking_page="https://novaposhta.ua/elsewhere/{number}")
    assert NovaPoshta("np", moved, LoopbackHost()).capabilities.tracking_page.endswith("/elsewhere/{number}")
    none = NovaPoshta("np", NovaPoshtaSettings(tracking_page=""), LoopbackHost()).capabilities.tracking_page
    assert page_of(none, "20450000000001") == ""
    with pytest.raises(ValidationError):
        NovaPoshtaSettings(tracking_page="javascript:alert(1)")


async def test_n21_nothing_but_the_api_is_asked():
    """No page of the carrier's site is read: their addresses change, and readers of them break."""
    asked: list[str] = []

    def answer(request):
        asked.append(f"{request.method} {request.url}")
        return httpx.Response(200, content=envelope())

    async with LoopbackHost(transport=httpx.MockTransport(answer)) as host:
        one = carrier(host)
        await one.track([TrackingNumber(number=NUMBER)])
        await one.documents(datetime(2026, 3, 1, tzinfo=UTC), "")
        await one.transfers(datetime(2026, 3, 1, tzinfo=UTC), "")
        await one.check()
    assert set(asked) == {f"POST {URL}"}


async def test_n26_a_hundred_numbers_are_one_call():
    async with LoopbackHost() as host:
        numbers = [
            TrackingNumber(number=f"2045{n:010d}") for n in range(carrier(host).capabilities.batch_size)
        ]
        with respx.mock() as mock:
            route = mock.post(URL).respond(content=envelope())
            await carrier(host).track(numbers)
    assert (len(numbers), route.call_count) == (100, 1)


async def test_n27_the_key_stands_in_the_body_and_in_no_address():
    async with LoopbackHost() as host:
        with respx.mock() as mock:
            route = mock.post(URL).respond(content=envelope(item()))
            await carrier(host).track([TrackingNumber(number=NUMBER)])
            sent = route.calls.last.request
    assert KEY not in str(sent.url)
    assert KEY not in str(sent.headers)
    assert json.loads(sent.content)["apiKey"] == KEY


async def test_only_bad_numbers_make_no_call():
    async with LoopbackHost() as host:
        with respx.mock():
            answer = await carrier(host).track([TrackingNumber(number="445")])
    assert [entry.problem for entry in answer.problems] == [Problem.BAD_NUMBER]
    assert answer.tracked == ()


async def test_a_refused_phone_is_left_out_once():
    async with LoopbackHost() as host:
        with respx.mock() as mock:
            route = mock.post(URL)
            route.side_effect = [
                httpx.Response(200, content=refusal("20001401160")),
                httpx.Response(200, content=envelope(item())),
            ]
            answer = await carrier(host).track([TrackingNumber(number=NUMBER, phone=PHONE)])
    assert len(answer.tracked) == 1
    phones = [
        json.loads(call.request.content)["methodProperties"]["Documents"][0]["Phone"] for call in route.calls
    ]
    assert phones == [PHONE.removeprefix("+"), ""]


async def test_a_phone_refused_twice_is_a_temporary_failure():
    async with LoopbackHost() as host:
        with respx.mock() as mock:
            route = mock.post(URL).respond(content=refusal("20001401160"))
            with pytest.raises(TemporaryFailure):
                await carrier(host).track([TrackingNumber(number=NUMBER, phone=PHONE)])
    assert route.call_count == 2


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("body", [b"", refusal("20000201204"), b"<html>"])
async def test_http_401_and_403_are_about_the_key(status, body):
    async with LoopbackHost() as host:
        with respx.mock() as mock:
            mock.post(URL).respond(status, content=body)
            with pytest.raises(AuthenticationFailed) as caught:
                await carrier(host).track([TrackingNumber(number=NUMBER)])
    assert ("expired" in caught.value.message) is (b"20000201204" in body)


@pytest.mark.parametrize("status", [204, 302, 400, 404, 405])
async def test_other_statuses_are_temporary_unless_the_envelope_says_more(status):
    async with LoopbackHost() as host:
        with respx.mock() as mock:
            mock.post(URL).respond(status, content=b"<html>")
            with pytest.raises(TemporaryFailure, match=str(status)):
                await carrier(host).track([TrackingNumber(number=NUMBER)])
            mock.post(URL).respond(status, content=envelope(item()))
            assert isinstance(await carrier(host).track([TrackingNumber(number=NUMBER)]), TrackAnswer)


async def test_the_check_asks_for_something_that_needs_the_key():
    async with LoopbackHost() as host:
        with respx.mock() as mock:
            route = mock.post(URL).respond(content=envelope({"Ref": "x"}))
            assert await carrier(host).check() == "the key works"
            assert json.loads(route.calls.last.request.content)["calledMethod"] == "getCounterparties"
            mock.post(URL).respond(content=refusal("20000401360"))
            with pytest.raises(AuthenticationFailed):
                await carrier(host).check()


async def test_without_a_key_the_check_says_what_is_missing_and_makes_no_call():
    async with LoopbackHost() as host:
        with respx.mock():
            assert "hidden" in await carrier(host, api_key="").check()


@given(st.datetimes(), st.sampled_from([" ", "T"]))
def test_the_usual_form_says_the_same_as_the_others(at, between):
    """It has a shorter way through the code; spaces around send it the long way."""
    at = at.replace(year=1990 + at.year % 220, month=at.month, day=min(at.day, 28))
    usual = f"{at:%Y-%m-%d}{between}{at:%H:%M:%S}"
    assert kyiv_time(usual) == kyiv_time(f" {usual} ") == kyiv_time(f"{at:%d.%m.%Y %H:%M:%S}")


@pytest.mark.parametrize(
    "odd",
    [
        "2026-13-05 18:00:00",
        "2026-03-05 25:00:00",
        "2026-03-05 18:61:00",
        "2026-xx-05 18:00:00",
        "0001-01-01 00:00:00",
    ],
)
def test_what_only_looks_like_the_usual_form_is_no_date(odd):
    assert kyiv_time(odd) is None
