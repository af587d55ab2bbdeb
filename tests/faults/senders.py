"""The customers of four channels. They send, hear what they are told, and send again as their providers do.

What each delivery says holds a word of its own (K000123), so that a judge finds it again whatever became of it. Part of
them is spoiled on its way: cut in the middle, signed wrongly, without an id of its own, sent again up to 13 times.
"""

import asyncio
import contextlib
import json
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Any

import aiohttp
from imapclient import IMAPClient

from hub.testing.emulators.telegram import TelegramEmulator
from hub.testing.emulators.viber import Spoiling, ViberEmulator
from tests.dovecot_server import Dovecot
from tests.integration.hubs import phone, until

ACCOUNTS = ("form", "mail", "bot", "shop-viber")
REPEATS = 13
LARGE = 70_000
SPOILINGS: tuple[Spoiling, ...] = ("wrong_signature", "half_body", "repeat", "lost_answer")


@dataclass
class Told:
    """What the outside knows.

    handed    words that the hub has to have: acknowledged, or lying at a provider that it asks
    answers   by account: how many calls were "taken" (2xx), "rejected" (4xx), "open" (503, or no answer)
    full      when the disk was full, from and until
    rejected  when each 4xx was heard: what was counted in the last second before a kill is gone with it
    """

    handed: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    answers: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    rejected: list[tuple[float, str]] = field(default_factory=list)
    full: list[tuple[float, float]] = field(default_factory=list)
    requests: dict[str, str] = field(default_factory=dict)
    odd: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)

    def heard(self, account: str, status: int) -> None:
        """One call and its answer; 0: none."""
        if 200 <= status < 300:
            self.answers[account]["taken"] += 1
        elif status in (0, 503):
            self.answers[account]["open"] += 1
        elif 400 <= status < 500:
            self.answers[account]["rejected"] += 1
            self.rejected.append((time.monotonic(), account))
        else:
            self.odd.append(f"{account}: answered {status}")

    @property
    def count(self) -> int:
        """How many deliveries are handed over."""
        return sum(len(words) for words in self.handed.values())


