"""The hosted form, its thank-you page, and the script for other sites; plain HTML that loads nothing from elsewhere.

The one exception is Turnstile, where the account asks for it: then the page loads Cloudflare's script. The nonce in
the hidden field `_nonce` comes with the `View`, so that everything here is a function of its arguments.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html import escape
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from hub.sdk import DeliveryRejected, HttpAnswer, RawDelivery
from plugins.web_form.client import FIELD
from plugins.web_form.fields import campaign_key
from plugins.web_form.form import read_form
from plugins.web_form.kinds import Kind
from plugins.web_form.settings import LANGUAGES, WebFormSettings, is_address
from plugins.web_form.texts import LABELS, PAGE, REFUSED
from plugins.web_form.widget import script, texts_of

_LANGUAGE_NAMES = {"uk": "Українська", "en": "English"}
# (type, autocomplete, further attributes)
_INPUTS: Final[Mapping[str, tuple[str, str, str]]] = {
    "name": ("text", "name", ' maxlength="200"'),
    "phone": ("tel", "tel", ' maxlength="64"'),
    "email": ("email", "email", ' maxlength="254"'),
    "organisation": ("text", "organization", ' maxlength="200"'),
    "when": ("text", "off", ' maxlength="200"'),
}
_STYLE = (
    ":root{color-scheme:light dark;--text:#1b1f24;--back:#fff;--line:#6b7280;--strong:#0b57d0;--on:#fff;--bad:#b3261e}"
    "@media(prefers-color-scheme:dark){:root{--text:#e6e8eb;--back:#14171a;--line:#8b939e;--strong:#a8c7fa;--on:#062e6f;"
    "--bad:#f2b8b5}}"
    "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:2rem auto;padding:0 1rem;overflow-wrap:anywhere}"
    "body{color:var(--text);background:var(--back)}"
    "label{display:block;margin-top:1rem}small{display:block}a{color:var(--strong)}"
    "input,textarea{font:inherit;color:inherit;background:transparent;width:100%;box-sizing:border-box;padding:.5rem}"
    "input,textarea{border:1px solid var(--line);border-radius:.3rem}"
    "button{font:inherit;margin-top:1.2rem;padding:.6rem 1.4rem;border:0;border-radius:.3rem;min-height:2.75rem}"
    "button{background:var(--strong);color:var(--on);cursor:pointer}"
    ":focus-visible{outline:3px solid var(--strong);outline-offset:2px}"
    ".refused{border-left:.3rem solid var(--bad);padding:.3rem .8rem;margin:1rem 0}.cf-turnstile{margin-top:1rem}"
    "nav{text-align:right;font-size:.9rem}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_MAX_CAMPAIGN_FIELDS = 20
_MAX_KEPT = 20_000  # characters of one field that a refused form shows again


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One look at a page: what its address asks for, and the nonce of its form."""

    kind: str
    language: str
    nonce: str
    query: Mapping[str, str]
    typed: Mapping[str, str] = field(default_factory=dict)
    refused: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str], language: str, nonce: str) -> View:
        """From the query of an address; `?lang=` wins over the language told."""
        told = query.get("lang", "") or language
        return cls(kind=query.get("kind", ""), language=_language(told), nonce=nonce, query=query)


