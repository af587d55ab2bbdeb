"""One call of a page: who looks, in which language, and what he posted; and the guards around it.

Every page is declared with the right that it needs (`Page`); `bound` makes a route of it that asks for
a session, checks the right, and lets no unsafe method through without the origin's and the form's proof.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from aiohttp import web
from sqlalchemy.engine import Connection

from hub.access import secrets
from hub.access import store as access
from hub.access.model import Actor, May
from hub.access.store import SignedIn
from hub.db.tx import Tx
from hub.kernel import text
from hub.kernel.errors import AccessDenied, InputRejected, NotFound
from hub.kernel.ids import parse_id
from hub.notices import store as notices
from hub.web.context import SERVICES, Services, client_address
from hub.web.i18n import N_, choose
from hub.web.workspace import render
from hub.web.workspace.forms import LONG_TEXT, Form
from hub.web.workspace.words import Words

T = TypeVar("T")

SESSION_COOKIE, CSRF_COOKIE, LANGUAGE_COOKIE, NOTICE_COOKIE = "hub_session", "hub_form", "lang", "hub_notice"
SAFE = frozenset({"GET", "HEAD"})
MAX_FIELDS = 500
STALE = N_("this form is too old: reload the page and send it again")
UNREADABLE = N_("this form cannot be read: reload the page and send it again")
FOREIGN = N_("this form came from another site and was not accepted")


class Visit:
    """What a page's handler gets."""

    def __init__(self, request: web.Request, signed: SignedIn | None, unread: int = 0) -> None:
        self.request = request
        self.unread = unread
        self.services: Services = request.app[SERVICES]
        self.signed = signed
        hub = self.services.loaded.settings.hub
        self.zone = ZoneInfo(hub.timezone)
        self.language = choose(
            signed.language if signed is not None else None,
            request.cookies.get(LANGUAGE_COOKIE),
            request.headers.get("Accept-Language", ""),
            hub.language,
        )
        self.words = Words(self.language, self.zone, self.services.clock.now())
        self._form_cookie = request.cookies.get(CSRF_COOKIE, "")
        self.form = Form()
        self.uploads: Sequence[Upload] = ()

    # --- who and what --------------------------------------------------------------------------------

    @property
    def actor(self) -> Actor:
        """Who acts; only on pages that need a session."""
        assert self.signed is not None
        return self.signed.actor

    @property
    def staff_id(self) -> int:
        """The person."""
        assert self.signed is not None and self.signed.actor.staff_id is not None  # noqa: PT018
        return self.signed.actor.staff_id

    @property
    def leads(self) -> bool:
        """May he act for others?"""
        return self.signed is not None and self.signed.actor.may(May.LEAD)

    @property
    def csrf(self) -> str:
        """The proof that a form is ours: the session's, else that of a cookie (double submit)."""
        if self.signed is not None:
            return self.signed.csrf
        if not 20 <= len(self._form_cookie) <= 100:
            self._form_cookie = secrets.new_token()
        return self._form_cookie

    @property
    def address(self) -> str:
        """Where the call comes from."""
        return client_address(self.request, self.services.proxies)

    @property
    def secure(self) -> bool:
        """Did the browser speak HTTPS, to us or to a trusted proxy?"""
        base = self.services.loaded.settings.hub.base_url
        told = self.request.headers.get("X-Forwarded-Proto", "") if self.services.proxies else ""
        return self.request.secure or base.startswith("https://") or told == "https"

    @property
    def origin(self) -> str:
        """How this hub is reached: the settings' base_url, else as the browser called it."""
        base = self.services.loaded.settings.hub.base_url
        return base.rstrip("/") or f"{'https' if self.secure else 'http'}://{self.request.host}"

    def id(self, name: str = "id") -> int:
        """An id of the path. Raises NotFound."""
        try:
            return parse_id(self.request.match_info[name])
        except ValueError:
            raise NotFound from None

    def query(self, name: str, limit: int = 100) -> str:
        """A value of the query, bounded."""
        return text.one_line(self.request.query.get(name, ""), limit)

    def query_id(self, name: str) -> int | None:
        """An id of the query; None where there is none."""
        return Form(values={name: self.query(name)}).identifier(name)

    async def read(self, run: Callable[[Connection], T]) -> T:
        """Read from the database."""
        return await self.services.db.read(run)

    async def write(self, run: Callable[[Tx], T]) -> T:
        """One transaction."""
        return await self.services.db.write(run)

    @property
    def renews(self) -> bool:
        """Does an open page ask for its own part again? The notice is then for the next page."""
        return "HX-Request" in self.request.headers

    def part(self, template: str, **context: Any) -> str:
        """A part of a page as text, without anything of the person who asks."""
        shared = {"w": self.words, "here": self.request.path_qs}
        return render.html(self.language, template, shared | context)

    # --- answers -------------------------------------------------------------------------------------

    def render(self, template: str, status: int = 200, **context: Any) -> web.Response:
        """A page."""
        notice = "" if self.renews else self.request.cookies.get(NOTICE_COOKIE, "")
        answer = render.page(
            render.html(self.language, template, self._base(notice) | context), status=status
        )
        if notice:
            answer.del_cookie(NOTICE_COOKIE, path="/")
        if self.signed is None:
            self.set_cookie(answer, CSRF_COOKIE, self.csrf, None)
        return answer

    def _base(self, notice: str) -> dict[str, Any]:
        path = self.request.path
        return {
            "w": self.words,
            "language": self.language,
            "me": self.signed,
            "leads": self.leads,
            "operates": self.signed is not None and self.signed.actor.may(May.OPERATE),
            "unread": self.unread,
            "csrf": self.csrf,
            "demo": self.services.demo,
            "path": path,
            "here": self.request.path_qs if self.request.method in SAFE else path,
            "notice": self.words.notice(notice),
            "form": self.form,
        }

    def redirect(self, path: str, notice: str = "") -> web.Response:
        """To another page, which says once what was done."""
        answer = render.redirect(path)
        if notice:
            self.set_cookie(answer, NOTICE_COOKIE, notice, 60)
        return answer

    def set_cookie(self, answer: web.Response, name: str, value: str, max_age: int | None) -> None:
        """A cookie that no script reads and no other site sends."""
        answer.set_cookie(
            name, value, max_age=max_age, path="/", httponly=True, samesite="Lax", secure=self.secure
        )


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a form."""

    name: str
    media_type: str
    body: bytes


VISIT = web.RequestKey("visit", Visit)
Handler = Callable[[Visit], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Page:
    """One page or form target. `may` None: open to everybody."""

    method: str
    path: str
    handler: Handler
    may: May | None
    max_upload: int = 0  # bytes of a form with files; 0: it takes none


async def open_visit(request: web.Request) -> Visit:
    """Find the session of a call."""
    services = request.app[SERVICES]
    token = request.cookies.get(SESSION_COOKIE, "")
    if not 20 <= len(token) <= 100:
        return Visit(request, None)
    now = services.clock.now()

    def find(conn: Connection) -> tuple[SignedIn | None, int]:
        signed = access.find_session(conn, token, now)
        staff_id = signed.actor.staff_id if signed is not None else None
        return signed, notices.unread(conn, staff_id) if staff_id is not None else 0

    signed, unread = await services.db.read(find)
    return Visit(request, signed, unread)


def bound(page: Page) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The route of a page, with its guards."""

    async def handle(request: web.Request) -> web.StreamResponse:
        visit = await open_visit(request)
        request[VISIT] = visit
        if page.may is not None:
            if visit.signed is None:
                return visit.redirect(f"/sign-in?next={quote(_way_back(request), safe='')}")
            visit.actor.require(page.may)
        if page.method not in SAFE:
            require_own_origin(request, visit.services.loaded.settings.hub.base_url)
            visit.form, visit.uploads = await _read_form(request, page.max_upload)
            if not secrets.same(visit.form.values.get("csrf", ""), visit.csrf):
                raise AccessDenied(STALE)
        return await page.handler(visit)

    return handle


