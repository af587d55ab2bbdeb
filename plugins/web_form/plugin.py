"""Web form: any site's form, a form builder's web hook, or the hosted page, as a channel.

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
    Host,
    HttpAnswer,
    Outcome,
    Parsed,
    RawDelivery,
    Register,
    Verified,
    hookimpl,
)
from plugins.web_form.answer import Answers
from plugins.web_form.event import Reading, read
from plugins.web_form.fields import Keys
from plugins.web_form.page import Pages
from plugins.web_form.settings import WebFormSettings


class WebForm(Channel):
    """One web form account. Nothing is signed: what comes in is as trustworthy as its sender's words."""

    capabilities = ChannelCapabilities(parses_at_once=True, has_page=True)

    def __init__(self, account: str, settings: WebFormSettings, host: Host) -> None:
        # No media types here: this plugin refuses the others itself, with a sentence that says what to send.
        self.limits = ChannelLimits(
            max_body_bytes=settings.max_body_bytes, rate_per_minute=settings.rate_per_minute
        )
        self._keys = Keys(settings.fields, settings.honeypot)
        self._region = settings.region
        self._answers = Answers(account, settings)
        self._pages = Pages(account, settings)
        self._last: tuple[RawDelivery, Reading] | None = None

    def verify(self, raw: RawDelivery) -> Verified:
        """Accepts what can be read as a form; names the delivery where something in it does."""
        reading = read(raw, self._keys, self._region)
        self._last = (raw, reading)
        return reading.verified

    def parse(self, raw: RawDelivery) -> Parsed:
        """One event; the reading of `verify` is used where it was this very delivery's."""
        last = self._last
        if last is not None and last[0] is raw:
            self._last = None  # no customer's words stay behind
            return Parsed(events=(last[1].event,))
        return Parsed(events=(read(raw, self._keys, self._region).event,))

    def answer(self, outcome: Outcome, raw: RawDelivery) -> HttpAnswer:
        """JSON for scripts, the thank-you page for browsers."""
        return self._answers.answer(outcome, raw)

    def page(self, path: str, query: Mapping[str, str], language: str) -> HttpAnswer | None:
        """The hosted form and its thank-you page."""
        return self._pages.page(path, query, language)


PLUGIN = ChannelPlugin(
    name="web_form",
    title={"en": "Web form", "uk": "Вебформа"},
    settings=WebFormSettings,
    create=WebForm,
    version="0.1.0",
)


@hookimpl
def hub_register(register: Register) -> None:
    """Offer the web form channel."""
    register.channel(PLUGIN)
