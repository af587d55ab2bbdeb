"""From a plugin's events to settled, storable messages. Pure; runs in the parser's thread.

Everything that only looks at one delivery happens here, so that nothing but the database itself can
refuse it later: text is bounded and cleaned, the person normalised, JSON made.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import orjson

from hub.contacts.model import Person, identities
from hub.intake.extras import SIGNALS, SPEAKS, extra_of, signal_of
from hub.intake.model import DeliveryState, Message, Prepared
from hub.kernel import text
from hub.kernel.clock import SECOND
from hub.requests.model import subject_of
from hub.sdk.errors import PayloadUnreadable
from hub.sdk.messages import Event, EventKind, Parsed, RawDelivery, Verified

MAX_EVENTS = 100
MAX_FIELDS = 200
MAX_REACTION_S = 7 * 24 * 3600
_PRIVATE_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})
_STATE = dict.fromkeys(EventKind, DeliveryState.NOTED) | {EventKind.SPAM: DeliveryState.SPAM}


def prepare(raw: RawDelivery, team_id: int, region: str, verified: Verified, parsed: Parsed) -> Prepared:
    """Settle what a plugin made of a delivery. Raises PayloadUnreadable if it is nonsense."""
    if len(parsed.events) > MAX_EVENTS:
        raise PayloadUnreadable(f"more than {MAX_EVENTS} events in one delivery")
    messages = tuple(settle(e, raw.account, region) for e in parsed.events if e.kind in SPEAKS)
    signals = tuple(signal_of(e) for e in parsed.events if e.kind in SIGNALS)
    return Prepared(
        raw,
        team_id,
        stored_key(verified.external_id),
        stored_key(verified.digest) or "",
        DeliveryState.STORED
        if any(m.event.kind is EventKind.MESSAGE for m in messages)
        else _quiet_state(parsed),
        messages,
        headers=dump_headers(raw.headers),
        query=dump(raw.query) if raw.query else "{}",
        signals=signals,
    )


def stored_key(given: str | None) -> str | None:
    """Ids that are long or that no database stores (NUL, lone surrogates) are kept as their digest."""
    if given is None or (len(given) <= text.KEY and (given.isprintable() or text.storable(given))):
        return given
    return "sha256:" + text.text_digest((given,))


def _quiet_state(parsed: Parsed) -> DeliveryState:
    states = {_STATE[e.kind] for e in parsed.events}
    return DeliveryState.SPAM if DeliveryState.SPAM in states else DeliveryState.NOTED


def settle(event: Event, account: str, region: str) -> Message:
    """One event with bounded text and a normalised sender."""
    sender = event.sender
    person = Person(
        text.one_line(sender.name, text.NAME),
        text.one_line(sender.organisation, text.NAME),
        text.one_line(sender.language, 20) or None,
        identities(sender.phone, sender.email, sender.channel_id, account, region),
    )
    body = text.clean(event.text, text.BODY)
    message_id = stored_key(event.message_id)
    return Message(
        event if message_id == event.message_id else dataclasses.replace(event, message_id=message_id or ""),
        person,
        body,
        text.same_text_key(body),
        subject_of(event.subject, body),
        dump(event.fields) if event.fields else "{}",
        dump(event.source) if event.source else "{}",
        extra_of(event),
        text.one_line(event.task_title, text.SUBJECT) if event.task_title else "",
        _reaction(event.reaction_s),
    )


def _reaction(seconds: int | None) -> int | None:
    """Milliseconds, a week at most; a plugin's slip is no limit."""
    return None if seconds is None or seconds <= 0 else min(seconds, MAX_REACTION_S) * SECOND


def dump(values: Mapping[str, str]) -> str:
    """JSON of texts from outside, keys and values bounded and cleaned."""
    try:
        if len(values) <= MAX_FIELDS and all(
            len(k) <= text.SHORT and len(v) <= text.BODY for k, v in values.items()
        ):
            return orjson.dumps(values, option=orjson.OPT_PASSTHROUGH_SUBCLASS).decode()
        return orjson.dumps(
            {k[: text.SHORT]: v[: text.BODY] for k, v in list(values.items())[:MAX_FIELDS]}
        ).decode()
    except orjson.JSONEncodeError:  # lone surrogates; NUL is escaped by the encoder and harmless in text
        return orjson.dumps(
            {
                text.clean(k, text.SHORT): text.clean(v, text.BODY)
                for k, v in list(values.items())[:MAX_FIELDS]
            }
        ).decode()


def dump_headers(headers: Mapping[str, str]) -> str:
    """The headers of a delivery without what authenticates somebody."""
    return dump({k: v for k, v in headers.items() if k not in _PRIVATE_HEADERS})
