"""Channels that misbehave, each in its way. `MODULE` is a plugin module for `open_hub(extra=...)`.

Account settings: `how` says what is odd, and the body of a delivery may say it too: {"how": "raise"}.
`mended` is a switch: names of accounts whose plugin has been repaired.
"""

import asyncio
import json
import threading
import time
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from pydantic import BaseModel, ConfigDict

from hub.sdk import (
    Carrier,
    CarrierPlugin,
    Channel,
    ChannelCapabilities,
    ChannelPlugin,
    DeliveryRejected,
    Event,
    EventKind,
    Host,
    HttpAnswer,
    Likeness,
    Observation,
    Outcome,
    Parsed,
    RawDelivery,
    Recognition,
    Register,
    Sender,
    Status,
    TrackAnswer,
    Tracked,
    TrackingNumber,
    Verified,
    hookimpl,
)
from hub.sdk.errors import PayloadUnreadable

mended: set[str] = set()
let_go = threading.Event()
NONSENSE: dict[str, Any] = {
    "nothing": None,
    "a text": "hello",
    "no events": Parsed(events=()),
    "wrong events": Parsed(events=("x",)),  # type: ignore[arg-type]
    "text is None": Parsed(events=(Event(kind=EventKind.MESSAGE, text=None),)),  # type: ignore[arg-type]
    "naive time": Parsed(
        events=(Event(kind=EventKind.MESSAGE, text="x", sent_at=__import__("datetime").datetime(2026, 1, 1)),)
    ),
    "odd fields": Parsed(events=(Event(kind=EventKind.MESSAGE, text="x", fields={"a": 1}),)),  # type: ignore[dict-item]
    "odd id": Parsed(events=(Event(kind=EventKind.MESSAGE, text="x", message_id="a\x00\ud83d" * 500),)),
    "number id": Parsed(events=(Event(kind=EventKind.MESSAGE, text="x", message_id=5),)),  # type: ignore[arg-type]
    "odd language": Parsed(
        events=(Event(kind=EventKind.MESSAGE, text="x", sender=Sender(name="a", language="\x00uk")),)
    ),
    "too many": Parsed(events=tuple(Event(kind=EventKind.MESSAGE, text=f"{n}") for n in range(200))),
}


class Settings(BaseModel):
    """What is odd about this account."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    how: str = ""


class Odd(Channel):
    """Misbehaves as asked."""

    capabilities = ChannelCapabilities(has_page=True)

    def __init__(self, account: str, settings: Settings, _host: Host) -> None:
        self._account = account
        self._how = settings.how

    def _asked(self, raw: RawDelivery) -> str:
        if self._account in mended:
            return ""
        return str(json.loads(raw.body).get("how") or self._how)

    def verify(self, raw: RawDelivery) -> Verified:
        """May raise, hang, or return nonsense."""
        how = self._asked(raw)
        if how == "reject":
            raise DeliveryRejected("signature", "wrong signature", status=401)
        if how == "verify raises":
            raise KeyError("secret words of a customer")
        if how == "verify hangs":
            let_go.wait(20)
        if how == "verify is nonsense":
            return None  # type: ignore[return-value]
        if how == "verify names nonsense":
            return Verified(external_id=b"x\x00", digest=5)  # type: ignore[arg-type]
        if how == "odd external id":
            return Verified(external_id="a\x00\ud83d", digest="\x00" * 500)
        identifier = json.loads(raw.body).get("id")
        return Verified(external_id=identifier)

    def parse(self, raw: RawDelivery) -> Parsed:
        """May raise, hang, spin, or return nonsense."""
        how = self._asked(raw)
        if how == "raise":
            raise KeyError("secret words of a customer")
        if how == "exit":
            raise SystemExit(3)
        if how == "unreadable":
            raise PayloadUnreadable("version 9 is not known")
        if how == "hang":
            let_go.wait(20)
        if how == "spin":
            until = time.monotonic() + 2
            while time.monotonic() < until and not let_go.is_set():
                pass
        if how == "recursion":
            return self.parse(raw)
        if how in NONSENSE:
            found: Parsed = NONSENSE[how]
            return found
        words = json.loads(raw.body)
        sender = Sender(name="N", channel_id=str(words.get("who", "1")))
        return Parsed(
            events=(Event(kind=EventKind.MESSAGE, sender=sender, text=str(words.get("text", "hi"))),)
        )

    def answer(self, outcome: Outcome, raw: RawDelivery) -> HttpAnswer:
        """May raise or return nonsense."""
        how = self._asked(raw)
        if how == "answer raises":
            raise KeyError("x")
        if how == "answer sleeps":
            time.sleep(20)
        while how == "answer spins":
            pass
        if how == "answer is nonsense":
            return None  # type: ignore[return-value]
        if how == "answer has no status":
            return HttpAnswer(status=7)
        if how == "answer splits headers":
            return HttpAnswer(status=200, headers={"X-A": "b\r\nX-C: d"})
        body = {"kind": str(outcome.kind), "request_id": outcome.request_id}
        return HttpAnswer(status=202 if outcome.kind == "pending" else 200, body=json.dumps(body).encode())

    def page(self, path: str, query: Mapping[str, str], language: str) -> HttpAnswer | None:
        """May raise, hang, spin or return nonsense."""
        how = query.get("how", "")
        if how == "raise":
            raise KeyError("secret words of a customer")
        if how == "hang":
            let_go.wait(20)
        while how == "spin":
            pass
        if how == "nonsense":
            return "a page"  # type: ignore[return-value]
        if how == "header":
            return HttpAnswer(status=200, headers={"X-A": "b\r\nX-C: d"})
        return HttpAnswer(status=200, body=b"page", media_type="text/plain")


class OddCarrier(Carrier):
    """Its `track` and `looks_like` misbehave as `how` says, until it is mended."""

    def __init__(self, account: str, settings: Settings, _host: Host) -> None:
        self._account = account
        self._how = settings.how

    def looks_like(self, text: str) -> Recognition:
        """Nothing but digits; may hang."""
        if self._how == "looks hang" and self._account not in mended:
            let_go.wait(20)
        return Recognition(likeness=Likeness.PERHAPS if text.isdigit() else Likeness.NO, number=text)

    async def track(self, numbers: Sequence[TrackingNumber]) -> TrackAnswer:
        """May hang, spin or return nonsense."""
        if self._account not in mended:
            while self._how == "spin":
                pass
            if self._how == "hang":
                await asyncio.sleep(60)
            if self._how == "nonsense":
                return TrackAnswer(tracked=(5,))  # type: ignore[arg-type]
        return TrackAnswer(
            tracked=tuple(
                Tracked(number=n.number, observations=(Observation(status=Status.ARRIVED, raw_code="7"),))
                for n in numbers
            )
        )


class AtOnce(Odd):
    """As a form: verify and parse together, before anything is stored."""

    capabilities = ChannelCapabilities(parses_at_once=True)


@hookimpl
def hub_register(register: Register) -> None:
    """Offer all."""
    register.carrier(
        CarrierPlugin(name="odd_carrier", title={"en": "Odd"}, settings=Settings, create=OddCarrier)
    )
    register.channel(ChannelPlugin(name="odd", title={"en": "Odd"}, settings=Settings, create=Odd))
    register.channel(
        ChannelPlugin(name="odd_form", title={"en": "Odd form"}, settings=Settings, create=AtOnce)
    )


MODULE = ModuleType("odd_plugins")
MODULE.hub_register = hub_register  # type: ignore[attr-defined]
EXTRA = (("odd", MODULE),)