@dataclass
class Customers:
    """All of them. `front`: where the web reaches the hub."""

    told: Told
    chance: random.Random
    front: str
    telegram: TelegramEmulator
    viber: ViberEmulator
    dovecot: Dovecot
    forms: int = 0
    limit: int = sys.maxsize  # they pause when so many are handed over
    stopping: bool = False  # they go home early

    async def run(self, deliveries: int) -> None:
        """Send so many, a quarter by each channel, and come to an end when all are handed over."""
        quarter, left = divmod(deliveries, 4)
        self.forms = quarter + left
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
            forms, bubbles = iter(range(self.forms)), iter(range(quarter))
            await asyncio.gather(
                *(self._forms(session, forms) for _ in range(6)),
                *(self._viber(bubbles) for _ in range(6)),
                self._chats(quarter),
                self._mails(quarter),
            )

    # --- web forms -----------------------------------------------------------------------------------

    async def _forms(self, session: aiohttp.ClientSession, numbers: Iterator[int]) -> None:
        for number in numbers:
            if await self._turn():
                return
            word = f"KF{number:06d}"
            form = {"name": f"N{number}", "phone": phone(number), "message": f"order {word}"}
            if self._one_in(40):
                self.told.kinds["large form"] += 1
                form["message"] += " x" * (LARGE // 2)
            if self._one_in(30):
                await self._half(json.dumps(form).encode(), word)
            if self._one_in(30):
                self.told.kinds["form of nobody"] += 1
                await self._post(session, {"message": "nobody"}, f"nobody-{number}")
            await _until_taken(lambda form=form, word=word: self._posted(session, form, word))  # type: ignore[misc]
            for _ in range(self._again()):
                await self._posted(session, form, word)

    async def _posted(self, session: aiohttp.ClientSession, form: dict[str, str], word: str) -> bool:
        status, said = await self._post(session, form, word)
        if status != 201:
            return False
        first = self.told.requests.setdefault(word, said["request_id"])
        if first != said["request_id"]:
            self.told.odd.append(f"{word}: told {first}, then {said['request_id']}")
        self.told.handed["form"].add(word)
        return True

    async def _post(
        self, session: aiohttp.ClientSession, form: dict[str, str], key: str
    ) -> tuple[int, dict[str, str]]:
        status, said = 0, {}
        with contextlib.suppress(TimeoutError, aiohttp.ClientError, ConnectionError, ValueError):
            async with session.post(
                f"{self.front}/in/form", json=form, headers={"Idempotency-Key": key}
            ) as answer:
                said = await answer.json(content_type=None)
                status = answer.status
        self.told.heard("form", status)
        return status, said

    async def _half(self, body: bytes, key: str) -> None:
        """Announce all of a form, send half of it, go away."""
        self.told.kinds["half form"] += 1
        host, _, port = self.front.removeprefix("http://").partition(":")
        head = (
            f"POST /in/form HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
            f"Idempotency-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with contextlib.suppress(OSError):
            _reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(head.encode() + body[: len(body) // 2])
            with contextlib.suppress(OSError):
                await writer.drain()
            writer.close()
        self.told.answers["form"]["open"] += 1

    # --- Viber ---------------------------------------------------------------------------------------

    async def _viber(self, numbers: Iterator[int]) -> None:
        for number in numbers:
            if await self._turn():
                return
            word = f"KV{number:06d}"
            customer = self._known(self.viber.customers, number, self.viber.add_customer)
            customer.subscribed = True
            token = 5_900_000_000_000_000_000 + number
            body = json.dumps(
                {
                    "event": "message", "timestamp": self.viber.clock.now(), "chat_hostname": "EMULATOR",
                    "message_token": token, "silent": False,
                    "sender": {"id": customer.id, "name": customer.name, "language": "uk", "api_version": 10},
                    "message": {"type": "text", "text": f"чи є {word}"},
                }
            ).encode()  # fmt: skip
            if self._one_in(15):
                self.viber.spoil_next(self.chance.choice(SPOILINGS))
                self.told.kinds["spoiled callback"] += 1
            await _until_taken(lambda body=body, token=token: self._called(body, token))  # type: ignore[misc]
            self.told.handed["shop-viber"].add(word)
            for _ in range(self._again()):
                await self._called(body, token)

    async def _called(self, body: bytes, token: int) -> bool:
        told = await self.viber.post(body, token)
        for status in told.statuses:
            self.told.heard("shop-viber", status)
        return told.taken

    # --- Telegram ------------------------------------------------------------------------------------

    async def _chats(self, count: int) -> None:
        for number in range(count):
            customer = self._known(self.telegram.customers, number, self.telegram.add_customer)
            word = f"KT{number:06d}"
            self.telegram.say(customer, f"питання {word}")
            self.told.handed["bot"].add(word)
            if await self._in_step("bot"):
                return

    # --- e-mail --------------------------------------------------------------------------------------

    async def _mails(self, count: int) -> None:
        """Ten at a time; what met a broken line is appended again, as senders do: then it may lie there twice."""
        for at in range(0, count, 10):
            words = [f"KM{number:06d}" for number in range(at, min(at + 10, count))]
            mails = [self._mail(word) for word in words]
            while True:
                try:
                    await asyncio.to_thread(self.dovecot.append, "INBOX", *mails)
                    break
                except (OSError, IMAPClient.Error, AssertionError):
                    self.told.kinds["mail appended again"] += 1
                    await asyncio.sleep(0.3)
            self.told.handed["mail"].update(words)
            if await self._in_step("mail"):
                return

    def _mail(self, word: str) -> bytes:
        number = int(word[2:])
        mail = EmailMessage()
        mail["From"] = f"Customer <customer{number}@example.com>"
        mail["To"] = self.dovecot.user
        mail["Subject"] = f"Order {number}"
        mail["Date"] = format_datetime(datetime.now(UTC))
        if self._one_in(5):
            self.told.kinds["mail without Message-ID"] += 1
        else:
            mail["Message-ID"] = make_msgid(domain="example.com")
        mail.set_content(f"Please send me {word}.")
        if self._one_in(25):
            self.told.kinds["mail with a file"] += 1
            mail.add_attachment(
                self.chance.randbytes(LARGE), maintype="application", subtype="pdf", filename=f"{number}.pdf"
            )
        return mail.as_bytes()

    # --- chance --------------------------------------------------------------------------------------

    def _one_in(self, number: int) -> bool:
        return self.chance.random() * number < 1

    def _again(self) -> int:
        """How often a provider repeats what was taken already."""
        times = self.chance.randint(1, REPEATS) if self._one_in(40) else 0
        self.told.kinds["repeated though taken"] += bool(times)
        return times

    def _known(self, customers: dict[Any, Any], number: int, add: Callable[..., Any]) -> Any:
        """Each writes three times or so."""
        if len(customers) * 3 <= number:
            return add(f"Customer {number}")
        return self.chance.choice(list(customers.values())[-50:])

    async def _in_step(self, account: str) -> bool:
        """Not far ahead of the web channels, which wait for their answers. True: it is time to go home."""
        await until(lambda: self.stopping or not self._ahead(account), 3_600)
        return await self._turn()

    def _ahead(self, account: str) -> bool:
        return len(self.told.handed["form"]) + 20 < min(len(self.told.handed[account]), self.forms)

    async def _turn(self) -> bool:
        await asyncio.sleep(0)
        if self.told.count >= self.limit:
            await until(lambda: self.stopping or self.told.count < self.limit, 3_600)
        return self.stopping


async def _until_taken(call: Callable[[], Awaitable[bool]]) -> None:
    """As a provider does: the same again, until it is taken."""
    await until(call, 3_600, 0.1)


def rejected_lately(told: Told, account: str, kills: Sequence[float], within_s: float) -> int:
    """How many rejections may have been forgotten by kills: those that had not been written yet.

    They are written each second; while the disk is full they wait for room.
    """
    spans = [(_unwritten_since(told, kill, within_s), kill) for kill in kills]
    return sum(
        1
        for at, name in told.rejected
        if name == account and any(since <= at <= kill for since, kill in spans)
    )


def _unwritten_since(told: Told, kill: float, within_s: float) -> float:
    since = kill - within_s
    for begun, ended in sorted(told.full, reverse=True):
        if begun <= kill and since <= ended:
            since = min(since, begun - within_s)
    return since
