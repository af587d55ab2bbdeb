"""Ukrposhta (Укрпошта): follows domestic and postal parcels, and the payout of their post-payment.

One `track` asks for the last event of up to 100 barcodes, then for the history of those whose last event is new
to this process, 50 a call, then, where eCom's secrets are set, for at most EXTRA_CALLS single facts: the payout
of delivered parcels and the state of parcels that no counter has accepted yet, those not asked for longest first,
and, where a call is left, the sum of one parcel whose sum this process has not asked for.
The capability `calls_per_minute` is cut by that worst case, so that the account stays below its limit.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import TypeVar

from hub.sdk import (
    Carrier,
    CarrierCapabilities,
    CarrierPlugin,
    Host,
    NotTracked,
    Problem,
    Recognition,
    Register,
    Status,
    TrackAnswer,
    Tracked,
    TrackingNumber,
    hookimpl,
)
from plugins.ukrposhta.client import LAST_ONLY, WITH_HISTORY, NotThere, UkrposhtaClient
from plugins.ukrposhta.numbers import recognise
from plugins.ukrposhta.settings import UkrposhtaSettings
from plugins.ukrposhta.tracking import (
    HISTORY_BATCH,
    LAST_BATCH,
    Question,
    Statuses,
    ask,
    newest_event,
    read_shipment,
    read_statuses,
    read_transfer,
    tracked,
    with_money,
    with_sum,
)

EXTRA_CALLS = 5
MAX_REMEMBERED = 100_000
PROBE = "0000000000000"
"""A barcode nobody has: `check` asks for it, and "not found" is the good answer."""

T = TypeVar("T")
NOT_ACCEPTED = "no event yet: Ukrposhta shows a parcel only after a counter has accepted it"


class Ukrposhta(Carrier):
    """One contract."""

    def __init__(self, account: str, settings: UkrposhtaSettings, host: Host) -> None:
        self.account = account
        self._client = UkrposhtaClient(settings, host.http)
        extra = EXTRA_CALLS if self._client.has_ecom else 0
        self.capabilities = CarrierCapabilities(
            batch_size=LAST_BATCH,
            calls_per_minute=max(1, settings.calls_per_minute // (1 + LAST_BATCH // HISTORY_BATCH + extra)),
            parallel_calls=1,
            reports_money=self._client.has_ecom,
            tracking_page=settings.tracking_page,
        )
        # Only a saving: after a restart every history is asked once more, and the hub drops what it has.
        self._known: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._asked_at: OrderedDict[str, int] = OrderedDict()
        self._sums: OrderedDict[str, bool] = OrderedDict()
        self._turn = 0

    def looks_like(self, text: str) -> Recognition:
        """13 digits with a fitting check digit, or a postal number ending in UA, are ours."""
        return recognise(text)

    async def track(self, numbers: Sequence[TrackingNumber]) -> TrackAnswer:
        """Last events, histories of what changed, then money and shipments not yet accepted."""
        question = ask(numbers)
        if not question.aliases:
            return TrackAnswer(problems=question.refused)
        last = await self._statuses(LAST_ONLY, question.barcodes)
        changed = [
            barcode
            for barcode in question.barcodes
            if barcode in last.events and self._known.get(barcode) != newest_event(last.events[barcode])
        ]
        events = dict(last.events)
        for begin in range(0, len(changed), HISTORY_BATCH):
            history = await self._statuses(WITH_HISTORY, changed[begin : begin + HISTORY_BATCH])
            for barcode, told in history.events.items():
                events[barcode] = (*told, *(one for one in events.get(barcode, ()) if one not in told))
        found = {
            barcode: tracked(barcode, told)
            for barcode, told in events.items()
            if barcode in question.barcodes
        }
        for barcode in changed:
            _remember(self._known, barcode, newest_event(last.events[barcode]))
        await self._add_from_ecom(question, found)
        return TrackAnswer(
            tracked=tuple(_entries(question, found)),
            problems=(*question.refused, *_problems(question, found, last)),
        )

    async def _statuses(self, path: str, barcodes: Sequence[str]) -> Statuses:
        body = await self._client.statuses(path, barcodes)
        if isinstance(body, NotThere):
            return Statuses(events={}, not_found=frozenset(barcodes))
        return read_statuses(body)

    async def _add_from_ecom(self, question: Question, found: dict[str, Tracked]) -> None:
        """At most EXTRA_CALLS facts that tracking does not tell, those not asked for longest first."""
        if not self._client.has_ecom:
            return
        wanted = [
            barcode
            for barcode in question.barcodes
            if barcode not in found or found[barcode].observations[-1].status is Status.DELIVERED
        ]
        wanted.sort(key=lambda barcode: self._asked_at.get(barcode, 0))
        for barcode in wanted[:EXTRA_CALLS]:
            self._turn += 1
            _remember(self._asked_at, barcode, self._turn)
            seen = found.get(barcode)
            if seen is None:
                shipment = await self._shipment(barcode)
                if shipment is not None:
                    found[barcode] = shipment
            else:
                body = await self._client.transfer(barcode)
                facts = None if isinstance(body, NotThere) else read_transfer(body)
                if facts is not None:
                    found[barcode] = with_money(seen, facts)
        if len(wanted) < EXTRA_CALLS:
            await self._add_one_sum(question, found)

    async def _add_one_sum(self, question: Question, found: dict[str, Tracked]) -> None:
        """What one parcel's consignee has to pay: tracking never tells it, so each is asked for once."""
        for barcode in question.barcodes:
            if barcode in found and barcode not in self._sums:
                shipment = await self._shipment(barcode)
                if shipment is not None:
                    found[barcode] = with_sum(found[barcode], shipment)
                return

    async def _shipment(self, barcode: str) -> Tracked | None:
        """Our own shipment as eCom knows it; None for one of somebody else's."""
        body = await self._client.shipment(barcode)
        _remember(self._sums, barcode, True)
        return None if isinstance(body, NotThere) else read_shipment(barcode, body)

    async def check(self) -> str:
        """Try each secret with a barcode that nobody has."""
        await self._statuses(LAST_ONLY, [PROBE])
        if not self._client.has_ecom:
            return "bearer_tracking works; without bearer_ecom and counterparty_token payouts are not told"
        await self._client.shipment(PROBE)
        return "bearer_tracking, bearer_ecom and counterparty_token work"


def _entries(question: Question, found: dict[str, Tracked]) -> Iterator[Tracked]:
    for number, barcode in question.aliases:
        if barcode in found:
            seen = found[barcode]
            yield Tracked(number=number, observations=seen.observations, document=seen.document)


def _problems(question: Question, found: dict[str, Tracked], last: Statuses) -> Iterator[NotTracked]:
    for number, barcode in question.aliases:
        if barcode in found:
            continue
        if barcode in last.not_found:
            yield NotTracked(number=number, problem=Problem.NOT_FOUND, message=NOT_ACCEPTED)
        else:
            yield NotTracked(number=number, problem=Problem.NO_NEWS, message="left out of the answer")


def _remember(memory: OrderedDict[str, T], key: str, value: T) -> None:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > MAX_REMEMBERED:
        memory.popitem(last=False)


PLUGIN = CarrierPlugin(
    name="ukrposhta",
    title={"en": "Ukrposhta", "uk": "Укрпошта"},
    settings=UkrposhtaSettings,
    create=Ukrposhta,
    version="1.0.0",
    homepage="https://dev.ukrposhta.ua/documentation",
)


@hookimpl
def hub_register(register: Register) -> None:
    """Offer the carrier."""
    register.carrier(PLUGIN)
