"""Web form: any site's form, a form builder's web hook, the hosted page, or the embedded form, as a channel.

`verify` needs the fields already (a builder's id stands among them), so both methods read the same body.
The last reading is kept beside the very delivery it belongs to: the second call finds it there, and any
other delivery is read anew. One reference is swapped at a time, so threads can only miss it, never mix it.
"""

from __future__ import annotations

from collections.abc import Mapping

from hub.sdk import (
    Channel,
    ChannelCapabilities,
    ChannelLimits,
    ChannelPlugin,
    DeliveryRejected,
    Host,
    HttpAnswer,
    Outcome,
    Parsed,
    RawDelivery,
    Register,
    TemporaryFailure,
    Verified,
    hookimpl,
)
from plugins.web_form import nonce, signature
from plugins.web_form.answer import Answers, is_browser
from plugins.web_form.client import PASSED, Turnstile
from plugins.web_form.event import Reader, Reading, read
from plugins.web_form.fields import Keys
from plugins.web_form.page import Pages, View
from plugins.web_form.settings import WebFormSettings

ASKED = "hub-asked"


class WebForm(Channel):
    """One web form account. Unless it has a secret, what comes in is as trustworthy as its sender's words."""

    def __init__(self, account: str, settings: WebFormSettings, host: Host) -> None:
        self.capabilities = ChannelCapabilities(
            parses_at_once=True, has_page=not settings.secrets, asks=settings.checks_people
        )
        # No media types here: this plugin refuses the others itself, with a sentence that says what to send.
        self.limits = ChannelLimits(
            max_body_bytes=settings.max_body_bytes,
            max_upload_bytes=settings.max_upload_bytes if settings.max_files else 0,
            rate_per_minute=settings.rate_per_minute,
            origins=frozenset(settings.allowed_origins),
        )
        kinds = settings.all_kinds()
        self._settings = settings
        self._secrets = settings.secrets
        self._reader = Reader(
            keys=Keys(settings.fields, settings.honeypot),
            region=settings.region,
            kinds=kinds,
            kind=settings.kind,
            task_language=settings.task_language,
            max_files=settings.max_files,
            max_file_bytes=settings.max_file_bytes,
            file_types=frozenset(settings.file_types),
            key=host.key(nonce.PURPOSE),
        )
        self._host = host
        self._turnstile = Turnstile(
            host.http,
            settings.turnstile_base_url,
            settings.turnstile_secret.get_secret_value(),
            settings.turnstile_timeout_s,
        )
        self._answers = Answers(account, kinds, settings.kind)
        self._pages = Pages(account, settings, kinds)
        self._last: tuple[RawDelivery, Reading] | None = None

    async def ask(self, raw: RawDelivery) -> str:
        """Turnstile's word. Where it cannot be had, the settings say whether the sender may go on."""
        try:
            return await self._turnstile.ask(raw)
        except TemporaryFailure:
            if self._settings.turnstile_down == "refuse":
                raise
            return ""

    async def check(self) -> str:
        """Only Turnstile has anything to try."""
        return await self._turnstile.check() if self.capabilities.asks else "it waits for forms"

    def verify(self, raw: RawDelivery) -> Verified:
        """Accepts what can be read as a form; names the delivery where something in it does."""
        reading = self._read(raw)
        self._last = (raw, reading)
        return reading.verified

    def parse(self, raw: RawDelivery) -> Parsed:
        """One event; the reading of `verify` is used where it was this very delivery's."""
        last = self._last
        if last is not None and last[0] is raw:
            self._last = None  # no customer's words stay behind
            return Parsed(events=(last[1].event,))
        return Parsed(events=(self._read(raw).event,))

    def _read(self, raw: RawDelivery) -> Reading:
        proof = signature.check(raw, self._secrets) if self._secrets else ""
        unverified = self.capabilities.asks and raw.headers.get(ASKED, "") != PASSED
        if unverified and self._settings.turnstile_down == "refuse":
            raise DeliveryRejected(
                "captcha", "the check for robots was not passed: try once more", status=403
            )
        return read(raw, self._reader, proof, unverified=unverified)

    def answer(self, outcome: Outcome, raw: RawDelivery) -> HttpAnswer:
        """JSON for scripts, the thank-you page for browsers."""
        return self._answers.answer(outcome, raw)

    def refusal(self, rejected: DeliveryRejected, raw: RawDelivery) -> HttpAnswer | None:
        """A person sees his form again, filled in, and why; scripts get the problem document."""
        if not self.capabilities.has_page or not is_browser(raw):
            return None
        return self._pages.refused(rejected, raw, self._view(raw.query, ""))

    def page(self, path: str, query: Mapping[str, str], language: str) -> HttpAnswer | None:
        """The hosted form, its thank-you page, and the script that puts the form into other sites."""
        return self._pages.page(path, self._view(query, language)) if self.capabilities.has_page else None

    def _view(self, query: Mapping[str, str], language: str) -> View:
        return View.of(query, language, nonce.make(self._reader.key, self._host.clock.now() // 1000))


PLUGIN = ChannelPlugin(
    name="web_form",
    title={"en": "Web form", "uk": "Вебформа"},
    settings=WebFormSettings,
    create=WebForm,
    version="0.2.0",
)


@hookimpl
def hub_register(register: Register) -> None:
    """Offer the web form channel."""
    register.channel(PLUGIN)
