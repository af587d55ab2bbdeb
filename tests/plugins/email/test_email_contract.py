"""The e-mail channel passes the checks of every channel, against a real IMAP server."""

import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import pytest

from hub.sdk import Channel, RawDelivery
from hub.testing.contract_channel import ChannelContract
from hub.testing.host import LoopbackHost
from hub.testing.situations import Situation
from plugins.email.plugin import PLUGIN, Email
from plugins.email.settings import EmailSettings
from tests.dovecot_server import Dovecot, DovecotAbsent, running_dovecot
from tests.plugins.email.conftest import FIXTURES, SETTINGS, account_of, mail, pulled

OTHERS = "see test_email_imap.py: this server cannot be told to"


class TestEmail(ChannelContract):
    plugin = PLUGIN
    settings = SETTINGS
    secrets = ("a-password", "secret-of-the-mailbox")
    depends_on_settings = frozenset({"sends"})  # without smtp_host it only reads; sending: test_email_smtp.py
    impossible: ClassVar = {
        Situation.THROTTLED: "IMAP has no such answer",
        Situation.BROKEN: OTHERS,
        Situation.TIME_OUT: OTHERS,
        Situation.HALF_BODY: OTHERS,
        Situation.UNREADABLE: OTHERS,
    }
    server: ClassVar[Dovecot]

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _server(cls) -> Iterator[None]:
        try:
            with running_dovecot() as server:
                cls.server = server
                yield
        except DovecotAbsent as absent:
            pytest.skip(str(absent))

    def make(self, **overrides: Any) -> Channel:
        return Email("account", EmailSettings.model_validate({**SETTINGS, **overrides}), LoopbackHost())

    def good_deliveries(self) -> Sequence[RawDelivery]:
        made = [pulled(path.read_bytes()) for path in sorted(FIXTURES.glob("*.eml"))]
        return [*made, pulled(mail(), **{"internal-date": "2026-03-05T08:00:00+00:00", "uid": "1"})]

    @asynccontextmanager
    async def facing(self, situation: Situation) -> AsyncIterator[Channel]:
        """The mailbox with two mails, empty, with another password, or behind a port where nobody listens."""
        server = self.server
        with server.client() as client:
            client.select_folder("INBOX")
            client.delete_messages(client.search("ALL"), silent=True)
            client.expunge()
        if situation is Situation.WELL:
            server.append("INBOX", mail("one"), mail("two", message_id="<second-1234@example.com>"))
        more: dict[str, Any] = {}
        if situation is Situation.UNAUTHORISED:
            more["password"] = "a-password"
        if situation is Situation.UNREACHABLE:
            with socket.create_server(("127.0.0.1", 0)) as closed:
                more["imap_port"] = closed.getsockname()[1]
        channel = account_of(server, **more)
        try:
            yield channel
        finally:
            await channel.close()
