"""A bot whose updates Telegram delivers to the hub's web hook."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from hub.sdk import ChannelCapabilities, Conflict, Host, TemporaryFailure
from plugins.telegram import outgoing
from plugins.telegram.bot import Telegram, site
from plugins.telegram.settings import TelegramSettings

RECENT_S = 300


class HookedTelegram(Telegram):
    """`mode = "webhook"`."""

    capabilities = ChannelCapabilities(registers=True, sends=True, files=outgoing.MAX_FILE, buttons=True)

    def __init__(self, account: str, settings: TelegramSettings, host: Host) -> None:
        super().__init__(account, settings, host)
        self._url = ""

    async def open_webhook(self, url: str) -> None:
        """Set the web hook with its secret. Another program's is left alone.

        Raises Conflict where another program has the bot, PermanentFailure where Telegram refuses the address.
        """
        told = (await self._client().webhook()).get("url")
        elsewhere = isinstance(told, str) and told and told != url and not self._leads_here(told)
        if elsewhere and not self._settings.take_over:
            raise Conflict(
                f"the web hook of this bot leads to {site(str(told))}: another program uses it. Stop it there, or "
                "set take_over = true to move it here"
            )
        self._url = url
        await self._client().set_webhook(url, self._secret)

    async def close_webhook(self) -> None:
        """Take the web hook away, unless it is another program's by now."""
        told = (await self._client().webhook()).get("url")
        if isinstance(told, str) and told and self._leads_here(told):
            await self._client().delete_webhook()
        self._url = ""

    async def check(self) -> str:
        """Is the token good, and do updates come to us and to nobody else?"""
        name, info, told = await self._about_itself()
        if not told:
            raise Conflict(f"{name} has no web hook: it was taken away, or the hub has not started yet")
        if not self._leads_here(told):
            raise Conflict(f"the web hook of {name} leads to {site(told)}: another program has taken it")
        self._look_at_deliveries(info)
        waiting = info.get("pending_update_count")
        return f"Telegram knows the bot as {name}: its web hook leads here, {waiting} updates wait"

    def _look_at_deliveries(self, info: dict[str, Any]) -> None:
        """Raises TemporaryFailure where Telegram has lately failed to deliver, and something waits."""
        failed_s, why = info.get("last_error_date"), info.get("last_error_message")
        if not isinstance(failed_s, int) or not info.get("pending_update_count"):
            return
        if self._clock.now() // 1000 - failed_s <= RECENT_S:
            raise TemporaryFailure(f"Telegram cannot deliver to the hub: {str(why)[:200]}")

    def _leads_here(self, told: str) -> bool:
        """Exactly, where this process has set it; else by the path, which names the account."""
        if self._url:
            return told == self._url
        return urlsplit(told).path.rstrip("/").endswith(f"/in/{self.account}")
