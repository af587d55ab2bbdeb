"""smtp.py and compose.py against a real aiosmtpd, and against servers that break off at a chosen word."""

import asyncio
import email
import email.policy
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiosmtpd.controller import UnthreadedController
from aiosmtpd.smtp import AuthResult

from hub.sdk import (
    AuthenticationFailed,
    Button,
    Later,
    Outgoing,
    OutgoingFile,
    OutgoingKind,
    Refused,
    Sender,
    Sent,
    Uncertain,
)
from hub.testing.host import LoopbackHost
from plugins.email import smtp
from plugins.email.compose import OURS
from plugins.email.plugin import Email
from plugins.email.settings import EmailSettings


def answer(**more: Any) -> Outgoing:
    values: dict[str, Any] = {
        "id": "123456789",
        "kind": OutgoingKind.REPLY,
        "to": Sender(name="Олена Ґалаґан", email="olena@example.com"),
        "text": "Так, є в наявності.\n.\n..крапки на початку рядка",
        "subject": "Замовлення №17",
        "replies_to": ("r2@example.com", "s1@example.org", "k1@example.com"),
        "thread_token": "Tok3n",
        **more,
    }
    return Outgoing(**values)


def account(port: int, **more: Any) -> Email:
    settings = {
        "address": "sales@example.org",
        "from_name": "Магазин «Їжак»",
        "password": "a-password",
        "imap_host": "127.0.0.1",
        "smtp_host": "127.0.0.1",
        "smtp_port": port,
        "smtp_security": "none",
        **more,
    }
    return Email("mail", EmailSettings.model_validate(settings), LoopbackHost())


