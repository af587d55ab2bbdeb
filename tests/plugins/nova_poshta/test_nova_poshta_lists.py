"""The account's lists of waybills and money transfers, and what its people are told before it fails."""

import json
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.kernel.clock import DAY, HOUR
from hub.sdk import (
    AnswerUnreadable,
    AuthenticationFailed,
    PermanentFailure,
    PluginError,
    TemporaryFailure,
    Throttled,
    TrackingNumber,
)
from hub.testing.host import START, LoopbackHost
from plugins.nova_poshta.lists import (
    Place,
    documents_question,
    read_documents,
    read_transfers,
    transfers_question,
)
from plugins.nova_poshta.plugin import NovaPoshta
from plugins.nova_poshta.settings import NovaPoshtaSettings
from tests.plugins.nova_poshta.made import KEY, NUMBER, OTHER, envelope, item, refusal

SINCE = datetime(2026, 3, 1, tzinfo=UTC)
BEGIN = Place()


def documents(*items, **keys):
    return read_documents(envelope(*items, **keys), BEGIN, now_ms=START).documents


def transfers(*items, **keys):
    return read_transfers(envelope(*items, **keys), BEGIN, now_ms=START).transfers


# Waybills ----------------------------------------------------------------------------------------------


def test_n6_days_are_kyivs_and_reach_two_weeks_ahead():
    """22:30 UTC of the 28th is the 1st of March in Kyiv, whatever the server's zone."""
    since = datetime(2026, 2, 28, 22, 30, tzinfo=UTC)
    asked = documents_question(since, BEGIN, START)
    assert (asked["DateTimeFrom"], asked["DateTimeTo"]) == ("01.03.2026", "19.03.2026")
    assert asked["Page"] == "1"


def test_n8_around_midnight_the_day_is_kyivs():
    just_after = START + (13 * 3600 + 25 * 60) * 1000  # 00:05 in Kyiv, still the day before in UTC
    assert documents_question(SINCE, BEGIN, just_after)["DateTimeTo"] == "20.03.2026"
    asked = transfers_question(datetime(2026, 3, 4, 22, 30, tzinfo=UTC), BEGIN, just_after)
    assert (asked["DateFrom"], asked["DateTo"]) == ("05.03.2026 00:30:00", "06.03.2026 00:05:00")


def test_a_long_absence_is_asked_ninety_days_back():
    asked = documents_question(datetime(2020, 1, 1, tzinfo=UTC), BEGIN, START)
    assert asked["DateTimeFrom"] == "05.12.2025"


def test_a_waybill_brings_its_order_telephone_and_sum():
    (one,) = documents(
        {
            "IntDocNumber": NUMBER,
            "CreateTime": "2026-03-04 11:32:17",
            "DateTime": "2026-03-06 00:00:00",
            "InfoRegClientBarcodes": " A-17 ",
            "RecipientContactPhone": "380671234567",
            "RecipientsPhone": "380999999999",
            "BackwardDeliveryMoney": 1500,
            "AfterpaymentOnGoodsCost": "0.00",
            "DeletionMark": "0",
        }
    )
    assert (one.number, one.order_reference, one.phone) == (NUMBER, "A-17", "+380671234567")
    assert one.created_at == datetime(2026, 3, 4, 9, 32, 17, tzinfo=UTC)
    assert (one.cod_expected, one.currency, one.deleted) == (150_000, "UAH", False)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, None),
        ({"BackwardDeliveryMoney": 0, "AfterpaymentOnGoodsCost": "0.00"}, 0),
        ({"BackwardDeliverySum": "700.00", "AfterpaymentOnGoodsCost": "0.00"}, 70_000),
        ({"BackwardDeliveryMoney": 0, "AfterpaymentOnGoodsCost": "1250.50"}, 125_050),
        ({"BackwardDeliveryMoney": "", "AfterpaymentOnGoodsCost": ""}, None),
    ],
)
def test_what_is_not_told_is_not_zero(fields, told):
    (one,) = documents({"IntDocNumber": NUMBER} | fields)
    assert one.cod_expected == told


