"""An emulator of Viber's bot API, for tests, for `hub demo` and for plugin authors.

    emulator = ViberEmulator(token="emulated-token")
    base_url = await emulator.start()                        # for the plugin's `base_url`
    ...                                                      # the plugin sets its web hook: called back at once
    customer = emulator.add_customer("Олена")
    told = await emulator.say(customer, "Чи є в наявності?")   # signed, repeated until HTTP 200

Callbacks are signed and repeated with the same token until they are answered with 200, at most `max_tries` times.
`send_message` checks what Viber checks and answers HTTP 200 with a status; marks (delivered, seen) follow by
themselves. Every answer says that it is emulated: header `X-Emulator`, key `emulator`, `chat_hostname`; so does
every callback: header `X-Emulator`, `chat_hostname`.

What is not known of Viber, and is invented here: how long it waits between repeats, and when it gives up.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import itertools
import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp
from aiohttp import web

from hub.kernel.clock import Clock, SystemClock
from hub.testing.emulators.people import Crowd
from hub.testing.emulators.serving import LineFault, Port, faulty, marker

MARK = "viber"
SIGNATURE = "X-Viber-Content-Signature"

Spoiling = Literal[
    "wrong_signature", "no_signature", "sig_in_query", "half_body", "repeat", "lost_answer", "hold"
]
"""How the next callback goes wrong at its first try; later tries are right.

repeat delivers once more although it was answered, lost_answer does not see the answer and tries again,
hold keeps it back until the next one has been delivered (out of order).
"""

_EVENTS = ("delivered", "seen", "failed", "subscribed", "unsubscribed", "conversation_started", "message")
_NAMES = {
    0: "ok",
    1: "invalidUrl",
    2: "invalidAuthToken",
    3: "badData",
    4: "missingData",
    5: "receiverNotRegistered",
    6: "receiverNotSubscribed",
    7: "publicAccountBlocked",
    10: "webhookNotSet",
    12: "tooManyRequests",
    13: "apiVersionNotSupported",
}
_ANSWER_S = 10.0


@dataclass(slots=True)
class Customer:
    """One invented person."""

    id: str
    name: str
    language: str = "uk"
    subscribed: bool = False
    api_version: int = 10
    tracking_data: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """How a callback went: its token, the status of each try, the last answer's body."""

    token: int
    statuses: tuple[int, ...]
    body: bytes

    @property
    def taken(self) -> bool:
        """Was it answered with 200 in the end?"""
        return bool(self.statuses) and self.statuses[-1] == 200


