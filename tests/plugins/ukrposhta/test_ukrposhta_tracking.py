"""Reading answers and numbers; each pitfall of the carrier has a test that names it (U1, U2, ...)."""

import csv
import json
import pickle
import re
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from hub.sdk import (
    AnswerUnreadable,
    AuthenticationFailed,
    Likeness,
    MoneyStatus,
    NumbersRejected,
    PluginError,
    Problem,
    Status,
    TemporaryFailure,
    TrackingNumber,
)
from hub.testing.host import LoopbackHost
from plugins.ukrposhta.numbers import check_digit, fits, recognise, s10_check_digit, wire_number
from plugins.ukrposhta.plugin import Ukrposhta
from plugins.ukrposhta.settings import UkrposhtaSettings
from plugins.ukrposhta.statuses import CONTAINERS, EVENTS, LIFECYCLE, TRANSFERS, status_of
from plugins.ukrposhta.tracking import observe, read_shipment, read_statuses, read_transfer, tracked, with_sum
from tests.plugins.ukrposhta.made import ECOM, NUMBER, OTHER, THIRD, TOKEN, TRACKING, answer, event, fixture


def utc(year, month, day, hour=0, minute=0, second=0):
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


def carrier(host, **keys):
    settings = {"base_url": "http://carrier.invalid", "bearer_tracking": TRACKING} | keys
    return Ukrposhta("up", UkrposhtaSettings.model_validate(settings), host)


async def track(answerer, *numbers, **keys):
    async with LoopbackHost(transport=httpx.MockTransport(answerer)) as host:
        asked = [TrackingNumber(number=number) for number in numbers or (NUMBER,)]
        return await carrier(host, **keys).track(asked)


# The tables ---------------------------------------------------------------------------------------------


