"""Nova Poshta (Нова пошта), API 2.0: follows domestic waybills and the money of their cash on delivery."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

from hub.sdk import (
    Carrier,
    CarrierCapabilities,
    CarrierPlugin,
    Host,
    Recognition,
    Register,
    TrackAnswer,
    TrackingNumber,
    hookimpl,
)
from plugins.nova_poshta.client import NovaPoshtaClient
from plugins.nova_poshta.envelope import read_envelope
from plugins.nova_poshta.errors import PhonesRefused, failure, reason
from plugins.nova_poshta.numbers import recognise
from plugins.nova_poshta.settings import NovaPoshtaSettings
from plugins.nova_poshta.tracking import BATCH_SIZE, Question, ask, properties, read_answer

EXPIRY_WARNING_DAYS = 14


class NovaPoshta(Carrier):
    """One key of one counterparty; an empty key tracks too, with sums and return data hidden."""

    def __init__(self, account: str, settings: NovaPoshtaSettings, host: Host) -> None:
        self.account = account
        self.capabilities = CarrierCapabilities(
            batch_size=BATCH_SIZE,
            calls_per_minute=settings.calls_per_minute,
            parallel_calls=1,
            tracks_without_key=True,
            reports_money=True,
        )
        self._settings = settings
        self._host = host
        self._client = NovaPoshtaClient(settings, host.http)

    def looks_like(self, text: str) -> Recognition:
        """14 digits beginning with 20 or 59 are ours; there is no check digit to look at."""
        return recognise(text)

    async def track(self, numbers: Sequence[TrackingNumber]) -> TrackAnswer:
        """One call for up to 100 numbers; a second one without telephones where their form was refused."""
        question = ask(numbers, self._settings.phone)
        if not question.phones:
            return TrackAnswer(problems=question.refused)
        try:
            return await self._ask(question, with_phones=True)
        except PhonesRefused:
            return await self._ask(question, with_phones=False)

    async def _ask(self, question: Question, *, with_phones: bool) -> TrackAnswer:
        body = await self._client.call(
            "TrackingDocument", "getStatusDocuments", properties(question, with_phones=with_phones)
        )
        return read_answer(body, question, now_ms=self._host.clock.now(), cod_kind=self._settings.cod_kind)

    async def check(self) -> str:
        """Ask for the senders of the key, page one: refused without a valid key. Nothing of them is shown."""
        if not self._settings.api_key.get_secret_value():
            return "no api_key: parcels are followed, sums and return data stay hidden"
        body = await self._client.call(
            "Counterparty", "getCounterparties", {"CounterpartyProperty": "Sender", "Page": "1"}
        )
        envelope = read_envelope(body)
        refusal = reason(envelope)
        now_ms = self._host.clock.now()
        if refusal is not None:
            raise failure(envelope, refusal, now_ms=now_ms)
        return "the key works" + expiry_note(self._settings.api_key_expires, now_ms)


def expiry_note(expires: date | None, now_ms: int) -> str:
    """ "" while the key is good for long; from 14 days before its last day on, what to do."""
    if expires is None:
        return ""
    days = (expires - datetime.fromtimestamp(now_ms / 1000, UTC).date()).days
    if days > EXPIRY_WARNING_DAYS:
        return ""
    if days < 0:
        return f"; api_key_expires says it ended on {expires}: write the new day there"
    return f"; it expires on {expires}, in {days} days: make a new one in the business cabinet"


PLUGIN = CarrierPlugin(
    name="nova_poshta",
    title={"en": "Nova Poshta", "uk": "Нова пошта"},
    settings=NovaPoshtaSettings,
    create=NovaPoshta,
    version="1.0.0",
    homepage="https://developers.novaposhta.ua/",
)


@hookimpl
def hub_register(register: Register) -> None:
    """Offer the carrier."""
    register.carrier(PLUGIN)