@dataclass(slots=True)
class ViberEmulator:
    """Viber in this process. Customers and faults may be added at any time.

    token      the bot's token: checked in calls, key of the signatures
    retry_s    the distance to the first repeat; it doubles each time
    receipts   marks that follow each message that is taken
    hang_s     how long the fault "timeout" keeps a call waiting
    sent       the `send_message` calls that were taken, oldest first
    fetched    files of them that lie on this machine, as Viber got them: (status, media type, bytes) by address
    calls      names of all calls
    webhook    where callbacks go; "" for nowhere
    base_url   where it listens
    """

    token: str = "emulated-token"  # noqa: S105 - of the emulator
    clock: Clock = field(default_factory=SystemClock)
    retry_s: float = 5.0
    max_tries: int = 13
    receipts: tuple[str, ...] = ("delivered", "seen")
    hang_s: float = 30.0
    webhook: str = ""
    base_url: str = ""
    event_types: tuple[str, ...] = _EVENTS
    sent: list[dict[str, Any]] = field(default_factory=list)
    fetched: dict[str, tuple[int, str, bytes]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    customers: dict[str, Customer] = field(default_factory=dict)
    _port: Port = field(default_factory=Port)
    _files: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    _faults: deque[LineFault | int] = field(default_factory=deque)
    _spoilings: deque[Spoiling] = field(default_factory=deque)
    _held: list[bytes] = field(default_factory=list)
    _tokens: itertools.count[int] = field(default_factory=lambda: itertools.count(5_741_311_803_571_721_087))
    _running: set[asyncio.Task[Any]] = field(default_factory=set)
    _session: aiohttp.ClientSession | None = None

    # What a test or the demo does ----------------------------------------------------------------------

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen; returns the address for the plugin's `base_url`."""
        self._session = aiohttp.ClientSession(headers={"X-Emulator": MARK, "User-Agent": "emulated Viber"})
        self.base_url = await self._port.open(self.application(), host, port)
        return self.base_url

    async def stop(self) -> None:
        """Close the port and give up what is still to be delivered."""
        await self._port.close()
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def application(self) -> web.Application:
        """The aiohttp application."""
        app = web.Application(client_max_size=1024 * 1024)
        app.router.add_post("/pa/{method}", self._handle)
        app.router.add_get("/media/{name}", self._media)
        app.on_response_prepare.append(marker(MARK))
        return app

    def add_customer(self, name: str = "Олена (емуляція)", language: str = "uk", **more: Any) -> Customer:
        """A person who knows the bot's name; subscribed from the first message on."""
        number = len(self.customers) + 1
        id_ = base64.b64encode(f"emulated/{number:06d}".encode()).decode()
        self.customers[id_] = Customer(id=id_, name=name, language=language, **more)
        return self.customers[id_]

    def fail_next(self, n: int = 1, kind: LineFault | int = "http_500") -> None:
        """The next `n` calls fail in this way: a fault of the line, or a status of Viber (12, 7, ...)."""
        self._faults.extend([kind] * n)

    def spoil_next(self, kind: Spoiling, n: int = 1) -> None:
        """The next `n` callbacks go wrong in this way."""
        self._spoilings.extend([kind] * n)

    async def settle(self) -> None:
        """Wait until marks and repeats that are under way have come to an end."""
        while self._running:
            await asyncio.gather(*self._running, return_exceptions=True)

    async def live(self, every_s: float, seed: int = 1) -> None:
        """Customers write at uneven distances, until cancelled."""
        crowd, known = Crowd(seed), dict[int, Customer]()
        while True:
            await asyncio.sleep(crowd.pause_s(every_s))
            number, name, wish = crowd.next()
            customer = known.get(number) or known.setdefault(number, self.add_customer(name))
            self._later(self.say(customer, wish))

    # What customers do ---------------------------------------------------------------------------------

    async def open_chat(self, customer: Customer, context: str = "") -> dict[str, Any] | None:
        """Open the conversation; the greeting that the bot answered with, if any."""
        more = {"type": "open", "user": _user(customer), "subscribed": customer.subscribed}
        told = await self.tell("conversation_started", more | ({"context": context} if context else {}))
        with contextlib.suppress(ValueError):
            greeting = json.loads(told.body)
            if isinstance(greeting, dict) and "type" in greeting:
                customer.tracking_data = str(greeting.get("tracking_data", ""))
                return greeting
        return None

    async def say(self, customer: Customer, text: str) -> Told:
        """Write a text."""
        return await self.write(customer, {"type": "text", "text": text})

    async def press(self, customer: Customer, action_body: str) -> Told:
        """Press a reply button: it arrives as a text."""
        return await self.say(customer, action_body)

    async def share_phone(self, customer: Customer, phone: str = "380670000001") -> Told:
        """Press a button of type share-phone: it arrives as a contact card."""
        return await self.write(
            customer, {"type": "contact", "contact": {"name": customer.name, "phone_number": phone}}
        )

    async def send_file(
        self, customer: Customer, body: bytes, name: str = "photo.jpg", caption: str = ""
    ) -> Told:
        """Send a picture (by its name) or a file."""
        key = f"{len(self._files)}-{name}"
        is_picture = name.endswith((".jpg", ".png"))
        self._files[key] = (body, "image/jpeg" if is_picture else "application/octet-stream")
        message = {"type": "picture" if is_picture else "file", "media": f"{self.base_url}/media/{key}"}
        return await self.write(
            customer,
            message | {"file_name": name, "size": len(body)} | ({"text": caption} if caption else {}),
        )

    async def write(self, customer: Customer, message: dict[str, Any]) -> Told:
        """Send any message; the last `tracking_data` of the bot goes along, and the customer is subscribed."""
        customer.subscribed = True
        tracking = {"tracking_data": customer.tracking_data} if customer.tracking_data else {}
        return await self.tell(
            "message", {"sender": _user(customer), "message": message | tracking, "silent": False}
        )

    async def unsubscribe(self, customer: Customer) -> Told:
        """Leave the bot."""
        customer.subscribed = False
        return await self.tell("unsubscribed", {"user_id": customer.id})

    # Callbacks -----------------------------------------------------------------------------------------

    async def tell(self, event: str, more: dict[str, Any], token: int | None = None) -> Told:
        """Deliver one callback; returns when it was taken, held back or given up."""
        token = next(self._tokens) if token is None else token
        head = {
            "event": event,
            "timestamp": self.clock.now(),
            "chat_hostname": "EMULATOR",
            "message_token": token,
        }
        return await self.post(json.dumps(head | more, ensure_ascii=False).encode(), token)

    async def post(self, body: bytes, token: int = 0) -> Told:
        """The same for any bytes."""
        spoiling = self._spoilings.popleft() if self._spoilings else None
        if spoiling == "hold":
            self._held.append(body)
            return Told(token, (), b"")
        statuses: list[int] = []
        answer = b""
        for number in range(self.max_tries if self.webhook else 0):
            if number:
                await asyncio.sleep(min(self.retry_s * 2 ** (number - 1), 60 * self.retry_s))
            status, answer = await self._once(body, spoiling if number == 0 else None)
            statuses.append(status)
            if status == 200 and not (number == 0 and spoiling in {"repeat", "lost_answer"}):
                break
        held, self._held = self._held, []
        for earlier in held:
            await self.post(earlier)
        return Told(token, tuple(statuses), answer)

    async def _once(self, body: bytes, spoiling: Spoiling | None) -> tuple[int, bytes]:
        signature = hmac.digest(self.token.encode(), body, "sha256").hex()
        headers, query = {"Content-Type": "application/json", SIGNATURE: signature}, ""
        if spoiling == "wrong_signature":
            headers[SIGNATURE] = ("0" if signature[0] != "0" else "1") + signature[1:]
        elif spoiling in {"no_signature", "sig_in_query"}:
            del headers[SIGNATURE]
            query = f"?sig={signature}" if spoiling == "sig_in_query" else ""
        elif spoiling == "half_body":
            body = body[: len(body) // 2]
        assert self._session is not None
        try:
            timeout = aiohttp.ClientTimeout(total=_ANSWER_S)
            async with self._session.post(
                self.webhook + query, data=body, headers=headers, timeout=timeout
            ) as answer:
                return answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError):
            return 0, b""

    def _later(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    # Calls ---------------------------------------------------------------------------------------------

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        self.calls.append(method)
        fault = self._faults.popleft() if self._faults else None
        if isinstance(fault, int):
            return web.json_response(_answer(fault))
        if fault is not None and fault != "lost_answer":
            return await faulty(request, fault, self._port, self.hang_s, _answer(0))
        answer = await self._call(request, method)
        if fault is not None:
            return await faulty(request, fault, self._port, self.hang_s, answer)
        return web.json_response(answer)

    async def _call(self, request: web.Request, method: str) -> dict[str, Any]:
        try:
            told = json.loads(await request.read() or b"{}")
        except ValueError:
            return _answer(3)
        if request.headers.get("X-Viber-Auth-Token") != self.token:
            return _answer(2)
        match method:
            case "set_webhook":
                return await self._set_webhook(told)
            case "get_account_info":
                return self._account()
            case "send_message":
                return self._send(told)
            case "get_user_details":
                customer = self.customers.get(told.get("id", ""))
                return _answer(5) if customer is None else _answer(0, user=_user(customer))
        return _answer(3)

    async def _set_webhook(self, told: dict[str, Any]) -> dict[str, Any]:
        """As Viber: the address is called before the call is answered."""
        url, before = told.get("url"), self.webhook
        if not isinstance(url, str):
            return _answer(4)
        if not url:
            self.webhook = ""
            return _answer(0)
        self.webhook = url
        body = json.dumps(
            {"event": "webhook", "timestamp": self.clock.now(), "message_token": next(self._tokens)}
        )
        status, _ = await self._once(body.encode(), None)
        if status != 200:
            self.webhook = before
            words = f"Result [Failure: HttpResponse status {status}]" if status else "connection refused"
            return {**_answer(1), "status_message": words}
        self.event_types = tuple(told.get("event_types") or _EVENTS)
        return _answer(0, event_types=["webhook", *self.event_types])

    def _account(self) -> dict[str, Any]:
        return _answer(
            0,
            id="pa:emulated",
            name="Емульований магазин",
            uri="emulatedshop",
            webhook=self.webhook,
            event_types=list(self.event_types),
            subscribers_count=sum(one.subscribed for one in self.customers.values()),
        )

    def _send(self, told: dict[str, Any]) -> dict[str, Any]:
        status = self._refusal(told)
        if status:
            return _answer(status)
        token = next(self._tokens)
        customer = self.customers[told["receiver"]]
        customer.tracking_data = told.get("tracking_data", "")
        self.sent.append({**told, "message_token": token})
        media = str(told.get("media", ""))
        if media.startswith("http://127.0.0.1"):  # never the open Internet
            self._later(self._fetch(media))
        marks = [mark for mark in self.receipts if mark in self.event_types]
        if marks and self.webhook:
            self._later(self._marks(customer, token, marks))
        return _answer(0, message_token=token, billing_status=1)

    async def _fetch(self, url: str) -> None:
        """Viber takes files from the sender's address, soon after the call."""
        assert self._session is not None
        async with self._session.get(url, allow_redirects=False) as answer:
            self.fetched[url] = (answer.status, answer.content_type, await answer.read())

    async def _marks(self, customer: Customer, token: int, marks: Sequence[str]) -> None:
        for mark in marks:
            why = {"desc": "emulated failure"} if mark == "failed" else {}
            await self.tell(mark, {"user_id": customer.id, **why}, token)

    def _refusal(self, told: dict[str, Any]) -> int:
        """The status of a message that Viber would not take; 0 where it would."""
        customer = self.customers.get(told.get("receiver", ""))
        if not self.webhook:
            return 10
        if customer is None:
            return 5
        if not customer.subscribed:
            return 6
        if told.get("min_api_version", 1) > customer.api_version:
            return 13
        return _bad_form(told)

    async def _media(self, request: web.Request) -> web.StreamResponse:
        found = self._files.get(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        return web.Response(body=found[0], content_type=found[1])


def _bad_form(told: dict[str, Any]) -> int:
    """3 (bad data) and 4 (missing data) as Viber's limits say."""
    sender = told.get("sender")
    if not isinstance(sender, dict) or not sender.get("name"):
        return 4
    if len(sender["name"]) > 28 or not isinstance(told.get("tracking_data", ""), str):
        return 3
    keyboard = told.get("keyboard")
    if keyboard is not None and not _is_keyboard(keyboard):
        return 3
    return _bad_content(told, told.get("media", ""), told.get("text", ""))


def _bad_content(told: dict[str, Any], media: str, text: str) -> int:
    match told.get("type"):
        case "text":
            return 4 if not text else 3 * (len(text) > 7000)
        case "picture":
            return 3 * (not media.endswith((".jpg", ".jpeg", ".png", ".gif")) or len(text) > 512)
        case "file" if media and told.get("size") and told.get("file_name"):
            return 3 * (len(told["file_name"]) > 256 or told["size"] > 50 * 1024 * 1024)
        case None | "file":
            return 4
    return 0 if media else 4


def _is_keyboard(keyboard: Any) -> bool:
    """Buttons of at most six columns that fill their rows."""
    if not isinstance(keyboard, dict) or keyboard.get("Type") != "keyboard" or not keyboard.get("Buttons"):
        return False
    column = 0
    for button in keyboard["Buttons"]:
        if not (1 <= button.get("Columns", 6) <= 6 and button.get("ActionBody")):
            return False
        column = (column + button.get("Columns", 6)) % 6 if column + button.get("Columns", 6) <= 6 else -1
        if column < 0:
            return False
    return column == 0


def _user(customer: Customer) -> dict[str, Any]:
    return {
        "id": customer.id,
        "name": customer.name,
        "language": customer.language,
        "country": "UA",
        "api_version": customer.api_version,
    }


def _answer(status: int, **more: Any) -> dict[str, Any]:
    name = _NAMES.get(status, f"emulated status {status}")
    return {"status": status, "status_message": name, "chat_hostname": "EMULATOR", "emulator": MARK, **more}
