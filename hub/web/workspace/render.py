"""Templates to answers: one environment a language, security headers on every page.

jinja2 is imported when the first page is made (0.15 s that the start of the hub does not pay).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from hub.web.i18n import LANGUAGES, catalogue
from hub.web.workspace.static import address_of

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


@cache
def environment(language: str) -> Environment:
    """The templates in one language."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        extensions=["jinja2.ext.i18n"],
    )
    made.policies["ext.i18n.trimmed"] = True
    made.install_gettext_translations(catalogue(language), newstyle=True)  # type: ignore[attr-defined]
    made.globals |= {"static": address_of, "languages": LANGUAGES}
    return made


def html(language: str, template: str, context: dict[str, Any]) -> str:
    """One page as text."""
    return environment(language).get_template(template).render(context)


def page(text: str, status: int = 200) -> web.Response:
    """A page with the headers that every page has."""
    return web.Response(status=status, text=text, content_type="text/html", headers=SECURITY_HEADERS)


def redirect(path: str) -> web.Response:
    """To another page of ours, with GET."""
    return web.Response(status=303, headers={**SECURITY_HEADERS, "Location": path})
