"""Reading answers, windows and the login; each pitfall of the carrier has a test that names it (M1, M2, ...)."""

import asyncio
import csv
import json
import pickle
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from hub.sdk import (
    AuthenticationFailed,
    Likeness,
    PluginError,
    Problem,
    Status,
    TemporaryFailure,
    TrackingNumber,
)
from hub.sdk.reading import told_time
from hub.testing.host import START, LoopbackHost
from plugins.meest.envelope import read_envelope
from plugins.meest.login import STORE_KEY, Login, read_login, stored
from plugins.meest.numbers import recognise, wire_number
from plugins.meest.plugin import Meest
from plugins.meest.settings import MeestSettings
from plugins.meest.statuses import STATUSES, status_of
from plugins.meest.tracking import OVERLAP, by_parcel, events_of, observe, window
from tests.plugins.meest.made import (
    BARCODE,
    LOGIN_TOKEN,
    NUMBER,
    PASSWORD,
    USER,
    error,
    event,
    fixture,
    login,
    ok,
)

KEYS = {"base_url": "http://carrier.invalid", "username": USER, "password": PASSWORD}


def utc(year, month, day, hour=0, minute=0, second=0):
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


def carrier(host):
    return Meest("meest", MeestSettings.model_validate(KEYS), host)


def scripted(tracking):
    """Answers: a good login, and `tracking(request)` for the rest."""

    def answerer(request):
        if request.url.path == "/auth":
            return httpx.Response(200, content=login())
        answer = tracking(request)
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, content=answer)

    return httpx.MockTransport(answerer)


async def track(tracking, *numbers):
    async with LoopbackHost(transport=scripted(tracking)) as host:
        return await carrier(host).track([TrackingNumber(number=one) for one in numbers or (NUMBER,)])


# The table ----------------------------------------------------------------------------------------------


def test_every_code_of_the_table_is_mapped_as_the_table_says(samples):
    with (samples / "carriers" / "meest_statuses.csv").open(encoding="utf-8") as file:
        rows = {row["code"]: row["unified_status"] for row in csv.DictReader(file)}
    assert len(rows) > 25
    assert {code: status.value for code, status in STATUSES.items()} == rows


# M1 to M6 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("empty", [[], None, "", {}])
async def test_m1_an_empty_ok_is_not_ours_or_no_event_yet(empty):
    answer = await track(lambda _: ok(empty))
    assert [one.problem for one in answer.problems] == [Problem.NOT_FOUND]
    assert "not a parcel of this contract" in answer.problems[0].message


async def test_m1_data_not_found_is_said_alike():
    answer = await track(lambda _: httpx.Response(404, content=fixture("v3_error_not_found")))
    assert [one.problem for one in answer.problems] == [Problem.NOT_FOUND]


async def test_m2_a_time_out_is_tried_again_later():
    def slow(request):
        raise httpx.ReadTimeout("scripted", request=request)

    with pytest.raises(TemporaryFailure):
        await track(slow)


def test_m3_no_waybill_is_made_so_nothing_can_name_card_and_contract_together():
    assert not carrier(LoopbackHost()).capabilities.creates_waybills


async def test_m4_the_end_of_the_token_is_kept_as_a_moment_and_renewed_early():
    calls = []

    def answerer(request):
        calls.append(request.url.path)
        if request.url.path == "/auth":
            return httpx.Response(200, content=login("first", 3600))
        if request.url.path == "/refreshToken":
            assert json.loads(request.content) == {"refreshToken": "refresh-first"}
            return httpx.Response(200, content=login("second", "3600"))
        return httpx.Response(200, content=ok([event()]))

    async with LoopbackHost(transport=httpx.MockTransport(answerer)) as host:
        one = [TrackingNumber(number=NUMBER)]
        await carrier(host).track(one)
        kept = stored(await host.store.get(STORE_KEY))
        assert kept is not None
        assert kept.ends_at == START + 3_600_000
        host.clock.move(3_299_000)  # more than five minutes before the end: still good
        await carrier(host).track(one)
        host.clock.move(2_000)
        await carrier(host).track(one)
    assert [path for path in calls if "tracking" not in path] == ["/auth", "/refreshToken"]