def test_every_code_of_the_table_is_mapped_as_the_table_says(samples):
    with (samples / "carriers" / "ukrposhta_events.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 90
    counted = {"event": 0, "lifecycle": 0, "transfer": 0, "container": 0, "rule": 0}
    for row in rows:
        code, told = row["code"], row["unified_status"]
        counted[row["kind"]] += 1
        match row["kind"]:
            case "event":
                assert EVENTS[code] == told
            case "lifecycle":
                assert LIFECYCLE[code] == told
            case "rule":
                assert status_of("41000", "10") == told
            case "transfer":
                money = {"cod_paid_out": MoneyStatus.PAID_OUT, "delivered": MoneyStatus.COLLECTED}
                assert TRANSFERS[code] == money.get(told)
            case "container":
                ends = [int(end) for end in code.split("-")]
                assert {str(one) for one in range(ends[0], ends[-1] + 1)} <= CONTAINERS
                assert status_of(str(ends[0]), "1") is Status.UNKNOWN
    assert counted["event"] == len(EVENTS)
    assert counted["lifecycle"] == len(LIFECYCLE)
    assert counted["transfer"] == len(TRANSFERS)


# U1 to U12 ----------------------------------------------------------------------------------------------


def test_u1_handed_over_to_the_sender_is_returned_and_not_delivered():
    read = read_statuses(fixture("returned_steps_out_of_order"))
    seen = observe(read.events["0500300000021"])
    assert (seen[-1].raw_code, seen[-1].status) == ("41000", Status.RETURNED)
    for to_sender in (10, "10"):
        assert observe([event("41000", eventReason_id=to_sender)])[0].status is Status.RETURNED
    for reason in (1, 2, None, ""):
        assert observe([event("41000", eventReason_id=reason)])[0].status is Status.DELIVERED


def test_u1_in_the_documentation_sample(samples):
    body = (samples / "carriers" / "fixtures" / "ukrposhta" / "statuses_with_not_found.json").read_bytes()
    read = read_statuses(body)
    assert observe(read.events["0500128254610"])[-1].status is Status.RETURNED
    assert observe(read.events["0500128254873"])[-1].status is Status.DELIVERED
    assert len(read.not_found) == 18


async def test_u2_a_number_that_no_counter_accepted_is_not_found_and_no_alarm():
    answers = await track(lambda _: httpx.Response(200, content=answer(missing=(NUMBER,))))
    assert [(one.problem, "accepted" in one.message) for one in answers.problems] == [
        (Problem.NOT_FOUND, True)
    ]
    answers = await track(
        lambda _: httpx.Response(404, json={"code": "UPE02000", "message": "Shipment not found"})
    )
    assert [one.problem for one in answers.problems] == [Problem.NOT_FOUND]


async def test_u2_ecom_knows_it_meanwhile():
    def answerer(request):
        if "/shipments/barcode/" in request.url.path:
            assert request.url.params["token"] == TOKEN
            assert request.headers["authorization"] == f"Bearer {ECOM}"
            return httpx.Response(200, content=fixture("shipment_created"))
        return httpx.Response(200, content=answer(missing=(THIRD,)))

    answers = await track(answerer, THIRD, bearer_ecom=ECOM, counterparty_token=TOKEN)
    (seen,) = answers.tracked[0].observations
    assert (seen.status, seen.raw_code, seen.clock) == (Status.CREATED, "CREATED", None)
    assert (seen.facts.money, seen.facts.cod_expected) == (MoneyStatus.EXPECTED, 125_000)


async def test_u3_only_the_calls_that_name_what_is_missing_are_made():
    paths = []

    def answerer(request):
        paths.append(request.url.path)
        return httpx.Response(200, content=answer(event(), missing=(OTHER,)))

    answers = await track(answerer, NUMBER, OTHER, THIRD)
    assert paths == [
        "/status-tracking/0.0.1/statuses/last/with-not-found",
        "/status-tracking/0.0.1/statuses/with-not-found",
    ]
    assert [one.number for one in answers.tracked] == [NUMBER]
    assert {one.number: one.problem for one in answers.problems} == {
        OTHER: Problem.NOT_FOUND,
        THIRD: Problem.NO_NEWS,
    }


@pytest.mark.parametrize("code", ["21700", 21700, " 21700 "])
@pytest.mark.parametrize("wrap", [lambda one: [one], lambda one: one])
def test_u4_an_object_or_a_list_and_the_event_as_text_or_number(code, wrap):
    body = json.dumps({"found": {NUMBER: wrap(event(code))}, "notFound": []}).encode()
    assert observe(read_statuses(body).events[NUMBER])[0].raw_code == "21700"


def test_u4_found_as_a_plain_list():
    assert list(read_statuses(fixture("found_as_a_list")).events) == [NUMBER]


def test_u5_the_date_orders_and_the_step_only_breaks_ties():
    read = read_statuses(fixture("returned_steps_out_of_order"))
    codes = [one.raw_code for one in observe(read.events["0500300000021"])]
    assert codes == ["10100", "20700", "21700", "31200", "41000"]
    tie = [event("21700", step=9), event("20800", step=8)]
    assert [one.raw_code for one in observe(tie)] == ["20800", "21700"]


def test_u5_in_the_specification_sample(samples):
    body = (samples / "carriers" / "fixtures" / "ukrposhta" / "statuses_full_history_en.json").read_bytes()
    seen = observe(json.loads(body))
    assert [one.raw_code for one in seen[:3]] == ["10100", "20700", "20800"]
    assert (seen[-1].status, seen[-1].clock) == (Status.DELIVERED, utc(2017, 7, 29, 17, 24))


def test_u6_no_key_is_shipped_and_without_one_there_is_no_account():
    with pytest.raises(ValidationError, match="bearer_tracking"):
        UkrposhtaSettings.model_validate({})
    defaults = [str(field.default) for field in UkrposhtaSettings.model_fields.values()]
    assert not [one for one in defaults if re.search(r"[0-9a-f]{8}-[0-9a-f]{4}", one)]


@pytest.mark.parametrize("status", [500, 502])
@pytest.mark.parametrize(
    "body", [b"<html>oops</html>", b"<?xml version='1.0'?><error/>", b"gateway time-out"]
)
async def test_u7_a_page_an_xml_error_or_a_gateway_is_temporary_and_is_not_repeated(status, body):
    with pytest.raises(TemporaryFailure) as caught:
        await track(lambda _: httpx.Response(status, content=body))
    assert body.decode() not in str(caught.value)


@pytest.mark.parametrize("body", [b"<html>oops</html>", b"<?xml version='1.0'?><error/>", b"[]", b'{"a": 1}'])
async def test_u7_the_same_with_http_200_is_unreadable(body):
    with pytest.raises(AnswerUnreadable):
        await track(lambda _: httpx.Response(200, content=body))


@pytest.mark.parametrize(
    ("typed", "likeness", "number", "warned"),
    [
        (NUMBER, Likeness.SURE, NUMBER, False),
        ("0500 3000 00013", Likeness.SURE, NUMBER, False),
        ("500300000013", Likeness.PERHAPS, NUMBER, True),
        ("500300000014", Likeness.NO, "", True),
        ("0500300000014", Likeness.PERHAPS, "0500300000014", True),
        ("RA067022855UA", Likeness.SURE, "RA067022855UA", False),
        ("ra 067022855 ua", Likeness.SURE, "RA067022855UA", False),
        ("RA067022856UA", Likeness.PERHAPS, "RA067022856UA", True),
        ("RR739685186PL", Likeness.PERHAPS, "RR739685186PL", False),
        ("CV999000001UA", Likeness.PERHAPS, "CV999000001UA", False),
        ("20450000000001", Likeness.NO, "", False),
        ("٠٥٠٠٣٠٠٠٠٠٠١٣", Likeness.NO, "", False),
        ("", Likeness.NO, "", False),
    ],
)
def test_u8_a_lost_zero_comes_back_where_the_check_digit_then_fits(typed, likeness, number, warned):
    seen = recognise(typed)
    assert (seen.likeness, seen.number, bool(seen.warning)) == (likeness, number, warned)


def test_u8_the_check_digits_fit_the_numbers_that_were_seen():
    for number in ("0500100031143", "0500128254873", "0500128254610", "0000000708577", "0500401039140"):
        assert check_digit(number[:12]) == int(number[12])
    assert not fits("0500000000001")
    for number in ("RA067022855UA", "RA067022878UA", "RA067022881UA", "RR739685186PL"):
        assert s10_check_digit(number[2:10]) == int(number[10])


def test_u8_a_wrong_check_digit_rejects_nothing():
    assert wire_number("0500000000001") == "0500000000001"
    assert wire_number("500300000013") == NUMBER
    assert wire_number("500300000014") is None


@pytest.mark.parametrize(
    ("path", "named"),
    [("/status-tracking/", "bearer_tracking"), ("/ecom/", "bearer_ecom or counterparty_token")],
)
async def test_u9_a_refused_secret_is_named(path, named):
    def answerer(request):
        if path in request.url.path:
            return httpx.Response(401, json={"code": "UPE05001", "message": f"Unauthorized {TRACKING}"})
        return httpx.Response(200, content=answer(missing=(NUMBER,)))

    with pytest.raises(AuthenticationFailed, match=named) as caught:
        await track(answerer, bearer_ecom=ECOM, counterparty_token=TOKEN)
    assert TRACKING not in str(caught.value)


async def test_u9_the_check_tries_each_secret():
    calls = []

    def answerer(request):
        calls.append((request.url.path, request.headers["authorization"], request.url.params.get("token")))
        return httpx.Response(404, json={"code": "UPE02000", "message": "Shipment not found"})

    async with LoopbackHost(transport=httpx.MockTransport(answerer)) as host:
        assert "not told" in await carrier(host).check()
        said = await carrier(host, bearer_ecom=ECOM, counterparty_token=TOKEN).check()
    assert "bearer_ecom" in said
    assert {bearer for _, bearer, _ in calls} == {f"Bearer {TRACKING}", f"Bearer {ECOM}"}
    assert [token for path, _, token in calls if "ecom" not in path] == [None, None]


def test_u10_the_classifier_is_not_asked():
    # Its one-hit answers are objects instead of lists; whoever adds the directories has to read both.
    assert not carrier(LoopbackHost()).capabilities.has_directories


def test_u11_sums_are_hryvnias():
    facts = read_transfer(fixture("transfer_paid_out"))
    assert facts is not None
    assert (facts.money, facts.cod_paid_out, facts.cod_expected) == (MoneyStatus.PAID_OUT, 52_750, None)
    shipment = read_shipment(THIRD, fixture("shipment_created"))
    assert shipment is not None
    assert shipment.observations[0].facts.cod_expected == 125_000


def test_u12_a_foreign_leg_keeps_its_country_and_import_is_no_delivery():
    (seen,) = observe([event("24500", index="", name="", country="Польща")])
    assert (seen.status, seen.place) == (Status.IN_TRANSIT, "Польща")


# Money --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "money", "collected", "paid_out"),
    [
        ("OP", MoneyStatus.PAID_OUT, 52_750, 52_750),
        ("DO", MoneyStatus.COLLECTED, 52_750, None),
        ("OD", MoneyStatus.COLLECTED, 52_750, None),
        ("ZR", None, None, None),
        ("??", None, None, None),
    ],
)
def test_the_codes_of_a_transfer(code, money, collected, paid_out):
    facts = read_transfer(json.dumps({"lastStatus": code, "sum": "527.50"}).encode())
    assert facts is not None
    assert (facts.money, facts.cod_collected, facts.cod_paid_out) == (money, collected, paid_out)
    assert facts.cod_expected is None, "what was expected the shipment tells"


