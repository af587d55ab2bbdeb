"""The hosted form page and its thank-you page: plain HTML, no script, nothing loaded from elsewhere.

The one thing here that is not a function of its arguments is the nonce in the hidden field `_nonce`: it is
drawn at random for each view, so that a double click on the button is one request.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from html import escape
from urllib.parse import quote, urlencode, urlsplit

from hub.sdk import HttpAnswer
from plugins.web_form.fields import campaign_key
from plugins.web_form.settings import LANGUAGES, WebFormSettings, is_address

_TEXTS: Mapping[str, Mapping[str, str]] = {
    "uk": {
        "name": "Ваше ім’я",
        "phone": "Телефон",
        "email": "Електронна пошта (необов’язково)",
        "message": "Повідомлення",
        "send": "Надіслати",
        "honeypot": "Залиште це поле порожнім",
        "thanks": "Дякуємо!",
        "thanks_text": "Ми отримали ваше повідомлення і скоро відповімо.",
        "again": "Надіслати ще одне",
        "language": "Мова",
    },
    "en": {
        "name": "Your name",
        "phone": "Telephone",
        "email": "E-mail (optional)",
        "message": "Message",
        "send": "Send",
        "honeypot": "Leave this field empty",
        "thanks": "Thank you!",
        "thanks_text": "We have got your message and will answer soon.",
        "again": "Send another one",
        "language": "Language",
    },
}
_LANGUAGE_NAMES = {"uk": "Українська", "en": "English"}
# (field, type, autocomplete, further attributes)
_INPUTS = (
    ("name", "text", "name", ' maxlength="200" required'),
    ("phone", "tel", "tel", ' maxlength="64" required'),
    ("email", "email", "email", ' maxlength="254"'),
)
_STYLE = (
    "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:2rem auto;padding:0 1rem}"
    "body{color:#1b1f24;background:#fff}"
    "label{display:block;margin-top:1rem}"
    "input,textarea{font:inherit;width:100%;box-sizing:border-box;padding:.5rem}"
    "input,textarea{border:1px solid #6b7280;border-radius:.3rem}"
    "button{font:inherit;margin-top:1.2rem;padding:.6rem 1.4rem;border:0;border-radius:.3rem}"
    "button{background:#0b57d0;color:#fff}"
    "nav{text-align:right;font-size:.9rem}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_MAX_CAMPAIGN_FIELDS = 20


class Pages:
    """The pages of one account, below /in/<account>."""

    def __init__(self, account: str, settings: WebFormSettings) -> None:
        self._base = "/in/" + quote(account, safe="")
        self._settings = settings

    def page(self, path: str, query: Mapping[str, str], language: str) -> HttpAnswer | None:
        """`/form` and `/thanks` in the language of `?lang=`, else in `language`; None for any other path."""
        chosen = _language(query.get("lang", "") or language)
        if path == "/form":
            return self._html(self._form(query, chosen), chosen, path, query)
        if path == "/thanks":
            return self._html(self._thanks(chosen), chosen, path, query)
        return None

    def _form(self, query: Mapping[str, str], language: str) -> str:
        texts = _TEXTS[language]
        inputs = "".join(
            f'<label for="{name}">{texts[name]}</label>'
            f'<input id="{name}" name="{name}" type="{kind}" autocomplete="{auto}"{more}>\n'
            for name, kind, auto, more in _INPUTS
        )
        return (
            f"<h1>{escape(self._settings.title_in(language))}</h1>\n"
            f'<form method="post" action="{self._base}?lang={language}" accept-charset="utf-8">\n'
            f"{inputs}"
            f'<label for="message">{texts["message"]}</label>'
            '<textarea id="message" name="message" rows="5" maxlength="20000"></textarea>\n'
            f"{self._honeypot(texts)}{_hidden('_nonce', secrets.token_urlsafe(18))}{_campaign(query)}"
            f'<button type="submit">{texts["send"]}</button>\n</form>'
        )

    def _honeypot(self, texts: Mapping[str, str]) -> str:
        name = escape(self._settings.honeypot)
        if not name:
            return ""
        return (
            f'<p hidden><label for="trap">{texts["honeypot"]}</label>'
            f'<input id="trap" name="{name}" type="text" autocomplete="off" tabindex="-1"></p>\n'
        )

    def _thanks(self, language: str) -> str:
        texts = _TEXTS[language]
        own = self._settings.thank_you_in(language)
        text = texts["thanks_text"] if not own or is_address(own) else own
        return (
            f"<h1>{texts['thanks']}</h1>\n<p>{escape(text)}</p>\n"
            f'<p><a href="{self._base}/form?lang={language}">{texts["again"]}</a></p>'
        )

    def _html(self, main: str, language: str, path: str, query: Mapping[str, str]) -> HttpAnswer:
        title = escape(self._settings.title_in(language))
        links = " ".join(
            f'<a href="{self._base}{path}?{escape(urlencode({**_campaign_values(query), "lang": other}))}"'
            f' lang="{other}" hreflang="{other}">{_LANGUAGE_NAMES[other]}</a>'
            for other in LANGUAGES
            if other != language
        )
        document = (
            f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
            f"<title>{title}</title>\n"
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<meta name="robots" content="noindex">\n<style>{_STYLE}</style>\n</head>\n<body>\n'
            f'<nav aria-label="{_TEXTS[language]["language"]}">{links}</nav>\n'
            f"<main>\n{main}\n</main>\n</body>\n</html>\n"
        )
        body = document.encode("utf-8", "replace")
        return HttpAnswer(status=200, body=body, media_type="text/html", headers=self._headers())

    def _headers(self) -> dict[str, str]:
        targets = {"'self'"} | {_origin(self._settings.thank_you_in(language)) for language in LANGUAGES}
        policy = (
            f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
            f"form-action {' '.join(sorted(targets - {''}))}"
        )
        return {
            "Content-Security-Policy": policy,
            "Cache-Control": "no-store",  # each view has its own nonce
            "X-Content-Type-Options": "nosniff",
        }


def _language(text: str) -> str:
    """One of LANGUAGES for a BCP 47 tag: Ukrainian where nothing is told, English for all others."""
    code = text[:2].lower()
    if code in LANGUAGES:
        return code
    return "uk" if code in {"", "ru"} else "en"


def _origin(address: str) -> str:
    """Browsers apply form-action to the redirect too, so another site's page must be named."""
    if not address.startswith(("http://", "https://")):
        return ""
    parts = urlsplit(address)
    return f"{parts.scheme}://{quote(parts.netloc, safe=':.-[]')}"


def _hidden(name: str, value: str) -> str:
    return f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">\n'


def _campaign(query: Mapping[str, str]) -> str:
    return "".join(_hidden(name, value) for name, value in _campaign_values(query).items())


def _campaign_values(query: Mapping[str, str]) -> dict[str, str]:
    """Where the visitor came from, as the page's own address tells: goes along with the form."""
    known: dict[str, str] = {}
    for key, value in query.items():
        name = campaign_key(key)
        if name and len(known) < _MAX_CAMPAIGN_FIELDS:
            known.setdefault(name, value[:500].encode("utf-8", "replace").decode())
    return known