def _way_back(request: web.Request) -> str:
    """Where to go after signing in: this page, or the one that a form stood on."""
    if request.method in SAFE:
        return request.path_qs
    parts = urlsplit(request.headers.get("Referer", ""))
    return local_path(f"{parts.path}?{parts.query}" if parts.query else parts.path)


def local_path(wanted: str) -> str:
    """A path of this site, or "/": never an address elsewhere."""
    odd = any(ord(c) < 0x21 or c == "\\" for c in wanted)
    if odd or not wanted.startswith("/") or wanted.startswith("//") or len(wanted) > 2000:
        return "/"
    return wanted


def require_own_origin(request: web.Request, base_url: str) -> None:
    """An unsafe call must come from a page of ours, as far as the browser tells. Raises AccessDenied."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        raise AccessDenied(FOREIGN)
    origin = request.headers.get("Origin")
    if origin is None:
        return
    own = {request.host, urlsplit(base_url).netloc} - {""}
    if urlsplit(origin).netloc not in own:
        raise AccessDenied(FOREIGN)


async def _read_form(request: web.Request, max_upload: int) -> tuple[Form, Sequence[Upload]]:
    """A posted form, with its files where the page takes any; whatever else comes is not of our forms."""
    posted: Mapping[str, Any] = {}
    takes_files = max_upload and request.content_type == "multipart/form-data"
    if takes_files:
        request = request.clone(client_max_size=max_upload)
    if takes_files or request.content_type == "application/x-www-form-urlencoded":
        with suppress(ValueError, LookupError):
            posted = await request.post()
    if len(posted) > MAX_FIELDS:
        raise InputRejected(UNREADABLE)
    form = Form(
        values={
            text.one_line(key, 100): text.clean(value, LONG_TEXT)
            if not key.startswith("password")
            else value[:400]
            for key, value in posted.items()
            if isinstance(value, str)
        }
    )
    return form, [_upload(value) for value in posted.values() if _is_file(value)]


def _is_file(value: object) -> bool:
    return isinstance(value, web.FileField) and bool(value.filename)


def _upload(field: web.FileField) -> Upload:
    name = text.one_line(field.filename, text.NAME).replace("/", "_").replace("\\", "_")
    with field.file as file:  # a file of the system: closed at once, not when somebody collects it
        return Upload(name, text.one_line(field.content_type, text.SHORT), file.read())
