"""What the sender of a form gets after the commit: JSON for scripts, the thank-you page for people."""

from __future__ import annotations

from urllib.parse import quote

import orjson

from hub.sdk import HttpAnswer, Outcome, OutcomeKind, RawDelivery
from plugins.web_form.form import URLENCODED
from plugins.web_form.settings import LANGUAGES, WebFormSettings, is_address


class Answers:
    """The answers of one account. Repeats get what the first got; spam looks like success."""

    def __init__(self, account: str, settings: WebFormSettings) -> None:
        thanks = f"/in/{quote(account, safe='')}/thanks"
        self._location = {"": _location(settings, "uk", thanks)}
        for language in LANGUAGES:
            self._location[language] = _location(settings, language, f"{thanks}?lang={language}")

    def answer(self, outcome: Outcome, raw: RawDelivery) -> HttpAnswer:
        """303 for a browser's form; else 201 with the request's id, 202 while pending, 200 for the rest."""
        headers = raw.headers
        if "text/html" in headers.get("accept", "") and raw.media_type == URLENCODED:
            language = raw.query.get("lang", "")
            location = self._location.get(language) or self._location[""]
            return HttpAnswer(status=303, media_type="text/plain", headers={"Location": location})
        if outcome.kind is OutcomeKind.ACCEPTED:
            return HttpAnswer(status=201, body=orjson.dumps({"request_id": outcome.request_id}))
        return HttpAnswer(status=202 if outcome.kind is OutcomeKind.PENDING else 200, body=b"{}")


def _location(settings: WebFormSettings, language: str, thanks: str) -> str:
    """Where a browser goes: the account's own address, percent-encoded, or our thank-you page."""
    own = settings.thank_you_in(language)
    return quote(own, safe="/:?#[]@!$&'()*+,;=%-._~") if is_address(own) else thanks
