"""Every route with every role: pages and API operations, generated from their own tables."""

import re

import pytest
from aiohttp import web

from hub.access import store as access
from hub.access.model import PERMISSIONS, May, Role
from hub.web.api.routes import OPERATIONS, PREFIX
from hub.web.workspace.routes import DEMO_PAGES, PAGES, STATIC

ROLES = [None, *Role]
ID = "1234567890"
# Routes that are neither a page nor an operation, and why they are open.
OPEN = {
    "/healthz", "/readyz",  # tell nothing
    "/metrics",  # this machine, or a token of an admin: tests/web/test_metrics.py
    "/in/{account}", "/in/{account}/{tail}",  # deliveries: the channel's plugin decides
    f"{PREFIX}/openapi.json", "/api/docs",  # what is in the source anyway
    "/calendar/{secret}.ics",  # the secret is the right
    "/files/{secret}/{name}",  # the same
    *STATIC,
}  # fmt: skip


def of_path(path: str) -> str:
    named = {"name": "sales", "secret": "x" * 43}
    return re.sub(r"{(\w+)}", lambda found: named.get(found[1], ID), path)


def expected(role: Role | None, may: May | None) -> str:
    if may is None:
        return "open"
    if role is None:
        return "sign in"
    return "allowed" if may in PERMISSIONS[role] else "denied"


@pytest.mark.parametrize("role", ROLES)
async def test_pages_by_role(web_hub, role):
    staff_id = web_hub.add("Person", role) if role is not None else None
    for page in PAGES:
        person = await (web_hub.browser() if staff_id is None else web_hub.signed_in(staff_id))
        if page.path == "/live":  # it never ends
            async with person.client.get("/live", allow_redirects=False) as stream:
                assert (stream.status, role) in {(303, None), *((200, one) for one in Role)}
            continue
        if page.method == "GET":
            answer = await person.get(of_path(page.path), follow=False)
        else:
            start = await person.get("/sign-in" if role is None else "/")
            token = start.form("/language")["csrf"]
            answer = await person.post(of_path(page.path), {"csrf": token}, follow=False)
        to_sign_in = answer.status == 303 and answer.headers["Location"].startswith("/sign-in?next=")
        seen = "sign in" if to_sign_in else "denied" if answer.status == 403 else "allowed"
        wanted = expected(role, page.may)
        assert answer.status < 500, (page.method, page.path, role)
        assert seen == ("allowed" if wanted == "open" else wanted), (
            page.method,
            page.path,
            role,
            answer.status,
        )


@pytest.mark.parametrize("role", ROLES)
async def test_operations_by_role(web_hub, role):
    client = (await web_hub.browser()).client
    headers = {}
    if role is not None:
        staff_id = web_hub.add("Person", role)
        _, token = web_hub.hub.db.write_now(lambda tx: access.add_token(tx, "test", role, staff_id))
        headers = {"Authorization": f"Bearer {token}"}
    for operation in OPERATIONS:
        body: dict[str, str] | None = {} if operation.body is not None else None
        async with client.request(
            operation.method, PREFIX + of_path(operation.path), json=body, headers=headers
        ) as answer:
            seen = {401: "sign in", 403: "denied"}.get(answer.status, "allowed")
            assert seen == expected(role, operation.may), (operation.name, role, answer.status)
            assert answer.status < 500, (operation.name, await answer.text())


@pytest.mark.parametrize("demo", [False, True])
async def test_no_route_stands_outside_the_tables(make_hub, demo):
    made = await make_hub(demo=demo)
    declared = {(p.method, p.path) for p in (*PAGES, *(DEMO_PAGES if demo else ()))}
    declared |= {(o.method, PREFIX + o.path) for o in OPERATIONS}
    app = made.server.app
    assert isinstance(app, web.Application)
    for route in app.router.routes():
        assert route.resource is not None
        path = route.resource.canonical
        method = "GET" if route.method == "HEAD" else route.method
        assert (method, path) in declared or path in OPEN, (route.method, path)


def test_what_changes_something_needs_more_than_seeing():
    for page in PAGES:
        if page.method != "GET" and page.may is not None:
            assert page.may is not May.SEE, page.path
    for operation in OPERATIONS:
        if operation.method != "GET":
            assert operation.may is not May.SEE, operation.name