def test_the_name_of_the_payee_is_not_kept():
    assert "Одержувач" not in repr(read_transfer(fixture("transfer_paid_out")))


async def test_the_sum_of_each_parcel_is_asked_for_once_one_a_round():
    asked = []

    def answerer(request):
        if "/ecom/" in request.url.path:
            asked.append(request.url.path.split("/")[-1])
            return httpx.Response(200, content=fixture("shipment_created"))
        return httpx.Response(200, content=answer(*(event("21700", number) for number in (NUMBER, OTHER))))

    expected = []
    async with LoopbackHost(transport=httpx.MockTransport(answerer)) as host:
        account = carrier(host, bearer_ecom=ECOM, counterparty_token=TOKEN)
        for _ in range(4):
            answers = await account.track([TrackingNumber(number=number) for number in (NUMBER, OTHER)])
            expected.append([one.observations[-1].facts.cod_expected for one in answers.tracked])
            assert answers.tracked[0].observations[-1].status is Status.ARRIVED
    assert asked == [NUMBER, OTHER]
    assert expected == [[125_000, None], [None, 125_000], [None, None], [None, None]]


@pytest.mark.parametrize(
    ("code", "sum_told", "money"),
    [
        ("20700", 1250, MoneyStatus.EXPECTED),
        ("20700", 0, MoneyStatus.NONE),
        ("20700", None, None),
        ("31200", 1250, MoneyStatus.NOT_COLLECTED),
        ("41000", 1250, None),
    ],
)
def test_what_a_sum_says_of_the_money(code, sum_told, money):
    body = json.dumps({"lifecycle": {"status": "REGISTERED"}, "postPay": sum_told}).encode()
    shipment = read_shipment(NUMBER, body)
    assert shipment is not None
    told = with_sum(tracked(NUMBER, [event(code)]), shipment).observations[-1].facts
    assert (told.money, told.cod_expected) == (money, None if sum_told is None else sum_told * 100)


