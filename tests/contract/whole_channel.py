"""A channel that can everything, in memory, and the kit for it. `tests/contract/test_kit_of_channels.py` breaks it."""

import asyncio
import hashlib
import hmac
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from hub.sdk import (
    AnswerUnreadable,
    Attachment,
    AuthenticationFailed,
    Channel,
    ChannelCapabilities,
    ChannelLimits,
    ChannelPlugin,
    DeliveryRejected,
    Event,
    EventKind,
    Fetched,
    Host,
    HttpAnswer,
    Later,
    Mark,
    NotReached,
    Outcome,
    Outgoing,
    Parsed,
    PayloadUnreadable,
    PermanentFailure,
    Pulled,
    PulledDelivery,
    RawDelivery,
    Refused,
    Sender,
    SendResult,
    Sent,
    TemporaryFailure,
    Throttled,
    Verified,
)
from hub.sdk.reading import read_object, told_text
from hub.testing.contract_channel import RECEIVED_AT, ChannelContract, Signature, post
from hub.testing.host import LoopbackHost
from hub.testing.situations import Situation

TOKEN, SECRET = "the-token-of-the-whole", "the-secret-of-the-whole"
WINDOW_S = 300
NOW_S = int(RECEIVED_AT.timestamp())


class WholeSettings(BaseModel):
    """Two secrets and an address."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    base_url: str = Field(default="http://channel.invalid/", description="Where it is.")
    token: SecretStr = Field(default=SecretStr(TOKEN), description="Its key.")
    secret: SecretStr = Field(default=SecretStr(SECRET), description="What deliveries are signed with.")


def proof(body: bytes, secret: str, at_s: int = NOW_S) -> str:
    made = hmac.new(secret.encode(), str(at_s).encode() + body, hashlib.sha256).hexdigest()
    return f"{at_s}.{made}"


def sign(raw: RawDelivery, secret: str) -> RawDelivery:
    return replace(raw, headers={**raw.headers, "x-proof": proof(raw.body, secret)})


class Whole(Channel):
    """Everything as it ought to be."""

    capabilities = ChannelCapabilities(
        has_page=True, pulls=True, rescans=True, sends=True, registers=True, files=1_000
    )
    limits = ChannelLimits(max_body_bytes=256 * 1024)

    def __init__(self, account: str, settings: WholeSettings, host: Host) -> None:
        self._token = settings.token.get_secret_value()
        self._secret = settings.secret.get_secret_value()
        self._base = settings.base_url.rstrip("/")
        self._http = host.http

    # what comes in

    def verify(self, raw: RawDelivery) -> Verified:
        if raw.method != "PULL":
            self.check_proof(raw, raw.headers.get("x-proof", ""))
        return Verified(external_id=hashlib.sha256(raw.body).hexdigest())

    def check_proof(self, raw: RawDelivery, told: str) -> None:
        at = told.partition(".")[0]
        at_s = int(at) if at.isascii() and at.isdigit() and len(at) < 12 else 0
        right = proof(raw.body, self._secret, at_s).encode()
        if not hmac.compare_digest(right, told.encode("utf-8", "replace")):
            raise DeliveryRejected("signature")
        if abs(raw.received_at.timestamp() - at_s) > WINDOW_S:
            raise DeliveryRejected("stale")

    def parse(self, raw: RawDelivery) -> Parsed:
        return Parsed(events=(self.event(self.load(raw)),))

    def load(self, raw: RawDelivery) -> dict[str, Any]:
        document = read_object(raw.body)
        if document is None:
            raise PayloadUnreadable("no JSON object")
        return document

    def event(self, document: dict[str, Any]) -> Event:
        kind, words = document.get("type"), told_text(document.get("text"), 1_000)
        if kind == "seen":
            about = told_text(document.get("about"), 100)
            return Event(kind=EventKind.RECEIPT, about=about or "?", mark=Mark.SEEN)
        sender = Sender(
            channel_id=told_text(document.get("from"), 100), name=told_text(document.get("name"), 100)
        )
        if kind != "message" or not sender.channel_id:
            return Event(kind=EventKind.IGNORED)
        files = (Attachment(name="a.pdf", ref="file-1"),) if document.get("file") else ()
        return Event(kind=EventKind.MESSAGE, sender=sender, text=words, attachments=files)

    def answer(self, outcome: Outcome, raw: RawDelivery) -> HttpAnswer:
        return HttpAnswer(status=200, body=json.dumps({"is": outcome.kind}).encode())

    def page(self, path: str, query: Mapping[str, str], language: str) -> HttpAnswer | None:
        if path != "/form":
            return None
        told = html.escape("".join([*query, *query.values()]))
        return HttpAnswer(status=200, body=told.encode("utf-8", "replace"), media_type="text/html")

    # what is fetched and sent

    async def call(self, path: str, **parameters: Any) -> Any:
        reply = await self._http.request(
            "POST",
            f"{self._base}/{path}",
            content=json.dumps(parameters).encode(),
            headers={"x-key": self._token},
        )
        if reply.status in {401, 403}:
            raise AuthenticationFailed("the key is not accepted")
        if reply.status == 410:
            raise PermanentFailure("it is not there any more")
        if reply.status != 200:
            raise TemporaryFailure(f"HTTP {reply.status}")
        answer = read_object(reply.body)
        if answer is None or answer.get("ok") is not True:
            raise AnswerUnreadable("no answer of this service")
        return answer

    async def pull(self, position: str, wait_s: float) -> Pulled:
        items = (await self.call("news", after=position))["items"]
        if not items:
            await asyncio.sleep(max(0.5, wait_s))
        return self.brought(items)

    def brought(self, items: Sequence[Any]) -> Pulled:
        return Pulled(
            deliveries=tuple(
                PulledDelivery(body=json.dumps(one).encode(), position=str(one["id"]), headers={"uid": "1"})
                for one in items
            )
        )

    async def rescan(self, since: datetime, after: str) -> Pulled:
        return self.brought((await self.call("news", after=after))["items"])

    async def taken(self, positions: Sequence[str]) -> None:
        if positions:
            await self.call("taken", upto=positions[-1])

    async def send(self, message: Outgoing) -> SendResult:
        if not message.to.channel_id:
            return Refused("this person has never written here")
        if any(len(file.body) > self.capabilities.files for file in message.files):
            return Refused("this file is too large")
        try:
            return Sent(
                told_text((await self.call("send", to=message.to.channel_id, text=message.text))["id"], 100)
            )
        except Throttled as error:
            return Later(error.retry_after_s or 0)
        except NotReached:
            return Later()

    async def fetch(self, ref: str, limit_bytes: int) -> Fetched:
        answer = await self.call("file", ref=ref)
        body = answer["body"].encode()
        if len(body) > limit_bytes:
            raise PermanentFailure("this file is larger than the limit")
        return Fetched(body=body)

    async def open_webhook(self, url: str) -> None:
        await self.call("hook", url=url)

    async def close_webhook(self) -> None:
        await self.call("hook", url="")

    async def check(self) -> str:
        await self.call("me")
        return "the key is accepted"


PLUGIN = ChannelPlugin(
    name="whole", title={"en": "Whole", "uk": "Ціле"}, settings=WholeSettings, create=Whole, version="1.0"
)


class WholeContract(ChannelContract):
    """Not collected: its name does not begin with Test."""

    plugin = PLUGIN
    settings = {"token": TOKEN, "secret": SECRET}
    secrets = (TOKEN, SECRET)
    signature = Signature(header="x-proof", secret=SECRET, sign=sign, window_s=WINDOW_S, setting="secret")
    pages = ("/form",)
    file_ref = "file-1"
    kind: type[Channel] = Whole

    def make(self, **overrides: Any) -> Channel:
        settings = WholeSettings.model_validate(overrides)
        return self.kind("account", settings, LoopbackHost())  # type: ignore[call-arg]

    def wired(self, host: Host) -> Channel:
        return self.kind("account", WholeSettings(), host)  # type: ignore[call-arg]

    def good_deliveries(self) -> Sequence[RawDelivery]:
        message = {
            "type": "message",
            "id": 1,
            "from": "u-1",
            "name": "Olena Testova",
            "text": "Good day to you!",
        }
        return [
            post(json.dumps(message).encode()),
            post(json.dumps({**message, "id": 2, "file": True}).encode()),
            post(b'{"type": "seen", "id": 3, "about": "m-1"}'),
        ]

    def strange_deliveries(self) -> Sequence[RawDelivery]:
        return [post(b'{"type": "never_seen_before", "id": 4, "from": "u-1", "text": "hello"}')]

    def reply(self, request: httpx.Request, situation: Situation) -> httpx.Response:
        path = request.url.path.strip("/")
        if situation is Situation.GONE:
            return httpx.Response(410)
        if path == "news":
            items = [json.loads(raw.body) for raw in self.good_deliveries()]
            return httpx.Response(
                200, json={"ok": True, "items": items if situation is Situation.WELL else []}
            )
        return httpx.Response(200, json={"ok": True, "id": "m-9", "body": "some bytes of a file"})