async def test_m4_a_refused_renewal_is_followed_by_a_login():
    def answerer(request):
        if request.url.path == "/refreshToken":
            return httpx.Response(401)
        if request.url.path == "/auth":
            return httpx.Response(200, content=login("new"))
        assert request.headers["token"] == "new"
        return httpx.Response(200, content=ok([event()]))

    async with LoopbackHost(transport=httpx.MockTransport(answerer)) as host:
        host.store._values[STORE_KEY] = Login(token="old", refresh_token="r", ends_at=START).written()
        assert len((await carrier(host).track([TrackingNumber(number=NUMBER)])).tracked) == 1


async def test_m4_one_login_at_a_time_within_a_process():
    logins = []

    async def answerer(request):
        if request.url.path == "/auth":
            logins.append(1)
            await asyncio.sleep(0)
            return httpx.Response(200, content=login())
        return httpx.Response(200, content=ok([event()]))

    async with LoopbackHost(transport=httpx.MockTransport(answerer)) as host:
        account = carrier(host)
        asked = [TrackingNumber(number=NUMBER)]
        await asyncio.gather(*(account.track(asked) for _ in range(5)))
    assert len(logins) == 1


async def test_m4_of_two_processes_the_slower_one_takes_the_quicker_ones_token():
    used: list[str] = []

    def answerer(request):
        if request.url.path == "/auth":
            # Another process writes its token while ours is under way.
            theirs = Login(token="theirs", refresh_token="", ends_at=START + 86_400_000)
            host.store._values[STORE_KEY] = theirs.written()
            return httpx.Response(200, content=login("ours"))
        used.append(request.headers["token"])
        return httpx.Response(200, content=ok([event()]))

    async with LoopbackHost(transport=httpx.MockTransport(answerer)) as host:
        await carrier(host).track([TrackingNumber(number=NUMBER)])
    assert used == ["theirs"]


async def test_m4_a_refused_login_stops_the_account():
    def answerer(_):
        return httpx.Response(200, content=error("Wrong login or password", "username"))

    async with LoopbackHost(transport=httpx.MockTransport(answerer)) as host:
        with pytest.raises(AuthenticationFailed, match="username and password"):
            await carrier(host).track([TrackingNumber(number=NUMBER)])


@pytest.mark.parametrize(
    ("told", "lasts_s"),
    [(86400, 86400), ("7200", 7200), (None, 360), (True, 360), (-5, 60), (10**12, 30 * 86400)],
)
def test_m4_any_length_of_a_token_is_bounded(told, lasts_s):
    assert read_login(read_envelope(login(lasts=told)), START).ends_at == START + lasts_s * 1000


@pytest.mark.parametrize(
    "value", [None, "", "{}", "[]", '{"token": 1}', '{"token":"a","refresh_token":"","ends_at":"x"}']
)
def test_m4_what_another_version_stored_is_no_login(value):
    assert stored(value) is None


def test_m5_spaces_inside_a_time_are_read_and_events_are_sorted():
    assert told_time("2016-06-25 15:05: 53", "Europe/Kyiv") == utc(2016, 6, 25, 12, 5, 53)
    seen = observe(
        [
            event(1622, eventDateTime="2026-03-03 15:10: 00"),
            event(606, eventDateTime="2024-03-02 10:00:00"),  # two years off, as in the real sample
            event(808, eventDateTime="02.03.2026 12:00"),
        ]
    )
    assert [one.raw_code for one in seen] == ["606", "808", "1622"]


def test_m5_events_of_one_moment_keep_their_order():
    codes = [8081, 808, 606]
    assert [one.raw_code for one in observe([event(code) for code in codes])] == [str(code) for code in codes]


