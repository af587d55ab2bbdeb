"""All operations, their routes, and the pages that describe them."""

from __future__ import annotations

import html

import orjson
from aiohttp import web

from hub.web.api import (
    accounts,
    contacts,
    notices,
    orders,
    parcels,
    people,
    personal,
    requests,
    schedules,
    sessions,
    setup,
    shipments,
    tasks,
)
from hub.web.api.openapi import document
from hub.web.api.registry import Operation, bound

OPERATIONS: tuple[Operation, ...] = (
    *requests.OPERATIONS,
    *contacts.OPERATIONS,
    *personal.OPERATIONS,
    *tasks.OPERATIONS,
    *orders.OPERATIONS,
    *shipments.OPERATIONS,
    *parcels.OPERATIONS,
    *people.OPERATIONS,
    *schedules.OPERATIONS,
    *sessions.OPERATIONS,
    *accounts.OPERATIONS,
    *setup.OPERATIONS,
    *notices.OPERATIONS,
)
PREFIX = "/api/v1"
_DOCUMENT: list[bytes] = []


def api_routes() -> list[web.RouteDef]:
    """Everything below /api."""
    return [
        *bound(OPERATIONS, PREFIX),
        web.get(f"{PREFIX}/openapi.json", openapi),
        web.get("/api/docs", docs),
    ]


def document_bytes() -> bytes:
    """The OpenAPI document, made at the first question."""
    if not _DOCUMENT:
        _DOCUMENT.append(orjson.dumps(document(OPERATIONS)))
    return _DOCUMENT[0]


async def openapi(_request: web.Request) -> web.Response:
    """OpenAPI 3.1."""
    return web.Response(body=document_bytes(), content_type="application/json")


async def docs(_request: web.Request) -> web.Response:
    """A plain reference page, without scripts."""
    rows = "".join(
        f"<tr><td><code>{o.method}</code></td><td><code>{PREFIX}{html.escape(o.path)}</code></td>"
        f"<td>{html.escape(o.summary)}</td><td>{o.may}</td></tr>"
        for o in OPERATIONS
    )
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>API</title>'
        '<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/static/pico.min.css">'
        '<main class="container"><h1>API</h1><p>Bearer tokens: <code>hub token add NAME --role ROLE</code>. '
        f'The whole contract: <a href="{PREFIX}/openapi.json">openapi.json</a> (OpenAPI 3.1).</p>'
        "<table><thead><tr><th>Method</th><th>Path</th><th>What it does</th><th>Right</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></main></html>"
    )
    return web.Response(
        text=page,
        content_type="text/html",
        headers={"Content-Security-Policy": "default-src 'none'; style-src 'self'"},
    )
