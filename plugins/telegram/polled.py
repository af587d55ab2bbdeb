"""A bot that is asked for its updates.

Polling is our own loop: the position names the first update that is not stored yet, and asking for it is
what confirms the ones before. The library's own loop confirms what it has only queued in memory.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from hub.sdk import (
    ChannelCapabilities,
    Conflict,
    Host,
    PluginError,
    Pulled,
    PulledDelivery,
    TemporaryFailure,
)
from plugins.telegram import outgoing
from plugins.telegram.bot import Telegram, site
from plugins.telegram.settings import TelegramSettings
from plugins.telegram.updates import LIMIT, as_bytes, callback_id

MAX_POLL_S = 50
MIN_POLL_S = 0.5
CONFLICT_WAIT_S = 3.0
SILENCE_S = 40.0
"""Two of the hub's long polls: one that hangs is an alarm by then, whatever the line says."""
FORGOTTEN_AFTER_S = 6 * 24 * 3600
"""After a week without updates Telegram begins to count anew, perhaps lower: then nothing is asked to be skipped."""
MAX_CALLBACKS = 500
MAX_DIGITS = 18


class PolledTelegram(Telegram):
    """`mode = "poll"`."""

    capabilities = ChannelCapabilities(
        receives=False, pulls=True, sends=True, files=outgoing.MAX_FILE, buttons=True, silence_s=SILENCE_S
    )

    def __init__(self, account: str, settings: TelegramSettings, host: Host) -> None:
        super().__init__(account, settings, host)
        self._conflicts = 0
        self._callbacks: dict[int, str] = {}

    # --- polling --------------------------------------------------------------------------------------

    async def pull(self, position: str, wait_s: float) -> Pulled:
        """Ask for what follows the position, which confirms the rest. Position: `offset@seconds of the last news`."""
        offset, seen_s = _read_position(position)
        now_s = self._clock.now() // 1000
        if offset is not None:
            await self._answer_callbacks(offset)
            if now_s - seen_s > FORGOTTEN_AFTER_S:
                offset = None
        started = time.monotonic()
        updates = await self._updates(offset, max(0, min(int(wait_s), MAX_POLL_S)))
        if not updates:
            await asyncio.sleep(max(0.0, MIN_POLL_S - (time.monotonic() - started)))
            return Pulled()
        self._remember_callbacks(updates)
        deliveries = tuple(
            PulledDelivery(body=as_bytes(update), position=f"{update['update_id'] + 1}@{now_s}")
            for update in updates
        )
        return Pulled(deliveries=deliveries, more=len(deliveries) == LIMIT)

    async def _updates(self, offset: int | None, wait_s: int) -> list[dict[str, Any]]:
        try:
            updates = await self._client().updates(offset, wait_s)
        except Conflict as conflict:
            raise await self._conflict(conflict.message) from None
        self._conflicts = 0
        return updates

    async def _conflict(self, description: str) -> PluginError:
        """One conflict is an old poll of ours that is still open; two in a row are another program."""
        if "webhook" in description.lower():
            told = await self._webhook_url()
            return Conflict(
                f"a web hook to {site(told)} is set for this bot, so it cannot be polled: take it away there, "
                'or set mode = "webhook" here'
            )
        self._conflicts += 1
        if self._conflicts == 1:
            return TemporaryFailure(
                "another getUpdates is still open (409): perhaps our own of before the restart",
                retry_after_s=CONFLICT_WAIT_S,
            )
        return Conflict(
            "another program reads this bot's messages with the same token (409): stop it, or let BotFather make "
            "a new token (/revoke) and set it here"
        )

    async def _webhook_url(self) -> str:
        try:
            told = (await self._client().webhook()).get("url")
        except PluginError:
            return ""
        return told if isinstance(told, str) else ""

    async def taken(self, positions: Sequence[str]) -> None:
        """The buttons of what is stored may stop spinning."""
        offsets = [offset for offset, _ in map(_read_position, positions) if offset is not None]
        if offsets:
            await self._answer_callbacks(max(offsets))

    def _remember_callbacks(self, updates: Sequence[dict[str, Any]]) -> None:
        for update in updates:
            callback = callback_id(update)
            if callback and len(self._callbacks) < MAX_CALLBACKS:
                self._callbacks[update["update_id"]] = callback

    async def _answer_callbacks(self, before: int) -> None:
        """An answer that comes to nothing is no harm: the button stops by itself after a while."""
        for number in [number for number in self._callbacks if number < before]:
            callback = self._callbacks.pop(number)
            try:
                await self._client().answer_callback(callback)
            except TemporaryFailure:
                return
            except PluginError:
                continue

    async def check(self) -> str:
        """Is the token good, and is there no web hook that would take the updates?"""
        name, info, told = await self._about_itself()
        if told:
            raise Conflict(
                f"a web hook to {site(told)} is set for {name}, so it cannot be polled: take it away there, "
                'or set mode = "webhook" here'
            )
        waiting = info.get("pending_update_count")
        return f"Telegram knows the bot as {name}: it is polled, {waiting} updates wait"


def _read_position(position: str) -> tuple[int | None, int]:
    """The offset to ask from, and when the last update came; None at the very first."""
    offset, _, seen = position.partition("@")
    if not (offset.isascii() and offset.isdigit() and len(offset) <= MAX_DIGITS):
        return None, 0
    return int(offset), int(seen) if seen.isascii() and seen.isdigit() and len(seen) <= MAX_DIGITS else 0