def test_m5_the_real_answer_of_the_old_interface_reads_as_times(samples):
    body = (samples / "carriers" / "fixtures" / "meest" / "old_xml_tracking_items_1_to_5.xml").read_text()
    times = re.findall(r"<DateTimeAction>(.*?)</DateTimeAction>", body)
    assert len(times) == 5
    assert all(told_time(one, "Europe/Kyiv") for one in times)


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("НАДХОДЖЕННЯ НА ПІДРОЗДІЛ ДОРУЧЕННЯ", Status.ARRIVED),
        ("", Status.ARRIVED),
        ("Відправлення прибуло на сортувальний центр", Status.IN_TRANSIT),
    ],
)
def test_m6_1214_is_arrived_unless_its_words_name_a_sorting_centre(words, status):
    assert status_of("1214", words) is status


# Answers ------------------------------------------------------------------------------------------------


async def test_the_whole_history_in_utc():
    answer = await track(lambda _: fixture("v3_delivered"))
    seen = answer.tracked[0].observations
    assert [one.status for one in seen] == [Status.ACCEPTED, Status.ARRIVED, Status.DELIVERED]
    assert (seen[-1].clock, seen[-1].place) == (utc(2026, 3, 3, 13, 10), "Львів")


async def test_made_samples_are_read_too(samples):
    folder = samples / "carriers" / "fixtures" / "meest"
    answer = await track(
        lambda _: (folder / "made_v3_tracking_delivered.json").read_bytes(), "MYCV0000000001"
    )
    assert [one.status for one in answer.tracked[0].observations] == [
        Status.ACCEPTED, Status.ARRIVED, Status.DELIVERED,
    ]  # fmt: skip


async def test_another_parcels_events_are_no_news():
    answer = await track(lambda _: ok([event(number="MYCV999000002UA")]))
    assert [one.problem for one in answer.problems] == [Problem.NO_NEWS]


async def test_another_error_is_temporary_and_its_words_are_not_repeated():
    with pytest.raises(TemporaryFailure) as caught:
        await track(lambda _: httpx.Response(400, content=error(f"something about {USER}")))
    assert USER not in str(caught.value)


def test_settings_without_a_login_are_refused():
    with pytest.raises(ValidationError):
        MeestSettings.model_validate({"base_url": "http://x"})


# Changes ------------------------------------------------------------------------------------------------


def test_a_window_is_two_hours_with_an_overlap():
    since = utc(2026, 3, 3, 10)
    call = window(since, since + timedelta(minutes=5))
    assert call.path == ("trackingByPeriod", "2026-03-03 11:45:00", "2026-03-03 12:05:00")
    assert call.until == since + timedelta(minutes=5)
    call = window(since, since + timedelta(hours=6))
    assert call.path == ("trackingByPeriod", "2026-03-03 11:45:00", "2026-03-03 13:45:00")
    assert call.until == since + timedelta(minutes=105)


def test_far_behind_a_whole_day_is_one_call():
    call = window(utc(2026, 3, 1, 10), utc(2026, 3, 3, 10))
    assert call.path == ("trackingByDate", "2026-03-01")
    assert call.until == utc(2026, 3, 1, 22)


@given(
    st.integers(min_value=0, max_value=363 * 1440).map(lambda n: utc(2026, 1, 1) + timedelta(minutes=n)),
    st.timedeltas(min_value=timedelta(minutes=1), max_value=timedelta(days=4)),
)
@example(utc(2026, 10, 25, 0, 30), timedelta(hours=1))  # the clock in Kyiv goes back
@example(utc(2026, 3, 29, 0, 30), timedelta(hours=2))
def test_windows_cover_a_span_without_a_gap_and_come_to_its_end(since, length):
    until, at, calls = since + length, since, 0
    while at < until:
        call = window(at, until)
        assert at < call.until <= until
        if call.path[0] == "trackingByPeriod":
            begin, end = (datetime.fromisoformat(one) for one in call.path[1:])
            assert begin < end
            told = told_time(call.path[1], "Europe/Kyiv")
            assert told is not None
            assert told <= at
            assert call.until - at <= timedelta(hours=2) - OVERLAP
        at, calls = call.until, calls + 1
    assert calls <= 10


