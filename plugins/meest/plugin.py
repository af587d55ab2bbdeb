"""Meest (Meest Пошта), OpenAPI v3: follows the parcels of one contract, mostly by what changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from hub.sdk import (
    AnswerUnreadable,
    Carrier,
    CarrierCapabilities,
    CarrierPlugin,
    Changes,
    Host,
    NotTracked,
    Problem,
    Recognition,
    Register,
    TemporaryFailure,
    TrackAnswer,
    Tracked,
    TrackingNumber,
    hookimpl,
)
from plugins.meest.client import MeestClient
from plugins.meest.envelope import Envelope
from plugins.meest.numbers import recognise, wire_number
from plugins.meest.settings import MeestSettings
from plugins.meest.tracking import by_parcel, events_of, tracked, window

PROBE = "MYCV000000000UA"
"""A number nobody has: `check` asks for it, and "not found" is the good answer."""

NOTHING = "no event yet, or not a parcel of this contract: Meest shows a contract only its own parcels"


class Meest(Carrier):
    """One contract."""

    def __init__(self, account: str, settings: MeestSettings, host: Host) -> None:
        self.account = account
        self.capabilities = CarrierCapabilities(
            batch_size=1,
            calls_per_minute=settings.calls_per_minute,
            parallel_calls=1,
            lists_changes=True,
            tracking_page=settings.tracking_page,
        )
        self._client = MeestClient(settings, host)

    def looks_like(self, text: str) -> Recognition:
        """MYCV, nine digits and two letters are ours; CV... and 12 digits may be."""
        return recognise(text)

    async def track(self, numbers: Sequence[TrackingNumber]) -> TrackAnswer:
        """One call a number: for what `changes` did not bring. The answer holds the whole history."""
        found: list[Tracked] = []
        problems: list[NotTracked] = []
        for number in dict.fromkeys(one.number for one in numbers):
            entry = await self._one(number)
            if isinstance(entry, Tracked):
                found.append(entry)
            else:
                problems.append(entry)
        return TrackAnswer(tracked=tuple(found), problems=tuple(problems))

    async def _one(self, number: str) -> Tracked | NotTracked:
        wire = wire_number(number)
        if wire is None:
            return NotTracked(
                number=number,
                problem=Problem.BAD_NUMBER,
                message="a Meest number has letters and digits only",
            )
        envelope = await self._client.get("tracking", wire)
        if envelope.not_found:
            return NotTracked(number=number, problem=Problem.NOT_FOUND, message=NOTHING)
        events = events_of(_result(envelope))
        if not events:
            return NotTracked(number=number, problem=Problem.NOT_FOUND, message=NOTHING)
        own = [event for event in events if _is_of(event, wire)]
        if not own:
            return NotTracked(
                number=number, problem=Problem.NO_NEWS, message="the answer is about another parcel"
            )
        return tracked(number, own)

    async def changes(self, since: datetime, until: datetime, page: str) -> Changes:
        """Everything of the contract in the next window of the span; no pages, `until` says how far it reached."""
        call = window(since, until)
        envelope = await self._client.get(*call.path)
        events = () if envelope.not_found else events_of(_result(envelope))
        return Changes(tracked=by_parcel(events), until=call.until)

    async def check(self) -> str:
        """Log in, and ask for a number that nobody has."""
        envelope = await self._client.get("tracking", PROBE)
        if not envelope.good and not envelope.not_found:
            raise TemporaryFailure("the login works, tracking answers with an error")
        return "the login works"


def _result(envelope: Envelope) -> object:
    """What a good answer holds. Raises TemporaryFailure for another error than "not found"."""
    if not envelope.good:
        raise TemporaryFailure("the carrier answers with an error")
    if envelope.result not in (None, "") and not isinstance(envelope.result, list | dict):
        raise AnswerUnreadable("the result is no list of events")
    return envelope.result


def _is_of(event: object, wire: str) -> bool:
    """Is the event about this number? One without any number is: only one was asked."""
    if not isinstance(event, dict):
        return False
    told = {str(event.get(key) or "").strip().upper() for key in ("parcelNumber", "barCode")} - {""}
    return not told or wire in told


PLUGIN = CarrierPlugin(
    name="meest",
    title={"en": "Meest", "uk": "Meest Пошта"},
    settings=MeestSettings,
    create=Meest,
    version="1.0.0",
    homepage="https://wiki.meest-group.com/",
)


@hookimpl
def hub_register(register: Register) -> None:
    """Offer the carrier."""
    register.carrier(PLUGIN)
