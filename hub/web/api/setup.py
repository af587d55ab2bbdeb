"""/api/v1/templates, /api/v1/webhooks"""

from __future__ import annotations

import json
from typing import Any, Literal

import orjson
from pydantic import BaseModel, Field
from sqlalchemy.engine import Connection

from hub.access import secrets
from hub.access.model import May
from hub.db.rows import OutboxRow
from hub.db.tx import Tx
from hub.orders import settings, store
from hub.orders.templates import MAX_TEMPLATE, VARIABLES
from hub.outbox import webhooks
from hub.web.api import schemas as s
from hub.web.api.paging import list_of
from hub.web.api.registry import Call, Operation
from hub.web.api.schemas import time_of

Language = Literal["uk", "en"]


class Removed(s.Out):
    """It is gone."""

    id: str


# --- templates -------------------------------------------------------------------------------------------


class TemplateBody(s.ActingBody):
    """A text for replies. Variables stand in double braces."""

    name: s.Name = Field(description="such as order-shipped; a stage action sends it by this name")
    language: Language
    text: s.LongText = Field(max_length=MAX_TEMPLATE, description="with variables: " + ", ".join(VARIABLES))


class TemplateOut(s.Out):
    """A text for replies."""

    id: str
    name: str
    language: str
    text: str
    actor: str
    updated_at: s.Time
    version: int


def template(row: Any) -> TemplateOut:
    """A template."""
    return TemplateOut(
        id=str(row.id),
        name=row.name,
        language=row.language,
        text=row.body,
        actor=row.actor,
        updated_at=time_of(row.updated_at) or "",
        version=row.version,
    )


def list_templates(conn: Connection, _call: Call) -> BaseModel:
    """By name."""
    return list_of(TemplateOut)(items=[template(row) for row in store.templates(conn)])


def get_template(conn: Connection, call: Call) -> TemplateOut:
    """One."""
    return template(store.get_template(conn, call.id()))


def add_template(tx: Tx, call: Call) -> TemplateOut:
    """A new one."""
    body: TemplateBody = call.body
    actor = call.acting(required=False)
    made = settings.save_template(tx, actor, None, body.name, body.language, body.text)
    return template(store.get_template(tx.conn, made))


def put_template(tx: Tx, call: Call) -> TemplateOut:
    """Another text, name or language."""
    body: TemplateBody = call.body
    store.get_template(tx.conn, call.id())
    actor = call.acting(required=False)
    settings.save_template(tx, actor, call.id(), body.name, body.language, body.text, call.if_match)
    return template(store.get_template(tx.conn, call.id()))


def remove_template(tx: Tx, call: Call) -> Removed:
    """Unless a route sends it."""
    settings.remove_template(tx, call.actor, call.id())
    return Removed(id=str(call.id()))


# --- web hooks -------------------------------------------------------------------------------------------

Event = Literal[
    "order.created", "order.stage", "order.paid", "shipment.attached", "shipment.detached", "shipment.status",
    "shipment.place", "shipment.estimated", "shipment.storage", "shipment.money", "shipment.linked",
    "shipment.question", "request.created", "request.closed",
    "contact.merged", "contact.unmerged",
]  # fmt: skip


class WebhookBody(s.In):
    """Whom to tell. Without a secret one is made; it is shown in this answer only."""

    url: str = Field(max_length=webhooks.MAX_URL)
    secret: str | None = Field(None, min_length=webhooks.MIN_SECRET, max_length=webhooks.MAX_SECRET)
    events: list[Event] = Field(min_length=1, max_length=len(webhooks.EVENTS))


class WebhookChange(s.In):
    """What changes; what is left out stays."""

    url: str | None = Field(None, max_length=webhooks.MAX_URL)
    secret: str | None = Field(None, min_length=webhooks.MIN_SECRET, max_length=webhooks.MAX_SECRET)
    events: list[Event] | None = Field(None, min_length=1, max_length=len(webhooks.EVENTS))
    active: bool | None = None


class WebhookOut(s.Out):
    """A web hook; its secret is never shown again."""

    id: str
    url: str
    events: list[str]
    active: bool
    last_ok_at: s.Time | None
    last_failed_at: s.Time | None
    last_error: str | None
    failed: int = Field(description="calls that were given up, at most 100 are counted")
    version: int


class WebhookMade(WebhookOut):
    """A new web hook with its secret: keep it, it is not shown again."""

    secret: str


class CallOut(s.Out):
    """A call that was given up."""

    id: str
    event: str
    created_at: s.Time
    reason: str | None
    data: dict[str, Any]


def webhook(conn: Connection, hook_id: int) -> WebhookOut:
    """A hook."""
    row = webhooks.get(conn, hook_id)
    return WebhookOut(
        id=str(row.id),
        url=row.url,
        events=json.loads(row.events),
        active=row.active,
        last_ok_at=time_of(row.last_ok_at),
        last_failed_at=time_of(row.last_failed_at),
        last_error=row.last_error,
        failed=len(webhooks.dead(conn, row.id)),
        version=row.version,
    )


