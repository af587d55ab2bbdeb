"""Viber: a bot of the business as a channel, over a web hook and the REST API."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import orjson

from hub.sdk import (
    AnswerUnreadable,
    AuthenticationFailed,
    Channel,
    ChannelCapabilities,
    ChannelLimits,
    ChannelPlugin,
    Conflict,
    DeliveryRejected,
    Fetched,
    Host,
    HttpAnswer,
    Later,
    NotReached,
    Outcome,
    Outgoing,
    Parsed,
    RawDelivery,
    Refused,
    Register,
    SendResult,
    Sent,
    TemporaryFailure,
    Throttled,
    Uncertain,
    Verified,
    hookimpl,
)
from plugins.viber import events, outgoing, signature
from plugins.viber.client import Reply, ViberClient
from plugins.viber.media import Media
from plugins.viber.settings import ViberSettings
from plugins.viber.statuses import Meaning

MAX_BODY = 256 * 1024
MAX_UNSIGNED = 2_000
PAUSE_S = 10.0
"""How long all messages wait after "too many requests"; Viber publishes no figure."""

_NOTHING = HttpAnswer(status=200, body=b"{}")


class Viber(Channel):
    """One bot. The last body that `verify` has read is kept for the `parse` of the very same delivery."""

    capabilities = ChannelCapabilities(
        sends=True, files=outgoing.MAX_FILE, files_by_url=True, buttons=True, registers=True
    )
    limits = ChannelLimits(max_body_bytes=MAX_BODY)

    def __init__(self, account: str, settings: ViberSettings, host: Host) -> None:
        self.account = account
        self._settings = settings
        self._token = settings.token.get_secret_value().encode()
        self._clock = host.clock
        self._client = ViberClient(settings, host.http)
        self._media = Media(host.http, settings.base_url)
        self._last: tuple[RawDelivery, Any] | None = None
        self._url = ""
        self._quiet_until_ms = 0

    # --- what comes in --------------------------------------------------------------------------------

    def verify(self, raw: RawDelivery) -> Verified:
        """Right where the signature covers these bytes; the validation call may come without one."""
        proof = signature.told(raw.headers, raw.query)
        if not proof:
            return _unsigned(raw)
        if not signature.is_right(self._token, raw.body, proof):
            raise DeliveryRejected("signature", "the signature is not right for this body")
        document = events.load(raw.body)
        self._last = (raw, document)
        return Verified(external_id=events.external_id(document, raw.body))

    def parse(self, raw: RawDelivery) -> Parsed:
        """One event."""
        last = self._last
        if last is not None and last[0] is raw:
            self._last = None  # no customer's words stay behind
            return events.parse(last[1])
        return events.parse(events.load(raw.body))

    def answer(self, outcome: Outcome, raw: RawDelivery) -> HttpAnswer:
        """The greeting, where somebody opens the chat who is not subscribed yet; it can be sent in no other way."""
        if b"conversation_started" not in raw.body:
            return _NOTHING
        document = events.load(raw.body)
        if not isinstance(document, dict) or document.get("event") != "conversation_started":
            return _NOTHING
        if document.get("subscribed") is True:
            return _NOTHING
        user = document.get("user")
        language = user.get("language") if isinstance(user, dict) else ""
        payload = outgoing.welcome(self._settings, language if isinstance(language, str) else "")
        return _NOTHING if payload is None else HttpAnswer(status=200, body=orjson.dumps(payload))

    async def fetch(self, ref: str, limit_bytes: int) -> Fetched:
        """The file behind a message's link, which is good for about an hour."""
        return await self._media.fetch(ref, limit_bytes)

    # --- what goes out --------------------------------------------------------------------------------

    async def send(self, message: Outgoing) -> SendResult:
        """One call for each part; the id is the last part's, whose marks stand for all of them."""
        if (left_ms := self._quiet_until_ms - self._clock.now()) > 0:
            return Later(left_ms / 1000)
        payloads = outgoing.plan(message, self._settings)
        if isinstance(payloads, Refused):
            return payloads
        result: SendResult = Uncertain()
        for number, payload in enumerate(payloads):
            result = await self._send(payload)
            if not isinstance(result, Sent):
                return result if number == 0 else _partly(number, len(payloads), result)
        return result

    async def _send(self, payload: outgoing.Payload) -> SendResult:
        """One part. What Viber has refused for the form alone is asked once more in another form."""
        try:
            reply = await self._client.send(payload)
            if reply.status.meaning is Meaning.PLAIN and (bare := outgoing.plain(payload)) is not None:
                reply = await self._client.send(bare)
            if reply.status.meaning is Meaning.WEBHOOK and await self._webhook_again():
                reply = await self._client.send(payload)
        except Throttled as throttled:
            return self._pause(throttled.retry_after_s or PAUSE_S)
        except NotReached:
            return Later()
        except TemporaryFailure as failure:
            return Uncertain(f"Viber did not say whether it took the message ({failure.message})")
        except AnswerUnreadable as unreadable:
            return Uncertain(f"Viber did not say whether it took the message ({unreadable.message})")
        return self._result(reply)

    async def _webhook_again(self) -> bool:
        """Viber sends only for bots with a web hook; one that is gone is nobody's, so ours is set again."""
        if not self._url:
            return False
        try:
            await self._register(self._url)
        except (TemporaryFailure, AnswerUnreadable):
            return False
        return True

    def _result(self, reply: Reply) -> SendResult:
        match reply.status.meaning:
            case Meaning.OK:
                return Sent(reply.text("message_token"))
            case Meaning.LATER:
                return self._pause(PAUSE_S)
            case Meaning.WEBHOOK:
                return Later(60)
            case Meaning.STOPPED:
                raise AuthenticationFailed(f"{reply.status.sentence} (status {reply.code})")
            case _:
                return Refused(f"{reply.status.sentence} (status {reply.code})")

    def _pause(self, seconds: float) -> Later:
        """The whole bot keeps quiet: the next message would only be refused too."""
        self._quiet_until_ms = self._clock.now() + round(seconds * 1000)
        return Later(seconds)

    # --- the web hook ---------------------------------------------------------------------------------

    async def open_webhook(self, url: str) -> None:
        """Set the web hook; Viber calls it before it answers. Another program's is left alone.

        Raises Conflict where another program has the bot, TemporaryFailure where Viber did not reach the hub.
        """
        told = self._read(await self._client.account()).text("webhook")
        if told and told != url and not self._leads_here(told) and not self._settings.take_over:
            raise Conflict(
                f"the web hook of this bot leads to {_site(told)}: another program uses it. Stop it there, or "
                "set take_over = true to move it here"
            )
        await self._register(url)

    async def _register(self, url: str) -> None:
        self._url = url
        reply = self._read(await self._client.set_webhook(url, receipts=self._settings.receipts))
        if reply.status.meaning is not Meaning.OK:
            raise TemporaryFailure(
                f"Viber does not accept the web hook {_site(url)}: {reply.words or 'it gives no reason'} "
                f"(status {reply.code}). It needs https with a public certificate, and an answer at once"
            )

    async def close_webhook(self) -> None:
        """Take the web hook away, unless it is another program's by now."""
        told = self._read(await self._client.account()).text("webhook")
        if told and self._leads_here(told):
            self._read(await self._client.set_webhook("", receipts=False))
        self._url = ""

    async def check(self) -> str:
        """Ask for the bot's own data: is the token good, and does the web hook lead here?"""
        reply = self._read(await self._client.account())
        if reply.status.meaning is not Meaning.OK:
            raise TemporaryFailure(f"Viber answers: {reply.words or 'no reason given'} (status {reply.code})")
        told = reply.text("webhook")
        if not told:
            raise Conflict(
                "the bot has no web hook at Viber: it was taken away, or the hub has not started yet"
            )
        if not self._leads_here(told):
            raise Conflict(f"the web hook of this bot leads to {_site(told)}: another program has taken it")
        name, subscribers = reply.text("name")[:100], reply.text("subscribers_count") or "?"
        return f"Viber knows the bot as {name}: its web hook leads here, {subscribers} subscribers"

    def _leads_here(self, told: str) -> bool:
        """Exactly, where this process has set it; else by the path, which names the account."""
        if self._url:
            return told == self._url
        return urlsplit(told).path.rstrip("/").endswith(f"/in/{self.account}")

    def _read(self, reply: Reply) -> Reply:
        if reply.status.meaning is Meaning.STOPPED:
            raise AuthenticationFailed(f"{reply.status.sentence} (status {reply.code})")
        if reply.status.meaning is Meaning.LATER:
            raise Throttled(reply.status.sentence, retry_after_s=PAUSE_S)
        return reply


def _unsigned(raw: RawDelivery) -> Verified:
    """The validation call has been seen without a signature; it says nothing, so it does no harm.

    All of them are one delivery: nobody can fill the database with them.
    """
    document = events.load(raw.body) if len(raw.body) <= MAX_UNSIGNED else None
    if isinstance(document, dict) and document.get("event") == "webhook":
        return Verified(external_id="unsigned webhook")
    raise DeliveryRejected("signature", "there is no signature: only Viber may deliver here")


def _partly(sent: int, parts: int, result: SendResult) -> Uncertain:
    why = f": {result.reason}" if isinstance(result, Refused | Uncertain) and result.reason else ""
    return Uncertain(f"{sent} of {parts} parts were sent, then it stopped{why}")


def _site(url: str) -> str:
    """Scheme and host: the path may hold another program's secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or '?'}"


PLUGIN = ChannelPlugin(
    name="viber",
    title={"en": "Viber", "uk": "Viber"},
    settings=ViberSettings,
    create=Viber,
    version="1.0.0",
    homepage="https://developers.viber.com/docs/api/rest-bot-api/",
)


@hookimpl
def hub_register(register: Register) -> None:
    """Offer the channel."""
    register.channel(PLUGIN)
