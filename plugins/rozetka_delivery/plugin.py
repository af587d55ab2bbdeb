"""Rozetka Delivery: follows the waybills of one seller through the marketplace's seller API."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from hub.sdk import (
    Carrier,
    CarrierCapabilities,
    CarrierPlugin,
    Documents,
    Host,
    NotTracked,
    Problem,
    Recognition,
    Register,
    TrackAnswer,
    Tracked,
    TrackingNumber,
    hookimpl,
)
from hub.sdk.reading import local_zone
from plugins.rozetka_delivery.client import RozetkaClient
from plugins.rozetka_delivery.numbers import recognise, wire_number
from plugins.rozetka_delivery.settings import RozetkaDeliverySettings
from plugins.rozetka_delivery.tracking import (
    ZONE,
    page_count,
    read_documents,
    read_waybill,
    unlisted,
)

LIST = "/delivery-rozetka/ttn-list"
STATUS_LIST = "/delivery-rozetka/search-data"
MAX_PAGES = 500


class RozetkaDelivery(Carrier):
    """One seller of the marketplace."""

    def __init__(self, account: str, settings: RozetkaDeliverySettings, host: Host) -> None:
        self.account = account
        self.capabilities = CarrierCapabilities(
            batch_size=1,
            calls_per_minute=settings.calls_per_minute,
            parallel_calls=1,
            reports_money=True,
            lists_documents=True,
            tracking_page=settings.tracking_page,
        )
        self._client = RozetkaClient(settings, host)

    def looks_like(self, text: str) -> Recognition:
        """UNK- and nine digits are ours."""
        return recognise(text)

    async def track(self, numbers: Sequence[TrackingNumber]) -> TrackAnswer:
        """One call a number: the list, filtered by it (several at once are not documented)."""
        found: list[Tracked] = []
        problems: list[NotTracked] = []
        for number in dict.fromkeys(one.number for one in numbers):
            wire = wire_number(number)
            if wire is None:
                problems.append(
                    NotTracked(
                        number=number, problem=Problem.BAD_NUMBER, message="a number looks like UNK-123456789"
                    )
                )
                continue
            envelope = await self._client.get(LIST, {"ttn": wire, "expand": "delivery_status_title"})
            entry = read_waybill(number, envelope.content)
            if isinstance(entry, Tracked):
                found.append(entry)
            else:
                problems.append(entry)
        return TrackAnswer(tracked=tuple(found), problems=tuple(problems))

    async def documents(self, since: datetime, page: str) -> Documents:
        """Waybills made since a day, in pages as the API cuts them."""
        at = int(page) if page.isascii() and page.isdigit() else 1
        day = since.astimezone(local_zone(ZONE)).date()
        envelope = await self._client.get(LIST, {"date_from": day.isoformat(), "page": str(at)})
        found = read_documents(envelope.content)
        more = found and at < min(page_count(envelope.content), MAX_PAGES)
        return Documents(documents=found, next_page=str(at + 1) if more else "")

    async def check(self) -> str:
        """Log in, load the list of statuses, and compare it with the table."""
        envelope = await self._client.get(STATUS_LIST, {})
        unknown = unlisted(envelope.content)
        if not unknown:
            return "the login works, all listed statuses are known"
        return f"the login works; statuses that the table does not have: {', '.join(unknown[:20])}"


PLUGIN = CarrierPlugin(
    name="rozetka_delivery",
    title={"en": "Rozetka Delivery", "uk": "Rozetka Delivery"},
    settings=RozetkaDeliverySettings,
    create=RozetkaDelivery,
    version="1.0.0",
    homepage="https://api-seller.rozetka.com.ua/apidoc/",
)


@hookimpl
def hub_register(register: Register) -> None:
    """Offer the carrier."""
    register.carrier(PLUGIN)