async def test_changes_name_a_parcel_by_both_of_its_numbers():
    asked = []

    def tracking(request):
        asked.append([unquote(part) for part in request.url.raw_path.decode().strip("/").split("/")])
        return ok(
            [event(808), event(1214, "MYCV999000002UA"), event(1622, eventDateTime="2026-03-03 15:00:00")]
        )

    since = utc(2026, 3, 3, 12)
    async with LoopbackHost(transport=scripted(tracking)) as host:
        changes = await carrier(host).changes(since, since + timedelta(minutes=10), "")
    assert asked == [["trackingByPeriod", "2026-03-03 13:45:00", "2026-03-03 14:10:00"]]
    assert (changes.next_page, changes.until) == ("", since + timedelta(minutes=10))
    by_number = {one.number: [seen.raw_code for seen in one.observations] for one in changes.tracked}
    assert by_number == {
        NUMBER: ["808", "1622"],
        BARCODE: ["808", "1622"],
        "MYCV999000002UA": ["1214"],
        "CV999000002UA": ["1214"],
    }


async def test_no_change_in_a_window_is_no_error():
    async with LoopbackHost(
        transport=scripted(lambda _: httpx.Response(404, content=error("Data not found")))
    ) as host:
        changes = await carrier(host).changes(utc(2026, 3, 3, 12), utc(2026, 3, 3, 13), "")
    assert changes.tracked == ()
    assert changes.until == utc(2026, 3, 3, 13)


# Numbers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "likeness", "number"),
    [
        (NUMBER, Likeness.SURE, NUMBER),
        (" mycv 999000001 ua", Likeness.SURE, NUMBER),
        (BARCODE, Likeness.PERHAPS, BARCODE),
        ("001-0255371", Likeness.PERHAPS, "001-0255371"),
        ("001–0255371", Likeness.PERHAPS, "001-0255371"),
        ("123456789012", Likeness.PERHAPS, "123456789012"),
        ("RA067022855UA", Likeness.NO, ""),
        ("20450000000001", Likeness.NO, ""),
    ],
)
def test_numbers_are_recognised(typed, likeness, number):
    seen = recognise(typed)
    assert (seen.likeness, seen.number) == (likeness, number)


@given(st.text())
def test_what_is_recognised_can_be_asked_and_never_leaves_its_place_in_the_address(text):
    seen = recognise(text)
    wire = wire_number(text)
    assert wire is None or re.fullmatch(r"[A-Z0-9-]+", wire)
    if seen.number:
        assert wire == wire_number(seen.number) == seen.number


# Any bytes give an answer or an error of the contract ---------------------------------------------------

ODD: Any = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=30),
        st.sampled_from(["", "0", "OK", "error", "0001-01-01 00:00:00", "2026-03-04 11:32: 17", NUMBER]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
EVENTS_OF_ANY_TYPE = st.fixed_dictionaries(
    {"eventCode": st.sampled_from(["1622", 606]) | ODD},
    optional=dict.fromkeys(
        ("parcelNumber", "barCode", "eventDateTime", "eventCityDescr", "eventCountryDescr", "eventDescr",
         "eventDetailDescr"), ODD
    ),
)  # fmt: skip


def read_anything(body):
    try:
        envelope = read_envelope(body)
        read_login(envelope, START)
    except PluginError:
        pass
    try:
        told = by_parcel(events_of(read_envelope(body).result))
    except PluginError:
        return
    assert pickle.loads(pickle.dumps(told)) == told
    for one in told:
        assert all(seen.raw_code for seen in one.observations)
        repr(one).encode()


@given(st.binary(max_size=300))
@example(b'{"status": "OK", "result": [{"eventCode": 1622}]}')
def test_any_bytes_are_read_or_refused(body):
    read_anything(body)


RESULTS = st.lists(EVENTS_OF_ANY_TYPE | ODD, max_size=4) | ODD


@given(
    st.fixed_dictionaries(
        {"status": st.sampled_from(["OK", "error"]) | ODD}, optional={"info": ODD, "result": RESULTS}
    )
)
def test_any_types_in_the_fields_are_read_or_refused(told):
    read_anything(json.dumps(told).encode())


def test_the_token_is_never_shown():
    settings = MeestSettings.model_validate(KEYS)
    assert PASSWORD not in repr(settings)
    assert USER not in repr(settings)
    assert LOGIN_TOKEN not in repr(carrier(LoopbackHost()))
