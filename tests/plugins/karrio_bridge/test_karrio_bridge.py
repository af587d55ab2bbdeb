"""The optional bridge against a small module shaped like karrio, which is not installed here."""

import importlib
import sys
import threading
import types
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.sdk import (
    AuthenticationFailed,
    Likeness,
    NotTracked,
    Problem,
    SettingsRejected,
    Status,
    TemporaryFailure,
    Throttled,
    Tracked,
    TrackingNumber,
)

BRIDGE = Path(__file__).parents[3] / "contrib" / "karrio_bridge"
NUMBER = "1Z999AA10123456784"
SECRET = "the-consumer-secret"


@pytest.fixture(autouse=True)
def bridge(monkeypatch):
    """The bridge's own folder on the path, as an installed distribution would be."""
    monkeypatch.syspath_prepend(str(BRIDGE))
    return importlib.import_module("hub_karrio_bridge.plugin")


class FakeKarrio:
    """gateway[...].create(...), Tracking.fetch(...).from_(...).parse(): karrio's face, and no more."""

    def __init__(self, answer):
        self.created: list[tuple[str, object]] = []
        fake = self

        class Gateway:
            def __getitem__(self, extension):
                def create(keys):
                    fake.created.append((extension, keys))
                    return keys

                return SimpleNamespace(create=create)

        class Request:
            def from_(self, gateway):
                return SimpleNamespace(parse=lambda: answer(gateway))

        self.gateway = Gateway()
        self.Tracking = SimpleNamespace(fetch=lambda _: Request())


@pytest.fixture
def karrio(monkeypatch):
    def installed(answer, carriers=None):
        fake = FakeKarrio(answer)
        sdk = types.ModuleType("karrio.sdk")
        sdk.__dict__.update(gateway=fake.gateway, Tracking=fake.Tracking)
        references = types.ModuleType("karrio.references")
        references.__dict__["collect_references"] = lambda: {"carriers": carriers or {"dhl_universal": "DHL"}}
        monkeypatch.setitem(sys.modules, "karrio", types.ModuleType("karrio"))
        monkeypatch.setitem(sys.modules, "karrio.sdk", sdk)
        monkeypatch.setitem(sys.modules, "karrio.references", references)
        return fake

    return installed


def details(*events, number=NUMBER, status="in_transit"):
    return SimpleNamespace(
        tracking_number=number, events=list(events), status=status, estimated_delivery=None
    )


def event(code="X", status=None, **fields):
    given = {"date": None, "time": None, "timestamp": None, "description": "", "location": ""}
    return SimpleNamespace(code=code, status=status, **(given | fields))


def account(bridge, **keys):
    settings = {"credentials": {"consumer_secret": SECRET}} | keys
    kind = bridge.plugin_of("dhl_universal", "DHL")
    return kind.create("dhl", kind.settings.model_validate(settings), None)


async def track(bridge, **keys):
    carrier = account(bridge, **keys)
    try:
        return await carrier.track([TrackingNumber(number=NUMBER)])
    finally:
        await carrier.close()


def registered(bridge):
    found: list[Any] = []
    bridge.hub_register(SimpleNamespace(carrier=found.append))
    return [(one.name, one.title["uk"]) for one in found]


def test_every_extension_is_a_kind_of_carrier(bridge, karrio):
    karrio(None, {"ups": "UPS", "dhl_universal": "DHL", "not an id": "?"})
    assert registered(bridge) == [("karrio_dhl_universal", "DHL (karrio)"), ("karrio_ups", "UPS (karrio)")]


@pytest.mark.skipif("karrio" in sys.modules, reason="karrio is installed")
def test_without_karrio_it_says_what_to_install(bridge):
    with pytest.raises(SettingsRejected, match="pip install karrio-"):
        registered(bridge)


async def test_a_parcel_is_read_in_a_thread_with_the_accounts_keys(bridge, karrio):
    threads = []

    def answer(_):
        threads.append(threading.current_thread().name)
        newest = event("DLV", "delivered", timestamp="2026-03-04T12:00:00+01:00", location="Berlin")
        return [details(newest, event("PU", "picked_up", timestamp="2026-03-03T09:00:00Z"))], []

    fake = karrio(answer)
    answered = await track(bridge)
    seen = answered.tracked[0].observations
    assert [(one.raw_code, one.status) for one in seen] == [
        ("PU", Status.ACCEPTED),
        ("DLV", Status.DELIVERED),
    ]
    assert seen[-1].clock == datetime(2026, 3, 4, 11, tzinfo=UTC)
    assert threads[0].startswith("karrio-dhl_universal")
    assert fake.created == [("dhl_universal", {"consumer_secret": SECRET, "test_mode": False})]