async def test_at_most_five_extra_calls_and_those_not_asked_for_longest_first():
    numbers = [f"05003000{n:04d}" for n in range(12)]
    numbers = [f"{n}{check_digit(n)}" for n in numbers]
    asked = []

    def answerer(request):
        if "/ecom/" in request.url.path:
            asked.append(request.url.path.split("/")[-2])
            return httpx.Response(404, json={"code": "UPE02000"})
        return httpx.Response(200, content=answer(*(event("41000", number) for number in numbers)))

    async with LoopbackHost(transport=httpx.MockTransport(answerer)) as host:
        account = carrier(host, bearer_ecom=ECOM, counterparty_token=TOKEN)
        assert account.capabilities.calls_per_minute == 60 // 8
        for _ in range(3):
            await account.track([TrackingNumber(number=number) for number in numbers])
    assert asked == [*numbers, *numbers[:3]]


async def test_a_hundred_numbers_are_three_calls_and_then_one():
    numbers = [f"{n}{check_digit(n)}" for n in (f"05003000{n:04d}" for n in range(100))]
    sizes = []

    def answerer(request):
        asked = json.loads(request.content)
        sizes.append(len(asked))
        return httpx.Response(200, content=answer(*(event("20700", number) for number in asked)))

    async with LoopbackHost(transport=httpx.MockTransport(answerer)) as host:
        account = carrier(host)
        for _ in range(2):
            answers = await account.track([TrackingNumber(number=number) for number in numbers])
            assert len(answers.tracked) == 100
    assert sizes == [100, 50, 50, 100]


