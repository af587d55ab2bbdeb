"""What the people of an account are told before it fails: a key that ends, a method that stays away.

The carrier's methods vanish and come back without notice, so one that is gone is a temporary failure. It becomes a
notice when it was gone for a day. All processes share what they saw through the account's store; a gap of GAP
between two sightings begins anew, so that a process which died in between leaves no false alarm.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, timedelta

from hub.sdk import Host, Notice
from plugins.nova_poshta.dates import kyiv_now
from plugins.nova_poshta.errors import MethodGone

EXPIRY_WARNING_DAYS = 14
DAY_MS = 86_400_000
GAP_MS = 6 * 3_600_000
METHODS = ("getStatusDocuments", "getDocumentList", "getMoneyTransferDocuments")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """Since when a method is gone, and when that was seen last. Milliseconds since 1970."""

    since: int
    seen: int

    @classmethod
    def of(cls, stored: str | None) -> Gone | None:
        """What the store holds; None for nothing and for what another version wrote."""
        try:
            told = json.loads(stored or "")
            return cls(since=int(told["since"]), seen=int(told["seen"]))
        except (ValueError, TypeError, KeyError):
            return None

    def written(self) -> str:
        """For the store."""
        return json.dumps({"since": self.since, "seen": self.seen})


class Absences:
    """The methods that are gone, as all processes see them."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._gone: set[str] = set()

    @asynccontextmanager
    async def noted(self, method: str) -> AsyncIterator[None]:
        """Around one call and the reading of its answer."""
        try:
            yield
        except MethodGone:
            self._gone.add(method)
            await self._see(method)
            raise
        if method in self._gone:
            self._gone.discard(method)
            await self._put(method, None)

    async def notices(self) -> tuple[Notice, ...]:
        """One for each method that was gone for a day and still is."""
        now = self._host.clock.now()
        found = []
        for method in METHODS:
            gone = Gone.of(await self._host.store.get(_key(method)))
            if gone is not None and gone.seen - gone.since >= DAY_MS and now - gone.seen < GAP_MS:
                found.append(_method_gone(method))
        return tuple(found)

    async def _see(self, method: str) -> None:
        now = self._host.clock.now()
        known = Gone.of(await self._host.store.get(_key(method)))
        goes_on = known is not None and now - known.seen < GAP_MS
        await self._put(method, Gone(since=known.since if known is not None and goes_on else now, seen=now))

    async def _put(self, method: str, gone: Gone | None) -> None:
        """Somebody quicker wrote about the same: his word is as good as ours."""
        before = await self._host.store.get(_key(method))
        await self._host.store.put(_key(method), gone.written() if gone else "", expected=before)


def _key(method: str) -> str:
    return f"gone.{method}"


def _method_gone(method: str) -> Notice:
    return Notice(
        key=f"gone.{method}",
        text={
            "en": f"Nova Poshta has refused the method {method} for a day: look for a newer version of the plugin",
            "uk": f"Нова пошта добу відхиляє метод {method}: перевірте, чи немає новішої версії плагіна",
        },
    )


def key_expires(expires: date | None, now_ms: int) -> Notice | None:
    """From 14 days before the last day of the key on, by Kyiv's calendar; None while it is good for long."""
    if expires is None:
        return None
    today = kyiv_now(now_ms).date()
    if expires - today > timedelta(days=EXPIRY_WARNING_DAYS):
        return None
    if expires < today:
        english = f"api_key_expires says that the key ended on {expires}: write the new key and its day there"
        ukrainian = f"за api_key_expires строк дії ключа скінчився {expires}: впишіть новий ключ і його дату"
    else:
        english = f"the API key expires on {expires}: make a new one in the business cabinet"
        ukrainian = f"строк дії ключа API спливає {expires}: створіть новий у бізнес-кабінеті"
    return Notice(key="key_expires", text={"en": english, "uk": ukrainian})
