"""Two hubs that write to each other by mail, acknowledgements on: it ends, whatever the relays between them do."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import text as sql

from hub.access.model import Actor, Role
from hub.assignment import service
from hub.db.tx import Tx
from hub.notices import acknowledgement
from hub.opening import CLI
from hub.requests.model import Closing, Outcome
from hub.sdk import (
    ChannelPlugin,
    Outgoing,
    Pulled,
    PulledDelivery,
    Refused,
    Register,
    SendResult,
    Sent,
    hookimpl,
)
from plugins.email.compose import compose
from plugins.email.plugin import Email
from plugins.email.settings import EmailSettings
from tests.integration.hubs import Running, running, until

A, B = "shop@a.example", "shop@b.example"
DAY = 86_400_000
UNSENT = "select id from outbox where next_try_at is not null and lane in ('acknowledgement', 'reply')"
HEADERS = ("Auto-Submitted", "X-Auto-Response-Suppress")


@dataclass
class Post:
    """The relays between all mailboxes: what they take out of a mail, and whether they give it an id of their own."""

    boxes: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    strip: Sequence[str] = ()
    new_ids: bool = False


POST = Post()


class Posted(Email):
    """The e-mail plugin with its reading and its writing; only the two servers are a list of mails."""

    async def pull(self, position: str, wait_s: float) -> Pulled:
        at, box = int(position or 0), POST.boxes[self._settings.address]
        if len(box) == at:
            await asyncio.sleep(0.02)
        fresh = enumerate(box[at:], at + 1)
        return Pulled(deliveries=tuple(PulledDelivery(body=one, position=str(n)) for n, one in fresh))

    async def send(self, message: Outgoing) -> SendResult:
        mail = compose(message, self._settings, self._now())
        assert not isinstance(mail, Refused)
        sent = str(mail["Message-ID"])
        for name in POST.strip:
            del mail[name]
        if POST.new_ids:
            mail.replace_header("Message-ID", f"<relay-{message.id}@relay.example>")
        POST.boxes[message.to.email].append(mail.as_bytes())
        return Sent(sent.strip("<>"))


@hookimpl
def hub_register(register: Register) -> None:
    title = {"en": "Post", "uk": "Пошта"}
    register.channel(ChannelPlugin(name="post", title=title, settings=EmailSettings, create=Posted))


MODULE = ModuleType("post_plugin_for_tests")
MODULE.hub_register = hub_register  # type: ignore[attr-defined]


def by_hand(number: int, sender: str = B) -> bytes:
    """Somebody at B writes in his own mail program."""
    return (
        f"From: Boss <{sender}>\r\nTo: {A}\r\nSubject: n{number}\r\nMessage-ID: <by-hand-{number}@mail.example>\r\n"
        f"Date: Thu, 05 Mar 2026 10:0{number}:00 +0200\r\n\r\nquestion {number}\r\n"
    ).encode()


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[tuple[Running, Running]]:
    POST.boxes.clear()
    async with AsyncExitStack() as stack:
        found = []
        for address in (A, B):
            folder = tmp_path / address[5]
            folder.mkdir()
            mail = {
                "plugin": "post", "address": address, "password": "-", "imap_host": "127.0.0.1", "smtp_host": "-",
            }  # fmt: skip
            hub = await stack.enter_async_context(
                running(
                    f"sqlite:///{folder / 'hub.db'}", folder, channels={"mail": mail}, people_named=["Olena"],
                    extra=[("post", MODULE)],
                )
            )  # fmt: skip
            head = Actor("Head", frozenset({Role.HEAD}), hub.person("Head", role="head"))
            texts = {"uk": "Ми отримали ваш лист."}
            with_texts = partial(
                acknowledgement.keep, actor=head, account="mail", active=True, texts=texts, away_texts={}
            )
            hub.hub.db.write_now(with_texts)
            found.append(hub)
        yield found[0], found[1]


def acknowledged(hub: Running) -> int:
    return int(hub.one("select count(*) from message_extra where kind = 'acknowledgement'"))


def finish(hub: Running) -> None:
    """Somebody closes whatever is open."""

    def work(tx: Tx) -> None:
        for (task_id,) in tx.execute(
            sql("select id from task where state not in ('done', 'cancelled')")
        ).all():
            service.complete(tx, CLI, task_id, Closing(outcome=Outcome.ANSWERED))

    hub.hub.db.write_now(work)


async def at_rest(*hubs: Running) -> None:
    """Every mail is read, and nothing is left to be sent."""

    def quiet() -> bool:
        read = sum(len(box) for box in POST.boxes.values()) == sum(
            hub.one("select count(*) from delivery") for hub in hubs
        )
        return read and not any(hub.rows(UNSENT) for hub in hubs)

    for _ in range(3):  # a mail may be between the two
        await until(quiet, 20)
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("strip", "new_ids"),
    [((), False), (HEADERS, False), ((*HEADERS, "In-Reply-To", "References"), True)],
)  # fmt: skip
async def test_e9_two_hubs_that_write_to_each_other_end_with_one_acknowledgement_a_day(
    both: tuple[Running, Running], strip: Sequence[str], new_ids: bool
):
    POST.strip, POST.new_ids = strip, new_ids
    ours, theirs = both
    for number in range(2):
        POST.boxes[A].append(by_hand(number))
        await at_rest(ours, theirs)
        assert (acknowledged(ours), acknowledged(theirs) <= 1) == (1, True)
        for hub in both:  # the next mail opens another request
            finish(hub)
    before = acknowledged(theirs)
    for hub in both:
        hub.hub.db.write_now(
            lambda tx: tx.execute(sql("update message set created_at = created_at - :day"), {"day": DAY})
        )
    POST.boxes[A].append(by_hand(4))
    await at_rest(ours, theirs)
    assert acknowledged(ours) == 2, "the next day brings one more"
    assert acknowledged(theirs) <= before + 1
