"""E-mail: each mail to the business becomes a request or joins one; answers go back in the same thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import TypeVar

from hub.sdk import (
    Channel,
    ChannelCapabilities,
    ChannelLimits,
    ChannelPlugin,
    DeliveryRejected,
    Host,
    Later,
    Outgoing,
    Parsed,
    Pulled,
    RawDelivery,
    Refused,
    Register,
    SendResult,
    TemporaryFailure,
    Verified,
    hookimpl,
)
from plugins.email import message, positions, smtp
from plugins.email.client import LEAST_S, SPARE_S, Mailbox, TokenRefused, Worker
from plugins.email.compose import compose, envelope_address, message_id
from plugins.email.settings import EmailSettings
from plugins.email.tokens import Tokens

MAX_FILE_BYTES = 18 * 1024 * 1024  # base64 adds a third, and 25 MB is what most servers take
_Result = TypeVar("_Result")


class Email(Channel):
    """One mailbox."""

    def __init__(self, account: str, settings: EmailSettings, host: Host) -> None:
        self.account = account
        sends = settings.smtp is not None
        self.capabilities = ChannelCapabilities(
            receives=False,
            pulls=True,
            rescans=True,
            sends=sends,
            sends_first=sends,
            writes_to="email",
            files=MAX_FILE_BYTES if sends else 0,
            silence_s=2.0 * settings.poll_s,
        )
        self.limits = ChannelLimits(max_body_bytes=settings.max_message_bytes)
        self._settings = settings
        self._host = host
        self._tokens = Tokens(settings, host)
        self._reader = Worker(account, Mailbox(settings, self._today))
        self._rescanner = Worker(f"{account} rescan", Mailbox(settings, self._today))

    def verify(self, raw: RawDelivery) -> Verified:
        """Everything that was fetched counts; nothing is taken over HTTP."""
        if raw.method != "PULL":
            raise DeliveryRejected("method", "mail is fetched from the mailbox, not posted", status=405)
        return Verified(external_id=message.digest(raw.body))

    def parse(self, raw: RawDelivery) -> Parsed:
        """One event a mail."""
        return Parsed(events=(message.read(raw, self._settings),))

    async def pull(self, position: str, wait_s: float) -> Pulled:
        """The next page of new mail of all folders, oldest first."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        mailbox = self._reader.mailbox
        found = await self._logged_in(
            self._reader, lambda token: mailbox.pull(position, wait_s, token), wait_s
        )
        if not found.deliveries:
            await asyncio.sleep(max(0.0, LEAST_S - (loop.time() - begun)))
        return found

    async def taken(self, positions_: Sequence[str]) -> None:
        """Move what is stored, where the settings say so."""
        if not self._settings.move_to:
            return
        stored = [one for text in positions_ if (one := positions.stored(text)) is not None]
        if stored:
            mailbox = self._reader.mailbox
            await self._logged_in(self._reader, lambda token: mailbox.taken(stored, token), 0)

    async def rescan(self, since: datetime, after: str) -> Pulled:
        """What came since a moment by the server's own date; on a connection of its own."""
        mailbox = self._rescanner.mailbox
        return await self._logged_in(self._rescanner, lambda token: mailbox.rescan(since, after, token), 0)

    async def send(self, message: Outgoing) -> SendResult:
        """One mail to one person."""
        mail = compose(message, self._settings, self._now())
        if isinstance(mail, Refused):
            return mail
        if sum(len(file.body) for file in message.files) > MAX_FILE_BYTES:
            return Refused(
                f"the files are larger than {MAX_FILE_BYTES // 2**20} MiB together: send a link instead"
            )
        try:
            token = await self._tokens.current()
        except TemporaryFailure as failure:  # no token, so nothing has left
            return Later(failure.retry_after_s or 0)
        return await smtp.send(
            mail,
            envelope_address(self._settings.address),
            envelope_address(message.to.email.strip()),
            message_id(message, self._settings),
            self._settings,
            token,
        )

    async def check(self) -> str:
        """Log in to both servers and open every folder; nothing is fetched, nothing is sent."""
        checker = Worker(f"{self.account} check", Mailbox(self._settings, self._today))
        try:
            said = await self._logged_in(checker, checker.mailbox.check, 0)
        finally:
            await checker.close()
        if self._settings.smtp is None:
            return f"{said}; no smtp_host, so it cannot answer"
        await smtp.check(self._settings, await self._tokens.current())
        return f"{said}; sending works"

    async def close(self) -> None:
        """End both threads."""
        await self._reader.close()
        await self._rescanner.close()

    async def _logged_in(self, worker: Worker, work: Callable[[str], _Result], wait_s: float) -> _Result:
        """With a token good for the login; a refused one is refreshed once."""
        token = await self._tokens.current()
        try:
            return await worker.run(lambda: work(token), wait_s + SPARE_S)
        except TokenRefused:
            fresh = await self._tokens.current(refused=token)
            return await worker.run(lambda: work(fresh), wait_s + SPARE_S)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._host.clock.now() / 1000, UTC)

    def _today(self) -> date:
        return self._now().date()


PLUGIN = ChannelPlugin(
    name="email",
    title={"en": "E-mail", "uk": "Електронна пошта"},
    settings=EmailSettings,
    create=Email,
    version="0.1.0",
    needs_sdk="1.1",
)


@hookimpl
def hub_register(register: Register) -> None:
    """Offer the channel."""
    register.channel(PLUGIN)
