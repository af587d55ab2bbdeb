"""The script that puts the form into any site with one line.

What is decided here, and why:

*Shadow DOM, not an iframe.* The site's styles do not reach in and ours do not leak out, while the form stays part
of the page: its height follows its content, a screen reader meets no frame, it takes the page's font and colour,
and the site needs no `frame-src`. The style sheet is constructed by script, so a strict `style-src` of the site
does not forbid it; nodes are made one by one, never out of text, so Trusted Types do not either. What a strict
policy must still allow is this script (`script-src`) and posting to the hub (`connect-src`); without the latter the
form says so by a link to the hosted page, where no policy of the site reaches.

*Kept until it has arrived.* A form is written into the site's IndexedDB (files too) before it is sent, under the key
with which it is sent (Idempotency-Key). No connection, a time-out, 408, 429 or 5xx: it is sent again with the same key,
also after the page was opened anew, for seven days. So a lost answer or two clicks are one request.

*Readable by scripts of listed sites only.* The key makes a browser ask first (preflight): the account must name the
site under `allowed_origins`.

The answer is below 10 kB: comments and blanks of `widget.js` are dropped, and one answer holds one kind of form in one
language. `data-kind` and `data-lang` may name another one, whose texts are then fetched: not by a second script, which
Trusted Types would forbid.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from plugins.web_form.kinds import Kind
from plugins.web_form.settings import WebFormSettings
from plugins.web_form.texts import LABELS, PAGE, REFUSED, SCRIPT

_STYLE: Final = (
    ":host{all:initial;display:block;font:inherit;color:inherit;overflow-wrap:anywhere;--a:#0b57d0;--o:#fff}"
    ":host([theme]){padding:1em;border-radius:.5em}:host([theme=light]){color:#1b1f24;background:#fff}"
    ":host([theme=dark]){color:#e6e8eb;background:#14171a;--a:#a8c7fa;--o:#062e6f}"
    "@media(prefers-color-scheme:dark){:host([theme=auto]){color:#e6e8eb;background:#14171a;--a:#a8c7fa;--o:#062e6f}}"
    "[hidden]{display:none!important}div{margin-top:.8em}h2{font-size:1.3em;margin:0}label{display:block;margin-bottom:.3em}"
    "input,textarea,button{font:inherit;color:inherit;box-sizing:border-box;padding:.5em;border-radius:.3em}"
    "input,textarea{width:100%;background:transparent;border:1px solid}textarea{min-height:6em}"
    "button{margin-top:1em;padding:.6em 1.4em;min-height:44px;border:0}"
    "button{background:var(--a);color:var(--o);cursor:pointer}"
    "[aria-busy] button{opacity:.6}:focus-visible{outline:3px solid;outline-offset:2px}"
    "p{margin:.4em 0}p:empty{margin:0}"
    ".bad:not(:empty),.note:not(:empty){border-left:.3em solid;padding-left:.5em;font-weight:600}a{color:inherit}"
)
_TOLD = ("contact", "files", "file_too_large", "file_type", "too_large", "captcha", "")
_QUOTED: Final = re.compile(r'("[^"\n]*"|`[^`\n]*`)')
_BLANKS: Final = re.compile(r" *([=><(){},;?:&|!+*-]+) *")
_SOURCE: Final = Path(__file__).with_name("widget.js")


def script(settings: WebFormSettings, kind: Kind, language: str) -> str:
    """The whole script of an account, for one kind of form in one language."""
    config = texts_of(settings, kind, language).decode()
    # No text may end the script or the comment that somebody puts around it.
    config = config.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    head, _, tail = _squeezed(_SOURCE.read_text(encoding="utf-8")).rpartition("CONFIG")
    return head + config + tail


def texts_of(settings: WebFormSettings, kind: Kind, language: str) -> bytes:
    """What the script is told, as JSON: what it fetches for another kind or language."""
    return orjson.dumps(_config(settings, kind, language))


def _squeezed(source: str) -> str:
    """Without comments, indents and the blanks around signs; texts in quotes stay, line ends too."""
    lines = (line.strip() for line in source.splitlines())
    pieces = _QUOTED.split("\n".join(line for line in lines if line and not line.startswith("//")))
    return "".join(piece if place % 2 else _BLANKS.sub(r"\1", piece) for place, piece in enumerate(pieces))


def _config(settings: WebFormSettings, kind: Kind, language: str) -> dict[str, Any]:
    inputs = [one for one in kind.inputs if one != "files" or settings.max_files]
    config: dict[str, Any] = {
        "name": kind.name,
        "lang": language,
        "kind": {
            "inputs": inputs,
            "title": kind.title[language],
            "done": kind.confirmation[language],
            "label": kind.message_label[language],
        },
        "texts": _texts(language, [one.removesuffix("*") for one in inputs]),
        "style": _STYLE,
        "trap": settings.honeypot,
    }
    if settings.checks_people:
        config |= {"site": settings.turnstile_site_key, "turnstile": settings.turnstile_base_url.rstrip("/")}
    return config


def _texts(language: str, inputs: Sequence[str]) -> dict[str, Any]:
    page = {name: PAGE[language][name] for name in ("optional", "send", "thanks")}
    refused = {reason: REFUSED[language][reason] for reason in _TOLD}
    labels = {name: LABELS[language][name] for name in inputs if name in LABELS[language]}
    return {**page, **SCRIPT[language], "labels": labels, "no": refused}
