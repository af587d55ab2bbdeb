"""An emulator of Telegram's Bot API, for tests, for `hub demo` and for plugin authors.

    emulator = TelegramEmulator(token="7000000001:emulated")
    base_url = await emulator.start()                   # for the plugin's `base_url`
    customer = emulator.add_customer("Олена")
    emulator.say(customer, "Чи є в наявності?")         # an update waits for getUpdates, or goes to the web hook

As the real server: updates wait until a call with a higher offset confirms them; a second getUpdates ends the first
one with 409; with a web hook set getUpdates fails with 409; a web hook gets each update again until it answers
2xx, in order within a chat, and a call in its answer is carried out. Who blocked the bot or never wrote to it is
403; texts, captions and button actions that are too long, and files above 20 MB, are refused.

Every answer says that it is emulated: header `X-Emulator`, key `emulator`; so does each delivery to a web hook.
What is not emulated: expiry after 24 hours, rate limits by themselves (`fail_next` and `flood` make them).
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from hub.kernel.clock import Clock, SystemClock
from hub.testing.emulators.people import Crowd
from hub.testing.emulators.serving import LineFault, Port, faulty, marker
from hub.testing.emulators.telegram_calls import SENDING, Refused, check_form, parameters, refusal
from hub.testing.emulators.telegram_updates import (
    BOT_ID,
    Customer,
    Made,
    bot,
    channel,
    file_of,
    group,
    membership,
)

MARK = "telegram"
SECRET = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - the name of the header
MAX_DOWNLOAD = 20 * 1024 * 1024
OTHER_POLL = (
    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
)
HAS_WEBHOOK = (
    "Conflict: can't use getUpdates method while webhook is active; "
    "use deleteWebhook to delete the webhook first"
)


@dataclass(slots=True)
class TelegramEmulator:
    """Telegram in this process. Customers and faults may be added at any time.

    flood     so many messages may be sent at once; more are 429 for a second (0: any number)
    retry_s   the distance to the first repeat to a web hook; it doubles each time
    hang_s    how long the fault "timeout" keeps a call waiting
    updates   what is not confirmed yet, oldest first
    sent      the messages that were taken, oldest first: method and parameters
    answered  ids of the callback queries that were answered
    base_url  where it listens
    """

    token: str = f"{BOT_ID}:emulated"
    clock: Clock = field(default_factory=SystemClock)
    flood: int = 0
    retry_s: float = 2.0
    max_tries: int = 13
    hang_s: float = 30.0
    updates: list[dict[str, Any]] = field(default_factory=list)
    sent: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    customers: dict[int, Customer] = field(default_factory=dict)
    webhook: str = ""
    secret: str = ""
    last_error: tuple[int, str] | None = None
    migrated: dict[int, int] = field(default_factory=dict)
    base_url: str = ""
    _made: Made = field(default_factory=Made)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(880_000_001))
    _files: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    _faults: deque[LineFault | Refused] = field(default_factory=deque)
    _port: Port = field(default_factory=Port)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _poll: asyncio.Event | None = None
    _running: set[asyncio.Task[Any]] = field(default_factory=set)
    _delivering: asyncio.Lock = field(default_factory=asyncio.Lock)
    _session: aiohttp.ClientSession | None = None

    # What a test or the demo does ----------------------------------------------------------------------

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen; returns the address for the plugin's `base_url`."""
        self._session = aiohttp.ClientSession(headers={"X-Emulator": MARK, "User-Agent": "emulated Telegram"})
        self.base_url = await self._port.open(self.application(), host, port)
        return self.base_url

    async def stop(self) -> None:
        """Close the port and give up what is still to be delivered."""
        self._news.set()
        await self._port.close()
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def application(self) -> web.Application:
        """The aiohttp application."""
        app = web.Application(client_max_size=60 * 1024 * 1024)
        app.router.add_route("*", "/bot{token}/{method}", self._handle)
        app.router.add_get("/file/bot{token}/{path:.+}", self._download)
        app.on_response_prepare.append(marker(MARK))
        return app

    def add_customer(self, name: str = "Олена (емуляція)", language: str = "uk") -> Customer:
        """A person who has not written to the bot yet."""
        number = 500_000_001 + len(self.customers)
        self.customers[number] = Customer(number, name, language)
        return self.customers[number]

    def fail_next(self, n: int = 1, kind: LineFault = "http_500") -> None:
        """The line of the next `n` calls fails in this way."""
        self._faults.extend([kind] * n)

    def refuse_next(self, code: int, words: str, **parameters: int) -> None:
        """The next call is refused: 429 with retry_after=7, 400 with migrate_to_chat_id=..., 409, 403, 401."""
        self._faults.append(Refused(code, words, **parameters))

    def push(self, **kind: Any) -> dict[str, Any]:
        """Any update, such as push(message={...}); returns it."""
        return self.push_raw({"update_id": next(self._numbers), **kind})

    def push_raw(self, update: dict[str, Any]) -> dict[str, Any]:
        """The same with its number."""
        self.updates.append(update)
        self._news.set()
        if self.webhook:
            task = asyncio.ensure_future(self._deliver_all())
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return update

    async def settle(self) -> None:
        """Wait until the deliveries to the web hook have come to an end."""
        while self._running:
            await asyncio.gather(*self._running, return_exceptions=True)

    async def live(self, every_s: float, seed: int = 1) -> None:
        """Customers write at uneven distances, until cancelled."""
        crowd, known = Crowd(seed), dict[int, Customer]()
        while True:
            await asyncio.sleep(crowd.pause_s(every_s))
            number, name, wish = crowd.next()
            customer = known.get(number) or known.setdefault(number, self.add_customer(name))
            self.say(customer, wish)

    # What people do ------------------------------------------------------------------------------------

    def write(self, customer: Customer, **content: Any) -> dict[str, Any]:
        """Any message in the private chat."""
        customer.can_be_written_to = True
        message = self._made.message(customer.chat(), self._now_s(), **{"from": customer.user()}, **content)
        return self.push(message=message)

    def say(self, customer: Customer, text: str, **more: Any) -> dict[str, Any]:
        """Write a text."""
        return self.write(customer, text=text, **more)

    def start_chat(self, customer: Customer, payload: str = "") -> dict[str, Any]:
        """Press Start, perhaps through a link with a payload."""
        return self.say(customer, f"/start {payload}".strip())

    def add_file(self, body: bytes, path: str = "documents/file_1.pdf") -> str:
        """A file at Telegram; its file_id."""
        file_id = f"AgACAgIAAxkBAAI{len(self._files):06d}"
        self._files[file_id] = (body, path)
        return file_id

    def send_photo(
        self, customer: Customer, body: bytes, caption: str = "", album: str = ""
    ) -> dict[str, Any]:
        """Send a photo in two sizes, perhaps as a part of an album."""
        small, large = self.add_file(body[:10], "photos/s.jpg"), self.add_file(body, "photos/l.jpg")
        photo = [
            {**file_of(small, len(body[:10])), "width": 90, "height": 90},
            {**file_of(large, len(body)), "width": 1280, "height": 1280},
        ]
        more = ({"caption": caption} if caption else {}) | ({"media_group_id": album} if album else {})
        return self.write(customer, photo=photo, **more)

    def send_document(self, customer: Customer, body: bytes, name: str = "file.pdf") -> dict[str, Any]:
        """Send a document."""
        file = file_of(self.add_file(body), len(body))
        return self.write(customer, document={**file, "file_name": name, "mime_type": "application/pdf"})

    def share_phone(
        self, customer: Customer, phone: str = "380670000001", *, own: bool = True
    ) -> dict[str, Any]:
        """Share the own number, or somebody else's card."""
        contact = {"phone_number": phone, "first_name": customer.name}
        return self.write(customer, contact=contact | ({"user_id": customer.id} if own else {}))

    def edit(self, update: dict[str, Any], text: str) -> dict[str, Any]:
        """Change the text of an earlier message."""
        message = {**update["message"], "text": text, "edit_date": self._now_s()}
        return self.push(edited_message=message)

    def press(self, customer: Customer, data: str, message: dict[str, Any] | None = None) -> dict[str, Any]:
        """Press an inline button."""
        query = {"id": str(next(self._numbers)), "from": customer.user(), "chat_instance": "1", "data": data}
        return self.push(callback_query=query | ({"message": message} if message else {}))

    def block(self, customer: Customer) -> dict[str, Any]:
        """Block the bot."""
        customer.blocked = True
        return self.push(my_chat_member=membership(customer, self._now_s(), "kicked"))

    def unblock(self, customer: Customer) -> dict[str, Any]:
        """Let it in again."""
        customer.blocked = False
        return self.push(my_chat_member=membership(customer, self._now_s(), "member"))

    def say_in_group(self, customer: Customer, text: str, **more: Any) -> dict[str, Any]:
        """Write in the group."""
        message = self._made.message(group(), self._now_s(), **{"from": customer.user()}, text=text, **more)
        return self.push(message=message)

    def post_in_channel(self, text: str) -> dict[str, Any]:
        """The business posts; the post appears in the discussion too. Returns that second update."""
        message = self._made.message(channel(), self._now_s(), sender_chat=channel(), text=text)
        self.push(channel_post=message)
        return self.push(
            message=self._made.message(
                group(), self._now_s(), sender_chat=channel(), is_automatic_forward=True, text=text
            )
        )

    def _now_s(self) -> int:
        return self.clock.now() // 1000

    # Calls ---------------------------------------------------------------------------------------------

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        self.calls.append(method)
        fault = self._faults.popleft() if self._faults else None
        try:
            self._may_call(request.match_info["token"], fault)
            if isinstance(fault, str) and fault != "lost_answer":
                return await faulty(request, fault, self._port, self.hang_s, {"ok": True, "result": []})
            result = await self._call(method, await parameters(request))
        except Refused as refused:
            return refusal(refused)
        answer = {"ok": True, "result": result, "emulator": MARK}
        if isinstance(fault, str):
            return await faulty(request, fault, self._port, self.hang_s, answer)
        return web.json_response(answer)

    def _may_call(self, token: str, fault: LineFault | Refused | None) -> None:
        if isinstance(fault, Refused):
            raise fault
        if token != self.token:
            raise Refused(401, "Unauthorized")

    async def _call(self, method: str, told: dict[str, Any]) -> Any:
        match method:
            case "getMe":
                return bot()
            case "getUpdates":
                return await self._get_updates(told)
            case "setWebhook" | "deleteWebhook":
                return self._set_webhook(told)
            case "getWebhookInfo":
                return self._webhook_info()
            case "getFile":
                return self._get_file(str(told.get("file_id", "")))
            case "answerCallbackQuery":
                self.answered.append(str(told.get("callback_query_id", "")))
                return True
        if method in SENDING:
            return self._send(method, told)
        raise Refused(404, "Not Found")

    async def _get_updates(self, told: dict[str, Any]) -> list[dict[str, Any]]:
        if self.webhook:
            raise Refused(409, HAS_WEBHOOK)
        if self._poll is not None:
            self._poll.set()
        mine = self._poll = asyncio.Event()
        offset = int(told.get("offset", 0))
        if offset:
            self.updates = [one for one in self.updates if one["update_id"] >= offset]
        try:
            if not self.updates:
                await self._wait_for_news(mine, float(told.get("timeout", 0)))
            if mine.is_set():
                raise Refused(409, OTHER_POLL)
            return self.updates[: int(told.get("limit", 100))]
        finally:
            if self._poll is mine:
                self._poll = None

    async def _wait_for_news(self, ended: asyncio.Event, seconds: float) -> None:
        self._news.clear()
        waits = [asyncio.ensure_future(event.wait()) for event in (self._news, ended, self._port.closing)]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _set_webhook(self, told: dict[str, Any]) -> bool:
        url = str(told.get("url", ""))
        if url and not url.startswith(("https://", "http://127.0.0.1")):  # the real one takes https only
            raise Refused(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        self.webhook, self.secret = url, str(told.get("secret_token", ""))
        if self._poll is not None:
            self._poll.set()
        return True

    def _webhook_info(self) -> dict[str, Any]:
        info: dict[str, Any] = {
            "url": self.webhook,
            "has_custom_certificate": False,
            "pending_update_count": len(self.updates),
        }
        if self.last_error is not None:
            info["last_error_date"], info["last_error_message"] = self.last_error
        return info

    # Messages of the bot -------------------------------------------------------------------------------

    def _send(self, method: str, told: dict[str, Any]) -> Any:
        chat_id = int(told.get("chat_id", 0))
        if chat_id in self.migrated:
            words = "Bad Request: group chat was upgraded to a supergroup chat"
            raise Refused(400, words, migrate_to_chat_id=self.migrated[chat_id])
        if self.flood and len(self.sent) >= self.flood:
            self.flood = 0
            raise Refused(429, "Too Many Requests: retry after 1", retry_after=1)
        self._may_write_to(chat_id, bool(told.get("business_connection_id")))
        check_form(method, told)
        self.sent.append((method, told))
        customer = self.customers.get(chat_id)
        chat = customer.chat() if customer else group()
        now_s = self._now_s()
        if method == "sendMediaGroup":
            return [self._made.message(chat, now_s, **{"from": bot()}) for _ in json.loads(told["media"])]
        content = {"text": told["text"]} if method == "sendMessage" else {"caption": told.get("caption", "")}
        keyboard = json.loads(told.get("reply_markup", "{}"))
        if "inline_keyboard" in keyboard:
            content["reply_markup"] = keyboard
        return self._made.message(chat, now_s, **{"from": bot()}, **content)

    def _may_write_to(self, chat_id: int, over_business: bool) -> None:
        customer = self.customers.get(chat_id)
        if customer is None:
            if chat_id != group()["id"]:
                raise Refused(400, "Bad Request: chat not found")
            return
        if customer.blocked:
            raise Refused(403, "Forbidden: bot was blocked by the user")
        if not customer.can_be_written_to and not over_business:
            raise Refused(403, "Forbidden: bot can't initiate conversation with a user")

    # Files ---------------------------------------------------------------------------------------------

    def _get_file(self, file_id: str) -> dict[str, Any]:
        if file_id not in self._files:
            raise Refused(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        body, path = self._files[file_id]
        if len(body) > MAX_DOWNLOAD:
            raise Refused(400, "Bad Request: file is too big")
        return {**file_of(file_id, len(body)), "file_path": f"{file_id}/{path}"}

    async def _download(self, request: web.Request) -> web.StreamResponse:
        file_id = request.match_info["path"].partition("/")[0]
        if request.match_info["token"] != self.token or file_id not in self._files:
            raise web.HTTPNotFound
        return web.Response(body=self._files[file_id][0], content_type="application/octet-stream")

    # The web hook --------------------------------------------------------------------------------------

    async def _deliver_all(self) -> None:
        """In order, each again until it is taken; what is given up stays waiting."""
        async with self._delivering:
            while self.webhook and self.updates:
                if not await self._deliver(self.updates[0]):
                    return
                self.updates.pop(0)

    async def _deliver(self, update: dict[str, Any]) -> bool:
        assert self._session is not None
        headers = {SECRET: self.secret} if self.secret else {}
        for number in range(self.max_tries):
            if number:
                await asyncio.sleep(min(self.retry_s * 2 ** (number - 1), 60 * self.retry_s))
            try:
                async with self._session.post(self.webhook, json=update, headers=headers) as answer:
                    if 200 <= answer.status <= 299:
                        await self._carry_out(await answer.read())
                        return True
                    self.last_error = self._now_s(), f"Wrong response from the webhook: {answer.status}"
            except aiohttp.ClientError:
                self.last_error = self._now_s(), "Connection refused"
        return False

    async def _carry_out(self, body: bytes) -> None:
        """A call in the answer of a web hook."""
        try:
            told = json.loads(body)
        except ValueError:
            return
        if isinstance(told, dict) and isinstance(told.get("method"), str):
            await self._call(told.pop("method"), told)
