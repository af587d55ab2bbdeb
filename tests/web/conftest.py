"""A whole hub on a real SQLite file behind aiohttp's test client, and a browser made of forms."""

import re
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from hub.access import store as access
from hub.access.model import Role, system
from hub.app import Hub, build_process, open_hub
from hub.assignment.members import join_team
from hub.runtime.process import Process
from hub.settings import build
from hub.staff import service as people
from hub.staff import store as staff
from hub.testing.emulators.nova_poshta import NovaPoshtaEmulator
from hub.web.workspace.visit import SESSION_COOKIE

TEST = system("test")
BROWSER = {"Accept": "text/html,application/xhtml+xml", "Accept-Language": "en"}


@dataclass
class Answer:
    """A page as it came."""

    status: int
    text: str
    headers: Any
    path: str

    def form(self, action: str) -> dict[str, str]:
        """The hidden fields of the first form with this target."""
        found = re.search(rf'<form[^>]*action="{re.escape(action)}"[^>]*>(.*?)</form>', self.text, re.DOTALL)
        assert found, f"no form to {action} on {self.path}"
        inputs = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', found.group(1))
        return {name: unescape(value) for name, value in inputs}

    @property
    def foreign_scripts(self) -> list[str]:
        """Script tags besides our own two files: there must never be one."""
        own = re.compile(r'<script defer src="/static/(?:htmx\.min|hub)\.js\?v=[0-9a-f]{16}"></script>')
        return re.findall(r"<script[^>]*", own.sub("", self.text), re.IGNORECASE)

    @property
    def words(self) -> str:
        """What a person reads, without tags."""
        return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", self.text)))


class Person:
    """One person's browser: keeps cookies, follows redirects, posts the forms that pages hold."""

    def __init__(self, client: TestClient, language: str = "en") -> None:
        self.client = client
        self.headers = {**BROWSER, "Accept-Language": language}

    async def get(self, path: str, *, follow: bool = True) -> Answer:
        async with self.client.get(path, headers=self.headers, allow_redirects=follow) as answer:
            return await self._answer(answer)

    async def post(
        self, path: str, data: Any, *, follow: bool = True, headers: dict[str, str] | None = None
    ) -> Answer:
        sent = {**self.headers, **(headers or {})}
        async with self.client.post(path, data=data, headers=sent, allow_redirects=follow) as answer:
            return await self._answer(answer)

    async def submit(self, page: str, action: str, *, follow: bool = True, **values: str) -> Answer:
        """Open a page, fill in the form with this target, send it."""
        shown = await self.get(page)
        assert shown.status == 200, (page, shown.status, shown.words[:300])
        return await self.post(action, {**shown.form(action), **values}, follow=follow)

    async def _answer(self, answer: ClientResponse) -> Answer:
        return Answer(answer.status, await answer.text(), answer.headers, str(answer.url.path))


@dataclass
class WebHub:
    """A running hub with its people."""

    hub: Hub
    process: Process
    server: TestServer
    emulator: NovaPoshtaEmulator
    clients: list[TestClient] = field(default_factory=list)

    @property
    def url(self) -> str:
        return str(self.server.make_url("")).rstrip("/")

    async def browser(self, language: str = "en") -> Person:
        """Somebody who is not signed in."""
        client = TestClient(self.server)
        self.clients.append(client)
        return Person(client, language)

    def add(self, name: str, role: Role = Role.SELLER, *, team: bool = True) -> int:
        """A person, a member of the team unless told otherwise."""

        def write(tx: Any) -> int:
            staff_id = people.add_person(tx, name, [role])
            if team:
                join_team(tx, TEST, staff.team_by_name(tx.conn, "sales").id, staff_id)
            return staff_id

        return int(self.hub.db.write_now(write))

    def link(self, staff_id: int) -> str:
        return str(self.hub.db.write_now(lambda tx: access.make_link(tx, staff_id, "invite")))

    async def signed_in(self, staff_id: int, language: str = "en") -> Person:
        """A person with a session, without the slow way over a password."""
        token = self.hub.db.write_now(lambda tx: access.open_session(tx, staff_id, "test"))
        person = await self.browser(language)
        person.client.session.cookie_jar.update_cookies({SESSION_COOKIE: token}, self.server.make_url("/"))
        return person

    async def send_form(self, **fields: str) -> str:
        """A customer sends the form; the request's id."""
        client = (await self.browser()).client
        async with client.post("/in/shop-form", json=fields) as answer:
            assert answer.status == 201, await answer.text()
            return str((await answer.json())["request_id"])

    def task_of(self, request_id: str) -> Any:
        from hub.web.workspace.queries import tasks_of_request

        return self.hub.db.read_now(lambda conn: tasks_of_request(conn, int(request_id)))[0]


MakeHub = Callable[..., Any]


@pytest.fixture
async def make_hub(
    tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[MakeHub]:
    """Open hubs as `hub serve` does, on a database each; closes them."""
    monkeypatch.setenv("HUB_SECRET_KEY", "k" * 40)
    opened: list[WebHub] = []

    async def make(*, demo: bool = False, channels: Any = None, **hub_section: str) -> WebHub:
        from hub.kernel.clock import SystemClock

        emulator = NovaPoshtaEmulator(SystemClock(), seconds_per_step=3600)
        table: dict[str, Any] = {
            "hub": hub_section,
            "channels": {
                "shop-form": {"plugin": "web_form", "team": "sales", "rate_per_minute": 0},
                **(channels or {}),
            },
            "carriers": {
                "nova-poshta": {
                    "plugin": "nova_poshta", "base_url": await emulator.start(), "api_key": "test-key",
                }
            },
        }  # fmt: skip
        folder = tmp_path / str(len(opened))
        (folder / "var").mkdir(parents=True)
        shutil.copy(migrated_file, folder / "var" / "hub.db")
        hub = open_hub(build(table, folder))
        process, app = build_process(hub, demo=demo)
        process.door.start()
        server = TestServer(app)
        await server.start_server()
        opened.append(WebHub(hub, process, server, emulator))
        return opened[-1]

    yield make
    for one in opened:
        for client in one.clients:
            await client.close()
        await one.server.close()
        one.process.door.stop()
        await one.emulator.stop()
        one.hub.close()


@pytest.fixture
async def web_hub(make_hub: MakeHub) -> WebHub:
    """A hub whose pages speak English by default."""
    made = await make_hub(language="en")
    assert isinstance(made, WebHub)
    return made
