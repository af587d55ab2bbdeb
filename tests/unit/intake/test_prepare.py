"""A plugin's events become values that both databases can keep, whatever stood in them."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.intake.model import DeliveryState
from hub.intake.parser import ChannelAccount, Job, unfinished
from hub.intake.prepare import MAX_EVENTS, MAX_FIELDS, dump, dump_headers, prepare, settle
from hub.kernel.clock import moment
from hub.kernel.text import storable
from hub.sdk.errors import PayloadUnreadable
from hub.sdk.messages import Event, EventKind, Parsed, RawDelivery, Sender, Verified

words = st.text(
    alphabet=st.one_of(st.characters(), st.sampled_from("\x00\ud800\udfff\n\u2028 ")), max_size=250
)
RAW = RawDelivery(
    account="form", method="POST", path="", headers={}, query={}, body=b"", address="", received_at=moment(0)
)


def message(**values):
    return Event(kind=EventKind.MESSAGE, **values)


def prepared(*events, external_id=None, digest=""):
    return prepare(RAW, 1, "UA", Verified(external_id=external_id, digest=digest), Parsed(events=events))


@given(words, words, words, words, words)
def test_whatever_stood_in_an_event_can_be_stored(name, text, subject, key, language):
    sender = Sender(name=name, organisation=text, phone=key, email=key, channel_id=key, language=language)
    made = prepared(
        message(
            sender=sender, text=text, subject=subject, message_id=key, fields={key: text}, source={name: key}
        ),
        external_id=key,
        digest=key,
    )
    (settled,) = made.messages
    person = settled.person
    kept = [
        made.external_id, made.digest, settled.event.message_id, settled.text, settled.subject,
        person.name, person.organisation, person.language or "", *(i.value for i in person.identities),
    ]  # fmt: skip
    assert all(storable(one or "") for one in kept)
    assert len(made.external_id or "") <= 200
    assert len(settled.event.message_id) <= 200
    for as_json in (settled.fields, settled.source):
        json.loads(as_json)
        assert b"\x00" not in as_json.encode()


@given(words)
def test_the_same_id_gives_the_same_key_and_different_ones_stay_apart(key):
    assert prepared(external_id=key).external_id == prepared(external_id=key).external_id
    assert prepared(external_id=key + "a").external_id != prepared(external_id=key + "b").external_id


def test_an_ordinary_id_is_its_own_key_and_no_id_stays_none():
    assert prepared(external_id="wamid.HBgM==").external_id == "wamid.HBgM=="
    assert prepared(external_id=None).external_id is None


def test_an_unfinished_delivery_has_the_same_key_as_the_understood_one():
    job = Job(ChannelAccount("form", 1, channel=None), RAW, verified=Verified(external_id="\x00" * 300))  # type: ignore[arg-type]
    kept = unfinished(job, DeliveryState.UNREADABLE, "no \x00 sense")
    assert kept.external_id == prepared(external_id="\x00" * 300).external_id
    assert storable(kept.reason or "")


def test_the_subject_is_the_given_one_else_the_first_line_of_the_text():
    assert settle(message(text="перший\nдругий"), "form", "UA").subject == "перший"
    assert settle(message(text="перший", subject=" Тема "), "form", "UA").subject == "Тема"


def test_the_state_follows_the_events():
    assert prepared().state is DeliveryState.NOTED
    assert prepared(Event(kind=EventKind.PROBE)).state is DeliveryState.NOTED
    assert prepared(Event(kind=EventKind.IGNORED), Event(kind=EventKind.SPAM)).state is DeliveryState.SPAM
    assert prepared(Event(kind=EventKind.SPAM), message(text="x")).state is DeliveryState.STORED


def test_too_many_events_are_nonsense():
    with pytest.raises(PayloadUnreadable):
        prepared(*[message(text="x")] * (MAX_EVENTS + 1))


def test_fields_are_bounded_in_number_and_length():
    made = json.loads(dump({f"k{n}" * 60: "v" * 300_000 for n in range(3)}))
    assert all(len(k) <= 100 and len(v) <= 200_000 for k, v in made.items())
    assert len(json.loads(dump({str(n): "v" for n in range(MAX_FIELDS + 5)}))) == MAX_FIELDS


@given(st.dictionaries(words, words, max_size=5))
def test_any_fields_become_json(values):
    orjson.loads(dump(values))


def test_what_authenticates_somebody_is_not_kept():
    kept = json.loads(
        dump_headers({"authorization": "Bearer x", "cookie": "s", "content-type": "text/plain"})
    )
    assert kept == {"content-type": "text/plain"}
