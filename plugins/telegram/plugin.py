"""Telegram: a bot of the business as a channel, polled or over a web hook."""

from __future__ import annotations

from hub.sdk import ChannelPlugin, Host, Register, hookimpl
from plugins.telegram.bot import Telegram
from plugins.telegram.hooked import HookedTelegram
from plugins.telegram.polled import PolledTelegram
from plugins.telegram.settings import TelegramSettings


def create(account: str, settings: TelegramSettings, host: Host) -> Telegram:
    """The object for the way that the settings choose."""
    kind = PolledTelegram if settings.mode == "poll" else HookedTelegram
    return kind(account, settings, host)


PLUGIN = ChannelPlugin(
    name="telegram",
    title={"en": "Telegram", "uk": "Telegram"},
    settings=TelegramSettings,
    create=create,
    version="1.0.0",
    homepage="https://core.telegram.org/bots/api",
)


@hookimpl
def hub_register(register: Register) -> None:
    """Offer the channel."""
    register.channel(PLUGIN)