@pytest.mark.parametrize("mark", ["1", 1, True, "true"])
def test_a_deleted_waybill_is_marked(mark):
    (one,) = documents({"IntDocNumber": NUMBER, "DeletionMark": mark})
    assert one.deleted


def test_odd_items_are_left_out_and_cost_nobody():
    found = documents(
        {"IntDocNumber": "445"}, {"Ref": "x"}, {"IntDocNumber": None}, {"IntDocNumber": int(OTHER)}
    )
    assert [one.number for one in found] == [OTHER]


def test_a_list_in_which_nothing_can_be_read_is_no_empty_list():
    for read, error in ((documents, AnswerUnreadable), (transfers, PermanentFailure)):
        with pytest.raises(error):
            read({"Unheard": "1"}, {"Of": "2"})
        assert read() == ()


def test_the_recorded_list(samples):
    body = (samples / "carriers" / "fixtures" / "nova_poshta" / "document_list_one_created.json").read_bytes()
    page = read_documents(body, BEGIN, now_ms=START)
    (one,) = page.documents
    assert (one.number, one.order_reference, one.phone) == ("20450229730001", "1", "+380990000001")
    assert (one.cod_expected, one.deleted, page.next_page) == (0, False, "")


# Pages -------------------------------------------------------------------------------------------------


def pages_of(total, size, told):
    """Walk through a list of `total` items in pages of `size`; `told`: the answer names the total."""
    numbers = [f"2045{n:010d}" for n in range(total)]
    found, page, calls = [], "", 0
    while calls < 50:
        calls += 1
        place = Place.of(page)
        items = [{"IntDocNumber": one} for one in numbers[(place.page - 1) * size : place.page * size]]
        info = {"totalCount": told(total)} if told else []
        read = read_documents(envelope(*items, info=info), place, now_ms=START)
        found += [one.number for one in read.documents]
        page = read.next_page
        if not page:
            return found == numbers, calls
    raise AssertionError("the list has no end")


@pytest.mark.parametrize(
    ("total", "size", "told", "calls"),
    [
        (250, 100, int, 3),
        (200, 100, int, 2),
        (200, 100, None, 3),
        (120, 50, int, 3),
        (120, 50, str, 3),
        (0, 100, int, 1),
        (99, 100, None, 1),
    ],
)
def test_all_pages_are_read_to_their_end(total, size, told, calls):
    assert pages_of(total, size, told) == (True, calls)


def test_a_total_that_is_never_reached_ends_with_an_empty_page():
    read = read_documents(envelope(info={"totalCount": 10**6}), Place(page=3, seen=200), now_ms=START)
    assert read.next_page == ""


@pytest.mark.parametrize("page", ["", "x", "2", "2:", "²:3", "-1:3", "9" * 500])
def test_a_page_of_another_form_is_the_first(page):
    assert Place.of(page).page in {1, 2}


# Transfers ---------------------------------------------------------------------------------------------


def test_n15_a_payout_is_known_by_its_words_only():
    fields = {"IntDocNumber": NUMBER, "LastAmountTransferGM": "24200.000", "Number": "1234-567"}
    moment = {"LastTransactionDateTimeGM": "2026-03-04 11:32:17"}
    (paid,) = transfers(fields | moment | {"LastTransactionStatusGM": "Грошовий переказ видано"})
    assert (paid.number, paid.amount, paid.transfer_id) == (NUMBER, 2_420_000, "1234-567")
    assert paid.paid_out_at == datetime(2026, 3, 4, 9, 32, 17, tzinfo=UTC)
    for words in ("", "У дорозі", "не видано", "Очікує"):
        (under_way,) = transfers(fields | moment | {"LastTransactionStatusGM": words})
        assert under_way.paid_out_at is None


def test_a_transfer_without_a_waybill_or_a_sum_is_left_out():
    whole = {"IntDocNumber": NUMBER, "Amount": 5}
    assert len(transfers(whole, {"IntDocNumber": OTHER}, {"Amount": 7}, {"Number": "12-3", "Sum": 1})) == 1


VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.lists(st.text(max_size=3), max_size=2)
)
KEYS = ("IntDocNumber", "CreateTime", "Amount", "DeletionMark", "RecipientContactPhone", "Status", "Number")


