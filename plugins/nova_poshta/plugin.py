"""Nova Poshta (Нова пошта), API 2.0: follows domestic waybills and the money of their cash on delivery."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from hub.sdk import (
    Carrier,
    CarrierCapabilities,
    CarrierPlugin,
    Documents,
    Host,
    Notice,
    Recognition,
    Register,
    TrackAnswer,
    TrackingNumber,
    Transfers,
    hookimpl,
)
from plugins.nova_poshta.client import NovaPoshtaClient
from plugins.nova_poshta.envelope import read_envelope
from plugins.nova_poshta.errors import PhonesRefused, failure, reason
from plugins.nova_poshta.lists import (
    Place,
    documents_question,
    read_documents,
    read_transfers,
    transfers_question,
)
from plugins.nova_poshta.numbers import recognise
from plugins.nova_poshta.settings import NovaPoshtaSettings
from plugins.nova_poshta.tracking import BATCH_SIZE, Question, ask, properties, read_answer
from plugins.nova_poshta.watch import Absences, key_expires


class NovaPoshta(Carrier):
    """One key of one counterparty; an empty key tracks too, with sums and return data hidden."""

    def __init__(self, account: str, settings: NovaPoshtaSettings, host: Host) -> None:
        self.account = account
        has_key = bool(settings.api_key.get_secret_value())
        self.capabilities = CarrierCapabilities(
            batch_size=BATCH_SIZE,
            calls_per_minute=settings.calls_per_minute,
            parallel_calls=1,
            tracks_without_key=True,
            reports_money=True,
            calls_per_day=settings.calls_per_day,
            needs_phone=not has_key,
            lists_documents=has_key,
            lists_transfers=has_key and settings.list_transfers,
            tracking_page=settings.tracking_page,
        )
        self._settings = settings
        self._host = host
        self._absences = Absences(host)
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
        async with self._absences.noted("getStatusDocuments"):
            body = await self._client.call(
                "TrackingDocument", "getStatusDocuments", properties(question, with_phones=with_phones)
            )
            now_ms = self._host.clock.now()
            return read_answer(body, question, now_ms=now_ms, cod_kind=self._settings.cod_kind)

    async def documents(self, since: datetime, page: str) -> Documents:
        """Waybills of the key's owner from a day on, also those made by hand in the cabinet."""
        place, now_ms = Place.of(page), self._host.clock.now()
        async with self._absences.noted("getDocumentList"):
            body = await self._client.call(
                "InternetDocument", "getDocumentList", documents_question(since, place, now_ms)
            )
            return read_documents(body, place, now_ms=now_ms, cod_kind=self._settings.cod_kind)

    async def transfers(self, since: datetime, page: str) -> Transfers:
        """Money transfers to the key's owner from a moment on."""
        place, now_ms = Place.of(page), self._host.clock.now()
        async with self._absences.noted("getMoneyTransferDocuments"):
            body = await self._client.call(
                "InternetDocument", "getMoneyTransferDocuments", transfers_question(since, place, now_ms)
            )
            return read_transfers(body, place, now_ms=now_ms)

    async def notices(self) -> tuple[Notice, ...]:
        """A key that ends within two weeks; methods that the carrier has refused for a day."""
        ends = key_expires(self._settings.api_key_expires, self._host.clock.now())
        return (*((ends,) if ends is not None else ()), *await self._absences.notices())

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
        return "; ".join(["the key works", *(notice.text["en"] for notice in await self.notices())])


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