@pytest.mark.parametrize(
    ("extension", "typed", "likeness", "number"),
    [
        ("ups", " 1z999aa1 0123456784 ", Likeness.SURE, NUMBER),
        ("ups_freight", NUMBER, Likeness.SURE, NUMBER),
        ("dhl_express", NUMBER, Likeness.NO, ""),
        ("dhl_universal", "1234567890", Likeness.PERHAPS, "1234567890"),
        ("fedex", "1234567890", Likeness.NO, ""),
        ("dhl_express", "12345678901", Likeness.NO, ""),
        ("ups", "1Z" + "9" * 100, Likeness.NO, ""),
    ],
)
def test_two_carriers_numbers_are_recognised(bridge, extension, typed, likeness, number):
    carrier = bridge.KarrioCarrier(extension, bridge.KarrioSettings())
    seen = carrier.looks_like(typed)
    assert (seen.likeness, seen.number) == (likeness, number)


async def test_karrios_guess_in_transit_is_not_believed(bridge, karrio):
    karrio(lambda _: ([details(event("NEVER-SEEN", "in_transit"))], []))
    seen = (await track(bridge)).tracked[0].observations[0]
    assert (seen.status, seen.raw_code) == (Status.UNKNOWN, "NEVER-SEEN")


async def test_i3_a_time_without_a_zone_makes_no_clock(bridge, karrio):
    karrio(lambda _: ([details(event(date="2026-03-04", time="12:30", timestamp="2026-03-04T12:30:00"))], []))
    assert (await track(bridge)).tracked[0].observations[0].clock is None


async def test_i4_the_code_counts_where_the_status_contradicts_it(bridge, karrio):
    karrio(lambda _: ([details(event("pre-transit"), status="delivered")], []))
    assert (await track(bridge)).tracked[0].observations[0].status is Status.CREATED


@pytest.mark.parametrize("code", ["TW0001", "404", ""])
async def test_i1_not_found_comes_as_a_message(bridge, karrio, code):
    karrio(lambda _: ([], [SimpleNamespace(code=code, message="")] if code else []))
    assert [one.problem for one in (await track(bridge)).problems] == [Problem.NOT_FOUND]


@pytest.mark.parametrize(
    ("message", "error"),
    [("Too many requests", Throttled), ("Unauthorized", AuthenticationFailed), ("odd", TemporaryFailure)],
)
async def test_i2_messages_become_kinds_and_are_not_repeated(bridge, karrio, message, error):
    karrio(lambda _: ([], [SimpleNamespace(code="", message=f"{message} {SECRET}")]))
    with pytest.raises(error) as caught:
        await track(bridge)
    assert SECRET not in str(caught.value)


async def test_whatever_a_connector_raises_is_a_temporary_failure_without_its_text(bridge, karrio):
    def answer(_):
        raise KeyError(SECRET)

    karrio(answer)
    with pytest.raises(TemporaryFailure, match="KeyError") as caught:
        await track(bridge)
    assert SECRET not in str(caught.value)


async def test_hanging_calls_are_given_up_and_do_not_pile_up(bridge, karrio):
    let_go = threading.Event()
    karrio(lambda _: (let_go.wait(20), ([], []))[1])
    carrier = account(bridge, timeout_s=1)
    try:
        for _ in range(2):
            with pytest.raises(TemporaryFailure, match="in time"):
                await carrier.track([TrackingNumber(number=NUMBER)])
        with pytest.raises(TemporaryFailure, match="still hang"):
            await carrier.track([TrackingNumber(number=NUMBER)])
    finally:
        let_go.set()
        await carrier.close()


async def test_a_hanging_thread_does_not_keep_the_hub_from_stopping(bridge, karrio):
    let_go = threading.Event()
    karrio(lambda _: (let_go.wait(20), ([], []))[1])
    with pytest.raises(TemporaryFailure, match="in time"):
        await track(bridge, timeout_s=1)
    hanging = [one for one in threading.enumerate() if one.name.startswith("karrio-")]
    assert hanging
    assert all(one.daemon for one in hanging)
    let_go.set()


ODD = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=30)
    | st.lists(st.text(max_size=5), max_size=3)
)
EVENTS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("code", "status", "date", "time", "timestamp"), ODD)
)


@given(
    st.fixed_dictionaries({}, optional={"events": st.lists(EVENTS | ODD, max_size=4) | ODD, "status": ODD})
)
def test_any_details_are_read(told):
    read = importlib.import_module("hub_karrio_bridge.reading").entry(NUMBER, told)
    assert isinstance(read, Tracked | NotTracked)
    assert read.number == NUMBER