class Pages:
    """The pages of one account, below /in/<account>."""

    def __init__(self, account: str, settings: WebFormSettings, kinds: Mapping[str, Kind]) -> None:
        self._base = "/in/" + quote(account, safe="")
        self._settings = settings
        self._kinds = kinds
        self._scripts: dict[tuple[str, str], bytes] = {}  # at most kinds by languages

    def page(self, path: str, view: View) -> HttpAnswer | None:
        """`/form`, `/thanks`, `/form.js`, `/form.json`; None for any other path."""
        match path:
            case "/form":
                return self._html(self._form(view), view, path)
            case "/thanks":
                return self._html(self._thanks(view), view, path)
            case "/form.js":
                return _kept(self._script(view), "text/javascript; charset=utf-8")
            case "/form.json":
                return _kept(texts_of(self._settings, self._kind(view), view.language), "application/json")
        return None

    def _script(self, view: View) -> bytes:
        kind = self._kind(view)
        known = self._scripts.get((kind.name, view.language))
        if known is None:
            made = script(self._settings, kind, view.language).encode("utf-8", "replace")
            known = self._scripts[kind.name, view.language] = made
        return known

    def refused(self, rejected: DeliveryRejected, raw: RawDelivery, view: View) -> HttpAnswer:
        """The form again, with what was typed and why it was not taken."""
        texts = REFUSED[view.language]
        said = texts.get(rejected.reason) or texts[""]
        typed: dict[str, str] = {}
        try:
            form = read_form(raw.body, raw.media_type, raw.headers.get("content-type", ""))
        except DeliveryRejected:
            pass  # nothing of it can be shown again
        else:
            typed = {path: value[:_MAX_KEPT] for path, value in form.pairs if path in {*_INPUTS, "message"}}
            if any(part.filename for part in form.parts):
                said = f"{said} {PAGE[view.language]['files_again']}"
        shown = replace(view, typed=typed, refused=said)
        return replace(
            self._html(self._form(shown), shown, "/form"), status=min(max(rejected.status, 400), 499)
        )

    def _kind(self, view: View) -> Kind:
        return self._kinds.get(view.kind) or self._kinds[self._settings.kind]

    def _form(self, view: View) -> str:
        kind, texts = self._kind(view), PAGE[view.language]
        address = urlencode(
            {"lang": view.language, **({"kind": view.kind} if view.kind in self._kinds else {})}
        )
        asked = [one for one in kind.inputs if one != "files" or self._settings.max_files]
        inputs = "".join(self._input(one, kind, view) for one in asked)
        upload = ' enctype="multipart/form-data"' if "files" in asked else ""
        refused = f'<p class="refused" role="alert">{escape(view.refused)}</p>\n' if view.refused else ""
        return (
            f"<h1>{escape(kind.title[view.language])}</h1>\n{refused}"
            f'<form method="post" action="{self._base}?{escape(address)}" accept-charset="utf-8"{upload}>\n{inputs}'
            f"{self._honeypot(texts)}{_hidden('_nonce', view.nonce)}{_campaign(view.query)}{self._turnstile(view)}"
            f'<button type="submit">{texts["send"]}</button>\n</form>'
        )

    def _input(self, asked: str, kind: Kind, view: View) -> str:
        name, required = asked.removesuffix("*"), " required" if asked.endswith("*") else ""
        texts = PAGE[view.language]
        label = kind.message_label[view.language] if name == "message" else LABELS[view.language][name]
        optional = "" if required or name == "files" else f" {texts['optional']}"
        head = f'<label for="{name}">{escape(label)}{optional}</label>'
        typed = escape(view.typed.get(name, ""))
        if name == "message":
            more = ' rows="5" maxlength="20000"'
            return f'{head}<textarea id="message" name="message"{more}{required}>{typed}</textarea>\n'
        if name == "files":
            size = f"{self._settings.max_file_bytes / 1_048_576:.3g}"
            hint = texts["files_hint"].format(count=self._settings.max_files, size=size)
            return (
                f'{head}<input id="files" name="files" type="file" multiple aria-describedby="files-hint">'
                f'<small id="files-hint">{hint}</small>\n'
            )
        kind_of_input, auto, more = _INPUTS[name]
        value = f' value="{typed}"' if typed else ""
        said = f'type="{kind_of_input}" autocomplete="{auto}"{more}{value}{required}'
        return f'{head}<input id="{name}" name="{name}" {said}>\n'

    def _honeypot(self, texts: Mapping[str, str]) -> str:
        name = escape(self._settings.honeypot)
        if not name:
            return ""
        return (
            f'<p hidden><label for="trap">{texts["honeypot"]}</label>'
            f'<input id="trap" name="{name}" type="text" autocomplete="off" tabindex="-1"></p>\n'
        )

    def _turnstile(self, view: View) -> str:
        if not self._settings.checks_people:
            return ""
        source = escape(self._settings.turnstile_base_url.rstrip("/") + "/turnstile/v0/api.js")
        return (
            f'<div class="cf-turnstile" data-sitekey="{escape(self._settings.turnstile_site_key)}"'
            f' data-response-field-name="{FIELD}" data-language="{view.language}"></div>'
            f'<script src="{source}" async defer></script>\n'
        )

    def _thanks(self, view: View) -> str:
        kind, texts = self._kind(view), PAGE[view.language]
        text = kind.confirmation[view.language]
        again = urlencode(
            {"lang": view.language, **({"kind": view.kind} if view.kind in self._kinds else {})}
        )
        shown = f"<p>{escape(text)}</p>\n" if text and not is_address(text) else ""
        link = f'<a href="{self._base}/form?{escape(again)}">{texts["again"]}</a>'
        return f"<h1>{texts['thanks']}</h1>\n{shown}<p>{link}</p>"

    def _html(self, main: str, view: View, path: str) -> HttpAnswer:
        language = view.language
        kept = {**_campaign_values(view.query), **({"kind": view.kind} if view.kind in self._kinds else {})}
        links = " ".join(
            f'<a href="{self._base}{path}?{escape(urlencode({**kept, "lang": other}))}"'
            f' lang="{other}" hreflang="{other}">{_LANGUAGE_NAMES[other]}</a>'
            for other in LANGUAGES
            if other != language
        )
        document = (
            f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
            f"<title>{escape(self._kind(view).title[language])}</title>\n"
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<meta name="robots" content="noindex">\n<style>{_STYLE}</style>\n</head>\n<body>\n'
            f'<nav aria-label="{PAGE[language]["language"]}">{links}</nav>\n'
            f"<main>\n{main}\n</main>\n</body>\n</html>\n"
        )
        body = document.encode("utf-8", "replace")
        return HttpAnswer(status=200, body=body, media_type="text/html", headers=self._headers())

    def _headers(self) -> dict[str, str]:
        targets = {
            _origin(kind.confirmation[language]) for kind in self._kinds.values() for language in LANGUAGES
        }
        policy = (
            f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none'; "
            f"form-action {' '.join(sorted(targets - {''} | {chr(39) + 'self' + chr(39)}))}"
        )
        if self._settings.checks_people:
            source = _origin(self._settings.turnstile_base_url)
            policy += f"; script-src {source}; frame-src {source}; connect-src {source}"
        return {
            "Content-Security-Policy": policy,
            "Cache-Control": "no-store",  # each view has its own nonce
            "X-Content-Type-Options": "nosniff",
        }


def _kept(body: bytes, media_type: str) -> HttpAnswer:
    """The same for every visitor: browsers may keep it for a while."""
    headers = {"Cache-Control": "public, max-age=300", "X-Content-Type-Options": "nosniff"}
    return HttpAnswer(status=200, body=body, media_type=media_type, headers=headers)


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