class Inbox:
    """What arrived."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.envelopes: list[tuple[str, list[str]]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.mails.append(envelope.content)
        self.envelopes.append((envelope.mail_from, envelope.rcpt_tos))
        return "250 OK"


@asynccontextmanager
async def serving(inbox: Inbox, **more: Any) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    controller = UnthreadedController(inbox, loop=loop, **more)
    server = await loop.create_server(controller.factory, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def scripted(answers: dict[str, str], *, hang_up_at: str = "") -> AsyncIterator[int]:
    """A server that answers by the first word; `hang_up_at` closes the line when that word (or "body", ".") comes."""

    talks: set[Any] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(asyncio.current_task())
        writer.write(b"220 here\r\n")
        in_body = False
        while line := await reader.readline():
            text = line.decode().rstrip("\r\n")
            word = text if in_body else text.split(" ")[0].split(":")[0].upper()
            if in_body and word != ".":
                if hang_up_at == "body":
                    break
                continue
            if word == hang_up_at:
                break
            in_body = word == "DATA" and answers.get("DATA", "354 go on").startswith("354")
            default = {"DATA": "354 go on", "QUIT": "221 bye"}.get(word, "250 fine")
            writer.write(answers.get(word, default).encode() + b"\r\n")
            await writer.drain()
        if hang_up_at == "body":
            writer.transport.abort()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
        if talks:
            await asyncio.wait(talks, timeout=5)
        await asyncio.sleep(0)


async def test_an_answer_arrives_whole_in_its_thread():
    inbox = Inbox()
    file = OutgoingFile(name="рахунок №17.pdf", media_type="application/pdf", body=b"%PDF-1.4 \x00\xff")
    async with serving(inbox) as port:
        result = await account(port).send(answer(files=(file,)))
    assert isinstance(result, Sent)
    assert inbox.envelopes == [("sales@example.org", ["olena@example.com"])]
    parsed = email.message_from_bytes(inbox.mails[0], policy=email.policy.default)
    assert parsed["Message-ID"] == f"<{result.provider_id}>"
    assert OURS.fullmatch(result.provider_id)
    assert parsed["In-Reply-To"] == "<r2@example.com>"
    assert parsed["References"].split() == ["<k1@example.com>", "<s1@example.org>", "<r2@example.com>"]
    assert parsed["Subject"] == "Re: Замовлення №17"
    assert parsed["From"].addresses[0].display_name == "Магазин «Їжак»"
    assert "Auto-Submitted" not in parsed
    body = parsed.get_body()
    assert body is not None
    assert body.get_content().replace("\r\n", "\n") == "Так, є в наявності.\n.\n..крапки на початку рядка\n"
    [attached] = parsed.iter_attachments()
    assert (attached.get_filename(), attached.get_content()) == ("рахунок №17.pdf", file.body)


async def test_the_same_message_has_the_same_id_at_every_try():
    inbox = Inbox()
    async with serving(inbox) as port:
        first, second = await account(port).send(answer()), await account(port).send(answer())
    assert first == second
    other = account(1)
    assert isinstance(other, Email)
    assert first != await _sent(answer(id="another"))


async def _sent(message: Outgoing) -> object:
    async with serving(Inbox()) as port:
        return await account(port).send(message)


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (OutgoingKind.ACKNOWLEDGEMENT, "auto-replied"),
        (OutgoingKind.NOTICE, "auto-generated"),
        (OutgoingKind.STAFF, "auto-generated"),
    ],
)
async def test_e9_what_a_program_wrote_says_so(kind: OutgoingKind, word: str):
    inbox = Inbox()
    async with serving(inbox) as port:
        await account(port).send(answer(kind=kind))
    parsed = email.message_from_bytes(inbox.mails[0])
    assert (parsed["Auto-Submitted"], parsed["X-Auto-Response-Suppress"]) == (word, "All")


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("message_id", lambda mail: ".Tok3n@" in mail["Message-ID"]),
        ("plus_address", lambda mail: "sales+Tok3n@example.org" in mail["Reply-To"]),
        (
            "subject",
            lambda mail: str(email.policy.default.header_factory("s", mail["Subject"])).endswith("[#Tok3n]"),
        ),
    ],
)
async def test_the_token_goes_where_the_settings_say(where: str, found: Callable[[Any], bool]):
    inbox = Inbox()
    async with serving(inbox) as port:
        await account(port, thread_token_in=where).send(answer())
    parsed = email.message_from_bytes(inbox.mails[0], policy=email.policy.default)
    assert found(parsed)


async def test_headers_cannot_be_smuggled_in():
    inbox = Inbox()
    evil = answer(
        subject="Hello\r\nBcc: everybody@example.com",
        to=Sender(name='A"\r\nBcc: x@example.com', email="olena@example.com"),
        replies_to=("a@b.example>\r\nBcc: y@example.com",),
        id="1\r\nX: y",
    )
    async with serving(inbox) as port:
        assert isinstance(await account(port).send(evil), Sent)
    parsed = email.message_from_bytes(inbox.mails[0])
    assert "Bcc" not in parsed
    assert "X" not in parsed


async def test_a_long_chain_of_references_keeps_its_ends():
    inbox = Inbox()
    chain = tuple(f"id-{n}@example.com" for n in range(50))
    async with serving(inbox) as port:
        await account(port).send(answer(replies_to=chain))
    references = email.message_from_bytes(inbox.mails[0])["References"].split()
    assert len(references) == 20
    assert (references[0], references[-1]) == ("<id-49@example.com>", "<id-0@example.com>")


async def test_buttons_with_an_address_become_lines():
    inbox = Inbox()
    row = (Button(label="Оплатити", url="https://pay.example/1"), Button(label="Так", action="yes"))
    async with serving(inbox) as port:
        await account(port).send(answer(buttons=(row,)))
    body = email.message_from_bytes(inbox.mails[0]).get_payload(decode=True)
    assert isinstance(body, bytes)
    assert "Оплатити: https://pay.example/1" in body.decode()


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"MAIL": "550 5.7.1 not from here"}, Refused),
        ({"MAIL": "451 later"}, Later),
        ({"RCPT": "550 5.1.1 no such user"}, Refused),
        ({"RCPT": "450 4.2.1 greylisted"}, Later),
        ({"DATA": "554 no"}, Refused),
        ({"DATA": "421 closing"}, Later),
        ({".": "552 too large"}, Refused),
        ({".": "452 disk full"}, Later),
        ({"EHLO": "421 too busy", "HELO": "421 too busy"}, Later),
    ],
)
async def test_what_the_server_answers_decides(answers: dict[str, str], expected: type):
    async with scripted(answers) as port:
        result = await account(port).send(answer())
    assert isinstance(result, expected)
    if isinstance(result, Refused):
        assert next(iter(answers.values())) in result.reason


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("EHLO", Later),
        ("MAIL", Later),
        ("RCPT", Later),
        ("DATA", Later),
        (".", Uncertain),
        ("QUIT", Sent),
    ],
)
async def test_where_the_dialogue_breaks_decides(word: str, expected: type):
    async with scripted({}, hang_up_at=word) as port:
        assert isinstance(await account(port).send(answer()), expected)


async def test_a_line_cut_within_the_body_is_never_called_sent(monkeypatch: pytest.MonkeyPatch):
    """Later while the final dot has not been written; Uncertain where the break was noticed only after it."""
    file = OutgoingFile(name="a.bin", media_type="application/octet-stream", body=b"x" * 8_000_000)
    async with scripted({}, hang_up_at="body") as port:
        assert await account(port).send(answer(files=(file,))) == Later()


@pytest.mark.parametrize(("silent", "expected"), [("DATA", Later), (".", Uncertain)])
async def test_silence_before_the_dot_is_later_and_after_it_uncertain(
    monkeypatch: pytest.MonkeyPatch, silent: str, expected: type
):
    monkeypatch.setattr(smtp, "STEP_S", 0.5)
    release = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            word = line.decode("utf-8", "replace").split(" ")[0].strip()
            if word == silent:
                await release.wait()
                break
            if word in {"EHLO", "MAIL", "RCPT", "DATA"}:
                writer.write(b"354 go\r\n" if word == "DATA" else b"250 ok\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        result = await account(server.sockets[0].getsockname()[1]).send(answer(text="Yes"))
        assert isinstance(result, expected)
    finally:
        release.set()
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0.1)


async def test_nobody_there_is_later():
    async with scripted({}) as port:
        pass
    assert await account(port).send(answer()) == Later()


async def test_a_refused_login_is_one_and_a_busy_one_is_later():
    def authenticate(*_: Any) -> AuthResult:
        return AuthResult(success=False, handled=False)

    async with serving(Inbox(), authenticator=authenticate, auth_require_tls=False) as port:
        with pytest.raises(AuthenticationFailed) as refusal:
            await account(port).send(answer())
    assert "a-password" not in str(refusal.value)


async def test_an_unverified_certificate_is_not_talked_to():
    """The server has TLS, but no certificate that anybody vouches for."""
    async with serving(Inbox()) as port:
        assert await account(port, smtp_security="tls").send(answer()) == Later()
        assert await account(port, smtp_security="starttls").send(answer()) == Later()
    assert (
        smtp.tls_context(EmailSettings(address="a@b.example", password="p", imap_host="x")).verify_mode
        is ssl.CERT_REQUIRED
    )


@pytest.mark.parametrize(
    "message",
    [
        answer(to=Sender(name="Nobody")),
        answer(to=Sender(email="no address")),
        answer(text="  "),
        answer(files=(OutgoingFile(name="a", media_type="a/b", body=b"x" * 19_000_000),)),
    ],
)
async def test_what_can_never_be_sent_is_refused_with_a_sentence(message: Outgoing):
    result = await account(1).send(message)
    assert isinstance(result, Refused)
    assert len(result.reason) > 15


async def test_an_account_without_smtp_says_that_it_cannot_send():
    only_receives = account(1, smtp_host="")
    assert not only_receives.capabilities.sends
    assert isinstance(await only_receives.send(answer()), Refused)
