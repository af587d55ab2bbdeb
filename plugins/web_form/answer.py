"""What the sender of a form gets after the commit: JSON for scripts, the thank-you page for people."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

import orjson

from hub.sdk import HttpAnswer, Outcome, OutcomeKind, RawDelivery
from plugins.web_form.event import BROWSER_TYPES
from plugins.web_form.kinds import Kind
from plugins.web_form.settings import LANGUAGES, is_address


def is_browser(raw: RawDelivery) -> bool:
    """Did a person press the button of a plain form, so that what we answer is what he sees?"""
    return "text/html" in raw.headers.get("accept", "") and raw.media_type in BROWSER_TYPES


class Answers:
    """The answers of one account. Repeats get what the first got; spam looks like success."""

    def __init__(self, account: str, kinds: Mapping[str, Kind], kind: str) -> None:
        self._thanks = f"/in/{quote(account, safe='')}/thanks"
        self._kinds = kinds
        self._kind = kind

    def answer(self, outcome: Outcome, raw: RawDelivery) -> HttpAnswer:
        """303 for a browser's form; else 201 with the request's id, 202 while pending, 200 for the rest."""
        if is_browser(raw):
            location = self._location(raw.query.get("kind", ""), raw.query.get("lang", ""))
            return HttpAnswer(status=303, media_type="text/plain", headers={"Location": location})
        if outcome.kind is OutcomeKind.ACCEPTED:
            return HttpAnswer(status=201, body=orjson.dumps({"request_id": outcome.request_id}))
        return HttpAnswer(status=202 if outcome.kind is OutcomeKind.PENDING else 200, body=b"{}")

    def _location(self, kind: str, language: str) -> str:
        """Where a browser goes: the kind's own address, percent-encoded, or our thank-you page."""
        known = kind in self._kinds
        told = language if language in LANGUAGES else ""
        own = self._kinds[kind if known else self._kind].confirmation[told or "uk"]
        if is_address(own):
            return quote(own, safe="/:?#[]@!$&'()*+,;=%-._~")
        query = {**({"kind": kind} if known else {}), **({"lang": told} if told else {})}
        return self._thanks + (f"?{urlencode(query)}" if query else "")
