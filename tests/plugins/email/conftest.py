"""A mailbox account, mails, and a real Dovecot for the tests of the e-mail channel."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hub.sdk import Event, RawDelivery
from hub.testing.host import LoopbackHost
from plugins.email import message
from plugins.email.plugin import Email
from plugins.email.settings import EmailSettings
from tests.dovecot_server import Dovecot, DovecotAbsent, running_dovecot

FIXTURES = Path(__file__).parent / "fixtures"
RECEIVED_AT = datetime(2026, 3, 5, 8, 40, tzinfo=UTC)
SETTINGS: dict[str, Any] = {
    "address": "sales@example.org",
    "password": "a-password",
    "imap_host": "127.0.0.1",
}


def pulled(body: bytes, **headers: str) -> RawDelivery:
    """A fetched mail."""
    return RawDelivery(
        account="mail",
        method="PULL",
        path="",
        headers={"content-type": "message/rfc822", **headers},
        query={},
        body=body,
        address="",
        received_at=RECEIVED_AT,
    )


def mail(text: str = "Is it in stock?", **headers: str) -> bytes:
    """A plain mail; `in_reply_to=...` becomes In-Reply-To. An empty value leaves the header out."""
    known = {
        "from": "Olena <olena@example.com>",
        "to": "sales@example.org",
        "subject": "A question",
        "date": "Thu, 05 Mar 2026 10:00:00 +0200",
        "message_id": "<0123456789abc@example.com>",
        "content_type": "text/plain; charset=utf-8",
        **headers,
    }
    lines = [f"{name.replace('_', '-').title()}: {value}" for name, value in known.items() if value]
    return ("\r\n".join([*lines, "", text]) + "\r\n").replace("\r\n\n", "\r\n").encode()


@pytest.fixture
def event() -> Callable[..., Event]:
    """The event of a mail."""

    def read(body: bytes, headers: dict[str, str] | None = None, **settings: Any) -> Event:
        made = EmailSettings.model_validate({**SETTINGS, **settings})
        return message.read(pulled(body, **(headers or {})), made)

    return read


@pytest.fixture
def dovecot() -> Iterator[Dovecot]:
    """A server of this test's own."""
    try:
        with running_dovecot() as server:
            yield server
    except DovecotAbsent as absent:
        pytest.skip(str(absent))


def account_of(server: Dovecot, *, port: int = 0, host: LoopbackHost | None = None, **more: Any) -> Email:
    """An account of the plugin on that server."""
    settings = {
        "address": server.user,
        "password": server.password,
        "imap_host": "127.0.0.1",
        "imap_port": port or server.port,
        "imap_security": "none",
        **more,
    }
    return Email("mail", EmailSettings.model_validate(settings), host or LoopbackHost())
