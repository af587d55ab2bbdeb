"""Sends one mail. What became of it is decided by where the dialogue broke:

before the final dot of DATA was written   nothing has left: Later
after it, without an answer                it may have left: Uncertain
4xx                                        Later; 5xx: Refused, with the server's words
"""

from __future__ import annotations

import asyncio
import re
import ssl
from email.message import EmailMessage
from typing import Final

import aiosmtplib

from hub.sdk import AuthenticationFailed, Later, Refused, SendResult, Sent, TemporaryFailure, Uncertain
from plugins.email.settings import EmailSettings, Server

STEP_S: Final = 10.0
WHOLE_S: Final = 28.0
_LINE_START_DOT = re.compile(rb"^\.", re.MULTILINE)
_LINE_END = re.compile(rb"\r\n|\r|\n")


class _Dialogue:
    """How far one attempt has come."""

    dot_written = False


def tls_context(settings: EmailSettings) -> ssl.SSLContext:
    """Certificates are always verified, against the system's authorities or one's own."""
    return ssl.create_default_context(cafile=settings.ca_file or None)


async def send(
    mail: EmailMessage, sender: str, recipient: str, message_id: str, settings: EmailSettings, token: str
) -> SendResult:
    """One attempt, at most WHOLE_S. Raises AuthenticationFailed; everything else is a result."""
    server = settings.smtp
    if server is None:
        return Refused("this mailbox only receives: set smtp_host to answer from it")
    dialogue = _Dialogue()
    client = _client(server, settings)
    try:
        async with asyncio.timeout(WHOLE_S):
            await _enter(client, settings, token)
            return await _hand_over(client, dialogue, mail.as_bytes(), sender, recipient, message_id)
    except AuthenticationFailed:
        raise
    except aiosmtplib.SMTPResponseException as refusal:
        return _refused(refusal.code, str(refusal.message))
    except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError):  # ssl.SSLError is an OSError
        if dialogue.dot_written:
            return Uncertain("the connection to the mail server broke before it confirmed the message")
        return Later()
    finally:
        client.close()


async def check(settings: EmailSettings, token: str) -> None:
    """Log in and out. Raises AuthenticationFailed or TemporaryFailure."""
    server = settings.smtp
    assert server is not None
    client = _client(server, settings)
    try:
        async with asyncio.timeout(WHOLE_S):
            await _enter(client, settings, token)
            await client.quit()
    except AuthenticationFailed:
        raise
    except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
        raise TemporaryFailure(
            f"SMTP {server.host}:{server.port} does not answer: {type(error).__name__}"
        ) from None
    finally:
        client.close()


def _client(server: Server, settings: EmailSettings) -> aiosmtplib.SMTP:
    return aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        use_tls=server.security == "tls",
        start_tls=server.security == "starttls",
        tls_context=tls_context(settings) if server.security != "none" else None,
        timeout=STEP_S,
        local_hostname="hub.invalid" if settings.address.rpartition("@")[2].isascii() is False
        else settings.address.rpartition("@")[2],
    )  # fmt: skip


async def _enter(client: aiosmtplib.SMTP, settings: EmailSettings, token: str) -> None:
    await client.connect()
    await client.ehlo()
    if not client.supports_extension("auth"):
        return  # a relay that trusts our address
    try:
        if token:
            await client.auth_xoauth2(settings.login, token)
        else:
            await client.login(settings.login, settings.password.get_secret_value())
    except aiosmtplib.SMTPAuthenticationError as refusal:
        if 400 <= refusal.code < 500:
            raise
        raise AuthenticationFailed(
            f"the mail server does not accept the login for sending ({refusal.code}): check username and password"
        ) from None


async def _hand_over(
    client: aiosmtplib.SMTP, dialogue: _Dialogue, body: bytes, sender: str, recipient: str, message_id: str
) -> SendResult:
    options = [f"SIZE={len(body)}"] if client.supports_extension("size") else []
    if not (sender + recipient).isascii():
        if not client.supports_extension("smtputf8"):
            return Refused("the mail server takes no addresses with letters beyond English ones")
        options.append("SMTPUTF8")
    encoding = "ascii" if (sender + recipient).isascii() else "utf-8"
    await client.mail(sender, options=options, encoding=encoding)
    await client.rcpt(recipient, encoding=encoding)
    begun = await client.execute_command(b"DATA")
    if begun.code != 354:
        return _refused(begun.code, begun.message)
    await _write(client, _LINE_START_DOT.sub(b"..", _LINE_END.sub(b"\r\n", body)))
    dialogue.dot_written = True
    answer = await client.execute_command(b".")
    if answer.code != 250:
        return _refused(answer.code, answer.message)
    try:
        await client.quit()
    except (aiosmtplib.SMTPException, OSError, TimeoutError):
        return Sent(message_id)  # it was taken; how the server says good-bye changes nothing
    return Sent(message_id)


async def _write(client: aiosmtplib.SMTP, body: bytes) -> None:
    """Everything but the final dot, and wait until it has left this process. Raises SMTPServerDisconnected."""
    transport = client.transport
    if client.protocol is None or not isinstance(transport, asyncio.WriteTransport):
        raise aiosmtplib.SMTPServerDisconnected("connection lost")
    if not body.endswith(b"\r\n"):
        body += b"\r\n"
    client.protocol.write(body)
    # The transport has no event for an empty buffer; `send` bounds the whole.
    while transport.get_write_buffer_size() and not transport.is_closing():  # noqa: ASYNC110 - as said above
        await asyncio.sleep(0.01)
    await asyncio.sleep(0)
    if transport.is_closing():
        raise aiosmtplib.SMTPServerDisconnected("connection lost")


def _refused(code: int, words: str) -> SendResult:
    if 400 <= code < 500:
        return Later()
    if not 500 <= code < 600:
        return Uncertain(f"the mail server answered {code}, which no rule foresees")
    said = " ".join("".join(c if c.isprintable() else " " for c in words).split())[:300]
    return Refused(f"the mail server refused the message: {code} {said}".strip())