def list_webhooks(conn: Connection, _call: Call) -> BaseModel:
    """Oldest first."""
    return list_of(WebhookOut)(items=[webhook(conn, row.id) for row in webhooks.all_hooks(conn)])


def get_webhook(conn: Connection, call: Call) -> WebhookOut:
    """One."""
    return webhook(conn, call.id())


def add_webhook(tx: Tx, call: Call) -> WebhookMade:
    """A new one."""
    body: WebhookBody = call.body
    secret = body.secret or secrets.new_token()
    made = webhooks.add(tx, call.actor.label, body.url, secret, body.events, key=call.services.key)
    return WebhookMade(secret=secret, **webhook(tx.conn, made).model_dump())


def change_webhook(tx: Tx, call: Call) -> WebhookOut:
    """Where to, what, on or off."""
    body: WebhookChange = call.body
    webhooks.change(
        tx, call.actor.label, call.id(), url=body.url, secret=body.secret, events=body.events,
        active=body.active, expected_version=call.if_match, key=call.services.key,
    )  # fmt: skip
    return webhook(tx.conn, call.id())


def remove_webhook(tx: Tx, call: Call) -> Removed:
    """No more."""
    webhooks.remove(tx, call.id())
    return Removed(id=str(call.id()))


def failed_call(row: OutboxRow) -> CallOut:
    """What was given up."""
    body = orjson.loads(orjson.loads(row.payload)["body"])
    return CallOut(
        id=str(row.id),
        event=row.kind,
        created_at=time_of(row.created_at) or "",
        reason=row.last_error,
        data=body["data"],
    )


def list_failed(conn: Connection, call: Call) -> BaseModel:
    """Newest first, at most 100."""
    webhooks.get(conn, call.id())
    return list_of(CallOut)(items=[failed_call(row) for row in webhooks.dead(conn, call.id())])


def send_again(tx: Tx, call: Call) -> Removed:
    """With the event id that it had."""
    webhooks.send_again(tx, call.id())
    return Removed(id=str(call.id()))


_TEMPLATES: dict[str, Any] = {"tag": "templates", "result": TemplateOut}
_HOOKS: dict[str, Any] = {"tag": "webhooks", "may": May.OPERATE}
OPERATIONS = (
    Operation(
        method="GET", path="/templates", summary="List texts for replies", tag="templates", may=May.SEE,
        result=list_of(TemplateOut), reads=list_templates,
    ),
    Operation(
        method="POST", path="/templates", summary="Add a text for replies", may=May.LEAD, body=TemplateBody,
        writes=add_template, status=201, **_TEMPLATES,
    ),
    Operation(
        method="GET", path="/templates/{id}", summary="One text for replies", may=May.SEE, reads=get_template,
        errors=(404,), **_TEMPLATES,
    ),
    Operation(
        method="PUT", path="/templates/{id}", summary="Change a text for replies", may=May.LEAD, body=TemplateBody,
        writes=put_template, versioned=True, errors=(404, 409, 412), **_TEMPLATES,
    ),
    Operation(
        method="DELETE", path="/templates/{id}", summary="Remove a text for replies", tag="templates", may=May.LEAD,
        result=Removed, writes=remove_template, errors=(404, 409),
    ),
    Operation(
        method="GET", path="/webhooks", summary="List web hooks", result=list_of(WebhookOut), reads=list_webhooks,
        **_HOOKS,
    ),
    Operation(
        method="POST", path="/webhooks", summary="Add a web hook", body=WebhookBody, result=WebhookMade,
        writes=add_webhook, status=201, **_HOOKS,
    ),
    Operation(
        method="GET", path="/webhooks/{id}", summary="One web hook", result=WebhookOut, reads=get_webhook,
        errors=(404,), **_HOOKS,
    ),
    Operation(
        method="PATCH", path="/webhooks/{id}", summary="Change a web hook, switch it on or off", body=WebhookChange,
        result=WebhookOut, writes=change_webhook, versioned=True, errors=(404, 412), **_HOOKS,
    ),
    Operation(
        method="DELETE", path="/webhooks/{id}", summary="Remove a web hook", result=Removed, writes=remove_webhook,
        errors=(404,), **_HOOKS,
    ),
    Operation(
        method="GET", path="/webhooks/{id}/failed", summary="Calls that were given up", result=list_of(CallOut),
        reads=list_failed, errors=(404,), **_HOOKS,
    ),
    Operation(
        method="POST", path="/webhooks/failed/{id}/again", summary="Send a call that was given up once more",
        result=Removed, writes=send_again, errors=(404,), **_HOOKS,
    ),
)  # fmt: skip