@given(st.lists(st.dictionaries(st.sampled_from(KEYS), VALUES) | VALUES, max_size=4) | VALUES)
def test_any_types_in_a_list_are_read_or_refused(data):
    for read in (read_documents, read_transfers):
        try:
            page = read(envelope(data=data), BEGIN, now_ms=START)
        except PluginError:
            continue
        assert page.next_page == ""


@pytest.mark.parametrize(
    ("code", "error"),
    [("20000401501", Throttled), ("20000201204", AuthenticationFailed), ("20001401442", TemporaryFailure)],
)
def test_a_refused_list_is_told_by_its_kind(code, error):
    for read in (read_documents, read_transfers):
        with pytest.raises(error):
            read(refusal(code), BEGIN, now_ms=START)


# Capabilities ------------------------------------------------------------------------------------------


def carrier(host, **keys):
    settings = {"base_url": "http://carrier.test/", "api_key": KEY} | keys
    return NovaPoshta("np", NovaPoshtaSettings.model_validate(settings), host)


@pytest.mark.parametrize(
    ("keys", "lists"),
    [({}, (True, True)), ({"list_transfers": False}, (True, False)), ({"api_key": ""}, (False, False))],
)
def test_lists_need_a_key(keys, lists):
    able = carrier(LoopbackHost(), **keys).capabilities
    assert (able.lists_documents, able.lists_transfers) == lists


# Notices -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "words"), [(15, None), (14, "expires on"), (0, "expires on"), (-1, "ended on")]
)
async def test_n7_people_are_told_two_weeks_before_the_key_expires(days, words):
    ends = date(2026, 3, 5) + timedelta(days=days)
    notices = await carrier(LoopbackHost(), api_key_expires=ends).notices()
    assert [one.key for one in notices] == (["key_expires"] if words else [])
    for one in notices:
        assert words in one.text["en"]
        assert str(ends) in one.text["uk"]
    assert await carrier(LoopbackHost()).notices() == ()


async def test_n7_the_check_says_so_too():
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=envelope({"Ref": "x"})))
    async with LoopbackHost(transport=transport) as host:
        said = await carrier(host, api_key_expires=date(2026, 3, 10)).check()
    assert said == (
        "the key works; the API key expires on 2026-03-10: make a new one in the business cabinet"
    )


class Fickle:
    """A carrier that has lost a method, until it is `back`."""

    def __init__(self):
        self.back = False

    def __call__(self, request):
        body = envelope(item()) if self.back else refusal(errors=["Method getStatusDocuments not found"])
        return httpx.Response(200, content=body)


async def ask(one):
    return await one.track([TrackingNumber(number=NUMBER)])


async def test_n5_a_method_that_is_gone_is_temporary_for_a_day_and_then_people_are_told():
    fickle = Fickle()
    async with LoopbackHost(transport=httpx.MockTransport(fickle)) as host:
        one = carrier(host)
        for hours in range(0, 26, 2):
            with pytest.raises(TemporaryFailure) as caught:
                await ask(one)
            assert not isinstance(caught.value, Throttled)
            told = await carrier(host).notices()  # of another process: the store is shared
            assert [notice.key for notice in told] == (["gone.getStatusDocuments"] if hours >= 24 else [])
            host.clock.move(2 * HOUR)
        fickle.back = True
        assert len((await ask(one)).tracked) == 1
        assert await carrier(host).notices() == ()


async def test_n5_two_short_absences_are_not_a_day():
    fickle = Fickle()
    async with LoopbackHost(transport=httpx.MockTransport(fickle)) as host:
        one = carrier(host)
        for _ in range(2):
            with pytest.raises(TemporaryFailure):
                await ask(one)
            host.clock.move(DAY)
        assert await one.notices() == ()


@pytest.mark.parametrize("stored", ["", "{}", "[]", "nonsense", json.dumps({"since": "x", "seen": 1})])
async def test_n5_what_another_version_stored_is_no_absence(stored):
    host = LoopbackHost()
    await host.store.put("gone.getDocumentList", stored, expected=None)
    assert await carrier(host).notices() == ()