async def test_a_refused_batch_is_left_to_halving():
    with pytest.raises(NumbersRejected) as caught:
        await track(lambda _: httpx.Response(400, json={"code": "UPE02001", "message": "x"}), NUMBER, OTHER)
    assert caught.value.numbers == ()


async def test_one_number_written_twice_is_asked_once():
    def answerer(request):
        assert json.loads(request.content) == [NUMBER]
        return httpx.Response(200, content=answer(event()))

    answers = await track(answerer, NUMBER, "0500 3000 00013", "500300000013")
    assert [one.number for one in answers.tracked] == [NUMBER, "0500 3000 00013", "500300000013"]


# Any bytes give an answer or an error of the contract ---------------------------------------------------

ODD: Any = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=30),
        st.sampled_from(["", "0", "1e999999", "0001-01-01T00:00:00", "2026-03-04T11:32:17", NUMBER, "-1"]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
EVENTS_OF_ANY_TYPE = st.fixed_dictionaries(
    {"event": st.sampled_from(["41000", 20700]) | ODD},
    optional=dict.fromkeys(
        ("barcode", "step", "date", "index", "name", "eventName", "country", "eventReason_id"), ODD
    ),
)


def read_anything(body):
    for read in (read_statuses, read_transfer, lambda one: read_shipment(NUMBER, one)):
        try:
            told = read(body)
        except PluginError:
            continue
        assert pickle.loads(pickle.dumps(told)) == told
    try:
        events = read_statuses(body).events
    except PluginError:
        return
    for of_one in events.values():
        for seen in observe(of_one):
            assert seen.raw_code
            repr(seen).encode()  # no half surrogate reaches the hub


@given(st.binary(max_size=300))
@example(b'{"found": {"1": [{"event": "41000"}]}, "notFound": [1, null]}')
def test_any_bytes_are_read_or_refused(body):
    read_anything(body)


@given(st.fixed_dictionaries({"found": st.dictionaries(st.text(max_size=14), EVENTS_OF_ANY_TYPE | ODD) | ODD},
                             optional={"notFound": ODD, "lifecycle": ODD, "postPay": ODD, "lastStatus": ODD,
                                       "sum": ODD}))  # fmt: skip
def test_any_types_in_the_fields_are_read_or_refused(told):
    read_anything(json.dumps(told).encode())


@given(st.text())
def test_what_is_recognised_can_be_asked(text):
    seen = recognise(text)
    assert (seen.likeness is Likeness.NO) == (seen.number == "")
    if seen.number:
        assert wire_number(text) == wire_number(seen.number) == seen.number
