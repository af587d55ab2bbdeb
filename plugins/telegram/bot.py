"""One bot of Telegram, however its updates come: what they say, files, replies."""

from __future__ import annotations

import hmac
import importlib.util
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from hub.sdk import (
    AnswerUnreadable,
    Channel,
    ChannelLimits,
    DeliveryRejected,
    Fetched,
    Host,
    HttpAnswer,
    Later,
    Outcome,
    Outgoing,
    Parsed,
    RawDelivery,
    Refused,
    SendResult,
    Sent,
    SettingsRejected,
    Uncertain,
    Verified,
)
from plugins.telegram import outgoing
from plugins.telegram.settings import TelegramSettings
from plugins.telegram.updates import Reader, callback_id, load

if TYPE_CHECKING:
    from plugins.telegram.client import TelegramClient

HEADER = "x-telegram-bot-api-secret-token"
LIBRARY = "telegram"

_NOTHING = HttpAnswer(status=200, body=b"{}")


class Telegram(Channel):
    """What both ways have in common.

    The last body that `verify` has read is kept for the `parse` of the very same delivery.
    """

    limits = ChannelLimits(max_body_bytes=1024 * 1024)

    def __init__(self, account: str, settings: TelegramSettings, host: Host) -> None:
        if importlib.util.find_spec(LIBRARY) is None:
            raise SettingsRejected('python-telegram-bot is not installed: pip install "omni-hub[telegram]"')
        self.account = account
        self._settings = settings
        self._clock = host.clock
        self._reader = Reader(
            bot=settings.bot_id, groups=settings.groups, channel_posts=settings.channel_posts
        )
        self._secret = hmac.digest(
            settings.token.get_secret_value().encode(), f"web hook of {account}".encode(), "sha256"
        ).hex()
        self._opened: TelegramClient | None = None
        self._last: tuple[RawDelivery, Any] | None = None
        self._quiet_until_ms = 0

    def _client(self) -> TelegramClient:
        """The library takes half a second to import: at the first call, not at every start."""
        if self._opened is None:
            from plugins.telegram.client import TelegramClient  # noqa: PLC0415 - see above

            self._opened = TelegramClient(self._settings)
        return self._opened

    async def close(self) -> None:
        """Close the connections."""
        if self._opened is not None:
            await self._opened.close()

    # --- what comes in --------------------------------------------------------------------------------

    def verify(self, raw: RawDelivery) -> Verified:
        """What was fetched is authentic; what is delivered must know the secret, told to Telegram alone."""
        if raw.method != "PULL":
            told = raw.headers.get(HEADER, "").encode("utf-8", "replace")
            if not hmac.compare_digest(told, self._secret.encode()):
                raise DeliveryRejected("signature", "the secret token is missing or wrong")
        update = load(raw.body)
        self._last = (raw, update)
        return Verified(external_id=self._reader.external_id(update, raw.body))

    def parse(self, raw: RawDelivery) -> Parsed:
        """One event."""
        last = self._last
        if last is not None and last[0] is raw:
            self._last = None  # no customer's words stay behind
            return self._reader.parse(last[1])
        return self._reader.parse(load(raw.body))

    def answer(self, outcome: Outcome, raw: RawDelivery) -> HttpAnswer:
        """A pressed button is told so in the answer itself: Telegram takes it as a call."""
        callback = callback_id(load(raw.body)) if b"callback_query" in raw.body else ""
        if not callback:
            return _NOTHING
        call = {"method": "answerCallbackQuery", "callback_query_id": callback}
        try:
            return HttpAnswer(status=200, body=orjson.dumps(call))
        except orjson.JSONEncodeError:
            return _NOTHING

    async def fetch(self, ref: str, limit_bytes: int) -> Fetched:
        """The file; Telegram gives bots at most 20 MB."""
        return await self._client().fetch(ref, limit_bytes)

    # --- what goes out --------------------------------------------------------------------------------

    async def send(self, message: Outgoing) -> SendResult:
        """One call for each part; the id is the last part's.

        After "too many requests" the whole bot keeps quiet: what it sends meanwhile makes the wait longer.
        """
        if (left_ms := self._quiet_until_ms - self._clock.now()) > 0:
            return Later(left_ms / 1000)
        where = outgoing.target(message)
        if isinstance(where, Refused):
            return where
        steps = outgoing.steps(message, where)
        if isinstance(steps, Refused):
            return steps
        result: SendResult = Uncertain()
        for number, step in enumerate(steps):
            result = await self._client().deliver(step, where)
            if isinstance(result, Later) and result.seconds:
                self._quiet_until_ms = self._clock.now() + round(result.seconds * 1000)
            if not isinstance(result, Sent):
                return result if number == 0 else _partly(number, len(steps), result)
        return result

    async def _about_itself(self) -> tuple[str, dict[str, Any], str]:
        """The bot's name, what Telegram tells about its web hook, and the address of that."""
        name = await self._client().name()
        info = await self._client().webhook()
        told = info.get("url")
        if not isinstance(told, str):
            raise AnswerUnreadable("getWebhookInfo names no address")
        return name, info, told


def _partly(sent: int, parts: int, result: SendResult) -> Uncertain:
    why = f": {result.reason}" if isinstance(result, Refused | Uncertain) and result.reason else ""
    return Uncertain(f"{sent} of {parts} parts were sent, then it stopped{why}")


def site(url: str) -> str:
    """Scheme and host: the path may hold another program's secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}" if parts.hostname else "an unknown address"
